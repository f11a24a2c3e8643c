//! The file in which a machine records its repositories. It is replaced under a lock by a rename, so that
//! it is always complete, and changes do not collide.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Registry;
use super::locked_file::{self, FileError};
use crate::layout;

/// The version of the format.
const VERSION: u32 = 1;

/// The machine's record of its repositories.
#[derive(Clone, Debug)]
pub struct Record {
    path: PathBuf,
}

/// The file's content.
#[derive(Deserialize, Serialize)]
struct Document {
    version: u32,
    #[serde(flatten)]
    registry: Registry,
}

impl Record {
    /// The record of this machine.
    pub fn of_machine() -> Self {
        Self::at(Path::new(layout::REPOSITORIES))
    }

    /// A record at another place.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Reads it. A missing file means that there are no repositories.
    pub fn read(&self) -> Result<Registry, FileError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Registry::default()),
            Err(error) => return Err(self.io("read", error)),
        };
        let broken = |detail: String| FileError::Broken {
            path: self.path.clone(),
            detail,
        };
        let document: Document =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if document.version != VERSION {
            return Err(broken(format!(
                "its format is version {}, but this `renet` knows {VERSION}",
                document.version
            )));
        }
        Ok(document.registry)
    }

    /// Changes it under its lock. If `change` fails, nothing is written.
    pub fn edit<T, E: From<FileError>>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = self.lock()?;
        let mut registry = self.read()?;
        let before = registry.clone();
        let changed = change(&mut registry)?;
        if registry != before {
            self.write(registry)?;
        }
        Ok(changed)
    }

    fn lock(&self) -> Result<File, FileError> {
        let path = self.path.with_extension("lock");
        locked_file::lock(&path, 0o755).map_err(|error| self.io("lock", error))
    }

    fn write(&self, registry: Registry) -> Result<(), FileError> {
        let document = Document {
            version: VERSION,
            registry,
        };
        let write = || -> io::Result<()> {
            let mut text = serde_json::to_vec_pretty(&document)?;
            text.push(b'\n');
            locked_file::replace(&self.path, &text, 0o644)
        };
        write().map_err(|error| self.io("write", error))
    }

    fn io(&self, action: &'static str, error: io::Error) -> FileError {
        FileError::io(action, &self.path, error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn many_who_take_ids_at_once_get_different_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = Record::at(&folder.path().join("below/repositories.json"));
        let takers: Vec<_> = (0..8)
            .map(|_| {
                let record = record.clone();
                std::thread::spawn(move || {
                    record.edit(|registry| {
                        let id = registry.take_id(&BTreeSet::new());
                        Ok::<_, FileError>(id.expect("a free id"))
                    })
                })
            })
            .collect();
        let ids: BTreeSet<_> = takers
            .into_iter()
            .map(|taker| taker.join().expect("it ends").expect("an id"))
            .collect();
        assert_eq!(ids.len(), 8);
        let last = record.read().expect("it is read").last_id;
        assert_eq!(last, ids.last().copied());
    }

    #[test]
    fn a_record_that_cannot_be_understood_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("repositories.json");
        for text in ["{", "[]", r#"{"version":2}"#] {
            fs::write(&path, text).expect("it is written");
            let edited = Record::at(&path).edit(|_| Ok::<_, FileError>(()));
            assert!(matches!(edited, Err(FileError::Broken { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
    }
}
