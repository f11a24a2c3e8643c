//! What commands of a machine run over, and a command at work: how it is started, fed, heard out
//! and ended.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use openssh::Session;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::connection;
use crate::causes::with_causes;

/// How much of a remote program's standard error is kept.
const STDERR_LIMIT: u64 = 64 * 1024;
/// How long a line may be that is heard. The longest answer is a status with thousands of
/// certificates; what is longer is none, and must not fill the workstation's memory.
const LINE_LIMIT: u64 = 16 * 1024 * 1024;
/// How many bytes are sent between two reports of progress.
const CHUNK: usize = 128 * 1024;

/// What commands run over.
#[derive(Debug)]
pub(super) enum Link {
    /// The machine is this very workstation.
    Local,
    /// A connection that is up, and the folder in which its `ssh` logs.
    Ssh { session: Session, folder: PathBuf },
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    /// What it said on standard error.
    pub(super) stderr: String,
}

/// A link that broke while a command ran, and what was noticed of it.
#[derive(Debug)]
pub(super) struct Broken(pub(super) String);

impl Link {
    /// Over the connection that was opened in a folder.
    pub(super) fn over(connection: TempDir) -> Self {
        let folder = connection.path().to_owned();
        let session = Session::new_native_mux(connection);
        Self::Ssh { session, folder }
    }

    /// Runs a command line to its end. Its input is sent as soon as `begun` turns true.
    pub(super) async fn converse(
        &self,
        command: &str,
        input: impl AsyncRead + Unpin,
        begun: watch::Receiver<bool>,
        sent: &mut dyn FnMut(u64),
        line: &mut dyn FnMut(&str),
    ) -> Result<Ended, Broken> {
        let conversation = async {
            let (pipes, theirs) = Pipes::new().map_err(openssh::Error::ChildIo)?;
            let child = Child::spawn(self, command, theirs).await?;
            let stderr = pipes
                .converse(input, begun, sent, line)
                .await
                .map_err(openssh::Error::ChildIo)?;
            let code = child.exit_code().await?;
            Ok(Ended { code, stderr })
        };
        conversation.await.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &openssh::Error) -> Broken {
        // What the waiting `ssh` noticed says more than that it is gone.
        Broken(self.noticed().unwrap_or_else(|| with_causes(error)))
    }

    /// Whether nothing goes over SSH.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }

    /// Whether commands can be run over it.
    pub(super) async fn is_alive(&self) -> bool {
        match self {
            Self::Local => true,
            Self::Ssh { session, .. } => session.check().await.is_ok(),
        }
    }

    /// What was noticed of the connection.
    pub(super) fn noticed(&self) -> Option<String> {
        match self {
            Self::Local => None,
            Self::Ssh { folder, .. } => connection::noticed(folder),
        }
    }

    /// The program that runs a command line with our own streams: what it gets beside them is the
    /// caller's choice.
    pub(super) fn attached(&self, command: &str, terminal: bool) -> tokio::process::Command {
        match self {
            Self::Local => {
                let mut sh = tokio::process::Command::new("sh");
                sh.args(["-c", command]);
                sh
            }
            Self::Ssh { folder, .. } => connection::through(folder, command, terminal),
        }
    }

    /// Closes the connection.
    pub(super) async fn close(self) {
        if let Self::Ssh { session, .. } = self {
            // What was to be done is done: a connection that is gone already is closed enough.
            let _ = session.close().await;
        }
    }
}

/// How long the machine may take to end the session before: with `MaxSessions 1` of sshd_config(5) it
/// opens no other one meanwhile.
const SESSION_PATIENCE: Duration = Duration::from_secs(2);
const SESSION_INTERVAL: Duration = Duration::from_millis(20);

/// Whether the machine opens no further session on the connection, which is up.
fn is_full(error: &openssh::Error) -> bool {
    with_causes(error).contains("Session open refused by peer")
}

/// A program under way.
enum Child<'a> {
    Local(tokio::process::Child),
    Ssh(openssh::Child<&'a Session>),
}

