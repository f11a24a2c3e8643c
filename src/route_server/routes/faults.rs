//! What is wrong with single entries of a container's labels. A broken entry is gone, and its name
//! is kept: what refers to it is not served either, rather than served without it.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::labels::{Entry, EntryKind};

/// What was found, and what it costs.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// The entries that it costs.
    pub(super) broken: BTreeSet<Entry>,
}

impl Faults {
    /// Notes what costs no entry, or one that is gone already.
    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Notes what costs an entry, which is still there.
    pub(super) fn breaks(&mut self, kind: EntryKind, name: &str, problem: Problem) {
        let name = name.to_owned();
        self.broken.insert(Entry { kind, name });
        self.problems.push(problem);
    }

    /// Takes the broken entries out of a configuration.
    pub(super) fn take_out(&self, config: &mut DynamicConfig) {
        for entry in &self.broken {
            entry.remove(config);
        }
    }

    /// Keeps the entries of a map that pass a check. It is given the entry's name, and how its
    /// labels begin.
    pub(super) fn sift<T>(
        &mut self,
        kind: EntryKind,
        entries: &mut BTreeMap<String, T>,
        mut check: impl FnMut(&str, &str, &mut T) -> Result<(), Problem>,
    ) {
        let prefix = kind.prefix();
        entries.retain(|name, entry| {
            let checked = check(name, &format!("{prefix}.{name}"), entry);
            let Err(problem) = checked else {
                return true;
            };
            self.breaks(kind, name, problem);
            false
        });
    }
}
