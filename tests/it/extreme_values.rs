//! Every value that a label can set, at the ends of its bound, in front of the real Traefik: each
//! document is applied, a request through it is answered, and another repository's next change is
//! live within a second. The fields and their bounds come from the model, so that none is missing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use rediacc::network::NetworkId;
use rediacc::route_server::container::{Address, Condition, Container, DaemonContainers};
use rediacc::route_server::index::{Index, Snapshot};
use rediacc::route_server::ports::PortTable;
use rediacc::route_server::routes::RouteSettings;
use rediacc::traefik::dynamic::{Bound, Field, bounds, fields};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::real_traefik::RealTraefik;

/// Whose labels hold the extreme values.
const ATTACKER: u32 = 2816;
/// Whose changes have to be live, and whose requests answered.
const VICTIM: u32 = 2880;

/// How soon a change has to be live.
const SOON: Duration = Duration::from_secs(1);
/// How many changes in a row may be late.
const TRIES: usize = 4;
/// How long a request may take: longer than Traefik takes to give up a server.
const PATIENCE: Duration = Duration::from_secs(10);

/// The values that the model's numbers and durations are tried with, beside the ends of their
/// bounds.
const NUMBERS: [i64; 8] = [i64::MIN, -1, 0, 1, 2, 1 << 34, 1 << 40, i64::MAX];
const DURATIONS: [&str; 7] = ["-1ns", "0s", "1ns", "1us", "1ms", "1s", "2540400h"];

/// What an entry needs beside the value, by what its labels contain.
const BESIDE: [(&str, &[&str]); 24] = [
    (
        "basicauth",
        &["traefik.http.middlewares.e.basicauth.users=a:b"],
    ),
    (
        "digestauth",
        &["traefik.http.middlewares.e.digestauth.users=a:b:c"],
    ),
    (
        "redis",
        &["traefik.http.middlewares.e.ratelimit.redis.endpoints=127.0.11.2:{port}"],
    ),
    (
        "forwardauth",
        &[
            "traefik.http.middlewares.e.forwardauth.address=http://127.0.11.2:{port}/",
            "traefik.http.middlewares.e.forwardauth.forwardbody=true",
        ],
    ),
    (
        "errors",
        &[
            "traefik.http.middlewares.e.errors.service=e",
            "traefik.http.middlewares.e.errors.status=200-599",
            "traefik.http.middlewares.e.errors.query=/",
        ],
    ),
    (
        "statusrewrites",
        &["traefik.http.middlewares.e.errors.statusrewrites.500-599=500"],
    ),
    (
        "retry",
        &[
            "traefik.http.middlewares.e.retry.attempts=2",
            "traefik.http.middlewares.e.retry.status=200",
        ],
    ),
    (
        "circuitbreaker",
        &["traefik.http.middlewares.e.circuitbreaker.expression=NetworkErrorRatio() >= 0.0"],
    ),
    (
        "redirectscheme",
        &["traefik.http.middlewares.e.redirectscheme.scheme=https"],
    ),
    (
        "replacepathregex",
        &["traefik.http.middlewares.e.replacepathregex.regex=^a"],
    ),
    (
        "redirectregex",
        &["traefik.http.middlewares.e.redirectregex.regex=^a"],
    ),
    (
        "http.middlewares.e.ipallowlist",
        &["traefik.http.middlewares.e.ipallowlist.sourcerange=127.0.0.1"],
    ),
    (
        "http.middlewares.e.ipwhitelist",
        &["traefik.http.middlewares.e.ipwhitelist.sourcerange=127.0.0.1"],
    ),
    (
        "buffering",
        &["traefik.http.middlewares.e.buffering.maxrequestbodybytes=100"],
    ),
    (
        "services.e.loadbalancer.healthcheck",
        &["traefik.http.services.e.loadbalancer.healthcheck.path=/"],
    ),
    (
        "passivehealthcheck",
        &["traefik.http.services.e.loadbalancer.passivehealthcheck.maxfailedattempts=2"],
    ),
    (
        "sticky",
        &["traefik.http.services.e.loadbalancer.sticky.cookie=true"],
    ),
    (
        "ratelimit",
        &["traefik.http.middlewares.e.ratelimit.average=100"],
    ),
    (
        "inflightreq",
        &["traefik.http.middlewares.e.inflightreq.amount=100"],
    ),
    (
        "accesscontrol",
        &["traefik.http.middlewares.e.headers.accesscontrolalloworiginlist=*"],
    ),
    (
        "stsseconds",
        &["traefik.http.middlewares.e.headers.forcestsheader=true"],
    ),
    (
        "http.middlewares",
        &["traefik.http.routers.e.middlewares=e"],
    ),
    ("tcp.middlewares", &["traefik.tcp.routers.e.middlewares=e"]),
    ("tls.domains", &["traefik.http.routers.e.tls=true"]),
];

