//! `rdc context remove-machine`: forgets a machine; nothing changes on it.

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::value::MachineName;

#[derive(clap::Args, Debug)]
pub(crate) struct RemoveMachine {
    /// The machine
    #[arg(value_name = "MACHINE")]
    machine: MachineName,
}

impl RemoveMachine {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let name = self.machine;
        session.edit(|context| match context.machines.remove(&name) {
            Some(_) => Ok(()),
            None => Err(context.no_machine(&name).into()),
        })?;
        session
            .output
            .result(&serde_json::json!({ "removed": name }), || {
                format!("removed {name} from the context {}", session.context)
            });
        session
            .output
            .note("on the machine itself nothing was changed");
        Ok(Exit::Done)
    }
}
