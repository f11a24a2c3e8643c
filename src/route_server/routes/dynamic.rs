//! External ports on demand: `rediacc.tcp_ports` and `rediacc.udp_ports` list ports of a service,
//! and each gets a port of the machine's dynamic range, with a router of its own.
//!
//! They stand beside whatever else the container gives, an auto route or routers by label, and
//! fail apart from it. Only `traefik.enable=false` turns them off too: it means no route at all.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::{
    Container, ContainerRoutes, NETWORK_ID, Problem, RouteSettings, SERVICE_IP, SERVICE_NAME,
    Source, entrypoints, network_id, target,
};
use crate::network::NetworkId;
use crate::route_server::container::{Condition, DaemonContainers};
use crate::route_server::ports::{
    NamedPorts, PortClaim, PortOwner, PortRefusal, PortTable, Protocol,
};
use crate::traefik::dynamic::{
    DynamicConfig, Servers, TcpLoadBalancer, TcpRouter, TcpServer, TcpService, UdpLoadBalancer,
    UdpRouter, UdpServer, UdpService,
};
use crate::traefik::entrypoint::{Entrypoint, Listener};
use crate::traefik::labels;

/// The labels that ask for external ports.
const LABELS: [(Protocol, &str); 2] = [
    (Protocol::Tcp, "rediacc.tcp_ports"),
    (Protocol::Udp, "rediacc.udp_ports"),
];

/// Plain TCP has no name to be told apart by: the port is the service's alone.
const ANY_HOST: &str = "HostSNI(`*`)";

/// The most ports that one label may list. Many more than any range has, and few enough to be
/// counted at each change.
const MOST_PORTS: usize = 256;

/// The longest name of a service, in bytes.
const LONGEST_SERVICE: usize = 128;

/// What the containers of a daemon claim, also those that do not run: a port belongs to a
/// container until that is removed.
pub fn port_claims(daemon: &DaemonContainers) -> Vec<PortClaim> {
    let mut claims = Vec::new();
    for container in &daemon.containers {
        let Ok(Some(request)) = Request::of(container, daemon.network_id) else {
            continue;
        };
        for (protocol, label) in LABELS {
            let ports = listed_ports(container, label).unwrap_or_default();
            claims.extend(ports.into_iter().map(|port| PortClaim {
                created: container.created,
                container: container.name.clone(),
                protocol,
                owner: request.owner(port),
            }));
        }
    }
    claims
}

/// The ports that routers of a daemon's containers take by label. Read from the labels' text: a
/// container that is rejected for something else is to find its port free when that is mended.
pub fn named_ports(daemon: &DaemonContainers) -> NamedPorts {
    let mut named = NamedPorts::new();
    for container in &daemon.containers {
        let ports: NamedPorts = entrypoint_labels(container)
            .flat_map(|names| names.split(','))
            .filter_map(
                |name| match name.trim().parse::<Entrypoint>().ok()?.listener {
                    Listener::Tcp(port) => Some((Protocol::Tcp, port)),
                    Listener::Udp(port) => Some((Protocol::Udp, port)),
                    Listener::Web | Listener::WebSecure => None,
                },
            )
            .collect();
        if ports.is_empty() {
            continue;
        }
        let options = labels::container_options(&container.labels);
        if options.is_ok_and(|options| options.enable == Some(true)) {
            named.extend(ports);
        }
    }
    named
}

