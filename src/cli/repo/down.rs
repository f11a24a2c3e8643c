//! `rdc repo down`: takes a repository down, in the reverse order of `up`.

use serde_json::json;

use super::exchange::Exchange;
use super::place::Place;
use super::running;
use crate::bundle::{DownReport, RepositoryAnswer};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;

#[derive(clap::Args, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    place: Place,
    /// Also stop its daemon and unmount it
    #[arg(long)]
    unmount: bool,
}

impl Down {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let name = &self.place.name;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let mut options = vec![name.to_string()];
        if self.unmount {
            options.push("--unmount".to_owned());
        }
        let ((), answer) = running::run(&exchange, name, "down", options, async |_| Ok(()))?;
        let RepositoryAnswer::Down(DownReport {
            failures,
            still_running,
        }) = &answer
        else {
            return Err(exchange.strange(answer));
        };
        let is_down = failures.is_empty() && still_running.is_empty();
        let json = json!({
            "machine": machine,
            "repository": name,
            "down": is_down,
            "failures": failures,
            "still_running": still_running,
        });
        let output = &session.output;
        output.result(&json, || match is_down {
            true => format!("{name} is down on {machine}"),
            false => String::new(),
        });
        if !is_down && !output.is_json() {
            for failure in failures {
                output.failure(&Failure::new(Exit::Failed, failure.to_string()));
            }
            if !still_running.is_empty() {
                let names = still_running.join(", ");
                let failure = Failure::new(Exit::Failed, format!("still running: {names}"));
                output.failure(&failure.hint(
                    "add `renet compose -- down` to `down` in the Rediaccfile that starts them",
                ));
            }
        }
        Ok(Exit::Program(answer.exit_code()))
    }
}
