//! `rdc man`: the manual pages, one file a command.

use std::path::PathBuf;

use anyhow::Context as _;

use super::failure::{Exit, Failure};
use super::session::Session;

#[derive(clap::Args, Debug)]
pub(crate) struct Man {
    /// The folder, which is created where it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let folder = self.folder.display().to_string();
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(super::command(), &self.folder))
            .with_context(|| format!("cannot write the manual pages into {folder}"))?;
        session.output.note(&format!(
            "wrote the manual pages into {folder}; read one with `man {folder}/rdc.1`"
        ));
        Ok(Exit::Done)
    }
}
