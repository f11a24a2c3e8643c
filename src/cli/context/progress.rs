//! How a push goes on: steps and bytes on a terminal, the steps alone with `--verbose` elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::bundle::Step;
use crate::cli::output::Output;
use crate::push::Observer;
use crate::release;

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

    /// Takes the display off the terminal.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
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

fn bytes_of_all() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {bar:24} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
