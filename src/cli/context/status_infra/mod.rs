//! `rdc context status-infra`: how machines are doing. Exit 0 says that all is well on all of them;
//! 1 that something of what was pushed does not run, listen or hold, so that scripts can use it. A
//! machine to which nothing was pushed is not well either: whoever asks expects something there.

mod problems;
#[cfg(test)]
mod tests;
mod words;

use serde_json::{Value, json};

use crate::bundle::Status;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::call::Caller;
use crate::cli::work::fleet::{self, Fleet, Stopped, Told};
use crate::cli::work::progress::Display;
use crate::cli::work::remote_failure::{After, Work};
use crate::context::Context;
use crate::context::value::MachineName;
use crate::push::Called;
use problems::{Problem, Severity, nothing_pushed, problems};

#[derive(clap::Args, Debug)]
#[command(after_help = fleet::EXIT_CODES)]
pub(crate) struct StatusInfra {
    #[command(flatten)]
    fleet: Fleet,
}

impl StatusInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let works = self.fleet.works(session, &context, After::Status)?;
        let display = Display::new(&session.output);
        let look = async |work| look(session, &context, &display, work).await;
        let ended = fleet::block_on(self.fleet.on_all(works.clone(), look))?;
        display.clear();
        let told = ended
            .into_iter()
            .zip(&works)
            .map(|(end, work)| (work, end.map(|seen| seen.told(session))));
        self.fleet.report(session, told.collect())
    }
}

/// What was seen of one machine.
struct Seen<'a> {
    name: &'a MachineName,
    /// None where there is nothing on the machine that could tell.
    status: Option<Box<Status>>,
    problems: Vec<Problem>,
}

/// What a machine tells, and what of it is a problem.
async fn look<'a>(
    session: &Session,
    context: &Context,
    display: &Display<'_>,
    work: Work<'a>,
) -> Result<Seen<'a>, Stopped> {
    let name = work.name;
    let caller = Caller::of(session, context, work)?;
    let (status, problems) = match caller.ask("status", Vec::new(), true, display).await? {
        Called::Status(status) => {
            let problems = problems(&status, name);
            (Some(status), problems)
        }
        Called::Nothing => (None, vec![nothing_pushed(name)]),
        called @ (Called::NoRenet(_) | Called::Done(_) | Called::Repository(_)) => {
            return Err(caller.unanswered(&called).into());
        }
    };
    Ok(Seen {
        name,
        status,
        problems,
    })
}

impl Seen<'_> {
    fn told(&self, session: &Session) -> Told {
        Told {
            json: self.json(),
            text: self.in_words(session),
            exit: self.exit(),
        }
    }

    fn is_well(&self) -> bool {
        let errors = self.problems.iter();
        errors
            .map(|problem| problem.severity)
            .all(|severity| severity != Severity::Error)
    }

    fn exit(&self) -> Exit {
        if self.is_well() {
            Exit::Done
        } else {
            Exit::Failed
        }
    }

    fn json(&self) -> Value {
        json!({
            "machine": self.name,
            "well": self.is_well(),
            "problems": self.problems,
            "status": self.status,
        })
    }

    fn in_words(&self, session: &Session) -> String {
        words::in_words(
            &session.output,
            self.name,
            self.status.as_deref(),
            &self.problems,
        )
    }
}
