//! `renet repo list`: lists all repositories of this machine.

use std::thread;

use super::status;
use crate::bundle::{Failure, RepositoryStatus};
use crate::repository::Record;

/// Asks all daemons in parallel, since each one that hangs takes its whole timeout.
pub(super) fn list() -> Result<Vec<RepositoryStatus>, Failure> {
    let registry = Record::of_machine().read()?;
    let repositories: Vec<_> = registry.repositories.iter().collect();
    let mut statuses = Vec::with_capacity(repositories.len());
    // Enough threads for hundreds of repositories within a second or two.
    for some in repositories.chunks(32) {
        thread::scope(|scope| {
            let asked: Vec<_> = some
                .iter()
                .map(|(name, entry)| scope.spawn(|| status::brief(name, entry)))
                .collect();
            statuses.extend(asked.into_iter().filter_map(|asked| asked.join().ok()));
        });
    }
    Ok(statuses)
}
