//! Repositories that want the same, as the whole core sees them: labels in, routers out.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Resource, SavedOwners};
use crate::network::NetworkId;
use crate::ownership::{Grant, RepositoryGrants};
use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
use crate::route_server::index::Index;
use crate::route_server::ownership::OperatorNames;
use crate::route_server::ownership::operator::Format;
use crate::route_server::ports::PortTable;
use crate::route_server::routes::RouteSettings;
use crate::traefik::resolver::{CertResolver, Challenge};

const DAY: u64 = 24 * 3600;

/// A machine, its repositories, and a clock.
struct Machine {
    index: Index,
    now: u64,
}

/// The routers of a repository that are served, by name, with their rules.
type Served = BTreeMap<String, String>;

impl Machine {
    fn new(owners: &[&str]) -> Self {
        Self::with(owners, None, |_| {})
    }

    fn with(
        owners: &[&str],
        saved: Option<SavedOwners>,
        adjust: impl FnOnce(&mut RouteSettings),
    ) -> Self {
        let entrypoints = ["web", "websecure", "tcp-25", "tcp-465", "udp-53"];
        let grants = owners.iter().map(|text| {
            let RepositoryGrants { repository, grants } = text.parse().expect("a grant");
            (repository, grants)
        });
        let mut settings = RouteSettings {
            base_domain: Some("example.com".to_owned()),
            entrypoints: entrypoints.map(|name| name.parse().expect("a name")).into(),
            auto_routes: true,
            grants: grants.collect(),
            ..RouteSettings::default()
        };
        adjust(&mut settings);
        Self {
            index: Index::new(settings, PortTable::default(), saved),
            now: 1_700_000_000,
        }
    }

    /// The same machine after a restart, with the record that was kept on disk.
    fn restarted(mut self, owners: &[&str]) -> Self {
        let saved = self.index.owners_to_save().expect("owners to save");
        let text = serde_json::to_string(&saved).expect("JSON");
        let saved = serde_json::from_str(&text).expect("the same record");
        Self {
            now: self.now,
            ..Self::with(owners, Some(saved), |_| {})
        }
    }

    /// Has a repository run one container, or none, with labels as `http.routers.a.rule=…`.
    fn run(&mut self, id: u32, created: i64, labels: &[&str]) -> &mut Self {
        self.run_in(id, created, Condition::Ready, labels)
    }

    fn run_in(
        &mut self,
        id: u32,
        created: i64,
        condition: Condition,
        labels: &[&str],
    ) -> &mut Self {
        let [_, a, b, c] = id.to_be_bytes();
        let own = [
            ("rediacc.service_ip", format!("127.{a}.{b}.{}", c + 2)),
            ("traefik.enable", "true".to_owned()),
            (
                "traefik.http.services.s.loadbalancer.server.port",
                "80".to_owned(),
            ),
        ];
        let own = own.map(|(key, value)| (key.to_owned(), value));
        let given = labels.iter().map(|label| {
            let (key, value) = label.split_once('=').expect("key=value");
            (format!("traefik.{key}"), value.to_owned())
        });
        let container = Container {
            id: format!("{id}-{created}"),
            name: format!("c{id}"),
            created,
            labels: own.into_iter().chain(given).collect(),
            condition,
            address: Address::Host,
            ..Container::default()
        };
        let containers = if labels.is_empty() {
            Vec::new()
        } else {
            vec![container]
        };
        let seen = DaemonContainers {
            network_id: NetworkId::try_from(id).ok(),
            containers,
        };
        self.index.reset(Path::new(&id.to_string()), seen);
        self
    }

    fn served(&mut self) -> Served {
        let known = self.index.snapshot(self.now).expect("plain data").known;
        let config = known.routes().config;
        let http = config.http.routers.into_iter();
        let tcp = config.tcp.routers.into_iter();
        let udp = config.udp.routers.into_keys();
        http.map(|(name, router)| (name, router.rule.unwrap_or_default()))
            .chain(tcp.map(|(name, router)| (name, router.rule.unwrap_or_default())))
            .chain(udp.map(|name| (name, String::new())))
            .filter(|(name, _)| !name.starts_with("c28"))
            .collect()
    }

