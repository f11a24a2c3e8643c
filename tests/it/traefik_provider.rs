//! What labels mean, compared with the real Traefik: one Traefik reads the same simulated daemon
//! twice, by its own Docker provider and by way of the route server, and has to show the same
//! routers, services and middlewares for both.
//!
//! Both sides are read out of one Traefik, so that its defaults, its errors and its doubts about a
//! rule are on both alike, and nothing of them is written down here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::real_traefik::RealTraefik;
use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

/// On loopback, so that health checks do not leave this machine; below the repositories' part of it.
const ADDRESS: &str = "127.0.10.2";

/// The router that shows that a provider's configuration is loaded.
const MARKER: &str = "marker";

/// What Traefik listens on here, and what the route server is told of it.
const ENTRYPOINTS: [&str; 5] = ["web", "websecure", "tcp-25", "tcp-5432", "udp-53"];

/// The most bytes of a body that Traefik may keep in memory, with the quota that is set here.
const BODY: i64 = 10 * (64 << 20);

/// A container with labels of its own, and what they are about.
pub(crate) struct Case {
    name: String,
    pub(crate) container: SimulatedContainer,
    /// Whether it is to give nothing, on either side.
    gives_nothing: Option<bool>,
}

/// Where the route server refuses what Traefik takes, on purpose: what its rejection says, and why.
/// Each has a case in differences.labels, which shows both sides.
const STRICTER: [(&str, &str); 11] = [
    (
        "several endpoints are a cluster",
        "its nodes send Traefik on to any address",
    ),
    ("is not from", "the value would cost others too much"),
    (
        "a list of plain values has no indices",
        "Traefik loses the value",
    ),
    ("is a list and has no fields", "Traefik loses the value"),
    (
        "it holds names and has no indices",
        "Traefik makes a header `X.[0]` of it",
    ),
    (
        "the middleware has no type",
        "Traefik's reader of documents refuses empty structs",
    ),
    (
        "is not a port from 1 to 65535",
        "Traefik's server cannot be reached",
    ),
    (
        "is not an IP address, written out",
        "a name may lead to another repository",
    ),
    (
        "does not begin with one of",
        "Traefik asks a server that there is not",
    ),
    (
        "is not a scheme of a server",
        "Traefik never finds the server healthy",
    ),
    (
        "without an endpoint",
        "Traefik takes the machine's own Redis",
    ),
];

#[tokio::test]
async fn labels_mean_what_they_mean_to_traefiks_own_provider() {
    let mut cases = written_cases(&["routers", "services", "tcp_and_udp", "nothing"]);
    cases.extend(generated_cases());
    let compared = Compared::of(cases.iter().map(|case| case.container.clone())).await;

    let mut differences = Vec::new();
    let (mut empty, mut entries, mut disabled) = (0, 0, 0);
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &cases {
        let (theirs, ours) = compared.both(&case.container);
        if theirs != ours {
            if theirs.is_empty() && compared.costs_entries(&case.container, &ours) {
                entries += 1;
                continue;
            }
            if is_disabled(&theirs) && is_part(&ours, &theirs) && !has_router(&ours) {
                disabled += 1;
                continue;
            }
            match compared.stricter(&case.container) {
                Some(reason) if case.gives_nothing != Some(true) && is_part(&ours, &theirs) => {
                    *refused.entry(reason).or_default() += 1;
                }
                _ => differences.push(describe(case, &theirs, &ours, &compared)),
            }
            continue;
        }
        empty += usize::from(theirs.is_empty());
        if case
            .gives_nothing
            .is_some_and(|nothing| nothing != theirs.is_empty())
        {
            differences.push(format!("{}: both give {theirs:?}", case.name));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        cases.len(),
        differences.iter().take(40).cloned().collect::<String>()
    );
    assert_eq!(
        refused.len(),
        STRICTER.len(),
        "one is met no more: {refused:?}"
    );
    let stricter: usize = refused.values().sum();
    println!(
        "{} label sets: {} agree, {empty} of them by giving nothing, {entries} cost an entry here and the \
         container there, {disabled} a router that is disabled there; refused on purpose: {refused:?}",
        cases.len(),
        cases.len() - stricter
    );
}

/// Whether there is nothing that the other has not: a fault costs what it is in.
fn is_part(ours: &Things, theirs: &Things) -> bool {
    ours.keys().all(|key| theirs.contains_key(key))
}

/// Whether Traefik has the routers, and answers for none of them.
fn is_disabled(theirs: &Things) -> bool {
    let mut routers = theirs.iter().filter(|(key, _)| is_router(key)).peekable();
    routers.peek().is_some() && routers.all(|(_, router)| router["status"] == "disabled")
}

fn has_router(things: &Things) -> bool {
    things.keys().any(|key| is_router(key))
}

fn is_router(key: &str) -> bool {
    let kind = key.split(' ').next().unwrap_or_default();
    matches!(kind, "routers" | "tcpRouters" | "udpRouters")
}

/// Both sides of each difference, side by side in one file.
#[tokio::test]
async fn where_the_two_differ_it_is_on_purpose() {
    let cases = written_cases(&["differences"]);
    let compared = Compared::of(cases.iter().map(|case| case.container.clone())).await;
    let mut said = String::new();
    for case in &cases {
        let (theirs, ours) = compared.both(&case.container);
        assert_ne!(theirs, ours, "{} is no difference any more", case.name);
        said += &describe(case, &theirs, &ours, &compared);
    }
    let path = folder().join("differences.txt");
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&path, &said).expect("a writable file");
    }
    let expected = std::fs::read_to_string(&path).expect("a readable file");
    assert_eq!(said, expected);
}

