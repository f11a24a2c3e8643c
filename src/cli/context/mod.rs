//! `rdc context`: one file a verb.

mod add_machine;
mod create_local;
mod infra_change;
mod infra_options;
mod infra_table;
mod interview;
mod list;
mod machines;
mod plan_view;
mod push_infra;
mod remove;
mod remove_infra;
mod remove_machine;
mod render_infra;
mod rollback_infra;
mod scan_keys;
mod set_infra;
mod show_infra;
mod status_infra;

use clap::Subcommand;

use super::failure::{Exit, Failure};
use super::session::Session;

pub(crate) use scan_keys::fingerprints;

#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Create a context on this workstation
    CreateLocal(create_local::CreateLocal),
    /// List the contexts
    List(list::List),
    /// Remove a context
    Remove(remove::Remove),
    /// Declare a machine, and trust its host keys
    AddMachine(add_machine::AddMachine),
    /// List the machines
    Machines(machines::Machines),
    /// Forget a machine; nothing changes on it
    RemoveMachine(remove_machine::RemoveMachine),
    /// Read the machines' SSH host keys again
    ScanKeys(scan_keys::ScanKeys),
    /// Declare a machine's addresses, domain, certificates and ports
    SetInfra(Box<set_infra::SetInfra>),
    /// Show what is declared for the machines
    ShowInfra(show_infra::ShowInfra),
    /// Write the files that a push would write, without a machine
    RenderInfra(render_infra::RenderInfra),
    /// Push what is declared to a machine
    PushInfra(push_infra::PushInfra),
    /// Show the status of machines: what runs, listens, is routed, and expires
    StatusInfra(status_infra::StatusInfra),
    /// Return a machine to an earlier generation
    RollbackInfra(rollback_infra::RollbackInfra),
    /// Remove what pushes installed on a machine
    RemoveInfra(remove_infra::RemoveInfra),
}

impl ContextCommand {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::CreateLocal(verb) => verb.run(session),
            Self::List(verb) => verb.run(session),
            Self::Remove(verb) => verb.run(session),
            Self::AddMachine(verb) => verb.run(session),
            Self::Machines(verb) => verb.run(session),
            Self::RemoveMachine(verb) => verb.run(session),
            Self::ScanKeys(verb) => verb.run(session),
            Self::SetInfra(verb) => verb.run(session),
            Self::ShowInfra(verb) => verb.run(session),
            Self::RenderInfra(verb) => verb.run(session),
            Self::PushInfra(verb) => verb.run(session),
            Self::StatusInfra(verb) => verb.run(session),
            Self::RollbackInfra(verb) => verb.run(session),
            Self::RemoveInfra(verb) => verb.run(session),
        }
    }
}
