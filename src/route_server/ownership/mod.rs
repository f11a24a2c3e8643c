//! Who owns which names and ports: what the operator granted, what the operator's own files use,
//! and what repositories took because it was free. Pure: the time comes in, and what is kept on
//! disk goes out as plain data.
//!
//! ```text
//!   all repositories' claims ─► Ownership::take ─► Ownership::verdicts ─► routes::admit
//!                                   │   └──────► listing ─► /owners
//!   owners.json ─► SavedOwners ─────┘   saved ─► owners.json
//! ```
//!
//! What holds after each `take`:
//!
//! - A name has one owner, and so has a port, unless the operator granted it to several. A port
//!   is shared without a grant only by routers that are told apart by the name in their TLS.
//! - A repository keeps what it took for as long as it serves it, and for [`KEPT_S`] after that.
//! - A router has all that it needs, or takes nothing.
//! - A grant beats whatever was taken; what the operator's files use beats what was taken.

mod claim;
mod listing;
mod loss;
pub mod operator;
mod saved;
mod verdict;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::claim::{Age, Claim, ContainerClaims, Name, PortUse, Resource, RouterKind};
pub use self::listing::{Owned, OwnerListing, Rejected, RejectedContainer, Title};
pub use self::loss::Loss;
pub use self::operator::OperatorNames;
pub use self::saved::{InvalidOwners, SavedOwners};
pub use self::verdict::{Guard, Outcome, Pattern, Terms, Verdicts};
use crate::network::NetworkId;
use crate::ownership::{Grant, Grants, HostName, Repository};
use crate::route_server::ports::PortRange;
use crate::route_server::quota::Quota;
use crate::traefik::entrypoint::Listener;

/// How long a repository keeps what it does not serve any more: 30 days, in seconds.
pub const KEPT_S: u64 = 30 * 24 * 3600;
/// The most names and ports that a repository keeps while it does not serve them, together with
/// those that it serves: one that takes new names again and again must not fill the record.
const NAMES_PER_REPOSITORY: usize = 2_000;
/// The span in which new certificates are counted: a day, in seconds.
const ORDERS_SPAN_S: u64 = 24 * 3600;

/// What ownership depends on beside claims: what the operator said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnershipSettings {
    /// What the operator granted.
    pub grants: Grants,
    /// The domain of automatic names.
    pub base_domain: Option<String>,
    /// What the operator's own dynamic configuration uses.
    pub operator: Arc<OperatorNames>,
    /// The ports that are handed out on demand.
    pub dynamic_range: Option<PortRange>,
    /// How many external ports and new certificates repositories may have, where that is not the
    /// usual.
    pub quotas: BTreeMap<Repository, Quota>,
}

/// A certificate that a repository has not had yet.
struct NewOrder {
    /// The names that none of its certificates is for.
    names: Vec<String>,
    /// All its names, with commas between.
    set: String,
}

impl OwnershipSettings {
    fn is_dynamic(&self, port: Listener) -> bool {
        let range = self.dynamic_range;
        range.is_some_and(|range| range.contains(port.port()))
    }

    fn quota(&self, repository: Repository) -> Quota {
        self.quotas.get(&repository).copied().unwrap_or_default()
    }
}

/// Who owns what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    settings: OwnershipSettings,
    held: BTreeMap<Resource, Vec<Holding>>,
    /// How much each repository has.
    counts: BTreeMap<Repository, usize>,
    /// External ports that were handed out on demand.
    assigned: BTreeMap<Listener, NetworkId>,
    /// What certificates were ordered for, and when first.
    orders: BTreeMap<Repository, Orders>,
    /// Whether what runs now is to be adopted as it is: nobody has kept a record yet.
    adopts: bool,
}

/// What one repository has of a resource. Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding {
    repository: Repository,
    /// Since when.
    since: u64,
    /// When it was last served.
    seen: u64,
    /// How it is used.
    usage: PortUse,
}

