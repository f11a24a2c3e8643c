//! `rdc context remove`: forgets a context; nothing changes on its machines.

use crate::cli::failure::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::context::store::StoreError;
use crate::context::value::ContextName;

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    /// The context
    #[arg(value_name = "CONTEXT")]
    name: ContextName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Remove {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { name, yes } = self;
        let question = match session.store.load(&name) {
            Ok(context) => match context.machines.len() {
                0 => format!("remove the context `{name}`?"),
                1 => format!("remove the context `{name}` with its machine?"),
                count => format!("remove the context `{name}` with its {count} machines?"),
            },
            // What cannot be read can still be removed.
            Err(StoreError::Broken { .. }) => format!("remove the broken context `{name}`?"),
            Err(error) => return Err(error.into()),
        };
        prompt::confirm_or(session, yes, "--yes", &question)?;
        session.store.remove(&name)?;
        session
            .output
            .result(&serde_json::json!({ "removed": name }), || {
                format!("removed the context {name}")
            });
        Ok(Exit::Done)
    }
}
