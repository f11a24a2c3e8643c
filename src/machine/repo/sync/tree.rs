//! Access to the files of a repository by paths below its root. A container of the repository may put
//! links to anywhere into it at any moment, so all paths are opened with `openat2`, without following
//! links: no path leads out.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, ResolveFlags, Stat, fchmod, flock, fstat, mkdirat,
    open, openat2, readlinkat, renameat, symlinkat, syncfs, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::layout::REPOSITORY_PRIVATE;

/// A repository's files.
pub(super) struct Tree {
    root: OwnedFd,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Folder,
    File(Stamp),
    Link(String),
    /// A socket, a pipe or a device.
    Other,
}

/// The metadata that changes with a file: while it is the same, so is the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) mode: u32,
    inode: u64,
    /// The times of the last change of the content (mtime) and of anything (ctime), in nanoseconds since
    /// 1970.
    modified: i64,
    changed: i64,
}

impl Tree {
    /// The private folder, and the lock file of syncs in it.
    const PRIVATE: &str = REPOSITORY_PRIVATE;
    const LOCK: &str = "synced.lock";

    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(root, flags, Mode::empty())?;
        Ok(Self { root })
    }

    /// Takes the lock of syncs; none if it is held. Creates the private folder.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        match mkdirat(&self.root, Self::PRIVATE, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let path = format!("{}/{}", Self::PRIVATE, Self::LOCK);
        let file = self.create(&path, OFlags::empty())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is at a path; none if there is nothing, or if a folder of the path is a link.
    pub(super) fn look(&self, path: impl AsRef<Path>) -> io::Result<Option<Found>> {
        let at = match self.reach(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(at) => at,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&at)?;
        Ok(Some(match kind(&stat) {
            KIND_FOLDER => Found::Folder,
            KIND_FILE => Found::File(Stamp::of(&stat)),
            KIND_LINK => {
                let target = readlinkat(&at, "", Vec::new())?;
                Found::Link(String::from_utf8_lossy(target.as_bytes()).into_owned())
            }
            _ => Found::Other,
        }))
    }

    /// Opens a file for reading. Does not block if it became a pipe meanwhile.
    pub(super) fn file(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = self.reach(path.as_ref(), flags)?;
        match kind(&fstat(&file)?) {
            KIND_FILE => Ok(file.into()),
            _ => Err(io::Error::other("it is not a file")),
        }
    }

    /// Creates a file that only root can read, or opens an existing one.
    pub(super) fn create(&self, path: impl AsRef<Path>, flags: OFlags) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | flags;
        let mode = Mode::from_raw_mode(0o600);
        let file = openat2(&self.root, path.as_ref(), flags, mode, RESOLVE)?;
        Ok(file.into())
    }

    /// Creates a folder in an existing one.
    pub(super) fn make_folder(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
        let (folder, name) = self.place(path.as_ref())?;
        mkdirat(&folder, name, Mode::from_raw_mode(0o700))?;
        // Set the mode, whatever the umask is.
        Ok(fchmod(
            self.reach(path.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY)?,
            mode.into(),
        )?)
    }

    /// Creates a folder and its parents, as far as they do not exist.
    pub(super) fn make_folders(&self, path: &Path) -> io::Result<()> {
        for folder in path
            .ancestors()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .skip(1)
        {
            match self.look(folder)? {
                Some(Found::Folder) => continue,
                Some(_) => self.remove(folder)?,
                None => {}
            }
            self.make_folder(folder, 0o700)?;
        }
        Ok(())
    }

    /// Creates a symbolic link in an existing folder.
    pub(super) fn make_link(&self, path: impl AsRef<Path>, target: &str) -> io::Result<()> {
        let (folder, name) = self.place(path.as_ref())?;
        Ok(symlinkat(target, &folder, name)?)
    }

    /// Moves something into an existing folder. It replaces a file.
    pub(super) fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, name) = self.place(from.as_ref())?;
        let (to, new_name) = self.place(to.as_ref())?;
        Ok(renameat(&from, name, &to, new_name)?)
    }

    /// Removes anything but a folder.
    pub(super) fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (folder, name) = self.place(path.as_ref())?;
        Ok(unlinkat(&folder, name, AtFlags::empty())?)
    }

    /// Removes a folder if it is empty. Returns whether it did.
    pub(super) fn remove_folder(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let (folder, name) = self.place(path.as_ref())?;
        match unlinkat(&folder, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            // EBUSY: something is mounted there.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets a file's mode.
    pub(super) fn set_mode(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
        Ok(fchmod(self.file(path)?, mode.into())?)
    }

    /// The names in a folder.
    pub(super) fn names(&self, path: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        let folder = self.reach(path.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Flushes everything that was written to the disk.
    pub(super) fn flush(&self) -> io::Result<()> {
        Ok(syncfs(&self.root)?)
    }

    /// The parent folder of a path, and its name in it.
    fn place<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Ok((self.reach(folder, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    fn reach(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        openat2(&self.root, path, flags, Mode::empty(), RESOLVE)
    }
}

/// How paths are resolved: below the root, and without links.
const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

const KIND: u32 = 0o170_000;
const KIND_FOLDER: u32 = 0o040_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_LINK: u32 = 0o120_000;

fn kind(stat: &Stat) -> u32 {
    stat.st_mode & KIND
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        // `try_from`, since the types differ between architectures.
        let time = |seconds, nanoseconds: u64| {
            let seconds: i64 = seconds;
            let nanoseconds = i64::try_from(nanoseconds).unwrap_or_default();
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(nanoseconds)
        };
        Self {
            bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            mode: stat.st_mode & 0o7777,
            inode: stat.st_ino,
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}
