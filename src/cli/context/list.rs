//! `rdc context list`: the contexts of this workstation.

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Paint;
use crate::cli::session::Session;
use crate::cli::table::table;

#[derive(clap::Args, Debug)]
pub(crate) struct List {}

impl List {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut contexts = Vec::new();
        for name in session.store.names()? {
            match session.store.load(&name) {
                Ok(context) => contexts.push(context),
                // One broken file does not hide the others.
                Err(error) => session.output.warn(&Failure::from(error).message),
            }
        }
        let answer = serde_json::json!({ "contexts": contexts });
        session.output.result(&answer, || {
            let rows: Vec<[String; 3]> = contexts
                .iter()
                .map(|context| {
                    [
                        context.name.to_string(),
                        context.machines.len().to_string(),
                        context.ssh_key.display().to_string(),
                    ]
                })
                .collect();
            match rows.as_slice() {
                [] => String::new(),
                rows => table(&session.output, ["CONTEXT", "MACHINES", "SSH KEY"], rows),
            }
        });
        if contexts.is_empty() {
            let command = "`rdc context create-local default --ssh-key PATH`";
            let command = session.output.paint_stderr(Paint::Bold, command);
            session
                .output
                .note(&format!("there is no context yet: run {command}"));
        }
        Ok(Exit::Done)
    }
}
