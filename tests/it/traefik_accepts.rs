//! The real Traefik takes every document that the route server can serve, and refuses every rule
//! that is refused here: both are asked of its HTTP provider.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use rediacc::route_server::container::{Address, Condition, Container, DaemonContainers};
use rediacc::route_server::index::Index;
use rediacc::route_server::ports::PortTable;
use rediacc::route_server::routes::RouteSettings;
use rediacc::traefik::rule::Rule;
use serde_json::{Value, json};

use crate::real_traefik::RealTraefik;
use crate::simulated_daemon::SimulatedContainer;
use crate::traefik_provider::{generated_cases, written_cases};

/// A document that changes nothing but shows that all before it were read.
const MARKER: &str = r#"{"http": {"routers": {"marker": {"rule": "Host(`marker`)", "service": "marker"}},
    "services": {"marker": {"loadBalancer": {"servers": []}}}}}"#;

#[tokio::test]
async fn every_document_is_accepted() {
    let documents = documents();
    let count = documents.len();
    let served = Served::of(documents).await;
    let traefik = served.traefik();
    traefik.has("http/routers/marker@http").await;

    // What it says of single routers, as of a plugin that it does not have, is no matter here.
    let errors = traefik.errors();
    let refused: Vec<_> = errors
        .iter()
        .filter(|line| line["routerName"].is_null() && !is_of_routers(line))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(count > 1000, "{count} documents only");
    println!("{count} documents are accepted");
}

/// Lines about what the document says, not about whether it can be read.
fn is_of_routers(line: &Value) -> bool {
    let message = line["message"]
        .as_str()
        .or(line.as_str())
        .unwrap_or_default();
    [
        "redis: ",
        "Router uses a nonexistent certificate resolver",
        "Config has more than one udp router for a given entrypoint",
    ]
    .iter()
    .any(|known| message.contains(known))
}