    fn routers(&mut self) -> Vec<String> {
        self.served().into_keys().collect()
    }

    fn reasons(&mut self) -> Vec<String> {
        let summary = self.index.snapshot(self.now).expect("plain data").summary;
        summary
            .rejections
            .into_iter()
            .map(|one| one.reason)
            .collect()
    }
}

fn labels(labels: &[String]) -> Vec<&str> {
    labels.iter().map(String::as_str).collect()
}

const SHOP: &[&str] = &["http.routers.a.rule=Host(`shop.example.org`)"];

#[test]
fn a_name_outlives_every_gap_of_its_service() {
    let mut machine = Machine::new(&[]);
    machine.run(2816, 50, SHOP);
    assert_eq!(machine.routers(), ["a-2816"]);
    // An elder container of a stranger does not help it, whatever happens here.
    machine.run(2880, 1, SHOP);
    assert_eq!(machine.routers(), ["a-2816"]);
    machine.run_in(2816, 60, Condition::Unhealthy, SHOP);
    assert_eq!(machine.routers(), [""; 0]);
    machine.run(2816, 70, &[]);
    assert_eq!(machine.routers(), [""; 0]);
    machine.now += 29 * DAY;
    let mut machine = machine.restarted(&[]);
    machine.run(2880, 1, SHOP);
    assert_eq!(machine.routers(), [""; 0]);
    assert!(machine.reasons()[0].contains("belongs to the repository 2816"));
    machine.run(2816, 80, SHOP);
    assert_eq!(machine.routers(), ["a-2816"]);
}

#[test]
fn a_name_that_nobody_served_for_thirty_days_is_free() {
    let mut machine = Machine::new(&[]);
    machine.run(2816, 1, SHOP).served();
    machine.run(2816, 1, &[]).run(2880, 2, SHOP);
    assert_eq!(machine.routers(), [""; 0]);
    machine.now += 31 * DAY;
    machine.index.refresh(machine.now);
    assert_eq!(machine.routers(), ["a-2880"]);
    // And what is served is never free, however long nothing changes.
    for _ in 0..40 {
        machine.now += DAY;
        machine.index.refresh(machine.now);
    }
    machine.run(2816, 1, SHOP);
    assert_eq!(machine.routers(), ["a-2880"]);
}

#[test]
fn what_is_served_is_never_free_whatever_the_clock_does() {
    let mut machine = Machine::new(&[]);
    machine.run(2816, 5, SHOP).served();
    // The clock is set forward while both are there, …
    machine.now += 90 * DAY;
    machine.run(2880, 1, SHOP);
    assert_eq!(machine.routers(), ["a-2816"]);
    // … and the machine was off for long, and both come up together.
    let mut machine = machine.restarted(&[]);
    machine.now += 90 * DAY;
    machine.run(2880, 1, SHOP).run(2816, 6, SHOP);
    assert_eq!(machine.routers(), ["a-2816"]);
}

#[test]
fn who_takes_ever_new_names_keeps_the_last_ones() {
    let mut machine = Machine::new(&[]);
    machine.run(2880, 1, SHOP).served();
    let mut names = 0;
    let mut take = |machine: &mut Machine| {
        let labels =
            (0..900).map(|n| format!("http.routers.r{n}.rule=Host(`n{}.example.net`)", names + n));
        let labels: Vec<_> = labels.collect();
        names += 900;
        machine.run(2816, 1, &self::labels(&labels)).served();
    };
    for _ in 0..4 {
        take(&mut machine);
        machine.now += 1;
    }
    let listed = |machine: &mut Machine, name: &str| {
        let known = machine
            .index
            .snapshot(machine.now)
            .expect("plain data")
            .known;
        known.owners().owners.iter().any(|one| one.resource == name)
    };
    assert!(!listed(&mut machine, "n0.example.net"));
    assert!(listed(&mut machine, "n1800.example.net"));
    assert!(listed(&mut machine, "n3599.example.net"));
    assert!(listed(&mut machine, "shop.example.org"));
}

