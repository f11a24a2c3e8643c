//! A shipment: the stream with a manifest and the contents of some of its files.
//!
//! ```text
//! gzip( {"manifest": …, "contents": [path, …]} newline, then the contents one after the other )
//! ```
//!
//! The manifest has the length of each content. Damage and a premature end are detected by the SHA-256
//! of each content, and by the checksum of gzip at the end.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::{Content, Folder, Item, Manifest, SyncPath};

/// The fastest level: sources compress well even so, and a fast network does not have to wait.
const LEVEL: Compression = Compression::new(3);
/// The longest head that is read, in bytes: a manifest of some million files.
const HEAD_LIMIT: u64 = 512 * 1024 * 1024;

#[derive(Serialize)]
struct Head<'a> {
    manifest: &'a Manifest,
    contents: Vec<&'a SyncPath>,
}

#[derive(Deserialize)]
struct ReadHead {
    manifest: Manifest,
    contents: Vec<SyncPath>,
}

/// Sends a folder's manifest, and the contents of the wanted files. The machine only gets files of the
/// manifest, whatever it asks for.
pub fn send<W: Write>(folder: &Folder, wanted: &[String], into: W) -> io::Result<W> {
    let manifest = folder.manifest();
    let wanted = wanted.iter().filter_map(|path| path.parse().ok());
    let files: Vec<(&SyncPath, u64)> = wanted
        .filter_map(
            |path: SyncPath| match manifest.items().get_key_value(&path) {
                Some((path, Item::File { bytes, .. })) => Some((path, *bytes)),
                _ => None,
            },
        )
        .collect();
    let head = Head {
        manifest,
        contents: files.iter().map(|(path, _)| *path).collect(),
    };
    let mut gzip = GzEncoder::new(into, LEVEL);
    serde_json::to_writer(&mut gzip, &head)?;
    gzip.write_all(b"\n")?;
    for (path, bytes) in files {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
        // A file that became shorter is padded; the machine notices by its SHA-256.
        let file = folder.open(path).map_err(named)?;
        let mut content = file.chain(io::repeat(0)).take(bytes);
        io::copy(&mut content, &mut gzip)?;
    }
    gzip.finish()
}

/// A shipment that is being received.
pub struct Shipment<R> {
    manifest: Manifest,
    contents: Vec<SyncPath>,
    rest: BufReader<GzDecoder<R>>,
}

impl<R: BufRead> Shipment<R> {
    /// Reads the head.
    pub fn open(from: R) -> Result<Self, ShipmentError> {
        let mut rest = BufReader::new(GzDecoder::new(from));
        let mut head = Vec::new();
        (&mut rest)
            .take(HEAD_LIMIT)
            .read_until(b'\n', &mut head)
            .map_err(ShipmentError::Broken)?;
        let ReadHead { manifest, contents } =
            serde_json::from_slice(&head).map_err(ShipmentError::Head)?;
        Ok(Self {
            manifest,
            contents,
            rest,
        })
    }

    /// The manifest of the source.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether contents follow.
    pub fn has_contents(&self) -> bool {
        !self.contents.is_empty()
    }

    /// Reads the contents, each into the file that `open` returns for it, and the stream to its end.
    pub fn receive<W: Write>(
        mut self,
        mut open: impl FnMut(&SyncPath) -> io::Result<W>,
    ) -> Result<Manifest, ShipmentError> {
        for path in &self.contents {
            let Some(Item::File { bytes, sha256, .. }) = self.manifest.items().get(path) else {
                return Err(ShipmentError::Unannounced(path.clone()));
            };
            let write = |error| ShipmentError::Write {
                path: path.clone(),
                error,
            };
            let into = open(path).map_err(write)?;
            if copy(&mut self.rest, into, *bytes, write)? != *sha256 {
                return Err(ShipmentError::Damaged(path.clone()));
            }
        }
        let rest = io::copy(&mut self.rest, &mut io::sink()).map_err(ShipmentError::Broken)?;
        match rest {
            0 => Ok(self.manifest),
            _ => Err(ShipmentError::Broken(io::ErrorKind::InvalidData.into())),
        }
    }
}

/// Copies this many bytes, and returns their content. Failures of the two sides are told apart.
fn copy(
    from: &mut impl Read,
    mut into: impl Write,
    bytes: u64,
    write: impl Fn(io::Error) -> ShipmentError,
) -> Result<Content, ShipmentError> {
    let mut hashing = super::Hashing::default();
    let mut buffer = vec![0; 128 * 1024];
    let mut left = bytes;
    while left > 0 {
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = from
            .read(&mut buffer[..most])
            .map_err(ShipmentError::Broken)?;
        if count == 0 {
            return Err(ShipmentError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        hashing.update(&buffer[..count]);
        into.write_all(&buffer[..count]).map_err(&write)?;
        left -= count as u64;
    }
    into.flush().map_err(&write)?;
    Ok(hashing.content())
}

/// Why a shipment did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ShipmentError {
    /// It ended early, or was damaged in transit.
    #[error("the files to sync did not arrive")]
    Broken(#[source] io::Error),
    /// Its head cannot be understood.
    #[error("the list of files to sync cannot be used")]
    Head(#[source] serde_json::Error),
    /// It announces a content that is not in the manifest.
    #[error("`{0}` is not in the list of files to sync")]
    Unannounced(SyncPath),
    /// A content differs from the manifest.
    #[error("`{0}` was changed while it was sent")]
    Damaged(SyncPath),
    /// A content cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which.
        path: SyncPath,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    struct Kept<'a>(&'a std::cell::RefCell<BTreeMap<String, Vec<u8>>>, String);

    impl Write for Kept<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut all = self.0.borrow_mut();
            all.entry(self.1.clone()).or_default().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn received(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ShipmentError> {
        let kept = std::cell::RefCell::default();
        let open = |path: &SyncPath| Ok(Kept(&kept, path.to_string()));
        Shipment::open(bytes)?.receive(open)?;
        Ok(kept.into_inner())
    }

    #[test]
    fn what_is_wanted_and_was_announced_arrives_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("a"), "one").expect("it is written");
        fs::write(root.path().join("b"), "two").expect("it is written");
        let folder = Folder::read(root.path()).expect("it is read");
        let wanted = ["b", "missing", "../../etc/passwd", "/etc/passwd"].map(str::to_owned);
        let sent = send(&folder, &wanted, Vec::new()).expect("it is sent");
        let kept = received(&sent).expect("it arrives");
        assert_eq!(kept, BTreeMap::from([("b".to_owned(), b"two".to_vec())]));
        for end in [0, 10, sent.len() / 2, sent.len() - 1] {
            assert!(received(&sent[..end]).is_err(), "broken off at {end}");
        }
        // Shorter and other contents alike.
        for text in ["t", "owt", "twice"] {
            fs::write(root.path().join("b"), text).expect("it is written");
            let sent = send(&folder, &wanted, Vec::new()).expect("it is sent");
            let damaged = matches!(received(&sent), Err(ShipmentError::Damaged(_)));
            assert_eq!(damaged, text != "two", "{text}");
        }
    }
}
