//! The program in a release's archive.

use std::fs::OpenOptions;
use std::io::{self, Read, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use flate2::read::GzDecoder;
use tar::Archive;

use super::checksum::{Checksum, Summed};
use crate::layout;

/// How large the program may be: Traefik's is some 150 MB, and an archive can claim anything.
const PROGRAM_BYTES: u64 = 2 << 30;

/// Writes the program of a `.tar.gz` to a file, and answers the program's sum.
pub(super) fn extract(
    archive: &mut (impl Read + io::Seek),
    program: &Path,
) -> io::Result<Checksum> {
    archive.seek(SeekFrom::Start(0))?;
    let mut archive = Archive::new(GzDecoder::new(archive));
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?;
        let is_program = path.strip_prefix(".").unwrap_or(&path) == Path::new(layout::TRAEFIK);
        if !is_program || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(program)?;
        let mut sum = Summed::new(&mut file);
        let bytes = io::copy(&mut entry.take(PROGRAM_BYTES), &mut sum)?;
        if bytes == PROGRAM_BYTES {
            return Err(io::Error::other("its program is too large"));
        }
        let sum = sum.checksum();
        file.sync_all()?;
        return Ok(sum);
    }
    Err(io::Error::other("there is no `traefik` in it"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{EntryType, Header};

    use super::*;

    fn packed(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o755);
            archive
                .append_data(&mut header, name, *content)
                .expect("an entry");
        }
        let gzip = archive.into_inner().expect("an archive");
        gzip.finish().expect("it is compressed")
    }

    #[test]
    fn the_program_is_taken_and_nothing_else() {
        let file = EntryType::Regular;
        let whole = packed(&[
            ("LICENSE.md", file, b"licence"),
            ("traefik", file, b"program"),
        ]);
        let cut = whole[..whole.len() / 2].to_vec();
        for (name, archive, expected) in [
            ("whole", whole, Some(&b"program"[..])),
            ("dotted", packed(&[("./traefik", file, b"x")]), Some(b"x")),
            ("another", packed(&[("bin/traefik", file, b"x")]), None),
            (
                "a folder",
                packed(&[("traefik", EntryType::Directory, b"")]),
                None,
            ),
            ("empty", packed(&[]), None),
            ("cut", cut, None),
            ("no archive", b"<html>".to_vec(), None),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("program");
            let sum = extract(&mut Cursor::new(archive), &path);
            let content = sum
                .is_ok()
                .then(|| std::fs::read(&path).expect("the program"));
            assert_eq!(content.as_deref(), expected, "{name}");
            if let (Ok(sum), Some(content)) = (sum, content) {
                assert_eq!(sum, Checksum::of(&content[..]).expect("it reads"));
            }
        }
    }
}