/// Two containers that call different things by one name, as during a rolling update.
#[tokio::test]
async fn of_two_that_disagree_traefik_keeps_none_and_the_route_server_the_elder() {
    let web = |name: &str, rule: &str| {
        let rule = format!("traefik.http.routers.shared.rule={rule}");
        let entrypoint = "traefik.http.routers.shared.entrypoints=web";
        let port = "traefik.http.services.shared.loadbalancer.server.port=80";
        container_of(name, [rule.as_str(), entrypoint, port])
    };
    let compared = Compared::of([web("a", "Host(`a`)"), web("b", "Host(`b`)")]).await;
    assert_eq!(compared.docker.get("routers shared"), None);
    assert_eq!(compared.http["routers shared"]["rule"], "Host(`a`)");
    let rejected: Vec<_> = compared.rejections.iter().collect();
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert_eq!(rejected[0]["container"], "b");
}

/// Each of these labels on one container costs Traefik's own provider every route there is: it
/// panics while it decodes, or while it applies what it decoded. Here it costs the container.
#[tokio::test]
async fn a_label_that_ends_traefik_ends_here_with_its_container() {
    for (label, words) in [
        ("traefik.http.routers.bad.tls.domains]=a", "panic"),
        (
            "traefik.http.middlewares.bad.ratelimit.redis.poolsize=-1",
            "Error in Go routine",
        ),
    ] {
        let machine = Machine::new();
        let uses = "traefik.http.routers.bad.middlewares=bad";
        let bad = container_of("bad", ["+web", uses, label]);
        let good = container_of("good", ["+web"]);
        let socket = machine.state_dir().join("docker.sock");
        let _daemon = SimulatedDaemon::start(&socket, &[bad, good]);
        let docker = format!("unix://{}", socket.display());
        let mut renet = machine.renet();
        renet
            .args(["--docker-host", &docker])
            .env_remove("BASE_DOMAIN");
        let renet = RouteServer::spawn(renet).await;
        let arguments = arguments(&docker, &renet);
        let of = |provider: &str| -> Vec<String> {
            let other = format!("--providers.{provider}.");
            let kept = arguments.iter().filter(|one| !one.starts_with(&other));
            kept.cloned().collect()
        };

        let theirs = RealTraefik::start(&of("http"));
        theirs.says(words).await;
        assert_eq!(theirs.api("http/routers/good@docker").await, Value::Null);

        let ours = RealTraefik::start(&of("docker"));
        ours.has("http/routers/good@http").await;
        assert_eq!(ours.api("http/routers/bad@http").await, Value::Null);
    }
}

/// One Traefik with both providers, and what it made of the containers.
struct Compared {
    docker: Things,
    http: Things,
    rejections: Vec<Value>,
}

/// By protocol, kind and name.
type Things = BTreeMap<String, Value>;

