//! Work of a command on several machines: which ones, how many at a time, and how the whole ends.
//!
//! ```text
//! Fleet::works ─► Fleet::on_all ─► Fleet::report
//! names checked    bounded          results, then every failure by its machine, the worst exit
//! ```

use std::collections::BTreeSet;
use std::pin::pin;

use clap::ArgGroup;
use clap::builder::RangedU64ValueParser;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::remote_failure::{After, Work};
use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::{LAST_WORDS, interrupted, runtime, settled};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::context::Context;
use crate::context::value::MachineName;
use crate::push::PushError;
use crate::remote::RemoteError;

/// How the exit code of several machines comes about, for the help of a command.
pub(crate) const EXIT_CODES: &str = "\
With several machines, every failure is reported at the end, and the worst exit code counts: \
130 (interrupted), 7 (rolled back), 1 (failed), 2 (invalid), 6 (refused), 4 (unreachable), \
5 (locked), 3 (pending), 0.";

/// How many machines are worked on at a time, unless somebody says so.
const JOBS: usize = 8;

/// The machines that a command works on.
#[derive(clap::Args, Debug)]
#[command(group(ArgGroup::new("which").args(["machines", "all"]).required(true)))]
pub(crate) struct Fleet {
    /// The machines
    #[arg(value_name = "MACHINE")]
    machines: Vec<MachineName>,
    /// All machines that have infrastructure settings
    #[arg(long)]
    all: bool,
    /// How many machines at a time
    #[arg(long, value_name = "N", default_value_t = JOBS)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    jobs: usize,
}

impl Fleet {
    /// Some machines, or all of them where none is named.
    pub(crate) fn of(machines: Vec<MachineName>) -> Self {
        Self {
            all: machines.is_empty(),
            machines,
            jobs: JOBS,
        }
    }

    /// The machines, each once. A wrong name is found before the first one is touched.
    pub(crate) fn works<'a>(
        &self,
        session: &Session,
        context: &'a Context,
        after: After<'a>,
    ) -> Result<Vec<Work<'a>>, Failure> {
        let work = |(name, machine)| Work {
            after,
            name,
            machine,
        };
        if !self.all {
            let mut seen = BTreeSet::new();
            let names = self.machines.iter().filter(|name| seen.insert(*name));
            return names
                .map(|name| {
                    let entry = context.machines.get_key_value(name);
                    Ok(work(entry.ok_or_else(|| context.no_machine(name))?))
                })
                .collect();
        }
        let (chosen, skipped): (Vec<_>, Vec<_>) = context
            .machines
            .iter()
            .partition(|(_, machine)| machine.infra.is_some());
        for (name, _) in skipped {
            session.output.note(&format!(
                "{name} is skipped: it has no infrastructure settings"
            ));
        }
        if chosen.is_empty() {
            return Err(Failure::new(
                Exit::Invalid,
                format!(
                    "no machine of the context `{}` has infrastructure settings",
                    session.context
                ),
            )
            .hint("run `rdc context set-infra MACHINE --public-ipv4 …` first"));
        }
        Ok(chosen.into_iter().map(work).collect())
    }

    /// Whether one machine was named, whose result then stands for itself.
    pub(crate) fn is_one(&self) -> bool {
        !self.all && self.machines.iter().collect::<BTreeSet<_>>().len() == 1
    }

    /// Does the same for all items, so many at a time, and answers in their order. Ctrl-C ends the
    /// whole: what was not through by then is `Stopped::Interrupted`.
    pub(crate) async fn on_all<I, T>(
        &self,
        items: Vec<I>,
        work: impl AsyncFn(I) -> Result<T, Stopped>,
    ) -> Vec<Result<T, Stopped>> {
        let mut ended: Vec<_> = items.iter().map(|_| Err(Stopped::Interrupted)).collect();
        let work = &work;
        let running = stream::iter(items.into_iter().enumerate())
            .map(|(at, item)| async move { (at, settled(work(item).await).await) })
            .buffer_unordered(self.jobs);
        let mut running = pin!(running);
        let mut interrupt = pin!(interrupted());
        loop {
            tokio::select! {
                biased;
                () = &mut interrupt => return ended,
                next = running.next() => match next {
                    Some((at, end)) => ended[at] = end,
                    None => return ended,
                },
            }
        }
    }

    /// Tells how it ended: of one named machine its result or failure, of several all results,
    /// every failure by its machine, and the worst exit code.
    pub(crate) fn report(
        &self,
        session: &Session,
        ended: Vec<(&Work<'_>, Result<Told, Stopped>)>,
    ) -> Result<Exit, Failure> {
        let output = &session.output;
        let mut exit = Exit::Done;
        let mut answers = Vec::new();
        let mut texts = Vec::new();
        let mut failed = Vec::new();
        for (work, end) in ended {
            match end {
                Ok(told) if self.is_one() => {
                    output.result(&told.json, || told.text);
                    return Ok(told.exit);
                }
                Err(stopped) if self.is_one() => return Err(stopped.failure(output, work)),
                Ok(told) => {
                    exit = exit.worse(told.exit);
                    answers.push(told.json);
                    texts.push(told.text);
                }
                Err(stopped) => {
                    failed.push((answers.len(), work, stopped));
                    answers.push(Value::Null);
                }
            }
        }
        if !output.is_json() {
            output.result(&(), || joined(&texts));
        }
        let (mut interrupted, mut after) = (Vec::new(), After::Again);
        let mut hint = None;
        for (at, work, stopped) in failed {
            let is_interrupted = matches!(stopped, Stopped::Interrupted);
            let failure = stopped.failure(output, work);
            exit = exit.worse(failure.exit);
            answers[at] = json!({ "machine": work.name });
            answers[at]["error"] = failure.to_json()["error"].take();
            if is_interrupted {
                after = work.after;
                interrupted.push(work.name.as_str());
            } else if !output.is_json() {
                output.failure(&unless_told(failure.of(work.name), &mut hint));
            }
        }
        if !interrupted.is_empty() && !output.is_json() {
            let message = format!("{}: interrupted", interrupted.join(", "));
            let failure = Failure::new(Exit::Interrupted, message);
            let names = if self.all {
                &["--all"]
            } else {
                interrupted.as_slice()
            };
            output.failure(&failure.hint(after.hint(names)));
        }
        if output.is_json() {
            output.result(&json!({ "machines": answers }), String::new);
        }
        Ok(exit)
    }
}