fn entrypoint_labels(container: &Container) -> impl Iterator<Item = &str> {
    let labels = container.labels.iter();
    let of_a_router = labels.filter(|(label, _)| {
        label.starts_with("traefik.") && label.to_ascii_lowercase().ends_with(".entrypoints")
    });
    of_a_router.map(|(_, names)| names.as_str())
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
    let request = match Request::of(container, socket) {
        Ok(request) => request?,
        Err(problem) => {
            derived.reject(problem);
            return Some(derived);
        }
    };
    derived.origin.network_id = Some(request.network_id);
    for (protocol, label) in LABELS {
        let listed = match listed_ports(container, label) {
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
                    request.add_route(&mut derived.config, protocol, &owner, external, settings);
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
    Some(derived)
}

/// A service that asks for external ports.
struct Request<'c> {
    network_id: NetworkId,
    service: &'c str,
    address: IpAddr,
}

impl<'c> Request<'c> {
    /// None if the container asks for none.
    fn of(container: &'c Container, socket: Option<NetworkId>) -> Result<Option<Self>, Problem> {
        let given = |label: &str| container.labels.get(label).map(String::as_str);
        let asked = LABELS
            .iter()
            .find(|(_, label)| given(label).is_some_and(|list| !list.trim().is_empty()));
        let Some((_, asked)) = asked else {
            return Ok(None);
        };
        if labels::container_options(&container.labels)?.enable == Some(false) {
            return Ok(None);
        }
        let missing = |label: &str| {
            Problem::of_label(*asked, format!("the container has no label `{label}`"))
                .hint("start the container with `renet compose`, which sets it")
        };
        let network_id = network_id(container, socket)?.ok_or_else(|| missing(NETWORK_ID))?;
        let service = given(SERVICE_NAME).ok_or_else(|| missing(SERVICE_NAME))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=LONGEST_SERVICE).contains(&service.len()) || !service.bytes().all(is_plain) {
            return Err(
                Problem::of_label(SERVICE_NAME, "it cannot be a part of a router's name")
                    .hint("use letters, digits, `-`, `_` and `.`"),
            );
        }
        given(SERVICE_IP).ok_or_else(|| missing(SERVICE_IP))?;
        let address = target::address(container)?;
        // The door to the internet leads into the repository that asked for it, and nowhere else.
        let is_own = matches!(address, IpAddr::V4(address) if network_id.contains(address));
        if !is_own {
            let base = network_id.base();
            return Err(Problem::of_label(
                SERVICE_IP,
                format!("{address} is not in the repository's own network, {base}/26"),
            )
            .hint("start the container with `renet compose` in its own repository"));
        }
        Ok(Some(Self {
            network_id,
            service,
            address,
        }))
    }

    fn owner(&self, target: u16) -> PortOwner {
        PortOwner {
            network_id: self.network_id,
            service: self.service.to_owned(),
            target,
        }
    }

    fn add_route(
        &self,
        config: &mut DynamicConfig,
        protocol: Protocol,
        owner: &PortOwner,
        external: u16,
        settings: &RouteSettings,
    ) {
        let PortOwner {
            network_id,
            service,
            target,
        } = owner;
        // With a dot, which no name from a label can hold: labels are split at dots.
        let name = format!("{service}.{target}-{network_id}");
        let address = Some(SocketAddr::new(self.address, *target).to_string());
        match protocol {
            Protocol::Tcp => {
                let router = TcpRouter {
                    entry_points: entrypoints::names_of(Listener::Tcp(external), settings),
                    rule: Some(ANY_HOST.to_owned()),
                    service: Some(name.clone()),
                    ..TcpRouter::default()
                };
                let server = TcpServer {
                    address,
                    ..TcpServer::default()
                };
                let balancer = TcpLoadBalancer {
                    servers: Servers(vec![server]),
                    ..TcpLoadBalancer::default()
                };
                let service = TcpService {
                    load_balancer: Some(balancer),
                };
                config.tcp.routers.insert(name.clone(), router);
                config.tcp.services.insert(name, service);
            }
            Protocol::Udp => {
                let router = UdpRouter {
                    entry_points: entrypoints::names_of(Listener::Udp(external), settings),
                    service: Some(name.clone()),
                };
                let server = UdpServer {
                    address,
                    ..UdpServer::default()
                };
                let balancer = UdpLoadBalancer {
                    servers: Servers(vec![server]),
                };
                let service = UdpService {
                    load_balancer: Some(balancer),
                };
                config.udp.routers.insert(name.clone(), router);
                config.udp.services.insert(name, service);
            }
        }
    }
}

/// The ports that a label lists, each once. Empty items are how compose writes a variable that is
/// empty.
fn listed_ports(container: &Container, label: &str) -> Result<BTreeSet<u16>, Problem> {
    let list = container.labels.get(label).map_or("", String::as_str);
    let items = list.split(',').map(str::trim);
    let items = items.filter(|item| !item.is_empty());
    let ports = items.map(|item| {
        target::port(label, item).map_err(|problem| {
            problem.hint("list the ports that the service listens on, as in `5432,5433`")
        })
    });
    let ports = ports.collect::<Result<BTreeSet<u16>, Problem>>()?;
    if ports.len() > MOST_PORTS {
        let count = ports.len();
        return Err(Problem::of_label(
            label,
            format!("it lists {count} ports, and may list {MOST_PORTS}"),
        ));
    }
    Ok(ports)
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
