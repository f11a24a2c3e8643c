//! `rdc context machines`: the machines of the context.

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::table::table;
use crate::context::Machine;

#[derive(clap::Args, Debug)]
pub(crate) struct Machines {}

impl Machines {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let answer = serde_json::json!({ "machines": context.machines });
        session.output.result(&answer, || {
            let rows: Vec<[String; 4]> = context
                .machines
                .iter()
                .map(|(name, machine)| {
                    [
                        name.to_string(),
                        machine.reach.to_string(),
                        host_keys(machine),
                        domain(machine),
                    ]
                })
                .collect();
            match rows.as_slice() {
                [] => String::new(),
                rows => table(
                    &session.output,
                    ["MACHINE", "SSH", "HOST KEYS", "DOMAIN"],
                    rows,
                ),
            }
        });
        if context.machines.is_empty() {
            session.output.note(&format!(
                "the context {} has no machine yet: run `rdc context add-machine NAME --ip ADDR --user USER`",
                context.name
            ));
        }
        Ok(Exit::Done)
    }
}

fn host_keys(machine: &Machine) -> String {
    let algorithms: Vec<&str> = machine
        .host_keys
        .iter()
        .map(|key| key.algorithm().trim_start_matches("ssh-"))
        .collect();
    match algorithms.as_slice() {
        [] => "-".to_owned(),
        algorithms => algorithms.join(" "),
    }
}

fn domain(machine: &Machine) -> String {
    let domain = machine.infra.as_ref().and_then(|i| i.base_domain.as_ref());
    domain.map_or("-".to_owned(), ToString::to_string)
}
