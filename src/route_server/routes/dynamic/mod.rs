//! External ports on demand: `rediacc.tcp_ports` and `rediacc.udp_ports` list ports of a service,
//! and each gets a port of the machine's dynamic range, with a router of its own.
//!
//! They stand beside whatever else the container gives, an auto route or routers by label, and
//! fail apart from it. Only `traefik.enable=false` turns them off too: it means no route at all.

mod request;
mod route;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use self::request::Request;
use self::route::Route;
use super::{
    Container, ContainerRoutes, Problem, Reach, RouteSettings, SERVICE_NAME, Source, Target,
    entrypoints, is_at_home,
};
use crate::network::NetworkId;
use crate::route_server::container::{Condition, DaemonContainers};
use crate::route_server::ports::{
    NamedPorts, PortClaim, PortOwner, PortRefusal, PortTable, Protocol,
};
use crate::traefik::entrypoint::{Entrypoint, Listener};
use crate::traefik::labels;

/// The labels that ask for external ports.
const LABELS: [(Protocol, &str); 2] = [
    (Protocol::Tcp, "rediacc.tcp_ports"),
    (Protocol::Udp, "rediacc.udp_ports"),
];

/// What the containers of a daemon claim, also those that do not run: a port belongs to a
/// container until that is removed.
pub fn port_claims(daemon: &DaemonContainers, settings: &RouteSettings) -> Vec<PortClaim> {
    let mut claims = Vec::new();
    for container in &daemon.containers {
        let Ok(Some(request)) = Request::of(container, daemon.network_id, settings) else {
            continue;
        };
        for (protocol, label) in LABELS {
            let ports = request.listed_ports(label).unwrap_or_default();
            claims.extend(ports.into_iter().map(|port| PortClaim {
                created: container.created,
                container: container.name.clone(),
                protocol,
                owner: request.owner(port),
                is_ready: container.condition == Condition::Ready,
                most: settings.quota(request.network_id.into()).dynamic_ports(),
            }));
        }
    }
    claims
}

/// The ports that routers of a daemon's containers take by label, as far as the containers can be
/// sent requests. Read from the labels' text: a container that is rejected for something else is to
/// find its port free when that is mended.
pub fn named_ports(daemon: &DaemonContainers) -> NamedPorts {
    let mut named = NamedPorts::new();
    let able = daemon
        .containers
        .iter()
        .filter(|one| one.condition == Condition::Ready && !one.is_one_off());
    for container in able {
        let ports: BTreeSet<_> = entrypoint_labels(container)
            .flat_map(|names| names.split(','))
            .filter_map(|name| {
                let entrypoint: Entrypoint = name.trim().parse().ok()?;
                Protocol::port_of(entrypoint.listener)
            })
            .collect();
        if ports.is_empty() {
            continue;
        }
        let options = labels::container_options(&container.labels);
        if options.is_ok_and(|options| options.enable == Some(true)) {
            for port in ports {
                named
                    .entry(port)
                    .or_default()
                    .insert(daemon.network_id.into());
            }
        }
    }
    named
}

fn entrypoint_labels(container: &Container) -> impl Iterator<Item = &str> {
    let is_of_a_router = |label: &str| {
        let end = label.as_bytes().rsplit(|byte| *byte == b'.').next();
        label.starts_with("traefik.")
            && end.is_some_and(|end| end.eq_ignore_ascii_case(b"entrypoints"))
    };
    let labels = container.labels.iter();
    labels
        .filter(move |(label, _)| is_of_a_router(label))
        .map(|(_, names)| names.as_str())
}

/// What a container gives by the external ports that its services have, if it asked for any.
pub(super) fn port_routes(
    container: &Container,
    socket: Option<NetworkId>,
    ports: &PortTable,
    settings: &RouteSettings,
) -> Option<ContainerRoutes> {
    if container.condition != Condition::Ready {
        return None;
    }
    let mut derived = ContainerRoutes::none_of(container, socket, Source::Ports);
    let request = match Request::of(container, socket, settings) {
        Ok(request) => request?,
        Err(problem) => {
            derived.reject(problem);
            return Some(derived);
        }
    };
    let address = request.address?;
    derived.origin.network_id = Some(request.network_id);
    for (protocol, label) in LABELS {
        let listed = match request.listed_ports(label) {
            Ok(listed) => listed,
            Err(problem) => {
                derived.reject(problem);
                continue;
            }
        };
        let mut refused: Option<(Vec<u16>, PortRefusal)> = None;
        for port in listed {
            let owner = request.owner(port);
            match ports.port_of(protocol, &owner) {
                Ok(external) => {
                    let server = SocketAddr::new(address, port);
                    let route = Route {
                        owner,
                        external,
                        server,
                    };
                    route.add(&mut derived.config, protocol, settings);
                }
                Err(refusal) => refused
                    .get_or_insert_with(|| (Vec::new(), refusal))
                    .0
                    .push(port),
            }
        }
        if let Some((ports, refusal)) = refused {
            derived.reject(refused_ports(label, protocol, &ports, refusal));
        }
    }
    derived.claim(settings);
    Some(derived)
}

fn refused_ports(label: &str, protocol: Protocol, ports: &[u16], refusal: PortRefusal) -> Problem {
    let option = match protocol {
        Protocol::Tcp => "--tcp-ports",
        Protocol::Udp => "--udp-ports",
    };
    let wanted = ports.iter().map(u16::to_string).collect::<Vec<_>>();
    let wanted = wanted.join(", ");
    let (reason, hint) = match refusal {
        PortRefusal::NoRange => (
            "this machine hands out no external ports".to_owned(),
            "run rdc context set-infra MACHINE --default-ports on, then push-infra".to_owned(),
        ),
        PortRefusal::NoEntrypoint(range) => (
            format!("this machine has no entry point for it in {range}"),
            format!("run rdc context set-infra MACHINE {option} …,{range}, then push-infra"),
        ),
        PortRefusal::TooMany(most) => (
            format!("the repository has {most} external ports, and may have no more"),
            "ask for fewer, or have the operator raise its quota: \
             rdc context set-infra MACHINE --quota ID=FACTOR"
                .to_owned(),
        ),
        PortRefusal::Exhausted {
            range,
            holders,
            more,
            named,
        } => {
            let holders = holders.iter().map(|(port, owner)| {
                let PortOwner {
                    network_id,
                    service,
                    target,
                } = owner;
                format!("{port} is held by `{service}` of {network_id} for {target}")
            });
            let named = named
                .iter()
                .map(|port| format!("{port} is taken by a router's labels"));
            let mut holders: Vec<_> = holders.chain(named).collect();
            if more > 0 {
                holders.push(format!("and {more} more"));
            }
            (
                format!("no port of {range} is left: {}", holders.join(", ")),
                "remove a service that holds one: its port is handed out again when none is left"
                    .to_owned(),
            )
        }
    };
    Problem::of_label(label, format!("no external port for {wanted}: {reason}")).hint(hint)
}