impl Compared {
    async fn of(containers: impl IntoIterator<Item = SimulatedContainer>) -> Self {
        let machine = Machine::new();
        let socket = machine.state_dir().join("docker.sock");
        let mut containers: Vec<_> = containers.into_iter().collect();
        containers.push(
            SimulatedContainer::bridged(MARKER, ADDRESS, &[80])
                .label("traefik.enable", "true")
                .label("traefik.http.routers.marker.entrypoints", "web"),
        );
        let _daemon = SimulatedDaemon::start(&socket, &containers);
        let mut renet = machine.renet();
        let docker = format!("unix://{}", socket.display());
        renet
            .args(["--docker-host", &docker])
            .args(["--entrypoints", &ENTRYPOINTS.join(",")])
            .args(["--cert-resolver", "letsencrypt"])
            // All cases are of one repository.
            .args(["--quota", "host=10"])
            .env_remove("BASE_DOMAIN");
        let renet = RouteServer::spawn(renet).await;
        let traefik = RealTraefik::start(&arguments(&docker, &renet));

        traefik.has("http/routers/marker@docker").await;
        traefik.has("http/routers/marker@http").await;
        let raw = traefik.api("rawdata").await;
        let rejections = renet.get_json("/routes.json").await["rejections"].take();
        Self {
            docker: things(&raw, "docker"),
            http: things(&raw, "http"),
            rejections: rejections.as_array().cloned().unwrap_or_default(),
        }
    }

    /// What a container gives on either side. Its things bear its name.
    fn both(&self, container: &SimulatedContainer) -> (Things, Things) {
        let of = |things: &Things| {
            let is_its = |key: &str| {
                let name = key.rsplit(' ').next().unwrap_or_default();
                let own = name.get(..container.name.len());
                own.is_some_and(|own| own.eq_ignore_ascii_case(&container.name))
            };
            let its = things.iter().filter(|(key, _)| is_its(key));
            its.map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        (of(&self.docker), of(&self.http))
    }

    /// Whether what is wrong with a container's labels cost the entries that it is in, and nothing
    /// is left of those; Traefik's own provider drops the container for it.
    fn costs_entries(&self, container: &SimulatedContainer, ours: &Things) -> bool {
        let rejections = self.rejections(container);
        let labels = rejections.iter().filter_map(|one| one["label"].as_str());
        let keys: Option<Vec<String>> = labels.map(key_of).collect();
        let is_gone = |keys: Vec<String>| !keys.iter().any(|key| ours.contains_key(key));
        !rejections.is_empty() && keys.is_some_and(is_gone)
    }

    fn stricter(&self, container: &SimulatedContainer) -> Option<&'static str> {
        let rejections = self.rejections(container);
        let says = |phrase: &str| {
            let mut reasons = rejections.iter().filter_map(|one| one["reason"].as_str());
            reasons.any(|reason| reason.contains(phrase))
        };
        let mut phrases = STRICTER.iter().map(|(phrase, _)| *phrase);
        phrases.find(|phrase| says(phrase))
    }

    fn rejections(&self, container: &SimulatedContainer) -> Vec<&Value> {
        let rejections = self.rejections.iter();
        rejections
            .filter(|rejection| rejection["container"] == container.name.as_str())
            .collect()
    }
}

/// What the API calls the entry of a label.
fn key_of(label: &str) -> Option<String> {
    let mut parts = label.split('.').skip(1);
    let (protocol, section, name) = (parts.next()?, parts.next()?, parts.next()?);
    let section = section.to_ascii_lowercase();
    let kind = match &*protocol.to_ascii_lowercase() {
        "http" => section,
        protocol => {
            let (first, rest) = section.split_at_checked(1)?;
            format!("{protocol}{}{rest}", first.to_ascii_uppercase())
        }
    };
    Some(format!("{kind} {name}"))
}

fn arguments(docker: &str, renet: &RouteServer) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--providers.providersThrottleDuration=1ms",
        "--providers.docker.exposedByDefault=false",
        "--providers.http.pollInterval=50ms",
        "--providers.http.pollTimeout=30s",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--providers.docker.endpoint={docker}"));
    arguments.push(format!(
        "--providers.http.endpoint=http://{}/routes.yaml",
        renet.address()
    ));
    for name in ENTRYPOINTS {
        let protocol = if name.starts_with("udp") { "/udp" } else { "" };
        arguments.push(format!(
            "--entryPoints.{name}.address=127.0.0.1:0{protocol}"
        ));
    }
    arguments
}

