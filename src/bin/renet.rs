//! `renet`: everything that happens on the machine. Parse, run, report, exit code; nothing else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rediacc::{machine, proxy, route_server};

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
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = match command {
        Command::RouteServer(arguments) => route_server::run(&arguments),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Infra(infra) => return machine::run(infra),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
