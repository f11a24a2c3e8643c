//! Writes and removes unit files atomically: a `renet` that is killed meanwhile leaves no partial file
//! behind.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::bundle::Failure;
use crate::layout;
use crate::machine::{failed, files, systemd};

/// Writes the units that differ, and reloads systemd. The caller holds the lock of what they are for.
pub(super) fn write(units: &[(PathBuf, String)]) -> Result<(), Failure> {
    let mut is_changed = false;
    for (path, text) in units {
        is_changed |= write_file(path, text)?;
    }
    if is_changed {
        systemd::systemctl(&["daemon-reload"])?;
    }
    Ok(())
}

/// Removes units, and their drop-in folders that become empty.
pub(super) fn remove(units: &[PathBuf]) -> Result<(), Failure> {
    for path in units {
        remove_file(path)?;
        let folder = path.parent().unwrap_or(path);
        // It stays if it contains files of the operator.
        if folder != Path::new(layout::UNIT_DIR) {
            let _ = fs::remove_dir(folder);
        }
    }
    // Even if no file was there: a `renet` may have been killed between removal and reload.
    systemd::systemctl(&["daemon-reload"])
}

/// Writes a file if its content differs. Returns whether it did.
pub(super) fn write_file(path: &Path, text: &str) -> Result<bool, Failure> {
    if files::read(path)?.as_deref() == Some(text.as_bytes()) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        files::make_dir(folder)?;
    }
    let new = beside(path);
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| failed(format!("cannot write {}: {error}", new.display())))?;
    files::rename(&new, path)?;
    Ok(true)
}

/// Removes a file that `write_file` wrote, complete or not.
pub(super) fn remove_file(path: &Path) -> Result<(), Failure> {
    files::delete(&beside(path))?;
    files::delete(path)
}

/// Copies a program to a path, unless the copy there is of the same size and time. A copy and not a
/// link, because the original may be overwritten in place.
pub(super) fn write_program(path: &Path, original: &Path) -> Result<(), Failure> {
    if path == original {
        return Ok(());
    }
    let found = original
        .metadata()
        .and_then(|found| Ok((found.len(), found.modified()?)));
    let (bytes, time) =
        found.map_err(|error| failed(format!("cannot read {}: {error}", original.display())))?;
    let is_same = path
        .metadata()
        .is_ok_and(|copy| copy.len() == bytes && copy.modified().is_ok_and(|it| it == time));
    if is_same {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        files::make_dir(folder)?;
    }
    let new = beside(path);
    let copy = || -> io::Result<()> {
        fs::copy(original, &new)?;
        let file = File::options().write(true).open(&new)?;
        file.set_modified(time)?;
        file.sync_all()
    };
    copy().map_err(|error| failed(format!("cannot write {}: {error}", new.display())))?;
    files::rename(&new, path)
}

/// Removes a program that `write_program` wrote, complete or not, and its folder.
pub(super) fn remove_program(path: &Path) -> Result<(), Failure> {
    remove_file(path)?;
    // It stays if somebody else has something in it.
    let _ = fs::remove_dir(path.parent().unwrap_or(path));
    Ok(())
}

/// The temporary file of a path: always the same one, so that a later attempt replaces it.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_copied_when_it_is_another_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (original, path) = (folder.path().join("renet"), folder.path().join("own/renet"));
        for text in ["one", "other", "another"] {
            fs::write(&original, text).expect("it is written");
            for _ in 0..2 {
                write_program(&path, &original).expect("it is copied");
                assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
            }
        }
        // Overwriting the original in place does not change the copy.
        fs::write(&original, "last").expect("it is written");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "another");
        remove_program(&path).expect("it is removed");
        assert!(!path.parent().expect("a folder").exists());
    }

    #[test]
    fn what_an_interrupted_write_left_is_overwritten_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/app.service");
        for (text, is_changed) in [("one", true), ("one", false), ("two", true)] {
            let written = write_file(&path, text).expect("it is written");
            assert_eq!(written, is_changed, "{text}");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
            fs::write(beside(&path), "tw").expect("it is written");
        }
        remove_file(&path).expect("it is removed");
        let left = fs::read_dir(path.parent().expect("a folder")).expect("a folder");
        assert_eq!(left.count(), 0);
    }
}
