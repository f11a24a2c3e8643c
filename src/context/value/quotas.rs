//! How much more than the usual a repository may cost others.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidValue;
use crate::ownership::Repository;

/// What a quota looks like, for whoever gave another one.
const VALID: &str = "ID=FACTOR with a factor from 1 to 1000, as 2816=3";

/// A factor by which a repository's bounds are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quota(u16);

/// The factor of one repository: `2816=3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryQuota {
    /// Whose.
    pub repository: Repository,
    /// The factor; none goes back to the usual bounds.
    pub quota: Option<Quota>,
}

/// The factors of one machine's repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quotas(BTreeMap<Repository, Quota>);

impl Quotas {
    /// Whether all have the usual bounds.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The repositories, ascending, and the factor of each.
    pub fn iter(&self) -> impl Iterator<Item = (Repository, Quota)> + '_ {
        self.0
            .iter()
            .map(|(repository, quota)| (*repository, *quota))
    }

    /// These factors with those of some repositories replaced.
    pub fn with(self, changes: Vec<RepositoryQuota>) -> Self {
        let Self(mut quotas) = self;
        for RepositoryQuota { repository, quota } in changes {
            match quota {
                Some(quota) => quotas.insert(repository, quota),
                None => quotas.remove(&repository),
            };
        }
        Self(quotas)
    }
}

/// One behind the other with a space between them, as the route server reads them.
impl fmt::Display for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (repository, quota)) in self.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{repository}={quota}")?;
        }
        Ok(())
    }
}

impl FromStr for RepositoryQuota {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (repository, factor) = text.split_once('=').ok_or_else(|| {
            InvalidValue::new(format!("`{}` names no repository", text.trim()), VALID)
        })?;
        let repository = repository.trim();
        let factor = factor.trim();
        Ok(Self {
            repository: repository.parse().map_err(|_| {
                InvalidValue::new(format!("`{repository}` is not a repository"), VALID)
            })?,
            quota: match factor {
                "" => None,
                factor => Some(factor.parse()?),
            },
        })
    }
}

impl FromStr for Quota {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new(format!("`{text}` is not a factor"), VALID);
        // `+3` parses as a number, but is nothing that anybody means.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        text.parse::<i64>().map_err(|_| refused())?.try_into()
    }
}

impl TryFrom<i64> for Quota {
    type Error = InvalidValue;

    fn try_from(factor: i64) -> Result<Self, InvalidValue> {
        u16::try_from(factor)
            .ok()
            .filter(|factor| (1..=1000).contains(factor))
            .map(Self)
            .ok_or_else(|| {
                InvalidValue::new(format!("{factor} is no factor from 1 to 1000"), VALID)
            })
    }
}

impl From<Quota> for i64 {
    fn from(quota: Quota) -> Self {
        quota.0.into()
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_set_replaced_and_taken_back() {
        let mut quotas = Quotas::default();
        for (given, expected) in [
            (&["2816=3", "host=1000"][..], "2816=3 host=1000"),
            (&["2816=4", " 2880 = 1 "], "2816=4 2880=1 host=1000"),
            (&["2816=", "host="], "2880=1"),
        ] {
            let given = given.iter().map(|text| text.parse().expect(text));
            quotas = quotas.with(given.collect());
            assert_eq!(quotas.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_factor_is_refused() {
        for (text, said) in [
            ("2816", "names no repository"),
            ("2817=3", "`2817` is not a repository"),
            ("2816=0", "0 is no factor"),
            ("2816=1001", "1001 is no factor"),
            ("2816=-1", "`-1` is not a factor"),
            ("2816=+1", "`+1` is not a factor"),
            ("2816=1.5", "`1.5` is not a factor"),
            ("2816=many", "`many` is not a factor"),
            ("2816=99999999999999999999", "is not a factor"),
        ] {
            let error = text.parse::<RepositoryQuota>().expect_err(text);
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }
}