/// What a repository's certificates were ordered for: each name, and where a certificate is for
/// several names, all of them with commas between. With the time of the first order in seconds since
/// 1970; 0 for those that were there before anybody counted.
type Orders = BTreeMap<String, u64>;

impl Ownership {
    /// Goes on from a record; without one, what is taken first is what runs now.
    pub fn new(settings: OwnershipSettings, saved: Option<SavedOwners>) -> Self {
        let adopts = saved.is_none();
        let (held, orders) = saved.map(SavedOwners::into_parts).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for holding in held.values().flatten() {
            *counts.entry(holding.repository).or_default() += 1;
        }
        Self {
            settings,
            held,
            counts,
            assigned: BTreeMap::new(),
            orders,
            adopts,
        }
    }

    /// Says what the operator says now.
    pub fn set_settings(&mut self, settings: OwnershipSettings) {
        self.settings = settings;
    }

    /// Says which external ports are handed out, and to whom. Returns whether that is news.
    pub fn set_assigned(&mut self, assigned: BTreeMap<Listener, NetworkId>) -> bool {
        let is_news = self.assigned != assigned;
        self.assigned = assigned;
        is_news
    }

    /// Gives out what is free to those who claim it, the eldest container first. Returns whether
    /// any resource got another owner or an owner's use of it changed.
    pub fn take<'c>(
        &mut self,
        claims: impl IntoIterator<Item = (Repository, &'c ContainerClaims)>,
        now: u64,
    ) -> bool {
        let mut claims: Vec<_> = claims.into_iter().collect();
        claims.sort_by(|(id, one), (other_id, other)| (&one.age, id).cmp(&(&other.age, other_id)));
        // Whoever has something and serves it keeps it, however long ago that was last seen: the
        // machine may have been off, or its clock wrong.
        let mut has_changed = false;
        for (repository, container) in &claims {
            for claim in &container.claims {
                has_changed |= self.keep(*repository, claim, now);
            }
        }
        for (repository, container) in &claims {
            for claim in &container.claims {
                has_changed |= self.take_one(*repository, claim, now);
            }
        }
        // Where nothing runs yet, there is nothing to adopt yet.
        self.adopts &= claims.is_empty();
        let repositories: BTreeSet<Repository> = claims.iter().map(|(id, _)| *id).collect();
        for repository in repositories {
            if self
                .counts
                .get(&repository)
                .is_some_and(|count| *count > NAMES_PER_REPOSITORY)
            {
                let own = claims.iter().filter(|(id, _)| *id == repository);
                let served = own.flat_map(|(_, container)| &container.claims);
                let served: BTreeSet<Resource> = served.flat_map(Claim::resources).collect();
                self.forget_unserved(repository, &served);
                has_changed = true;
            }
        }
        has_changed
    }

    /// Notes that a router is served by whom it belongs to. Returns whether something was about to
    /// be free.
    fn keep(&mut self, repository: Repository, claim: &Claim, now: u64) -> bool {
        let is_lost = claim
            .resources()
            .any(|one| self.standing(repository, &one, claim.usage, now).is_err());
        if is_lost {
            return false;
        }
        let mut was_stale = false;
        for resource in claim.resources() {
            was_stale |= self.see(repository, &resource, now);
        }
        was_stale
    }

    /// Notes that a repository is served with what it has. Returns whether its holding was stale.
    fn see(&mut self, repository: Repository, resource: &Resource, now: u64) -> bool {
        let mut was_stale = false;
        let holdings = self.held.get_mut(resource).into_iter().flatten();
        for own in holdings.filter(|one| one.repository == repository) {
            was_stale |= is_stale(own, now);
            own.seen = own.seen.max(now);
        }
        was_stale
    }

