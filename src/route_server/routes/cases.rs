//! What Traefik's own Docker provider makes of several hundred sets of labels, compared with what
//! is made of them here: `../shared/labels/cases.json`, or under `$REDIACC_SHARED`. Compared is
//! what labels mean, before names become a repository's own and entry points a machine's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::faults::Faults;
use super::linked::{DefaultRule, default_name, link};
use super::merge::together;
use super::reach::Reach;
use super::target::Target;
use super::{Age, ContainerRoutes, Origin, RouteSettings, Source};
use crate::ownership::Repository;
use crate::route_server::container::{Address, Condition, Container};
use crate::route_server::quota::Quota;
use crate::traefik::dynamic::{Allowance, DynamicConfig, Switch};
use crate::traefik::labels;

#[derive(Deserialize)]
struct Case {
    id: String,
    containers: Vec<Listed>,
    #[serde(default)]
    provider_options: Options,
    expected: Value,
    expected_with_port_80: Value,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
    labels: BTreeMap<String, String>,
    running: bool,
    health: Option<String>,
    service_ip: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    exposed_by_default: Option<bool>,
    default_rule: Option<String>,
}

/// Where the difference is on purpose, and why.
const DIFFERENCES: [(&str, &[&str]); 7] = [
    (
        "Of two containers that define one name differently, the elder keeps it; Traefik deletes both",
        &[
            "upstream-build-13",
            "upstream-build-14",
            "upstream-build-18",
            "upstream-build-19",
            "upstream-build-20",
            "upstream-build-21",
            "upstream-build-23",
            "docs-it-docker-1",
            "edge-router-conflict",
            "edge-udp-conflict",
            "edge-tcp-conflict",
        ],
    ),
    (
        "A port is a number; Traefik passes on whatever was written, and the service never works",
        &[
            "docs-https-include-acme-multiple-domains-from-rule-example-2",
            "docs-https-include-acme-single-domain-example-2",
            "ref-tcp-services-tcpservice01",
            "ref-udp-services-udpservice01",
            "edge-port-nonnumeric",
            "edge-port-space",
        ],
    ),
    (
        "The default certificate is the operator's",
        &[
            "upstream-build-53",
            "docs-reference-routing-configuration-http-tls-tls-certificates-1",
            "edge-tls-store-default",
        ],
    ),
    (
        "`entrypoints[0]` is refused with a reason; Traefik loses it silently",
        &["edge-slice-on-strings"],
    ),
    (
        "Traefik's provider can be told as a whole to keep routers of unhealthy containers",
        &[
            "upstream-build-35",
            "upstream-build-37",
            "upstream-build-39",
        ],
    ),
    (
        "No server is `servers: []`, answered with 503; to Traefik it is one without a URL, and 500",
        &[
            "edge-health-starting-allowempty",
            "edge-status-paused-allownonrunning",
            "edge-status-exited-allownonrunning",
            "edge-status-removing-allownonrunning",
            "edge-allownonrunning-two",
        ],
    ),
    (
        "Traefik's provider has templates of rules and constraints; here are auto routes instead",
        &[
            "upstream-DefaultRule-03",
            "upstream-DefaultRule-04",
            "upstream-DefaultRule-05",
            "upstream-build-40",
            "edge-constraint-not-or",
            "edge-constraint-bad",
            "edge-default-rule-labels",
            "edge-default-rule-trim",
        ],
    ),
];

#[test]
fn labels_mean_what_they_mean_to_traefik() {
    let Some(cases) = shared_cases() else {
        println!("skipped: no shared/labels/cases.json beside the project or in $REDIACC_SHARED");
        return;
    };
    let deliberate: BTreeSet<_> = DIFFERENCES
        .iter()
        .flat_map(|(_, ids)| ids.iter().copied())
        .collect();
    let mut differing = BTreeSet::new();
    for case in &cases {
        for (ports, expected) in [
            (vec![], &case.expected),
            (vec![80], &case.expected_with_port_80),
        ] {
            let (found, problems) = meaning(case, &ports);
            if let Err(difference) = agrees("", &found, expected) {
                differing.insert(case.id.as_str());
                assert!(
                    deliberate.contains(case.id.as_str()),
                    "{} with ports {ports:?}: {difference}; {problems:?}",
                    case.id
                );
            }
        }
    }
    assert_eq!(
        differing, deliberate,
        "a listed difference is none any more"
    );
    let same = cases.len() - differing.len();
    println!(
        "{same} of {} cases agree, the rest differ on purpose",
        cases.len()
    );
}

fn shared_cases() -> Option<Vec<Case>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let shared = std::env::var_os("REDIACC_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    let text = std::fs::read(shared.join("labels/cases.json")).ok()?;
    Some(serde_json::from_slice(&text).expect("the cases are readable"))
}

/// What a case's containers mean together, and what was wrong with them.
fn meaning(case: &Case, ports: &[u16]) -> (Value, Vec<String>) {
    let mut derived = Vec::new();
    let mut problems = Vec::new();
    for (index, listed) in case.containers.iter().enumerate() {
        let container = container(listed, index, ports);
        match configuration(&container, &case.provider_options) {
            Ok(config) => derived.push(ContainerRoutes {
                claims: Vec::new(),
                origin: Origin {
                    container: container.name,
                    network_id: None,
                    auto: false,
                },
                config,
                rejections: Vec::new(),
                broken: BTreeSet::new(),
                source: Source::Labels,
                age: Age {
                    waiting: container.condition != Condition::Ready,
                    created: container.created,
                    id: container.id,
                },
            }),
            Err(problem) => problems.push(problem),
        }
    }
    // What Traefik's provider emits, where routers refer to what nobody defines too.
    let routes = together(&derived, Quota::UNBOUNDED).routes;
    problems.extend(
        routes
            .rejections
            .into_iter()
            .map(|rejection| rejection.reason),
    );
    let found = serde_json::to_value(&routes.config).expect("the model is plain data");
    (found, problems)
}

