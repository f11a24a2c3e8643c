//! The external ports of the dynamic range, and who has which. Pure: the time comes in, and what
//! is kept on disk goes out as plain data.
//!
//! ```text
//!   all containers' claims ─► PortTable::update ─► port_of ─► routes
//!                                    │   └──────► listing ─► /ports
//!   ports.json ─► SavedPorts ────────┘   saved ─► ports.json
//! ```
//!
//! What holds after each update: a port has one owner, and an owner one port of each protocol's
//! number space; an owner that is there keeps its port as long as Traefik opens it; a port whose
//! owner is gone waits for it until no other port is left.

mod listing;
mod range;
mod saved;
mod space;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::Serialize;

pub use self::listing::{ListedPort, PortListing};
pub use self::range::{NotAPortRange, PortRange};
pub use self::saved::{BrokenPorts, SavedPort, SavedPorts};
use self::space::{Space, Tenure};
use crate::network::NetworkId;
use crate::ownership::Repository;
use crate::traefik::entrypoint::{Entrypoint, Listener};

/// The most holders that one refusal names; the preconfigured range has room for eleven.
const MOST_NAMED_HOLDERS: usize = 16;

/// TCP and UDP number their ports apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The port that something listens on, if it is one of those that are numbered.
    pub fn port_of(listener: Listener) -> Option<(Self, u16)> {
        match listener {
            Listener::Tcp(port) => Some((Self::Tcp, port)),
            Listener::Udp(port) => Some((Self::Udp, port)),
            Listener::Web | Listener::WebSecure => None,
        }
    }
}

/// Whose an external port is: one port of one service of one repository, whichever containers
/// and however many of them the service has at the time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PortOwner {
    /// The repository.
    pub network_id: NetworkId,
    /// The service's name.
    pub service: String,
    /// The port that the service listens on.
    pub target: u16,
}

/// One container's wish for an external port. Of two, the lesser is served first: the elder
/// container's, then by the container's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortClaim {
    /// When the container was created, in seconds since 1970.
    pub created: i64,
    /// The container's name.
    pub container: String,
    /// In which number space.
    pub protocol: Protocol,
    /// For whom: replicas of one service claim for the same owner.
    pub owner: PortOwner,
    /// Whether the container can be sent requests. One that cannot keeps its port and gets none.
    pub is_ready: bool,
    /// The most ports that its repository may have.
    pub most: usize,
}

/// The ports that routers take by label, as `entrypoints=tcp-10000` does, and whose they are.
pub type NamedPorts = BTreeMap<(Protocol, u16), BTreeSet<Repository>>;

/// Whether it is known which containers a repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is: an owner that nobody claims for is gone.
    Known,
    /// Its daemon is there and has never answered. Its owners are not gone just because nobody
    /// claims for them.
    Unheard,
    /// It has no daemon, and perhaps not yet again, as after a boot. Its owners are gone, and
    /// find their ports when they are back.
    Awaited,
}

/// Why an owner has no external port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRefusal {
    /// The operator declared no dynamic range.
    NoRange,
    /// Traefik has no entry point in the range for the protocol.
    NoEntrypoint(PortRange),
    /// The repository has as many as it may have: this number.
    TooMany(usize),
    /// All are held by owners that are there.
    Exhausted {
        /// The range.
        range: PortRange,
        /// The holders by external port, the first few of them.
        holders: Vec<(u16, PortOwner)>,
        /// How many more there are.
        more: usize,
        /// Ports that routers take by label.
        named: Vec<u16>,
    },
}

/// Who has which port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortTable {
    range: Option<PortRange>,
    tcp: Space,
    udp: Space,
    /// The repositories that have as many ports as they may have, and how many that is.
    at_bound: BTreeMap<NetworkId, usize>,
}

impl PortTable {
    /// The ports of the range that Traefik opens, with the owners that they had before.
    pub fn new(
        range: Option<PortRange>,
        entrypoints: &BTreeSet<Entrypoint>,
        saved: SavedPorts,
    ) -> Self {
        let open = |protocol: Protocol| {
            let ports =
                entrypoints
                    .iter()
                    .filter_map(|entrypoint| match (entrypoint.listener, protocol) {
                        (Listener::Tcp(port), Protocol::Tcp) => Some(port),
                        (Listener::Udp(port), Protocol::Udp) => Some(port),
                        _ => None,
                    });
            ports
                .filter(|port| range.is_some_and(|range| range.contains(*port)))
                .collect()
        };
        let (tcp, udp) = saved.into_parts();
        Self {
            range,
            tcp: Space::new(open(Protocol::Tcp), tcp),
            udp: Space::new(open(Protocol::Udp), udp),
            at_bound: BTreeMap::new(),
        }
    }

