//! `rdc repo list`: lists the repositories of some machines or all. A machine that does not answer
//! does not hide the others.

use serde_json::json;

use super::exchange::Exchange;
use super::words;
use crate::bundle::{RepositoryAnswer, RepositoryStatus};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::fleet::{self, Fleet, Stopped, Told};
use crate::cli::work::progress::Display;
use crate::cli::work::remote_failure::{After, Work};
use crate::context::Context;
use crate::context::value::MachineName;

#[derive(clap::Args, Debug)]
#[command(after_help = fleet::EXIT_CODES)]
pub(crate) struct List {
    /// A machine; may be repeated [default: all that have infrastructure settings]
    #[arg(long, short, value_name = "MACHINE")]
    machine: Vec<MachineName>,
}

impl List {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let fleet = Fleet::of(self.machine);
        let works = fleet.works(session, &context, After::Again)?;
        let display = Display::new(&session.output);
        let look = async |work| look(session, &context, &display, work).await;
        let ended = fleet::block_on(fleet.on_all(works.clone(), look))?;
        display.clear();
        let told = ended.into_iter().zip(&works).map(|(end, work)| {
            let told = end.map(|repositories| Told {
                json: json!({ "machine": work.name, "repositories": repositories }),
                text: words::list(&session.output, work.name, &repositories),
                exit: Exit::Done,
            });
            (work, told)
        });
        fleet.report(session, told.collect())
    }
}

async fn look(
    session: &Session,
    context: &Context,
    display: &Display<'_>,
    work: Work<'_>,
) -> Result<Vec<RepositoryStatus>, Stopped> {
    let exchange = Exchange::of(session, context, work)?;
    let mut connection = exchange.caller.connect(display).await?;
    let none = tokio::io::empty();
    let answer = exchange
        .tell(
            &connection.remote,
            "list",
            Vec::new(),
            none,
            &mut connection.progress,
        )
        .await;
    connection.close(answer.is_ok()).await;
    match answer? {
        RepositoryAnswer::List(repositories) => Ok(repositories),
        answer => Err(exchange.strange(answer).into()),
    }
}
