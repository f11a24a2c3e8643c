//! `renet infra`: what happens on the machine during a push. It runs there as one process, so that
//! the transaction survives a lost SSH connection. Blocking on purpose: it does one thing at a time.
//!
//! ```text
//! bundle ─► lock ─► preflight ─► plan ─► stage + check ─► swap ─► units ─► probe ─► report
//! ```

mod apply;
mod check;
mod connections;
mod diff;
mod drops;
mod files;
mod generation;
mod handover;
mod lock;
mod manifest;
mod observe;
mod plan;
mod preflight;
mod probe;
mod programs;
mod remove;
mod rollback;
mod settle;
mod sockets;
mod standby;
mod status;
mod systemd;
mod traefik_program;
mod transaction;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::bundle::{Bundle, Failure, FailureKind, Lacking, Message, Report};
use crate::stdout;

/// `renet infra …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the machine to the bundle on standard input; one JSON message a line on stdout
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
pub struct Apply {
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
    /// Wait so many seconds for somebody else's push
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
}

/// The options of `renet infra rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The generation to go back to [default: the one before the live one]
    #[arg(long, value_name = "GENERATION")]
    to: Option<u32>,
    /// Report what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse any other plan than this one, by its digest
    #[arg(long, value_name = "DIGEST")]
    approved: Option<String>,
    /// Wait so many seconds for somebody else's push
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
}

/// The options of `renet infra remove`.
#[derive(Debug, Args)]
pub struct Remove {
    /// Take away certificates and the operator's own files too
    #[arg(long)]
    purge: bool,
    /// Report what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait so many seconds for somebody else's push
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_wait: u64,
}

/// Runs a command, and turns its end into the exit code.
pub fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Apply(options) => apply(options).map(Message::Done),
        Command::Rollback(options) => roll_back(options).map(Message::Done).map_err(Ending::from),
        Command::Remove(options) => remove(&options).map(Message::Done).map_err(Ending::from),
        Command::Status => status::status()
            .map(|status| Message::Status(Box::new(status)))
            .map_err(Ending::from),
        Command::Settle => return settle::run(),
    };
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

/// Says the last message. Who does not get it must not take the rest for a whole answer.
fn answer(message: &Message) -> ExitCode {
    let line = serde_json::to_string(message).map_err(io::Error::from);
    match line.and_then(|line| stdout::write(&format!("{line}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn apply(options: Apply) -> Result<Report, Ending> {
    let Apply {
        dry_run,
        diff,
        approved,
        overwrite,
        lock_wait,
    } = options;
    let bundle = read_bundle(&mut io::stdin().lock())?;
    let options = apply::Options {
        dry_run,
        diff,
        approved,
        overwrite,
        lock_wait: Duration::from_secs(lock_wait),
    };
    apply::apply(&bundle, &options, &mut tell)
}

fn roll_back(options: Rollback) -> Result<Report, Failure> {
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
    rollback::roll_back(&options, &mut tell)
}

fn remove(options: &Remove) -> Result<Report, Failure> {
    let Remove {
        purge,
        dry_run,
        lock_wait,
    } = *options;
    remove::remove(purge, dry_run, Duration::from_secs(lock_wait), &mut tell)
}

/// Says one message to the workstation. A reader that went away must not stop a push in the
/// middle: the machine's state is what counts, and the next push reports it.
fn tell(message: &Message) {
    if let Ok(line) = serde_json::to_string(message) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}

fn read_bundle(input: &mut dyn BufRead) -> Result<Bundle, Failure> {
    // The error's text is left out: it could quote the token.
    serde_json::from_reader(input).map_err(|error| {
        refused(format!(
            "the bundle on standard input cannot be read (line {}, column {})",
            error.line(),
            error.column()
        ))
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
