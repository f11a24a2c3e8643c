//! `rdc repo resize`: grows a repository's image while its services run.

use super::exchange::Exchange;
use super::place::Place;
use super::status::tell;
use crate::bundle::RepositoryAnswer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::remote_failure::After;
use crate::context::value::ByteSize;

#[derive(clap::Args, Debug)]
pub(crate) struct Resize {
    #[command(flatten)]
    place: Place,
    /// The new size of its image, such as 20G
    #[arg(value_name = "SIZE")]
    size: ByteSize,
}

impl Resize {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        let name = &self.place.name;
        let options = vec![name.to_string(), self.size.bytes().to_string()];
        match exchange.ask(name, "resize", options)? {
            RepositoryAnswer::Status(status) => {
                tell(session, machine, &status);
                Ok(Exit::Done)
            }
            answer => Err(exchange.strange(answer)),
        }
    }
}
