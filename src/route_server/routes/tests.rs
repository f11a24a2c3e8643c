//! One case a file, in `testdata`: containers as compose and the engine describe them, the document
//! that is served for them, what was rejected. The file's name is the specification. Run with
//! `UPDATE_CASES=1` to write down what is given now, and read the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use serde::Deserialize;

use super::{RouteSettings, Routes, adopted_routes, named_ports, port_claims};
use crate::network::NetworkId;
use crate::ownership::RepositoryGrants;
use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
use crate::route_server::ports::{PortTable, SavedPorts, Standing};
use crate::traefik::dynamic::to_yaml;
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};
use crate::traefik::resolver::CertResolver;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    machine: Machine,
    containers: Vec<Started>,
}

/// A machine with both address families, mail ports and a resolver, unless it says otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Machine {
    base_domain: Option<String>,
    cert_resolver: Option<String>,
    cert_challenge: String,
    auto_routes: bool,
    allow_internal: bool,
    trusted: Vec<NetworkId>,
    /// `2816=shop.example.com,tcp-25`.
    owners: Vec<String>,
    ipv6: bool,
    /// `10000-10002`: TCP alone has entry points there, and UDP for the first.
    dynamic_ports: Option<String>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            base_domain: Some("example.com".to_owned()),
            cert_resolver: Some("letsencrypt".to_owned()),
            cert_challenge: "dns-01".to_owned(),
            auto_routes: true,
            allow_internal: false,
            trusted: Vec::new(),
            owners: Vec::new(),
            ipv6: true,
            dynamic_ports: None,
        }
    }
}

/// Started by `renet compose`, unless it says otherwise: with the three labels of its own, on the
/// host's network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    name: String,
    #[serde(default)]
    labels: Vec<String>,
    service: Option<String>,
    #[serde(default = "first_address")]
    ip: String,
    #[serde(default = "first_network_id")]
    network_id: u32,
    #[serde(default)]
    exposed: Vec<u16>,
    #[serde(default)]
    created: i64,
    #[serde(default = "ready")]
    condition: Condition,
    #[serde(default)]
    plain_docker: bool,
}

fn first_address() -> String {
    "127.0.11.2".to_owned()
}

fn first_network_id() -> u32 {
    2816
}

fn ready() -> Condition {
    Condition::Ready
}

#[test]
fn each_case_gives_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/route_server/routes/testdata");
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the cases are there") {
        let path = entry.expect("a readable folder").path();
        let text = std::fs::read_to_string(&path).expect("a readable case");
        let given = text.split("---\n").next().unwrap_or_default();
        let said = format!("{given}---\n{}", outcome(given));
        if update {
            std::fs::write(&path, &said).expect("a writable case");
        } else {
            assert_eq!(said, text, "{}", path.display());
        }
        count += 1;
    }
    assert!(count > 0);
}

/// What is served for the containers, after the order of the input was shown not to matter.
fn outcome(given: &str) -> String {
    let given: Given = serde_yaml::from_str(given).expect("a case as described");
    let settings = settings(&given.machine);
    let mut daemons = daemons(&given.containers);
    let range = given.machine.dynamic_ports.as_deref();
    let ports = |daemons: &[DaemonContainers]| {
        let range = range.map(|range| range.parse().expect("a range"));
        let mut ports = PortTable::new(range, &settings.entrypoints, SavedPorts::default());
        let claims = daemons
            .iter()
            .flat_map(|daemon| port_claims(daemon, &settings));
        let claims: Vec<_> = claims.collect();
        let named = daemons.iter().flat_map(named_ports).collect();
        ports.update(&claims, &named, |_| Standing::Known, SystemTime::UNIX_EPOCH);
        ports
    };
    let forward = adopted_routes(&daemons, &ports(&daemons), &settings);
    daemons.reverse();
    for daemon in &mut daemons {
        daemon.containers.reverse();
    }
    assert_eq!(
        adopted_routes(&daemons, &ports(&daemons), &settings),
        forward
    );
    written(&forward)
}

