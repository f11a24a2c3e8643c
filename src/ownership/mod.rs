//! What belongs to whom: repositories, and the names, ports and networks that the operator grants
//! them.
//!
//! The words that `rdc`, which stores grants, and `renet`, which enforces them, share. Pure. Who
//! took what without a grant is the route server's to know (`route_server::ownership`).

mod grant;

pub use grant::{Grant, GrantList, Grants, InvalidGrant, RepositoryGrants};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::host_name::{HostName, InvalidHostName};
use crate::network::{InvalidNetworkId, NetworkId};

/// Whoever can own a name or a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Repository {
    /// The repository of one daemon in the socket folder.
    Id(NetworkId),
    /// All daemons outside the socket folder (`--docker-host`), which together are one repository.
    Host,
}

/// What the repository of the daemons outside the socket folder is called.
const HOST: &str = "host";

impl Repository {
    /// Its network id; the host's daemons have none.
    pub fn id(self) -> Option<NetworkId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Host => None,
        }
    }
}

impl From<Option<NetworkId>> for Repository {
    fn from(id: Option<NetworkId>) -> Self {
        id.map_or(Self::Host, Self::Id)
    }
}

impl From<NetworkId> for Repository {
    fn from(id: NetworkId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Host => f.write_str(HOST),
        }
    }
}

impl FromStr for Repository {
    type Err = InvalidNetworkId;

    fn from_str(text: &str) -> Result<Self, InvalidNetworkId> {
        match text {
            HOST => Ok(Self::Host),
            id => id.parse().map(Self::Id),
        }
    }
}

impl TryFrom<String> for Repository {
    type Error = InvalidNetworkId;

    fn try_from(text: String) -> Result<Self, InvalidNetworkId> {
        text.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> String {
        repository.to_string()
    }
}
