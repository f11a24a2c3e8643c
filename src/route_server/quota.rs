//! How much one repository may have: what nobody notices beside it, or so many times as much where
//! the operator said so.

use std::str::FromStr;

use crate::network::InvalidNetworkId;
use crate::ownership::Repository;
use crate::traefik::dynamic::Allowance;

/// The routers of a repository, its services, and its middlewares. With 20,000 routers, another
/// repository's change took 28.8 s.
const ENTRIES: usize = 1_000;
/// The middlewares of a router, with all that they use. A chain of chains of 911 bytes ended
/// Traefik's taking of configurations.
const MIDDLEWARES_OF_ROUTER: usize = 64;
/// The regular expressions among them: Traefik compiles each of them at each change of anybody.
const REGEXPS_OF_ROUTER: usize = 16;
/// The middlewares of all of a repository's routers, expanded: Traefik builds each anew, for each
/// router, at each change of anybody. With 64,000, a change took 4 s.
const MIDDLEWARES_OF_ROUTERS: usize = 4_000;
/// The regular expressions among those. With 1,000 expensive ones, a change took 6 s.
const REGEXPS_OF_ROUTERS: usize = 128;
/// The regular expressions in the rules of all routers: most are asked of no request but their own
/// hosts', and all are compiled at each change.
const REGEXPS_OF_RULES: usize = 256;
/// The external ports. One container took all that the machine has.
const DYNAMIC_PORTS: usize = 3;
/// The names that certificates are ordered for, in a day: a CA counts them for the whole domain.
const CERTIFICATE_NAMES_PER_DAY: usize = 20;

/// How much a repository may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(Allowance);

impl Default for Quota {
    fn default() -> Self {
        Self(Allowance::Times(1))
    }
}

impl Quota {
    /// That of a repository that the operator trusts.
    pub const UNBOUNDED: Self = Self(Allowance::Unbounded);

    /// How the bounds of single values are multiplied.
    pub fn allowance(self) -> Allowance {
        self.0
    }

    /// The most routers.
    pub fn routers(self) -> usize {
        self.0.most(ENTRIES)
    }

    /// The most services.
    pub fn services(self) -> usize {
        self.0.most(ENTRIES)
    }

    /// The most middlewares.
    pub fn middlewares(self) -> usize {
        self.0.most(ENTRIES)
    }

    /// The most middlewares of one router, expanded.
    pub fn middlewares_of_router(self) -> usize {
        self.0.most(MIDDLEWARES_OF_ROUTER)
    }

    /// The most regular expressions in the middlewares of one router.
    pub fn regexps_of_router(self) -> usize {
        self.0.most(REGEXPS_OF_ROUTER)
    }

    /// The most middlewares of all routers together, expanded.
    pub fn middlewares_of_routers(self) -> usize {
        self.0.most(MIDDLEWARES_OF_ROUTERS)
    }

    /// The most regular expressions in the middlewares of all routers together.
    pub fn regexps_of_routers(self) -> usize {
        self.0.most(REGEXPS_OF_ROUTERS)
    }

    /// The most regular expressions in the rules of all routers together.
    pub fn regexps_of_rules(self) -> usize {
        self.0.most(REGEXPS_OF_RULES)
    }

    /// The most external ports.
    pub fn dynamic_ports(self) -> usize {
        self.0.most(DYNAMIC_PORTS)
    }

    /// The most names that certificates are newly ordered for in a day.
    pub fn certificate_names_per_day(self) -> usize {
        self.0.most(CERTIFICATE_NAMES_PER_DAY)
    }
}

/// What the operator says of one repository: `2816=4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryQuota {
    /// Whose it is.
    pub repository: Repository,
    /// What it is.
    pub quota: Quota,
}

/// Several of them, between spaces; none in an empty text, as in `REDIACC_QUOTAS=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryQuotas(pub Vec<RepositoryQuota>);

impl FromStr for RepositoryQuotas {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let quotas: Result<_, _> = text.split_whitespace().map(str::parse).collect();
        quotas.map(Self)
    }
}

/// The greatest factor.
const MOST: u32 = 1_000;

impl FromStr for RepositoryQuota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let (repository, factor) = text
            .trim()
            .split_once('=')
            .ok_or_else(|| InvalidQuota::Form(text.to_owned()))?;
        let is_number = factor.bytes().all(|byte| byte.is_ascii_digit());
        match factor.parse::<u32>() {
            Ok(factor @ 1..=MOST) if is_number => Ok(Self {
                repository: repository.parse()?,
                quota: Quota(Allowance::Times(factor)),
            }),
            _ => Err(InvalidQuota::Factor(factor.to_owned())),
        }
    }
}

/// What was given is no quota.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuota {
    /// There is no `=`.
    #[error("`{0}` is not a quota: give it as 2816=4")]
    Form(String),
    /// The factor is none.
    #[error("`{0}` is not a factor from 1 to {MOST}")]
    Factor(String),
    /// The repository is none.
    #[error(transparent)]
    Repository(#[from] InvalidNetworkId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_repository_and_a_factor() {
        for (text, routers) in [
            ("2816=1", 1_000),
            ("2816=4", 4_000),
            ("host=1000", 1_000_000),
        ] {
            let quota = text.parse::<RepositoryQuota>().expect("a quota").quota;
            assert_eq!(quota.routers(), routers, "{text}");
            assert_eq!(quota.dynamic_ports(), routers * 3 / 1_000, "{text}");
        }
        for text in [
            "",
            "2816",
            "2816=",
            "2816=0",
            "2816=1001",
            "2816=-1",
            "2816=+2",
            "x=2",
            "=2",
        ] {
            assert!(text.parse::<RepositoryQuota>().is_err(), "{text}");
        }
        assert_eq!(Quota::UNBOUNDED.routers(), usize::MAX);
        for (text, count) in [("", 0), (" ", 0), ("2816=2", 1), ("2816=2  2880=3", 2)] {
            let quotas: RepositoryQuotas = text.parse().expect("quotas");
            assert_eq!(quotas.0.len(), count, "{text}");
        }
        assert!("2816=2 x".parse::<RepositoryQuotas>().is_err());
    }
}