    /// Frees what a repository has not served for longest, so that one that takes new names again
    /// and again has so many at most. What it serves now is bounded by its routers.
    fn forget_unserved(&mut self, repository: Repository, served: &BTreeSet<Resource>) {
        let mut unserved: Vec<(u64, Resource)> = Vec::new();
        for (resource, holdings) in &self.held {
            let own = holdings.iter().find(|one| one.repository == repository);
            if let (Some(own), false) = (own, served.contains(resource)) {
                unserved.push((own.seen, resource.clone()));
            }
        }
        unserved.sort();
        let count = self.counts.get(&repository).copied().unwrap_or_default();
        let excess = count.saturating_sub(NAMES_PER_REPOSITORY);
        for (_, resource) in unserved.into_iter().take(excess) {
            self.drop_holdings(&resource, |one| one.repository == repository);
        }
    }

    /// Takes holdings of a resource out, and keeps count.
    fn drop_holdings(&mut self, resource: &Resource, is_dropped: impl Fn(&Holding) -> bool) {
        let Some(holdings) = self.held.get_mut(resource) else {
            return;
        };
        for dropped in holdings.extract_if(.., |one| is_dropped(one)) {
            if let Some(count) = self.counts.get_mut(&dropped.repository) {
                *count = count.saturating_sub(1);
            }
        }
        if holdings.is_empty() {
            self.held.remove(resource);
        }
    }

    fn take_one(&mut self, repository: Repository, claim: &Claim, now: u64) -> bool {
        let Outcome::Served(terms) = self.outcome(repository, claim, now) else {
            return false;
        };
        let mut has_changed = false;
        for resource in claim.resources() {
            // Who was handed a port is the table of ports' to know.
            if claim.usage != PortUse::Assigned || matches!(resource, Resource::Name(_)) {
                has_changed |= self.hold(repository, resource, claim.usage, now);
            }
        }
        // A domain of a certificate is no reason to refuse the router.
        for name in &claim.domains {
            let Name::Host(host) = name else { continue };
            let resource = Resource::Name(host.clone());
            if self
                .standing(repository, &resource, PortUse::Named, now)
                .is_ok()
            {
                has_changed |= self.hold(repository, resource, PortUse::Named, now);
            }
        }
        if claim.orders {
            has_changed |= self.order(repository, claim, &terms.lost_domains, now);
        }
        has_changed
    }

    /// Records that a repository has a resource.
    fn hold(
        &mut self,
        repository: Repository,
        resource: Resource,
        usage: PortUse,
        now: u64,
    ) -> bool {
        let mut holdings = self.held.get_mut(&resource).into_iter().flatten();
        if let Some(own) = holdings.find(|one| one.repository == repository) {
            own.seen = own.seen.max(now);
            let before = own.usage;
            own.usage = own.usage.max(usage);
            return own.usage != before;
        }
        let mut entitled = self.granted_exactly(&resource);
        if let (true, Resource::Name(name)) = (entitled.is_empty(), &resource) {
            entitled = self.granted_by_pattern(name);
        }
        let is_shared = usage == PortUse::Named && matches!(resource, Resource::Port(_));
        // Whoever is left out lost it: to a grant, or by time.
        self.drop_holdings(&resource, |one| match entitled.is_empty() {
            true => !is_shared || one.usage != PortUse::Named || is_stale(one, now),
            false => !entitled.contains(&one.repository),
        });
        let holdings = self.held.entry(resource).or_default();
        holdings.push(Holding {
            repository,
            since: now,
            seen: now,
            usage,
        });
        holdings.sort_by_key(|one| one.repository);
        *self.counts.entry(repository).or_default() += 1;
        true
    }

    /// Records for what a router's certificate is ordered, as far as the repository may have new
    /// ones today.
    fn order(
        &mut self,
        repository: Repository,
        claim: &Claim,
        lost: &[(Name, Loss)],
        now: u64,
    ) -> bool {
        let Some(NewOrder { names, set }) = self.new_order(repository, claim, lost) else {
            return false;
        };
        let orders = self.orders.entry(repository).or_default();
        let recent = orders
            .values()
            .filter(|time| time.saturating_add(ORDERS_SPAN_S) > now && **time > 0);
        let count = recent.count() + names.len().max(1);
        let most = self.settings.quota(repository).certificate_names_per_day();
        if !self.adopts && count > most {
            return false;
        }
        let ordered = if self.adopts { 0 } else { now };
        // A set of new names counts by its names.
        let counted = if names.is_empty() { ordered } else { 0 };
        orders.insert(set, counted);
        orders.extend(names.into_iter().map(|one| (one, ordered)));
        true
    }

