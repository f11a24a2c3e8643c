//! The operator's grants, as `set-infra --owner 2816=shop.example.com,tcp-25` writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{HostName, Repository};
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

/// One thing that the operator says belongs to a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Grant {
    /// One host: `shop.example.com`.
    Name(HostName),
    /// Every host one label below a domain: `*.example.org`.
    Wildcard(HostName),
    /// Everything that nobody owns: `*`.
    CatchAll,
    /// A TCP or UDP port as a whole, in both address families: `tcp-25`.
    Port(Listener),
    /// Addresses that its routes may lead to: `10.0.0.0/24`.
    Network(IpNet),
}

/// What the operator granted to one repository: `2816=shop.example.com,tcp-25`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryGrants {
    /// To whom.
    pub repository: Repository,
    /// What; an empty set takes everything back.
    pub grants: BTreeSet<Grant>,
}

/// What the operator granted to several repositories, with white space between; nothing in an empty
/// text, as in `REDIACC_OWNERS=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantList(pub Vec<RepositoryGrants>);

/// What the operator granted, by repository.
pub type Grants = BTreeMap<Repository, BTreeSet<Grant>>;

impl FromStr for Grant {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let invalid = || InvalidGrant::NotAGrant(text.to_owned());
        if text == "*" {
            return Ok(Self::CatchAll);
        }
        if let Some(domain) = text.strip_prefix("*.") {
            return domain.parse().map(Self::Wildcard).map_err(|_| invalid());
        }
        if let Ok(entrypoint) = text.parse::<Entrypoint>() {
            return match (entrypoint.listener, entrypoint.family) {
                (listener @ (Listener::Tcp(_) | Listener::Udp(_)), Family::V4) => {
                    Ok(Self::Port(listener))
                }
                _ => Err(InvalidGrant::SharedPort(text.to_owned())),
            };
        }
        if text.contains('/') {
            let network: IpNet = text.parse().map_err(|_| invalid())?;
            // `10.0.0.5/24` is one network in two spellings.
            return Ok(Self::Network(network.trunc()));
        }
        text.parse().map(Self::Name).map_err(|_| invalid())
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Wildcard(domain) => write!(f, "*.{domain}"),
            Self::CatchAll => f.write_str("*"),
            Self::Port(listener) => Entrypoint::new(*listener, Family::V4).fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

impl TryFrom<String> for Grant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> String {
        grant.to_string()
    }
}

impl FromStr for RepositoryGrants {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let (repository, list) = text
            .split_once('=')
            .ok_or_else(|| InvalidGrant::NoRepository(text.to_owned()))?;
        let repository = repository
            .trim()
            .parse()
            .map_err(|_| InvalidGrant::NotARepository(repository.to_owned()))?;
        let items = list.split(',').map(str::trim);
        Ok(Self {
            repository,
            grants: items
                .filter(|item| !item.is_empty())
                .map(str::parse)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl FromStr for GrantList {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let each: Result<_, _> = text.split_whitespace().map(str::parse).collect();
        each.map(Self)
    }
}

impl RepositoryGrants {
    /// What a repository has once it is granted one thing more. The option `--owner` replaces the
    /// list, so that what was granted already is repeated.
    pub fn with(granted: &Grants, repository: Repository, grant: Grant) -> Self {
        let mut grants = granted.get(&repository).cloned().unwrap_or_default();
        grants.insert(grant);
        Self { repository, grants }
    }

    /// What the operator runs to grant this.
    pub fn command(&self) -> String {
        format!("run rdc context set-infra MACHINE --owner '{self}', then push-infra")
    }
}

impl fmt::Display for RepositoryGrants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.repository)?;
        for (index, grant) in self.grants.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{grant}")?;
        }
        Ok(())
    }
}

/// A text that grants nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// There is no `ID=`.
    #[error("`{0}` names no repository: write ID=LIST, as in 2816=shop.example.com,tcp-25")]
    NoRepository(String),
    /// What stands before the `=` is no repository.
    #[error("`{0}` is not a repository: write a network id such as 2816, or host")]
    NotARepository(String),
    /// One of the list is nothing that can be granted.
    #[error(
        "`{0}` cannot be granted: write a host, *.example.com, tcp-25, udp-53, a network such as 10.0.0.0/24, or *"
    )]
    NotAGrant(String),
    /// A port that all repositories share, or one family of a port.
    #[error("`{0}` cannot be granted: write tcp-<port> or udp-<port>, which mean both families")]
    SharedPort(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_written_in_one_spelling() {
        for (text, written) in [
            ("2816=", "2816="),
            (
                "2816=Shop.example.com,*.Example.org,tcp-25,10.0.0.5/24,*",
                "2816=shop.example.com,*.example.org,*,tcp-25,10.0.0.0/24",
            ),
            ("host= a.example , ,udp-53 ", "host=a.example,udp-53"),
            (
                "2880=fd00::/8,müller.example",
                "2880=xn--mller-kva.example,fd00::/8",
            ),
        ] {
            let read: RepositoryGrants = text.parse().expect(text);
            assert_eq!(read.to_string(), written, "{text}");
        }
    }

    #[test]
    fn an_empty_list_grants_nothing() {
        for (text, count) in [("", 0), (" ", 0), ("2816=*", 1), ("2816=* 2880=a.b,c.d", 2)] {
            let list: GrantList = text.parse().expect(text);
            assert_eq!(list.0.len(), count, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_granted_is_refused_by_its_name() {
        for (text, named) in [
            ("2816", "`2816` names no repository"),
            ("2817=a.example", "`2817` is not a repository"),
            ("2816=web", "`web` cannot"),
            ("2816=tcp-25-v6", "`tcp-25-v6` cannot"),
            ("2816=http://a.example", "`http://a.example` cannot"),
            ("2816=10.0.0.0/33", "`10.0.0.0/33` cannot"),
            ("2816=**.example.com", "`**.example.com` cannot"),
            ("2816=a.*.com", "`a.*.com` cannot"),
        ] {
            let error = text.parse::<RepositoryGrants>().expect_err(text);
            assert!(error.to_string().contains(named), "{text}: {error}");
        }
    }
}
