//! What the route server knows of one container, as far as routing goes. Plain data, kept on disk
//! as the last known state of a daemon.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::network::NetworkId;
use crate::repository::daemon::ONE_OFF;

/// One container of one daemon, as its engine lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The UDP ports, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed_udp_ports: Vec<u16>,
    /// Its addresses by the names of its networks, where it matters which: where there are several,
    /// or a label chooses one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, IpAddr>,
    /// The container whose network it is on, as the engine calls it; `address` and `networks` are
    /// that one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_of: Option<String>,
    /// Why it has no labels here though it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oversized: Option<Oversized>,
}

impl Container {
    /// Whether it is a task that `docker compose run` started, with the labels of the service that
    /// it is none of.
    pub fn is_one_off(&self) -> bool {
        let label = self.labels.get(ONE_OFF);
        label.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// Its addresses on networks of its own.
    pub fn own_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let address = match self.address {
            Address::Own(address) => Some(address),
            Address::Host | Address::None => None,
        };
        address.into_iter().chain(self.networks.values().copied())
    }
}

/// Labels of a size that nobody writes. They are not kept: every list would bring them anew, and
/// every state file and every log would repeat them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oversized {
    /// One label is.
    Label {
        /// Its key, as it is shown.
        label: String,
        /// The bytes of its key and its value.
        bytes: usize,
    },
    /// They are together.
    Together {
        /// The bytes of all that count.
        bytes: usize,
    },
}

impl Oversized {
    /// The most bytes of one label.
    pub const MOST_OF_ONE: usize = 64 << 10;
    /// The most bytes of a container's labels, as far as they have to do with routes.
    pub const MOST_OF_ALL: usize = 256 << 10;
}

/// Whether a container can be sent requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Running, and healthy as far as it has a health check.
    Ready,
    /// Running; its health check has not passed yet, or fails.
    Unhealthy,
    /// Created, paused, restarting or ended.
    #[default]
    NotRunning,
}

/// Where a container listens, from its network mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// On the machine's own addresses: the label `rediacc.service_ip` says on which.
    Host,
    /// On an address of its own.
    Own(IpAddr),
    /// It has no network.
    #[default]
    None,
}

/// The containers of one daemon, as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonContainers {
    /// The network id of the daemon's socket; none for a daemon outside the socket folder.
    pub network_id: Option<NetworkId>,
    /// Ordered by id.
    pub containers: Vec<Container>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_version_kept_is_still_known() {
        let text = r#"{"network_id":2816,"containers":[{"id":"1f","name":"web","created":1,
            "labels":{"rediacc.service_port":"80"},"condition":"ready",
            "address":{"own":"172.18.0.2"},"exposed_tcp_ports":[80]}]}"#;
        let known: DaemonContainers = serde_json::from_str(text).expect("an older state");
        let expected = Container {
            id: "1f".to_owned(),
            name: "web".to_owned(),
            created: 1,
            labels: [("rediacc.service_port".to_owned(), "80".to_owned())].into(),
            condition: Condition::Ready,
            address: Address::Own([172, 18, 0, 2].into()),
            exposed_tcp_ports: vec![80],
            ..Container::default()
        };
        assert_eq!(known.containers, [expected]);
        // And what is kept of it now is no more than that.
        let kept = serde_json::to_string(&known).expect("plain data");
        assert_eq!(kept.replace([' ', '\n'], ""), text.replace([' ', '\n'], ""));
    }

    #[test]
    fn a_one_off_is_told_in_any_case() {
        for (value, is_one_off) in [
            ("True", true),
            ("true", true),
            ("TRUE", true),
            ("False", false),
            ("", false),
        ] {
            let container = Container {
                labels: [(ONE_OFF.to_owned(), value.to_owned())].into(),
                ..Container::default()
            };
            assert_eq!(container.is_one_off(), is_one_off, "{value}");
        }
        assert!(!Container::default().is_one_off());
    }
}
