//! Files that are either as they were or as they should be: each is written beside its place,
//! synced, and renamed over it.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use tempfile::Builder;

use super::failed;
use crate::bundle::Failure;

/// Writes a file as a whole, or leaves what is there.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    write_for_group(path, content, mode, None)
}

/// The same for a group, whose file it is before anybody finds it in its place.
pub(super) fn write_for_group(
    path: &Path,
    content: &[u8],
    mode: u32,
    group: Option<u32>,
) -> Result<(), Failure> {
    let parent = parent(path)?;
    let write = || -> io::Result<()> {
        let mut file = Builder::new()
            .prefix(".rediacc-")
            // Nobody else's before it is the group's, which may be a part of the mode.
            .permissions(Permissions::from_mode(mode & 0o700))
            .tempfile_in(parent)?;
        file.write_all(content)?;
        if group.is_some() {
            fchown(file.as_file(), None, group)?;
        }
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_dir(parent)
    };
    write().map_err(|error| failed(format!("cannot write {}: {error}", path.display())))
}

/// Points a symlink at a target; what was there is replaced by one rename.
pub(super) fn link(path: &Path, target: &Path) -> Result<(), Failure> {
    let parent = parent(path)?;
    let write = || -> io::Result<()> {
        let made = Builder::new()
            .prefix(".rediacc-")
            .make_in(parent, |name| symlink(target, name))?;
        made.persist(path)?;
        sync_dir(parent)
    };
    write().map_err(|error| {
        failed(format!(
            "cannot link {} to {}: {error}",
            path.display(),
            target.display()
        ))
    })
}

/// Puts a file in the place of another by one rename, which takes no room on the disk.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    let parent = parent(to)?;
    fs::rename(from, to)
        .and_then(|()| sync_dir(parent))
        .map_err(|error| {
            failed(format!(
                "cannot rename {} to {}: {error}",
                from.display(),
                to.display()
            ))
        })
}

/// Makes a folder with its parents, readable for all; one that is there stays as it is.
pub(super) fn make_dir(path: &Path) -> Result<(), Failure> {
    make_dir_with_mode(path, 0o755)
}

/// The same for those whom a mode names.
pub(super) fn make_dir_with_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| {
            failed(format!(
                "cannot make the folder {}: {error}",
                path.display()
            ))
        })
}

/// Removes a file, a link, or a folder with all that is in it; what is not there is removed enough.
pub(super) fn delete(path: &Path) -> Result<(), Failure> {
    let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let deleted = if is_folder {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    if_there(deleted)
        .map(drop)
        .map_err(|error| failed(format!("cannot remove {}: {error}", path.display())))
}

/// A file's content; none where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    if_there(fs::read(path))
        .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))
}

/// Where a symlink points; none where there is no symlink.
pub(super) fn read_link(path: &Path) -> Result<Option<PathBuf>, Failure> {
    match fs::read_link(path) {
        // A file that is no symlink.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        answer => if_there(answer)
            .map_err(|error| failed(format!("cannot read the link {}: {error}", path.display()))),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn if_there<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parent(path: &Path) -> Result<&Path, Failure> {
    path.parent()
        .ok_or_else(|| failed(format!("{} has no folder", path.display())))
}
