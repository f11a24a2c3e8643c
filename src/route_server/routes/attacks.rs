//! What a repository could try by its labels, against the machine and against its neighbours. One
//! attack a paragraph of the files beside; whatever is tried, the neighbours' routes stay as they
//! are.

use std::collections::BTreeMap;

use super::{Rejection, RouteSettings, Routes, adopted_routes};
use crate::network::NetworkId;
use crate::ownership::Repository;
use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
use crate::route_server::ports::PortTable;
use crate::traefik::dynamic::Router;

/// In repository 2816, on the machine's network at 127.0.11.2, with a router and a port unless the
/// attack gives its own.
const BY_A_REPOSITORY: &str = include_str!("attacks/by_a_repository.txt");
/// By a repository as above, with a TCP router `t`, which alone it costs.
const BY_AN_ENTRY_POINT: &str = include_str!("attacks/by_an_entry_point.txt");
/// On a daemon outside the socket folder, on its default network.
const BY_PLAIN_DOCKER: &str = include_str!("attacks/by_plain_docker.txt");
/// By a repository as above, and no attack: the names say what for.
const ALLOWED: &str = include_str!("attacks/allowed.txt");

/// One of the files' paragraphs: what is tried, a label a line, and behind an arrow the end of the
/// refused label's name and words of the reason. `⏎` stands for the end of a line.
struct Attempt {
    what: String,
    labels: Vec<String>,
    refusal: Option<(String, String)>,
}

fn attempts(text: &str) -> Vec<Attempt> {
    let paragraphs = text.split("\n\n").filter(|one| !one.starts_with('#'));
    paragraphs
        .map(|paragraph| {
            let mut lines = paragraph.trim_end().lines();
            let what = lines.next().expect("a first line").to_owned();
            let lines = lines.map(|line| line.trim_start().replace('⏎', "\n"));
            let (refusals, labels): (Vec<_>, Vec<_>) =
                lines.partition(|line| line.starts_with('→'));
            let refusal = refusals.first().map(|line| {
                let line = line.trim_start_matches(['→', ' ']);
                let (label, reason) = line.split_once(": ").expect("label: reason");
                (label.to_owned(), reason.to_owned())
            });
            Attempt {
                what,
                labels,
                refusal,
            }
        })
        .collect()
}

#[test]
fn every_attack_of_a_repository_is_rejected_with_its_reason() {
    for attack in attempts(BY_A_REPOSITORY) {
        defeat(&attack, Some(2816), Address::Host);
    }
}

#[test]
fn an_entry_point_that_is_not_to_be_had_costs_its_router() {
    for attack in attempts(BY_AN_ENTRY_POINT) {
        let routes = routes_with(&attack.labels, Some(2816), Address::Host, &settings());
        let [rejection] = &routes.rejections[..] else {
            panic!("{}: {:?}", attack.what, routes.rejections);
        };
        let (label, reason) = attack.refusal.expect("an attack is refused");
        let refused = rejection.label.as_deref().unwrap_or_default();
        assert!(refused.ends_with(&label), "{}: {refused}", attack.what);
        assert!(rejection.reason.contains(&reason), "{}", rejection.reason);
        let peaceful = super::adopted_routes(&neighbours(), &PortTable::default(), &settings());
        let kept = routes.config.tcp.routers.get("t-2816");
        let kept = kept.map(|router| router.entry_points.as_slice());
        assert!(
            matches!(kept, None | Some([_])) && kept != Some(&["websecure".to_owned()]),
            "{}: {kept:?}",
            attack.what
        );
        assert!(routes.config.http.routers.contains_key("a-2816"));
        for (name, router) in &peaceful.config.http.routers {
            assert_eq!(routes.config.http.routers.get(name), Some(router));
        }
    }
}

#[test]
fn every_attack_from_plain_docker_is_rejected_with_its_reason() {
    for attack in attempts(BY_PLAIN_DOCKER) {
        defeat(&attack, None, Address::Own([172, 17, 0, 2].into()));
    }
}

#[test]
fn what_is_no_attack_stays_possible() {
    for Attempt { what, labels, .. } in attempts(ALLOWED) {
        let routes = routes_with(&labels, Some(2816), Address::Host, &settings());
        assert_eq!(routes.rejections, [], "{what}");
        assert!(routes.config.http.routers.contains_key("a-2816"), "{what}");
    }
}

