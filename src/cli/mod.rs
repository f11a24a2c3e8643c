//! `rdc`'s commands: what they are called, and one file a verb that does it.
//!
//! The only place of `rdc` that prints, asks, and chooses exit codes. What a command works on
//! (the store, the terminal, the options for all) comes in as a `Session`.

mod completions;
mod context;
mod failure;
mod interrupt;
mod man;
mod names;
mod output;
mod prompt;
mod redactor;
mod repo;
mod session;
mod table;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, ColorChoice, CommandFactory as _, FromArgMatches as _};
use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::context::value::ContextName;
use failure::{Exit, Failure};
use output::{Format, Output};
use session::Session;

/// Makes services in isolated Docker daemons reachable from the internet.
///
/// Declare a machine once, then push:
///
///     rdc context create-local default --ssh-key ~/.ssh/id_ed25519
///     rdc context add-machine server-1 --ip 203.0.113.50 --user root
///     rdc context set-infra server-1 --public-ipv4 203.0.113.50 --base-domain example.com
///     rdc context push-infra server-1
#[derive(Debug, Parser)]
#[command(name = "rdc", version, verbatim_doc_comment, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The context to work on
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    #[arg(env = "REDIACC_CONTEXT", hide_env_values = true)]
    context: ContextName,
    /// Answer with one JSON object on standard output, errors too
    #[arg(long, global = true)]
    json: bool,
    /// Print results, warnings and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more of what is done (twice: all of it)
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// When to use colours; also off where NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Declare machines and what they serve, and push it to them
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Manage repositories: services of a machine that share a Docker daemon of their own
    #[command(subcommand)]
    Repo(repo::RepoCommand),
    /// Print the completion script of a shell
    Completions(completions::Completions),
    /// Write the manual pages into a folder
    Man(man::Man),
}

/// Runs `rdc` with the arguments of the process, and answers how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if names::complete(&arguments) {
        return ExitCode::SUCCESS;
    }
    let hints = Early::of(&arguments);
    let cli = match parse(&arguments, hints.color) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, hints).into(),
    };
    let Cli { global, command } = cli;
    let output = Output::new(
        if global.json {
            Format::Json
        } else {
            Format::Human
        },
        global.quiet,
        global.verbose,
        global.color,
    );
    if global.verbose > 1 {
        tell_everything(&output);
    }
    let session = Session::new(output.clone(), global.context);
    let done = session.and_then(|session| match command {
        Command::Context(command) => command.run(&session),
        Command::Repo(command) => command.run(&session),
        Command::Completions(command) => command.run(&session),
        Command::Man(command) => command.run(&session),
    });
    output.end(done).into()
}

/// Prints what the modules tell of their work, as commands on a machine and their times.
fn tell_everything(output: &Output) {
    let own = EnvFilter::new("rediacc=debug");
    // It fails where there is one already, which then tells.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(own)
        .with_writer(output.clone())
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .try_init();
}

/// The command line as clap knows it, for completions and manual pages.
fn command() -> clap::Command {
    Cli::command()
}

fn parse(arguments: &[OsString], color: When) -> Result<Cli, clap::Error> {
    let color = match color {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    };
    let matches = command().color(color).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// What a command line that clap refuses still says about how to answer.
#[derive(Clone, Copy)]
struct Early {
    json: bool,
    color: When,
}

impl Early {
    fn of(arguments: &[OsString]) -> Self {
        let words: Vec<&str> = arguments
            .iter()
            .filter_map(|word| word.to_str())
            .take_while(|word| *word != "--")
            .collect();
        let color = words.iter().enumerate().find_map(|(at, word)| match *word {
            "--color" => words.get(at + 1).copied(),
            word => word.strip_prefix("--color="),
        });
        Self {
            json: words.contains(&"--json"),
            color: color
                .and_then(|word| When::from_str(word, false).ok())
                .unwrap_or(When::Auto),
        }
    }
}

/// Answers a wrong command line, or the question for help.
fn usage(error: &clap::Error, hints: Early) -> Exit {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let format = if hints.json && !is_answer {
        Format::Json
    } else {
        Format::Human
    };
    let output = Output::new(format, false, 0, hints.color);
    if is_answer {
        output.text(&output.styled(&error.render()));
        return output.end(Ok(Exit::Done));
    }
    if hints.json {
        return output.end(Err(Failure::usage(error)));
    }
    output.show(&output.styled_stderr(&error.render()));
    Exit::Invalid
}
