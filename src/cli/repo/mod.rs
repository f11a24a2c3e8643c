//! `rdc repo`: works on the repositories of machines. One file per verb.
//!
//! ```text
//! verb ─► place: which machine ─► exchange: connect, run `renet repo VERB` ─► words, or JSON
//!                                      ├─► live: what a run prints meanwhile
//!                                      └─► known: names for completions
//! up, down ─► running: follow the run       logs, exec ─► attach: `renet repo VERB` on our terminal
//! ```

mod attach;
mod create;
mod delete;
mod down;
mod exchange;
mod exec;
mod known;
mod limits;
mod list;
mod live;
mod logs;
mod place;
mod resize;
mod running;
mod status;
mod sync;
mod up;
mod words;

use clap::Subcommand;

use super::failure::{Exit, Failure};
use super::session::Session;

pub(crate) use known::Known;

#[derive(Debug, Subcommand)]
pub(crate) enum RepoCommand {
    /// Create a repository on a machine, and start its daemon
    Create(create::Create),
    /// List the repositories of machines
    List(list::List),
    /// Show the status of a repository
    Status(status::Status),
    /// Bring a repository up: sync, mount, run its Rediaccfiles, wait until its services answer
    Up(up::Up),
    /// Take a repository down
    Down(down::Down),
    /// Print the logs of a repository's services
    Logs(logs::Logs),
    /// Run a command in a service's container
    Exec(exec::Exec),
    /// Grow a repository's image
    Resize(resize::Resize),
    /// Delete a repository and everything in it
    Delete(delete::Delete),
}

impl RepoCommand {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Create(verb) => verb.run(session),
            Self::List(verb) => verb.run(session),
            Self::Status(verb) => verb.run(session),
            Self::Up(verb) => verb.run(session),
            Self::Down(verb) => verb.run(session),
            Self::Logs(verb) => verb.run(session),
            Self::Exec(verb) => verb.run(session),
            Self::Resize(verb) => verb.run(session),
            Self::Delete(verb) => verb.run(session),
        }
    }
}
