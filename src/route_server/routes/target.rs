//! Where a container's servers are: its address and its ports, as far as its repository may have
//! them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::network::{self, Choice};
use super::reach::{Reach, Refused};
use super::url::port_number;
use super::{Container, Problem, SERVICE_IP, SERVICE_PORT};
use crate::route_server::container::{Address, Condition};

/// What a service speaks, as far as ports are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// A container as the target of routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'c> {
    pub(super) container: &'c Container,
    pub(super) reach: Reach<'c>,
}

impl Target<'_> {
    /// Whether it can be sent requests: if not, its services have no server for now.
    pub(super) fn is_ready(&self) -> bool {
        self.container.condition == Condition::Ready
    }

    /// The address that its services listen on: the label's, else its own.
    pub(super) fn address(&self) -> Result<IpAddr, Problem> {
        let Choice { address: own, .. } = network::choose(self.container);
        match (self.container.labels.get(SERVICE_IP), own) {
            (Some(label), own) => self.labelled(label, own),
            (None, Address::Own(address)) => self
                .reach
                .containers_address(address)
                .map(|()| address)
                .map_err(|refused| Problem {
                    label: None,
                    ..refused.problem("", "give its network another subnet")
                }),
            (None, Address::Host) if self.reach.own_network().is_some() => Err(Problem::of_label(
                SERVICE_IP,
                "it is on the machine's network, and no label says on which address",
            )
            .hint("start it with `renet compose`")),
            (None, Address::Host) => Ok(Ipv4Addr::LOCALHOST.into()),
            (None, Address::None) => Err(match &self.container.network_of {
                Some(other) => Problem::new(format!(
                    "it is on the network of the container `{other}`, which does not run or has none"
                ))
                .hint("start that container, and then this one again"),
                None => Problem::new("the container has no network")
                    .hint("give it a network, or start it with `renet compose`"),
            }),
        }
    }

    /// What somebody should know of the address, though it is used.
    pub(super) fn doubts(&self) -> Option<Problem> {
        let is_used = self.is_ready() && !self.container.labels.contains_key(SERVICE_IP);
        network::choose(self.container).doubt.filter(|_| is_used)
    }

    fn labelled(&self, label: &str, own: Address) -> Result<IpAddr, Problem> {
        let address: IpAddr = label.parse().map_err(|_| {
            Problem::of_label(SERVICE_IP, format!("`{label}` is not an IP address"))
        })?;
        let refused = |refused: Refused| {
            refused.problem(
                SERVICE_IP,
                "leave the label to `renet compose`, which sets it",
            )
        };
        let allowed = match own == Address::Own(address) {
            true => self.reach.containers_address(address),
            false => self.reach.address(address),
        };
        allowed.map_err(refused)?;
        match self.reach.own_network() {
            // Off loopback, a service listens on its container's address and nowhere else; another
            // server is what the label `loadbalancer.server.url` is for.
            Some(id) if !address.is_loopback() && own != Address::Own(address) => {
                let reason = format!(
                    "{address} is neither in the repository's {}/26 nor the container's own address",
                    id.base()
                );
                Err(refused(reason.into()))
            }
            _ => Ok(address),
        }
    }

    /// The port of `rediacc.service_port`.
    pub(super) fn service_port(&self) -> Result<Option<u16>, Problem> {
        self.container
            .labels
            .get(SERVICE_PORT)
            .map(|label| self.port(SERVICE_PORT, label))
            .transpose()
    }

    /// The address of a server whose port a label gives, or nobody: then it is the lowest exposed
    /// one of its protocol, then another that is known.
    pub(super) fn server(
        &self,
        label: &str,
        given: Option<&str>,
        transport: Transport,
    ) -> Result<SocketAddr, Problem> {
        let port = match given.filter(|text| !text.is_empty()) {
            Some(text) => Some(self.port(label, text)?),
            None => self.known_port(label, transport)?,
        };
        let port = port.ok_or_else(|| {
            Problem::of_label(
                label,
                "the container exposes no port, and no label gives one",
            )
            .hint(format!("add the label `{label}=<port>`"))
        })?;
        Ok(SocketAddr::new(self.address()?, port))
    }

    fn known_port(&self, label: &str, transport: Transport) -> Result<Option<u16>, Problem> {
        let Container {
            exposed_tcp_ports: tcp,
            exposed_udp_ports: udp,
            ..
        } = self.container;
        let lowest = |ports: &[u16]| ports.iter().min().copied();
        // Images seldom say both: a port of the other protocol is a better guess than none.
        let exposed = match transport {
            Transport::Udp => lowest(udp).or(lowest(tcp)),
            Transport::Tcp => match (lowest(tcp), self.service_port()?) {
                (Some(port), _) => Some(port),
                (None, Some(port)) => return Ok(Some(port)),
                (None, None) => lowest(udp),
            },
        };
        match exposed {
            Some(port) => self.allowed(label, port).map(Some),
            None => self.service_port(),
        }
    }

    /// A port as a label gives it.
    pub(super) fn port(&self, label: &str, text: &str) -> Result<u16, Problem> {
        let port = port_number(text).ok_or_else(|| {
            Problem::of_label(label, format!("`{text}` is not a port from 1 to 65535"))
        })?;
        self.allowed(label, port)
    }

    fn allowed(&self, label: &str, port: u16) -> Result<u16, Problem> {
        match self.reach.port(port) {
            Ok(()) => Ok(port),
            Err(refused) => Err(refused.problem(label, "let the service listen on another port")),
        }
    }
}