#[test]
fn the_address_of_a_network_is_judged_as_any_other() {
    // Who runs a daemon chooses the subnets of its networks.
    for (own, reason) in [
        ("127.0.0.1", "outside the repository's 127.0.11.0/26"),
        ("127.0.11.66", "outside the repository's 127.0.11.0/26"),
        ("169.254.169.254", "link-local"),
        ("::ffff:127.0.0.1", "wraps an IPv4 address"),
    ] {
        let own = Address::Own(own.parse().expect("an address"));
        let attack = Attempt {
            what: reason.to_owned(),
            labels: vec!["rediacc.service_ip".to_owned()],
            refusal: Some((String::new(), reason.to_owned())),
        };
        defeat(&attack, Some(2816), own);
    }
    let own = Address::Own([172, 18, 0, 2].into());
    for labels in [&["rediacc.service_ip"], &["rediacc.service_ip=172.18.0.2"]] {
        let routes = routes_with(labels, Some(2816), own, &settings());
        assert_eq!(routes.rejections, []);
    }
}

#[test]
fn the_operator_may_trust_a_repository_with_addresses_and_files_but_not_with_names() {
    let mut trusting = settings();
    trusting
        .trusted_repositories
        .extend(id(2816).map(Repository::Id));
    for labels in [
        &["url=http://127.0.0.1:7111"],
        &["url=http://registry.lan:5000"],
        &["rediacc.service_ip=127.0.11.66"],
        &["traefik.http.middlewares.m.basicauth.usersfile=/etc/users"],
        &["traefik.http.middlewares.m.ratelimit.redis.db=1"],
        &["traefik.http.services.s.loadbalancer.server.port=7111"],
    ] {
        let routes = routes_with(labels, Some(2816), Address::Host, &trusting);
        assert_eq!(routes.rejections, [], "{labels:?}");
        let other = routes_with(labels, Some(2944), Address::Host, &trusting);
        assert_ne!(other.rejections, [], "{labels:?}");
    }
    for labels in [
        &["traefik.http.routers.a.service=b-2880@http"],
        &["traefik.http.routers.a.rule=Host(`web-2880.example.com`)"],
    ] {
        let routes = routes_with(labels, Some(2816), Address::Host, &trusting);
        assert_eq!(routes.rejections.len(), 1, "{labels:?}");
    }
}

#[test]
fn other_providers_may_be_allowed_but_not_the_one_behind_which_all_repositories_are() {
    let mut allowing = settings();
    allowing.allow_internal = true;
    for (reference, rejections) in [("b@file", 0), ("api@internal", 0), ("b-2880@http", 1)] {
        let label = format!("traefik.http.routers.a.service={reference}");
        let routes = routes_with(&[&label], Some(2816), Address::Host, &allowing);
        assert_eq!(routes.rejections.len(), rejections, "{reference}");
    }
}

/// Asserts that an attack is explained, costs the entry that it is in, and changes nothing else.
fn defeat(attack: &Attempt, network_id: Option<u32>, own: Address) {
    let Attempt {
        what,
        labels,
        refusal,
    } = attack;
    let (label, reason) = refusal.as_ref().expect("an attack is refused");
    let routes = routes_with(labels, network_id, own, &settings());
    let is_it = |rejection: &&Rejection| {
        let refused = rejection.label.as_deref().unwrap_or_default();
        refused.ends_with(label) && rejection.reason.contains(reason)
    };
    let rejection = routes.rejections.iter().find(is_it);
    let rejection = rejection.unwrap_or_else(|| panic!("{what}: {:?}", routes.rejections));
    assert_eq!(rejection.container, "attacker", "{what}");
    let peaceful = super::adopted_routes(&neighbours(), &PortTable::default(), &settings());
    let (found, theirs) = (&routes.config, &peaceful.config);
    assert_eq!(found.tls, theirs.tls, "{what}");
    // An entry of the attacker's that has nothing to do with the attack may be there.
    let refused = rejection.label.as_deref().unwrap_or_default();
    match refused.strip_prefix("traefik.") {
        Some(entry) if !entry.starts_with("tls") && !entry.contains("entrypoints") => {
            let name = entry.split('.').nth(2).expect("an entry's name");
            let suffix = network_id.map(|id| format!("-{id}")).unwrap_or_default();
            let name = format!("{name}{suffix}");
            let is_new = |one: Option<&Router>, old: Option<&Router>| one.is_some() && one != old;
            let (http, tcp, udp) = (&found.http, &found.tcp, &found.udp);
            let is_there = match entry.split('.').take(2).collect::<Vec<_>>()[..] {
                ["http", "routers"] => {
                    is_new(http.routers.get(&name), theirs.http.routers.get(&name))
                }
                ["http", "services"] => http.services.get(&name) != theirs.http.services.get(&name),
                ["http", "middlewares"] => http.middlewares.contains_key(&name),
                ["tcp", "routers"] => tcp.routers.contains_key(&name),
                ["tcp", "services"] => tcp.services.contains_key(&name),
                ["udp", "services"] => udp.services.contains_key(&name),
                _ => panic!("{what}: {refused}"),
            };
            assert!(!is_there, "{what}: {name}");
            for (name, router) in &theirs.http.routers {
                assert_eq!(http.routers.get(name), Some(router), "{what}");
            }
            for (name, service) in &theirs.http.services {
                assert_eq!(http.services.get(name), Some(service), "{what}");
            }
        }
        _ => assert_eq!(found, theirs, "{what}"),
    }
}

