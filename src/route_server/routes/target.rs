//! Where a container's servers are: its address and its ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Container, Problem, SERVICE_IP, SERVICE_PORT};
use crate::route_server::container::Address;

/// The address that a container's services listen on: the label's, else its own.
pub(super) fn address(container: &Container) -> Result<IpAddr, Problem> {
    if let Some(label) = container.labels.get(SERVICE_IP) {
        return label
            .parse()
            .map_err(|_| Problem::of_label(SERVICE_IP, format!("`{label}` is not an IP address")));
    }
    match container.address {
        Address::Own(address) => Ok(address),
        Address::Host => Ok(Ipv4Addr::LOCALHOST.into()),
        Address::None => Err(Problem::new("the container has no network")
            .hint("give it a network, or start it with `renet compose`")),
    }
}

/// The port of `rediacc.service_port`.
pub(super) fn service_port(container: &Container) -> Result<Option<u16>, Problem> {
    container
        .labels
        .get(SERVICE_PORT)
        .map(|label| port(SERVICE_PORT, label))
        .transpose()
}

/// The address of a server whose port a label gives, or nobody: then it is the lowest exposed one,
/// then `rediacc.service_port`.
pub(super) fn server(
    container: &Container,
    label: &str,
    given: Option<&str>,
) -> Result<SocketAddr, Problem> {
    let port = match given.filter(|text| !text.is_empty()) {
        Some(text) => Some(port(label, text)?),
        None => match container.exposed_tcp_ports.iter().min() {
            Some(port) => Some(*port),
            None => service_port(container)?,
        },
    };
    let port = port.ok_or_else(|| {
        Problem::of_label(
            label,
            "the container exposes no port, and no label gives one",
        )
        .hint(format!("add the label `{label}=<port>`"))
    })?;
    Ok(SocketAddr::new(address(container)?, port))
}

/// A port as a label gives it.
pub(super) fn port(label: &str, text: &str) -> Result<u16, Problem> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Problem::of_label(
            label,
            format!("`{text}` is not a port from 1 to 65535"),
        )),
    }
}
