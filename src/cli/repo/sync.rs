//! Copies a folder of this workstation to a repository: first the list of its files, then the contents
//! that the machine lacks.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncRead;
use tokio::task::JoinHandle;
use tokio_util::io::SyncIoBridge;

use super::exchange::Exchange;
use super::live::Live;
use crate::bundle::{RepositoryAnswer, SyncReport};
use crate::cli::failure::{Exit, Failure};
use crate::cli::work::call::Connection;
use crate::cli::work::fleet::Stopped;
use crate::repository::RepositoryName;
use crate::sync::{Folder, FolderError, send};

/// How many compressed bytes may wait to be sent.
const WAITING_BYTES: usize = 256 * 1024;
/// How many times the machine may ask for contents: once, and again for files that changed meanwhile.
const MOST_ROUNDS: usize = 3;

/// Reads the folder. Nothing has happened yet, so a folder that cannot be read fails here.
pub(super) fn read(source: &Path) -> Result<Arc<Folder>, Failure> {
    let folder = Folder::read(source).map_err(|error| {
        let failure = Failure::caused(Exit::Invalid, &error);
        match error {
            FolderError::Unreadable { .. } | FolderError::Walk(_) => {
                failure.hint("name a folder that you can read with --source")
            }
            FolderError::Ignore(_) => failure.hint("it has the syntax of .gitignore"),
            FolderError::Name(_) => failure.hint("rename it, or add it to .rediaccignore"),
            FolderError::Changed => failure.hint("run it again"),
        }
    })?;
    Ok(Arc::new(folder))
}

/// Copies the changes of the folder to the repository.
pub(super) async fn sync(
    exchange: &Exchange<'_>,
    connection: &Connection<'_>,
    repository: &RepositoryName,
    folder: &Arc<Folder>,
    mount: bool,
) -> Result<SyncReport, Stopped> {
    let mut wanted = Vec::new();
    for _ in 0..MOST_ROUNDS {
        connection.progress.doing(&match wanted.len() {
            0 => "compare files".to_owned(),
            1 => "send 1 file".to_owned(),
            count => format!("send {count} files"),
        });
        let mut options = vec![repository.to_string()];
        if mount {
            options.push("--mount".to_owned());
        }
        let (sent, sending) = begin(folder.clone(), wanted);
        let output = &exchange.session.output;
        let mut live = Live::new(output, &connection.progress, repository);
        let answer = exchange
            .tell(&connection.remote, "sync", options, sent, &mut live)
            .await;
        // A file that could not be read here explains more than the machine, which only saw the stream end.
        end(sending).await?;
        match answer? {
            RepositoryAnswer::Wanted(paths) => wanted = paths,
            RepositoryAnswer::Synced(report) => return Ok(report),
            answer => return Err(exchange.strange(answer).into()),
        }
    }
    Err(Failure::new(
        Exit::Failed,
        format!("the files of {repository} change while they are synced"),
    )
    .hint("run it again when nothing writes to them")
    .into())
}

/// Packs the contents in a thread of its own while they are sent.
fn begin(
    folder: Arc<Folder>,
    wanted: Vec<String>,
) -> (impl AsyncRead + Unpin, JoinHandle<io::Result<()>>) {
    let (into, packed) = tokio::io::duplex(WAITING_BYTES);
    let into = SyncIoBridge::new(into);
    let sending = tokio::task::spawn_blocking(move || send(&folder, &wanted, into)?.shutdown());
    (packed, sending)
}

/// The failure to read a file. If only the machine stopped reading, it is not a failure of ours.
async fn end(sending: JoinHandle<io::Result<()>>) -> Result<(), Failure> {
    match sending.await.map_err(io::Error::other).flatten() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Failed,
            format!("cannot read a file to sync: {error}"),
        )
        .hint("nothing was changed; run it again")),
        _ => Ok(()),
    }
}