/// The things of one provider, as if it had no name of its own.
fn things(raw: &Value, provider: &str) -> Things {
    let mut things = Things::new();
    let suffix = format!("@{provider}");
    for (kind, entries) in raw.as_object().expect("an object") {
        for (name, value) in entries.as_object().expect("an object") {
            let Some(name) = name.strip_suffix(&suffix) else {
                continue;
            };
            let text = value.to_string().replace(&suffix, "@");
            let mut value: Value = serde_json::from_str(&text).expect("JSON");
            // Whether health checks have found the server by now is a matter of time.
            if let Some(fields) = value.as_object_mut() {
                fields.remove("serverStatus");
            }
            // Health checks of strangers follow no redirects here.
            if let Some(Value::Object(check)) = value.pointer_mut("/loadBalancer/healthCheck") {
                check.remove("followRedirects");
            }
            // Where Traefik has no limit, the route server writes the bound.
            if let Some(Value::Object(auth)) = value.get_mut("forwardAuth") {
                auth.retain(|field, value| {
                    let is_limit = matches!(&**field, "maxBodySize" | "maxResponseBodySize");
                    !(is_limit && [-1, BODY].map(Value::from).contains(value))
                });
            }
            // A cookie without a name has one made of the service's, the provider's in it.
            let cookie = value.pointer_mut("/loadBalancer/sticky/cookie/name");
            if let Some(name) = cookie.filter(|name| is_made_up(name)) {
                *name = Value::from("made up");
            }
            things.insert(format!("{kind} {name}"), value);
        }
    }
    things
}

