//! What `rdc` prints: results on standard output, for people or as JSON, and everything else on
//! standard error.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::When;
use super::failure::Failure;

/// Whom the results are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// People.
    Human,
    /// Scripts.
    Json,
}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    verbosity: u8,
    color: When,
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
}

impl Output {
    pub(crate) fn new(format: Format, quiet: bool, verbosity: u8, color: When) -> Self {
        Self {
            format,
            quiet,
            verbosity,
            color,
        }
    }

    /// Prints a result on standard output: for people what `human` says, or the value as JSON.
    pub(crate) fn result(&self, value: &impl Serialize, human: impl FnOnce() -> String) {
        match self.format {
            Format::Human => self.print(&human()),
            // Everything that is printed is made of strings and numbers under string keys.
            Format::Json => self.print(&serde_json::to_string_pretty(value).unwrap_or_default()),
        }
    }

    /// Tells on standard error what happens or happened. Not with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Tells more, with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbosity > 0 {
            say(&self.paint_stderr(Paint::Dim, text));
        }
    }

    /// Shows on standard error what a question is about, with `--quiet` too.
    pub(crate) fn show(&self, text: &str) {
        say(text.trim_end_matches('\n'));
    }

    /// Warns on standard error.
    pub(crate) fn warn(&self, text: &str) {
        say(&format!(
            "{} {text}",
            self.paint_stderr(Paint::Warning, "warning:")
        ));
    }

    /// Reports why the command failed: the one place that renders an error.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.format == Format::Json {
            self.print(&format!("{:#}", failure.to_json()));
            return;
        }
        say(&format!(
            "{} {}",
            self.paint_stderr(Paint::Error, "error:"),
            failure.message
        ));
        if let Some(hint) = &failure.hint {
            say(&format!(
                "{} {hint}",
                self.paint_stderr(Paint::Good, "hint:")
            ));
        }
    }

    /// Whether somebody may want to watch how it goes on. Who wants to be told everything gets
    /// lines, which a moving one would overwrite.
    pub(crate) fn animates(&self) -> bool {
        !self.quiet && self.verbosity < 2 && self.format == Format::Human
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

    fn colors(&self, terminal: bool) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                terminal && !no_color && !dumb
            }
        }
    }

    fn print(&self, text: &str) {
        let text = text.trim_end_matches('\n');
        if !text.is_empty() {
            // A reader that went away, as in `rdc … | head`, is no failure.
            let _ = writeln!(io::stdout().lock(), "{text}");
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn painted(colors: bool, paint: Paint, text: &str) -> String {
    if !colors || text.is_empty() {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Good => "32",
        Paint::Warning => "1;33",
        Paint::Error => "1;31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
