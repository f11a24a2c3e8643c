//! One machine over the system's `ssh`: its configuration, agent, keys and jump hosts work because
//! it is the operator's own program. The only place that starts `ssh`.
//!
//! What goes on is told by `tracing`, for `-vv`: commands and times, never what is sent.

mod command;
mod connection;
mod error;
mod host_keys;
mod key;
mod way;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use openssh::Session;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;

use crate::causes::with_causes;
use crate::context::value::MachineName;
use crate::context::{Machine, Reach};
use command::Preamble;

pub use error::{ConnectCause, KeyProblem, RemoteError};
pub use host_keys::{ScanError, scan as scan_host_keys};
pub use way::{WayError, login_port, login_user};

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
    Ssh(Connection),
}

/// A connection that is up, and what its `ssh` logs.
#[derive(Debug)]
struct Connection {
    session: Session,
    log: PathBuf,
}

impl Remote {
    /// Opens the connection to a machine of a context. Nothing is asked on the terminal.
    pub async fn connect(
        name: &MachineName,
        machine: &Machine,
        key: &Path,
    ) -> Result<Self, RemoteError> {
        let link = match machine.reach {
            Reach::Local => Link::Local,
            _ => {
                let folder = connection::open(name.as_str(), machine, key).await?;
                let log = connection::log(folder.path());
                let session = Session::new_native_mux(folder);
                Link::Ssh(Connection { session, log })
            }
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
        let started = Instant::now();
        tracing::debug!("{}: runs a command: {}", self.name, words.join(" "));
        let mut preamble = Preamble::default();
        let mut own_line = |text: &str| {
            if preamble.is_over(text) {
                line(text);
            }
        };
        let command = command::line(script, words);
        let ended = self.converse(&command, input, sent, &mut own_line).await;
        tracing::debug!("{}: it ended after {:.2?}", self.name, started.elapsed());
        let (code, stderr) = ended.map_err(|error| self.lost(&error))?;
        if !preamble.ended() {
            return Err(self.no_shell(&preamble, &stderr));
        }
        Ok(Exit {
            code,
            stderr: command::own_stderr(&stderr).to_owned(),
        })
    }

    /// Closes the connection. Without it, dropping does the same in the background.
    pub async fn close(self) {
        if let Link::Ssh(Connection { session, .. }) = self.link {
            // What was to be done is done: a connection that is gone already is closed enough.
            let _ = session.close().await;
        }
    }

    /// Runs a command line to its end, and answers its exit code and standard error.
    async fn converse(
        &self,
        command: &str,
        input: impl AsyncRead + Unpin,
        sent: &mut dyn FnMut(u64),
        line: &mut dyn FnMut(&str),
    ) -> Result<(i32, String), openssh::Error> {
        let (pipes, theirs) = Pipes::new().map_err(openssh::Error::ChildIo)?;
        let child = self.link.spawn(command, theirs).await?;
        let stderr = pipes
            .converse(input, sent, line)
            .await
            .map_err(openssh::Error::ChildIo)?;
        Ok((child.exit_code().await?, stderr))
    }

    fn lost(&self, error: &openssh::Error) -> RemoteError {
        // What the waiting `ssh` noticed says more than that it is gone.
        let logged = match &self.link {
            Link::Local => String::new(),
            Link::Ssh(Connection { log, .. }) => connection::read(log),
        };
        let noticed = logged
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty() && !line.starts_with("Authenticated to"));
        RemoteError::Lost {
            name: self.name.clone(),
            detail: match noticed {
                Some(line) => line.to_owned(),
                None => with_causes(error),
            },
        }
    }

    fn no_shell(&self, preamble: &Preamble, stderr: &str) -> RemoteError {
        let said = format!("{} {stderr}", preamble.said());
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        RemoteError::NoShell {
            name: self.name.clone(),
            said: if said.is_empty() {
                "it says nothing".to_owned()
            } else {
                said
            },
        }
    }
}

impl Link {
    async fn spawn(
        &self,
        command: &str,
        [stdin, stdout, stderr]: [OwnedFd; 3],
    ) -> Result<Child<'_>, openssh::Error> {
        match self {
            Self::Local => tokio::process::Command::new("sh")
                .args(["-c", command])
                .stdin(stdin)
                .stdout(stdout)
                .stderr(stderr)
                .spawn()
                .map(Child::Local)
                .map_err(openssh::Error::ChildIo),
            Self::Ssh(Connection { session, .. }) => session
                .raw_command(command)
                .stdin(stdin)
                .stdout(stdout)
                .stderr(stderr)
                .spawn()
                .await
                .map(Child::Ssh),
        }
    }
}

/// A program under way.
enum Child<'a> {
    Local(tokio::process::Child),
    Ssh(openssh::Child<&'a Session>),
}

impl Child<'_> {
    async fn exit_code(self) -> Result<i32, openssh::Error> {
        // What a shell answers that does not find the command to run.
        const NOT_FOUND: i32 = 127;
        let status = match self {
            Self::Local(mut child) => child.wait().await.map_err(openssh::Error::ChildIo)?,
            Self::Ssh(child) => match child.wait().await {
                Err(openssh::Error::Remote(_)) => return Ok(NOT_FOUND),
                status => status?,
            },
        };
        // Over SSH, the end by a signal and that of the connection look alike.
        status.code().ok_or(openssh::Error::RemoteProcessTerminated)
    }
}

/// Our ends of a program's three pipes.
struct Pipes {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
}

impl Pipes {
    /// Our ends, and the program's: standard input, output and error.
    fn new() -> io::Result<(Self, [OwnedFd; 3])> {
        let (stdin, to_stdin) = io::pipe()?;
        let (from_stdout, stdout) = io::pipe()?;
        let (from_stderr, stderr) = io::pipe()?;
        let ours = Self {
            stdin: pipe::Sender::from_owned_fd(to_stdin.into())?,
            stdout: pipe::Receiver::from_owned_fd(from_stdout.into())?,
            stderr: pipe::Receiver::from_owned_fd(from_stderr.into())?,
        };
        Ok((ours, [stdin.into(), stdout.into(), stderr.into()]))
    }

    /// Feeds a program and hears it out, at the same time, since either side may wait for the
    /// other. Answers what it said on standard error.
    async fn converse(
        self,
        mut input: impl AsyncRead + Unpin,
        sent: &mut dyn FnMut(u64),
        line: &mut dyn FnMut(&str),
    ) -> io::Result<String> {
        let Self {
            mut stdin,
            stdout,
            mut stderr,
        } = self;
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
            let mut stdout = BufReader::new(stdout);
            let mut bytes = Vec::new();
            // Not `lines()`: what a login prints before our own need not be UTF-8.
            while stdout.read_until(b'\n', &mut bytes).await? > 0 {
                line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
                bytes.clear();
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
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        let ((), (), stderr) = tokio::try_join!(feed, listen, collect)?;
        Ok(stderr)
    }
}

/// How a remote program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code.
    pub code: i32,
    /// What it said on standard error.
    pub stderr: String,
}
