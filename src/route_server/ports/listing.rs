//! The table of ports as people and programs read it, `/ports`.

use serde::{Serialize, Serializer};

use super::space::{Space, Tenure};
use super::{PortOwner, PortRange};
use crate::route_server::timestamp::rfc3339;

/// The range, and who has which of its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortListing {
    #[serde(serialize_with = "in_words")]
    range: Option<PortRange>,
    /// How many numbers of the range no TCP service has or had.
    free: usize,
    tcp: Vec<ListedPort>,
    udp: Vec<ListedPort>,
}

/// One port that somebody has, or had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedPort {
    port: u16,
    #[serde(flatten)]
    owner: PortOwner,
    /// Whether its owner has it now; if not, it is kept for it.
    active: bool,
    /// When it was handed out, in RFC 3339.
    since: String,
}

impl PortListing {
    /// What is known before any container is.
    pub fn empty(range: Option<PortRange>) -> Self {
        Self {
            range,
            free: range.map_or(0, PortRange::size),
            tcp: Vec::new(),
            udp: Vec::new(),
        }
    }

    pub(super) fn new(range: Option<PortRange>, tcp: &Space, udp: &Space) -> Self {
        let (tcp, udp) = (listed(tcp), listed(udp));
        Self {
            range,
            free: range.map_or(0, PortRange::size) - tcp.len(),
            tcp,
            udp,
        }
    }
}

/// Ports that Traefik does not open are left out: nothing is reached through them.
fn listed(space: &Space) -> Vec<ListedPort> {
    let holdings = space.open_holdings();
    let list = holdings.map(|(port, holding)| ListedPort {
        port,
        owner: holding.owner.clone(),
        active: holding.tenure == Tenure::Active,
        since: rfc3339(holding.since),
    });
    list.collect()
}

fn in_words<S: Serializer>(range: &Option<PortRange>, serializer: S) -> Result<S::Ok, S::Error> {
    match range {
        Some(range) => serializer.collect_str(range),
        None => serializer.serialize_none(),
    }
}
