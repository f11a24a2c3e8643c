//! One operation at a time on each repository: an advisory lock, which the kernel releases when its
//! holder ends. The programs that an operation runs hold it too, so that a killed `renet` does not let
//! another one touch an image while `resize2fs` still runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::bundle::{Failure, FailureKind};
use crate::layout;
use crate::machine::{failed, failure, files};
use crate::repository::RepositoryName;

/// How long to wait for the programs of a killed `renet` to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two attempts: the kernel can wait for a lock, but not with a deadline.
const INTERVAL: Duration = Duration::from_millis(50);
/// The text before the process id of the holder in the lock file.
const PROCESS: &str = ", process ";

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
            let holder = read(&mut file);
            // The holder was killed; the programs that it ran are about to end.
            if is_alive(&holder) || begin.elapsed() > PATIENCE {
                return Err(held(name, &holder));
            }
            thread::sleep(INTERVAL);
        }
        fcntl_setfd(&file, FdFlags::empty()).map_err(|error| cannot(error.into()))?;
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{operation} by {}", holder())
        };
        // The text is only for messages: on a full disk, the lock works without it.
        let _ = write();
        Ok(Self { _file: file })
    }
}

fn read(file: &mut File) -> String {
    let mut holder = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.read_to_string(&mut holder));
    holder.trim().to_owned()
}

/// Whether the process that is named as the holder still runs. A holder without a name counts as running.
fn is_alive(holder: &str) -> bool {
    let number = |rest: &str| rest.split(',').next()?.parse::<u32>().ok();
    let process = holder.split(PROCESS).nth(1).and_then(number);
    process.is_none_or(|process| Path::new(&format!("/proc/{process}")).exists())
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

fn holder() -> String {
    // `sudo` names the user that called it; without it, root itself logged in.
    let user = std::env::var("SUDO_USER").unwrap_or_else(|_| "root".to_owned());
    let since = humantime::format_rfc3339_seconds(SystemTime::now());
    format!("{user}{PROCESS}{}, since {since}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_known_by_its_process() {
        for (holder, expected) in [
            (format!("resize by {}", super::holder()), true),
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
