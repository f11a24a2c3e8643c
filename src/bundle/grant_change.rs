//! What a plan changes of what the operator granted, and how it reads.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::context::value::Quota;
use crate::ownership::{Grant, Repository};

/// What changes for one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantChange {
    /// Which.
    pub repository: Repository,
    /// What is granted to it from now on.
    pub gets: BTreeSet<Grant>,
    /// What is not granted to it any more.
    pub loses: BTreeSet<Grant>,
    /// How many times the usual it may cost others, where that changes.
    pub quota: Option<QuotaChange>,
}

/// How a repository's quota changes. None is the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaChange {
    /// What it was.
    pub before: Option<Quota>,
    /// What it becomes.
    pub after: Option<Quota>,
}

impl GrantChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.gets.is_empty() && self.loses.is_empty() && self.quota.is_none()
    }
}

impl fmt::Display for GrantChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            repository,
            gets,
            loses,
            quota,
        } = self;
        let mut parts = Vec::new();
        if !gets.is_empty() {
            parts.push(format!("gets {}", listed(gets)));
        }
        if !loses.is_empty() {
            parts.push(format!("loses {}", listed(loses)));
        }
        if let Some(QuotaChange { after, .. }) = quota {
            parts.push(match after {
                Some(factor) => format!("quota becomes {factor} times the usual"),
                None => "quota becomes the usual".to_owned(),
            });
        }
        write!(f, "{repository}")?;
        for (index, part) in parts.iter().enumerate() {
            match (index, part.starts_with("quota")) {
                (0, false) => write!(f, " {part}")?,
                (0, true) => write!(f, "'s {part}")?,
                (_, false) => write!(f, "; it {part}")?,
                (_, true) => write!(f, "; its {part}")?,
            }
        }
        Ok(())
    }
}

fn listed(grants: &BTreeSet<Grant>) -> String {
    let grants: Vec<String> = grants.iter().map(ToString::to_string).collect();
    grants.join(", ")
}