#[test]
fn what_runs_is_adopted_the_eldest_first() {
    let mut machine = Machine::new(&[]);
    machine
        .run(2816, 9, SHOP)
        .run(2880, 3, SHOP)
        .run(2944, 5, SHOP);
    assert_eq!(machine.routers(), ["a-2880"]);
}

#[test]
fn a_router_that_lacks_one_name_takes_no_other() {
    let mut machine = Machine::new(&[]);
    machine.run(2816, 1, SHOP).served();
    let both = &["http.routers.b.rule=Host(`free.example.org`) || Host(`shop.example.org`)"];
    machine.run(2880, 2, both).served();
    machine.run(2944, 3, &["http.routers.c.rule=Host(`free.example.org`)"]);
    assert_eq!(machine.routers(), ["a-2816", "c-2944"]);
}

#[test]
fn one_name_is_one_thing_in_every_protocol_and_spelling() {
    for other in [
        &["http.routers.b.rule=Host(`SHOP.Example.org.`) && PathPrefix(`/x`)"][..],
        &["http.routers.b.rule=PathPrefix(`/x`) && Host(`shop.example.org`)"],
        &[
            "http.routers.b.rule=Host(`shop.example.org`)",
            "http.routers.b.entrypoints=websecure",
        ],
        &[
            "http.routers.b.rule=Host(`shop.example.org`)",
            "http.routers.b.tls=true",
        ],
        &[
            "tcp.routers.b.rule=HostSNI(`shop.example.org`)",
            "tcp.routers.b.entrypoints=websecure",
            "tcp.routers.b.tls.passthrough=true",
            "tcp.services.s.loadbalancer.server.port=443",
        ],
        &[
            "tcp.routers.b.rule=HostSNI(`shop.example.org`)",
            "tcp.routers.b.entrypoints=tcp-465",
            "tcp.routers.b.tls=true",
            "tcp.services.s.loadbalancer.server.port=465",
        ],
    ] {
        let mut machine = Machine::new(&[]);
        machine.run(2816, 1, SHOP).served();
        machine.run(2880, 2, other);
        assert_eq!(machine.routers(), ["a-2816"], "{other:?}");
    }
}

#[test]
fn a_port_belongs_to_one_repository_unless_all_routers_on_it_name_hosts_by_tls() {
    let tcp = |rule: &str, port: &str, tls: bool| {
        vec![
            format!("tcp.routers.b.rule={rule}"),
            format!("tcp.routers.b.entrypoints=tcp-{port}"),
            format!("tcp.routers.b.tls={tls}"),
            "tcp.services.s.loadbalancer.server.port=25".to_owned(),
        ]
    };
    let http = vec![
        "http.routers.b.rule=PathPrefix(`/`)".to_owned(),
        "http.routers.b.entrypoints=tcp-25".to_owned(),
    ];
    let udp = vec![
        "udp.routers.b.entrypoints=udp-53".to_owned(),
        "udp.services.s.loadbalancer.server.port=53".to_owned(),
    ];
    let any = "HostSNI(`*`)";
    for (first, second, is_shared) in [
        (tcp(any, "25", false), tcp(any, "25", false), false),
        (
            tcp(any, "25", false),
            tcp("ClientIP(`0.0.0.0/0`)", "25", false),
            false,
        ),
        (tcp(any, "25", false), tcp(any, "25", true), false),
        (
            tcp(any, "25", false),
            tcp("HostSNI(`b.example.org`)", "25", true),
            false,
        ),
        (
            tcp("HostSNI(`a.example.org`)", "25", true),
            tcp(any, "25", false),
            false,
        ),
        (
            tcp("HostSNI(`a.example.org`)", "25", true),
            tcp(any, "25", true),
            false,
        ),
        (
            tcp("HostSNI(`a.example.org`)", "25", true),
            tcp("HostSNI(`b.example.org`)", "25", true),
            true,
        ),
        (tcp(any, "25", false), http.clone(), false),
        (http, tcp(any, "25", false), false),
        (udp.clone(), udp.clone(), false),
        (tcp(any, "25", false), tcp(any, "465", false), true),
    ] {
        let mut machine = Machine::new(&[]);
        machine.run(2816, 5, &labels(&first)).served();
        machine.run(2880, 1, &labels(&second));
        let expected: &[&str] = match is_shared {
            true => &["b-2816", "b-2880"],
            false => &["b-2816"],
        };
        assert_eq!(machine.routers(), expected, "{first:?} {second:?}");
        // Nor may the first one widen what is shared.
        if is_shared {
            let whole = tcp(any, "25", false);
            machine.run(2816, 5, &labels(&whole));
            let widened = machine.routers();
            assert_eq!(
                widened.contains(&"b-2816".to_owned()),
                second[1].ends_with("465")
            );
        }
    }
}

