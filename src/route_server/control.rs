//! The socket in the state folder by which `renet route-server release` reaches the route server
//! that runs. Only root can open it: the folder is root's alone, and 7111 is everybody's.
//!
//! One line each way: a resource, as `shop.example.com` or `tcp-25`; and what came of it, in JSON.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::ownership::Resource;
use crate::ownership::{Grant, Repository};

/// The socket's name in the state folder.
const SOCKET: &str = "control.sock";
/// What a question and its answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest line, in bytes: more than the longest host name.
const LONGEST_LINE: u64 = 1024;

/// A wish that something be free, and where the answer goes.
#[derive(Debug)]
pub struct Release {
    /// What.
    pub resource: Resource,
    /// The repositories that had taken it.
    pub answer: oneshot::Sender<Vec<Repository>>,
}

/// What came of a wish.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// These had taken it.
    Released(Vec<Repository>),
    /// It cannot be understood.
    Invalid(String),
}

/// Answers on the socket of a state folder for as long as the handle is held. Where there can be no
/// socket, nothing is released, and nothing else is lost.
pub fn listen(state_dir: &Path, releases: mpsc::Sender<Release>) -> Option<AbortOnDropHandle<()>> {
    let socket = state_dir.join(SOCKET);
    // A process that was killed leaves its socket.
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)
        .inspect_err(|error| warn!("cannot listen on {socket:?}: {error}"))
        .ok()?;
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answered = timeout(TIMEOUT, answer(stream, &releases)).await;
            if let Ok(Err(error)) = answered {
                warn!("cannot answer on the control socket: {error}");
            }
        }
    });
    Some(AbortOnDropHandle::new(task))
}

async fn answer(mut stream: UnixStream, releases: &mpsc::Sender<Release>) -> io::Result<()> {
    let line = read_line(&mut stream).await?;
    let grant = line
        .trim()
        .parse::<Grant>()
        .map_err(|error| error.to_string());
    let resource =
        grant.and_then(|grant| Resource::try_from(grant).map_err(|error| error.to_string()));
    let answer = match resource {
        Ok(resource) => {
            let (sender, receiver) = oneshot::channel();
            let release = Release {
                resource,
                answer: sender,
            };
            releases.send(release).await.map_err(io::Error::other)?;
            Answer::Released(receiver.await.map_err(io::Error::other)?)
        }
        Err(problem) => Answer::Invalid(problem),
    };
    let line = serde_json::to_string(&answer)? + "\n";
    stream.write_all(line.as_bytes()).await
}

/// Asks the route server of a state folder.
pub async fn release(state_dir: &Path, resource: &str) -> io::Result<Answer> {
    let socket: PathBuf = state_dir.join(SOCKET);
    let ask = async {
        let mut stream = UnixStream::connect(&socket).await?;
        stream.write_all(format!("{resource}\n").as_bytes()).await?;
        let line = read_line(&mut stream).await?;
        Ok(serde_json::from_str(&line)?)
    };
    timeout(TIMEOUT, ask)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn read_line(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(LONGEST_LINE));
    reader.read_line(&mut line).await?;
    Ok(line)
}
