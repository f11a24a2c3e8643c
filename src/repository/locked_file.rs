//! A file that is changed under a lock and replaced by one rename, so that it is always complete and two
//! changes never collide.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Takes the lock at a path, which is held until it is dropped or its holder dies. A missing folder is
/// created with the mode.
pub(super) fn lock(path: &Path, folder_mode: u32) -> io::Result<File> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(folder_mode)
        .create(folder(path))?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

/// Writes a file as a whole, or leaves what is there.
pub(super) fn replace(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_start_matches('.');
    let mut file = tempfile::Builder::new()
        .prefix(&format!(".{name}-"))
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Why such a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is damaged, or of another version. It is left as it is.
    #[error("cannot use {path}: {detail}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        detail: String,
    },
    /// The file system refuses.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

impl FileError {
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            error,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { .. } => Some("correct the file; it was left as it is".to_owned()),
            Self::Io { .. } => None,
        }
    }
}
