//! One push at a time: an advisory lock that the kernel drops with its holder, so that none is
//! ever left behind.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{disk, failed, failure, files, refused};
use crate::bundle::{Failure, FailureKind};
use crate::layout;

/// How long the end of a push that was cut off is waited for: nobody has to ask for that.
const SETTLING: Duration = Duration::from_secs(90);
/// How often a lock that is held is tried again. The kernel would wait, but not until a deadline.
const INTERVAL: Duration = Duration::from_millis(50);

/// What stands before the number of the process that holds the lock.
const PROCESS: &str = ", process ";

/// What the lock is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody's push, or another change that somebody asked for.
    Push,
    /// Bringing a push to its end that was cut off.
    Settle,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Settle => "settle",
        }
    }

    /// Fails where nobody hears us any more who asked for a change: it was broken off, or the
    /// connection was lost, before it began.
    fn is_waited_for(self) -> Result<(), Failure> {
        // The end of a push is not for anybody.
        if self == Self::Settle {
            return Ok(());
        }
        let stdout = io::stdout();
        // Nothing is asked for: the kernel tells in any case that a reader has gone.
        let mut reader = [PollFd::new(&stdout, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP;
        match poll(&mut reader, Some(&Timespec::default())) {
            Ok(_) if reader[0].revents().intersects(gone) => Err(refused(
                "whoever asked for this has gone: nothing was changed",
            )),
            _ => Ok(()),
        }
    }
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, after waiting for it if need be, or says who holds it and since when.
    pub(super) fn take(purpose: Purpose, patience: Duration) -> Result<Self, Failure> {
        disk::is_writable(layout::ETC)?;
        files::make_dir(Path::new(layout::ETC))?;
        let path = path();
        let cannot = |error| failed(format!("cannot lock {}: {error}", path.display()));
        let begin = Instant::now();
        let mut file = open(&path).map_err(cannot)?;
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => break,
                Ok(()) => {
                    // A removal took the file away with its end: whoever comes now makes another.
                    files::make_dir(Path::new(layout::ETC))?;
                    file = open(&path).map_err(cannot)?;
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
            let holder = read(&mut file);
            let is_settling = holder.starts_with(Purpose::Settle.word());
            let patience = if is_settling {
                patience.max(SETTLING)
            } else {
                patience
            };
            if begin.elapsed() >= patience {
                return Err(held(&holder));
            }
            purpose.is_waited_for()?;
            thread::sleep(INTERVAL);
        }
        // Nothing is begun for somebody who meanwhile broke it off.
        purpose.is_waited_for()?;
        sign(&mut file, purpose.word());
        Ok(Self { _file: file })
    }
}

/// Where the lock lies.
pub(super) fn path() -> PathBuf {
    Path::new(layout::ETC).join(".lock")
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Whether a file is still the one at its path.
fn is_at(file: &File, path: &Path) -> bool {
    let number = |found: Metadata| (found.dev(), found.ino());
    let at = path.metadata().map(number).ok();
    at.is_some() && at == file.metadata().map(number).ok()
}

/// Who holds a lock, and what for, as `sign` wrote it.
pub(super) fn read(file: &mut File) -> String {
    let mut holder = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.read_to_string(&mut holder));
    holder.trim().to_owned()
}

fn held(holder: &str) -> Failure {
    let who = if holder.is_empty() {
        "somebody"
    } else {
        holder
    };
    failure(
        FailureKind::Locked,
        format!("another push is under way on this machine: {who}"),
    )
    .hint("try again when it is through, or wait for it with `--lock-wait 60s`")
}

/// Writes into a lock what it is held for, and by whom. That is a courtesy: on a full disk the lock
/// stands without it.
pub(super) fn sign(file: &mut File, purpose: &str) {
    // `sudo` says whom it serves; without it the login was root's own.
    let user = std::env::var("SUDO_USER").unwrap_or_else(|_| "root".to_owned());
    let since = humantime::format_rfc3339_seconds(SystemTime::now());
    let process = std::process::id();
    let mut write = || {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{purpose} by {user}{PROCESS}{process}, since {since}")
    };
    let _ = write();
}

/// The number of the process that holds a lock, if it is named.
pub(super) fn process(holder: &str) -> Option<u32> {
    let (_, rest) = holder.split_once(PROCESS)?;
    rest.split(',').next()?.parse().ok()
}
