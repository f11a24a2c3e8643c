//! A repository's image: a file that contains an ext4 file system. All its space is reserved on the
//! machine's disk, because data would be lost if the disk became full underneath it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::{mounts, tool};
use crate::bundle::Failure;
use crate::machine::{failed, files, refused};
use crate::repository::RepositoryName;

const MIB: u64 = 1 << 20;

/// Creates an image at a free path. It gets its name when it is complete.
pub(super) fn make(path: &Path, bytes: u64) -> Result<(), Failure> {
    let unfinished = unfinished(path);
    let made = (|| {
        files::delete(&unfinished)?;
        reserve(&unfinished, 0, bytes)?;
        // `nodiscard`: a discarded block would become a hole, which is no longer reserved. Remounted
        // read-only on errors, so that an error of the disk does not spread.
        let options = ["-q", "-F", "-m", "0", "-E", "nodiscard", "-e", "remount-ro"];
        let words = options.map(Path::new).into_iter().chain([&*unfinished]);
        tool::run("mkfs.ext4", words)?;
        files::rename(&unfinished, path)
    })();
    made.inspect_err(|_| {
        // A failure to clean up says less than the failure itself.
        let _ = files::delete(&unfinished);
    })
}

/// Removes an image, complete or not.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    // The kernel frees the loop device with the mount. One that somebody set up by hand would keep the
    // space on the disk.
    for device in loop_devices(path)? {
        tool::run("losetup", [Path::new("--detach"), &device])?;
    }
    files::delete(&unfinished(path))?;
    files::delete(path)
}

/// Grows an image and its mounted file system.
pub(super) fn grow_mounted(path: &Path, bytes: u64, at: &Path) -> Result<(), Failure> {
    lengthen(path, bytes)?;
    let device = mounts::at(at)?
        .ok_or_else(|| failed(format!("nothing is mounted at {}", at.display())))?
        .source;
    tool::run("losetup", [Path::new("--set-capacity"), &device])?;
    grow_file_system(&device)
}

/// Grows an image and its file system while it is not mounted.
pub(super) fn grow_unmounted(path: &Path, bytes: u64) -> Result<(), Failure> {
    lengthen(path, bytes)?;
    check(path)?;
    grow_file_system(path)
}

fn grow_file_system(of: &Path) -> Result<(), Failure> {
    tool::run("resize2fs", [of]).map(drop).map_err(|failure| {
        // Its first line is only its version.
        let message = failure.message.lines().last().unwrap_or_default();
        failed(message.to_owned())
    })
}

/// The size of an image in bytes.
pub(super) fn bytes(path: &Path) -> Result<u64, Failure> {
    let found = path.metadata().map_err(|error| {
        failed(format!(
            "cannot read the size of the image {}: {error}",
            path.display()
        ))
    })?;
    Ok(found.len())
}

/// Refuses to add `more` bytes to an image if its file system does not have that much free space.
pub(super) fn has_room(path: &Path, name: &RepositoryName, more: u64) -> Result<(), Failure> {
    let there = path.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("/"));
    let system = statvfs(there).map_err(|error| {
        failed(format!(
            "cannot read the free space at {}: {error}",
            there.display()
        ))
    })?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if more <= free {
        return Ok(());
    }
    Err(refused(format!(
        "no space for the image of repository `{name}` in {}: it needs {}, and {} are free",
        there.display(),
        Size(more),
        Size(free)
    ))
    .hint(format!(
        "choose a smaller size; `df -h {}` on the machine shows what is used",
        there.display()
    )))
}

/// A number of bytes, displayed for people.
pub(super) struct Size(pub(super) u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(&str, u64); 3] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", MIB)];
        let unit = UNITS.iter().find(|(_, bytes)| self.0 >= *bytes);
        match unit {
            Some((unit, bytes)) if self.0.is_multiple_of(*bytes) => {
                write!(f, "{} {unit}", self.0 / bytes)
            }
            Some((unit, bytes)) => write!(f, "{:.1} {unit}", self.0 as f64 / *bytes as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

fn lengthen(path: &Path, to: u64) -> Result<(), Failure> {
    let before = bytes(path)?;
    // From the beginning of the file, which also fills holes that a discard made.
    reserve(path, before, to)
}

/// Reserves space for a file. If there is not enough, the file keeps its former size.
fn reserve(path: &Path, before: u64, bytes: u64) -> Result<(), Failure> {
    let reserved = (|| {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        if let Err(error) = fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            let _ = file.set_len(before);
            return Err(error.into());
        }
        file.sync_all()
    })();
    reserved.map_err(|error: io::Error| {
        let failure = failed(format!(
            "cannot reserve {} for {}: {error}",
            Size(bytes),
            path.display()
        ));
        let unsupported = [Errno::OPNOTSUPP, Errno::NOSYS].map(|errno| Some(errno.raw_os_error()));
        if unsupported.contains(&error.raw_os_error()) {
            failure.hint(
                "its file system cannot reserve space for a file: create the repository without \
                 `--size`, or in another datastore",
            )
        } else {
            failure.hint("`df -h` on the machine shows what is used")
        }
    })
}

/// Checks the file system of an unmounted image, which `resize2fs` requires.
fn check(path: &Path) -> Result<(), Failure> {
    // 1 says that something was corrected.
    let words = ["-c", "e2fsck -fp -- \"$0\" || test $? -eq 1"];
    tool::run("sh", words.map(Path::new).into_iter().chain([path]))
        .map(drop)
        .map_err(|failure| {
            failed(format!(
                "cannot check the image {}: {}",
                path.display(),
                failure.message
            ))
            .hint(format!(
                "run `e2fsck -f {}` on the machine, then run the same command again",
                path.display()
            ))
        })
}

/// The loop devices of a file.
fn loop_devices(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let options = ["--noheadings", "--output", "NAME", "--associated"];
    let words = options.map(Path::new).into_iter().chain([path]);
    let devices = tool::run("losetup", words)?;
    Ok(devices.lines().map(|line| line.trim().into()).collect())
}

/// The path of an image until it is complete.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("img.new")
}

/// The used space of a mounted file system, in bytes.
pub(super) fn used(at: &Path) -> Option<u64> {
    let system = statvfs(at).ok()?;
    let blocks = system.f_blocks.saturating_sub(system.f_bfree);
    Some(blocks.saturating_mul(system.f_frsize))
}

/// Removes `lost+found`; a check of the file system creates it again.
pub(super) fn tidy(at: &Path) {
    // It stays if something is in it.
    let _ = fs::remove_dir(at.join("lost+found"));
    // Make the names in the folder durable.
    let _ = File::open(at).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_by_people() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (64 * MIB, "64 MiB"),
            (1536 * MIB, "1.5 GiB"),
            (10 << 30, "10 GiB"),
            (1 << 41, "2 TiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn what_is_reserved_has_no_holes() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.img");
        reserve(&path, 0, MIB).expect("there is room");
        lengthen(&path, 2 * MIB).expect("there is room");
        let found = path.metadata().expect("it is there");
        assert_eq!(found.len(), 2 * MIB);
        assert!(found.blocks() * 512 >= 2 * MIB);
    }
}