#[test]
fn a_grant_beats_what_was_taken() {
    let mut machine = Machine::new(&[]);
    machine.run(2816, 1, SHOP).run(2880, 2, SHOP).served();
    for grant in ["2880=shop.example.org", "2880=*.example.org"] {
        let mut granted = Machine {
            now: machine.now,
            ..Machine::with(&[grant], Some(machine.index.ownership_record()), |_| {})
        };
        granted.run(2816, 1, SHOP).run(2880, 2, SHOP);
        assert_eq!(granted.routers(), ["a-2880"], "{grant}");
        assert!(granted.reasons()[0].contains("by a grant"));
    }
    // Both, by path.
    let mut shared = Machine::new(&["2816=shop.example.org", "2880=shop.example.org"]);
    let path = &["http.routers.b.rule=Host(`shop.example.org`) && PathPrefix(`/blog`)"];
    shared.run(2816, 1, SHOP).run(2880, 2, path);
    assert_eq!(shared.routers(), ["a-2816", "b-2880"]);
}

#[test]
fn an_open_rule_is_confined_to_what_was_granted() {
    let open = &["http.routers.o.rule=PathPrefix(`/`) || Host(`own.example.org`)"];
    let rule = |owners: &[&str]| {
        let mut machine = Machine::new(owners);
        machine.run(2880, 1, &["http.routers.x.rule=Host(`x.example.net`)"]);
        machine.run(2816, 2, open);
        machine.served().remove("o-2816")
    };
    let text = "(PathPrefix(`/`) || Host(`own.example.org`))".to_owned();
    let text = &text[1..text.len() - 1];
    for (owners, confined) in [
        (&[][..], None),
        (&["2816=tcp-25,10.0.0.0/8"], None),
        (&["2880=*.example.org"], None),
        (
            &["2816=*.example.net"],
            Some("Host(`own.example.org`) || Host(`*.example.net`)"),
        ),
        (
            &["2816=*.example.net", "2880=x.example.net"],
            Some("Host(`own.example.org`) || (Host(`*.example.net`) && !Host(`x.example.net`))"),
        ),
        (
            &["2816=a.example.net"],
            Some("Host(`a.example.net`) || Host(`own.example.org`)"),
        ),
        (
            &["2816=*"],
            Some(
                "Host(`own.example.org`) || (!Host(`x.example.net`) && \
                 !HostRegexp(`^[^.]+-[0-9]+\\.example\\.com\\.?$`))",
            ),
        ),
    ] {
        let expected = confined.map(|guard| format!("({guard}) && ({text})"));
        assert_eq!(rule(owners), expected, "{owners:?}");
    }
}

