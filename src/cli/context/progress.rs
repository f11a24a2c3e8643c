//! How a push goes on: steps and bytes on a terminal, the steps alone with `--verbose` elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bundle::Step;
use crate::cli::output::Output;
use crate::context::value::MachineName;
use crate::push::Observer;
use crate::release;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// The display of a command that works on machines, on standard error: a line each.
pub(super) struct Display<'a> {
    output: &'a Output,
    lines: MultiProgress,
}

impl<'a> Display<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        let target = if output.animates() && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            output,
            lines: MultiProgress::with_draw_target(target),
        }
    }

    /// A line more, for a machine whose work begins.
    pub(super) fn line(&self, machine: &MachineName) -> Progress<'a> {
        let bar = ProgressBar::no_length()
            .with_style(steps())
            .with_message(machine.to_string());
        let bar = self.lines.add(bar);
        if !self.lines.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Progress {
            output: self.output,
            machine: machine.to_string(),
            bar,
        }
    }

    /// Takes all lines off the terminal.
    pub(super) fn clear(&self) {
        // What cannot be taken off a terminal stays there: nothing depends on it.
        let _ = self.lines.clear();
    }
}

/// The line of one machine.
pub(super) struct Progress<'a> {
    output: &'a Output,
    machine: String,
    bar: ProgressBar,
}

impl Progress<'_> {
    pub(super) fn connecting(&self) {
        self.bar.set_message(format!("{}: connect", self.machine));
    }

    /// Shows bytes of a whole from now on, if the whole is known.
    fn count(&self, bytes: Option<u64>) {
        self.bar.set_position(0);
        match bytes {
            Some(bytes) => {
                self.bar.set_style(bytes_of_all());
                self.bar.set_length(bytes);
            }
            None => self.bar.set_style(bytes_so_far()),
        }
    }

    /// Says how it ended for as long as other machines are worked on.
    pub(super) fn end(&self, how: &str) {
        self.bar.set_style(ended());
        self.bar
            .finish_with_message(format!("{}: {how}", self.machine));
    }
}

impl release::Observer for Progress<'_> {
    fn downloading(&mut self, url: &str, bytes: Option<u64>) {
        self.count(bytes);
        let what = format!("{}: download {url}", self.machine);
        self.bar.suspend(|| self.output.detail(&what));
    }

    fn received(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }
}

impl Observer for Progress<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Upload { bytes, .. } => self.count(*bytes),
            _ => self.bar.set_style(steps()),
        }
        self.bar.set_message(format!("{}: {step}", self.machine));
        self.bar
            .suspend(|| self.output.detail(&format!("{}: {step}", self.machine)));
    }

    fn resumed(&mut self, bytes: u64) {
        let already = HumanBytes(bytes);
        let what = format!("{}: {already} of it are there already", self.machine);
        self.bar.suspend(|| self.output.detail(&what));
    }

    fn sent(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }
}

fn steps() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn bytes_so_far() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn ended() -> ProgressStyle {
    ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn bytes_of_all() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {bar:24} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
