//! Explanations by what the endpoints say. The routes are made by the same code that serves them.

use serde_json::json;

use super::seen::{Containers, Health, Seen};
use super::*;
use crate::network::NetworkId;
use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
use crate::route_server::disclosure::Disclosure;
use crate::route_server::inventory::inventory;
use crate::route_server::listing::listing;
use crate::route_server::ownership::{Owned, RejectedContainer, Title};
use crate::route_server::ports::{PortTable, SavedPorts, Standing};
use crate::route_server::routes::{RouteSettings, adopted_routes, named_ports, port_claims};
use crate::traefik::resolver::{CertResolver, Challenge};

/// Whatever a label holds: a terminal that shows an explanation does nothing but show it.
#[test]
fn what_labels_hold_does_not_act_on_a_terminal() {
    let nasty = "x\u{1b}[2J\u{9b}31m\u{202e}\r\nfake line";
    let rule = format!("Host(`app.example.test`) && Path(`/{nasty}`)");
    let named = format!("traefik.http.routers.{nasty}.rule");
    for labels in [
        vec![
            ("traefik.enable", "true"),
            ("traefik.http.routers.a.rule", &*rule),
        ],
        vec![("traefik.enable", nasty)],
        vec![
            ("traefik.enable", "true"),
            ("traefik.http.routers.a.entrypoints", nasty),
        ],
        vec![
            ("traefik.enable", "true"),
            (&*named, "Host(`app.example.test`)"),
        ],
        vec![("rediacc.service_name", nasty)],
        vec![("rediacc.service_port", nasty)],
        vec![("rediacc.tcp_ports", nasty)],
    ] {
        let labels = [&APP[..], &labels].concat();
        let machine = Machine::new(&[("app", &labels)]);
        for subject in ["app", "app.example.test"] {
            let seen = machine.seen(subject);
            let Some(explanation) = explanation(subject, &seen) else {
                continue;
            };
            let text = prose::text(&explanation);
            for line in text.lines() {
                assert_eq!(printable(line), line, "{text:?}");
                assert!(!line.starts_with("fake"), "{text:?}");
            }
        }
    }
}

const APP: [(&str, &str); 3] = [
    ("rediacc.service_name", "app"),
    ("rediacc.service_ip", "127.0.11.2"),
    ("rediacc.service_port", "8080"),
];

#[test]
fn an_auto_route_is_told_with_its_address_and_the_labels_behind_it() {
    let machine = Machine::new(&[("app", &APP)]);
    assert_eq!(
        machine.explain("app"),
        "container app, repository 2816, running
  http auto route app-2816: https://app-2816.example.test/
    rule         Host(`app-2816.example.test`)
                   by rediacc.service_name
                   by with the machine's base domain
    entry points websecure
                   by the machine's, for an auto route
    servers      http://127.0.11.2:8080
                   by rediacc.service_ip
                   by rediacc.service_port
    tls          on
                   by as the machine's certificate resolver is set
"
    );
}

#[test]
fn a_labelled_router_is_told_with_the_label_of_each_part() {
    let labels = [
        ("rediacc.service_ip", "127.0.11.2"),
        ("traefik.enable", "true"),
        (
            "traefik.http.routers.web.rule",
            "Host(`a.test`) || Host(`b.test`)",
        ),
        ("traefik.http.routers.web.entryPoints", "web,websecure"),
        ("traefik.http.routers.web.middlewares", "login"),
        (
            "traefik.http.middlewares.login.basicauth.users",
            "me:secret",
        ),
        ("traefik.http.services.web.loadbalancer.server.port", "80"),
    ];
    let machine = Machine::new(&[("app", &labels)]);
    let text = machine.explain("app");
    assert_eq!(
        text,
        "container app, repository 2816, running
  http router web-2816: http://a.test/, https://a.test/, http://b.test/, https://b.test/
    rule         Host(`a.test`) || Host(`b.test`)
                   by traefik.http.routers.web.rule
    entry points web, websecure
                   by traefik.http.routers.web.entryPoints
    service      web-2816
                   by the container's only one
    servers      http://127.0.11.2:80
                   by traefik.http.services.web.loadbalancer.server.port
                   by rediacc.service_ip
    middleware   login-2816
                   by traefik.http.routers.web.middlewares
                   by traefik.http.middlewares.login.basicauth.users
"
    );
}

#[test]
fn an_external_port_is_told_with_the_label_that_asks_for_it() {
    let labels = [&APP[..], &[("rediacc.tcp_ports", "5432")]].concat();
    let text = Machine::new(&[("app", &labels)]).explain("app");
    let expected = "  tcp router app.5432-2816: <the machine's address>:10000
    entry points tcp-10000
                   by rediacc.tcp_ports
                   by the external port that this machine keeps for it, see /ports
    servers      127.0.11.2:5432
                   by rediacc.tcp_ports
                   by rediacc.service_ip
";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_rejection_is_told_with_its_label_and_its_hint() {
    let labels = [
        ("rediacc.service_ip", "127.0.11.2"),
        ("traefik.enable", "true"),
        ("traefik.http.routers.web.rul", "Host(`a.test`)"),
    ];
    let text = Machine::new(&[("app", &labels)]).explain("app");
    assert!(
        text.contains("  rejected: traefik.http.routers.web.rul: "),
        "{text}"
    );
    assert!(text.contains("    hint: "), "{text}");
    assert!(!text.contains("no route:"), "{text}");
}

