//! `renet repo delete`: deletes a repository and everything in it. It is first marked as being deleted,
//! and removed from the record last, so that an interrupted deletion is completed by the next one.

use std::path::Path;

use clap::Args;

use super::lock::RepositoryLock;
use super::{engine, run, storage};
use crate::bundle::{Failure, FailureKind, RepositoryAnswer};
use crate::layout;
use crate::machine::workstation::Workstation;
use crate::machine::{failure, files};
use crate::repository::{Entry, Phase, Record, RepositoryName};

/// The options of `renet repo delete`.
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The repository
    name: RepositoryName,
}

impl Delete {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        workstation.secrets()?;
        let _lock = RepositoryLock::take(&self.name, "delete")?;
        let registry = Record::of_machine().read()?;
        let Some(entry) = registry.repositories.get(&self.name) else {
            return Err(super::unknown(&self.name, &registry));
        };
        refuse_during_a_run("delete", &self.name, entry)?;
        delete(&self.name, entry)?;
        Ok(RepositoryAnswer::Deleted {
            network_id: entry.network_id,
        })
    }
}

/// Deletes a repository, even if only parts of it exist.
pub(super) fn delete(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    storage::is_removable(name, entry)?;
    Record::of_machine().edit(|registry| {
        if let Some(recorded) = registry.repositories.get_mut(name) {
            recorded.phase = Phase::Deleting;
            recorded.up = false;
        }
        Ok::<_, Failure>(())
    })?;
    engine::remove(name, entry)?;
    storage::remove(name, entry)?;
    let run = Path::new(layout::RUNS).join(entry.network_id.to_string());
    files::delete(&run)?;
    Record::of_machine().edit(|registry| {
        registry.repositories.remove(name);
        // Under the lock of the record: a creation at the same time records its repository first, and
        // installs the units after that.
        if registry.repositories.is_empty() {
            engine::remove_shared()?;
        }
        Ok(())
    })
}

/// Refuses an action while a run of the repository is in progress.
pub(super) fn refuse_during_a_run(
    action: &str,
    name: &RepositoryName,
    entry: &Entry,
) -> Result<(), Failure> {
    match run::current(entry.network_id)? {
        Some(run) if run.running => Err(failure(
            FailureKind::Locked,
            format!(
                "cannot {action} repository `{name}`: a run of `{}` is in progress",
                run.task
            ),
        )
        .hint(format!(
            "`rdc repo status {name} -m MACHINE` shows it; try again when it has ended"
        ))),
        _ => Ok(()),
    }
}
