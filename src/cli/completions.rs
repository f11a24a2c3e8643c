//! `rdc completions`: the completions of a shell, on standard output.

use std::io::Write as _;

use clap_complete::Shell;

use super::failure::{Exit, Failure};

#[derive(clap::Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "rdc", &mut text);
        // A reader that went away is no failure.
        let _ = std::io::stdout().lock().write_all(&text);
        Ok(Exit::Done)
    }
}
