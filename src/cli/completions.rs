//! `rdc completions`: the completions of a shell, on standard output.

use clap_complete::Shell;

use super::failure::{Exit, Failure};
use super::session::Session;

#[derive(clap::Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "rdc", &mut text);
        session.output.text(&String::from_utf8_lossy(&text));
        Ok(Exit::Done)
    }
}
