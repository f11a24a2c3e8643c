//! The record of what syncs brought to a repository, in its `.rediacc/synced.json`. A later sync may
//! delete only what is in it.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::tree::{Found, Stamp, Tree};
use crate::sync::{Item, Manifest, SyncPath};

/// The version of the format.
const VERSION: u32 = 1;
const PATH: &str = ".rediacc/synced.json";
const PART: &str = ".rediacc/synced.json.part";

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    items: BTreeMap<SyncPath, Brought>,
}

/// One item that a sync brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brought {
    pub(super) item: Item,
    /// The stamp of a file as the sync left it; none if unknown, as after an interrupted sync.
    pub(super) stamp: Option<Stamp>,
}

impl Record {
    /// Reads it. A broken record counts as empty, with a warning: then nothing is deleted.
    pub(super) fn read(tree: &Tree) -> io::Result<(Self, Vec<String>)> {
        if tree.look(PATH)?.is_none() {
            return Ok((Self::default(), Vec::new()));
        }
        let mut text = Vec::new();
        tree.file(PATH)?.read_to_end(&mut text)?;
        let read = serde_json::from_slice(&text);
        let problem = match read {
            Ok(
                record @ Self {
                    version: VERSION, ..
                },
            ) => return Ok((record, Vec::new())),
            Ok(Self { version, .. }) => format!("its version is {version}"),
            Err(error) => error.to_string(),
        };
        let warning = format!(
            "{PATH}, the record of earlier syncs, cannot be used ({problem}): nothing is \
             deleted"
        );
        Ok((Self::default(), vec![warning]))
    }

    /// What syncs brought, by path.
    pub(super) fn items(&self) -> &BTreeMap<SyncPath, Brought> {
        &self.items
    }

    pub(super) fn note(&mut self, path: &SyncPath, item: &Item, stamp: Option<Stamp>) {
        // The file of slots belongs to the machine as soon as it exists.
        if !path.is_slots() {
            let brought = Brought {
                item: item.clone(),
                stamp,
            };
            self.items.insert(path.clone(), brought);
        }
    }

    pub(super) fn forget(&mut self, path: &SyncPath) {
        self.items.remove(path);
    }

    /// Notes what is about to be brought, so that a later sync can delete the remains of an interrupted
    /// one. A folder that existed before is not noted.
    pub(super) fn intend(&mut self, tree: &Tree, manifest: &Manifest) -> io::Result<()> {
        for (path, item) in manifest.items() {
            let is_theirs = matches!(item, Item::Folder { .. })
                && !self.items.contains_key(path)
                && tree.look(path)? == Some(Found::Folder);
            let is_known = self.items.get(path).is_some_and(|it| it.item == *item);
            if !is_theirs && !is_known {
                self.note(path, item, None);
            }
        }
        Ok(())
    }

    /// Writes it atomically, by a rename.
    pub(super) fn write(&mut self, tree: &Tree) -> io::Result<()> {
        self.version = VERSION;
        let mut file = tree.create(PART, OFlags::TRUNC)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        tree.rename(PART, PATH)
    }
}
