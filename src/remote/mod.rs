//! One machine over the system's `ssh`: its configuration, agent, keys and jump hosts work because
//! it is the operator's own program. The only place that starts `ssh`.

mod files;
mod host_keys;

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::causes::with_causes;
use crate::context::value::{HostKey, MachineName};
use crate::context::{Machine, Reach};

pub use host_keys::{ScanError, scan as scan_host_keys};

/// How long a machine may take until it has let us in, jump hosts included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a quiet connection is asked whether it still lives; three silences end it.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How long `ssh` keeps the connection if we are killed before we can close it.
const ORPHAN_SECONDS: NonZeroUsize = NonZeroUsize::new(60).expect("60 is not zero");
/// How much of a remote program's standard error is kept.
const STDERR_LIMIT: u64 = 64 * 1024;
/// How many bytes are sent between two reports of progress.
const CHUNK: usize = 128 * 1024;

/// A machine that can be given work.
#[derive(Debug)]
pub struct Remote {
    link: Link,
    name: String,
}

#[derive(Debug)]
enum Link {
    /// The machine is this very workstation.
    Local,
    Ssh {
        session: Session,
        /// The control socket and the known hosts; they go with the connection.
        _folder: TempDir,
    },
}

impl Remote {
    /// Opens the connection to a machine of a context. Nothing is asked on the terminal.
    pub async fn connect(
        name: &MachineName,
        machine: &Machine,
        key: &Path,
    ) -> Result<Self, RemoteError> {
        let link = match &machine.reach {
            Reach::Local => Link::Local,
            reach => connect(name, reach, &machine.host_keys, key).await?,
        };
        Ok(Self {
            link,
            name: name.to_string(),
        })
    }

    /// Runs a shell script with words of its own, feeds it, and hands over its output line by
    /// line. `sent` is told how many bytes of the input have gone so far.
    pub async fn run(
        &self,
        script: &str,
        words: &[&str],
        input: impl AsyncRead + Unpin,
        sent: &mut dyn FnMut(u64),
        line: &mut dyn FnMut(&str),
    ) -> Result<Exit, RemoteError> {
        let mut command_words = vec!["-c", script, "sh"];
        command_words.extend(words);
        let lost = |error: &dyn std::error::Error| RemoteError::Lost {
            name: self.name.clone(),
            detail: chain(error),
        };
        match &self.link {
            Link::Local => {
                let mut child = tokio::process::Command::new("sh")
                    .args(command_words)
                    .stdin(std::process::Stdio::piped())
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .map_err(|error| lost(&error))?;
                let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
                let stderr = converse(pipes, input, sent, line).await;
                let stderr = stderr.map_err(|error| lost(&error))?;
                let status = child.wait().await.map_err(|error| lost(&error))?;
                Exit::of(status, stderr).map_err(|error| lost(&error))
            }
            Link::Ssh { session, .. } => {
                let mut child = session
                    .command("sh")
                    .args(command_words)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .await
                    .map_err(|error| lost(&error))?;
                let pipes = (
                    child.stdin().take(),
                    child.stdout().take(),
                    child.stderr().take(),
                );
                let stderr = converse(pipes, input, sent, line).await;
                let stderr = stderr.map_err(|error| lost(&error))?;
                let status = child.wait().await.map_err(|error| lost(&error))?;
                Exit::of(status, stderr).map_err(|error| lost(&error))
            }
        }
    }

    /// Closes the connection. Without it, dropping does the same in the background.
    pub async fn close(self) {
        if let Link::Ssh { session, _folder } = self.link {
            // What was to be done is done: a connection that is gone already is closed enough.
            let _ = session.close().await;
        }
    }
}

async fn connect(
    name: &MachineName,
    reach: &Reach,
    host_keys: &[HostKey],
    key: &Path,
) -> Result<Link, RemoteError> {
    let name = name.to_string();
    let local = |error| RemoteError::Local {
        name: name.clone(),
        error,
    };
    let folder = tempfile::Builder::new()
        .prefix("rdc-")
        .tempdir()
        .map_err(local)?;
    let known_hosts = folder.path().join("known_hosts");
    std::fs::write(&known_hosts, files::known_hosts(host_keys)).map_err(local)?;

    let mut builder = SessionBuilder::default();
    builder
        .control_directory(folder.path())
        .control_persist(ControlPersist::IdleFor(ORPHAN_SECONDS))
        .known_hosts_check(KnownHosts::Strict)
        .user_known_hosts_file(&known_hosts)
        .connect_timeout(CONNECT_TIMEOUT)
        .server_alive_interval(ALIVE_INTERVAL)
        .keyfile(key);
    let destination = match reach {
        Reach::Local => "localhost".to_owned(),
        Reach::Ssh { host, user, port } => {
            builder.user(user.to_string()).port(*port);
            host.to_string()
        }
        Reach::SshConfig {
            alias,
            host,
            user,
            port,
        } => {
            if let Some(user) = user {
                builder.user(user.to_string());
            }
            if let Some(port) = port {
                builder.port(*port);
            }
            if let Some(host) = host {
                let config = folder.path().join("config");
                std::fs::write(&config, files::config(host)).map_err(local)?;
                builder.config_file(&config);
            }
            alias.to_string()
        }
    };
    // `ssh`'s own time-out begins anew behind a jump host.
    match tokio::time::timeout(CONNECT_TIMEOUT * 2, builder.connect_mux(destination)).await {
        Ok(Ok(session)) => Ok(Link::Ssh {
            session,
            _folder: folder,
        }),
        Ok(Err(error)) => Err(RemoteError::connect(name, &error)),
        Err(_) => Err(RemoteError::Connect {
            name,
            cause: ConnectCause::Unreachable,
            detail: "it did not answer in time".to_owned(),
        }),
    }
}

