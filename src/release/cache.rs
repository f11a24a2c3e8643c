//! The releases that were downloaded before: `$XDG_CACHE_HOME/rediacc/traefik/<version>-<architecture>`
//! with the program and its sum. A folder is renamed into its place when all is in it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;

use super::checksum::Checksum;
use super::{Architecture, ReleaseError};
use crate::context::value::TraefikVersion;
use crate::layout;

/// The program's sum, beside it.
const SUM: &str = "sha256";
/// What the folder of a download under way begins with.
const DOWNLOAD: &str = ".download-";
/// Held by every download, so that what killed ones left can be told from them.
const LOCK: &str = ".lock";

/// The folder of cached releases.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The program of a release, if it is here and as it was downloaded.
    pub(super) fn find(
        &self,
        version: &TraefikVersion,
        architecture: Architecture,
    ) -> Option<PathBuf> {
        let folder = self.place(version, architecture);
        let program = folder.join(layout::TRAEFIK);
        let sum = fs::read_to_string(folder.join(SUM)).ok()?;
        let content = Checksum::of(File::open(&program).ok()?).ok()?;
        (sum.trim().parse() == Ok(content)).then_some(program)
    }

    /// A folder for a download; what killed ones left is removed.
    pub(super) fn begin(&self) -> Result<Download, ReleaseError> {
        let begin = || -> io::Result<Download> {
            fs::create_dir_all(&self.folder)?;
            let lock = File::create(self.folder.join(LOCK))?;
            if lock.try_lock().is_ok() {
                // Nobody else downloads.
                for entry in fs::read_dir(&self.folder)? {
                    let entry = entry?;
                    let name = entry.file_name();
                    if name.to_string_lossy().starts_with(DOWNLOAD) {
                        fs::remove_dir_all(entry.path())?;
                    }
                }
            }
            lock.lock_shared()?;
            let folder = tempfile::Builder::new()
                .prefix(DOWNLOAD)
                .tempdir_in(&self.folder)?;
            Ok(Download {
                folder,
                _lock: lock,
            })
        };
        begin().map_err(|error| self.unusable(error))
    }

    /// Puts a download to its place, with the sum of its program.
    pub(super) fn keep(
        &self,
        download: &Download,
        sum: Checksum,
        version: &TraefikVersion,
        architecture: Architecture,
    ) -> Result<PathBuf, ReleaseError> {
        // Another `rdc` may have been faster. What is there and not usable is damaged.
        if let Some(program) = self.find(version, architecture) {
            return Ok(program);
        }
        let place = self.place(version, architecture);
        let keep = || -> io::Result<()> {
            let folder = download.folder.path();
            fs::write(folder.join(SUM), format!("{sum}\n"))?;
            match fs::remove_dir_all(&place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::rename(folder, &place)
        };
        keep().map_err(|error| self.unusable(error))?;
        Ok(place.join(layout::TRAEFIK))
    }

    fn place(&self, version: &TraefikVersion, architecture: Architecture) -> PathBuf {
        self.folder.join(format!("{version}-{architecture}"))
    }

    fn unusable(&self, error: io::Error) -> ReleaseError {
        ReleaseError::Cache {
            folder: self.folder.clone(),
            error,
        }
    }
}

/// A download under way, removed again if it is not kept.
pub(super) struct Download {
    folder: TempDir,
    _lock: File,
}

impl Download {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
