//! One push at a time: an advisory lock that the kernel drops with its holder, so that none is
//! ever left behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{failed, failure};
use crate::bundle::{Failure, FailureKind};
use crate::layout;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who holds it and since when.
    pub(super) fn take() -> Result<Self, Failure> {
        let path = Path::new(layout::ETC).join(".lock");
        let cannot = |error| failed(format!("cannot lock {}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: the lock stands without it.
                let _ = file.read_to_string(&mut holder);
                return Err(failure(
                    FailureKind::Locked,
                    format!(
                        "another push is under way on this machine: {}",
                        holder.trim()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", holder())
        };
        write(&mut file).map_err(cannot)?;
        Ok(Self { _file: file })
    }
}

fn holder() -> String {
    // `sudo` says whom it serves; without it the login was root's own.
    let user = std::env::var("SUDO_USER").unwrap_or_else(|_| "root".to_owned());
    let since = humantime::format_rfc3339_seconds(SystemTime::now());
    format!("{user}, process {}, since {since}", std::process::id())
}
