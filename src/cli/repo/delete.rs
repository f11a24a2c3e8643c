//! `rdc repo delete`: deletes a repository and all its data, after asking.

use serde_json::json;

use super::exchange::Exchange;
use super::known::Known;
use super::place::Place;
use crate::bundle::{RepositoryAnswer, RepositoryStatus};
use crate::cli::failure::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;
use crate::context::value::{ByteSize, MachineName};
use crate::repository::RepositoryName;

#[derive(clap::Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    place: Place,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let name = &self.place.name;
        if !self.yes {
            let question = if prompt::can_ask(session) {
                match exchange.ask(name, "status", vec![name.to_string()])? {
                    RepositoryAnswer::Status(status) => question(name, machine, Some(&status)),
                    answer => return Err(exchange.strange(answer)),
                }
            } else {
                question(name, machine, None)
            };
            prompt::confirm_or(session, false, "--yes", &question)?;
        }
        match exchange.ask(name, "delete", vec![name.to_string()])? {
            RepositoryAnswer::Deleted { network_id } => {
                Known::of_user().forget(&session.context, machine, name.as_str());
                let json = json!({
                    "machine": machine,
                    "deleted": name,
                    "network_id": network_id,
                });
                session
                    .output
                    .result(&json, || format!("deleted {name} from {machine}"));
                Ok(Exit::Done)
            }
            answer => Err(exchange.strange(answer)),
        }
    }
}

/// The question for the operator. It names what would be lost, as far as that is known.
fn question(
    name: &RepositoryName,
    machine: &MachineName,
    status: Option<&RepositoryStatus>,
) -> String {
    let mut parts = Vec::new();
    if let Some(status) = status {
        if let Some(bytes) = status.used_bytes {
            parts.push(ByteSize::of(bytes).to_string());
        }
        let services = status.services.iter().map(|service| service.name.as_str());
        let services: Vec<&str> = services.collect();
        if !services.is_empty() {
            parts.push(services.join(", "));
        }
    }
    match parts.as_slice() {
        [] => format!("delete {name} with all its data from {machine}?"),
        parts => format!(
            "delete {name} with all its data from {machine} ({})?",
            parts.join("; ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::repo::words::example;

    #[test]
    fn the_question_names_what_would_be_lost() {
        let name: RepositoryName = "app".parse().expect("a name");
        let machine: MachineName = "server-1".parse().expect("a name");
        let lost = question(&name, &machine, Some(&example()));
        assert_eq!(
            lost,
            "delete app with all its data from server-1 (1.5G; web, db)?"
        );
        let unknown = question(&name, &machine, None);
        assert_eq!(unknown, "delete app with all its data from server-1?");
    }
}