#[test]
fn what_answers_for_everybody_comes_last() {
    let mut machine = Machine::new(&["2816=*"]);
    let labels = &[
        "http.routers.o.rule=PathPrefix(`/`)",
        "http.routers.o.priority=9000",
    ];
    machine.run(2816, 1, labels).served();
    let known = machine
        .index
        .snapshot(machine.now)
        .expect("plain data")
        .known;
    let router = &known.routes().config.http.routers["o-2816"];
    assert_eq!(router.priority, Some(1));
    // A name that somebody takes later is excepted from then on.
    machine.run(2880, 2, SHOP);
    let rule = machine.served().remove("o-2816").expect("the router");
    assert!(rule.contains("!Host(`shop.example.org`)"), "{rule}");
}

#[test]
fn a_host_is_asked_for_before_anything_that_costs_more() {
    let mut machine = Machine::new(&[]);
    let labels = &["http.routers.a.rule=HeaderRegexp(`X`, `(a|b)+`) && Host(`a.example.org`)"];
    machine.run(2816, 1, labels).served();
    let known = machine
        .index
        .snapshot(machine.now)
        .expect("plain data")
        .known;
    let router = &known.routes().config.http.routers["a-2816"];
    let text = "HeaderRegexp(`X`, `(a|b)+`) && Host(`a.example.org`)";
    let rule = format!("(Host(`a.example.org`)) && ({text})");
    assert_eq!(router.rule.as_deref(), Some(&*rule));
    // Its priority is still that of what was written.
    assert_eq!(router.priority, i64::try_from(text.len()).ok());
}

#[test]
fn automatic_names_are_their_repositorys_before_anybody_has_one() {
    let auto = &["http.routers.a.rule=Host(`db-2816.example.com`)"];
    for owners in [
        &[][..],
        &["2880=db-2816.example.com"],
        &["2880=*.example.com"],
    ] {
        let mut machine = Machine::new(owners);
        machine.run(2880, 1, auto);
        assert_eq!(machine.routers(), [""; 0], "{owners:?}");
        machine.run(2816, 2, auto);
        assert_eq!(machine.routers(), ["a-2816"], "{owners:?}");
    }
    // Nor does a pattern match one.
    let mut machine = Machine::new(&["2880=*.example.com"]);
    machine.run(2880, 1, &["http.routers.a.rule=Host(`*.example.com`)"]);
    let rule = machine.served().remove("a-2880").expect("the router");
    assert!(
        rule.contains("!HostRegexp(`^[^.]+-[0-9]+\\.example\\.com\\.?$`)"),
        "{rule}"
    );
}

#[test]
fn what_the_operators_files_use_is_nobody_elses() {
    let file = "http: {routers: {r: {rule: 'Host(`shop.example.org`)', entryPoints: [tcp-25]}}}";
    let operator = OperatorNames::read("x.yml", file, Format::Yaml).expect("YAML");
    let mut machine = Machine::new(&[]);
    machine.run(2816, 1, SHOP);
    assert_eq!(machine.routers(), ["a-2816"]);
    assert!(
        machine
            .index
            .set_surroundings(operator.clone(), Default::default())
    );
    assert_eq!(machine.routers(), [""; 0]);
    assert!(machine.reasons()[0].contains("whose x.yml uses it"));
    let port = &[
        "http.routers.p.rule=PathPrefix(`/`)",
        "http.routers.p.entrypoints=tcp-25",
    ];
    machine.run(2816, 1, port);
    assert_eq!(machine.routers(), [""; 0]);
    assert!(
        machine
            .index
            .set_surroundings(OperatorNames::default(), Default::default())
    );
    assert_eq!(machine.routers(), ["p-2816"]);
}

