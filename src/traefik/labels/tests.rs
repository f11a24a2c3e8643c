//! What labels decode to, label set by label set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Decoded, LabelError, container_options};
use crate::traefik::dynamic::{Allowance, DynamicConfig, to_yaml};

fn labels(lines: &[&str]) -> BTreeMap<String, String> {
    lines
        .iter()
        .map(|line| line.split_once('=').expect("a label is key=value"))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn decoded(labels: &BTreeMap<String, String>) -> Result<Decoded, LabelError> {
    super::decode(labels, Allowance::Times(1))
}

/// What labels decode to; or the first thing that is wrong with them, whatever it costs.
fn decode(labels: &BTreeMap<String, String>) -> Result<DynamicConfig, LabelError> {
    let decoded = decoded(labels)?;
    match decoded.unreadable.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(decoded.config),
    }
}

/// The labels decode to this document.
fn check(lines: &[&str], expected: &str) {
    let config = decode(&labels(lines)).expect("valid labels");
    let yaml = to_yaml(&config).expect("the model is plain data");
    assert_eq!(yaml.trim_end(), expected, "{lines:?}");
}

/// The labels are refused, for this label and reason.
fn check_refused(lines: &[&str], label: &str, reason: &str, hint: Option<&str>) {
    let refused = LabelError {
        label: label.to_owned(),
        reason: reason.to_owned(),
        hint: hint.map(str::to_owned),
    };
    assert_eq!(decode(&labels(lines)), Err(refused), "{lines:?}");
}

#[test]
fn every_option_of_the_reference_is_written_as_traefik_reads_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/traefik/labels/testdata");
    for case in ["every_middleware", "every_router_and_service"] {
        let path = folder.join(case).with_extension("labels");
        let text = std::fs::read_to_string(path).expect("a readable case");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let config = decode(&labels(&lines)).expect("valid labels");
        let yaml = to_yaml(&config).expect("the model is plain data");
        let path = folder.join(case).with_extension("yaml");
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&path, &yaml).expect("a writable case");
        }
        let expected = std::fs::read_to_string(&path).expect("a readable case");
        assert_eq!(yaml, expected, "{}", path.display());
    }
}

#[test]
fn names_of_fields_have_any_case_and_names_of_entries_keep_theirs() {
    check(
        &["traefik.HTTP.Routers.MyApp.PRIORITY=5"],
        "http:\n  routers:\n    MyApp:\n      priority: 5",
    );
    check(
        &[
            "traefik.http.routers.Foo.rule=a",
            "traefik.http.routers.foo.service=b",
        ],
        "http:\n  routers:\n    Foo:\n      service: b\n      rule: a",
    );
}

#[test]
fn labels_of_others_are_ignored() {
    check(
        &[
            "com.example=1",
            "traefik.enable=true",
            "traefik.port=80",
            "traefik.tls.options.x.snistrict=true",
            "traefik.tls.stores.other.defaultgeneratedcert.resolver=x",
            "traefikhttp=1",
        ],
        "{}",
    );
}

#[test]
fn indices_sort_as_text_and_gaps_close() {
    check(
        &[
            "traefik.http.routers.r.tls.domains[2].main=c",
            "traefik.http.routers.r.tls.domains[10].main=a",
            "traefik.http.routers.r.tls.domains[1].main=b",
        ],
        "http:\n  routers:\n    r:\n      tls:\n        domains:\n          - main: a\n          - main: b\n          - main: c",
    );
}

#[test]
fn lists_are_split_at_commas_and_an_empty_value_is_no_list() {
    check(
        &[
            "traefik.http.routers.r.entrypoints= a ,,b,",
            "traefik.http.routers.r.middlewares=",
        ],
        "http:\n  routers:\n    r:\n      entryPoints:\n        - a\n        - \"\"\n        - b\n        - \"\"",
    );
}

#[test]
fn structs_that_may_be_empty_are_switches() {
    for (value, on) in [
        ("", true),
        ("true", true),
        ("TrUe", true),
        ("false", false),
        ("1", false),
    ] {
        let label = format!("traefik.http.middlewares.m.compress={value}");
        let below = "traefik.http.middlewares.m.compress.encodings=gzip";
        check(
            &[&label],
            &format!(
                "http:\n  middlewares:\n    m:{}",
                if on { "\n      compress: {}" } else { " {}" }
            ),
        );
        check(
            &[&label, below],
            &format!(
                "http:\n  middlewares:\n    m:{}",
                if on {
                    "\n      compress:\n        encodings:\n          - gzip"
                } else {
                    " {}"
                }
            ),
        );
    }
}