impl<'a> Child<'a> {
    /// Starts a command line with its three pipes: standard input, output and error.
    async fn spawn(
        link: &'a Link,
        command: &str,
        [stdin, stdout, stderr]: [OwnedFd; 3],
    ) -> Result<Self, openssh::Error> {
        match link {
            Link::Local => tokio::process::Command::new("sh")
                .args(["-c", command])
                .stdin(stdin)
                .stdout(stdout)
                .stderr(stderr)
                .spawn()
                .map(Self::Local)
                .map_err(openssh::Error::ChildIo),
            Link::Ssh { session, .. } => {
                let begun = Instant::now();
                loop {
                    let copy = |fd: &OwnedFd| fd.try_clone().map_err(openssh::Error::ChildIo);
                    let spawned = session
                        .raw_command(command)
                        .stdin(copy(&stdin)?)
                        .stdout(copy(&stdout)?)
                        .stderr(copy(&stderr)?)
                        .spawn()
                        .await;
                    match spawned {
                        Err(error) if is_full(&error) && begun.elapsed() < SESSION_PATIENCE => {
                            tokio::time::sleep(SESSION_INTERVAL).await;
                        }
                        spawned => return spawned.map(Self::Ssh),
                    }
                }
            }
        }
    }

    /// Waits for its end.
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

    /// Feeds a program as soon as `begun` turns true and hears it out, at the same time, since
    /// either side may wait for the other. Answers what it said on standard error.
    async fn converse(
        self,
        mut input: impl AsyncRead + Unpin,
        mut begun: watch::Receiver<bool>,
        sent: &mut dyn FnMut(u64),
        line: &mut dyn FnMut(&str),
    ) -> io::Result<String> {
        let Self {
            stdin,
            stdout,
            mut stderr,
        } = self;
        let feed = async move {
            // Dropped at the end, by which the program sees the input's end.
            let mut stdin = stdin;
            // Where nobody can say any more that it has begun, it never will.
            if begun.wait_for(|begun| *begun).await.is_err() {
                return Ok(());
            }
            let mut buffer = vec![0; CHUNK];
            let mut total = 0;
            loop {
                let count = input.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(());
                }
                match stdin.write_all(&buffer[..count]).await {
                    Ok(()) => {}
                    // A program that has read enough, or has ended: its exit tells the rest.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    Err(error) => return Err(error),
                }
                total += count as u64;
                sent(total);
            }
        };
        let listen = async {
            let mut stdout = BufReader::new(stdout);
            let mut bytes = Vec::new();
            // Not `lines()`: what a login prints before our own need not be UTF-8.
            let mut is_rest = false;
            loop {
                let mut limited = (&mut stdout).take(LINE_LIMIT);
                if limited.read_until(b'\n', &mut bytes).await? == 0 {
                    return Ok(());
                }
                let has_ended = bytes.ends_with(b"\n") || (bytes.len() as u64) < LINE_LIMIT;
                // Of a longer line, no part is what it seems to be.
                if has_ended && !is_rest {
                    line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
                }
                is_rest = !has_ended;
                bytes.clear();
            }
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
        let mut hear = pin!(async { tokio::try_join!(listen, collect) });
        // What a program that has ended did not wait for is never sent.
        let heard = tokio::select! {
            biased;
            heard = &mut hear => heard,
            fed = feed => {
                fed?;
                hear.await
            }
        };
        heard.map(|((), stderr)| stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(command: &str, input: &[u8], has_begun: bool) -> (Vec<String>, Ended) {
        let (_begin, begun) = watch::channel(has_begun);
        let mut lines = Vec::new();
        let mut line = |text: &str| lines.push(text.to_owned());
        let ended = Link::Local
            .converse(command, input, begun, &mut |_| {}, &mut line)
            .await
            .expect("it ends");
        (lines, ended)
    }

    #[tokio::test]
    async fn a_command_is_fed_and_heard_out() {
        let (lines, ended) = heard("cat; echo oh >&2; exit 3", b"a\nb", true).await;
        assert_eq!(lines, ["a", "b"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (3, "oh\n"));
    }

    #[tokio::test]
    async fn a_command_that_does_not_begin_gets_nothing() {
        let command = "timeout 0.2 cat; echo end";
        let (lines, _) = heard(command, b"s3cret\n", false).await;
        assert_eq!(lines, ["end"]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_no_line() {
        let long = LINE_LIMIT + LINE_LIMIT / 2;
        let command = format!("head -c {long} /dev/zero; echo; echo end; printf rest");
        let (lines, _) = heard(&command, b"", true).await;
        assert_eq!(lines, ["end", "rest"]);
    }
}