fn written(routes: &Routes) -> String {
    let mut text = to_yaml(&routes.config).expect("the model is plain data");
    for rejection in &routes.rejections {
        let label = rejection.label.as_deref().unwrap_or("-");
        let (container, reason) = (&rejection.container, &rejection.reason);
        write!(text, "---\n{container}: {label}: {reason}\n").expect("text takes text");
        if let Some(hint) = &rejection.hint {
            writeln!(text, "hint: {hint}").expect("text takes text");
        }
    }
    text
}

fn settings(machine: &Machine) -> RouteSettings {
    let dynamic = match machine.dynamic_ports {
        Some(_) => vec![
            Listener::Tcp(10000),
            Listener::Tcp(10001),
            Listener::Tcp(10002),
            Listener::Udp(10000),
        ],
        None => Vec::new(),
    };
    let listeners = [
        Listener::Web,
        Listener::WebSecure,
        Listener::Tcp(25),
        Listener::Tcp(993),
        Listener::Tcp(5432),
        Listener::Udp(53),
    ];
    let families: &[Family] = match machine.ipv6 {
        true => &[Family::V4, Family::V6],
        false => &[Family::V4],
    };
    let entrypoints: BTreeSet<_> = listeners
        .into_iter()
        .chain(dynamic)
        .flat_map(|listener| {
            families
                .iter()
                .map(move |family| Entrypoint::new(listener, *family))
        })
        .collect();
    RouteSettings {
        base_domain: machine.base_domain.clone(),
        entrypoints,
        cert_resolver: machine.cert_resolver.clone().map(|name| CertResolver {
            name,
            challenge: machine.cert_challenge.parse().expect("a challenge"),
        }),
        auto_routes: machine.auto_routes,
        ready_entrypoint: None,
        allow_internal: machine.allow_internal,
        trusted_repositories: machine.trusted.iter().map(|id| (*id).into()).collect(),
        grants: machine
            .owners
            .iter()
            .map(|text| text.parse().expect("a grant"))
            .map(|RepositoryGrants { repository, grants }| (repository, grants))
            .collect(),
        notices: Default::default(),
        quotas: Default::default(),
        operator: Default::default(),
        machine_addresses: Default::default(),
        dynamic_ports: machine
            .dynamic_ports
            .as_deref()
            .map(|range| range.parse().expect("a range")),
    }
}

fn daemons(started: &[Started]) -> Vec<DaemonContainers> {
    let mut daemons: BTreeMap<u32, Vec<Container>> = BTreeMap::new();
    for (index, one) in started.iter().enumerate() {
        let containers = daemons.entry(one.network_id).or_default();
        containers.push(container(one, index));
    }
    daemons
        .into_iter()
        .map(|(network_id, containers)| DaemonContainers {
            // 0 is a daemon outside the socket folder.
            network_id: network_id.try_into().ok(),
            containers,
        })
        .collect()
}

fn container(started: &Started, index: usize) -> Container {
    let mut labels = BTreeMap::new();
    if !started.plain_docker {
        let service = started.service.as_ref().unwrap_or(&started.name);
        labels.insert("rediacc.service_name".to_owned(), service.clone());
        labels.insert("rediacc.service_ip".to_owned(), started.ip.clone());
        labels.insert(
            "rediacc.network_id".to_owned(),
            started.network_id.to_string(),
        );
    }
    for label in &started.labels {
        let (key, value) = label.split_once('=').expect("a label is key=value");
        labels.insert(key.to_owned(), value.to_owned());
    }
    Container {
        id: format!("{index:064}"),
        name: started.name.clone(),
        created: started.created,
        labels,
        condition: started.condition,
        address: match started.plain_docker {
            true => Address::Own(started.ip.parse().expect("an address")),
            false => Address::Host,
        },
        exposed_tcp_ports: started.exposed.clone(),
        ..Container::default()
    }
}
