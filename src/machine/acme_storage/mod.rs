//! Traefik's storage of certificates, `acme.json`, read strictly: what is accepted here Traefik 3
//! reads and uses whole, and what would make it end, run without certificates, or forget some is
//! refused with its reason. No error quotes the file, which holds keys.
//!
//! ```text
//! {RESOLVER: {"Account": {…}, "Certificates": [
//!     {"domain": {"main": …, "sans": […]}, "certificate": BASE64, "key": BASE64, "Store": "default"}
//! ]}}
//! ```

mod foreign;
mod import;
mod outline;
mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;

use rustix::fs::{Mode, OFlags, open as open_file};
use rustix::io::Errno;
use secrecy::SecretSlice;

use super::failed;
use super::x509::Leaf;
use crate::bundle::Failure;
use crate::layout;

pub(super) use import::{Import, importable, merged};

/// The only store of certificates that Traefik 3 serves from.
const STORE: &str = "default";
/// Some thousands of certificates. Traefik holds the whole file in its memory, and so do we.
const LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// What Traefik keeps, by certificate resolver.
#[derive(Debug, Default)]
pub(super) struct Storage(BTreeMap<String, Vec<Stored>>);

/// One certificate in it. The key's Debug is masked.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Its main name, as it was asked for.
    pub(super) main: String,
    /// The chain in PEM.
    pub(super) chain: Vec<u8>,
    key: SecretSlice<u8>,
    store: String,
}

impl Storage {
    /// Reads the whole file.
    pub(super) fn parse(json: &[u8]) -> Result<Self, Unusable> {
        // Traefik makes the file before it has anything for it.
        if json.is_empty() {
            return Ok(Self::default());
        }
        outline::examine(json)?;
        schema::storage(json)
    }

    /// All certificates, each with its resolver.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.0
            .iter()
            .flat_map(|(resolver, stored)| stored.iter().map(|one| (resolver.as_str(), one)))
    }

    /// The certificates that Traefik serves and renews.
    pub(super) fn used(&self) -> impl Iterator<Item = &Stored> {
        let is_used = |(resolver, stored): &(&str, &Stored)| stored.is_used_of(resolver);
        self.certificates()
            .filter(is_used)
            .map(|(_, stored)| stored)
    }

    /// Those that it only keeps.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Stored> {
        let is_unused = |(resolver, stored): &(&str, &Stored)| !stored.is_used_of(resolver);
        let all = self.certificates();
        all.filter(is_unused).map(|(_, stored)| stored)
    }
}

impl Stored {
    /// What the certificate says of itself.
    pub(super) fn leaf(&self) -> Result<Leaf, String> {
        Leaf::from_pem(&self.chain)
    }

    fn is_used_of(&self, resolver: &str) -> bool {
        resolver == layout::CERT_RESOLVER && self.store == STORE
    }
}

/// Why a file is not a storage that Traefik 3 can use.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is cut off, no JSON, or something in it is of the wrong kind.
    Damaged {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// It is JSON, but no object: what it is instead.
    Whole(&'static str),
    /// Something else stands where a resolver's account and certificates belong.
    Resolver(&'static str),
    /// Something is in it twice: Traefik would take one of the two, and forget the other.
    Twice,
    /// Traefik 1 wrote it; with the certificates in it.
    TraefikOne(Vec<Stored>),
    /// A certificate or key by itself.
    Pem,
    /// It is too large for a storage: its size in bytes.
    TooLarge(u64),
}

impl Unusable {
    fn at(error: &serde_json::Error) -> Self {
        Self::Damaged {
            line: error.line(),
            column: error.column(),
        }
    }
}

/// As it follows a file's name: `acme.json is damaged (line 1, column 2)`.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { line, column } => {
                write!(f, "is damaged (line {line}, column {column})")
            }
            Self::Whole(what) => write!(f, "holds {what}, and not Traefik's certificates"),
            Self::Resolver(what) => write!(
                f,
                "holds {what} where a resolver's account and certificates belong"
            ),
            Self::Twice => f.write_str("has the same key twice"),
            Self::TraefikOne(_) => {
                f.write_str("is of Traefik 1, whose format later versions cannot read")
            }
            Self::Pem => f.write_str("is a certificate or key in PEM, and not Traefik's storage"),
            Self::TooLarge(bytes) => write!(
                f,
                "has {} MiB, far more than Traefik's certificates take",
                bytes / (1024 * 1024)
            ),
        }
    }
}

/// A file that may be a storage.
#[derive(Debug)]
pub(super) struct Opened {
    /// The file.
    pub(super) file: File,
    /// What it was when it was opened.
    pub(super) metadata: Metadata,
    /// Whether a link leads to it: somebody's own arrangement, which is read but not changed.
    pub(super) is_link: bool,
}

/// Opens what lies at a path of Traefik's folder; none where there is nothing.
pub(super) fn open(path: &str) -> Result<Option<Opened>, Failure> {
    let cannot = |error: std::io::Error| failed(format!("cannot open {path}: {error}"));
    // What is no file, as a pipe, must not keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let (file, is_link) = match open_file(path, flags | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => (file, false),
        Err(Errno::LOOP) => match open_file(path, flags, Mode::empty()) {
            Ok(file) => (file, true),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(cannot(error.into())),
        },
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(cannot(error.into())),
    };
    let file = File::from(file);
    let metadata = file.metadata().map_err(cannot)?;
    Ok(Some(Opened {
        file,
        metadata,
        is_link,
    }))
}

impl Opened {
    /// Whether it is a file at all.
    pub(super) fn is_file(&self) -> bool {
        self.metadata.is_file()
    }

    /// Reads it as a storage.
    pub(super) fn storage(&self, path: &str) -> Result<Result<Storage, Unusable>, Failure> {
        let mut content = Vec::new();
        let read = (&self.file).take(LIMIT_BYTES + 1).read_to_end(&mut content);
        read.map_err(|error| failed(format!("cannot read {path}: {error}")))?;
        if content.len() as u64 > LIMIT_BYTES {
            return Ok(Err(Unusable::TooLarge(self.metadata.len())));
        }
        Ok(Storage::parse(&content))
    }
}

#[cfg(test)]
mod tests;
