//! A container read by Traefik itself and by way of the route server, and what either makes of it.

use std::collections::BTreeMap;

use serde_json::Value;

use Given::{Nothing, Refused, Served, ServedBut};
use Theirs::{Disabled, None as NoRouter, Open, Other, Same};

use crate::real_traefik::RealTraefik;
use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

/// The repository of every container here.
const NETWORK_ID: u32 = 2816;
const ENTRYPOINTS: [&str; 6] = [
    "web",
    "websecure",
    "tcp-5432",
    "tcp-8443",
    "udp-53",
    "udp-51820",
];

/// What becomes of a router, by what is served or said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given {
    /// It is served there, on these entry points.
    Served(&'static str, &'static [&'static str]),
    /// The same; and something is said of it that has these words, in a label of this end.
    ServedBut(
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static str,
    ),
    /// It is not; its container's rejection is of a label of this end, and has these words.
    Refused(&'static str, &'static str),
    /// It is not, and there is nothing to say.
    Nothing,
}

/// What Traefik's own provider makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Theirs {
    /// The same server; the status that Traefik shows.
    Same(&'static str),
    /// A server of another address.
    Other(&'static str),
    /// A router that is disabled.
    Disabled,
    /// A route that is open, and that nobody asked for or should have.
    Open,
    /// No router.
    None,
}

/// A container, and what becomes of its router of this name.
pub(super) struct Report {
    pub(super) router: &'static str,
    pub(super) container: SimulatedContainer,
    pub(super) given: Given,
    pub(super) theirs: Theirs,
}

/// Compares all at once.
pub(super) async fn check(reports: Vec<Report>) {
    check_with(reports, Vec::new()).await;
}

/// Compares all at once, with further containers beside.
pub(super) async fn check_with(reports: Vec<Report>, others: Vec<SimulatedContainer>) {
    let machine = Machine::new();
    let socket = machine.socket(NETWORK_ID);
    let marker = SimulatedContainer::bridged("marker", "172.18.0.2", &[80])
        .label("traefik.enable", "true")
        .label("traefik.http.routers.marker.rule", "Host(`marker`)")
        .label("traefik.http.routers.marker.entrypoints", "web");
    let mut containers = others;
    containers.extend(reports.iter().map(|report| report.container.clone()));
    containers.push(marker);
    let _daemon = SimulatedDaemon::start(&socket, &containers);
    let mut renet = machine.renet();
    renet.args(["--entrypoints", &ENTRYPOINTS.join(",")]);
    let renet = RouteServer::spawn(renet).await;
    let mut arguments = vec![
        "--providers.providersThrottleDuration=1ms".to_owned(),
        "--providers.docker.exposedByDefault=false".to_owned(),
        format!("--providers.docker.endpoint=unix://{}", socket.display()),
        "--providers.http.pollInterval=50ms".to_owned(),
        "--providers.http.pollTimeout=30s".to_owned(),
        format!(
            "--providers.http.endpoint=http://{}/routes.yaml",
            renet.address()
        ),
    ];
    for name in ENTRYPOINTS {
        let udp = if name.starts_with("udp") { "/udp" } else { "" };
        arguments.push(format!("--entryPoints.{name}.address=127.0.0.1:0{udp}"));
    }
    let traefik = RealTraefik::start(&arguments);
    traefik.has("http/routers/marker@docker").await;
    traefik
        .has(&format!("http/routers/marker-{NETWORK_ID}@http"))
        .await;
    let raw = traefik.api("rawdata").await;
    let routes = renet.get_json("/routes.json").await;
    let faults: Vec<String> = reports
        .iter()
        .flat_map(|report| {
            let ours = ours(report, &routes, &raw);
            let theirs = theirs(report, &raw);
            [ours, theirs].into_iter().filter_map(Result::err)
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn ours(report: &Report, routes: &Value, raw: &Value) -> Result<(), String> {
    let Report {
        router,
        container,
        given,
        theirs: _,
    } = report;
    let name = format!("{router}-{NETWORK_ID}");
    let protocols = ["http", "tcp", "udp"].map(|protocol| &routes[protocol]["routers"][&name]);
    let served = protocols.into_iter().find(|router| !router.is_null());
    let said: Vec<&Value> = ["rejections", "warnings"]
        .into_iter()
        .flat_map(|kind| routes[kind].as_array().expect("a list"))
        .filter(|one| one["container"] == container.name.as_str())
        .collect();
    let fault = |what: &str| Err(format!("{router}: {what}: {served:?}, {said:?}"));
    let is_said = |label: &str, words: &str| {
        said.iter().any(|one| {
            let text = |field: &str| one[field].as_str().unwrap_or_default();
            text("label").ends_with(label) && text("reason").contains(words)
        })
    };
    let is_served_at = |server: &str, entrypoints: &[&str]| {
        served.is_some_and(|router| {
            router["servers"] == Value::from(vec![server])
                && router["entryPoints"] == Value::from(entrypoints.to_vec())
        })
    };
    match given {
        Served(server, entrypoints) if !is_served_at(server, entrypoints) => fault("not served"),
        Served(..) if !said.is_empty() => fault("something is said"),
        ServedBut(server, entrypoints, ..) if !is_served_at(server, entrypoints) => {
            fault("not served")
        }
        ServedBut(_, _, label, words) if !is_said(label, words) => fault("not said"),
        Refused(..) | Nothing if served.is_some() => fault("served"),
        Refused(label, words) if !is_said(label, words) => fault("not said"),
        Nothing if !said.is_empty() => fault("something is said"),
        // What is served is enabled, too.
        Served(..) | ServedBut(..) => match routers(raw, &name, "http").pop() {
            Some((_, shown)) if shown["status"] == "enabled" => Ok(()),
            shown => fault(&format!("Traefik shows {shown:?}")),
        },
        Refused(..) | Nothing => Ok(()),
    }
}

fn theirs(report: &Report, raw: &Value) -> Result<(), String> {
    let Report {
        router,
        given,
        theirs,
        ..
    } = report;
    let shown = routers(raw, router, "docker").pop();
    let fault = |what: &str| Err(format!("{router}: Traefik's own {what}: {shown:?}"));
    let status = shown.as_ref().map(|(_, router)| &router["status"]);
    let server = shown.as_ref().and_then(|(kind, router)| {
        let kind = match kind.as_str() {
            "routers" => "services",
            "tcpRouters" => "tcpServices",
            _ => "udpServices",
        };
        let service = format!("{}@docker", router["service"].as_str()?);
        let server = &raw[kind][service]["loadBalancer"]["servers"][0];
        server["url"].as_str().or(server["address"].as_str())
    });
    match theirs {
        NoRouter if shown.is_some() => fault("has one"),
        Disabled if status.is_none_or(|status| status != "disabled") => fault("is not disabled"),
        Open if status.is_none() => fault("has none"),
        Other(expected) if server != Some(expected) => fault("has another server"),
        Same(expected) if status.is_none_or(|status| status != expected) => {
            fault("has another status")
        }
        Same(_) => match given {
            Served(expected, _) | ServedBut(expected, ..) if server != Some(expected) => {
                fault("has another server")
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The routers of a name and a provider, by their kind.
fn routers(raw: &Value, name: &str, provider: &str) -> Vec<(String, Value)> {
    let name = format!("{name}@{provider}");
    let kinds: BTreeMap<String, Value> = ["routers", "tcpRouters", "udpRouters"]
        .into_iter()
        .map(|kind| (kind.to_owned(), raw[kind][&name].clone()))
        .collect();
    let there = kinds.into_iter().filter(|(_, router)| !router.is_null());
    there.collect()
}
