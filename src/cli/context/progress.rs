//! How a push goes on: steps and bytes on a terminal, the steps alone with `--verbose` elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::bundle::Step;
use crate::cli::output::Output;
use crate::push::Observer;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// The display of one machine's push, on standard error.
pub(super) struct Progress<'a> {
    output: &'a Output,
    machine: String,
    bar: ProgressBar,
}

impl<'a> Progress<'a> {
    pub(super) fn new(output: &'a Output, machine: &str) -> Self {
        let bar = if output.animates() && io::stderr().is_terminal() {
            ProgressBar::no_length()
        } else {
            ProgressBar::hidden()
        };
        bar.enable_steady_tick(TICK);
        Self {
            output,
            machine: machine.to_owned(),
            bar,
        }
    }

    pub(super) fn connecting(&self) {
        self.bar.set_style(steps());
        self.bar.set_message(format!("{}: connect", self.machine));
    }

    /// Takes the display off the terminal.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress<'_> {
    fn step(&mut self, step: &Step) {
        if let Step::Upload { bytes, .. } = step {
            self.bar.set_style(uploads());
            self.bar.set_length(*bytes);
            self.bar.set_position(0);
        } else {
            self.bar.set_style(steps());
        }
        self.bar.set_message(format!("{}: {step}", self.machine));
        self.bar
            .suspend(|| self.output.detail(&format!("{}: {step}", self.machine)));
    }

    fn sent(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }
}

fn steps() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn uploads() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {bar:24} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
