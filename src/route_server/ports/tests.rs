//! A table is driven by steps: who claims, and who has which port then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::*;

const ALL_KNOWN: fn(NetworkId) -> Standing = |_| Standing::Known;

/// Claims of services, each step's `a b` being those that are there, eldest first; and after each
/// step all holdings by port, those of owners who are gone in brackets.
fn check(range: &str, steps: &[(&str, &str)]) -> PortTable {
    let mut table = table(range, SavedPorts::default());
    for (step, (claimed, expected)) in steps.iter().enumerate() {
        table.update(
            &tcp_claims(claimed),
            &NamedPorts::new(),
            ALL_KNOWN,
            second(step),
        );
        assert_eq!(holders(&table), *expected, "step {step}: {claimed}");
    }
    table
}

#[test]
fn ports_are_handed_out_from_the_lowest_to_the_eldest_first() {
    check(
        "10-12",
        &[("a b", "10:a 11:b"), ("a b c", "10:a 11:b 12:c")],
    );
    let mut table = table("10-12", SavedPorts::default());
    let claim = |created, container: &str, service| PortClaim {
        created,
        container: container.to_owned(),
        protocol: Protocol::Tcp,
        owner: owner(service),
        is_ready: true,
        most: usize::MAX,
    };
    let claims = [
        claim(2, "x", "young"),
        claim(1, "z", "elder"),
        claim(1, "y", "elder-by-name"),
    ];
    table.update(&claims, &NamedPorts::new(), ALL_KNOWN, second(0));
    assert_eq!(holders(&table), "10:elder-by-name 11:elder 12:young");
}

#[test]
fn an_owner_that_comes_back_finds_its_port() {
    check(
        "10-12",
        &[
            ("a b", "10:a 11:b"),
            ("b", "10:(a) 11:b"),
            ("", "10:(a) 11:(b)"),
            ("b a", "10:a 11:b"),
        ],
    );
}

#[test]
fn a_port_is_reused_only_when_none_is_left_that_nobody_had() {
    check(
        "10-12",
        &[
            ("a", "10:a"),
            ("b", "10:(a) 11:b"),
            ("c", "10:(a) 11:(b) 12:c"),
            ("c d", "10:d 11:(b) 12:c"),
            // Whoever lost its port is a newcomer when it returns.
            ("c d a", "10:d 11:a 12:c"),
        ],
    );
}

#[test]
fn the_longest_gone_loses_its_port_first() {
    check(
        "10-12",
        &[
            ("a b c", "10:a 11:b 12:c"),
            ("a b", "10:a 11:b 12:(c)"),
            ("b", "10:(a) 11:b 12:(c)"),
            ("b d", "10:(a) 11:b 12:d"),
            ("b d e", "10:e 11:b 12:d"),
        ],
    );
    // Coming back in between starts the count anew.
    check(
        "10-11",
        &[
            ("a b", "10:a 11:b"),
            ("b", "10:(a) 11:b"),
            ("a b", "10:a 11:b"),
            ("a", "10:a 11:(b)"),
            ("", "10:(a) 11:(b)"),
            ("c", "10:(a) 11:c"),
        ],
    );
    // Of those who left together, the lowest port.
    check(
        "10-11",
        &[
            ("b a", "10:b 11:a"),
            ("", "10:(b) 11:(a)"),
            ("c", "10:c 11:(a)"),
        ],
    );
}