    /// What a router's certificate would be ordered for, if the repository has had no such
    /// certificate yet.
    fn new_order(
        &self,
        repository: Repository,
        claim: &Claim,
        lost: &[(Name, Loss)],
    ) -> Option<NewOrder> {
        if !claim.orders {
            return None;
        }
        let is_lost = |name: &&Name| lost.iter().any(|(one, _)| one == *name);
        let names: Vec<&Name> = claim.domains.iter().filter(|name| !is_lost(name)).collect();
        let names: BTreeSet<String> = match names.is_empty() {
            true => claim.names.iter().map(ToString::to_string).collect(),
            false => names.into_iter().map(ToString::to_string).collect(),
        };
        let orders = self.orders.get(&repository);
        let is_new = |name: &String| orders.is_none_or(|orders| !orders.contains_key(name));
        let set = names
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(",");
        let order = NewOrder {
            names: names.into_iter().filter(is_new).collect(),
            set,
        };
        (!order.names.is_empty() || is_new(&order.set)).then_some(order)
    }

    /// Notes that what repositories have now is served now.
    pub fn refresh<'c>(
        &mut self,
        served: impl IntoIterator<Item = (Repository, &'c ContainerClaims)>,
        now: u64,
    ) {
        for (repository, container) in served {
            for resource in container.claims.iter().flat_map(Claim::resources) {
                self.see(repository, &resource, now);
            }
        }
    }

    /// Frees a resource that was taken. Returns who had it.
    pub fn release(&mut self, resource: &Resource) -> Vec<Repository> {
        let holdings = self.held.get(resource).into_iter().flatten();
        let owners = holdings.map(|one| one.repository).collect();
        self.drop_holdings(resource, |_| true);
        owners
    }

    /// The ports that repositories have, and not by being handed them, by repository.
    pub fn taken_ports(&self) -> BTreeMap<Listener, BTreeSet<Repository>> {
        let mut ports: BTreeMap<Listener, BTreeSet<Repository>> = BTreeMap::new();
        for (resource, holdings) in &self.held {
            if let Resource::Port(port) = resource {
                let owners = holdings.iter().map(|one| one.repository);
                ports.entry(*port).or_default().extend(owners);
            }
        }
        for (repository, grants) in &self.settings.grants {
            for grant in grants {
                if let Grant::Port(port) = grant {
                    ports.entry(*port).or_default().insert(*repository);
                }
            }
        }
        for port in self.settings.operator.ports.keys() {
            ports.entry(*port).or_default();
        }
        ports
    }

    /// Whether a repository may use a resource; free ones, everybody may.
    fn standing(
        &self,
        repository: Repository,
        resource: &Resource,
        usage: PortUse,
        now: u64,
    ) -> Result<(), Loss> {
        if let Resource::Name(name) = resource
            && let Some(owner) = automatic_owner(name, self.settings.base_domain.as_deref())
        {
            return match Repository::Id(owner) == repository {
                true => Ok(()),
                false => Err(Loss::Automatic(name.clone(), owner)),
            };
        }
        let granted = self.granted_exactly(resource);
        if !granted.is_empty() {
            return belongs(repository, granted, resource);
        }
        if let Some(file) = self.settings.operator.uses(resource) {
            return Err(Loss::Operator(resource.clone(), file.to_owned()));
        }
        if let Resource::Name(name) = resource {
            let granted = self.granted_by_pattern(name);
            if !granted.is_empty() {
                return belongs(repository, granted, resource);
            }
        }
        if let Resource::Port(port) = resource
            && let Some(owner) = self.assigned.get(port)
            && usage != PortUse::Assigned
        {
            return Err(Loss::Assigned(*port, *owner));
        }
        let holdings = self.held.get(resource).map_or(&[][..], Vec::as_slice);
        let in_the_way = holdings.iter().find(|one| {
            let may_share = one.usage == PortUse::Named && usage == PortUse::Named;
            let is_shared = may_share && matches!(resource, Resource::Port(_));
            one.repository != repository && !is_stale(one, now) && !is_shared
        });
        match in_the_way {
            None => self.within_bounds(repository, resource, usage),
            Some(holder) => Err(Loss::Taken {
                resource: resource.clone(),
                owner: holder.repository,
                since: holder.since,
            }),
        }
    }

