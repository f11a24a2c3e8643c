//! `rdc repo logs`: prints the logs of a repository's services.

use super::attach::attach;
use super::exchange::Exchange;
use super::place::Place;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;
use crate::remote::Streams;

#[derive(clap::Args, Debug)]
pub(crate) struct Logs {
    #[command(flatten)]
    place: Place,
    /// The service [default: all of them]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Keep printing new lines until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Print only the last N lines of each container
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<u32>,
}

impl Logs {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let mut options = vec![self.place.name.to_string()];
        options.extend(self.service);
        if self.follow {
            options.push("--follow".to_owned());
        }
        if let Some(lines) = self.lines {
            options.extend(["--lines".to_owned(), lines.to_string()]);
        }
        if session.output.is_json() {
            options.push("--json".to_owned());
        }
        match attach(&exchange, "logs", options, Streams::Outputs)? {
            // Ctrl-C is the way to stop following.
            Exit::Interrupted if self.follow => Ok(Exit::Done),
            exit => Ok(exit),
        }
    }
}
