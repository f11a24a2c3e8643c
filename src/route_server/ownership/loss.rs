//! Why a router may not have what it needs, in words for people.

use std::fmt;

use super::{Ownership, Resource};
use crate::network::NetworkId;
use crate::ownership::{Grant, HostName, Repository, RepositoryGrants};
use crate::route_server::timestamp::date;
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

/// What a router may not have, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Another repository has it.
    Taken {
        /// What.
        resource: Resource,
        /// Who has it.
        owner: Repository,
        /// Since when, in seconds since 1970.
        since: u64,
    },
    /// The operator granted it to others.
    Granted(Resource, Vec<Repository>),
    /// It has the form of another repository's automatic names.
    Automatic(HostName, NetworkId),
    /// The operator's own configuration uses it, in this file.
    Operator(Resource, String),
    /// The port was handed out to a service.
    Assigned(Listener, NetworkId),
    /// The repository has as many ports of the dynamic range as it may have: this number.
    TooManyPorts(Listener, usize),
    /// A wildcard, which only a grant can give.
    Wildcard(HostName),
    /// The rule can match hosts that nobody named, and the repository was granted none.
    Open,
}

impl Loss {
    /// The resource that is lost, if it is one.
    pub fn resource(&self) -> Option<Resource> {
        match self {
            Self::Taken { resource, .. }
            | Self::Granted(resource, _)
            | Self::Operator(resource, _) => Some(resource.clone()),
            Self::Automatic(name, _) => Some(Resource::Name(name.clone())),
            Self::Assigned(port, _) | Self::TooManyPorts(port, _) => Some(Resource::Port(*port)),
            Self::Wildcard(_) | Self::Open => None,
        }
    }

    /// The grant that would give it; none where no grant can.
    fn grant(&self) -> Option<Grant> {
        match self {
            Self::Taken { resource, .. }
            | Self::Granted(resource, _)
            | Self::Operator(resource, _) => Some(resource.clone().into()),
            Self::TooManyPorts(port, _) => Some(Grant::Port(*port)),
            Self::Wildcard(domain) => Some(Grant::Wildcard(domain.clone())),
            Self::Open => Some(Grant::CatchAll),
            Self::Automatic(..) | Self::Assigned(..) => None,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken {
                resource,
                owner,
                since,
            } => write!(
                f,
                "`{resource}` belongs to the repository {owner}, since {}",
                date(*since)
            ),
            Self::Granted(resource, owners) => {
                let owners: Vec<_> = owners.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "`{resource}` belongs to the repository {}, by a grant",
                    owners.join(" and ")
                )
            }
            Self::Automatic(name, owner) => write!(
                f,
                "`{name}` is an automatic name of the repository {owner}"
            ),
            Self::Operator(resource, file) => {
                write!(f, "`{resource}` belongs to the operator, whose {file} uses it")
            }
            Self::Assigned(port, owner) => write!(
                f,
                "`{}` was handed out to a service of the repository {owner}",
                Entrypoint::new(*port, Family::V4)
            ),
            Self::TooManyPorts(port, most) => write!(
                f,
                "`{}` would be more than the {most} ports of the dynamic range that a repository \
                 may have",
                Entrypoint::new(*port, Family::V4)
            ),
            Self::Wildcard(domain) => {
                write!(f, "`*.{domain}` can be owned by a grant only")
            }
            Self::Open => f.write_str(
                "the rule can match every host, and a repository serves only the hosts that it owns",
            ),
        }
    }
}

impl Ownership {
    /// What gives a repository what it lost.
    pub fn way_out(&self, repository: Repository, loss: &Loss) -> String {
        let Some(grant) = loss.grant() else {
            return match loss {
                Loss::Assigned(..) => "name another port".to_owned(),
                _ => "name a host that does not end in another repository's network id".to_owned(),
            };
        };
        let command = RepositoryGrants::with(&self.settings.grants, repository, grant).command();
        match loss {
            Loss::Open => format!(
                "name a host in each branch, as in Host(`app.example.com`) && …; or {command}"
            ),
            _ => command,
        }
    }
}
