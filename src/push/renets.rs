//! Which `renet` a machine gets: the one at hand for its architecture.

use std::path::{Path, PathBuf};

use super::{Program, ProgramError};
use crate::layout;
use crate::release::Architecture;

/// The `renet`s at hand: the usual one, and one an architecture in some folders.
#[derive(Clone, Debug)]
pub struct Renets {
    usual: PathBuf,
    folders: Vec<PathBuf>,
}

impl Renets {
    /// The usual `renet`; `renet-x86_64` and `renet-aarch64` are looked for beside it, and in a
    /// further folder.
    pub fn new(usual: PathBuf, folder: &Path) -> Self {
        let beside = usual.parent().unwrap_or(Path::new("/")).to_owned();
        let mut folders = vec![beside];
        if folders[0] != folder {
            folders.push(folder.to_owned());
        }
        Self { usual, folders }
    }

    /// The one that most machines get: for an unknown machine the best guess.
    pub fn usual(&self) -> Result<Program, ProgramError> {
        let first = Program::read(layout::RENET, &self.usual);
        if first.is_ok() || self.usual.exists() {
            return first;
        }
        // Where there are only named ones, any is a guess.
        let mut named = Architecture::ALL
            .into_iter()
            .flat_map(|architecture| self.named(architecture));
        match named.find(|path| path.exists()) {
            Some(path) => Program::read(layout::RENET, &path),
            None => first,
        }
    }

    /// The one for an architecture.
    pub fn of(&self, architecture: Architecture) -> Result<Program, NoRenet> {
        let named = self.named(architecture);
        [self.usual.clone()]
            .iter()
            .chain(&named)
            .filter_map(|path| Program::read(layout::RENET, path).ok())
            .find(|program| program.architecture() == architecture)
            .ok_or_else(|| NoRenet {
                architecture,
                place: named.into_iter().next().unwrap_or_default(),
            })
    }

    fn named(&self, architecture: Architecture) -> Vec<PathBuf> {
        let name = format!("{}-{architecture}", layout::RENET);
        let folders = self.folders.iter();
        folders.map(|folder| folder.join(&name)).collect()
    }
}

/// There is no `renet` for an architecture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine is {architecture}, and there is no `renet` for it at hand")]
pub struct NoRenet {
    /// What the machine is.
    pub architecture: Architecture,
    /// Where one would be looked for.
    pub place: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86_64: u8 = 0x3E;
    const AARCH64: u8 = 0xB7;

    /// A folder with the named programs, each for one machine.
    fn folder(programs: &[(&str, u8)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, machine) in programs {
            let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1];
            elf.resize(18, 0);
            elf.extend([*machine, 0]);
            std::fs::write(folder.path().join(name), elf).expect("it is written");
        }
        folder
    }

    #[test]
    fn each_architecture_gets_its_own() {
        use Architecture::{Aarch64, X86_64 as Amd64};
        for (own, other, expected) in [
            (&[("renet", X86_64)][..], &[][..], [Some("renet"), None]),
            (
                &[("renet", X86_64), ("renet-aarch64", AARCH64)],
                &[],
                [Some("renet"), Some("renet-aarch64")],
            ),
            (
                &[("renet", X86_64)],
                &[("renet-aarch64", AARCH64)],
                [Some("renet"), Some("renet-aarch64")],
            ),
            (
                &[("renet", AARCH64), ("renet-x86_64", X86_64)],
                &[],
                [Some("renet-x86_64"), Some("renet")],
            ),
            // A name alone makes no program.
            (
                &[("renet", X86_64), ("renet-aarch64", X86_64)],
                &[],
                [Some("renet"), None],
            ),
        ] {
            let (own, other) = (folder(own), folder(other));
            let renets = Renets::new(own.path().join("renet"), other.path());
            for (architecture, expected) in [Amd64, Aarch64].into_iter().zip(expected) {
                let found = renets.of(architecture);
                let name = found.as_ref().ok().and_then(|it| it.local().file_name());
                assert_eq!(name.and_then(|name| name.to_str()), expected, "{renets:?}");
                if let Err(error) = found {
                    let place = own.path().join(format!("renet-{architecture}"));
                    assert_eq!(error.place, place);
                }
            }
        }
    }

    #[test]
    fn without_a_usual_one_a_named_one_is_tried_first() {
        let own = folder(&[("renet-aarch64", AARCH64)]);
        let renets = Renets::new(own.path().join("renet"), own.path());
        let usual = renets.usual().expect("a program");
        assert_eq!(usual.architecture(), Architecture::Aarch64);
        let none = tempfile::tempdir().expect("a folder");
        let renets = Renets::new(none.path().join("renet"), none.path());
        assert!(renets.usual().is_err());
    }
}
