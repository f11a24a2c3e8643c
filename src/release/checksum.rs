//! SHA-256 sums of contents, and the file in which a release lists them.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// How many bytes are read at once.
const BUFFER: usize = 1 << 20;

/// The SHA-256 of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// The sum of everything that a reader gives.
    pub fn of(mut content: impl Read) -> io::Result<Self> {
        let mut sum = Summed::new(io::sink());
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = content.read(&mut buffer)?;
            if count == 0 {
                return Ok(sum.checksum());
            }
            sum.write_all(&buffer[..count])?;
        }
    }
}

/// In hexadecimal, as `sha256sum` prints it.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = NoChecksum;

    fn from_str(text: &str) -> Result<Self, NoChecksum> {
        let digits = text.as_bytes();
        let mut sum = [0; 32];
        if digits.len() != 2 * sum.len() {
            return Err(NoChecksum);
        }
        for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(NoChecksum);
            // Two digits of 16 fit into a byte.
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Ok(Self(sum))
    }
}

/// A text is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no SHA-256")]
pub struct NoChecksum;

/// A writer that sums what goes through it.
pub(super) struct Summed<W> {
    inner: W,
    hash: Sha256,
}

impl<W> Summed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
        }
    }

    pub(super) fn checksum(self) -> Checksum {
        Checksum(self.hash.finalize().into())
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Finds a file's sum in a list as `sha256sum` writes it.
pub(super) fn listed(list: &str, file: &str) -> Result<Checksum, ListFault> {
    let mut found = None;
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let (sum, name) = line
            .split_once(char::is_whitespace)
            .ok_or(ListFault::NoList)?;
        let sum: Checksum = sum.parse().map_err(|NoChecksum| ListFault::NoList)?;
        // A star marks a binary file, and the files may have been named in their folder.
        let name = name.trim();
        let name = name.strip_prefix('*').unwrap_or(name);
        if name.strip_prefix("./").unwrap_or(name) != file {
            continue;
        }
        if found.is_some_and(|found| found != sum) {
            return Err(ListFault::NoList);
        }
        found = Some(sum);
    }
    match found {
        Some(sum) => Ok(sum),
        None if list.trim().is_empty() => Err(ListFault::NoList),
        None => Err(ListFault::NotListed),
    }
}

/// Why a list does not tell a file's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListFault {
    /// It is not a list of sums.
    NoList,
    /// It does not name the file.
    NotListed,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_sum_is_written_as_it_is_read() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let sum = Checksum::of(&b""[..]).expect("it reads");
        assert_eq!(sum.to_string(), empty);
        assert_eq!(empty.to_uppercase().parse(), Ok(sum));
        for text in ["", "e3b0", &empty[1..], &format!("{}g", &empty[1..])] {
            assert_eq!(text.parse::<Checksum>(), Err(NoChecksum), "{text:?}");
        }
    }

    #[test]
    fn a_list_tells_the_sum_of_the_very_file() {
        let file = "traefik_v3.7.15_linux_amd64.tar.gz";
        for (list, expected) in [
            (format!("{A}  other\n{B}  {file}\n"), Ok(B)),
            (format!("{B} *{file}\r\n\n{A}  {file}.asc"), Ok(B)),
            (format!("{B}  ./{file}\n{B}  {file}\n"), Ok(B)),
            (format!("{A}  {file}.asc\n"), Err(ListFault::NotListed)),
            (format!("{A}  dist/{file}\n"), Err(ListFault::NotListed)),
            (
                format!("{A}  {file}\n{B}  {file}\n"),
                Err(ListFault::NoList),
            ),
            (format!("{A}{file}\n"), Err(ListFault::NoList)),
            (format!("{}  {file}\n", &A[1..]), Err(ListFault::NoList)),
            (
                "<!DOCTYPE html>\n<p>Log in".to_owned(),
                Err(ListFault::NoList),
            ),
            (" \n".to_owned(), Err(ListFault::NoList)),
        ] {
            let found = listed(&list, file).map(|sum| sum.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{list}");
        }
    }
}
