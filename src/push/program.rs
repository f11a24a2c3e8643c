//! A program that a push brings: a local file, known by its content.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::bundle::Step;
use crate::context::value::TraefikVersion;
use crate::layout;
use crate::release::{Architecture, Checksum};

/// How many digits of the content's hash name its folder on the machine.
const FOLDER_DIGITS: usize = 16;
/// How many bytes tell what a program runs on.
const HEAD_BYTES: u64 = 20;

/// A local program, by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    /// The folder's name on the machine.
    folder: String,
    local: PathBuf,
    sum: Checksum,
    bytes: u64,
    architecture: Architecture,
}

impl Program {
    /// Reads a program: an ELF file of an architecture that we know. On the machine, another
    /// content is another path.
    pub fn read(name: &'static str, local: &Path) -> Result<Self, ProgramError> {
        let read = || -> io::Result<(Vec<u8>, u64, Checksum)> {
            let mut head = Vec::new();
            let file = File::open(local)?;
            (&file).take(HEAD_BYTES).read_to_end(&mut head)?;
            let bytes = file.metadata()?.len();
            Ok((head, bytes, Checksum::of(File::open(local)?)?))
        };
        let (head, bytes, sum) = read().map_err(|error| ProgramError::Read {
            path: local.to_owned(),
            error,
        })?;
        let Some(architecture) = Architecture::of_program(&head) else {
            return Err(ProgramError::NotAProgram {
                path: local.to_owned(),
            });
        };
        Ok(Self {
            name,
            folder: sum.to_string()[..FOLDER_DIGITS].to_owned(),
            local: local.to_owned(),
            sum,
            bytes,
            architecture,
        })
    }

    /// Reads a release of Traefik, which lies on the machine under its version.
    pub fn release(version: &TraefikVersion, local: &Path) -> Result<Self, ProgramError> {
        Ok(Self {
            folder: version.to_string(),
            ..Self::read(layout::TRAEFIK, local)?
        })
    }

    /// Where it lies on the machine.
    pub fn remote_path(&self) -> String {
        let Self { name, folder, .. } = self;
        format!("{}/{name}/{folder}/{name}", layout::PROGRAMS)
    }

    /// Where it lies on the machine as far as it has come.
    pub(super) fn part_path(&self) -> String {
        format!("{}/{}/.part-{}", layout::PROGRAMS, self.name, self.sum)
    }

    /// The local file.
    pub fn local(&self) -> &Path {
        &self.local
    }

    /// Its content's SHA-256.
    pub fn sum(&self) -> Checksum {
        self.sum
    }

    /// Its size.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it runs on.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Its upload, as a step of a plan.
    pub fn upload_step(&self) -> Step {
        Step::Upload {
            path: self.remote_path().into(),
            bytes: Some(self.bytes),
        }
    }
}

/// Where a release of Traefik lies on a machine.
pub(super) fn release_path(version: &TraefikVersion) -> PathBuf {
    [
        layout::PROGRAMS,
        layout::TRAEFIK,
        version.as_str(),
        layout::TRAEFIK,
    ]
    .iter()
    .collect()
}

/// Why a program cannot be brought.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The local file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// The local file is nothing that a machine could run.
    #[error("{} is not a Linux program for x86_64 or aarch64", path.display())]
    NotAProgram {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_another_path_and_a_release_lies_under_its_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("program");
        let path_of = |content: &[u8]| {
            std::fs::write(&file, content).expect("a written file");
            Program::read("renet", &file)
                .expect("a program")
                .remote_path()
        };
        let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1];
        elf.resize(18, 0);
        elf.extend([0x3E, 0, 1]);
        let first = path_of(&elf);
        assert_eq!(first, path_of(&elf));
        elf.push(2);
        assert_ne!(first, path_of(&elf));
        assert!(first.starts_with("/usr/lib/rediacc/renet/") && first.ends_with("/renet"));

        let version = "3.7.15".parse().expect("a version");
        let release = Program::release(&version, &file).expect("a program");
        assert_eq!(
            release.remote_path(),
            "/usr/lib/rediacc/traefik/3.7.15/traefik"
        );
        assert_eq!(release_path(&version), Path::new(&release.remote_path()));
    }
}
