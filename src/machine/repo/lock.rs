//! One operation at a time on each repository: an advisory lock, which the kernel releases when its
//! holder ends. The programs that an operation runs hold it too, so that a killed `renet` does not let
//! another one touch an image while `resize2fs` still runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::bundle::{Failure, FailureKind};
use crate::layout;
use crate::machine::{failed, failure, files, lock};
use crate::repository::RepositoryName;

/// How long to wait for the programs of a killed `renet` to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two attempts: the kernel can wait for a lock, but not with a deadline.
const INTERVAL: Duration = Duration::from_millis(50);

/// The lock of one repository, held until it is dropped.
#[derive(Debug)]
pub(super) struct RepositoryLock {
    _file: File,
}

impl RepositoryLock {
    /// Takes the lock for an operation, such as `resize`; fails with its holder if it is held. It goes
    /// by the name, because a repository that is being created has no id. The file stays until a reboot.
    pub(super) fn take(name: &RepositoryName, operation: &str) -> Result<Self, Failure> {
        Self::take_in(Path::new(layout::RUNS), name, operation)
    }

    fn take_in(folder: &Path, name: &RepositoryName, operation: &str) -> Result<Self, Failure> {
        files::make_dir(folder)?;
        let path = folder.join(format!("{name}.lock"));
        let cannot = |error: io::Error| failed(format!("cannot lock {}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(cannot)?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
            let holder = lock::read(&mut file);
            // The holder was killed; the programs that it ran are about to end.
            if is_alive(&holder) || begin.elapsed() > PATIENCE {
                return Err(held(name, &holder));
            }
            thread::sleep(INTERVAL);
        }
        fcntl_setfd(&file, FdFlags::empty()).map_err(|error| cannot(error.into()))?;
        lock::sign(&mut file, operation);
        Ok(Self { _file: file })
    }
}

/// Whether the process that is named as the holder still runs. A holder without a name counts as running.
fn is_alive(holder: &str) -> bool {
    lock::process(holder).is_none_or(|process| Path::new(&format!("/proc/{process}")).exists())
}

fn held(name: &RepositoryName, holder: &str) -> Failure {
    let holder = if holder.is_empty() {
        "another operation"
    } else {
        holder
    };
    failure(
        FailureKind::Locked,
        format!("repository `{name}` is in use: {holder}"),
    )
    .hint(format!(
        "try again when that has ended; `rdc repo status {name} -m MACHINE` shows it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_known_by_its_process() {
        for (holder, expected) in [
            (
                format!("resize by root, process {}, since 2026", std::process::id()),
                true,
            ),
            (
                "resize by root, process 4294967295, since 2026".to_owned(),
                false,
            ),
            (String::new(), true),
        ] {
            assert_eq!(is_alive(&holder), expected, "{holder}");
        }
    }

    #[test]
    fn a_lock_that_is_held_names_its_holder_and_keeps_no_other_repository() {
        let folder = tempfile::tempdir().expect("a folder");
        let [app, shop] = ["app", "shop"].map(|name| name.parse().expect("a name"));
        let held = RepositoryLock::take_in(folder.path(), &app, "resize").expect("it is free");
        let failure =
            RepositoryLock::take_in(folder.path(), &app, "delete").expect_err("it is held");
        assert_eq!(failure.kind, FailureKind::Locked);
        let start = "repository `app` is in use: resize by ";
        assert!(failure.message.starts_with(start), "{}", failure.message);
        RepositoryLock::take_in(folder.path(), &shop, "delete").expect("another one is free");
        drop(held);
        RepositoryLock::take_in(folder.path(), &app, "delete").expect("it is free again");
    }
}
