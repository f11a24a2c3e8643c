//! How a push goes on: steps and bytes on a terminal, the steps alone with `--verbose` elsewhere.

mod board;
mod line;

use std::time::Instant;

use self::board::Board;
use self::line::Line;
use crate::bundle::Step;
use crate::cli::output::Output;
use crate::context::value::MachineName;
use crate::push::Observer;
use crate::release;

/// The display of a command that works on machines, on standard error: a line each.
pub(crate) struct Display<'a> {
    output: &'a Output,
    board: Board,
}

impl<'a> Display<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self {
            output,
            board: Board::new(output),
        }
    }

    /// A line more, for a machine whose work begins.
    pub(crate) fn line<'b>(&'b self, machine: &MachineName) -> Progress<'b> {
        Progress {
            output: self.output,
            machine: machine.to_string(),
            board: &self.board,
            number: self.board.add(Line::new(machine.as_str())),
        }
    }

    /// Takes all lines off the terminal.
    pub(crate) fn clear(&self) {
        self.board.clear();
    }
}

/// The line of one machine.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    machine: String,
    board: &'a Board,
    number: usize,
}

impl Progress<'_> {
    pub(crate) fn connecting(&self) {
        self.change(|line| line.set_doing("connect"));
    }

    /// Prints something above the lines.
    pub(crate) fn print(&self, print: impl FnOnce()) {
        self.board.print(print);
    }

    /// Says what is being done.
    pub(crate) fn doing(&self, what: &str) {
        self.change(|line| line.set_doing(what));
    }

    /// Says how it ended for as long as other machines are worked on.
    pub(crate) fn end(&self, how: &str) {
        self.change(|line| line.end(how));
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        self.board.change(self.number, change);
    }

    /// Tells more than the line has room for, with `--verbose`.
    fn detail(&self, what: &str) {
        if self.output.is_verbose() {
            let detail = format!("{}: {what}", self.machine);
            self.board.print(|| self.output.detail(&detail));
        }
    }
}

impl release::Observer for Progress<'_> {
    fn downloading(&mut self, url: &str, bytes: Option<u64>) {
        self.change(|line| line.set_whole(bytes));
        self.detail(&format!("download {url}"));
    }

    fn received(&mut self, bytes: u64) {
        self.change(|line| line.set_done(bytes, Instant::now()));
    }
}

impl Observer for Progress<'_> {
    fn step(&mut self, step: &Step) {
        self.change(|line| match step {
            // How much it is stands beside what has gone of it.
            Step::Upload { path, bytes } => {
                line.set_doing(&format!("upload {}", path.display()));
                line.set_whole(*bytes);
            }
            _ => line.set_doing(&step.to_string()),
        });
        self.detail(&step.to_string());
    }

    fn resumed(&mut self, bytes: u64) {
        let already = bytes as f64 / 1_048_576.0;
        self.detail(&format!("{already:.1} MiB of it are there already"));
    }

    fn sent(&mut self, bytes: u64) {
        self.change(|line| line.set_done(bytes, Instant::now()));
    }
}