fn configuration(container: &Container, options: &Options) -> Result<DynamicConfig, String> {
    let nothing = DynamicConfig::default();
    let asked = labels::container_options(&container.labels).map_err(|error| error.to_string())?;
    let enabled = asked.enable.or(options.exposed_by_default).unwrap_or(true);
    let stays = container.condition == Condition::Ready || asked.allow_non_running();
    if !enabled || !stays {
        return Ok(nothing);
    }
    let decoded = labels::decode(&container.labels, Allowance::Unbounded);
    let labels::Decoded {
        mut config,
        unreadable,
        ignored: _,
    } = decoded.map_err(|error| error.to_string())?;
    // Here a fault costs its entry, and to Traefik the container.
    if let Some((_, error)) = unreadable.first() {
        return Err(error.to_string());
    }
    let template = options.default_rule.as_deref();
    let rule = template
        .unwrap_or("Host(`{{ normalize .Name }}`)")
        .replace("{{ normalize .Name }}", &default_name(container))
        .replace("{{ .Name }}", &default_name(container));
    let default_rule = DefaultRule {
        rule,
        tls: Switch::Off,
    };
    let trusting = RouteSettings {
        trusted_repositories: [Repository::Host].into(),
        ..RouteSettings::default()
    };
    let target = Target {
        container,
        reach: Reach::of(None, &trusting),
    };
    let mut faults = Faults::default();
    let linked = link(&mut config, &target, &default_rule, &mut faults);
    linked.map_err(|problem| problem.reason)?;
    match (faults.broken.is_empty(), faults.problems.first()) {
        (false, Some(problem)) => Err(problem.reason.clone()),
        _ => Ok(config),
    }
}

fn container(listed: &Listed, index: usize, ports: &[u16]) -> Container {
    let healthy = matches!(listed.health.as_deref(), None | Some("healthy" | ""));
    Container {
        id: listed.id.clone(),
        name: listed.name.clone(),
        created: i64::try_from(index).expect("few containers"),
        labels: listed.labels.clone(),
        condition: match (listed.running, healthy) {
            (true, true) => Condition::Ready,
            (true, false) => Condition::Unhealthy,
            (false, _) => Condition::NotRunning,
        },
        address: Address::Own(listed.service_ip.parse().expect("an address")),
        exposed_tcp_ports: ports.to_vec(),
        ..Container::default()
    }
}

/// Whether two configurations are the same to Traefik, which writes its defaults out and leaves
/// zero values away, where here only what labels set is written.
fn agrees(path: &str, found: &Value, expected: &Value) -> Result<(), String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (key, value) in found {
                let path = format!("{path}.{key}");
                match expected.get(key) {
                    Some(expected) => agrees(&path, value, expected)?,
                    None if is_zero(value) => {}
                    None => return Err(format!("{path} is {value}, and Traefik has none")),
                }
            }
            for (key, value) in expected {
                if !found.contains_key(key) && !is_default(key, value) {
                    return Err(format!("{path}.{key} is missing; Traefik has {value}"));
                }
            }
            Ok(())
        }
        // Servers have no order: Traefik's follows the containers' names, ours their age.
        (Value::Array(found), Value::Array(expected)) if path.ends_with(".servers") => {
            let sorted = |servers: &[Value]| {
                let mut servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
                servers.sort();
                servers
            };
            match sorted(found) == sorted(expected) {
                true => Ok(()),
                false => Err(format!("{path} is {found:?}, and Traefik has {expected:?}")),
            }
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => found
            .iter()
            .zip(expected)
            .try_for_each(|(found, expected)| agrees(&format!("{path}[]"), found, expected)),
        _ if found == expected => Ok(()),
        _ => Err(format!("{path} is {found}, and Traefik has {expected}")),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(set) => !set,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn is_default(key: &str, value: &Value) -> bool {
    let default = match key {
        "passHostHeader" | "followRedirects" => Value::from(true),
        "passthrough" => Value::from(false),
        "responseForwarding" => serde_json::json!({"flushInterval": "100ms"}),
        "flushInterval" | "checkPeriod" => Value::from("100ms"),
        "strategy" => Value::from("wrr"),
        "mode" => Value::from("http"),
        "interval" => Value::from("30s"),
        "timeout" | "dialTimeout" => Value::from("5s"),
        "readTimeout" | "writeTimeout" => Value::from("3s"),
        "failureWindow" | "fallbackDuration" | "recoveryDuration" => Value::from("10s"),
        "maxFailedAttempts" | "burst" => Value::from(1),
        "path" => Value::from("/"),
        "traceVerbosity" => Value::from("minimal"),
        "version" => Value::from(2),
        "period" => Value::from("1s"),
        "endpoints" => serde_json::json!(["localhost:6379"]),
        "encodings" => serde_json::json!(["gzip", "br", "zstd"]),
        "responseCode" => Value::from(503),
        "maxBodySize" => Value::from(-1),
        "maxRequestBodyBytes" => Value::from(2_097_152),
        _ => return false,
    };
    *value == default
}
