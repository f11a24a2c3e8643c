//! The machine's registry of repositories. Pure: `record` stores it in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RepositoryName;
use crate::network::NetworkId;

/// All repositories of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// The network id that was handed out last. Ids go up from it, so that none is reused before
    /// the range is used up.
    #[serde(default)]
    pub last_id: Option<NetworkId>,
    /// The repositories by name.
    #[serde(default)]
    pub repositories: BTreeMap<RepositoryName, Entry>,
}

/// One repository of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its network, which also names its daemon.
    pub network_id: NetworkId,
    /// The folder that holds the machine's repositories, an absolute path.
    pub datastore: PathBuf,
    /// The size of its image in bytes; none where it is a plain folder.
    #[serde(default)]
    pub image_bytes: Option<u64>,
    /// Whether it should be mounted and its daemon run, also after a reboot.
    #[serde(default)]
    pub started: bool,
    /// Whether its services should run, also after a reboot.
    #[serde(default)]
    pub up: bool,
    /// Whether the operator lets its services reach the machine (`--unsafe`).
    #[serde(default)]
    pub allows_unsafe: bool,
    /// The limits of its daemon and services together.
    #[serde(default)]
    pub limits: Limits,
    /// Whether it is complete.
    #[serde(default)]
    pub phase: Phase,
}

/// Whether a repository is complete. The phase is recorded before anything is created or deleted, so
/// that an interrupted command is known and completed by the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is complete.
    #[default]
    Whole,
    /// It is being created, or its creation was interrupted.
    Creating,
    /// It is being deleted, or its deletion was interrupted.
    Deleting,
}

/// The limits of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes; none for no limit.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Processes and threads; none for no limit.
    #[serde(default)]
    pub tasks: Option<u64>,
}

impl Limits {
    /// What a daemon and a few containers need: its own part was measured at 35 MiB and 16 threads.
    pub const LEAST_MEMORY_BYTES: u64 = 128 << 20;
    /// The same of processes and threads.
    pub const LEAST_TASKS: u64 = 128;
    /// The smallest image: below that, the file system takes most of it.
    pub const LEAST_IMAGE_BYTES: u64 = 64 << 20;
}

impl Entry {
    /// The repository's folder: where its image is mounted, if it has one.
    pub fn path(&self, name: &RepositoryName) -> PathBuf {
        self.datastore.join("repositories").join(name.as_str())
    }

    /// Where its image lies, if it has one.
    pub fn image(&self, name: &RepositoryName) -> Option<PathBuf> {
        let file = format!("{name}.img");
        self.image_bytes
            .map(|_| self.datastore.join("images").join(file))
    }
}

impl Registry {
    /// The repository with a network id.
    pub fn by_id(&self, id: NetworkId) -> Option<(&RepositoryName, &Entry)> {
        self.repositories
            .iter()
            .find(|(_, entry)| entry.network_id == id)
    }

    /// Takes the next free network id: the first one after the last, from the beginning again once
    /// the range is used up. `taken` holds further ids in use, of daemons that nobody recorded.
    pub fn take_id(&mut self, taken: &BTreeSet<NetworkId>) -> Result<NetworkId, NoFreeId> {
        let used: BTreeSet<u32> = self
            .repositories
            .values()
            .map(|entry| entry.network_id)
            .chain(taken.iter().copied())
            .map(u32::from)
            .collect();
        let after = self.last_id.map_or(NetworkId::FIRST, |id| {
            u32::from(id).saturating_add(NetworkId::STEP)
        });
        let step = NetworkId::STEP as usize;
        let id = (after..=NetworkId::LAST)
            .step_by(step)
            .chain((NetworkId::FIRST..=NetworkId::LAST).step_by(step))
            .find(|id| !used.contains(id))
            .and_then(|id| NetworkId::try_from(id).ok())
            .ok_or(NoFreeId)?;
        self.last_id = Some(id);
        Ok(id)
    }
}

/// Every network id is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every network id of this machine is in use")]
pub struct NoFreeId;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u32) -> NetworkId {
        NetworkId::try_from(id).expect("a network id")
    }

    fn entry(id: NetworkId) -> Entry {
        Entry {
            network_id: id,
            datastore: "/mnt/rediacc".into(),
            image_bytes: None,
            started: false,
            up: false,
            allows_unsafe: false,
            limits: Limits::default(),
            phase: Phase::default(),
        }
    }

    #[test]
    fn ids_go_up_and_come_back_only_after_the_last_one() {
        for (last, used, taken, expected) in [
            (None, &[][..], &[][..], 2816),
            (Some(2816), &[2816], &[], 2880),
            // Deleted ones are not reused …
            (Some(2944), &[2816], &[], 3008),
            // … nor are those of daemons that nobody recorded.
            (Some(2816), &[2816], &[2880, 2944], 3008),
            (Some(NetworkId::LAST), &[2816], &[2880], 2944),
        ] {
            let names = ["a", "b", "c"];
            let mut registry = Registry {
                last_id: last.map(id),
                repositories: used
                    .iter()
                    .zip(names)
                    .map(|(used, name)| (name.parse().expect("a name"), entry(id(*used))))
                    .collect(),
            };
            let taken = taken.iter().map(|taken| id(*taken)).collect();
            assert_eq!(registry.take_id(&taken), Ok(id(expected)), "after {last:?}");
            assert_eq!(registry.last_id, Some(id(expected)));
        }
    }
}
