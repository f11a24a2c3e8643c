//! What a program runs on.

use std::fmt;
use std::str::FromStr;

/// An architecture that there are programs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// Intel and AMD, 64 bit.
    X86_64,
    /// ARM, 64 bit.
    Aarch64,
}

impl Architecture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// Its name in the files of Traefik's releases.
    pub(super) fn in_assets(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Which machine a program is for, by its first 20 bytes: the magic number, the class, the
    /// byte order, and at 18 the machine (System V ABI, ELF header).
    pub fn of_program(head: &[u8]) -> Option<Self> {
        const ELF_64_BIT_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
        if !head.starts_with(ELF_64_BIT_LITTLE_ENDIAN) {
            return None;
        }
        match u16::from_le_bytes([*head.get(18)?, *head.get(19)?]) {
            0x3E => Some(Self::X86_64),
            0xB7 => Some(Self::Aarch64),
            _ => None,
        }
    }
}

/// As `uname -m` says it.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(uname: &str) -> Result<Self, UnknownArchitecture> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.to_string() == uname.trim())
            .ok_or_else(|| UnknownArchitecture(uname.trim().to_owned()))
    }
}

/// What `uname -m` said is nothing that there are programs for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither x86_64 nor aarch64")]
pub struct UnknownArchitecture(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_tells_which_machine_it_is_for() {
        let header = |class: u8, machine: u16| {
            let mut head = vec![0x7f, b'E', b'L', b'F', class, 1];
            head.resize(18, 0);
            head.extend(machine.to_le_bytes());
            head
        };
        for (head, expected) in [
            (header(2, 0x3E), Some(Architecture::X86_64)),
            (header(2, 0xB7), Some(Architecture::Aarch64)),
            (header(1, 0x3E), None),
            (header(2, 0x08), None),
            (header(2, 0x3E)[..18].to_vec(), None),
            (b"#!/bin/sh\nexec traefik \"$@\"\n".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(Architecture::of_program(&head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_machine_tells_its_architecture_by_uname() {
        for (uname, expected) in [
            ("x86_64\n", Some(Architecture::X86_64)),
            ("aarch64", Some(Architecture::Aarch64)),
            ("armv7l", None),
            ("", None),
        ] {
            assert_eq!(uname.parse().ok(), expected, "{uname:?}");
        }
    }
}