#[test]
fn a_struct_with_nothing_set_is_not_written() {
    check(
        &[
            "traefik.http.routers.r.rule=a",
            "traefik.http.middlewares.m.chain.middlewares=",
        ],
        "http:\n  routers:\n    r:\n      rule: a\n  middlewares:\n    m: {}",
    );
}

#[test]
fn booleans_have_gos_spellings_and_no_others() {
    for (value, expected) in [
        ("1", "true"),
        ("t", "true"),
        ("TRUE", "true"),
        ("0", "false"),
        ("F", "false"),
    ] {
        check(
            &[&format!(
                "traefik.http.middlewares.m.headers.stspreload={value}"
            )],
            &format!(
                "http:\n  middlewares:\n    m:\n      headers:\n        stsPreload: {expected}"
            ),
        );
    }
    for value in ["", "yes", "tRUE", " true", "2"] {
        check_refused(
            &[&format!(
                "traefik.http.middlewares.m.headers.stspreload={value}"
            )],
            "traefik.http.middlewares.m.headers.stspreload",
            &format!("`{value}` is not a boolean"),
            Some("write true or false"),
        );
    }
}

#[test]
fn numbers_and_durations_that_are_none_are_refused() {
    for value in ["", "1_0", " 1", "1.5", "0x10", "99999999999999999999"] {
        check_refused(
            &[&format!("traefik.http.routers.r.priority={value}")],
            "traefik.http.routers.r.priority",
            &format!("`{value}` is not a whole number"),
            None,
        );
    }
    check_refused(
        &["traefik.http.middlewares.m.ratelimit.period=soon"],
        "traefik.http.middlewares.m.ratelimit.period",
        "`soon` is not a duration such as 30s, 1m30s or 500ms",
        None,
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_valid_one() {
    let nearest = |word| format!("did you mean `{word}`?");
    for (label, key, hint) in [
        ("traefik.http.routers.r.ruel", "ruel", nearest("rule")),
        (
            "traefik.http.routers.r.entrypoint",
            "entrypoint",
            nearest("entrypoints"),
        ),
        (
            "traefik.http.services.s.loadbalancer.servers[0].url",
            "servers",
            nearest("server"),
        ),
        (
            "traefik.http.middleware.m.compress",
            "middleware",
            nearest("middlewares"),
        ),
        ("traefik.httpx.routers.r.rule", "httpx", nearest("http")),
        (
            "traefik.udp.routers.r.rule",
            "rule",
            "valid keys here: entrypoints, service".to_owned(),
        ),
    ] {
        let line = format!("{label}=x");
        check_refused(
            &[&line],
            label,
            &format!("there is no key `{key}`"),
            Some(&hint),
        );
    }
}

#[test]
fn values_at_the_wrong_place_are_refused() {
    for (line, reason) in [
        ("traefik.http=x", "`http` takes no value of its own"),
        (
            "traefik.http.routers=x",
            "`routers` takes no value of its own",
        ),
        (
            "traefik.http.middlewares.m.headers=true",
            "`headers` takes no value of its own",
        ),
        (
            "traefik.http.services.s.loadbalancer.server=x",
            "`server` takes no value of its own",
        ),
        (
            "traefik.http.routers.r.rule.x=y",
            "`rule` is one value and has no fields",
        ),
        (
            "traefik.http.routers.r.rule[0]=y",
            "`rule` is one value and has no list",
        ),
        (
            "traefik.http.routers.r.entrypoints[0]=web",
            "a list of plain values has no indices",
        ),
        (
            "traefik.http.routers.r.entrypoints.x=web",
            "`entrypoints` is a list and has no fields",
        ),
        (
            "traefik.http.routers.r.tls.domains=x",
            "`domains` takes no value of its own",
        ),
        (
            "traefik.http.routers.r.tls.domains[0]=x",
            "`[0]` takes no value of its own",
        ),
        (
            "traefik.http.routers[0].rule=x",
            "`routers` holds names and has no indices",
        ),
    ] {
        let (label, _) = line.split_once('=').expect("a label");
        let error = decode(&labels(&[line])).expect_err(line);
        assert_eq!(
            (error.label.as_str(), error.reason.as_str()),
            (label, reason)
        );
    }
}

#[test]
fn keys_that_are_no_keys_are_refused() {
    for (label, reason) in [
        ("Traefik.http.routers.r.rule", "it begins with `Traefik`"),
        (
            "traefik.http.routers.r.rule.",
            "it has an empty part between two dots",
        ),
        ("traefik.http..r", "it has an empty part between two dots"),
        (
            "traefik.http.routers.[0].rule",
            "`[0]` has no name before its `[`",
        ),
        (
            "traefik.http.routers.r.tls.domains]",
            "`domains]` has a `]` without its `[`",
        ),
        (
            "traefik.http.routers.r.tls.domains[].main",
            "`[]` is not an index such as [0]",
        ),
        (
            "traefik.http.routers.r.tls.domains[a].main",
            "`[a]` is not an index such as [0]",
        ),
        (
            "traefik.http.routers.r.tls.domains[0][1].main",
            "`[0][1]` is not an index such as [0]",
        ),
    ] {
        let error = decode(&labels(&[&format!("{label}=x")])).expect_err(label);
        assert_eq!(
            (error.label.as_str(), error.reason.as_str()),
            (label, reason)
        );
    }
}

#[test]
fn a_key_without_end_and_labels_without_number_are_refused() {
    let deep = format!(
        "traefik.http.middlewares.m.plugin.p{}=x",
        ".a".repeat(100_000)
    );
    let error = decode(&labels(&[&deep])).expect_err("too deep");
    assert_eq!(error.reason, "it has more than 64 parts");

    let many: Vec<_> = (0..5_000)
        .map(|n| format!("traefik.http.routers.r{n}.rule=x"))
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let error = decode(&labels(&many)).expect_err("too many");
    assert_eq!(
        error.reason,
        "there are more than 4096 labels of Traefik on this container"
    );
}

#[test]
fn enable_is_a_boolean_and_the_options_of_the_docker_provider_are_known() {
    for (lines, expected) in [
        (vec!["traefik.enable=TRUE"], Ok(Some(true))),
        (vec!["traefik.enable=false"], Ok(Some(false))),
        (
            vec!["traefik.Enable=false", "traefik.enable=true"],
            Ok(Some(true)),
        ),
        (vec!["traefik.docker.network=x"], Ok(None)),
        (vec!["traefik.enable=yes"], Err("`yes` is not a boolean")),
        (vec!["traefik.enable="], Err("`` is not a boolean")),
        (
            vec!["traefik.enabled=true"],
            Err("there is no key `enabled`"),
        ),
        (vec!["traefik.docker.foo=1"], Err("there is no key `foo`")),
    ] {
        let found = container_options(&labels(&lines));
        let found = found.as_ref().map(|options| options.enable);
        assert_eq!(
            found.map_err(|error| error.reason.as_str()),
            expected,
            "{lines:?}"
        );
    }
    let stopped = labels(&["traefik.docker.allownonrunning=true"]);
    assert_eq!(
        container_options(&stopped).map(|options| options.allow_non_running()),
        Ok(true)
    );
}

#[test]
fn every_key_that_the_shared_reference_lists_is_known() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let shared = std::env::var_os("REDIACC_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(shared.join("labels/label-keys.txt")) else {
        println!(
            "skipped: no shared/labels/label-keys.txt beside the project or in $REDIACC_SHARED"
        );
        return;
    };
    let mut keys = 0;
    for line in text.lines().filter(|line| line.starts_with("traefik.")) {
        decode(&labels(&[line])).unwrap_or_else(|error| panic!("{error}"));
        keys += 1;
    }
    assert!(keys > 200, "{keys}");
}

#[test]
fn a_fault_costs_its_entry_and_something_stands_in_for_it() {
    let given = labels(&[
        "traefik.http.middlewares.bad.headers.frmaedeny=true",
        "traefik.http.middlewares.good.compress=true",
        "traefik.http.routers.Bad.prioritty=1",
        "traefik.http.services.bad.loadbalancer.server.port.x=1",
        "traefik.tcp.routers.bad.priority=x",
        "traefik.udp.routers.bad.rule=x",
    ]);
    let Decoded {
        config, unreadable, ..
    } = decoded(&given).expect("every fault is of an entry");
    let names: Vec<_> = unreadable.iter().map(|(entry, _)| entry.label()).collect();
    assert_eq!(
        names,
        [
            "traefik.http.middlewares.bad",
            "traefik.http.routers.Bad",
            "traefik.http.services.bad",
            "traefik.tcp.routers.bad",
            "traefik.udp.routers.bad",
        ]
    );
    assert!(config.http.routers.contains_key("Bad"));
    assert!(config.tcp.routers.contains_key("bad"));
    assert!(config.udp.routers.contains_key("bad"));
    assert_eq!(config.http.middlewares.len(), 2);
}

#[test]
fn a_fault_of_no_entry_costs_the_container() {
    for label in [
        "traefik.http.foo=x",
        "traefik.http=x",
        "traefik.httpx.routers.r.rule=x",
        "traefik.http.routers=x",
        "traefik.http.routers[0].rule=x",
        "traefik.http.middlewares.m.[0]=x",
        "Traefik.http.routers.r.rule=x",
    ] {
        let given = labels(&[label, "traefik.http.middlewares.bad.foo=x"]);
        assert!(decoded(&given).is_err(), "{label}");
    }
}

#[test]
fn keys_that_traefik_passes_over_are_passed_over_with_a_warning() {
    for (label, rest) in [
        ("traefik.http.serverstransports.t.insecureskipverify", "{}"),
        ("traefik.tcp.serversTransports.t.x", "{}"),
        ("traefik.http.models.m.middlewares", "{}"),
        (
            "traefik.http.services.s.weighted.services[0].name",
            "http:\n  services:\n    s: {}",
        ),
        (
            "traefik.http.services.s.Mirroring.service",
            "http:\n  services:\n    s: {}",
        ),
        (
            "traefik.http.services.s.failover.fallback",
            "http:\n  services:\n    s: {}",
        ),
        (
            "traefik.tcp.services.s.weighted.x",
            "tcp:\n  services:\n    s: {}",
        ),
        (
            "traefik.tcp.services.s.loadbalancer.server.address",
            "tcp:\n  services:\n    s: {}",
        ),
        (
            "traefik.udp.services.s.loadbalancer.server.address",
            "udp:\n  services:\n    s: {}",
        ),
        (
            "traefik.http.routers.r.parentrefs",
            "http:\n  routers:\n    r: {}",
        ),
        (
            "traefik.http.middlewares.m.snippet.x",
            "http:\n  middlewares:\n    m: {}",
        ),
        (
            "traefik.http.middlewares.m.errors.nginxheaders.x",
            "http:\n  middlewares:\n    m: {}",
        ),
    ] {
        let given = labels(&[&format!("{label}=x")]);
        let Decoded {
            config,
            unreadable,
            ignored,
        } = decoded(&given).expect(label);
        assert_eq!(unreadable, [], "{label}");
        assert_eq!(ignored.len(), 1, "{label}");
        assert_eq!(ignored[0].label, label);
        let yaml = to_yaml(&config).expect("the model is plain data");
        assert_eq!(yaml.trim_end(), rest, "{label}");
    }
    // The same words elsewhere are keys that nobody knows.
    for label in [
        "traefik.http.routers.r.weighted",
        "traefik.http.middlewares.m.address",
    ] {
        let given = labels(&[&format!("{label}=x")]);
        assert_eq!(decoded(&given).expect(label).unreadable.len(), 1, "{label}");
    }
}

#[test]
fn a_label_and_all_labels_of_a_container_have_a_length() {
    let long = |name: &str, length: usize| {
        let label = format!("traefik.http.middlewares.{name}.addprefix.prefix");
        let value = "x".repeat(length - label.len());
        (label, value)
    };
    let check = |labels: &[(String, String)]| decoded(&labels.iter().cloned().collect());
    let broken = |labels: &[(String, String)]| check(labels).expect("an entry").unreadable.len();
    assert_eq!(broken(&[long("m", 64 << 10)]), 0);
    assert_eq!(broken(&[long("m", (64 << 10) + 1)]), 1);
    let four = ["a", "b", "c", "d"].map(|name| long(name, 64 << 10));
    assert_eq!(broken(&four), 0);
    let mut more = four.to_vec();
    more.push(("traefik.http.routers.r.rule".to_owned(), String::new()));
    assert!(check(&more).is_err());
    let other = ("com.example".to_owned(), "x".repeat(1 << 20));
    assert_eq!(broken(&[other]), 0);
    let twice = super::decode(&more.into_iter().collect(), Allowance::Times(2));
    assert_eq!(twice.expect("twice as much").unreadable, []);
}

#[test]
fn every_one_of_thousands_of_entries_is_read() {
    let many: BTreeMap<_, _> = (0..4_000)
        .map(|n| format!("traefik.http.routers.r{n}.rule"))
        .map(|label| (label, "x".to_owned()))
        .collect();
    let decoded = decoded(&many).expect("valid labels");
    assert_eq!(decoded.config.http.routers.len(), 4_000);
}
