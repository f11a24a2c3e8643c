//! `.rediacc.json` on the disk. It is replaced under a lock by a rename, so that it is always complete, and
//! concurrent runs never assign the same slot twice. A broken file is never overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::locked_file::{self, FileError};
use super::slots::{AssignError, Slots};
use crate::layout;

/// The lock, in the repository's private folder.
const LOCK: &str = "slots.lock";

/// The largest file that is read, in bytes: far more than 61 services need.
const MOST_BYTES: u64 = 1 << 20;

impl Slots {
    /// Reads the slots of the repository at `root`. A missing file means that none is assigned.
    pub fn read(root: &Path) -> Result<Self, SlotsError> {
        let path = root.join(layout::SLOTS);
        let text = match read_plain(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(FileError::io("read", &path, error).into()),
        };
        text.parse().map_err(|error: serde_json::Error| {
            let detail = error.to_string();
            FileError::Broken { path, detail }.into()
        })
    }

    /// Assigns slots, under the lock, to those of these services that have none. Returns all slots.
    pub fn assign_in(root: &Path, services: &[String]) -> Result<Self, SlotsError> {
        let _lock = lock(root)?;
        let mut slots = Self::read(root)?;
        if slots.assign(services)? {
            slots.write(root)?;
        }
        Ok(slots)
    }

    fn write(&self, root: &Path) -> Result<(), FileError> {
        let path = root.join(layout::SLOTS);
        let mode = match fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(_) => 0o644,
        };
        locked_file::replace(&path, self.to_string().as_bytes(), mode)
            .map_err(|error| FileError::io("write", &path, error))
    }
}

/// Reads a file in whose place the services of the repository may have put anything: a pipe, which would
/// block, a link to elsewhere, or a file without an end.
fn read_plain(path: &Path) -> io::Result<String> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let not_plain = || io::Error::other("it is not a regular file of at most 1 MiB");
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::LOOP.raw_os_error() => not_plain(),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(not_plain());
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(not_plain());
    }
    Ok(text)
}

fn lock(root: &Path) -> Result<File, FileError> {
    let path = root.join(layout::REPOSITORY_PRIVATE).join(LOCK);
    locked_file::lock(&path, 0o700).map_err(|error| FileError::io("lock", &path, error))
}

/// Why slots cannot be read or assigned.
#[derive(Debug, thiserror::Error)]
pub enum SlotsError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no slot for a service.
    #[error(transparent)]
    Assign(#[from] AssignError),
}

impl SlotsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Assign(error) => Some(error.hint()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn runs_at_once_never_share_a_slot() {
        let root = tempfile::tempdir().expect("a folder");
        let runs: Vec<_> = (0..8)
            .map(|run| {
                let root = root.path().to_owned();
                std::thread::spawn(move || {
                    let services: Vec<_> = (0..7).map(|index| format!("s{run}-{index}")).collect();
                    Slots::assign_in(&root, &services)
                })
            })
            .collect();
        for run in runs {
            run.join().expect("it ends").expect("slots");
        }
        let slots = Slots::read(root.path()).expect("it is read");
        let taken: BTreeSet<u8> = slots.iter().map(|(_, slot)| slot).collect();
        assert_eq!(taken, (0..56).collect());
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_left_alone() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join(layout::SLOTS);
        for text in ["{", "", "{\"services\": {\"a\": {\"slot\": 99}}}"] {
            fs::write(&path, text).expect("it is written");
            let assigned = Slots::assign_in(root.path(), &["a".to_owned()]);
            let error = assigned.expect_err("it is broken");
            assert!(
                matches!(error, SlotsError::File(FileError::Broken { .. })),
                "{error}"
            );
            assert!(error.to_string().contains("line 1 column"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
    }

    #[test]
    fn what_a_service_put_in_the_files_place_is_not_waited_for() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join(layout::SLOTS);
        let refused = |what: &str| {
            let error = Slots::read(root.path()).expect_err(what);
            let SlotsError::File(FileError::Io { error, .. }) = error else {
                panic!("{what}: {error}");
            };
            assert!(error.to_string().contains("not a regular file"), "{error}");
        };
        std::os::unix::fs::symlink("/dev/zero", &path).expect("a link");
        refused("a link");
        fs::remove_file(&path).expect("it is removed");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
        refused("a pipe");
        fs::remove_file(&path).expect("it is removed");
        fs::write(&path, " ".repeat(2 << 20)).expect("it is written");
        refused("a large file");
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join(layout::SLOTS);
        fs::write(&path, "{}").expect("it is written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
        Slots::assign_in(root.path(), &["a".to_owned()]).expect("a slot");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
