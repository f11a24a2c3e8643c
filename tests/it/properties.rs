//! What holds for all labels, and not for chosen ones: nothing panics, what is served can be read,
//! nobody's labels reach another container, and no order matters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select};
use rediacc::route_server::container::{Address, Condition, Container, DaemonContainers};
use rediacc::route_server::index::Index;
use rediacc::route_server::ports::PortTable;
use rediacc::route_server::quota::Quota;
use rediacc::route_server::routes::{
    RouteSettings, Routes, adopted_routes, container_routes, merge,
};
use rediacc::traefik::dynamic::to_yaml;
use rediacc::traefik::rule::Rule;
use serde_json::Value;

/// Enough to find what is wrong, in seconds.
const CASES: u32 = 1000;

/// The router, service and middleware names that containers get into each other's way with.
const NAMES: [&str; 4] = ["web", "Web", "api", "a-1"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_document_reads_back_as_what_it_was(containers in vec(container(), 1..4)) {
        let containers = numbered(containers);
        let routes = all(&containers);
        let model = serde_json::to_value(&routes.config).expect("plain data");
        let yaml = to_yaml(&routes.config).expect("plain data");
        prop_assert_eq!(&read(&yaml), &model, "{}", yaml);
        prop_assert_eq!(empty_map(&model), None, "{}", yaml);
        // The document that is served is put together from texts.
        prop_assert_eq!(&read(&served(&containers)), &model);
    }

    #[test]
    fn no_container_changes_what_its_elders_give(
        elders in vec(container(), 1..4),
        younger in container(),
    ) {
        let mut containers = numbered(elders);
        let before = names(&all(&containers));
        containers.push(Container { created: 100, ..numbered(vec![younger]).remove(0) });
        containers.last_mut().expect("one").id = "f".repeat(64);
        let after = names(&all(&containers));
        for (name, part) in before {
            // Servers may join those of a service that both describe alike.
            prop_assert_eq!(after.get(&name), Some(&part), "{}", name);
        }
    }

    #[test]
    fn the_order_of_the_containers_does_not_matter(
        containers in vec(container(), 1..5),
        picks in vec(any::<Pick>(), 5),
    ) {
        let mut shuffled = numbered(containers);
        let forward = all(&shuffled);
        for (at, pick) in picks.iter().enumerate() {
            let length = shuffled.len();
            shuffled.swap(at % length, pick.index(length));
        }
        prop_assert_eq!(all(&shuffled), forward);
        let parts: Vec<_> = shuffled
            .iter()
            .map(|container| container_routes(container, None, &BTreeSet::new(), &settings()))
            .collect();
        let quota = Quota::default();
        prop_assert_eq!(merge(&parts, quota), merge(parts.iter().rev(), quota));
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form(rule in rule()) {
        if let Ok(read) = Rule::parse(&rule) {
            let normal = read.normal_form();
            let again = Rule::parse(&normal);
            prop_assert_eq!(again.as_ref().map(Rule::normal_form), Ok(normal), "{}", rule);
            prop_assert_eq!(again.as_ref().map(Rule::hosts), Ok(read.hosts()), "{}", rule);
        }
    }

    #[test]
    fn no_text_is_too_strange_for_a_rule(text in any::<String>()) {
        let _ = Rule::parse(&text);
    }
}

/// With an id and an age each, the first the eldest.
fn numbered(containers: Vec<Container>) -> Vec<Container> {
    let numbered = containers.into_iter().enumerate();
    numbered
        .map(|(index, container)| Container {
            id: format!("{index:064}"),
            name: format!("c{index}"),
            created: i64::try_from(index).expect("few"),
            ..container
        })
        .collect()
}

fn settings() -> RouteSettings {
    let entrypoints = ["web", "websecure", "tcp-25", "udp-53"];
    RouteSettings {
        entrypoints: entrypoints
            .map(|name| name.parse().expect("an entry point"))
            .into(),
        ..RouteSettings::default()
    }
}

fn daemon(containers: &[Container]) -> DaemonContainers {
    DaemonContainers {
        network_id: None,
        containers: containers.to_vec(),
    }
}

fn all(containers: &[Container]) -> Routes {
    adopted_routes([&daemon(containers)], &PortTable::default(), &settings())
}

fn served(containers: &[Container]) -> String {
    let mut index = Index::new(settings(), PortTable::default(), None);
    index.reset(Path::new("docker.sock"), daemon(containers));
    index.snapshot(0).expect("plain data").yaml
}

fn read(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"))
}

/// The path of an empty map that Traefik would reject the document for: those of protocols, kinds
/// and names.
fn empty_map(model: &Value) -> Option<String> {
    let protocols = model.as_object()?;
    for (protocol, kinds) in protocols {
        let kinds = kinds.as_object()?;
        if kinds.is_empty() {
            return Some(protocol.clone());
        }
        for (kind, entries) in kinds {
            if entries.as_object()?.is_empty() {
                return Some(format!("{protocol}.{kind}"));
            }
        }
    }
    None
}

/// Everything that has a name, without the servers that replicas share.
fn names(routes: &Routes) -> BTreeMap<String, Value> {
    let model = serde_json::to_value(&routes.config).expect("plain data");
    let mut names = BTreeMap::new();
    for (protocol, kinds) in model.as_object().into_iter().flatten() {
        for (kind, entries) in kinds.as_object().into_iter().flatten() {
            for (name, entry) in entries.as_object().into_iter().flatten() {
                let mut entry = entry.clone();
                if let Some(balancer) = entry.get_mut("loadBalancer") {
                    balancer["servers"] = Value::Null;
                }
                names.insert(format!("{protocol} {kind} {name}"), entry);
            }
        }
    }
    names
}

fn container() -> impl Strategy<Value = Container> {
    let labels = vec(label(), 0..6);
    (labels, 2..9_u8, vec(select(vec![80, 443, 8080]), 0..2)).prop_map(|(labels, octet, ports)| {
        let mut labels: BTreeMap<_, _> = labels.into_iter().collect();
        labels.insert("traefik.enable".to_owned(), "true".to_owned());
        Container {
            id: String::new(),
            name: String::new(),
            created: 0,
            labels,
            condition: Condition::Ready,
            address: Address::Own([172, 17, 0, octet].into()),
            exposed_tcp_ports: ports,
            ..Container::default()
        }
    })
}

/// A label of the decoder's lists, often as it is, and sometimes with a slip.
fn label() -> impl Strategy<Value = (String, String)> {
    let known = (select(known_labels()), select(&NAMES[..]), value(), slip());
    let known = known.prop_map(|((key, sample), name, other, slip)| {
        let mut parts: Vec<_> = key.split('.').map(str::to_owned).collect();
        parts[3] = name.to_owned();
        let key = slip(parts.join("."));
        (key, other.unwrap_or(sample))
    });
    let own =
        (select(&NAMES[..]), select(&NAMES[..]), rule()).prop_flat_map(|(name, other, rule)| {
            select(vec![
                (format!("traefik.http.routers.{name}.rule"), rule),
                (
                    format!("traefik.http.routers.{name}.service"),
                    other.to_owned(),
                ),
                (
                    format!("traefik.http.routers.{name}.middlewares"),
                    other.to_owned(),
                ),
                (
                    format!("traefik.http.routers.{name}.entrypoints"),
                    "web".to_owned(),
                ),
                (
                    format!("traefik.http.services.{name}.loadbalancer.server.port"),
                    "80".to_owned(),
                ),
            ])
        });
    prop_oneof![12 => known, 12 => own, 1 => ("traefik\\.[a-z.\\[\\]0-9]{0,24}", ".*")]
}

/// Most labels keep the value of the list.
fn value() -> impl Strategy<Value = Option<String>> {
    let other = select(vec![
        "",
        "true",
        "FALSE",
        "maybe",
        "5",
        "-1",
        "1.5h",
        "a,b",
        "~",
        "2024-01-01",
        "{}",
        "é\u{85}",
    ]);
    prop_oneof![
        20 => Just(None),
        2 => other.prop_map(|text| Some(text.to_owned())),
        1 => any::<String>().prop_map(Some),
    ]
}

fn slip() -> impl Strategy<Value = fn(String) -> String> {
    let slips: [fn(String) -> String; 8] = [
        |key| key.to_uppercase().replacen("TRAEFIK", "traefik", 1),
        |key| key + "x",
        |key| key + ".more",
        |key| key + "[0]",
        |key| key + "[10].more",
        |key| key + "]",
        |key| key.replacen('.', "..", 1),
        |key| key.to_uppercase(),
    ];
    let none: fn(String) -> String = |key| key;
    prop_oneof![20 => Just(none), 1 => select(slips.to_vec())]
}

fn known_labels() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/traefik/labels/testdata");
    let mut labels = BTreeSet::new();
    for list in ["every_middleware", "every_router_and_service"] {
        let text = std::fs::read_to_string(folder.join(list).with_extension("labels"));
        let text = text.expect("a readable list");
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let lines = lines.filter(|(key, _)| !key.starts_with('#'));
        labels.extend(lines.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    labels.into_iter().collect()
}

/// Rules of a few words, so that some are alike, and some are none.
fn rule() -> impl Strategy<Value = String> {
    let matcher = select(vec![
        "Host(`a.example`)",
        "host(\"A.example\")",
        "Host(`b.example`)",
        "PathPrefix(`/`)",
        "HostSNI(`*`)",
        "Query(\"q\", `\u{60}`)",
        "Header(\"X-A\\x60\\n\", `b`)",
        "Nothing(`x`)",
        "Host(",
    ]);
    let leaf = matcher.prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} && {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}||{b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}