    /// Settles who has which port, from the claims of all containers that are known. Returns
    /// whether that differs from before.
    pub fn update<'c>(
        &mut self,
        claims: impl IntoIterator<Item = &'c PortClaim>,
        named: &NamedPorts,
        standing: impl Fn(NetworkId) -> Standing,
        now: SystemTime,
    ) -> bool {
        let mut claims: Vec<&PortClaim> = claims.into_iter().collect();
        claims.sort_unstable();
        let of = |protocol: Protocol| {
            let claims = claims.iter().copied();
            claims
                .filter(|claim| claim.protocol == protocol)
                .collect::<Vec<_>>()
        };
        let named_of = |protocol: Protocol| {
            let named = named.keys().filter(|(other, _)| *other == protocol);
            named.map(|(_, port)| *port).collect::<BTreeSet<_>>()
        };
        let mut has_changed = false;
        for (protocol, space) in [
            (Protocol::Tcp, &mut self.tcp),
            (Protocol::Udp, &mut self.udp),
        ] {
            space.set_named(named_of(protocol));
            has_changed |= space.settle_tenures(&of(protocol), &standing);
        }
        let mut counts = self.counts(named);
        self.at_bound.clear();
        for (protocol, space) in [
            (Protocol::Tcp, &mut self.tcp),
            (Protocol::Udp, &mut self.udp),
        ] {
            for claim in of(protocol).into_iter().filter(|claim| claim.is_ready) {
                let PortClaim { owner, most, .. } = claim;
                if space.port_of(owner).is_some() {
                    continue;
                }
                let count = counts.entry(owner.network_id).or_default();
                if *count >= *most {
                    self.at_bound.insert(owner.network_id, *most);
                } else if space.hand_out(owner, &standing, now) {
                    *count += 1;
                    has_changed = true;
                }
            }
        }
        has_changed
    }

    /// How many ports each repository has, handed out or named by its labels.
    fn counts(&self, named: &NamedPorts) -> BTreeMap<NetworkId, usize> {
        let mut counts = BTreeMap::new();
        let handed_out = self.assigned().into_values();
        let named = named.iter().filter(|((protocol, port), _)| {
            let is_handed_out = self.space(*protocol).holdings().contains_key(port);
            self.space(*protocol).is_open(*port) && !is_handed_out
        });
        let named = named
            .flat_map(|(_, owners)| owners)
            .filter_map(|owner| owner.id());
        for id in handed_out.chain(named) {
            *counts.entry(id).or_default() += 1;
        }
        counts
    }

    /// The external port of an owner for whom there was a claim at the last update.
    pub fn port_of(&self, protocol: Protocol, owner: &PortOwner) -> Result<u16, PortRefusal> {
        let space = self.space(protocol);
        if let Some(port) = space.port_of(owner) {
            return Ok(port);
        }
        let Some(range) = self.range else {
            return Err(PortRefusal::NoRange);
        };
        if space.is_closed() {
            return Err(PortRefusal::NoEntrypoint(range));
        }
        if let Some(most) = self.at_bound.get(&owner.network_id) {
            return Err(PortRefusal::TooMany(*most));
        }
        let mut holders = space.open_holdings();
        let named = holders.by_ref().take(MOST_NAMED_HOLDERS);
        let named = named.map(|(port, holding)| (port, holding.owner.clone()));
        Err(PortRefusal::Exhausted {
            range,
            holders: named.collect(),
            more: holders.count(),
            named: space.named().collect(),
        })
    }

    /// The open ports that are handed out, and to which repository.
    pub fn assigned(&self) -> BTreeMap<Listener, NetworkId> {
        let ports = |space: &'_ Space, listener: fn(u16) -> Listener| {
            let holdings = space.open_holdings();
            let active = holdings.filter(|(_, holding)| holding.tenure == Tenure::Active);
            active
                .map(|(port, holding)| (listener(port), holding.owner.network_id))
                .collect::<Vec<_>>()
        };
        let tcp = ports(&self.tcp, Listener::Tcp);
        tcp.into_iter()
            .chain(ports(&self.udp, Listener::Udp))
            .collect()
    }

    /// What has to be kept so that the next process gives the same ports.
    pub fn saved(&self) -> SavedPorts {
        SavedPorts::new(&self.tcp, &self.udp)
    }

    /// The range, and who has which of its ports.
    pub fn listing(&self) -> PortListing {
        PortListing::new(self.range, &self.tcp, &self.udp)
    }

    fn space(&self, protocol: Protocol) -> &Space {
        match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        }
    }
}
