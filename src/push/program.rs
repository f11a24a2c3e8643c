//! A program that a push brings: a local file, known by its content.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::bundle::Step;
use crate::layout;

/// How many digits of the content's hash name its folder on the machine.
const FOLDER_DIGITS: usize = 16;

/// A local program, by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    local: PathBuf,
    sha256: String,
    bytes: u64,
    architecture: &'static str,
}

impl Program {
    /// Reads a program: an ELF file of an architecture that we know.
    pub fn read(name: &'static str, local: &Path) -> Result<Self, ProgramError> {
        let cannot = |error| ProgramError::Read {
            path: local.to_owned(),
            error,
        };
        let mut file = File::open(local).map_err(cannot)?;
        let mut hash = Sha256::new();
        let mut head = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let count = file.read(&mut buffer).map_err(cannot)?;
            if count == 0 {
                break;
            }
            if head.is_empty() {
                head.extend_from_slice(&buffer[..count.min(20)]);
            }
            hash.update(&buffer[..count]);
            bytes += count as u64;
        }
        let Some(architecture) = architecture(&head) else {
            return Err(ProgramError::NotAProgram {
                path: local.to_owned(),
            });
        };
        let sha256 = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            name,
            local: local.to_owned(),
            sha256,
            bytes,
            architecture,
        })
    }

    /// Where it lies on the machine: another content is another path.
    pub fn remote_path(&self) -> String {
        let folder = &self.sha256[..FOLDER_DIGITS];
        format!("{}/{}/{folder}/{}", layout::PROGRAMS, self.name, self.name)
    }

    /// The local file.
    pub fn local(&self) -> &Path {
        &self.local
    }

    /// Its content's SHA-256, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What it runs on, as `uname -m` says it.
    pub fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// Its upload, as a step of a plan.
    pub fn upload_step(&self) -> Step {
        Step::Upload {
            path: self.remote_path().into(),
            bytes: self.bytes,
        }
    }

    /// Opens it to be sent.
    pub(super) async fn open(&self) -> Result<tokio::fs::File, ProgramError> {
        tokio::fs::File::open(&self.local)
            .await
            .map_err(|error| ProgramError::Read {
                path: self.local.clone(),
                error,
            })
    }
}

/// Which machine a program is for, by its first 20 bytes: the magic number, the class, the byte
/// order, and at 18 the machine (System V ABI, ELF header).
fn architecture(head: &[u8]) -> Option<&'static str> {
    const ELF_64_BIT_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
    if !head.starts_with(ELF_64_BIT_LITTLE_ENDIAN) {
        return None;
    }
    match u16::from_le_bytes([*head.get(18)?, *head.get(19)?]) {
        0x3E => Some("x86_64"),
        0xB7 => Some("aarch64"),
        _ => None,
    }
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
    fn an_elf_header_tells_the_architecture() {
        let header = |class: u8, machine: u8| {
            let mut head = vec![0x7f, b'E', b'L', b'F', class, 1];
            head.resize(18, 0);
            head.extend([machine, 0]);
            head
        };
        for (head, expected) in [
            (header(2, 0x3E), Some("x86_64")),
            (header(2, 0xB7), Some("aarch64")),
            (header(1, 0x3E), None),
            (header(2, 0x08), None),
            (header(2, 0x3E)[..18].to_vec(), None),
            (b"#!/bin/sh\nexec traefik \"$@\"\n".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(architecture(&head), expected, "{head:?}");
        }
    }

    #[test]
    fn another_content_is_another_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path_of = |content: &[u8]| {
            let file = folder.path().join("program");
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
    }
}
