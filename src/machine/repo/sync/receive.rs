//! Receives a shipment into a staging folder in the repository's private one. The contents are moved to
//! their places only after all of them have arrived.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead};
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::tree::{Found, Tree};
use super::unusable;
use crate::bundle::Failure;
use crate::sync::{Manifest, Shipment, SyncPath};

/// The staging folder. The remains of an interrupted sync in it are removed.
const STAGING: &str = ".rediacc/sync";

/// A received shipment. Contents that are not used are removed when it is dropped.
pub(super) struct Received<'a> {
    tree: &'a Tree,
    manifest: Manifest,
    staged: BTreeMap<SyncPath, PathBuf>,
}

/// Receives a whole shipment. If that fails, nothing was changed.
pub(super) fn receive(tree: &Tree, shipment: impl BufRead) -> Result<Received<'_>, Failure> {
    let shipment = Shipment::open(shipment)?;
    sweep(tree).map_err(|error| unusable(&error))?;
    let mut received = Received {
        tree,
        manifest: shipment.manifest().clone(),
        staged: BTreeMap::new(),
    };
    if shipment.has_contents() {
        tree.make_folders(STAGING.as_ref())
            .map_err(|error| unusable(&error))?;
    }
    shipment.receive(|path| received.stage(path))?;
    Ok(received)
}

impl Received<'_> {
    /// The manifest of the source.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The staged content of a file, if it was received.
    pub(super) fn content(&self, path: &SyncPath) -> Option<&PathBuf> {
        self.staged.get(path)
    }

    fn stage(&mut self, path: &SyncPath) -> io::Result<File> {
        let number = self.staged.len().to_string();
        let place = PathBuf::from(STAGING).join(number);
        let file = self.tree.create(&place, OFlags::EXCL)?;
        self.staged.insert(path.clone(), place);
        Ok(file)
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next sync.
        for place in self.staged.values() {
            let _ = self.tree.remove(place);
        }
        let _ = self.tree.remove_folder(STAGING);
    }
}

/// Removes the remains of an interrupted sync. Nothing uses them, since this sync holds the lock.
fn sweep(tree: &Tree) -> io::Result<()> {
    if tree.look(STAGING)? != Some(Found::Folder) {
        return Ok(());
    }
    for name in tree.names(STAGING)? {
        tree.remove(PathBuf::from(STAGING).join(name))?;
    }
    tree.remove_folder(STAGING).map(drop)
}