#[test]
fn who_comes_too_late_is_told_who_holds_the_ports() {
    let table = check("10-11", &[("a b c", "10:a 11:b")]);
    assert_eq!(
        table.port_of(Protocol::Tcp, &owner("c")),
        Err(PortRefusal::Exhausted {
            range: range("10-11"),
            holders: vec![(10, owner("a")), (11, owner("b"))],
            more: 0,
            named: Vec::new(),
        })
    );
    let many: Vec<_> = (0..30).map(|n| format!("s{n:02}")).collect();
    let mut table = self::table("1-20", SavedPorts::default());
    table.update(
        &tcp_claims(&many.join(" ")),
        &NamedPorts::new(),
        ALL_KNOWN,
        second(0),
    );
    let refused = table.port_of(Protocol::Tcp, &owner("s29"));
    let Err(PortRefusal::Exhausted { holders, more, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((holders.len(), more), (MOST_NAMED_HOLDERS, 4));
}

#[test]
fn replicas_and_repetitions_are_one_owner() {
    check("10-12", &[("a a b a", "10:a 11:b")]);
}

#[test]
fn tcp_and_udp_number_their_ports_apart() {
    let entrypoints = ["tcp-10", "udp-10", "udp-11-v6"].map(|name| name.parse().expect("a name"));
    let mut table = PortTable::new(
        Some(range("10-12")),
        &entrypoints.into(),
        SavedPorts::default(),
    );
    let mut claims = tcp_claims("dns x");
    claims.extend(claims.clone().into_iter().map(|claim| PortClaim {
        protocol: Protocol::Udp,
        ..claim
    }));
    assert!(table.update(&claims, &NamedPorts::new(), ALL_KNOWN, second(0)));
    let port = |protocol, service| table.port_of(protocol, &owner(service)).ok();
    assert_eq!(port(Protocol::Tcp, "dns"), Some(10));
    assert_eq!(port(Protocol::Tcp, "x"), None);
    assert_eq!(port(Protocol::Udp, "dns"), Some(10));
    assert_eq!(port(Protocol::Udp, "x"), Some(11));
}

#[test]
fn only_ports_that_traefik_opens_are_handed_out() {
    let entrypoints: BTreeSet<_> = ["web", "tcp-9", "tcp-11", "udp-10"]
        .map(|name| name.parse().expect("a name"))
        .into();
    let none = SavedPorts::default;
    for (range, port) in [
        (None, Err(PortRefusal::NoRange)),
        (
            Some(range("20-22")),
            Err(PortRefusal::NoEntrypoint(range("20-22"))),
        ),
        (Some(range("10-12")), Ok(11)),
    ] {
        let mut table = PortTable::new(range, &entrypoints, none());
        table.update(&tcp_claims("a"), &NamedPorts::new(), ALL_KNOWN, second(0));
        assert_eq!(table.port_of(Protocol::Tcp, &owner("a")), port);
    }
}

#[test]
fn the_next_process_gives_the_same_ports_and_knows_who_left_first() {
    let table = check(
        "10-12",
        &[
            ("a b c", "10:a 11:b 12:c"),
            ("a c", "10:a 11:(b) 12:c"),
            ("c", "10:(a) 11:(b) 12:c"),
        ],
    );
    let text = serde_json::to_string(&table.saved()).expect("JSON");
    let mut next = self::table("10-12", serde_json::from_str(&text).expect("as written"));
    assert_eq!(holders(&next), holders(&table));
    assert!(!next.update(&tcp_claims("c"), &NamedPorts::new(), ALL_KNOWN, second(9)));
    assert_eq!(next.saved(), table.saved());
    next.update(
        &tcp_claims("c d a"),
        &NamedPorts::new(),
        ALL_KNOWN,
        second(9),
    );
    assert_eq!(holders(&next), "10:a 11:d 12:c");
}

#[test]
fn who_is_not_heard_of_yet_keeps_its_port() {
    let mut table = check("10-11", &[("a b", "10:a 11:b"), ("a", "10:a 11:(b)")]);
    let unheard = |_| Standing::Unheard;
    // Neither does the one that is there count as gone, nor is the other's port taken.
    assert!(!table.update(&tcp_claims("c"), &NamedPorts::new(), unheard, second(2)));
    assert_eq!(holders(&table), "10:a 11:(b)");
    assert!(table.port_of(Protocol::Tcp, &owner("c")).is_err());
    table.update(&tcp_claims("c"), &NamedPorts::new(), ALL_KNOWN, second(3));
    assert_eq!(holders(&table), "10:(a) 11:c");
}

#[test]
fn nobody_takes_the_port_of_who_is_not_back_after_a_boot() {
    let mut table = check("10-11", &[("a b c", "10:a 11:b")]);
    let awaited = |_| Standing::Awaited;
    table.update(&tcp_claims("c"), &NamedPorts::new(), awaited, second(1));
    assert_eq!(holders(&table), "10:(a) 11:(b)");
    table.update(&tcp_claims("c b"), &NamedPorts::new(), awaited, second(2));
    assert_eq!(holders(&table), "10:(a) 11:b");
    // It does not come back.
    table.update(&tcp_claims("c b"), &NamedPorts::new(), ALL_KNOWN, second(3));
    assert_eq!(holders(&table), "10:c 11:b");
}

#[test]
fn a_port_that_a_router_takes_by_label_is_not_handed_out() {
    let mut table = table("10-12", SavedPorts::default());
    let named = named(&[
        (Protocol::Tcp, 10),
        (Protocol::Udp, 11),
        (Protocol::Tcp, 99),
    ]);
    let claims = tcp_claims("a b c");
    table.update(&claims, &named, ALL_KNOWN, second(0));
    assert_eq!(holders(&table), "11:a 12:b");
    let refused = table.port_of(Protocol::Tcp, &owner("c"));
    let Err(PortRefusal::Exhausted { named, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(named, [10]);

    // Whoever has it, keeps it; of those who left, it is not taken.
    let named = self::named(&[(Protocol::Tcp, 11)]);
    table.update(&claims, &named, ALL_KNOWN, second(1));
    assert_eq!(holders(&table), "10:c 11:a 12:b");
    table.update(&tcp_claims("b c"), &named, ALL_KNOWN, second(2));
    table.update(&tcp_claims("b c d"), &named, ALL_KNOWN, second(3));
    assert_eq!(holders(&table), "10:c 11:(a) 12:b");
}

#[test]
fn a_range_that_moved_gives_new_ports_and_only_to_those_who_are_there() {
    let before = check(
        "10-12",
        &[("a b c", "10:a 11:b 12:c"), ("b c", "10:(a) 11:b 12:c")],
    );
    for (moved, claimed, expected) in [
        // Shrunken: the ones within keep theirs, the one outside takes what is left.
        ("10-11", "b c", "10:c 11:b"),
        ("11-11", "b c", "10:(a) 11:b 12:c"),
        ("20-22", "b c", "10:(a) 20:b 21:c"),
        ("12-14", "a b c", "12:c 13:a 14:b"),
        // Nobody is forgotten while there is nothing better.
        ("30-30", "", "10:(a) 11:(b) 12:(c)"),
    ] {
        let mut table = table(moved, before.saved());
        table.update(
            &tcp_claims(claimed),
            &NamedPorts::new(),
            ALL_KNOWN,
            second(5),
        );
        assert_eq!(holders(&table), expected, "{moved}: {claimed}");
    }
    let mut closed = PortTable::new(None, &BTreeSet::new(), before.saved());
    closed.update(&tcp_claims("b c"), &NamedPorts::new(), ALL_KNOWN, second(5));
    assert_eq!(closed.saved(), before.saved());
}

#[test]
fn a_table_on_disk_that_makes_no_sense_is_refused() {
    let port = |port: u16, service: &str| json!({"port": port, "network_id": 2816, "service": service, "target": 5, "since": 1});
    let read = |tcp: serde_json::Value| {
        serde_json::from_value::<SavedPorts>(json!({"tcp": tcp, "udp": []})).is_ok()
    };
    assert!(read(json!([port(10, "a"), port(11, "b")])));
    for wrong in [
        json!([port(10, "a"), port(10, "b")]),
        json!([port(10, "a"), port(11, "a")]),
        json!([port(0, "a")]),
        json!([{"port": 10, "network_id": 1, "service": "a", "target": 5, "since": 1}]),
        json!([{"port": 10}]),
        json!({}),
    ] {
        assert!(!read(wrong.clone()), "{wrong}");
    }
    // A moment that no clock shows is still a moment.
    let far = json!({"tcp": [{"port": 10, "network_id": 2816, "service": "a", "target": 5432,
        "since": u64::MAX, "gone": u64::MAX}], "udp": []});
    let mut table = table("10-12", serde_json::from_value(far).expect("numbers"));
    table.update(&tcp_claims("a b"), &NamedPorts::new(), ALL_KNOWN, second(0));
    table.update(&tcp_claims(""), &NamedPorts::new(), ALL_KNOWN, second(0));
    assert_eq!(holders(&table), "10:(a) 11:(b)");
}

#[test]
fn the_listing_says_who_has_what_and_since_when() {
    let table = check("10-12", &[("a", "10:a"), ("b", "10:(a) 11:b")]);
    let entry = |port: u16, service: &str, active: bool, since: &str| {
        json!({"port": port, "network_id": 2816, "service": service, "target": 5432,
            "active": active, "since": since})
    };
    assert_eq!(
        serde_json::to_value(table.listing()).expect("JSON"),
        json!({
            "range": "10-12",
            "free": 1,
            "tcp": [
                entry(10, "a", false, "1970-01-01T00:00:00Z"),
                entry(11, "b", true, "1970-01-01T00:00:01Z"),
            ],
            "udp": [],
        })
    );
    assert_eq!(
        serde_json::to_value(PortListing::empty(None)).expect("JSON"),
        json!({"range": null, "free": 0, "tcp": [], "udp": []})
    );
}

/// Owners come and go at random, the process and its range change under them.
#[test]
fn no_port_has_two_owners_and_nobody_who_is_there_loses_one() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let ranges = ["10-15", "10-15", "10-15", "12-17", "10-12"];
    let mut size = ranges[0];
    let mut table = table(size, SavedPorts::default());
    let mut had: BTreeMap<String, u16> = BTreeMap::new();
    for step in 0..20_000 {
        if random.below(50) == 0 {
            size = ranges[random.below(ranges.len())];
            table = self::table(size, table.saved());
        }
        let mut there: Vec<String> = (0..9).map(|n| format!("s{n}")).collect();
        there.retain(|_| random.below(2) == 0);
        let eldest = random.below(there.len() + 1);
        there.rotate_left(eldest);
        table.update(
            &tcp_claims(&there.join(" ")),
            &NamedPorts::new(),
            ALL_KNOWN,
            second(step),
        );

        let mut has = BTreeMap::new();
        for service in &there {
            match table.port_of(Protocol::Tcp, &owner(service)) {
                Ok(port) => {
                    assert!(range(size).contains(port), "step {step}");
                    has.insert(service.clone(), port);
                }
                // Nobody is turned away while a port is not in use.
                Err(_) => assert!(there.len() > range(size).size(), "step {step}"),
            }
        }
        let distinct: BTreeSet<_> = has.values().collect();
        assert_eq!(distinct.len(), has.len(), "step {step}: {has:?}");
        for (service, port) in &had {
            if there.contains(service) && range(size).contains(*port) {
                assert_eq!(has.get(service), Some(port), "step {step}: {service}");
            }
        }
        had = has;
        // What goes to disk comes back as it was.
        let text = serde_json::to_string(&table.saved()).expect("JSON");
        assert_eq!(
            serde_json::from_str::<SavedPorts>(&text).ok(),
            Some(table.saved())
        );
    }
}

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }
}

fn table(size: &str, saved: SavedPorts) -> PortTable {
    let entrypoints = (1..100).flat_map(|port| {
        ["", "-v6"].map(|family| format!("tcp-{port}{family}").parse().expect("a name"))
    });
    PortTable::new(Some(range(size)), &entrypoints.collect(), saved)
}

fn range(text: &str) -> PortRange {
    text.parse().expect("a range")
}

fn owner(service: &str) -> PortOwner {
    PortOwner {
        network_id: NetworkId::try_from(2816).expect("an id"),
        service: service.to_owned(),
        target: 5432,
    }
}

/// Ports that labels of the repository of all owners name.
fn named(ports: &[(Protocol, u16)]) -> NamedPorts {
    let owners = BTreeSet::from([owner("").network_id.into()]);
    ports.iter().map(|port| (*port, owners.clone())).collect()
}

#[test]
fn a_repository_gets_so_many_ports_and_a_container_that_waits_gets_none() {
    let mut claims = tcp_claims("a b c d");
    for claim in &mut claims {
        claim.most = 3;
    }
    claims[1].is_ready = false;
    let mut table = table("10-15", SavedPorts::default());
    table.update(&claims, &NamedPorts::new(), ALL_KNOWN, second(0));
    assert_eq!(holders(&table), "10:a 11:c 12:d");
    // What it has, it keeps while it waits; and what it is to have more, it is refused.
    claims[0].is_ready = false;
    claims[1].is_ready = true;
    table.update(&claims, &NamedPorts::new(), ALL_KNOWN, second(1));
    assert_eq!(holders(&table), "10:a 11:c 12:d");
    let refused = table.port_of(Protocol::Tcp, &owner("b"));
    assert_eq!(refused, Err(PortRefusal::TooMany(3)));
    // What labels name counts as well.
    let mut table = self::table("10-15", SavedPorts::default());
    let named = named(&[
        (Protocol::Tcp, 10),
        (Protocol::Tcp, 11),
        (Protocol::Tcp, 80),
    ]);
    table.update(&claims, &named, ALL_KNOWN, second(0));
    assert_eq!(holders(&table), "12:b");
}

fn tcp_claims(services: &str) -> Vec<PortClaim> {
    let services = services.split_whitespace().zip(0..);
    let claims = services.map(|(service, created)| PortClaim {
        created,
        container: service.to_owned(),
        protocol: Protocol::Tcp,
        owner: owner(service),
        is_ready: true,
        most: usize::MAX,
    });
    claims.collect()
}

fn holders(table: &PortTable) -> String {
    let saved = serde_json::to_value(table.saved()).expect("JSON");
    let list = saved["tcp"].as_array().expect("a list").iter();
    let list = list.map(|holding| {
        let (port, service) = (&holding["port"], holding["service"].as_str());
        match (service.expect("a name"), holding["gone"].is_null()) {
            (service, true) => format!("{port}:{service}"),
            (service, false) => format!("{port}:({service})"),
        }
    });
    list.collect::<Vec<_>>().join(" ")
}

fn second(step: usize) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(step as u64)
}
