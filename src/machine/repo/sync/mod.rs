//! `renet repo sync`: copies the changes of a folder of the workstation to a repository.
//!
//! ```text
//! shipment ─► receive ─► plan ─► lacking contents?  yes: name them, change nothing
//!             (staging)                             no:  note the intent ─► delete, write ─► record
//! ```
//!
//! The services of the repository can write to it, so nothing in it is trusted: `tree` follows no links.

mod apply;
mod plan;
mod receive;
mod record;
#[cfg(test)]
mod tests;
mod tree;

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use clap::Args;

use super::{engine, find, storage};
use crate::bundle::{Failure, FailureKind, RepositoryAnswer, Secrets, SyncReport};
use crate::causes::with_causes;
use crate::machine::workstation::Workstation;
use crate::machine::{failed, failure, refused};
use crate::repository::RepositoryName;
use crate::sync::ShipmentError;
use plan::Plan;
use receive::receive;
use record::Record;
use tree::Tree;

/// The options of `renet repo sync`.
#[derive(Debug, Args)]
pub(super) struct Sync {
    /// The repository
    name: RepositoryName,
    /// Mount the repository and start its daemon, if necessary
    #[arg(long)]
    mount: bool,
}

impl Sync {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        let Self { name, mount } = self;
        if workstation == Workstation::ByHand {
            return Err(
                refused("`renet repo sync` is run by `rdc`, which sends the files").hint(format!(
                    "run `rdc repo up {name} --source DIR` on your workstation"
                )),
            );
        }
        let mut input = BufReader::new(io::stdin());
        greeted(&mut input)?;
        let entry = find(&name)?;
        if !storage::is_mounted(&name, &entry)? {
            if !mount {
                return Err(
                    refused(format!("repository `{name}` is not mounted")).hint(format!(
                        "`rdc repo up {name} -m MACHINE --mount --source DIR` mounts it"
                    )),
                );
            }
            engine::start(&name, &entry)?;
        }
        Ok(match sync(&entry.path(&name), input)? {
            Outcome::Lacking(paths) => RepositoryAnswer::Wanted(paths),
            Outcome::Synced(report) => RepositoryAnswer::Synced(report),
        })
    }
}

/// Reads the document of secrets that every `rdc` sends first, on a line of its own.
fn greeted(input: &mut impl BufRead) -> Result<Secrets, Failure> {
    let mut line = Vec::new();
    let read = input.read_until(b'\n', &mut line);
    let secrets = read.map_err(serde_json::Error::io);
    // The error's text is left out: it could quote a secret.
    secrets
        .and_then(|_| serde_json::from_slice(&line))
        .map_err(|_| did_not_arrive())
}

fn did_not_arrive() -> Failure {
    refused("the input from `rdc` did not arrive: nothing was changed").hint("run it again")
}

/// The outcome of a sync.
#[derive(Debug)]
enum Outcome {
    /// The contents of these files are needed, and nothing was changed: send again with them.
    Lacking(Vec<String>),
    /// It is complete.
    Synced(SyncReport),
}

/// Applies a shipment to the folder `root`.
fn sync(root: &Path, shipment: impl BufRead) -> Result<Outcome, Failure> {
    let tree = Tree::open(root)
        .map_err(|error| failed(format!("cannot open {}: {error}", root.display())))?;
    let Some(_lock) = tree.lock().map_err(|error| unusable(&error))? else {
        let message = "another sync of this repository is in progress".to_owned();
        return Err(failure(FailureKind::Locked, message).hint("run it again in a moment"));
    };
    let received = receive(&tree, shipment)?;
    let (record, mut warnings) = Record::read(&tree).map_err(|error| unusable(&error))?;
    let plan = Plan::of(&tree, received.manifest(), &record)?;
    let lacking = plan.lacking(&received);
    if !lacking.is_empty() {
        return Ok(Outcome::Lacking(lacking));
    }
    let mut report = apply::apply(&tree, plan, &received, &record)?;
    warnings.append(&mut report.warnings);
    report.warnings = warnings;
    Ok(Outcome::Synced(report))
}

/// The failure to use the repository's private folder.
fn unusable(error: &io::Error) -> Failure {
    let private = crate::layout::REPOSITORY_PRIVATE;
    failed(format!(
        "cannot use the private folder {private} of the repository: {error}"
    ))
    .hint("check whether something else is at its place, and whether the disk is full or read-only")
}

impl From<ShipmentError> for Failure {
    fn from(error: ShipmentError) -> Self {
        let message = with_causes(&error);
        match error {
            ShipmentError::Broken(_) | ShipmentError::Head(_) | ShipmentError::Unannounced(_) => {
                refused(format!("{message}: nothing was changed")).hint("run it again")
            }
            ShipmentError::Damaged(_) => refused(format!("{message}: nothing was changed"))
                .hint("run it again when nothing writes to it"),
            ShipmentError::Write { .. } => {
                failed(message).hint("make room on the repository's disk, then run it again")
            }
        }
    }
}
