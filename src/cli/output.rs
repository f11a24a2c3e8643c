//! What `rdc` prints: results on standard output, for people or as JSON, and everything else on
//! standard error. All of it goes through `Output::stdout` and `Output::stderr`, which mask the secrets
//! of the run.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, OnceLock};

use clap::builder::StyledStr;
use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use super::When;
use super::failure::{Exit, Failure};
use super::redactor::Redactor;
use crate::stdout;

/// Whom the results are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// People.
    Human,
    /// Scripts.
    Json,
}

/// How to print.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    verbosity: u8,
    color: When,
    /// Why a result could not be written: the first reason.
    lost: Arc<OnceLock<io::Error>>,
    redactor: Redactor,
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    /// A heading, a name.
    Bold,
    /// What matters less.
    Dim,
    /// It is well.
    Good,
    /// It wants attention.
    Warning,
    /// It is wrong.
    Error,
    /// One of several that are to be told apart.
    Among(usize),
}

impl Output {
    pub(crate) fn new(format: Format, quiet: bool, verbosity: u8, color: When) -> Self {
        Self {
            format,
            quiet,
            verbosity,
            color,
            lost: Arc::default(),
            redactor: Redactor::default(),
        }
    }

    /// What keeps the secrets of this run out of all that is printed.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Prints a result on standard output: for people what `human` says, or the value as JSON.
    pub(crate) fn result(&self, value: &impl Serialize, human: impl FnOnce() -> String) {
        match self.format {
            Format::Human => self.text(&human()),
            // Everything that is printed is made of strings and numbers under string keys.
            Format::Json => self.text(&serde_json::to_string_pretty(value).unwrap_or_default()),
        }
    }

    /// Prints a text on standard output that is the same for people and scripts.
    pub(crate) fn text(&self, text: &str) {
        let text = text.trim_end_matches('\n');
        if !text.is_empty() {
            self.stdout(&format!("{text}\n"));
        }
    }

    /// Tells on standard error what happens or happened. Not with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Tells more, with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbosity > 0 {
            self.say(&self.paint_stderr(Paint::Dim, text));
        }
    }

    /// Shows on standard error what a question is about, with `--quiet` too.
    pub(crate) fn show(&self, text: &str) {
        self.say(text.trim_end_matches('\n'));
    }

    /// Warns on standard error.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!(
            "{} {text}",
            self.paint_stderr(Paint::Warning, "warning:")
        ));
    }

    /// Draws on the terminal that standard error is: what moves, instead of a line.
    pub(crate) fn draw(&self, codes: &str) {
        self.stderr(codes);
    }

    /// Reports why the command failed: the one place that renders an error.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.format == Format::Json {
            self.text(&format!("{:#}", failure.to_json()));
            // Who cannot read the answer there may still see it here.
            if self.lost.get().is_none() {
                return;
            }
        }
        self.say(&format!(
            "{} {}",
            self.paint_stderr(Paint::Error, "error:"),
            failure.message
        ));
        if let Some(hint) = &failure.hint {
            self.say(&format!(
                "{} {hint}",
                self.paint_stderr(Paint::Good, "hint:")
            ));
        }
    }

    /// Reports how the command ended, and a result that was lost on its way. What the command did
    /// stands then, but whoever reads the exit code must not take the result for a whole one.
    pub(crate) fn end(&self, done: Result<Exit, Failure>) -> Exit {
        let exit = done.unwrap_or_else(|failure| {
            self.failure(&failure);
            failure.exit
        });
        let Some(error) = self.lost.get() else {
            return exit;
        };
        let failure = Failure::caused(Exit::Failed, error);
        let failure = match exit {
            Exit::Done | Exit::Pending => failure.hint(
                "what the command did stands; run it again with an output that can be written",
            ),
            _ => failure,
        };
        self.failure(&failure);
        match exit {
            Exit::Done | Exit::Pending => failure.exit,
            // A command that failed says by its own exit code how.
            _ => exit,
        }
    }

    /// Whether somebody may want to watch on the terminal how it goes on. Who wants to be told everything gets
    /// lines, which a moving one would overwrite.
    pub(crate) fn animates(&self) -> bool {
        let is_for_people = !self.quiet && self.format == Format::Human;
        is_for_people && self.verbosity < 2 && io::stderr().is_terminal() && !is_dumb()
    }

    /// Whether all is to be said that can be.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity > 0
    }

    /// Whether no more than results and errors is to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A text of standard output, in colour where that is wanted.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        painted(self.colors(io::stdout().is_terminal()), paint, text)
    }

    /// A text of standard error, in colour where that is wanted.
    pub(crate) fn paint_stderr(&self, paint: Paint, text: &str) -> String {
        painted(self.colors(io::stderr().is_terminal()), paint, text)
    }

    /// What clap has to say on standard output, in its own colours where that is wanted.
    pub(crate) fn styled(&self, text: &StyledStr) -> String {
        styled(self.colors(io::stdout().is_terminal()), text)
    }

    /// What clap has to say on standard error, in its own colours where that is wanted.
    pub(crate) fn styled_stderr(&self, text: &StyledStr) -> String {
        styled(self.colors(io::stderr().is_terminal()), text)
    }

    fn colors(&self, terminal: bool) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                terminal && !no_color && !is_dumb()
            }
        }
    }

    fn say(&self, text: &str) {
        self.stderr(&format!("{text}\n"));
    }

    /// Everything on standard output. What is lost is remembered, and reported at the end: the work
    /// goes on, since it has begun.
    fn stdout(&self, text: &str) {
        if let Err(error) = stdout::write(&self.redactor.redact(text)) {
            // The first reason is the one to tell.
            let _ = self.lost.set(error);
        }
    }

    /// Everything on standard error. Where that cannot be written, nobody is left to be told.
    fn stderr(&self, text: &str) {
        let text = self.redactor.redact(text);
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// The lines of the log, which are for standard error too.
impl MakeWriter<'_> for Output {
    type Writer = LogLines;

    fn make_writer(&self) -> LogLines {
        LogLines(self.clone())
    }
}

/// Takes the log's lines, each in one write.
pub(crate) struct LogLines(Output);

impl io::Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.stderr(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the terminal says of itself that it knows neither colours nor a moving cursor.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn styled(colors: bool, text: &StyledStr) -> String {
    if colors {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}

fn painted(colors: bool, paint: Paint, text: &str) -> String {
    if !colors || text.is_empty() {
        return text.to_owned();
    }
    const APART: [&str; 6] = ["36", "35", "34", "33", "32", "96"];
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Good => "32",
        Paint::Warning => "1;33",
        Paint::Error => "1;31",
        Paint::Among(number) => APART[number % APART.len()],
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
