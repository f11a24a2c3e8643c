//! `rdc repo status`: shows the status of a repository. Exits with 0 if it is healthy, else with 1.

use serde_json::json;

use super::exchange::Exchange;
use super::place::Place;
use super::words;
use crate::bundle::{RepositoryAnswer, RepositoryStatus};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;
use crate::context::value::MachineName;

#[derive(clap::Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let name = &self.place.name;
        match exchange.ask(name, "status", vec![name.to_string()])? {
            RepositoryAnswer::Status(status) => {
                tell(session, machine, &status);
                Ok(if words::is_healthy(&status) {
                    Exit::Done
                } else {
                    Exit::Failed
                })
            }
            answer => Err(exchange.strange(answer)),
        }
    }
}

/// Prints the status of a repository.
pub(super) fn tell(session: &Session, machine: &MachineName, status: &RepositoryStatus) {
    let json = json!({ "machine": machine, "repository": status });
    session.output.result(&json, || {
        words::repository(&session.output, machine, status)
    });
}