fn is_made_up(cookie: &Value) -> bool {
    let digits = cookie.as_str().and_then(|name| name.strip_prefix('_'));
    digits.is_some_and(|digits| {
        digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

fn describe(case: &Case, theirs: &Things, ours: &Things, compared: &Compared) -> String {
    let mut text = format!("\n{}\n", case.name);
    for (label, value) in &case.container.labels {
        text += &format!("    {label}={value}\n");
    }
    let keys: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for key in keys {
        let (theirs, ours) = (theirs.get(key), ours.get(key));
        if theirs != ours {
            let show = |side: Option<&Value>| side.map_or("-".to_owned(), Value::to_string);
            text += &format!(
                "  {key}\n    Traefik {}\n    renet   {}\n",
                show(theirs),
                show(ours)
            );
        }
    }
    for rejection in compared.rejections(&case.container) {
        text += &format!(
            "  rejected: {} {}\n",
            rejection["label"], rejection["reason"]
        );
    }
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/traefik_provider")
}

/// The cases of the folder.
pub(crate) fn written_cases(files: &[&str]) -> Vec<Case> {
    let mut cases = Vec::new();
    for file in files {
        let path = folder().join(file).with_extension("labels");
        let text = std::fs::read_to_string(path).expect("readable cases");
        for (index, case) in text.split("\n= ").skip(1).enumerate() {
            let container = format!("{}{index:03}", &file[..1]);
            let (name, lines) = case.split_once('\n').expect("a name, then labels");
            cases.push(Case {
                name: format!("{file}: {name}"),
                container: container_of(&container, lines.lines()),
                gives_nothing: Some(*file == "nothing"),
            });
        }
    }
    cases
}

fn container_of<'l>(name: &str, lines: impl IntoIterator<Item = &'l str>) -> SimulatedContainer {
    let mut container = SimulatedContainer::bridged(name, ADDRESS, &[]);
    container = container.label("traefik.enable", "true");
    for line in lines.into_iter().filter(|line| !line.is_empty()) {
        container = add(container, line);
    }
    container
}

fn add(mut container: SimulatedContainer, line: &str) -> SimulatedContainer {
    if line == "+web" {
        return [
            "traefik.http.routers.{}.rule=Host(`{}.example`)",
            "traefik.http.routers.{}.entrypoints=web",
            "traefik.http.services.{}.loadbalancer.server.port=8080",
        ]
        .into_iter()
        .fold(container, add);
    }
    let words = line.split_once(' ');
    match words {
        Some(("@ports", ports)) => {
            let ports = ports.split(' ').map(|port| port.parse().expect("a port"));
            container.ports = ports.collect();
            container
        }
        Some(("@is", condition)) => {
            (container.state, container.status) = match condition {
                "exited" => ("exited", "Exited (0) 2 minutes ago"),
                "starting" => ("running", "Up 2 seconds (health: starting)"),
                "unhealthy" => ("running", "Up 2 minutes (unhealthy)"),
                other => panic!("no condition {other}"),
            };
            container
        }
        _ => {
            let line = line.replace("{}", &container.name);
            let (label, value) = line.split_once('=').expect("a label is key=value");
            container.label(label, value)
        }
    }
}

/// Each label of the decoder's own two lists, alone on a container that uses it: as it is, in other
/// cases, with values of its type and of no type, and with what does not belong behind it.
pub(crate) fn generated_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for list in ["every_middleware", "every_router_and_service"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/traefik/labels/testdata")
            .join(list)
            .with_extension("labels");
        let text = std::fs::read_to_string(path).expect("a readable list");
        for line in text.lines().filter(|line| is_compared(line)) {
            let (key, value) = line.split_once('=').expect("a label is key=value");
            for (key, value) in variations(key, value) {
                let name = format!("g{:05}", cases.len());
                cases.push(Case {
                    name: format!("{key}={value}"),
                    container: user_of(&name, &key, &value),
                    gives_nothing: None,
                });
            }
        }
    }
    cases
}

/// Entry points and certificate resolvers have rules of their own here: they are among the
/// differences.
fn is_compared(line: &str) -> bool {
    let own_rules = [".entrypoints=", ".tls.certresolver="];
    !line.starts_with('#') && !own_rules.iter().any(|label| line.contains(label))
}

fn variations(key: &str, value: &str) -> Vec<(String, String)> {
    let values: &[&str] = if value.parse::<bool>().is_ok() {
        &["T", "False", "0", "", "maybe", "tRUE", " true"]
    } else if value.parse::<i64>().is_ok() {
        &["+7", "-3", "0", "", "1_0", "1.5", " 5", "0x5"]
    } else if value.ends_with('s') && value.starts_with(|first: char| first.is_ascii_digit()) {
        &[
            "15", "1h2m3.5s", "-1ms", "0", "", "5x", "1.5", "1 s", ".5s", "1µs", "2562048h",
        ]
    } else {
        &["", "a,, b ,", ",", "x", "TRUE", "é"]
    };
    let mut variations = vec![(key.to_owned(), value.to_owned())];
    let upper = key.split('.').enumerate().map(|(index, part)| match index {
        1 | 2 => part.to_uppercase(),
        index if index > 3 => part.to_uppercase(),
        _ => part.to_owned(),
    });
    variations.push((upper.collect::<Vec<_>>().join("."), value.to_owned()));
    // Traefik's own provider would end here: a test of its own shows that.
    let is_deadly = |value: &str| {
        let keys = ["poolsize", "minidleconns", "maxactiveconns"];
        value.starts_with('-') && keys.iter().any(|end| key.ends_with(end))
    };
    // Empty references and signs of ports are among the differences.
    let is_tidied = |value: &str| {
        key.ends_with(".middlewares") && value.contains(',')
            || key.ends_with(".server.port") && value.starts_with('+')
    };
    for other in values
        .iter()
        .filter(|value| !is_deadly(value) && !is_tidied(value))
    {
        variations.push((key.to_owned(), (*other).to_owned()));
    }
    for end in [".nope", "x", "[0]", "[0].nope"] {
        variations.push((format!("{key}{end}"), value.to_owned()));
    }
    variations
}

/// A container whose router uses the thing that the label is about.
fn user_of(container: &str, key: &str, value: &str) -> SimulatedContainer {
    let mut parts: Vec<_> = key.split('.').map(str::to_owned).collect();
    let (protocol, kind) = (parts[1].to_lowercase(), parts[2].to_lowercase());
    let own = if kind == "middlewares" { "{}-m" } else { "{}" };
    parts[3] = own.to_owned();
    let label = format!("{}={value}", parts.join("."));
    let rest = parts[4..].join(".").to_lowercase();
    let base: &[&str] = match protocol.as_str() {
        "http" => &["+web"],
        "tcp" => &[
            "traefik.tcp.routers.{}.rule=HostSNI(`*`)",
            "traefik.tcp.routers.{}.entrypoints=tcp-25",
            "traefik.tcp.services.{}.loadbalancer.server.port=25",
        ],
        _ => &[
            "traefik.udp.routers.{}.entrypoints=udp-53",
            "traefik.udp.services.{}.loadbalancer.server.port=53",
        ],
    };
    let mut lines: Vec<String> = base.iter().map(|line| (*line).to_owned()).collect();
    if kind == "middlewares" {
        lines.push(format!(
            "traefik.{protocol}.routers.{{}}.middlewares={{}}-m"
        ));
    }
    if rest.contains(".redis.") {
        // Without a place of its own it would be the machine's, and be refused.
        lines.push(
            "traefik.http.middlewares.{}-m.ratelimit.redis.endpoints=127.0.10.3:6379".to_owned(),
        );
    }
    // The label takes the place of the base's, be it written in another case.
    let mut container = container_of(container, lines.iter().map(String::as_str));
    let same = format!("traefik.{protocol}.{kind}.{}.{rest}", container.name);
    container.labels.retain(|(label, _)| *label != same);
    add(container, &label)
}