/// Each once: those of single containers, those of the cases, the empty one, and what is left when
/// containers go.
fn documents() -> BTreeSet<String> {
    let mut documents = BTreeSet::from(["{}\n".to_owned(), String::new()]);
    let mut cases = written_cases(&[
        "routers",
        "services",
        "tcp_and_udp",
        "nothing",
        "differences",
    ]);
    cases.extend(generated_cases());
    let containers: Vec<_> = cases.iter().map(|case| known(&case.container)).collect();
    for container in &containers {
        documents.insert(document(std::slice::from_ref(container)));
    }
    // Some leave at a time, until none is left.
    let mut rest = &containers[..];
    while !rest.is_empty() {
        documents.insert(document(rest));
        rest = &rest[rest.len().div_ceil(3)..];
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/route_server/routes/testdata");
    for entry in std::fs::read_dir(folder).expect("the cases are there") {
        let path = entry.expect("a readable folder").path();
        let text = std::fs::read_to_string(path).expect("a readable case");
        documents.extend(text.split("---\n").nth(1).map(str::to_owned));
    }
    documents
}

fn document(containers: &[Container]) -> String {
    let entrypoints = ["web", "websecure", "tcp-25", "tcp-5432", "udp-53"];
    let settings = RouteSettings {
        entrypoints: entrypoints
            .map(|name| name.parse().expect("an entry point"))
            .into(),
        ..RouteSettings::default()
    };
    let mut index = Index::new(settings, PortTable::default());
    let seen = DaemonContainers {
        network_id: None,
        containers: containers.to_vec(),
    };
    index.reset(Path::new("docker.sock"), seen);
    index.snapshot().expect("the model is plain data").yaml
}

fn known(simulated: &SimulatedContainer) -> Container {
    let address: IpAddr = simulated.address.parse().expect("an address");
    Container {
        id: simulated.id(),
        name: simulated.name.clone(),
        created: 0,
        labels: simulated.labels.iter().cloned().collect(),
        condition: match simulated.state {
            "running" => Condition::Ready,
            _ => Condition::NotRunning,
        },
        address: Address::Own(address),
        exposed_tcp_ports: simulated.ports.clone(),
    }
}

#[tokio::test]
async fn traefik_refuses_each_rule_that_is_refused_here() {
    let http = [
        "Host(`a.example`)",
        "Host(`a.example`) && (Path(`/a`) || !Method(`GET`))",
        "HostRegexp(`^a\\d$`) || Header(`X`, \"1\")",
        "!(ClientIP(`10.0.0.0/8`) && Query(`q`, `1`))",
        "PathPrefix(\"/\\x61\\u0062\\143\\n\") /* c */ && // d\n HOST(`b`)\n",
    ];
    let tcp = [
        "HostSNI(`*`)",
        "HostSNI(`a`) && !ALPN(`h2`) || ClientIP(`10.0.0.1`)",
    ];
    let (http, tcp) = (mutants(&http), mutants(&tcp));
    let router = |rule: &String| json!({"rule": rule, "service": "noop", "entryPoints": ["web"]});
    let routers = |rules: &[String]| -> Value {
        let named = rules.iter().enumerate();
        named
            .map(|(index, rule)| (format!("r{index}"), router(rule)))
            .collect()
    };
    let service = json!({"noop": {"loadBalancer": {"servers": []}}});
    let document = json!({
        "http": {"routers": routers(&http), "services": service},
        "tcp": {"routers": routers(&tcp), "services": service},
    });
    let served = Served::of([document.to_string()]).await;
    let traefik = served.traefik();
    traefik.has("http/routers/r0@http").await;
    let raw = traefik.api("rawdata").await;

    let (mut refused, mut taken, mut faults) = (0, 0, Vec::new());
    for (kind, rules) in [("routers", &http), ("tcpRouters", &tcp)] {
        for (index, rule) in rules.iter().enumerate() {
            let error = &raw[kind][format!("r{index}@http")]["error"];
            match Rule::parse(rule) {
                Err(_) if error.is_null() => faults.push(format!("{kind}: {rule:?}")),
                Err(_) => refused += 1,
                Ok(_) => taken += 1,
            }
        }
    }
    assert!(faults.is_empty(), "Traefik takes these: {faults:#?}");
    assert!(
        refused > 100 && taken > 100,
        "{refused} refused, {taken} taken"
    );
    println!("{refused} rules are refused by both, {taken} are taken here");
}

/// Each rule, and what a slip of the hand makes of it: a character lost, doubled, exchanged for
/// another, or one more.
fn mutants(rules: &[&str]) -> Vec<String> {
    let mut mutants = BTreeSet::new();
    for rule in rules {
        mutants.insert((*rule).to_owned());
        for (at, character) in rule.char_indices() {
            let (before, after) = (&rule[..at], &rule[at + character.len_utf8()..]);
            mutants.insert(format!("{before}{after}"));
            for other in [
                "`", "\"", "(", ")", "!", ",", "|", "&", " ", "\n", "\r", "/", "\\", "x", "é", ";",
            ] {
                mutants.insert(format!("{before}{other}{after}"));
                mutants.insert(format!("{before}{other}{character}{after}"));
            }
        }
    }
    mutants.into_iter().collect()
}

/// A server on loopback that gives each document once, and the marker from then on.
pub(crate) struct Served {
    address: String,
    server: tokio::task::JoinHandle<()>,
}

impl Served {
    pub(crate) async fn of(documents: impl IntoIterator<Item = String>) -> Self {
        let rest: Vec<String> = documents.into_iter().collect();
        let is_one = rest.len() == 1;
        let last = if is_one {
            rest[0].clone()
        } else {
            MARKER.to_owned()
        };
        let rest = Arc::new(Mutex::new(rest.into_iter()));
        let answer = move |State(rest): State<Arc<Mutex<std::vec::IntoIter<String>>>>| async move {
            let next = rest.lock().expect("no panics").next();
            next.unwrap_or(last)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let router = Router::new().fallback(answer).with_state(rest);
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("a server never ends");
        });
        Self { address, server }
    }

    pub(crate) fn traefik(&self) -> RealTraefik {
        let mut arguments = vec![
            format!("--providers.http.endpoint=http://{}", self.address),
            "--providers.http.pollInterval=1ms".to_owned(),
            "--providers.providersThrottleDuration=1ms".to_owned(),
        ];
        for name in ["web", "websecure", "tcp-25", "tcp-5432"] {
            arguments.push(format!("--entryPoints.{name}.address=127.0.0.1:0"));
        }
        arguments.push("--entryPoints.udp-53.address=127.0.0.1:0/udp".to_owned());
        RealTraefik::start(&arguments)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}
