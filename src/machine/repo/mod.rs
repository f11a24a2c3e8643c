//! `renet repo`: the repositories of this machine. Each has a folder or an image in the datastore, a
//! Docker daemon of its own, and Rediaccfiles that bring its services up and take them down.
//!
//! ```text
//! create ─► requirements ─► registry: the next id ─► storage (image, mounts) ─► engine (units, install)
//! sync ─► a folder of the workstation, copied into the repository
//! up, down ─► run ─► storage, engine ─► slots ─► rediaccfile: prep, up ─► answers ─► routes ─► report
//! status, list ─► services (docker)          logs, exec ─► docker, in place of this process
//! resize ─► image          delete ─► engine (processes), storage          restore, halt: by systemd
//! ```
//!
//! `crate::repository` owns the record of repositories. Whatever changes a repository holds its `lock`.
//! `children` and `tool` run other programs.

mod answers;
mod children;
mod create;
mod delete;
mod docker;
mod down;
mod engine;
mod exec;
mod image;
mod install;
mod list;
mod lock;
mod logs;
mod mounts;
mod processes;
mod rediaccfile;
mod requirements;
mod resize;
mod restore;
mod routes;
mod run;
mod services;
mod status;
mod storage;
mod sync;
mod tool;
mod units;
mod up;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::workstation::{Workstation, answer, tell};
use super::{failed, refused};
use crate::bundle::{Failure, Message, RepositoryAnswer};
use crate::repository::{Entry, FileError, Phase, Record, Registry, RepositoryName};

/// `renet repo …`
#[derive(Debug, Args)]
pub struct Repo {
    /// The version of the protocol that `rdc` speaks; not needed by hand
    #[arg(long, value_name = "VERSION")]
    protocol: Option<u32>,
    #[command(subcommand)]
    command: Command,
}

/// The verbs of `renet repo`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Create a repository, and start its daemon
    Create(create::Create),
    /// List the repositories of this machine
    List,
    /// Show the status of a repository
    Status(status::Status),
    /// Bring a repository up
    Up(up::Up),
    /// Take a repository down
    Down(down::Down),
    /// Cancel the run of a repository that is in progress
    Cancel(run::Cancel),
    /// Do the work of a run; its unit calls this
    Run(run::CarryOut),
    /// Print the logs of a repository's services
    Logs(logs::Logs),
    /// Run a command in a service's container
    Exec(exec::Exec),
    /// Grow a repository's image
    Resize(resize::Resize),
    /// Delete a repository and everything in it
    Delete(delete::Delete),
    /// Copy the changes of a folder of the workstation to a repository; `rdc` calls this
    Sync(sync::Sync),
    /// Bring up, after a boot, the repositories that were up; a unit calls this
    Restore,
    /// Stop all containers of repositories for a shutdown; a unit calls this
    Halt,
}

/// Runs a command, and returns its exit code.
pub fn run(repo: Repo) -> ExitCode {
    let Repo { protocol, command } = repo;
    // These execute another program in their place, or are called without an `rdc`.
    let command = match command {
        Command::Logs(options) => return ended(options.run()),
        Command::Exec(options) => return ended(options.run()),
        Command::Run(options) => return options.run(),
        Command::Restore => return ended(restore::restore()),
        Command::Halt => return ended(restore::halt()),
        command => command,
    };
    let done = Workstation::greet(protocol).and_then(|workstation| carry_out(command, workstation));
    match done {
        Ok(found) => {
            let end = found.exit_code();
            let code = answer(&Message::Repository(Box::new(found)));
            if end == 0 { code } else { ExitCode::from(end) }
        }
        Err(failure) => {
            let code = failure.kind.exit_code();
            tell(&Message::Failed(failure));
            ExitCode::from(code)
        }
    }
}

fn carry_out(command: Command, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
    match command {
        Command::List => list::list().map(RepositoryAnswer::List),
        Command::Status(options) => options.run(),
        Command::Create(options) => options.run(workstation),
        Command::Up(options) => options.run(workstation),
        Command::Down(options) => options.run(workstation),
        Command::Cancel(options) => options.run(workstation),
        Command::Resize(options) => options.run(workstation),
        Command::Delete(options) => options.run(workstation),
        Command::Sync(options) => options.run(workstation),
        Command::Run(_)
        | Command::Logs(_)
        | Command::Exec(_)
        | Command::Restore
        | Command::Halt => Err(refused("it answers to nobody")),
    }
}

/// The exit code of a command that sends no answer; prints its failure.
fn ended(end: Result<ExitCode, Failure>) -> ExitCode {
    end.unwrap_or_else(|failure| {
        use std::io::Write as _;
        // Where standard error cannot be written, the exit code has to do.
        let _ = writeln!(std::io::stderr(), "error: {}", failure.message);
        if let Some(hint) = &failure.hint {
            let _ = writeln!(std::io::stderr(), "hint: {hint}");
        }
        ExitCode::from(failure.kind.exit_code())
    })
}

/// Finds a repository by its name; fails if it is unknown or incomplete.
fn find(name: &RepositoryName) -> Result<Entry, Failure> {
    let registry = Record::of_machine().read()?;
    match registry.repositories.get(name) {
        None => Err(unknown(name, &registry)),
        Some(entry) => is_whole(name, entry).map(|()| entry.clone()),
    }
}

/// The failure for an unknown name.
fn unknown(name: &RepositoryName, registry: &Registry) -> Failure {
    let known: Vec<&str> = registry
        .repositories
        .keys()
        .map(RepositoryName::as_str)
        .collect();
    let hint = if known.is_empty() {
        format!("create it with `rdc repo create {name} -m MACHINE`")
    } else {
        format!("the repositories are {}", known.join(", "))
    };
    refused(format!("there is no repository `{name}` on this machine")).hint(hint)
}

/// Refuses a repository whose creation or deletion was interrupted.
fn is_whole(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let (what, hint) = match entry.phase {
        Phase::Whole => return Ok(()),
        Phase::Creating => (
            "creation",
            format!(
                "unless it is being created right now, create it again with `rdc repo create {name} -m \
                 MACHINE`, or delete it"
            ),
        ),
        Phase::Deleting => (
            "deletion",
            format!("`rdc repo delete {name} -m MACHINE` completes it"),
        ),
    };
    Err(refused(format!("the {what} of repository `{name}` is not complete")).hint(hint))
}

/// The path of the running `renet`.
fn own_program() -> Result<PathBuf, Failure> {
    env::current_exe()
        .map_err(|error| failed(format!("cannot tell which `renet` this is: {error}")))
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let failure = failed(crate::causes::with_causes(&error));
        Self {
            hint: error.hint(),
            ..failure
        }
    }
}
