//! `rdc context status-infra`: how machines are doing. Exit 0 says that all is well on all of them;
//! 1 that something of what was pushed does not run, listen or hold, so that scripts can use it. A
//! machine to which nothing was pushed is not well either: whoever asks expects something there.

mod problems;
#[cfg(test)]
mod tests;
mod words;

use serde_json::{Value, json};

use super::call::Caller;
use crate::bundle::Status;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::Context;
use crate::context::value::MachineName;
use crate::push::Called;
use problems::{Problem, Severity, nothing_pushed, problems, program_gone};

#[derive(clap::Args, Debug)]
pub(crate) struct StatusInfra {
    /// The machines
    #[arg(value_name = "MACHINE", required_unless_present = "all")]
    machines: Vec<MachineName>,
    /// All machines that have infrastructure settings
    #[arg(long, conflicts_with = "machines")]
    all: bool,
}

impl StatusInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let names = self.names(&context)?;
        if let ([name], false) = (names.as_slice(), self.all) {
            let seen = look(session, &context, name)?;
            session
                .output
                .result(&seen.json(), || seen.in_words(session));
            return Ok(seen.exit());
        }
        let mut exits = Vec::new();
        let mut answers: Vec<Value> = Vec::new();
        for name in names {
            match look(session, &context, name) {
                Ok(seen) => {
                    if !session.output.is_json() {
                        session.output.result(&(), || seen.in_words(session) + "\n");
                    }
                    answers.push(seen.json());
                    exits.push(seen.exit());
                }
                Err(failure) => {
                    exits.push(failure.exit);
                    let mut answer = failure.to_json();
                    answer["machine"] = json!(name);
                    answers.push(answer);
                    if !session.output.is_json() {
                        session.output.failure(&Failure {
                            message: format!("{name}: {}", failure.message),
                            ..failure
                        });
                    }
                }
            }
        }
        if session.output.is_json() {
            let answer = json!({ "machines": answers });
            session.output.result(&answer, String::new);
        }
        Ok(worst(&exits))
    }

    fn names<'a>(&'a self, context: &'a Context) -> Result<Vec<&'a MachineName>, Failure> {
        if self.all {
            let machines = context.machines.iter();
            let pushable = machines.filter(|(_, machine)| machine.infra.is_some());
            let names: Vec<&MachineName> = pushable.map(|(name, _)| name).collect();
            return if names.is_empty() {
                Err(Failure::new(
                    Exit::Invalid,
                    format!(
                        "no machine of the context `{}` has infrastructure settings",
                        context.name
                    ),
                )
                .hint("run `rdc context set-infra MACHINE --public-ipv4 …` first"))
            } else {
                Ok(names)
            };
        }
        // A wrong name is found before the first machine is asked.
        for name in &self.machines {
            context.machine(name)?;
        }
        Ok(self.machines.iter().collect())
    }
}

/// What was seen of one machine.
struct Seen<'a> {
    name: &'a MachineName,
    /// None where there is nothing on the machine that could tell.
    status: Option<Box<Status>>,
    problems: Vec<Problem>,
}

fn look<'a>(
    session: &Session,
    context: &'a Context,
    name: &'a MachineName,
) -> Result<Seen<'a>, Failure> {
    let caller = Caller::new(session, context, "status-infra", name)?;
    let (status, problems) = match caller.call("status", Vec::new())? {
        Called::Status(status) => {
            let problems = problems(&status, name);
            (Some(status), problems)
        }
        Called::NoRenet(remains) if remains.has_generation() => (None, vec![program_gone(name)]),
        Called::NoRenet(_) | Called::Done(_) => (None, vec![nothing_pushed(name)]),
    };
    Ok(Seen {
        name,
        status,
        problems,
    })
}

impl Seen<'_> {
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

/// The end that asks for most attention: a machine that is not well, then one that could not be
/// asked.
fn worst(exits: &[Exit]) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::Done => 0,
        Exit::Failed => 2,
        Exit::Interrupted => 3,
        _ => 1,
    };
    exits.iter().copied().max_by_key(rank).unwrap_or(Exit::Done)
}