/// Feeds a program and hears it out, at the same time, since either side may wait for the other.
/// Answers what it said on standard error.
async fn converse(
    pipes: (
        Option<impl AsyncWrite + Unpin>,
        Option<impl AsyncRead + Unpin>,
        Option<impl AsyncRead + Unpin>,
    ),
    mut input: impl AsyncRead + Unpin,
    sent: &mut dyn FnMut(u64),
    line: &mut dyn FnMut(&str),
) -> io::Result<String> {
    let (Some(mut stdin), Some(stdout), Some(mut stderr)) = pipes else {
        return Err(io::Error::other("the program has no pipes"));
    };
    let feed = async {
        let mut buffer = vec![0; CHUNK];
        let mut total = 0;
        loop {
            let count = input.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            match stdin.write_all(&buffer[..count]).await {
                Ok(()) => {}
                // A program that has read enough, or has ended: its exit tells the rest.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
            total += count as u64;
            sent(total);
        }
        drop(stdin);
        Ok(())
    };
    let listen = async {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(text) = lines.next_line().await? {
            line(&text);
        }
        Ok(())
    };
    let collect = async {
        let mut text = Vec::new();
        (&mut stderr)
            .take(STDERR_LIMIT)
            .read_to_end(&mut text)
            .await?;
        // The rest is read all the same, or the program would wait for us.
        tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    };
    let ((), (), stderr) = tokio::try_join!(feed, listen, collect)?;
    Ok(stderr)
}

/// How a remote program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code.
    pub code: i32,
    /// What it said on standard error.
    pub stderr: String,
}

impl Exit {
    fn of(status: ExitStatus, stderr: String) -> io::Result<Self> {
        match status.code() {
            Some(code) => Ok(Self { code, stderr }),
            None => Err(io::Error::other(
                "the program on the machine was ended by a signal",
            )),
        }
    }
}

/// Why nothing could be done on a machine.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The workstation's own part failed.
    #[error("cannot prepare the connection to machine `{name}`")]
    Local {
        /// The machine.
        name: String,
        /// What failed.
        #[source]
        error: io::Error,
    },
    /// It could not be reached, or did not let us in.
    #[error("cannot connect to machine `{name}`: {detail}")]
    Connect {
        /// The machine.
        name: String,
        /// Which layer refused.
        cause: ConnectCause,
        /// What `ssh` said.
        detail: String,
    },
    /// The connection broke.
    #[error("the connection to machine `{name}` was lost: {detail}")]
    Lost {
        /// The machine.
        name: String,
        /// What was noticed.
        detail: String,
    },
}

/// Which layer refused a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectCause {
    /// Nobody answers at the address.
    Unreachable,
    /// The host key is not one of the context's.
    HostKey,
    /// The login was refused.
    Login,
}

impl RemoteError {
    fn connect(name: String, error: &openssh::Error) -> Self {
        // What `ssh` said stands behind the library's own sentence.
        let said = match error {
            openssh::Error::Connect(source) => one_line(&source.to_string()),
            error => chain(error),
        };
        let is = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
        let (cause, detail) = if is(&["Host key verification failed", "host key is known for"]) {
            let shown = said
                .split_whitespace()
                .find(|word| word.starts_with("SHA256:"));
            let shown = shown.map_or(String::new(), |key| {
                format!(", it showed {}", key.trim_end_matches('.'))
            });
            let detail = format!("its host key is not one that the context trusts{shown}");
            (ConnectCause::HostKey, detail)
        } else if is(&["Permission denied", "Too many authentication failures"]) {
            (ConnectCause::Login, said)
        } else {
            (ConnectCause::Unreachable, said)
        };
        Self::Connect {
            name,
            cause,
            detail,
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    one_line(&with_causes(error))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
