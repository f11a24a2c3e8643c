//! `renet repo status`: the status of a repository. What does not answer in time becomes a problem in
//! the answer, and never delays the rest of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::{engine, image, run, services, storage};
use crate::bundle::{Failure, RepositoryAnswer, RepositoryState, RepositoryStatus, ServiceStatus};
use crate::repository::{Entry, Phase, Record, RepositoryName};

/// How long a daemon may take to report its services.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to add up the files of a folder.
const COUNTING: Duration = Duration::from_secs(3);

/// The options of `renet repo status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The repository
    name: RepositoryName,
}

impl Status {
    pub(super) fn run(self) -> Result<RepositoryAnswer, Failure> {
        let registry = Record::of_machine().read()?;
        let Some(entry) = registry.repositories.get(&self.name) else {
            return Err(super::unknown(&self.name, &registry));
        };
        Ok(RepositoryAnswer::Status(Box::new(whole(&self.name, entry))))
    }
}

/// The status of a repository, with its disk usage.
pub(super) fn whole(name: &RepositoryName, entry: &Entry) -> RepositoryStatus {
    let mut status = brief(name, entry);
    if storage::is_mounted(name, entry).is_ok_and(|is_mounted| is_mounted) {
        let path = entry.path(name);
        status.used_bytes = if entry.image_bytes.is_some() {
            image::used(&path)
        } else {
            used(&path)
        };
    }
    status
}

/// The status of a repository, without what takes long to find out.
pub(super) fn brief(name: &RepositoryName, entry: &Entry) -> RepositoryStatus {
    let mut problems = Vec::new();
    let mut note = |problem: Failure| {
        problems.push(match problem.hint {
            Some(hint) => format!("{}: {hint}", problem.message),
            None => problem.message,
        });
    };
    if let Err(failure) = super::is_whole(name, entry) {
        note(failure);
    }
    let is_running = engine::is_running(entry.network_id).unwrap_or_else(|failure| {
        note(failure);
        false
    });
    let mut state = match (is_running, entry.started) {
        (true, _) => RepositoryState::Running,
        (false, true) => RepositoryState::Failed,
        (false, false) => RepositoryState::Stopped,
    };
    if state == RepositoryState::Failed {
        note(not_running(name, entry));
    }
    let services = if is_running {
        services_in_time(name, entry)
    } else {
        Ok(Vec::new())
    };
    let services = services.unwrap_or_else(|untold| {
        note(match untold {
            Untold::Failed(failure) => failure,
            Untold::InTime => {
                state = RepositoryState::Failed;
                not_answering(entry)
            }
        });
        Vec::new()
    });
    let run = run::current(entry.network_id).unwrap_or_else(|failure| {
        note(failure);
        None
    });
    RepositoryStatus {
        name: name.clone(),
        network_id: entry.network_id,
        path: entry.path(name),
        state,
        up: entry.up,
        image_bytes: entry.image_bytes,
        used_bytes: None,
        limits: entry.limits,
        allows_unsafe: entry.allows_unsafe,
        services,
        run,
        problems,
    }
}

fn not_running(name: &RepositoryName, entry: &Entry) -> Failure {
    let failure = super::failed("its daemon is not running, although it should be");
    if entry.phase == Phase::Whole {
        failure.hint(format!(
            "`rdc repo up {name} -m MACHINE --mount` starts it, and `journalctl --unit {}` on the machine \
             tells why it ended",
            super::units::docker(entry.network_id)
        ))
    } else {
        failure
    }
}

fn not_answering(entry: &Entry) -> Failure {
    super::failed(format!(
        "its daemon did not answer in {} s",
        PATIENCE.as_secs()
    ))
    .hint(format!(
        "`systemctl restart {}` on the machine restarts it, and leaves its containers alone",
        super::units::docker(entry.network_id)
    ))
}

/// Why the status of the services is unknown.
enum Untold {
    /// The daemon or the file of slots cannot be used.
    Failed(Failure),
    /// The daemon did not answer in time.
    InTime,
}

/// The status of the services, if the daemon reports it in time. A daemon that hangs blocks only its
/// thread.
fn services_in_time(name: &RepositoryName, entry: &Entry) -> Result<Vec<ServiceStatus>, Untold> {
    let (tell, told) = mpsc::channel();
    let (repository, recorded) = (name.clone(), entry.clone());
    thread::spawn(move || {
        // Fails if it is too late and nobody waits for it any more.
        let _ = tell.send(services::statuses(&repository, &recorded));
    });
    told.recv_timeout(PATIENCE)
        .map_err(|_| Untold::InTime)?
        .map_err(Untold::Failed)
}

/// The disk usage of a folder, in bytes; none if it has too many files to add up in time.
fn used(path: &Path) -> Option<u64> {
    let deadline = Instant::now() + COUNTING;
    let device = path.symlink_metadata().ok()?.dev();
    let mut folders = vec![path.to_owned()];
    let mut linked = BTreeSet::new();
    let mut blocks = 0;
    while let Some(folder) = folders.pop() {
        if Instant::now() > deadline {
            return None;
        }
        // What was removed meanwhile uses no space.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else {
                continue;
            };
            // Other file systems that are mounted there do not count.
            if found.dev() != device {
                continue;
            }
            let is_new = found.is_dir() || found.nlink() == 1 || linked.insert(found.ino());
            if is_new {
                blocks += found.blocks();
            }
            if found.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Some(blocks * 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_is_counted_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = folder.path().join("one");
        fs::write(&one, vec![1; 1 << 20]).expect("it is written");
        let alone = used(folder.path()).expect("it is counted");
        fs::create_dir(folder.path().join("below")).expect("a folder");
        fs::hard_link(&one, folder.path().join("below/two")).expect("a link");
        let both = used(folder.path()).expect("it is counted");
        assert!(alone >= 1 << 20, "{alone}");
        assert!(both < 2 << 20, "{both}");
    }
}
