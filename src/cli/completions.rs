//! `rdc completions`: prints the script by which a shell completes `rdc` commands.

use clap_complete::Shell;

use super::failure::{Exit, Failure};
use super::names;
use super::session::Session;

#[derive(clap::Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let shell = self.shell.to_string();
        let script = names::registration(&shell)
            .ok_or_else(|| Failure::new(Exit::Failed, format!("cannot complete for {shell}")))?;
        session.output.text(&script);
        Ok(Exit::Done)
    }
}
