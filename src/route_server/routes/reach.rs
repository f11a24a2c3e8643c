//! Where a repository may have Traefik connect to: into its own /26, or off loopback. The rest of
//! loopback is the machine's and other repositories', and so is whatever leads there by another
//! spelling. What the machine's own public addresses are is not known here: a server there is
//! Traefik itself, which shows no more than what is public anyway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::RouteSettings;
use crate::layout;
use crate::network::NetworkId;

/// Offsets in a repository's /26 that no service has.
const RESERVED_OFFSETS: [u32; 3] = [0, 1, 63];

/// Where Traefik may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere: the operator trusts the repository.
    Everywhere,
    /// Into this repository's /26, and off loopback.
    Repository(NetworkId),
    /// To that part of loopback that is no repository's, and off loopback: a daemon outside the
    /// socket folder runs containers of the machine itself.
    Machine,
}

impl Reach {
    pub(super) fn of(network_id: Option<NetworkId>, settings: &RouteSettings) -> Self {
        match network_id {
            Some(id) if settings.trusted_repositories.contains(&id.into()) => Self::Everywhere,
            Some(id) => Self::Repository(id),
            None => Self::Machine,
        }
    }

    /// Whether Traefik may connect there; if not, why not, as the end of "`1.2.3.4` …".
    pub(super) fn socket(self, address: SocketAddr) -> Result<(), String> {
        self.address(address.ip())?;
        self.port(address.port())
    }

    /// Whether Traefik may connect to the address, whatever the port.
    pub(super) fn address(self, address: IpAddr) -> Result<(), String> {
        match (self, address) {
            (Self::Everywhere, _) => Ok(()),
            (_, IpAddr::V4(address)) if address.is_loopback() => self.loopback(address),
            (_, IpAddr::V4(address)) => refuse(not_one_other_machine(address)),
            (_, IpAddr::V6(address)) => refuse(not_one_other_machine_v6(address)),
        }
    }

    /// Whether Traefik may connect to the port. Those of the route server and of Traefik's ping are
    /// refused wherever they are: they would be everywhere if they listened on a wildcard.
    pub(super) fn port(self, port: u16) -> Result<(), String> {
        let own = [layout::ROUTE_SERVER.port(), layout::TRAEFIK_PING.port()];
        if self != Self::Everywhere && own.contains(&port) {
            return Err(format!("port {port} is the machine's own"));
        }
        Ok(())
    }

    fn loopback(self, address: Ipv4Addr) -> Result<(), String> {
        let offset = u32::from(address) % NetworkId::STEP;
        match self {
            Self::Everywhere => Ok(()),
            Self::Repository(id) if !id.contains(address) => Err(format!(
                "{address} is on loopback, outside the repository's {}/26",
                id.base()
            )),
            Self::Repository(_) if RESERVED_OFFSETS.contains(&offset) => Err(format!(
                "{address} is reserved: services have the addresses 2 to 62 of a repository's /26"
            )),
            Self::Repository(_) => Ok(()),
            // Loopback addresses without their first byte are numbered as network ids are.
            Self::Machine if u32::from(address) & 0x00FF_FFFF >= NetworkId::FIRST => {
                Err(format!("{address} belongs to a repository"))
            }
            Self::Machine => Ok(()),
        }
    }
}

fn refuse(reason: Option<String>) -> Result<(), String> {
    reason.map_or(Ok(()), Err)
}

/// Why an address off loopback is not that of one other machine or container.
fn not_one_other_machine(address: Ipv4Addr) -> Option<String> {
    let [first, ..] = address.octets();
    if first == 0 {
        // Linux connects to 0.0.0.0 as to 127.0.0.1.
        Some(format!("{address} means this machine itself"))
    } else if address.is_link_local() {
        Some(format!(
            "{address} is link-local, where clouds keep a machine's secrets"
        ))
    } else if address.is_multicast() || first >= 240 {
        Some(format!("{address} is not the address of one machine"))
    } else {
        None
    }
}

fn not_one_other_machine_v6(address: Ipv6Addr) -> Option<String> {
    let [first, ..] = address.segments();
    if first <= 0xFF || first == 0x2002 {
        // All of ::/8: `::`, `::1`, and every form that wraps an IPv4 address, NAT64's included;
        // and 6to4's. What is wrapped may be on loopback.
        Some(format!(
            "{address} is this machine itself, or wraps an IPv4 address"
        ))
    } else if address.is_unicast_link_local() {
        Some(format!("{address} is link-local"))
    } else if address.is_multicast() {
        Some(format!("{address} is not the address of one machine"))
    } else {
        None
    }
}
