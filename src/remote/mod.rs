//! One machine over the system's `ssh`: its configuration, agent, keys and jump hosts work because
//! it is the operator's own program. The only place that starts `ssh`.
//!
//! What goes on is told by `tracing`, for `-vv`: commands and times, never what is sent.

mod attach;
mod command;
mod connection;
mod error;
mod host_keys;
mod key;
mod link;
mod login;
mod way;

use std::path::Path;
use std::time::Instant;

use tokio::io::AsyncRead;
use tokio::sync::watch;

use crate::context::value::MachineName;
use crate::context::{Machine, Reach};
use command::Preamble;
use link::{Broken, Ended, Link};

pub use attach::Streams;
pub use error::{ConnectCause, KeyProblem, LoginProblem, Proxy, RemoteError};
pub use host_keys::{ScanError, scan as scan_host_keys};
pub use way::{WayError, login_port, login_user};

/// A machine that can be given work.
#[derive(Debug)]
pub struct Remote {
    link: Link,
    name: String,
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
            _ => Link::over(connection::open(name.as_str(), machine, key).await?),
        };
        Ok(Self {
            link,
            name: name.to_string(),
        })
    }

    /// Runs a shell script with words of its own, feeds it, and hands over its output line by
    /// line. `sent` is told how many bytes of the input have gone so far.
    ///
    /// Nothing of the input is sent before the script has begun: until then, whatever the login
    /// runs could read it, and print it.
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
        let (begin, begun) = watch::channel(false);
        let mut preamble = Preamble::default();
        let mut own_line = |text: &str| {
            if preamble.is_over(text) {
                line(text);
            } else if preamble.ended() {
                begin.send_replace(true);
            }
        };
        let command = command::line(script, words);
        let conversation = self
            .link
            .converse(&command, input, begun.clone(), sent, &mut own_line);
        let ended = tokio::select! {
            ended = conversation => ended,
            problem = self.doubt(begun) => {
                return Err(self.no_command(problem));
            }
        };
        tracing::debug!("{}: it ended after {:.2?}", self.name, started.elapsed());
        let Ended { code, stderr } = ended.map_err(|Broken(detail)| RemoteError::Lost {
            name: self.name.clone(),
            detail,
        })?;
        if !preamble.ended() {
            let said = command::said(&preamble, &stderr);
            return Err(self.no_command(LoginProblem::Refuses { said }));
        }
        Ok(Exit {
            code,
            stderr: command::own_stderr(&stderr).to_owned(),
        })
    }

    /// Closes the connection. Without it, dropping does the same in the background.
    pub async fn close(self) {
        self.link.close().await;
    }

    fn no_command(&self, problem: LoginProblem) -> RemoteError {
        RemoteError::NoCommand {
            name: self.name.clone(),
            problem,
        }
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
