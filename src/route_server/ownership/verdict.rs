//! What becomes of each router: served as it is, served for certain hosts only, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Claim, ContainerClaims, Loss, Name, Ownership, PortUse, Repository, Resource, automatic_owner,
};
use crate::ownership::{Grant, HostName};

/// What becomes of a repository's routers, by the place of the container and of the router in its
/// claims. Those that are served as they are, are not in it.
pub type Verdicts = BTreeMap<(usize, usize), Outcome>;

/// What becomes of one router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is served, perhaps with less than it asked for.
    Served(Terms),
    /// It is not.
    Lost(Loss),
}

/// What a router is served with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The hosts that its rule is confined to, if the rule itself does not do that.
    pub guard: Option<Guard>,
    /// The domains that no certificate is ordered for, and why.
    pub lost_domains: Vec<(Name, Loss)>,
    /// What no certificate is ordered for today, because the repository has had as many new ones as
    /// it may have in a day.
    pub ordered_later: Option<String>,
}

/// Hosts that a rule is confined to: any of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Single hosts.
    pub hosts: BTreeSet<HostName>,
    /// Many hosts.
    pub patterns: Vec<Pattern>,
}

/// Many hosts, without those that are others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// All hosts one label below this domain; without one, all hosts.
    pub domain: Option<HostName>,
    /// The hosts that are others'.
    pub except: BTreeSet<Name>,
    /// Whether automatic names would be among them.
    pub except_automatic: bool,
}

impl Guard {
    /// Whether it admits what nobody owns.
    pub fn is_catch_all(&self) -> bool {
        self.patterns.iter().any(|one| one.domain.is_none())
    }
}

impl Ownership {
    /// What becomes of the routers of a repository. Before [`Ownership::take`] has been asked, what
    /// it would say if nobody else claimed the same.
    pub fn verdicts(
        &self,
        repository: Repository,
        containers: &[ContainerClaims],
        now: u64,
        before_taking: bool,
    ) -> Verdicts {
        let mut verdicts = Verdicts::new();
        for (index, container) in containers.iter().enumerate() {
            for (place, claim) in container.claims.iter().enumerate() {
                let mut outcome = self.outcome(repository, claim, now);
                if let Outcome::Served(terms) = &mut outcome
                    && !before_taking
                {
                    let new = self.new_order(repository, claim, &terms.lost_domains);
                    terms.ordered_later = new.map(|new| new.set);
                }
                if outcome != Outcome::Served(Terms::default()) {
                    verdicts.insert((index, place), outcome);
                }
            }
        }
        verdicts
    }

    /// What becomes of one router, whatever certificates it asks for.
    pub(super) fn outcome(&self, repository: Repository, claim: &Claim, now: u64) -> Outcome {
        let lost = claim
            .resources()
            .find_map(|one| self.standing(repository, &one, claim.usage, now).err())
            .or_else(|| self.lost_wildcard(repository, &claim.names));
        if let Some(loss) = lost {
            return Outcome::Lost(loss);
        }
        let guard = match self.guard(repository, claim, now) {
            Ok(guard) => guard,
            Err(loss) => return Outcome::Lost(loss),
        };
        let domains = claim.domains.iter();
        let lost_domains = domains.filter_map(|name| {
            let loss = match name {
                Name::Host(host) => {
                    let resource = Resource::Name(host.clone());
                    self.standing(repository, &resource, PortUse::Named, now)
                        .err()
                }
                Name::Wildcard(_) => self.lost_wildcard(repository, std::slice::from_ref(name)),
            };
            Some((name.clone(), loss?))
        });
        Outcome::Served(Terms {
            guard,
            lost_domains: lost_domains.collect(),
            ordered_later: None,
        })
    }

    fn lost_wildcard(&self, repository: Repository, names: &[Name]) -> Option<Loss> {
        names.iter().find_map(|name| {
            let Name::Wildcard(domain) = name else {
                return None;
            };
            let is_own = self.has_grant(repository, &Grant::Wildcard(domain.clone()));
            (!is_own).then(|| Loss::Wildcard(domain.clone()))
        })
    }