/// The same failure, without its hint where that of the failure before it was the same.
fn unless_told(mut failure: Failure, told: &mut Option<String>) -> Failure {
    if failure.hint == *told {
        failure.hint = None;
    } else {
        told.clone_from(&failure.hint);
    }
    failure
}

/// The texts of several machines: apart where one takes more than a line.
fn joined(texts: &[String]) -> String {
    let texts: Vec<&str> = texts.iter().map(|text| text.trim_end()).collect();
    let is_long = texts.iter().any(|text| text.contains('\n'));
    texts.join(if is_long { "\n\n" } else { "\n" })
}

/// Waits for work on machines.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    // A question that was broken off still waits for a key.
    runtime.shutdown_timeout(LAST_WORDS);
    Ok(done)
}

/// What the work on one machine came to, as it is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// For scripts; it names the machine.
    pub(crate) json: Value,
    /// For people.
    pub(crate) text: String,
    /// How `rdc` ends if this is all.
    pub(crate) exit: Exit,
}

/// Why the work on a machine is not through.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It did not begin.
    Refused(Failure),
    /// It failed on the way to the machine, or there.
    Failed(PushError),
    /// The operator broke it off.
    Interrupted,
}

impl Stopped {
    /// The same as a failure of the command. What the machine's journal says is told at once, so
    /// it is asked for when the display is gone.
    pub(crate) fn failure(self, output: &Output, work: &Work<'_>) -> Failure {
        match self {
            Self::Refused(failure) => failure,
            Self::Failed(error) => work.failed(output, error),
            Self::Interrupted => work.interrupted(),
        }
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<PushError> for Stopped {
    fn from(error: PushError) -> Self {
        Self::Failed(error)
    }
}

impl From<RemoteError> for Stopped {
    fn from(error: RemoteError) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn fleet(jobs: usize) -> Fleet {
        Fleet {
            machines: Vec::new(),
            all: true,
            jobs,
        }
    }

    #[test]
    fn no_more_than_so_many_run_at_a_time_and_the_order_stays() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = async |number: usize| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            // The later ones are through first.
            for _ in number..10 {
                tokio::task::yield_now().await;
            }
            running.set(running.get() - 1);
            match number {
                4 => Err(Stopped::Refused(Failure::new(Exit::Refused, "four"))),
                number => Ok(number),
            }
        };
        let ended = block_on(fleet(3).on_all((0..10).collect(), work)).expect("a runtime");
        let numbers: Vec<_> = ended.into_iter().map(Result::ok).collect();
        let expected: Vec<_> = (0..10).map(|n| (n != 4).then_some(n)).collect();
        assert_eq!(numbers, expected);
        assert_eq!(most.get(), 3);
    }

    #[test]
    fn a_hint_that_many_share_is_told_once() {
        let mut told = None;
        let hints = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "x")].map(|(name, hint)| {
            let failure = Failure::new(Exit::Unreachable, name).hint(hint);
            unless_told(failure, &mut told).hint.unwrap_or_default()
        });
        assert_eq!(hints, ["x", "", "y", "x"]);
    }

    #[test]
    fn only_long_texts_stand_apart() {
        let texts =
            |texts: &[&str]| joined(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(texts(&["a\n", "b"]), "a\nb");
        assert_eq!(texts(&["a\nb\n", "c\n"]), "a\nb\n\nc");
        assert_eq!(texts(&[]), "");
    }

    #[test]
    fn the_worst_exit_counts_in_the_order_that_the_help_names() {
        let named: Vec<Exit> = [
            (130, Exit::Interrupted),
            (7, Exit::RolledBack),
            (1, Exit::Failed),
            (2, Exit::Invalid),
            (6, Exit::Refused),
            (4, Exit::Unreachable),
            (5, Exit::Locked),
            (3, Exit::Pending),
            (0, Exit::Done),
        ]
        .into_iter()
        .scan(EXIT_CODES, |rest, (code, exit)| {
            let (_, behind) = rest.split_once(&format!("{code}")).expect("a named code");
            *rest = behind;
            Some(exit)
        })
        .collect();
        for (at, worse) in named.iter().enumerate() {
            for better in &named[at..] {
                assert_eq!(better.worse(*worse), *worse);
                assert_eq!(worse.worse(*better), *worse);
            }
        }
    }
}
