//! Who owns what, as people and programs read it: `/owners`, `/routes.json`, and
//! `renet route-server owners`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Ownership, Repository, is_stale};
use crate::ownership::Grant;
use crate::route_server::timestamp::rfc3339;

/// All that somebody owns, ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerListing {
    /// One entry for each owner of each resource.
    pub owners: Vec<Owned>,
    /// The routers that may not have what they need.
    pub rejected: Vec<Rejected>,
}

/// What one repository owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// `shop.example.com`, `*.example.org`, `tcp-25`, `10.0.0.0/24`, `*`.
    pub resource: String,
    /// The repository: a network id, `host`, or `operator`.
    pub owner: String,
    /// Why it is the owner's.
    pub by: Title,
    /// Since when, in RFC 3339; none for a grant that nobody has used.
    pub since: Option<String>,
    /// When it was last known to be served, in RFC 3339: noted at each change, and every hour.
    pub last_seen: Option<String>,
    /// Who wanted it too, and may not have it.
    pub rejected: Vec<RejectedContainer>,
}

/// A container that wants what is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedContainer {
    /// Its repository.
    pub repository: String,
    /// Its name.
    pub container: String,
}

/// Why something belongs to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Title {
    /// It was free.
    Taken,
    /// The operator granted it.
    Granted,
    /// The name ends in the owner's network id.
    Automatic,
    /// The operator's own dynamic configuration uses it.
    Operator,
    /// The port was handed out on demand.
    Assigned,
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "taken",
            Self::Granted => "granted",
            Self::Automatic => "automatic name",
            Self::Operator => "operator's file",
            Self::Assigned => "handed out",
        })
    }
}

/// A router that may not have what it needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rejected {
    /// What it may not have; none for hosts that its rule does not name.
    pub resource: Option<String>,
    /// The repository.
    pub repository: String,
    /// The container.
    pub container: String,
    /// The router.
    pub router: String,
    /// Why.
    pub reason: String,
    /// What would give it to the repository.
    pub hint: String,
}

impl Ownership {
    /// All that somebody owns at this moment.
    pub fn owned(&self, now: u64) -> Vec<Owned> {
        let mut owned: BTreeMap<(String, String), Owned> = BTreeMap::new();
        let mut add = |one: Owned| {
            owned
                .entry((one.resource.clone(), one.owner.clone()))
                .or_insert(one);
        };
        for (resource, holdings) in &self.held {
            for holding in holdings.iter().filter(|one| !is_stale(one, now)) {
                let is_automatic = match resource {
                    super::Resource::Name(name) => {
                        super::automatic_owner(name, self.settings.base_domain.as_deref()).is_some()
                    }
                    super::Resource::Port(_) => false,
                };
                let grant = Grant::from(resource.clone());
                let by = match is_automatic {
                    true => Title::Automatic,
                    false if self.has_grant(holding.repository, &grant) => Title::Granted,
                    false => Title::Taken,
                };
                add(Owned {
                    resource: resource.to_string(),
                    owner: holding.repository.to_string(),
                    by,
                    since: Some(moment(holding.since)),
                    last_seen: Some(moment(holding.seen)),
                    rejected: Vec::new(),
                });
            }
        }
        for (repository, grants) in &self.settings.grants {
            for grant in grants {
                add(plain(grant.to_string(), repository, Title::Granted));
            }
        }
        for (port, owner) in &self.assigned {
            let resource = super::Resource::Port(*port).to_string();
            add(plain(resource, &Repository::Id(*owner), Title::Assigned));
        }
        let used = self.settings.operator.resources();
        for resource in used {
            add(plain(resource.to_string(), &"operator", Title::Operator));
        }
        owned.into_values().collect()
    }
}

impl OwnerListing {
    /// Who owns what, each with those who may not have it.
    pub fn new(mut owners: Vec<Owned>, mut rejected: Vec<Rejected>) -> Self {
        rejected.sort();
        for one in &rejected {
            let wanted = owners
                .iter_mut()
                .filter(|owned| Some(&owned.resource) == one.resource.as_ref());
            for owned in wanted {
                owned.rejected.push(RejectedContainer {
                    repository: one.repository.clone(),
                    container: one.container.clone(),
                });
            }
        }
        Self { owners, rejected }
    }
}

fn plain(resource: String, owner: &impl ToString, by: Title) -> Owned {
    Owned {
        resource,
        owner: owner.to_string(),
        by,
        since: None,
        last_seen: None,
        rejected: Vec::new(),
    }
}

fn moment(seconds: u64) -> String {
    let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    rfc3339(moment.unwrap_or(SystemTime::UNIX_EPOCH))
}