    /// The hosts that a rule must be confined to; none if it is so already.
    fn guard(
        &self,
        repository: Repository,
        claim: &Claim,
        now: u64,
    ) -> Result<Option<Guard>, Loss> {
        let mut guard = Guard {
            hosts: claim.names.iter().filter_map(Name::host).cloned().collect(),
            patterns: Vec::new(),
        };
        let wildcard = |domain: &HostName| Pattern {
            domain: Some(domain.clone()),
            except: self.others_below(repository, domain),
            except_automatic: self.settings.base_domain.as_deref() == Some(domain.as_str()),
        };
        for name in &claim.names {
            if let Name::Wildcard(domain) = name {
                guard.patterns.push(wildcard(domain));
            }
        }
        if !claim.open {
            let confines = |one: &Pattern| !one.except.is_empty() || one.except_automatic;
            return Ok(guard.patterns.iter().any(confines).then_some(guard));
        }
        for grant in self.grants_of(repository) {
            match grant {
                Grant::Name(name) => {
                    guard.hosts.insert(name.clone());
                }
                Grant::Wildcard(domain) => guard.patterns.push(wildcard(domain)),
                Grant::CatchAll => guard.patterns.push(Pattern {
                    domain: None,
                    except: self.others_names(repository, now),
                    except_automatic: self.settings.base_domain.is_some(),
                }),
                Grant::Port(_) | Grant::Network(_) => {}
            }
        }
        let was_granted = self
            .grants_of(repository)
            .any(|grant| matches!(grant, Grant::Name(_) | Grant::Wildcard(_) | Grant::CatchAll));
        match was_granted {
            true => Ok(Some(guard)),
            false => Err(Loss::Open),
        }
    }

    /// The single hosts below a domain that the operator granted to others, or uses himself.
    fn others_below(&self, repository: Repository, domain: &HostName) -> BTreeSet<Name> {
        let granted = self.granted_to_others(repository);
        let used = self.settings.operator.names.keys().cloned().map(Name::Host);
        let hosts = granted.chain(used).filter(|name| match name {
            Name::Host(host) => host.is_directly_below(domain),
            Name::Wildcard(_) => false,
        });
        hosts
            .filter(|name| !self.is_granted(repository, name))
            .collect()
    }

    /// Every name that somebody else owns. What has an automatic name's form is not among them.
    fn others_names(&self, repository: Repository, now: u64) -> BTreeSet<Name> {
        let base_domain = self.settings.base_domain.as_deref();
        let taken = self.held.iter().filter_map(|(resource, holdings)| {
            let Resource::Name(name) = resource else {
                return None;
            };
            let is_others = holdings
                .iter()
                .any(|one| one.repository != repository && !super::is_stale(one, now));
            let is_automatic = automatic_owner(name, base_domain).is_some();
            (is_others && !is_automatic).then(|| Name::Host(name.clone()))
        });
        let used = self.settings.operator.names.keys().cloned().map(Name::Host);
        let all = taken.chain(self.granted_to_others(repository)).chain(used);
        all.filter(|name| !self.is_granted(repository, name))
            .collect()
    }

    fn granted_to_others(&self, repository: Repository) -> impl Iterator<Item = Name> {
        let others = self.settings.grants.iter();
        let grants = others.filter(move |(id, _)| **id != repository);
        grants.flat_map(|(_, grants)| grants).filter_map(|grant| {
            Some(match grant {
                Grant::Name(name) => Name::Host(name.clone()),
                Grant::Wildcard(domain) => Name::Wildcard(domain.clone()),
                Grant::CatchAll | Grant::Port(_) | Grant::Network(_) => return None,
            })
        })
    }

    fn is_granted(&self, repository: Repository, name: &Name) -> bool {
        let grant = match name {
            Name::Host(host) => Grant::Name(host.clone()),
            Name::Wildcard(domain) => Grant::Wildcard(domain.clone()),
        };
        self.has_grant(repository, &grant)
    }
}
