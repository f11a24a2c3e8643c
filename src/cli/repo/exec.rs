//! `rdc repo exec`: runs a command in the container of a service, on our terminal if there is one.

use std::io::{self, IsTerminal as _};

use super::attach::attach;
use super::exchange::Exchange;
use super::place::Place;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;
use crate::remote::Streams;

#[derive(clap::Args, Debug)]
pub(crate) struct Exec {
    #[command(flatten)]
    place: Place,
    /// The service
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<String>,
}

impl Exec {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let is_json = session.output.is_json();
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let streams = match is_terminal && !is_json {
            true => Streams::Terminal,
            false => Streams::All,
        };
        let mut options = vec![self.place.name.to_string(), self.service];
        if is_json {
            options.push("--json".to_owned());
        }
        options.push("--".to_owned());
        options.extend(self.command);
        attach(&exchange, "exec", options, streams)
    }
}