/// One set of labels, and the value in it that is tried.
struct Attempt {
    label: String,
    value: String,
    /// Whether the value is within its bound.
    is_within: bool,
}

#[tokio::test]
async fn no_number_and_no_duration_harms_anybody_else() {
    let attempts = fields().iter().flat_map(numbers_of).collect();
    walk(attempts).await;
}

#[tokio::test]
async fn no_text_and_no_list_harms_anybody_else() {
    let attempts = fields().iter().flat_map(texts_of).collect();
    walk(attempts).await;
}

fn numbers_of(field: &Field) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut attempt = |value: String, is_within: bool| {
        let label = label_of(field);
        attempts.push(Attempt {
            label,
            value,
            is_within,
        });
    };
    match field.bound {
        Bound::Number(bound) => {
            let ends = [bound.least, bound.most, bound.most.saturating_add(1)];
            let mut values: Vec<_> = NUMBERS.into_iter().chain(ends).collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                let is_within =
                    (bound.least..=bound.most).contains(&value) || bound.or_zero && value == 0;
                attempt(value.to_string(), is_within);
            }
        }
        Bound::Span(bound) => {
            let ends = [bound.least, bound.most].map(|one| format!("{one}ns"));
            for value in DURATIONS.map(str::to_owned).into_iter().chain(ends) {
                let nanoseconds = nanoseconds(&value);
                let is_within = (bound.least..=bound.most).contains(&nanoseconds)
                    || bound.or_zero && nanoseconds == 0
                    || bound.or_negative && nanoseconds < 0;
                attempt(value, is_within);
            }
        }
        Bound::Text(_) | Bound::List(_) => {}
    }
    attempts
}

/// The durations that are tried have one unit.
fn nanoseconds(text: &str) -> i64 {
    let end = text
        .find(|one: char| one.is_ascii_alphabetic())
        .expect("a unit");
    let number: i64 = text[..end].parse().expect("a number");
    let unit = match &text[end..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => 3_600_000_000_000,
    };
    number * unit
}

/// As long as may be, as many as may be, and characters that readers of YAML treat specially.
fn texts_of(field: &Field) -> Vec<Attempt> {
    let label = label_of(field);
    // Where a rule, an entry point or a server says something else, there is nothing to ask.
    let is_the_way = [
        "rule",
        "rulesyntax",
        "entrypoints",
        "service",
        "server.url",
        "server.scheme",
        "server.port",
    ]
    .iter()
    .any(|end| label.ends_with(&format!(".{end}")));
    let (longest, is_list) = match field.bound {
        Bound::Text(text) => (text.longest, false),
        Bound::List(text) => (text.longest, true),
        Bound::Number(_) | Bound::Span(_) => return Vec::new(),
    };
    if is_the_way {
        return Vec::new();
    }
    let longest = longest.min(bounds::LONGEST_LABEL - label.len());
    let mut values = vec![
        "x".repeat(longest),
        "\"<<: *a\" # {} [ ] & ! | > % @ ` ' \\ ~ \u{0} \u{85} \u{feff} \u{2028} \u{10ffff}"
            .to_owned(),
        "true".to_owned(),
        "1e3".to_owned(),
    ];
    if is_list {
        values.push(vec!["127.0.0.1"; bounds::MOST_ELEMENTS].join(","));
        values.push("a,,b".to_owned());
    }
    let attempt = |value| Attempt {
        label: label.clone(),
        value,
        // What is no network, no user, no encoding is refused for another reason.
        is_within: false,
    };
    values.into_iter().map(attempt).collect()
}

