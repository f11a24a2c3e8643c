//! `renet repo restore` brings up, after a boot, the repositories that were up; `renet repo halt` stops
//! all containers for a shutdown. Units of systemd run both.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::thread;

use super::{engine, up};
use crate::bundle::Failure;
use crate::repository::{Entry, Phase, Record, RepositoryName};

/// Brings up what was up. A repository that was only started needs nothing: the unit of its daemon does
/// that.
pub(super) fn restore() -> Result<ExitCode, Failure> {
    each(|entry| entry.up && entry.phase == Phase::Whole, up::restore)
}

/// Stops the containers of all repositories, whose daemons have ended already.
pub(super) fn halt() -> Result<ExitCode, Failure> {
    each(|_| true, engine::halt)
}

/// Does the same with several repositories, in parallel. A failure does not stop the others; it is
/// printed for the journal.
fn each(
    which: impl Fn(&Entry) -> bool,
    act: impl Fn(&RepositoryName, &Entry) -> Result<(), Failure> + Sync,
) -> Result<ExitCode, Failure> {
    let registry = Record::of_machine().read()?;
    let chosen: Vec<_> = registry
        .repositories
        .iter()
        .filter(|(_, entry)| which(entry))
        .collect();
    let act = &act;
    let all_went_well = thread::scope(|scope| {
        let acting: Vec<_> = chosen
            .into_iter()
            .map(|(name, entry)| (name, scope.spawn(move || act(name, entry))))
            .collect();
        let mut all_went_well = true;
        for (name, acting) in acting {
            let Ok(Err(failure)) = acting.join() else {
                continue;
            };
            all_went_well = false;
            // If the journal cannot be written, the exit code alone has to tell.
            let _ = writeln!(
                io::stderr(),
                "error: repository `{name}`: {}",
                failure.message
            );
            for line in failure.hint.iter().chain(&failure.journal) {
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
        all_went_well
    });
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
