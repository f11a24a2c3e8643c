//! Reads a folder of the workstation for a sync: everything in it except `.git`, the machine's private
//! folder, and what `.rediaccignore` names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use super::{Hashing, Item, Manifest, SyncPath};
use crate::layout;

/// The file that names what is not synced, in the syntax of `.gitignore`; any folder may have one.
pub const IGNORE_FILE: &str = ".rediaccignore";
/// The names that are never synced, at any depth.
const NEVER: &str = ".git";

/// A folder, and its contents when it was read.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    manifest: Manifest,
    warnings: Vec<String>,
}

impl Folder {
    /// Reads a folder and the contents of all its files, for their SHA-256.
    pub fn read(root: &Path) -> Result<Self, FolderError> {
        let unreadable = |path: &Path, error| FolderError::Unreadable {
            path: path.to_owned(),
            error,
        };
        // The walk would treat a file as a folder with one file in it.
        if !std::fs::metadata(root)
            .map_err(|error| unreadable(root, error))?
            .is_dir()
        {
            return Err(unreadable(root, io::ErrorKind::NotADirectory.into()));
        }
        let mut walk = WalkBuilder::new(root);
        walk.standard_filters(false)
            .add_custom_ignore_filename(IGNORE_FILE)
            .filter_entry(is_for_sync);
        let mut items = BTreeMap::new();
        let mut warnings = Vec::new();
        for entry in walk.build() {
            let entry = entry.map_err(FolderError::Walk)?;
            if let Some(error) = entry.error() {
                return Err(FolderError::Ignore(error.clone()));
            }
            let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
            if below.as_os_str().is_empty() {
                continue;
            }
            let name = below
                .to_str()
                .ok_or_else(|| FolderError::Name(below.to_owned()))?;
            let path: SyncPath = name
                .parse()
                .map_err(|_| FolderError::Name(below.to_owned()))?;
            match item(&entry).map_err(|error| unreadable(entry.path(), error))? {
                Some(item) => {
                    items.insert(path, item);
                }
                None => warnings.push(format!(
                    "{path} is skipped: it is not a file, folder or link"
                )),
            }
        }
        let manifest = Manifest::try_from(items).map_err(|_| FolderError::Changed)?;
        Ok(Self {
            root: root.to_owned(),
            manifest,
            warnings,
        })
    }

    /// Its contents.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Warnings about what was skipped.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Opens one of its files.
    pub(super) fn open(&self, path: &SyncPath) -> io::Result<File> {
        File::open(self.root.join(path))
    }
}

/// Whether an entry of a walk, and what is in it, is synced.
fn is_for_sync(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    entry.depth() == 0
        || (name != NEVER && !(entry.depth() == 1 && name == layout::REPOSITORY_PRIVATE))
}

fn item(entry: &DirEntry) -> io::Result<Option<Item>> {
    let path = entry.path();
    let metadata = std::fs::symlink_metadata(path)?;
    let mode = metadata.permissions().mode() & 0o777;
    Ok(if metadata.is_dir() {
        Some(Item::Folder { mode })
    } else if metadata.is_symlink() {
        let target = std::fs::read_link(path)?;
        let target = target.into_os_string().into_string();
        let target = target.map_err(|_| io::Error::other("its target is not UTF-8"))?;
        Some(Item::Link { target })
    } else if metadata.is_file() {
        let mut hashing = Hashing::default();
        let bytes = io::copy(&mut File::open(path)?, &mut hashing)?;
        let sha256 = hashing.content();
        Some(Item::File {
            mode,
            bytes,
            sha256,
        })
    } else {
        None
    })
}

/// Why a folder cannot be synced.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something in it cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The walk through it failed.
    #[error("cannot read the folder to sync: {0}")]
    Walk(ignore::Error),
    /// An ignore file is wrong. Skipping too little could give away secrets.
    #[error("cannot use a {IGNORE_FILE}: {0}")]
    Ignore(ignore::Error),
    /// A name cannot be sent.
    #[error("cannot sync {0:?}: its name is not UTF-8, or too long")]
    Name(PathBuf),
    /// It was changed while it was read.
    #[error("the folder to sync was changed while it was read")]
    Changed,
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn everything_is_synced_but_what_is_ignored_and_what_is_the_machines() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, text).expect("it is written");
        };
        write("docker-compose.yml", "services: {}");
        write(".env", "A=1");
        write(".git/config", "");
        write("web/.git/config", "");
        write(".rediacc/data/x", "");
        write(".rediacc.json", "{}");
        write(".rediaccignore", "*.log\n/data\n!keep.log\n");
        write("a.log", "");
        write("keep.log", "");
        write("data/db", "");
        write("web/data/page", "");
        write("web/.rediaccignore", "secret\n");
        write("web/secret", "");
        // What git ignores is often what is to be deployed.
        write(".gitignore", "dist\n");
        write("dist/app.js", "");
        fs::create_dir(folder.path().join("empty")).expect("a folder");
        symlink("/etc/passwd", folder.path().join("link")).expect("a link");
        let read = Folder::read(folder.path()).expect("it is read");
        let paths: Vec<&str> = read
            .manifest()
            .items()
            .keys()
            .map(SyncPath::as_str)
            .collect();
        let expected = [
            ".env",
            ".gitignore",
            ".rediacc.json",
            ".rediaccignore",
            "dist",
            "dist/app.js",
            "docker-compose.yml",
            "empty",
            "keep.log",
            "link",
            "web",
            "web/.rediaccignore",
            "web/data",
            "web/data/page",
        ];
        assert_eq!(paths, expected);
        let target = "/etc/passwd".to_owned();
        let link = &read.manifest().items()[&"link".parse().expect("a path")];
        assert_eq!(*link, Item::Link { target });
    }

    #[test]
    fn a_folder_that_cannot_be_read_as_it_is_meant_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").expect("it is written");
        for (path, sign) in [(at("missing"), "cannot read"), (at("file"), "cannot read")] {
            let error = Folder::read(&path)
                .expect_err("it is no folder")
                .to_string();
            assert!(error.contains(sign), "{error}");
        }
        fs::write(at(IGNORE_FILE), "{a\n").expect("it is written");
        let error = Folder::read(folder.path())
            .expect_err("a wrong pattern")
            .to_string();
        assert!(error.contains(IGNORE_FILE), "{error}");
    }
}