#[test]
fn a_warning_is_told_beside_what_is_served() {
    let labels = [
        ("rediacc.service_ip", "127.0.11.2"),
        ("traefik.enable", "true"),
        ("traefik.http.routers.web.rule", "Host(`bücher.test`)"),
        ("traefik.http.services.web.loadbalancer.server.port", "80"),
    ];
    let text = Machine::new(&[("app", &labels)]).explain("app");
    assert!(text.contains("https://xn--bcher-kva.test/"), "{text}");
    assert!(
        text.contains("  warning: traefik.http.routers.web.rule: "),
        "{text}"
    );
}

#[test]
fn what_is_missing_is_told_with_its_reason() {
    let check = |change: &dyn Fn(&mut Machine), reason: &str| {
        let mut machine = Machine::new(&[("app", &APP)]);
        change(&mut machine);
        let text = machine.explain("app");
        assert!(text.contains(&format!("  no route: {reason}")), "{text}");
        assert!(text.contains("    hint: "), "{text}");
    };
    let label = |machine: &mut Machine, label: &str, value: &str| {
        let labels = &mut machine.daemon.containers[0].labels;
        labels.insert(label.to_owned(), value.to_owned());
    };
    check(
        &|machine| machine.daemon.containers[0].condition = Condition::NotRunning,
        "it is not running",
    );
    check(
        &|machine| machine.daemon.containers[0].condition = Condition::Unhealthy,
        "its health check has not passed",
    );
    check(
        &|machine| label(machine, "traefik.enable", "false"),
        "the label traefik.enable says",
    );
    check(
        &|machine| label(machine, "com.docker.compose.oneoff", "True"),
        "it is a task of `docker compose run`",
    );
    check(
        &|machine| machine.settings.auto_routes = false,
        "auto routes are off",
    );
    check(
        &|machine| machine.settings.base_domain = None,
        "this machine has no base domain",
    );
    check(
        &|machine| label(machine, "rediacc.service_port", "6379"),
        "the only port that is known",
    );
    check(
        &|machine| {
            machine.daemon.containers[0]
                .labels
                .remove("rediacc.service_name");
        },
        "it has no label rediacc.service_name",
    );
}

#[test]
fn a_daemon_that_does_not_answer_is_named() {
    let mut machine = Machine::new(&[("app", &APP)]);
    machine.state = "unreachable";
    let text = machine.explain("app");
    assert!(
        text.contains(
            "  note: the daemon at /run/docker-2816.sock is unreachable since then (no answer)"
        ),
        "{text}"
    );
    assert!(
        machine
            .unknown("db")
            .contains("no daemon has a container or service `db`; the daemon at /run"),
        "{}",
        machine.unknown("db")
    );
}

#[test]
fn a_host_is_answered_by_the_router_that_traefik_asks_first() {
    let rule = |rule: &'static str| {
        [
            ("rediacc.service_ip", "127.0.11.2"),
            ("traefik.enable", "true"),
            ("traefik.http.routers.NAME.rule", rule),
            ("traefik.http.services.NAME.loadbalancer.server.port", "80"),
        ]
    };
    let short = rule("Host(`A.test`)").map(|(key, value)| (key.replace("NAME", "short"), value));
    let long = rule("Host(`a.test`) && PathPrefix(`/api`)")
        .map(|(key, value)| (key.replace("NAME", "long"), value));
    let short: Vec<_> = short
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect();
    let long: Vec<_> = long
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect();
    let machine = Machine::new(&[("one", &short), ("other", &long)]);

    for host in ["a.test", "https://A.test:443/api?x", "a.test."] {
        let text = machine.explain(host);
        let routers: Vec<_> = text
            .lines()
            .filter(|line| line.contains(" router "))
            .collect();
        assert_eq!(
            routers,
            [
                "  answered by the http router long-2816",
                "  else by the http router short-2816"
            ],
            "{text}"
        );
    }
    let unknown = machine.unknown("b.test");
    assert!(unknown.contains("no router answers `b.test`"), "{unknown}");
    assert!(
        unknown.contains("hint: did you mean `a.test`?"),
        "{unknown}"
    );
}

