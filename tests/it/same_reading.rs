//! What a label says is what Traefik has in the end: its reader of documents, behind the route
//! server's writer, takes every text for what its reader of labels takes it for.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rediacc::network::NetworkId;
use rediacc::route_server::container::{Address, Condition, Container, DaemonContainers};
use rediacc::route_server::ports::PortTable;
use rediacc::route_server::routes::{RouteSettings, adopted_routes};
use rediacc::traefik::dynamic::to_yaml;
use serde_json::Value;

use crate::traefik_accepts::Served;

/// Texts that mean something to some reader of YAML, of labels, or of lists.
const TEXTS: [&str; 56] = [
    "x",
    "~",
    "null",
    "Null",
    "true",
    "FALSE",
    "yes",
    "No",
    "on",
    "off",
    "y",
    "n",
    "0",
    "-0",
    "1",
    "007",
    "0x1f",
    "0o17",
    "0b1",
    "1_000",
    "1e3",
    ".5",
    "1.",
    "+1",
    ".inf",
    "-.INF",
    ".nan",
    "NaN",
    "12:30:45",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "<<",
    "=",
    "!!int 1",
    "!x",
    "&a",
    "*a",
    "- a",
    "? a",
    ": a",
    "a: b",
    "a:",
    "# a",
    "a #b",
    "{a: b}",
    "[a]",
    "{}",
    "[]",
    "|",
    ">",
    "%YAML 1.2",
    "---",
    "...",
    "@a",
    "`a`",
    "\"a\" 'b' \\n \\u0041",
];

/// Characters that some reader leaves out, exchanges, or stops at.
const CHARACTERS: [char; 24] = [
    '\0',
    '\u{1}',
    '\u{7}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{9f}',
    '\u{a0}',
    '\u{ad}',
    '\u{2028}',
    '\u{2029}',
    '\u{200b}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{feff}',
    '\u{fffd}',
    '\u{fffe}',
    '\u{ffff}',
    '\u{1f600}',
    '\u{10ffff}',
];

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = TEXTS.map(str::to_owned).into();
    for character in CHARACTERS {
        texts.push(format!("a{character}b"));
        texts.push(character.to_string());
    }
    texts.push("long ".repeat(1_000));
    texts.push("ä".repeat(5_000));
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        let text = any::<String>()
            .new_tree(&mut runner)
            .expect("a text")
            .current();
        texts.push(text);
    }
    texts.retain(|text| !text.is_empty() && !text.contains('║'));
    texts
}

#[tokio::test]
async fn every_text_arrives_as_its_label_says() {
    let mut labels = BTreeMap::new();
    let texts = texts();
    for (index, text) in texts.iter().enumerate() {
        let middleware = format!("traefik.http.middlewares.m{index}");
        labels.insert(format!("{middleware}.replacepath.path"), text.clone());
        labels.insert(
            format!("traefik.http.middlewares.l{index}.stripprefix.prefixes"),
            format!("a,{text},b"),
        );
        labels.insert(
            format!("traefik.http.middlewares.o{index}.stripprefix.prefixes"),
            text.clone(),
        );
        if is_part(text) {
            labels.insert(
                format!("traefik.http.middlewares.h{index}.headers.customrequestheaders.{text}"),
                text.clone(),
            );
            labels.insert(
                format!("traefik.http.middlewares.{text}.addprefix.prefix"),
                format!("/{index}"),
            );
        }
    }
    let containers: Vec<_> = labels.into_iter().collect();
    // A container has so many labels, and no more.
    let containers: Vec<Container> = containers
        .chunks(200)
        .enumerate()
        .map(|(index, labels)| container(index, labels))
        .collect();
    let daemon = DaemonContainers {
        network_id: NetworkId::try_from(2816).ok(),
        containers,
    };
    let found = adopted_routes([&daemon], &PortTable::default(), &settings());
    let document = to_yaml(&found.config).expect("the model is plain data");
    let served = Served::of([document]).await;
    let traefik = served.traefik();
    traefik.has("http/routers/c0-2816@http").await;
    let raw = traefik.api("rawdata").await;

    let mut faults = Vec::new();
    let mut compared = 0;
    for (name, ours) in &found.config.http.middlewares {
        let ours = serde_json::to_value(ours).expect("plain data");
        let theirs = &raw["middlewares"][format!("{name}@http")];
        for (kind, ours) in ours.as_object().expect("a middleware") {
            compared += 1;
            if !is_same(ours, &theirs[kind]) {
                faults.push(format!("{name:?}: {ours} became {}", theirs[kind]));
            }
        }
    }
    for (index, text) in texts.iter().enumerate() {
        let middleware = &found.config.http.middlewares[&format!("m{index}-2816")];
        let path = middleware
            .replace_path
            .as_ref()
            .and_then(|one| one.path.clone());
        assert_eq!(path.as_ref(), Some(text));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(compared > 2_000, "{compared}");
}

/// Whether a text can stand between two dots of a label.
fn is_part(text: &str) -> bool {
    !text.contains(['.', '[', ']', '@', '=']) && text.chars().count() <= 128
}

fn is_same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => ours
            .iter()
            .all(|(key, value)| theirs.get(key).is_some_and(|other| is_same(value, other))),
        _ => ours == theirs,
    }
}

fn container(index: usize, labels: &[(String, String)]) -> Container {
    let mut labels: BTreeMap<_, _> = labels.iter().cloned().collect();
    for (key, value) in [
        ("traefik.enable", "true".to_owned()),
        ("rediacc.service_ip", "127.0.11.2".to_owned()),
        (
            &*format!("traefik.http.routers.c{index}.rule"),
            format!("Host(`c{index}.example.com`)"),
        ),
        (
            &*format!("traefik.http.services.c{index}.loadbalancer.server.port"),
            "80".to_owned(),
        ),
    ] {
        labels.insert(key.to_owned(), value);
    }
    Container {
        id: format!("{index:04}"),
        name: format!("c{index}"),
        created: 0,
        labels,
        condition: Condition::Ready,
        address: Address::Host,
        exposed_tcp_ports: Vec::new(),
        ..Container::default()
    }
}

fn settings() -> RouteSettings {
    let quota: rediacc::route_server::quota::RepositoryQuota =
        "2816=1000".parse().expect("a quota");
    RouteSettings {
        entrypoints: ["web".parse().expect("a name")].into(),
        quotas: [(quota.repository, quota.quota)].into(),
        ..RouteSettings::default()
    }
}
