//! `renet`: everything that happens on the machine. Parse, run, report, exit code; nothing else.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use rediacc::{compose, machine, proxy, route_server, stdout};

/// What happens on the machine: routes of containers, and what `rdc` pushes.
#[derive(Parser)]
#[command(name = "renet", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Traefik the routes of all running containers
    RouteServer(Box<route_server::Arguments>),
    /// Open the entry points and become Traefik; rediacc-proxy.service runs it
    Proxy(proxy::Arguments),
    /// What a push does on the machine; `rdc context push-infra` runs it
    Infra(machine::Infra),
    /// Run Docker Compose for a repository, with addresses and labels for its services
    Compose(compose::Arguments),
    /// The repositories of this machine; `rdc repo` runs it
    Repo(machine::Repo),
}

fn main() -> ExitCode {
    let Arguments { command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let result = match command {
        Command::RouteServer(arguments) => route_server::run(&arguments),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Infra(infra) => return machine::run(infra),
        Command::Compose(arguments) => return compose::run(&arguments),
        Command::Repo(repo) => return machine::run_repo(repo),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Answers a wrong command line, or the question for help.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let written = if io::stdout().is_terminal() {
                stdout::write(&text.ansi().to_string())
            } else {
                stdout::write(&text.to_string())
            };
            match written {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    complain(&format_args!("error: {error}"));
                    ExitCode::FAILURE
                }
            }
        }
        _ => {
            complain(&text.to_string().trim_end());
            ExitCode::from(2)
        }
    }
}

/// Says what went wrong. Where standard error cannot be written, the exit code has to do.
fn complain(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
