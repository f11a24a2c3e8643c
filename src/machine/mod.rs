//! `renet infra`: what happens on the machine during a push. It runs there as one process, so that
//! the transaction survives a lost SSH connection. Blocking on purpose: it does one thing at a time.
//!
//! ```text
//! bundle ─► lock ─► preflight ─► plan ─► stage + check ─► swap ─► units ─► probe ─► report
//! ```

mod apply;
mod files;
mod generation;
mod lock;
mod plan;
mod preflight;
mod probe;
mod systemd;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::bundle::{Failure, FailureKind, Message};

/// `renet infra …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the machine to the bundle on standard input; one JSON message a line on stdout
    Apply(Apply),
}

/// The options of `renet infra apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// Report what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs a command, and turns its end into the exit code.
pub fn run(command: Command) -> ExitCode {
    match command {
        Command::Apply(options) => {
            // A reader that went away must not stop a push in the middle: the machine's state is
            // what counts, and the next push reports it.
            let mut tell = |message: &Message| {
                if let Ok(line) = serde_json::to_string(message) {
                    let _ = writeln!(io::stdout(), "{line}");
                }
            };
            match read_bundle(&mut io::stdin().lock())
                .and_then(|bundle| apply::apply(&bundle, options.dry_run, &mut tell))
            {
                Ok(report) => {
                    tell(&Message::Done(report));
                    ExitCode::SUCCESS
                }
                Err(failure) => {
                    let code = failure.kind.exit_code();
                    tell(&Message::Failed(failure));
                    ExitCode::from(code)
                }
            }
        }
    }
}

fn read_bundle(input: &mut dyn BufRead) -> Result<crate::bundle::Bundle, Failure> {
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
