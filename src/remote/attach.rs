//! Runs a command on a machine with our own terminal, or with our own standard streams. Input and output
//! pass through unchanged.
//!
//! ```text
//! a terminal    ours ◄──── ssh -tt ────► the command's          a login's greeting is seen
//! no terminal   standard input ─────────► ssh -T ───► the command
//!               outputs ◄── behind the login's greeting ◄── ssh
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use super::command::{self, Preamble};
use super::error::LoginProblem;
use super::{Remote, RemoteError};

/// Which of our streams a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// A terminal of its own, connected to ours.
    Terminal,
    /// Our standard input and both outputs.
    All,
    /// Both outputs. Its standard input is empty, and ends when this process ends.
    Outputs,
}

/// The exit code of `ssh` if the connection is lost.
const SSH_FAILED: i32 = 255;
/// What a shell adds to the number of the signal that ended a program, for its exit code.
const SIGNALLED: i32 = 128;

impl Remote {
    /// Runs a shell script with arguments, and returns its exit code.
    pub async fn attach(
        &self,
        script: &str,
        words: &[&str],
        streams: Streams,
    ) -> Result<i32, RemoteError> {
        tracing::debug!("{}: runs a command: {}", self.name, words.join(" "));
        let terminal = streams == Streams::Terminal;
        let line = if terminal || self.link.is_local() {
            command::plain_line(script, words)
        } else {
            command::line(script, words)
        };
        let mut program = self.link.attached(&line, terminal);
        let local = |error| RemoteError::Local {
            name: self.name.clone(),
            error,
        };
        // So that it ends with this process, even if that is killed.
        program.kill_on_drop(true);
        if streams == Streams::Outputs {
            program.stdin(Stdio::piped());
        }
        if !terminal && !self.link.is_local() {
            program.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = program.spawn().map_err(local)?;
        // Keep it open: waiting for the program would close it.
        let _held = child.stdin.take();
        if terminal || self.link.is_local() {
            return self.ended(child.wait().await.map_err(local)?).await;
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let copy = async {
            let mut out = ours(io::stdout().as_fd())?;
            let mut err = ours(io::stderr().as_fd())?;
            let stdout = async {
                match stdout {
                    Some(stdout) => command::own_output(stdout, &mut out).await,
                    None => Ok(Preamble::default()),
                }
            };
            let stderr = async {
                match stderr {
                    Some(stderr) => command::own_output(stderr, &mut err).await,
                    None => Ok(Preamble::default()),
                }
            };
            tokio::try_join!(stdout, stderr)
        };
        let (stdout, stderr) = match copy.await {
            Ok(preambles) => preambles,
            // The reader of our output is gone.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
            Err(error) => return Err(local(error)),
        };
        let code = self.ended(child.wait().await.map_err(local)?).await?;
        if stdout.ended() {
            return Ok(code);
        }
        let said = command::said(&stdout, &stderr.said());
        Err(self.no_command(LoginProblem::Refuses { said }))
    }

    async fn ended(&self, status: ExitStatus) -> Result<i32, RemoteError> {
        match (status.code(), status.signal()) {
            // If the connection still works, the program itself had this exit code, or was ended by a signal.
            (Some(SSH_FAILED), _) if !self.link.is_alive().await => Err(RemoteError::Lost {
                name: self.name.clone(),
                detail: self.link.noticed().unwrap_or_else(|| "it ended".to_owned()),
            }),
            (Some(code), _) => Ok(code),
            (None, signal) => Ok(SIGNALLED + signal.unwrap_or_default()),
        }
    }
}

/// One of our own outputs, unbuffered.
fn ours(output: BorrowedFd<'_>) -> io::Result<tokio::fs::File> {
    Ok(tokio::fs::File::from_std(File::from(
        output.try_clone_to_owned()?,
    )))
}