fn label_of(field: &Field) -> String {
    // One of the router, service or middleware, and one of what it holds.
    field
        .label
        .replacen("<name>", "e", 1)
        .replace("<name>", "500-599")
}

/// Serves each attempt, and asks Traefik.
async fn walk(attempts: Vec<Attempt>) {
    let site = Site::open().await;
    let count = attempts.len();
    let mut served = 0;
    for (turn, attempt) in attempts.into_iter().enumerate() {
        served += usize::from(site.take(turn, &attempt).await);
    }
    let refused: Vec<_> = site.traefik.errors();
    let is_of_document = |line: &&Value| {
        let line = line.to_string();
        line.contains("cannot decode")
            || line.contains("panic")
            || line.contains("Error in Go routine")
    };
    let refused: Vec<_> = refused.iter().filter(is_of_document).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(served * 5 > count, "{served} of {count} are served");
    println!("{served} of {count} values are served, the rest refused");
}

/// A Traefik with a route server's document, and a server behind it.
struct Site {
    traefik: RealTraefik,
    web: SocketAddr,
    tcp: SocketAddr,
    port: u16,
    document: Arc<Mutex<String>>,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

impl Site {
    async fn open() -> Self {
        let document = Arc::new(Mutex::new("{}".to_owned()));
        let poll = |State(document): State<Arc<Mutex<String>>>| async move {
            document.lock().expect("no panics").clone()
        };
        let polled = Router::new().fallback(poll).with_state(document.clone());
        let (provider, polled) = serve(Ipv4Addr::LOCALHOST, polled).await;
        // The same port in both repositories.
        let hello = || Router::new().fallback(|| async { "hello" });
        let (backend, attacked) = serve([127, 0, 11, 2].into(), hello()).await;
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 11, 66), backend.port())).await;
        let listener = listener.expect("the same port at another address");
        let victim = tokio::spawn(async move {
            axum::serve(listener, hello()).await.expect("a server");
        });
        let (web, tcp) = (free().await, free().await);
        let traefik = RealTraefik::start(&[
            format!("--providers.http.endpoint=http://{provider}"),
            "--providers.http.pollInterval=5ms".to_owned(),
            "--providers.providersThrottleDuration=5ms".to_owned(),
            format!("--entryPoints.web.address={web}"),
            format!("--entryPoints.tcp-25.address={tcp}"),
        ]);
        Self {
            traefik,
            web,
            tcp,
            port: backend.port(),
            document,
            servers: vec![polled, attacked, victim],
        }
    }

    /// Whether a value is served; asserts that it harms nobody in either case.
    async fn take(&self, turn: usize, attempt: &Attempt) -> bool {
        let Attempt {
            label,
            value,
            is_within,
        } = attempt;
        let what = format!("{label}={}", value.chars().take(40).collect::<String>());
        let Snapshot { yaml, summary, .. } = self.snapshot(turn, 0, attempt);
        let is_tcp = label.starts_with("traefik.tcp");
        let router = format!("    e-{ATTACKER}:\n      entryPoints:");
        let is_served = yaml.contains(&router);
        if *is_within {
            assert!(is_served, "{what}: {:?}", summary.rejections);
        } else if !is_served {
            assert!(!summary.rejections.is_empty(), "{what}");
            return false;
        }
        // Traefik that does not take changes any more never does; one that shares its processors
        // with other tests may be late once.
        let mut late = Vec::new();
        let mut next = Some(yaml);
        while let Some(yaml) = next.take() {
            *self.document.lock().expect("no panics") = yaml;
            let changed = Instant::now();
            let victim = format!("http/routers/v{turn}x{}-{VICTIM}@http", late.len());
            self.traefik.has(&victim).await;
            let took = changed.elapsed();
            if took >= SOON {
                late.push(took);
                assert!(late.len() < TRIES, "{what}: others' changes took {late:?}");
                next = Some(self.snapshot(turn, late.len(), attempt).yaml);
            }
        }
        let turn = format!("{turn}x{}", late.len());
        let protocol = if is_tcp { "tcp" } else { "http" };
        let router = format!("{protocol}/routers/e-{ATTACKER}@http");
        let router = self.traefik.api(&router).await;
        if *is_within {
            assert_eq!(router["status"], "enabled", "{what}: {router}");
        }
        let answer = match is_tcp {
            true => request(self.tcp, "e.example.com").await,
            false => request(self.web, "e.example.com").await,
        };
        assert!(answer.is_some() || is_tcp, "{what}: no answer");
        let answer = request(self.web, &format!("v{turn}.example.com")).await;
        let answer = answer.unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
        true
    }

    fn snapshot(&self, turn: usize, change: usize, attempt: &Attempt) -> Snapshot {
        let Attempt { label, value, .. } = attempt;
        let settings = RouteSettings {
            entrypoints: ["web", "tcp-25"]
                .map(|name| name.parse().expect("a name"))
                .into(),
            ..RouteSettings::default()
        };
        let mut index = Index::new(settings, PortTable::default(), None);
        let mut lines = vec![
            "traefik.http.routers.e.rule=Host(`e.example.com`)".to_owned(),
            "traefik.http.routers.e.entrypoints=web".to_owned(),
            format!(
                "traefik.http.services.e.loadbalancer.server.port={}",
                self.port
            ),
        ];
        if label.starts_with("traefik.tcp") {
            lines = vec![
                "traefik.tcp.routers.e.rule=HostSNI(`*`)".to_owned(),
                "traefik.tcp.routers.e.entrypoints=tcp-25".to_owned(),
                format!(
                    "traefik.tcp.services.e.loadbalancer.server.port={}",
                    self.port
                ),
            ];
        }
        let beside = BESIDE.iter().filter(|(part, _)| label.contains(part));
        let beside = beside.flat_map(|(_, lines)| lines.iter());
        lines.extend(beside.map(|line| line.replace("{port}", &self.port.to_string())));
        lines.push(format!("{label}={value}"));
        reset(&mut index, ATTACKER, "127.0.11.2", &lines);
        let victim = [
            format!(
                "traefik.http.routers.v{turn}x{change}.rule=Host(`v{turn}x{change}.example.com`)"
            ),
            format!("traefik.http.routers.v{turn}x{change}.entrypoints=web"),
            format!(
                "traefik.http.services.v.loadbalancer.server.port={}",
                self.port
            ),
        ];
        reset(&mut index, VICTIM, "127.0.11.66", &victim);
        index.snapshot(0).expect("the model is plain data")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

fn reset(index: &mut Index, id: u32, address: &str, lines: &[String]) {
    let mut labels: std::collections::BTreeMap<_, _> = lines
        .iter()
        .map(|line| line.split_once('=').expect("a label is key=value"))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    labels.insert("traefik.enable".to_owned(), "true".to_owned());
    labels.insert("rediacc.service_ip".to_owned(), address.to_owned());
    let seen = DaemonContainers {
        network_id: NetworkId::try_from(id).ok(),
        containers: vec![Container {
            id: id.to_string(),
            name: id.to_string(),
            created: 0,
            labels,
            condition: Condition::Ready,
            address: Address::Host,
            exposed_tcp_ports: Vec::new(),
            ..Container::default()
        }],
    };
    index.reset(Path::new(&id.to_string()), seen);
}

async fn serve(address: Ipv4Addr, router: Router) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind((address, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        axum::serve(listener, router)
            .await
            .expect("a server never ends");
    });
    (address, server)
}

/// An address that nobody listens on.
async fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

/// The answer to a request, whatever it is; none if the connection is closed without one.
async fn request(address: SocketAddr, host: &str) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.expect("Traefik listens");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("Traefik reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = tokio::time::timeout(PATIENCE, ask).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer from {host} within {PATIENCE:?}"));
    (!answer.is_empty()).then_some(answer)
}