    /// Whether a repository may have one more of the ports that are handed out on demand.
    fn within_bounds(
        &self,
        repository: Repository,
        resource: &Resource,
        usage: PortUse,
    ) -> Result<(), Loss> {
        let Resource::Port(port) = resource else {
            return Ok(());
        };
        let mut holdings = self.held.get(resource).into_iter().flatten();
        let has_it = holdings.any(|one| one.repository == repository);
        if usage == PortUse::Assigned || has_it || !self.settings.is_dynamic(*port) {
            return Ok(());
        }
        let taken = self.held.iter().filter(|(resource, holdings)| {
            let is_dynamic =
                matches!(resource, Resource::Port(port) if self.settings.is_dynamic(*port));
            is_dynamic && holdings.iter().any(|one| one.repository == repository)
        });
        let assigned = self.assigned.values();
        let assigned = assigned.filter(|owner| Repository::Id(**owner) == repository);
        let most = self.settings.quota(repository).dynamic_ports();
        match taken.count() + assigned.count() < most {
            true => Ok(()),
            false => Err(Loss::TooManyPorts(*port, most)),
        }
    }

    /// To whom exactly this resource was granted.
    fn granted_exactly(&self, resource: &Resource) -> Vec<Repository> {
        if self.settings.grants.is_empty() {
            return Vec::new();
        }
        let grant = match resource {
            Resource::Name(name) => Grant::Name(name.clone()),
            Resource::Port(port) => Grant::Port(*port),
        };
        self.granted(&grant)
    }

    fn granted_by_pattern(&self, name: &HostName) -> Vec<Repository> {
        match name.parent() {
            Some(domain) if !self.settings.grants.is_empty() => {
                self.granted(&Grant::Wildcard(domain))
            }
            _ => Vec::new(),
        }
    }

    fn granted(&self, grant: &Grant) -> Vec<Repository> {
        let grants = self.settings.grants.iter();
        let holders = grants.filter(|(_, grants)| grants.contains(grant));
        holders.map(|(repository, _)| *repository).collect()
    }

    fn has_grant(&self, repository: Repository, grant: &Grant) -> bool {
        let grants = self.settings.grants.get(&repository);
        grants.is_some_and(|grants| grants.contains(grant))
    }

    fn grants_of(&self, repository: Repository) -> impl Iterator<Item = &Grant> {
        self.settings.grants.get(&repository).into_iter().flatten()
    }
}

fn belongs(
    repository: Repository,
    granted: Vec<Repository>,
    resource: &Resource,
) -> Result<(), Loss> {
    match granted.contains(&repository) {
        true => Ok(()),
        false => Err(Loss::Granted(resource.clone(), granted)),
    }
}

/// Whether a holding has not been served for so long that it is free. A clock that was set back
/// makes nothing stale.
fn is_stale(holding: &Holding, now: u64) -> bool {
    holding.seen.saturating_add(KEPT_S) < now
}

/// The repository whose automatic names have this form: `{service}-{network id}.{base domain}`. It
/// is its own even while no service there has the name: who comes first must not decide.
pub fn automatic_owner(name: &HostName, base_domain: Option<&str>) -> Option<NetworkId> {
    let name = name.as_str().strip_suffix(base_domain?)?;
    let (_, id) = name.strip_suffix('.')?.rsplit_once('-')?;
    id.parse().ok()
}