/// The routes of a container with these labels, and of its neighbours. `url=…` is short for a
/// server's; a label without a value is taken away.
fn routes_with(
    labels: &[impl AsRef<str>],
    network_id: Option<u32>,
    address: Address,
    settings: &RouteSettings,
) -> Routes {
    let mut all = BTreeMap::new();
    if let Some(id) = network_id {
        all.insert("rediacc.service_name", "attacker");
        all.insert(
            "rediacc.service_ip",
            if id == 2816 {
                "127.0.11.2"
            } else {
                "127.0.11.130"
            },
        );
    }
    all.insert("traefik.enable", "true");
    all.insert("traefik.http.routers.a.rule", "Host(`a.example.com`)");
    all.insert("traefik.http.routers.a.service", "s");
    let is_served = |label: &&str| {
        label.starts_with("traefik.http.services.s.loadbalancer.server.")
            || label.starts_with("url=")
    };
    let labels = || labels.iter().map(AsRef::as_ref);
    if !labels().any(|label| is_served(&label)) {
        all.insert("traefik.http.services.s.loadbalancer.server.port", "8080");
    }
    for label in labels() {
        match label.split_once('=') {
            Some(("url", url)) => {
                all.insert("traefik.http.services.s.loadbalancer.server.url", url);
            }
            // Nobody said anything of Traefik: an auto route.
            Some(("traefik.enable", "")) => all.retain(|key, _| !key.starts_with("traefik.")),
            Some((key, value)) => {
                all.insert(key, value);
            }
            None => {
                all.remove(label);
            }
        }
    }
    let mut daemons = neighbours().to_vec();
    daemons.push(daemon(network_id, "attacker", &all, address));
    adopted_routes(&daemons, &PortTable::default(), settings)
}

/// One in another repository, one in the same.
fn neighbours() -> [DaemonContainers; 2] {
    [(2816, "127.0.11.3"), (2880, "127.0.11.66")].map(|(id, ip)| {
        let labels = BTreeMap::from([("rediacc.service_name", "web"), ("rediacc.service_ip", ip)]);
        daemon(Some(id), "web", &labels, Address::Host)
    })
}

fn daemon(
    network_id: Option<u32>,
    name: &str,
    labels: &BTreeMap<&str, &str>,
    address: Address,
) -> DaemonContainers {
    let labels = labels.iter();
    DaemonContainers {
        network_id: network_id.and_then(id),
        containers: vec![Container {
            id: format!("{network_id:?}{name}"),
            name: name.to_owned(),
            created: 1,
            labels: labels
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            condition: Condition::Ready,
            address,
            exposed_tcp_ports: Vec::new(),
            ..Container::default()
        }],
    }
}

fn id(id: u32) -> Option<NetworkId> {
    NetworkId::try_from(id).ok()
}

fn settings() -> RouteSettings {
    let entrypoints = ["web", "websecure", "tcp-25", "udp-53"];
    RouteSettings {
        base_domain: Some("example.com".to_owned()),
        entrypoints: entrypoints.map(|name| name.parse().expect("a name")).into(),
        cert_resolver: None,
        auto_routes: true,
        ready_entrypoint: None,
        allow_internal: false,
        trusted_repositories: [].into(),
        grants: Default::default(),
        operator: Default::default(),
        machine_addresses: Default::default(),
        dynamic_ports: None,
        notices: Default::default(),
        quotas: Default::default(),
    }
}
