//! The record of who owns what, as it is kept on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Holding, Orders, Ownership, PortUse, Resource};
use crate::ownership::Repository;

/// The version of the format. A reader refuses every other.
const VERSION: u32 = 1;

/// What was taken, by whom. Grants are not in it: they are the operator's, and come with each push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct SavedOwners {
    held: BTreeMap<Resource, Vec<Holding>>,
    orders: BTreeMap<Repository, Orders>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    owners: Vec<Entry>,
    /// What certificates were ordered for.
    certificates: BTreeMap<Repository, Orders>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    resource: Resource,
    repository: Repository,
    /// Seconds since 1970, as the others.
    since: u64,
    seen: u64,
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    usage: PortUse,
}

fn whole() -> PortUse {
    PortUse::Whole
}

fn is_whole(usage: &PortUse) -> bool {
    *usage == PortUse::Whole
}

/// What was read is no record of owners.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOwners {
    /// It was written by another version of this program.
    #[error("it has the version {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// A repository has something twice.
    #[error("it lists `{0}` of the repository {1} twice")]
    Twice(Resource, Repository),
}

impl SavedOwners {
    pub(super) fn into_parts(
        self,
    ) -> (
        BTreeMap<Resource, Vec<Holding>>,
        BTreeMap<Repository, Orders>,
    ) {
        (self.held, self.orders)
    }
}

impl Ownership {
    /// What has to be kept so that the next process knows the same owners.
    pub fn saved(&self) -> SavedOwners {
        SavedOwners {
            held: self.held.clone(),
            orders: self.orders.clone(),
        }
    }
}

impl From<SavedOwners> for Document {
    fn from(SavedOwners { held, orders }: SavedOwners) -> Self {
        let entries = held.into_iter().flat_map(|(resource, holdings)| {
            holdings.into_iter().map(move |holding| {
                let Holding {
                    repository,
                    since,
                    seen,
                    usage,
                } = holding;
                Entry {
                    resource: resource.clone(),
                    repository,
                    since,
                    seen,
                    usage,
                }
            })
        });
        Self {
            version: VERSION,
            owners: entries.collect(),
            certificates: orders,
        }
    }
}

impl TryFrom<Document> for SavedOwners {
    type Error = InvalidOwners;

    fn try_from(document: Document) -> Result<Self, InvalidOwners> {
        let Document {
            version,
            owners,
            certificates,
        } = document;
        if version != VERSION {
            return Err(InvalidOwners::Version(version));
        }
        let mut held: BTreeMap<Resource, Vec<Holding>> = BTreeMap::new();
        for entry in owners {
            let Entry {
                resource,
                repository,
                since,
                seen,
                usage,
            } = entry;
            let holdings = held.entry(resource.clone()).or_default();
            if holdings.iter().any(|one| one.repository == repository) {
                return Err(InvalidOwners::Twice(resource, repository));
            }
            holdings.push(Holding {
                repository,
                since,
                seen,
                usage,
            });
        }
        Ok(Self {
            held,
            orders: certificates,
        })
    }
}
