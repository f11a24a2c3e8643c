//! What the route server knows of one container, as far as routing goes. Plain data, kept on disk
//! as the last known state of a daemon.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::network::NetworkId;

/// One container of one daemon, as its engine lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The engine's id, 64 hexadecimal digits.
    pub id: String,
    /// The name, without the engine's leading slash.
    pub name: String,
    /// When it was created, in seconds since 1970: the elder of two keeps what both claim.
    pub created: i64,
    /// The labels as they are.
    pub labels: BTreeMap<String, String>,
    /// Whether it can be sent requests.
    pub condition: Condition,
    /// Where it can be reached when no label says so.
    pub address: Address,
    /// The TCP ports that it is known to expose, ascending; empty on the host's network, where
    /// only an inspect of the image tells.
    pub exposed_tcp_ports: Vec<u16>,
}

/// Whether a container can be sent requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Running, and healthy as far as it has a health check.
    Ready,
    /// Running; its health check has not passed yet, or fails.
    Unhealthy,
    /// Created, paused, restarting or ended.
    NotRunning,
}

/// Where a container listens, from its network mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// On the machine's own addresses: the label `rediacc.service_ip` says on which.
    Host,
    /// On an address of its own.
    Own(IpAddr),
    /// It has no network.
    None,
}

impl Address {
    /// Its own address, if it has one.
    pub fn own(self) -> Option<IpAddr> {
        match self {
            Self::Own(address) => Some(address),
            Self::Host | Self::None => None,
        }
    }
}

/// The containers of one daemon, as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonContainers {
    /// The network id of the daemon's socket; none for a daemon outside the socket folder.
    pub network_id: Option<NetworkId>,
    /// Ordered by id.
    pub containers: Vec<Container>,
}
