//! `rdc repo create`: creates an empty repository and starts its daemon.

use super::exchange::Exchange;
use super::limits::Limits;
use super::place::Place;
use super::status::tell;
use crate::bundle::RepositoryAnswer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;

#[derive(clap::Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    limits: Limits,
    /// Let its services reach the machine: privileged containers, devices, any mount
    #[arg(long = "unsafe")]
    allows_unsafe: bool,
    /// Do nothing if it exists already
    #[arg(long)]
    if_missing: bool,
}

impl Create {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let mut options = self
            .limits
            .words(&self.place.name, context.machine(machine)?);
        if self.allows_unsafe {
            options.push("--unsafe".to_owned());
        }
        if self.if_missing {
            options.push("--if-missing".to_owned());
        }
        match exchange.ask(&self.place.name, "create", options)? {
            RepositoryAnswer::Status(status) => {
                tell(session, machine, &status);
                session.output.note(&format!(
                    "copy your files to {} on the machine and run `rdc repo up {} -m {machine}`, or \
                     do both with `--source DIR`",
                    status.path.display(),
                    self.place.name
                ));
                Ok(Exit::Done)
            }
            answer => Err(exchange.strange(answer)),
        }
    }
}
