//! The ports of one protocol: handed out, kept for those who left, reused as the last resort.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::{PortClaim, PortOwner, Standing};
use crate::network::NetworkId;

/// One number space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Space {
    /// The ports of the range that Traefik opens.
    open: BTreeSet<u16>,
    /// The ports that routers take by label: not to be handed out to somebody else.
    named: BTreeSet<u16>,
    /// By external port. A holding outside of `open` is a memory only: the range was moved, or
    /// the machine's settings are wrong for the moment.
    holdings: BTreeMap<u16, Holding>,
    /// The same by owner: each has one port.
    ports: BTreeMap<PortOwner, u16>,
}

/// A port that somebody has, or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) owner: PortOwner,
    /// When it was handed out.
    pub(super) since: SystemTime,
    pub(super) tenure: Tenure,
}

/// Whether an owner is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenure {
    /// It is.
    Active,
    /// It left, as the so-manieth. Counted and not timed, so that a clock that is set back does
    /// not change who was first.
    Gone(u64),
}

impl Space {
    /// Each port and each owner may come once in the holdings.
    pub(super) fn new(open: BTreeSet<u16>, holdings: BTreeMap<u16, Holding>) -> Self {
        let owners = holdings.iter();
        Self {
            open,
            named: BTreeSet::new(),
            ports: owners
                .map(|(port, holding)| (holding.owner.clone(), *port))
                .collect(),
            holdings,
        }
    }

    /// Says which ports routers take by label now.
    pub(super) fn set_named(&mut self, named: BTreeSet<u16>) {
        self.named = named;
    }

    /// The open ports that routers take by label and nobody holds.
    pub(super) fn named(&self) -> impl Iterator<Item = u16> {
        let free = |port: &&u16| self.open.contains(port) && !self.holdings.contains_key(port);
        self.named.iter().filter(free).copied()
    }

    /// Gives an owner that has none a port, if one is left.
    pub(super) fn hand_out(
        &mut self,
        owner: &PortOwner,
        standing: impl Fn(NetworkId) -> Standing,
        now: SystemTime,
    ) -> bool {
        let Some(port) = self.vacancy(standing) else {
            return false;
        };
        // Its own port is not open any more, and this one's owner is gone.
        let former = self.ports.remove(owner);
        former.and_then(|port| self.holdings.remove(&port));
        let holding = Holding {
            owner: owner.clone(),
            since: now,
            tenure: Tenure::Active,
        };
        if let Some(evicted) = self.holdings.insert(port, holding) {
            self.ports.remove(&evicted.owner);
        }
        self.ports.insert(owner.clone(), port);
        true
    }

    /// Whether Traefik opens a port, and it is one of the range.
    pub(super) fn is_open(&self, port: u16) -> bool {
        self.open.contains(&port)
    }

    /// The port of an owner, if Traefik opens it.
    pub(super) fn port_of(&self, owner: &PortOwner) -> Option<u16> {
        let port = self.ports.get(owner).copied();
        port.filter(|port| self.open.contains(port))
    }

    /// Whether Traefik opens none of its ports.
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// The holdings, by port.
    pub(super) fn holdings(&self) -> &BTreeMap<u16, Holding> {
        &self.holdings
    }

    /// The holdings that Traefik opens, by port.
    pub(super) fn open_holdings(&self) -> impl Iterator<Item = (u16, &Holding)> {
        let holdings = self.holdings.iter();
        holdings
            .map(|(port, holding)| (*port, holding))
            .filter(|(port, _)| self.open.contains(port))
    }

    /// Notes which owners are there and which have left. Returns whether any came or went.
    pub(super) fn settle_tenures(
        &mut self,
        claims: &[&PortClaim],
        standing: impl Fn(NetworkId) -> Standing,
    ) -> bool {
        let claimed: BTreeSet<&PortOwner> = claims.iter().map(|claim| &claim.owner).collect();
        let gone = self.holdings.values().map(|holding| holding.tenure);
        let last_departure = gone.filter_map(Tenure::departure).max().unwrap_or(0);
        let mut has_changed = false;
        for holding in self.holdings.values_mut() {
            let before = holding.tenure;
            holding.tenure = match before {
                _ if claimed.contains(&holding.owner) => Tenure::Active,
                // Those who leave together leave as one; then the lowest port counts.
                Tenure::Active if standing(holding.owner.network_id) != Standing::Unheard => {
                    Tenure::Gone(last_departure.saturating_add(1))
                }
                unsettled => unsettled,
            };
            has_changed |= holding.tenure != before;
        }
        has_changed
    }

    /// The lowest port that nobody ever had; if there is none, that of the longest gone.
    fn vacancy(&self, standing: impl Fn(NetworkId) -> Standing) -> Option<u16> {
        let is_named = |port: u16| self.named.contains(&port);
        let unheld = |port: &&u16| !self.holdings.contains_key(port) && !is_named(**port);
        if let Some(port) = self.open.iter().find(unheld) {
            return Some(*port);
        }
        let left = self.open_holdings().filter_map(|(port, holding)| {
            // It may be about to come back, and would find its port taken for no need.
            let is_gone = standing(holding.owner.network_id) == Standing::Known;
            let departure = holding.tenure.departure()?;
            (is_gone && !is_named(port)).then_some((departure, port))
        });
        left.min().map(|(_, port)| port)
    }
}

impl Tenure {
    fn departure(self) -> Option<u64> {
        match self {
            Self::Active => None,
            Self::Gone(departure) => Some(departure),
        }
    }
}
