//! `renet infra`: what happens on the machine during a push. It runs there as one process, so that
//! the transaction survives a lost SSH connection. Blocking on purpose: it does one thing at a time.
//!
//! ```text
//! hello ─► bundle ─► lock ─► preflight ─► plan ─► stage + check ─► swap ─► units ─► probe ─► report
//! ```

mod acme_storage;
mod apply;
mod check;
mod connections;
mod diff;
mod disk;
mod drops;
mod files;
mod firewall;
mod generation;
mod grants;
mod handover;
mod https;
mod lock;
mod manifest;
mod observe;
mod plan;
mod preflight;
mod probe;
mod programs;
mod remove;
mod repo;
mod rollback;
mod route_server;
mod settle;
mod sockets;
mod standby;
mod status;
mod systemd;
mod token;
mod traefik_program;
mod transaction;
mod workstation;
mod x509;

pub use repo::{Repo, run as run_repo};

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::bundle::{Bundle, Failure, FailureKind, Lacking, Message, Report};
use workstation::{Workstation, answer, tell};

/// `renet infra …`
#[derive(Debug, Args)]
pub struct Infra {
    /// The version of the protocol that `rdc` speaks; not needed by hand
    #[arg(long, value_name = "VERSION")]
    protocol: Option<u32>,
    #[command(subcommand)]
    command: Command,
}

/// What is done on the machine.
#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the machine to a bundle; one JSON message a line on stdout
    Apply(Apply),
    /// Go back to a former generation
    Rollback(Rollback),
    /// Take away what pushes put on the machine; repositories are left alone
    Remove(Remove),
    /// Say how everything is that a push made; one JSON message on stdout
    Status,
    /// Bring a push to its end that was cut off
    Settle,
}

/// The options of `renet infra apply`.
#[derive(Debug, Args)]
struct Apply {
    /// What the machine shall become, in JSON
    #[arg(long, value_name = "JSON")]
    bundle: String,
    /// Report what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Report how the files change
    #[arg(long)]
    diff: bool,
    /// Refuse any other plan than this one, by its digest
    #[arg(long, value_name = "DIGEST")]
    approved: Option<String>,
    /// Overwrite files that were edited on the machine
    #[arg(long)]
    overwrite: bool,
    /// How many seconds to wait for another push to end
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
}

/// The options of `renet infra rollback`.
#[derive(Debug, Args)]
struct Rollback {
    /// The generation to go back to [default: the one before the live one]
    #[arg(long, value_name = "GENERATION")]
    to: Option<u32>,
    /// Report what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse any other plan than this one, by its digest
    #[arg(long, value_name = "DIGEST")]
    approved: Option<String>,
    /// How many seconds to wait for another push to end
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
}

/// The options of `renet infra remove`.
#[derive(Debug, Args)]
struct Remove {
    /// Take away certificates and the operator's own files too
    #[arg(long)]
    purge: bool,
    /// Report what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How many seconds to wait for another push to end
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
}

/// Runs a command, and turns its end into the exit code.
pub fn run(infra: Infra) -> ExitCode {
    let Infra { protocol, command } = infra;
    if let Command::Settle = command {
        return settle::run();
    }
    let done = Workstation::greet(protocol)
        .map_err(Ending::from)
        .and_then(|workstation| carry_out(command, workstation));
    match done {
        Ok(message) => answer(&message),
        Err(Ending::Lacking(lacking)) => answer(&Message::Lacking(lacking)),
        Err(Ending::Failed(failure)) => {
            let code = failure.kind.exit_code();
            tell(&Message::Failed(failure));
            ExitCode::from(code)
        }
    }
}

fn carry_out(command: Command, workstation: Workstation) -> Result<Message, Ending> {
    Ok(match command {
        Command::Apply(options) => Message::Done(apply(options, workstation)?),
        Command::Rollback(options) => Message::Done(roll_back(options, workstation)?),
        Command::Remove(options) => Message::Done(remove(&options, workstation)?),
        Command::Status => Message::Status(Box::new(status::status()?)),
        // It answers to nobody.
        Command::Settle => return Err(refused("it is run by systemd").into()),
    })
}

fn apply(options: Apply, workstation: Workstation) -> Result<Report, Ending> {
    let Apply {
        bundle,
        dry_run,
        diff,
        approved,
        overwrite,
        lock_wait,
    } = options;
    let bundle = read_bundle(&bundle)?;
    let options = apply::Options {
        dry_run,
        diff,
        approved,
        overwrite,
        lock_wait: Duration::from_secs(lock_wait),
    };
    apply::apply(&bundle, workstation, &options, &mut tell)
}

fn roll_back(options: Rollback, workstation: Workstation) -> Result<Report, Failure> {
    let Rollback {
        to,
        dry_run,
        approved,
        lock_wait,
    } = options;
    let options = rollback::Options {
        to,
        dry_run,
        approved,
        lock_wait: Duration::from_secs(lock_wait),
    };
    workstation.secrets()?;
    rollback::roll_back(&options, &mut tell)
}

fn remove(options: &Remove, workstation: Workstation) -> Result<Report, Failure> {
    let Remove {
        purge,
        dry_run,
        lock_wait,
    } = *options;
    workstation.secrets()?;
    remove::remove(purge, dry_run, Duration::from_secs(lock_wait), &mut tell)
}

fn read_bundle(json: &str) -> Result<Bundle, Failure> {
    serde_json::from_str(json).map_err(|error| {
        refused(format!("the bundle cannot be read: {error}"))
            .hint("`renet infra apply` is run by `rdc context push-infra`")
    })
}

/// How a command ends that is not through.
#[derive(Debug)]
enum Ending {
    /// It failed.
    Failed(Failure),
    /// It did not begin: the workstation has to bring something.
    Lacking(Lacking),
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn failed(message: impl Into<String>) -> Failure {
    failure(FailureKind::Failed, message.into())
}

fn refused(message: impl Into<String>) -> Failure {
    failure(FailureKind::Refused, message.into())
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure {
        kind,
        message,
        hint: None,
        journal: Vec::new(),
    }
}

impl Failure {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
