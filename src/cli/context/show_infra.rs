//! `rdc context show-infra`: what is declared of one machine, or of all.

use std::collections::BTreeMap;

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::value::MachineName;
use crate::context::{Context, Infra};

use super::infra_table::infra_table;

#[derive(clap::Args, Debug)]
pub(crate) struct ShowInfra {
    /// The machine [default: all]
    #[arg(value_name = "MACHINE")]
    machine: Option<MachineName>,
}

impl ShowInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        match self.machine {
            Some(name) => one(session, &context, &name),
            None => {
                all(session, &context);
                Ok(Exit::Done)
            }
        }
    }
}

fn one(session: &Session, context: &Context, name: &MachineName) -> Result<Exit, Failure> {
    let machine = context.machine(name)?;
    let infra = machine
        .infra
        .as_ref()
        .ok_or_else(|| Failure::no_infra(name))?;
    let answer = serde_json::json!({ "machine": name, "infra": infra });
    session
        .output
        .result(&answer, || infra_table(&session.output, name, infra));
    Ok(Exit::Done)
}

fn all(session: &Session, context: &Context) {
    let infras: BTreeMap<&MachineName, Option<&Infra>> = context
        .machines
        .iter()
        .map(|(name, machine)| (name, machine.infra.as_ref()))
        .collect();
    let answer = serde_json::json!({ "machines": infras });
    session.output.result(&answer, || {
        let tables: Vec<String> = infras
            .iter()
            .filter_map(|(name, infra)| Some(infra_table(&session.output, name, (*infra)?)))
            .collect();
        tables.join("\n")
    });
    for name in infras
        .iter()
        .filter(|(_, infra)| infra.is_none())
        .map(|(name, _)| name)
    {
        session.output.note(&Failure::no_infra(name).message);
    }
}
