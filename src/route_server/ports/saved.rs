//! The table of ports as it is kept on disk: the holdings, and nothing of the settings, which may
//! be others at the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::PortOwner;
use super::space::{Holding, Space, Tenure};
use crate::network::NetworkId;

/// Who has, or had, which port. No port and no owner comes twice in a protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Lists", into = "Lists")]
pub struct SavedPorts {
    tcp: Vec<SavedPort>,
    udp: Vec<SavedPort>,
}

/// One holding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPort {
    port: u16,
    network_id: NetworkId,
    service: String,
    target: u16,
    /// In seconds since 1970.
    since: u64,
    /// As the so-manieth its owner left; absent while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<u64>,
}

/// What was read is no table of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenPorts {
    /// No port has this number.
    #[error("it speaks of a port 0")]
    NoSuchPort,
    /// Two owners of one port, or two ports of one owner.
    #[error("the holder of port {0} is not clear")]
    Ambiguous(u16),
}

impl SavedPorts {
    pub(super) fn new(tcp: &Space, udp: &Space) -> Self {
        let list = |space: &Space| {
            let holdings = space.holdings().iter();
            holdings
                .map(|(port, holding)| save(*port, holding))
                .collect()
        };
        Self {
            tcp: list(tcp),
            udp: list(udp),
        }
    }

    /// The repositories that have, or had, a port.
    pub fn repositories(&self) -> BTreeSet<NetworkId> {
        let all = self.tcp.iter().chain(&self.udp);
        all.map(|saved| saved.network_id).collect()
    }

    pub(super) fn into_parts(self) -> (BTreeMap<u16, Holding>, BTreeMap<u16, Holding>) {
        let holdings = |list: Vec<SavedPort>| list.into_iter().map(restore).collect();
        (holdings(self.tcp), holdings(self.udp))
    }
}

fn save(port: u16, holding: &Holding) -> SavedPort {
    let Holding {
        owner:
            PortOwner {
                network_id,
                service,
                target,
            },
        since,
        tenure,
    } = holding;
    SavedPort {
        port,
        network_id: *network_id,
        service: service.clone(),
        target: *target,
        since: since
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
        gone: match tenure {
            Tenure::Active => None,
            Tenure::Gone(departure) => Some(*departure),
        },
    }
}

fn restore(saved: SavedPort) -> (u16, Holding) {
    let SavedPort {
        port,
        network_id,
        service,
        target,
        since,
        gone,
    } = saved;
    let holding = Holding {
        owner: PortOwner {
            network_id,
            service,
            target,
        },
        since: SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(since))
            .unwrap_or(SystemTime::UNIX_EPOCH),
        tenure: gone.map_or(Tenure::Active, Tenure::Gone),
    };
    (port, holding)
}

/// The same before it is known to make sense.
#[derive(Serialize, Deserialize)]
struct Lists {
    tcp: Vec<SavedPort>,
    udp: Vec<SavedPort>,
}

impl From<SavedPorts> for Lists {
    fn from(SavedPorts { tcp, udp }: SavedPorts) -> Self {
        Self { tcp, udp }
    }
}

impl TryFrom<Lists> for SavedPorts {
    type Error = BrokenPorts;

    fn try_from(Lists { tcp, udp }: Lists) -> Result<Self, BrokenPorts> {
        for list in [&tcp, &udp] {
            let (mut ports, mut owners) = (BTreeSet::new(), BTreeSet::new());
            for saved in list {
                if saved.port == 0 || saved.target == 0 {
                    return Err(BrokenPorts::NoSuchPort);
                }
                let owner = (saved.network_id, &saved.service, saved.target);
                if !ports.insert(saved.port) || !owners.insert(owner) {
                    return Err(BrokenPorts::Ambiguous(saved.port));
                }
            }
        }
        Ok(Self { tcp, udp })
    }
}