#[test]
fn a_repository_gets_so_many_new_certificates_a_day() {
    let resolver = |settings: &mut RouteSettings| {
        settings.cert_resolver = Some(CertResolver {
            name: "le".to_owned(),
            challenge: Challenge::Dns01,
        });
    };
    let labels = |count: usize| {
        let labels = (0..count).flat_map(|n| {
            [
                format!("http.routers.r{n:02}.rule=Host(`n{n}.example.org`)"),
                format!("http.routers.r{n:02}.tls.certresolver=le"),
            ]
        });
        labels.collect::<Vec<_>>()
    };
    let ordered = |machine: &mut Machine| {
        let known = machine
            .index
            .snapshot(machine.now)
            .expect("plain data")
            .known;
        let routers = known.routes().config.http.routers;
        let with = routers
            .values()
            .filter_map(|router| router.tls.on()?.cert_resolver.as_ref());
        with.count()
    };
    let run = |machine: &mut Machine, count: usize| {
        let labels = labels(count);
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        machine.run(2816, 1, &labels);
        ordered(machine)
    };
    // What runs when nobody has counted yet has its certificates.
    let mut adopting = Machine::with(&[], None, resolver);
    assert_eq!(run(&mut adopting, 25), 25);

    let mut machine = Machine::with(&[], Some(SavedOwners::default()), resolver);
    assert_eq!(run(&mut machine, 15), 15);
    assert_eq!(run(&mut machine, 25), 20);
    assert!(machine.reasons()[0].contains("no certificate is ordered for `n20.example.org` yet"));
    // All are served; and a redeploy counts nothing twice.
    assert_eq!(machine.served().len(), 25);
    machine.run(2816, 1, &[]).served();
    assert_eq!(run(&mut machine, 25), 20);
    machine.now += DAY + 1;
    machine.index.refresh(machine.now);
    assert_eq!(ordered(&mut machine), 25);
}

#[test]
fn a_certificate_is_ordered_for_owned_names_alone() {
    let mut machine = Machine::with(&[], None, |settings| {
        settings.cert_resolver = Some(CertResolver {
            name: "le".to_owned(),
            challenge: Challenge::Dns01,
        });
    });
    machine.run(2816, 1, SHOP).served();
    machine.run(
        2880,
        2,
        &[
            // Traefik would order one for the excluded host as well.
            "http.routers.x.rule=Host(`x.example.org`) && !Host(`shop.example.org`)",
            "http.routers.x.tls.certresolver=le",
            "http.routers.y.rule=Host(`y.example.org`)",
            "http.routers.y.tls.certresolver=le",
            "http.routers.y.tls.domains[0].main=shop.example.org",
            "http.routers.y.tls.domains[0].sans=y.example.org,*.example.org",
        ],
    );
    let known = machine
        .index
        .snapshot(machine.now)
        .expect("plain data")
        .known;
    let routers = known.routes().config.http.routers;
    for (router, name) in [("x-2880", "x.example.org"), ("y-2880", "y.example.org")] {
        let tls = routers[router].tls.on().expect("TLS");
        assert_eq!(tls.domains.len(), 1, "{router}");
        assert_eq!(tls.domains[0].main.as_deref(), Some(name), "{router}");
        assert_eq!(tls.domains[0].sans, [""; 0], "{router}");
    }
}

#[test]
fn a_record_that_makes_no_sense_is_refused() {
    let entry = r#"{"resource": "a.example", "repository": "2816", "since": 1, "seen": 1}"#;
    for (text, is_read) in [
        (
            format!(r#"{{"version": 1, "owners": [{entry}], "certificates": {{}}}}"#),
            true,
        ),
        (
            format!(r#"{{"version": 2, "owners": [{entry}], "certificates": {{}}}}"#),
            false,
        ),
        (
            format!(r#"{{"version": 1, "owners": [{entry}, {entry}], "certificates": {{}}}}"#),
            false,
        ),
        (r#"{"version": 1}"#.to_owned(), false),
        (
            r#"{"version": 1, "owners": [{"resource": "*"}], "certificates": {}}"#.to_owned(),
            false,
        ),
    ] {
        assert_eq!(
            serde_json::from_str::<SavedOwners>(&text).is_ok(),
            is_read,
            "{text}"
        );
    }
}

#[test]
fn a_resource_is_a_host_or_a_port() {
    for (text, is_one) in [
        ("shop.example.org", true),
        ("tcp-25", true),
        ("*", false),
        ("*.a.b", false),
    ] {
        let grant: Grant = text.parse().expect("a grant");
        assert_eq!(Resource::try_from(grant).is_ok(), is_one, "{text}");
    }
}
