//! A program as it is sent, compressed: from an offset on, or as a whole.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;
use tokio_util::io::SyncIoBridge;

use super::{Program, ProgramError};

/// How many compressed bytes may wait to be sent.
const WAITING_BYTES: usize = 256 * 1024;
/// On Traefik a 20th larger than the best, for half the time.
const LEVEL: Compression = Compression::new(4);
/// How many bytes are compressed at once.
const CHUNK: usize = 128 * 1024;

/// A program that is compressed by a thread of its own while it is sent.
pub(super) struct Packing {
    /// How far the program was read.
    at: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Packing {
    /// Begins at an offset of the program; the compressed bytes are to be read.
    pub(super) fn begin(
        program: &Program,
        offset: u64,
    ) -> Result<(Self, impl AsyncRead + Unpin + use<>), ProgramError> {
        let open = || -> io::Result<File> {
            let mut file = File::open(program.local())?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        };
        let mut file = open().map_err(|error| unreadable(program, error))?;
        let at = Arc::new(AtomicU64::new(offset));
        let (into, packed) = tokio::io::duplex(WAITING_BYTES);
        let into = SyncIoBridge::new(into);
        let read = at.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let mut gzip = GzEncoder::new(into, LEVEL);
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = file.read(&mut buffer)?;
                if count == 0 {
                    return gzip.finish()?.shutdown();
                }
                gzip.write_all(&buffer[..count])?;
                read.fetch_add(count as u64, Ordering::Relaxed);
            }
        });
        Ok((Self { at, thread }, packed))
    }

    /// How far the program was read, and so nearly how far it is sent.
    pub(super) fn read_bytes(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    /// Fails if the program could not be read to its end. That the other side wants no more is
    /// no failure of ours.
    pub(super) async fn end(self, program: &Program) -> Result<(), ProgramError> {
        match self.thread.await.map_err(io::Error::other).flatten() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(unreadable(program, error))
            }
            _ => Ok(()),
        }
    }
}

/// A whole program, compressed in memory, where its compressed size has to be known before.
pub(super) async fn whole(program: &Program) -> Result<Vec<u8>, ProgramError> {
    let (packing, mut packed) = Packing::begin(program, 0)?;
    let mut bytes = Vec::new();
    let read = packed.read_to_end(&mut bytes).await;
    packing.end(program).await?;
    read.map_err(|error| unreadable(program, error))?;
    Ok(bytes)
}

fn unreadable(program: &Program, error: io::Error) -> ProgramError {
    ProgramError::Read {
        path: program.local().to_owned(),
        error,
    }
}
