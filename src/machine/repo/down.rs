//! `renet repo down`: takes a repository's services down, in a run. It calls `down` of every
//! Rediaccfile, even if others fail.

use clap::Args;

use super::run::{self, Follower, Said, Work};
use super::up::{self, Repository};
use super::{answers, engine, find, storage};
use crate::bundle::{DownReport, Failure, RepositoryAnswer, Task};
use crate::machine::workstation::Workstation;
use crate::repository::{Entry, RepositoryName, Slots};

/// The options of `renet repo down`.
#[derive(Debug, Args)]
pub(super) struct Down {
    /// The repository
    name: RepositoryName,
    /// Also stop its daemon and unmount it
    #[arg(long)]
    unmount: bool,
    /// Do not wait for the run to end
    #[arg(long)]
    detach: bool,
}

impl Down {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        let Self {
            name,
            unmount,
            detach,
        } = self;
        workstation.secrets()?;
        let entry = find(&name)?;
        let work = Work {
            unmount,
            ..Work::of(Task::Down)
        };
        let follower = Follower::of(workstation, detach);
        run::start_or_join(&name, &entry, &work, follower, || {
            // A repository whose daemon does not run can still be unmounted.
            if unmount {
                Ok(())
            } else {
                up::is_started(&name, &entry)
            }
        })
    }
}

/// Does the work of a run.
pub(super) fn carry_out(
    name: &RepositoryName,
    entry: &Entry,
    work: &Work,
    said: &mut Said,
) -> Result<DownReport, Failure> {
    // First, so that a reboot in the middle does not bring it up again.
    up::record(name, |entry| entry.up = false)?;
    let mut report = DownReport::default();
    let is_running = storage::is_mounted(name, entry)? && engine::is_running(entry.network_id)?;
    if is_running {
        let repository = Repository::of(name, entry)?;
        for file in repository.found.rediaccfiles.iter().rev() {
            report.failures.extend(repository.call(file, "down", said)?);
        }
        report.still_running = still_running(name, entry)?;
    }
    if work.unmount {
        said.step(None, "stop the daemon and unmount the repository");
        engine::stop(name, entry)?;
        storage::unmount(name, entry)?;
        // `engine::stop` has stopped all containers.
        report.still_running.clear();
    }
    Ok(report)
}

fn still_running(name: &RepositoryName, entry: &Entry) -> Result<Vec<String>, Failure> {
    let slots = Slots::read(&entry.path(name))?;
    let services = answers::services(entry.network_id, &slots)?;
    let running = services
        .into_iter()
        .filter(|it| it.container.state.status == "running");
    Ok(running.map(|service| service.name).collect())
}