#[test]
fn whose_a_name_is_is_told_also_where_nobody_answers() {
    let labels = [
        ("rediacc.service_ip", "127.0.11.2"),
        ("traefik.enable", "true"),
        ("traefik.http.routers.a.rule", "Host(`a.test`)"),
        ("traefik.http.services.a.loadbalancer.server.port", "80"),
    ];
    let machine = Machine::new(&[("app", &labels)]);
    let owned = |resource: &str, by| Owned {
        resource: resource.to_owned(),
        owner: "2816".to_owned(),
        by,
        since: Some("2026-01-02T03:04:05Z".to_owned()),
        last_seen: None,
        rejected: vec![RejectedContainer {
            repository: "2880".to_owned(),
            container: "thief".to_owned(),
        }],
    };
    let mut seen = machine.seen("a.test");
    seen.routes.owners = vec![
        owned("a.test", Title::Taken),
        owned("*.b.test", Title::Granted),
    ];
    let told = |host: &str| {
        let explanation = explanation(host, &seen).expect("an explanation");
        prose::text(&explanation)
    };
    let text = told("https://A.test:443/x");
    let owner = "host a.test
  a.test belongs to repository 2816: taken, since 2026-01-02T03:04:05Z
    rejected: container thief, repository 2880
  answered by the http router a-2816
";
    assert!(text.starts_with(owner), "{text}");
    let text = told("x.b.test");
    assert!(
        text.contains("  *.b.test belongs to repository 2816: granted"),
        "{text}"
    );
    assert!(text.ends_with("  answered by nobody now\n"), "{text}");
}

#[test]
fn the_host_of_a_service_without_a_route_explains_the_service() {
    let mut machine = Machine::new(&[("app", &APP)]);
    machine.daemon.containers[0].condition = Condition::NotRunning;
    let health = machine.health();
    let service = host::service_of("app-2816.example.test", &health);
    let (service, id) = service.expect("a service");
    assert_eq!((service.as_str(), u32::from(id)), ("app", 2816));
    for host in [
        "example.test",
        "app.example.test",
        "app-2816.other.test",
        "app-1.example.test",
    ] {
        assert_eq!(host::service_of(host, &health), None, "{host}");
    }
}

struct Machine {
    settings: RouteSettings,
    daemon: DaemonContainers,
    state: &'static str,
}

impl Machine {
    fn new(containers: &[(&str, &[(&str, &str)])]) -> Self {
        let container = |(name, labels): &(&str, &[(&str, &str)])| Container {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            created: 1,
            labels: labels
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
            condition: Condition::Ready,
            address: Address::Host,
            exposed_tcp_ports: Vec::new(),
            ..Container::default()
        };
        Self {
            settings: RouteSettings {
                base_domain: Some("example.test".to_owned()),
                entrypoints: ["web", "websecure", "tcp-10000"]
                    .map(|name| name.parse().expect("a name"))
                    .into(),
                cert_resolver: Some(CertResolver {
                    name: "letsencrypt".to_owned(),
                    challenge: Challenge::Dns01,
                }),
                auto_routes: true,
                ..RouteSettings::default()
            },
            daemon: DaemonContainers {
                network_id: NetworkId::try_from(2816).ok(),
                containers: containers.iter().map(container).collect(),
            },
            state: "live",
        }
    }

    fn explain(&self, subject: &str) -> String {
        let explanation = explanation(subject, &self.seen(subject));
        prose::text(&explanation.unwrap_or_else(|| panic!("{}", self.unknown(subject))))
    }

    fn unknown(&self, subject: &str) -> String {
        unknown(subject, &self.seen(subject))
    }

    fn seen(&self, subject: &str) -> Seen {
        let routes = adopted_routes([&self.daemon], &self.ports(), &self.settings);
        let routes = text_of(&listing(&routes, &Disclosure::of([&self.daemon]), &[]));
        let called = inventory([&self.daemon], Some(subject));
        let Containers { containers } = ask::read(&text_of(&called)).expect("containers");
        Seen {
            url: "http://127.0.0.1:7111".to_owned(),
            routes: ask::read(&routes).expect("routes"),
            containers,
            health: self.health(),
        }
    }

    /// With an external port for each that is asked for.
    fn ports(&self) -> PortTable {
        let range = "10000-10010".parse().ok();
        let mut ports = PortTable::new(range, &self.settings.entrypoints, SavedPorts::default());
        let claims = port_claims(&self.daemon, &self.settings);
        let named = named_ports(&self.daemon).into_iter().collect();
        let now = std::time::SystemTime::UNIX_EPOCH;
        ports.update(claims.iter(), &named, |_| Standing::Known, now);
        ports
    }

    fn health(&self) -> Health {
        serde_json::from_value(json!({
            "base_domain": self.settings.base_domain,
            "auto_routes": self.settings.auto_routes,
            "daemons": [{
                "socket": "/run/docker-2816.sock",
                "network_id": 2816,
                "state": self.state,
                "since": "then",
                "error": (self.state != "live").then_some("no answer"),
            }],
        }))
        .expect("health")
    }
}

fn text_of(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("JSON")
}
