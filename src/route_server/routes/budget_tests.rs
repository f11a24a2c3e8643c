//! What a repository's entries may cost, and what becomes of a router that refers to what is not
//! there: label sets, and what is served and said of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{RouteSettings, Routes, Severity, adopted_routes};
use crate::network::NetworkId;
use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
use crate::route_server::ports::PortTable;
use crate::traefik::dynamic::{Bound, fields, to_yaml};

/// Labels, one a line.
type Labels<'l> = &'l [&'l str];

/// The routers `good` and `r`; what is added makes `r` what it is.
fn served(containers: &[Labels<'_>]) -> Routes {
    served_by(containers, &settings())
}

fn served_by(containers: &[Labels<'_>], settings: &RouteSettings) -> Routes {
    let containers = containers.iter().enumerate();
    let daemon = DaemonContainers {
        network_id: NetworkId::try_from(2816).ok(),
        containers: containers
            .map(|(index, labels)| container(index, labels))
            .collect(),
    };
    adopted_routes([&daemon], &PortTable::default(), settings)
}

fn container(index: usize, labels: Labels<'_>) -> Container {
    let mut all = BTreeMap::from([
        ("traefik.enable".to_owned(), "true".to_owned()),
        ("rediacc.service_port".to_owned(), "80".to_owned()),
        ("rediacc.service_ip".to_owned(), "127.0.11.2".to_owned()),
    ]);
    for label in labels {
        let (key, value) = label.split_once('=').expect("a label is key=value");
        all.insert(key.to_owned(), value.to_owned());
    }
    Container {
        id: format!("{index:04}"),
        name: format!("c{index}"),
        created: i64::try_from(index).expect("few"),
        labels: all,
        condition: Condition::Ready,
        address: Address::Host,
        exposed_tcp_ports: Vec::new(),
        ..Container::default()
    }
}

fn settings() -> RouteSettings {
    let entrypoints = ["web", "websecure", "tcp-25", "udp-53"];
    RouteSettings {
        entrypoints: entrypoints.map(|name| name.parse().expect("a name")).into(),
        ..RouteSettings::default()
    }
}

/// A container with a router that nothing is wrong with, and one that uses `m`.
const BASE: [&str; 4] = [
    "traefik.http.routers.good.rule=Host(`good.example.com`)",
    "traefik.http.routers.r.rule=Host(`r.example.com`)",
    "traefik.http.routers.r.middlewares=m",
    "traefik.http.services.s.loadbalancer.server.port=80",
];

/// The labels beside the base take `r` out of service, for these reasons, and nothing else.
fn costs_its_router(labels: Labels<'_>, reasons: &[&str]) {
    let all: Vec<_> = BASE.iter().chain(labels).copied().collect();
    let found = served(&[&all]);
    let names: Vec<_> = found.config.http.routers.keys().collect();
    assert_eq!(names, ["good-2816"], "{labels:?}: {:#?}", found.rejections);
    let said: Vec<_> = found.rejections.iter().map(|one| &one.reason).collect();
    for reason in reasons {
        let is_said = said.iter().any(|one| one.contains(reason));
        assert!(is_said, "{labels:?}: {reason}: {said:?}");
    }
    assert_eq!(said.len(), reasons.len(), "{labels:?}: {said:?}");
    assert_eq!(found.origins.http.len(), 1, "{labels:?}");
}

#[test]
fn a_router_is_not_served_without_a_middleware_that_it_names() {
    let gone = "could not be used, and nothing is served without it";
    costs_its_router(
        &["traefik.http.middlewares.m.basicauth.uzers=a:b"],
        &["there is no key `uzers`", gone],
    );
    costs_its_router(
        &[
            "traefik.http.middlewares.m.chain.middlewares=n",
            "traefik.http.middlewares.n.ratelimit.average=x",
        ],
        &[
            "`x` is not a whole number",
            "`m` uses the middleware `n`, which could not be used",
        ],
    );
    costs_its_router(
        &[
            "traefik.http.middlewares.m.errors.service=pages",
            "traefik.http.middlewares.m.errors.status=500",
            "traefik.http.services.pages.loadbalancer.server.port=80",
            "traefik.http.services.pages.middlewares=n",
            "traefik.http.routers.good.service=s",
            "traefik.http.routers.r.service=s",
            "traefik.http.middlewares.n.headers=true",
        ],
        &[
            "takes no value of its own",
            "`m` uses `pages` uses the middleware `n`",
        ],
    );
    costs_its_router(&[], &["`m` is defined nowhere in this repository"]);
    costs_its_router(
        &["traefik.http.middlewares.M.compress=true"],
        &["`m` is defined nowhere in this repository"],
    );
    for list in ["m,", ",m", "m,,m", ",", " "] {
        let list = format!("traefik.http.routers.r.middlewares={list}");
        costs_its_router(
            &["traefik.http.middlewares.m.compress=true", &list],
            &["an element of the list is empty"],
        );
    }
    costs_its_router(
        &["traefik.http.middlewares.m.chain.middlewares=,m"],
        &["an element of the list is empty", gone],
    );
    costs_its_router(
        &["traefik.http.middlewares.m.chain.middlewares=m"],
        &["`m` uses `m`, which uses itself"],
    );
    costs_its_router(
        &[
            "traefik.http.middlewares.m.errors.service=s",
            "traefik.http.middlewares.m.errors.status=500",
            "traefik.http.services.s.middlewares=m",
            "traefik.http.routers.good.service=t",
            "traefik.http.routers.r.service=t",
            "traefik.http.services.t.loadbalancer.server.port=80",
        ],
        &["`m` uses `s` uses `m`, which uses itself"],
    );
}

#[test]
fn a_name_in_another_case_is_the_likeliest() {
    let all = [&BASE[..], &["traefik.http.middlewares.M.compress=true"]].concat();
    let hints: Vec<_> = served(&[&all])
        .rejections
        .into_iter()
        .map(|one| one.hint)
        .collect();
    let hint = "write `M`: names are told apart by their case".to_owned();
    assert_eq!(hints, [Some(hint)]);
}

#[test]
fn an_empty_list_names_no_middleware() {
    let all = [&BASE[..], &["traefik.http.routers.r.middlewares="]].concat();
    let found = served(&[&all]);
    assert_eq!(found.rejections, []);
    assert_eq!(found.config.http.routers.len(), 2);
}

#[test]
fn what_one_container_refers_to_another_defines() {
    let found = served(&[&BASE, &["traefik.http.middlewares.m.compress=true"]]);
    assert_eq!(found.rejections, []);
    assert!(found.config.http.routers.contains_key("r-2816"));
    let broken = served(&[&BASE, &["traefik.http.middlewares.m.comprezz=true"]]);
    assert!(!broken.config.http.routers.contains_key("r-2816"));
    assert!(broken.config.http.routers.contains_key("good-2816"));
}

#[test]
fn a_broken_service_is_not_replaced_by_another() {
    let found = served(&[&[
        "traefik.http.routers.r.rule=Host(`r.example.com`)",
        "traefik.http.services.s.loadbalancer.server.prt=80",
    ]]);
    assert!(found.config.http.routers.is_empty());
    // Nor is a broken router by an automatic one, which would be without its middlewares.
    for label in [
        "traefik.http.routers.r.middelwares=m",
        "traefik.tcp.routers.r.middelwares=m",
        "traefik.udp.routers.r.middelwares=m",
    ] {
        let found = served(&[&[label]]);
        assert!(found.config.http.routers.is_empty(), "{label}");
    }
}

#[test]
fn tcp_and_udp_routers_need_what_they_name_too() {
    for (labels, reason) in [
        (
            &["traefik.tcp.routers.t.middlewares=m"][..],
            "`m` is defined nowhere",
        ),
        (
            &["traefik.tcp.routers.t.service=x"],
            "`x` is defined nowhere",
        ),
        (&["traefik.tcp.routers.t.middlewares=,m"], "list is empty"),
        (
            &[
                "traefik.tcp.routers.t.middlewares=m",
                "traefik.tcp.middlewares.m.ipallowlist.sourcerange=10.0.0.0/33",
            ],
            "`10.0.0.0/33` is not an IP address",
        ),
    ] {
        let base = [
            "traefik.tcp.routers.t.rule=HostSNI(`*`)",
            "traefik.tcp.routers.t.entrypoints=tcp-25",
            "traefik.tcp.services.t.loadbalancer.server.port=25",
        ];
        let all = [&base[..], labels].concat();
        let found = served(&[&all]);
        assert!(found.config.tcp.routers.is_empty(), "{labels:?}");
        let is_said = found
            .rejections
            .iter()
            .any(|one| one.reason.contains(reason));
        assert!(is_said, "{labels:?}: {:?}", found.rejections);
    }
    let found = served(&[&[
        "traefik.udp.routers.u.entrypoints=udp-53",
        "traefik.udp.routers.u.service=x",
        "traefik.udp.services.u.loadbalancer.server.port=53",
    ]]);
    assert!(found.config.udp.routers.is_empty());
}

#[test]
fn what_a_middleware_stands_for_is_counted_however_much_it_is() {
    let chain = |name: usize, of: usize, times: usize| {
        let members = vec![format!("m{of}"); times].join(",");
        format!("traefik.http.middlewares.m{name}.chain.middlewares={members}")
    };
    let leaf = "traefik.http.middlewares.m0.compress=true".to_owned();
    let uses = |name: &str| format!("traefik.http.routers.r.middlewares={name}");
    let is_served = |labels: Vec<String>| {
        let labels: Vec<_> = BASE
            .iter()
            .copied()
            .chain(labels.iter().map(String::as_str))
            .collect();
        let found = served(&[&labels]);
        assert!(found.config.http.routers.contains_key("good-2816"));
        found.config.http.routers.contains_key("r-2816")
    };
    assert!(is_served(vec![leaf.clone(), chain(1, 0, 64), uses("m1")]));
    assert!(!is_served(vec![leaf.clone(), chain(1, 0, 65), uses("m1")]));
    assert!(is_served(vec![
        leaf.clone(),
        uses(&vec!["m0"; 64].join(","))
    ]));
    assert!(!is_served(vec![
        leaf.clone(),
        uses(&vec!["m0"; 65].join(","))
    ]));
    // A chain of chains of chains … stands for 10^100.
    let mut bomb = vec![leaf.clone(), uses("m100")];
    bomb.extend((1..=100).map(|n| chain(n, n - 1, 10)));
    assert!(!is_served(bomb));
    // Each of one member: nothing to pass through, and yet something to build.
    let mut tower = vec![leaf.clone(), uses("m100")];
    tower.extend((1..=100).map(|n| chain(n, n - 1, 1)));
    assert!(!is_served(tower.clone()));
    tower.push(uses("m60"));
    assert!(is_served(tower));
    let regexp = "traefik.http.middlewares.m0.redirectregex.regex=^a".to_owned();
    assert!(is_served(vec![
        regexp.clone(),
        uses(&vec!["m0"; 16].join(","))
    ]));
    assert!(!is_served(vec![regexp, uses(&vec!["m0"; 17].join(","))]));
}

#[test]
fn a_repository_has_so_many_routers_and_the_eldest_containers_keep_theirs() {
    let routers = |container: usize, count: usize| -> Vec<String> {
        let rule =
            |n| format!("traefik.http.routers.r{container}x{n}.rule=Host(`{n}.example.com`)");
        let mut labels: Vec<_> = (0..count).map(rule).collect();
        labels.push(format!(
            "traefik.http.services.s{container}.loadbalancer.server.port=80"
        ));
        labels
    };
    let containers = [routers(0, 600), routers(1, 600), routers(2, 3_000)];
    let containers: Vec<Vec<&str>> = containers
        .iter()
        .map(|labels| labels.iter().map(String::as_str).collect())
        .collect();
    let containers: Vec<Labels<'_>> = containers.iter().map(Vec::as_slice).collect();
    let found = served(&containers);
    assert_eq!(found.config.http.routers.len(), 1_000);
    let first = |name: &&String| name.starts_with("r0x");
    assert_eq!(found.config.http.routers.keys().filter(first).count(), 600);
    assert_eq!(found.origins.http.len(), 1_000);
    let said: Vec<_> = found
        .rejections
        .iter()
        .map(|one| (one.container.as_str(), one.reason.contains("1000 routers")))
        .collect();
    // Of the last one more is left out than others have left it.
    assert_eq!(said, [("c1", true), ("c2", true), ("c2", true)]);
    let mut raised = settings();
    let quota: crate::route_server::quota::RepositoryQuota = "2816=5".parse().expect("a quota");
    raised.quotas.insert(quota.repository, quota.quota);
    let found = served_by(&containers, &raised);
    assert_eq!(found.config.http.routers.len(), 4_200);
    assert_eq!(found.rejections, []);
}

#[test]
fn the_middlewares_of_all_routers_are_counted_together() {
    let mut labels = vec!["traefik.http.middlewares.m.redirectregex.regex=^a".to_owned()];
    for n in 0..200 {
        labels.push(format!(
            "traefik.http.routers.r{n}.rule=Host(`{n}.example.com`)"
        ));
        labels.push(format!("traefik.http.routers.r{n}.middlewares=m"));
    }
    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
    let found = served(&[&labels]);
    assert_eq!(found.config.http.routers.len(), 128);
    // So many are reported by name, and then that there are more.
    assert_eq!(found.rejections.len(), 21);
}

#[test]
fn the_regular_expressions_of_all_rules_are_counted_together_and_cost_nobody_else() {
    let patterns = "PathRegexp(`a`) || PathRegexp(`b`) || PathRegexp(`c`) || PathRegexp(`d`)";
    let mut labels = Vec::new();
    for n in 0..100 {
        let rule = format!("Host(`{n}.example.com`) && ({patterns})");
        labels.push(format!("traefik.http.routers.r{n:03}.rule={rule}"));
    }
    labels.push("traefik.http.routers.z.rule=Host(`plain.example.com`)".to_owned());
    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
    let routers = served(&[&labels]).config.http.routers;
    assert_eq!(routers.len(), 65);
    assert!(routers.contains_key("z-2816"));
}

#[test]
fn every_number_has_a_bound_and_beyond_it_is_refused_with_the_label_and_the_bound() {
    let mut numbers = BTreeSet::new();
    for field in fields() {
        let label = field.label.replace("<name>", "m");
        let (bound, values): (_, Vec<String>) = match field.bound {
            Bound::Number(bound) => {
                let values = [
                    i64::MIN,
                    -2,
                    bound.least.saturating_sub(1),
                    bound.most.saturating_add(1),
                    1 << 40,
                    i64::MAX,
                ];
                let outside = |value: &i64| {
                    let is_default = bound.or_zero && *value == 0;
                    !is_default && !(bound.least..=bound.most).contains(value)
                };
                (
                    bound.most.to_string(),
                    values
                        .iter()
                        .filter(|one| outside(one))
                        .map(i64::to_string)
                        .collect(),
                )
            }
            Bound::Span(bound) => {
                let mut values = vec![
                    "2540400h".to_owned(),
                    "1ns".to_owned(),
                    format!("{}ns", bound.most + 1),
                    "9223372036".to_owned(),
                ];
                if !bound.or_negative {
                    values.push("-1ns".to_owned());
                }
                ("is not from".to_owned(), values)
            }
            Bound::Text(_) | Bound::List(_) => continue,
        };
        numbers.insert(label.clone());
        for value in values {
            let line = format!("{label}={value}");
            // What the entry needs to be one at all.
            let beside: Labels<'_> = match &label {
                label if label.contains("redis") => {
                    &["traefik.http.middlewares.m.ratelimit.redis.endpoints=127.0.11.2:6379"]
                }
                label if label.starts_with("traefik.tcp.routers") => {
                    &["traefik.tcp.routers.m.rule=HostSNI(`*`)"]
                }
                _ => &[],
            };
            let found = served(&[&[&[&*line], beside].concat()]);
            let is_said = found.rejections.iter().any(|one| {
                one.label.as_deref() == Some(&*label)
                    && (one.reason.contains(&bound) || one.reason.contains("Traefik's own"))
            });
            assert!(is_said, "{line}: {:?}", found.rejections);
            let yaml = to_yaml(&found.config).expect("plain data");
            assert!(!yaml.contains(&format!(": {value}\n")), "{yaml}");
        }
    }
    assert!(numbers.len() > 50, "{numbers:?}");
}

#[test]
fn text_that_traefik_would_split_is_refused_wherever_it_stands() {
    for field in fields() {
        let (Bound::Text(_) | Bound::List(_)) = field.bound else {
            continue;
        };
        for label in [
            format!("{}=a║b", field.label.replace("<name>", "m")),
            format!("{}=", field.label.replace("<name>", "m║m")),
        ] {
            let found = served(&[&[&label]]);
            let yaml = to_yaml(&found.config).expect("plain data");
            assert!(!yaml.contains('║'), "{label}: {yaml}");
            let (key, _) = label.split_once('=').expect("a label");
            // Labels give TCP and UDP servers a port only, and reach the default store only.
            let is_read = !key.ends_with("server.address") && !key.starts_with("traefik.tls");
            if !is_read || !label.contains('║') {
                continue;
            }
            assert_ne!(found.rejections, [], "{label}");
        }
    }
}

#[test]
fn lists_names_and_expressions_have_a_length() {
    let many = vec!["x"; 257].join(",");
    let long = "x".repeat(129);
    let regexp = "x".repeat(257);
    for (label, reason) in [
        (
            format!("traefik.http.middlewares.m.stripprefix.prefixes={many}"),
            "257 elements",
        ),
        (
            format!("traefik.http.middlewares.{long}.compress=true"),
            "129 characters",
        ),
        (
            format!("traefik.http.routers.{long}.rule=Host(`a`)"),
            "129 characters",
        ),
        (
            format!("traefik.http.middlewares.m.headers.customrequestheaders.{long}=x"),
            "129 characters",
        ),
        (
            format!("traefik.http.middlewares.m.plugin.{long}.a=x"),
            "129 characters",
        ),
        (
            format!("traefik.http.middlewares.m.redirectregex.regex={regexp}"),
            "257 characters",
        ),
        (
            format!("traefik.http.middlewares.m.stripprefixregex.regex={regexp}"),
            "257 characters",
        ),
    ] {
        let found = served(&[&[&label]]);
        let is_said = found
            .rejections
            .iter()
            .any(|one| one.reason.contains(reason));
        assert!(is_said, "{reason}: {:?}", found.rejections);
    }
    let full = "ä".repeat(128);
    let label = format!("traefik.http.middlewares.{full}.compress=true");
    assert_eq!(served(&[&[&label]]).rejections, []);
}

#[test]
fn what_is_without_a_limit_to_traefik_is_served_with_one() {
    let found = served(&[&[
        "traefik.http.middlewares.m.forwardauth.address=http://127.0.11.2:80",
        "traefik.http.middlewares.m.forwardauth.forwardbody=true",
        "traefik.http.middlewares.n.forwardauth.address=http://127.0.11.2:80",
        "traefik.http.middlewares.n.forwardauth.maxresponsebodysize=5",
    ]]);
    let limits = |name: &str| {
        let auth = found.config.http.middlewares[name].forward_auth.clone();
        let auth = auth.expect("an authentication server");
        (auth.max_body_size, auth.max_response_body_size)
    };
    assert_eq!(limits("m-2816"), (Some(64 << 20), Some(64 << 20)));
    assert_eq!(limits("n-2816"), (None, Some(5)));
}

#[test]
fn a_trusted_repository_has_no_bounds_but_reads_as_everybody_does() {
    let mut trusting = settings();
    trusting
        .trusted_repositories
        .insert("2816".parse().expect("an id"));
    let line = "traefik.http.middlewares.m.buffering.maxrequestbodybytes=1099511627776";
    assert_ne!(served(&[&[line]]).rejections, []);
    assert_eq!(served_by(&[&[line]], &trusting).rejections, []);
    for line in [
        "traefik.http.middlewares.m.headers.customrequestheaders.X=a║b",
        "traefik.http.middlewares.m.ratelimit.redis.poolsize=-1",
    ] {
        assert_ne!(served_by(&[&[line]], &trusting).rejections, [], "{line}");
    }
}

#[test]
fn an_ignored_key_is_a_warning_and_costs_nothing() {
    let found = served(&[&[
        "traefik.http.serverstransports.t.insecureskipverify=true",
        "traefik.http.services.s.loadbalancer.server.port=80",
        "traefik.http.routers.r.rule=Host(`r.example.com`)",
    ]]);
    assert!(found.config.http.routers.contains_key("r-2816"));
    let severities: Vec<_> = found.rejections.iter().map(|one| one.severity).collect();
    assert_eq!(severities, [Severity::Warning]);
}
