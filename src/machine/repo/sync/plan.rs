//! Plans a sync: compares the files of the source with those of the repository, and with what an earlier
//! sync brought. Nothing is changed here.
//!
//! The source wins: a file in its way is kept aside, with a warning. A folder with files that no sync
//! brought is never replaced.

use std::collections::BTreeMap;
use std::io;

use super::receive::Received;
use super::record::Record;
use super::tree::{Found, Stamp, Tree};
use crate::bundle::Failure;
use crate::machine::{failed, refused};
use crate::sync::{Content, Hashing, Item, Manifest, SyncPath};

/// The changes of a sync.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What an earlier sync brought and the source no longer has, the innermost first.
    pub(super) deletes: Vec<(SyncPath, Delete)>,
    /// The step for each item of the source, a folder before its contents.
    pub(super) steps: BTreeMap<SyncPath, Step>,
    pub(super) warnings: Vec<String>,
}

/// How to delete what an earlier sync brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delete {
    /// Remove it.
    File,
    /// Remove the folder if it is empty.
    Folder,
    /// Only remove it from the record: somebody changed it, or it is gone.
    Forget,
}

/// The step for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: it is up to date.
    Keep(Option<Stamp>),
    /// Nothing: it belongs to the machine, such as the slots.
    Leave,
    /// Only change its permissions.
    SetMode,
    /// Write it, in the place of what is there.
    Write(InTheWay),
}

/// What is at the path of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InTheWay {
    /// Nothing, or what an earlier sync brought.
    Nothing,
    /// Something else, which is kept aside.
    Foreign,
    /// A folder that an earlier sync brought, and that is empty by the time of the step.
    Folder,
}

impl Plan {
    pub(super) fn of(tree: &Tree, manifest: &Manifest, record: &Record) -> Result<Self, Failure> {
        let mut plan = Self::default();
        for path in record.items().keys().rev() {
            if !manifest.items().contains_key(path) {
                let delete = plan.delete(tree, path, record);
                plan.deletes.push((
                    path.clone(),
                    delete.map_err(|error| unreadable(path, &error))?,
                ));
            }
        }
        for (path, item) in manifest.items() {
            let step = plan.step(tree, path, item, record)?;
            plan.steps.insert(path.clone(), step);
        }
        Ok(plan)
    }

    /// The files whose contents are needed and were not received.
    pub(super) fn lacking(&self, received: &Received<'_>) -> Vec<String> {
        let is_file = |path: &SyncPath| {
            matches!(
                received.manifest().items().get(path),
                Some(Item::File { .. })
            )
        };
        self.steps
            .iter()
            .filter(|(_, step)| matches!(step, Step::Write(_)))
            .filter(|(path, _)| is_file(path) && received.content(path).is_none())
            .map(|(path, _)| path.to_string())
            .collect()
    }

    fn delete(&mut self, tree: &Tree, path: &SyncPath, record: &Record) -> io::Result<Delete> {
        let found = tree.look(path)?;
        Ok(match (&record.items()[path].item, &found) {
            (_, None) => Delete::Forget,
            (Item::Folder { .. }, Some(Found::Folder)) => Delete::Folder,
            (_, Some(found)) if is_as_brought(tree, path, found, record)? => Delete::File,
            _ => {
                self.warnings.push(format!(
                    "{path} was removed from the source, but changed on the machine: it is kept"
                ));
                Delete::Forget
            }
        })
    }

    fn step(
        &mut self,
        tree: &Tree,
        path: &SyncPath,
        item: &Item,
        record: &Record,
    ) -> Result<Step, Failure> {
        let failed = |error: io::Error| unreadable(path, &error);
        let found = tree.look(path).map_err(failed)?;
        let Some(found) = found else {
            return Ok(Step::Write(InTheWay::Nothing));
        };
        if path.is_slots() {
            return Ok(Step::Leave);
        }
        match (item, &found) {
            (Item::Folder { .. }, Found::Folder) => return Ok(Step::Keep(None)),
            (Item::Link { target }, Found::Link(there)) if target == there => {
                return Ok(Step::Keep(None));
            }
            (Item::File { mode, sha256, .. }, Found::File(stamp)) => {
                let there = content(tree, path, *stamp, record).map_err(failed)?;
                if there == *sha256 && stamp.mode == *mode {
                    return Ok(Step::Keep(Some(*stamp)));
                }
                if there == *sha256 {
                    return Ok(Step::SetMode);
                }
            }
            (_, Found::Folder) if record.items().contains_key(path) => {
                return Ok(Step::Write(InTheWay::Folder));
            }
            (_, Found::Folder) => {
                return Err(refused(format!(
                    "`{path}` is a folder on the machine, which no sync brought, and none in the \
                     source: nothing was changed"
                ))
                .hint("move it away on the machine, or add it to .rediaccignore"));
            }
            _ => {}
        }
        if is_as_brought(tree, path, &found, record).map_err(failed)? {
            return Ok(Step::Write(InTheWay::Nothing));
        }
        self.warnings.push(if record.items().contains_key(path) {
            format!("{path} was changed on the machine since the last sync: replaced by that of the source")
        } else {
            format!("{path} was on the machine already: replaced by that of the source")
        });
        Ok(Step::Write(InTheWay::Foreign))
    }
}

/// Whether what is there is what a sync left there.
fn is_as_brought(tree: &Tree, path: &SyncPath, found: &Found, record: &Record) -> io::Result<bool> {
    let Some(brought) = record.items().get(path) else {
        return Ok(false);
    };
    Ok(match (&brought.item, found) {
        (Item::Link { target }, Found::Link(there)) => target == there,
        (Item::File { sha256, .. }, Found::File(stamp)) => {
            content(tree, path, *stamp, record)? == *sha256
        }
        _ => false,
    })
}

/// The content of a file. A file that is unchanged since a sync, by its stamp, is not read again.
fn content(tree: &Tree, path: &SyncPath, stamp: Stamp, record: &Record) -> io::Result<Content> {
    if let Some(brought) = record.items().get(path)
        && brought.stamp == Some(stamp)
        && let Item::File { sha256, .. } = brought.item
    {
        return Ok(sha256);
    }
    let mut hashing = Hashing::default();
    io::copy(&mut tree.file(path)?, &mut hashing)?;
    Ok(hashing.content())
}

fn unreadable(path: &SyncPath, error: &io::Error) -> Failure {
    failed(format!("cannot read `{path}` of the repository: {error}"))
}
