//! A push on a terminal: all machines plan, the plans are shown and asked about, and what was
//! shown is what is done.

use futures_util::future::join_all;

use super::{Push, Pushed, Run};
use crate::bundle::{Report, Step};
use crate::cli::context::plan_view;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Paint;
use crate::cli::prompt;
use crate::cli::work::fleet::Stopped;
use crate::context::value::MachineName;
use crate::push::Options;
use crate::remote::Remote;

/// A machine that has planned, and stays connected.
struct Planned {
    remote: Remote,
    report: Report,
}

impl Run<'_> {
    /// Pushes what nobody could mind, and the rest after a question; without the operator's yes
    /// nothing at all.
    pub(super) async fn ask_and_push(
        &self,
        pushes: Vec<&Push<'_>>,
    ) -> Result<Vec<Result<Pushed, Stopped>>, Failure> {
        let fleet = &self.options.fleet;
        let plan = async |push| self.plan(push).await;
        let planned = fleet.on_all(pushes.clone(), plan).await;
        self.display.clear();
        let is_interrupted = |end: &Result<_, _>| matches!(end, Err(Stopped::Interrupted));
        if planned.iter().any(is_interrupted) {
            return Ok(planned
                .into_iter()
                .map(|end| Err(end.err().unwrap_or(Stopped::Interrupted)))
                .collect());
        }
        let names = pushes.iter().map(|push| push.work.name);
        let is_asked = self.ask(&names.zip(&planned).collect::<Vec<_>>()).await?;
        let push = async |(push, planned): (&Push<'_>, Result<Planned, Stopped>)| {
            self.push_planned(push, planned?, is_asked).await
        };
        Ok(fleet
            .on_all(pushes.into_iter().zip(planned).collect(), push)
            .await)
    }

    async fn plan(&self, push: &Push<'_>) -> Result<Planned, Stopped> {
        let mut progress = self.display.line(push.work.name);
        let remote = self.connect(push, &progress).await?;
        let options = Options {
            only_plan: true,
            ..self.options(None)
        };
        // The programs are brought to stay: a yes would have to bring them once more.
        let report = push.delivery.push(&remote, &options, &mut progress).await;
        progress.end(if report.is_ok() { "planned" } else { "failed" });
        match report {
            Ok(report) => Ok(Planned { remote, report }),
            Err(error) => {
                remote.close().await;
                Err(error.into())
            }
        }
    }

    /// Shows the plans and asks, if there is one to be asked about; answers whether there was.
    async fn ask(
        &self,
        planned: &[(&MachineName, &Result<Planned, Stopped>)],
    ) -> Result<bool, Failure> {
        let pending: Vec<(&MachineName, &Planned)> = planned
            .iter()
            .filter_map(|(name, end)| Some((*name, end.as_ref().ok()?)))
            .filter(|(_, planned)| !planned.report.steps.is_empty())
            .collect();
        let questionable =
            |(_, planned): &(_, &Planned)| plan_view::is_questionable(&planned.report);
        if !pending.iter().any(questionable) {
            return Ok(false);
        }
        for (name, Planned { report, .. }) in &pending {
            self.show(name, report);
        }
        let names = |chosen: Vec<&MachineName>| {
            let names: Vec<_> = chosen.into_iter().map(MachineName::as_str).collect();
            names.join(", ")
        };
        let lost: Vec<_> = planned
            .iter()
            .filter_map(|(name, end)| end.is_err().then_some(*name))
            .collect();
        if !lost.is_empty() {
            let output = &self.session.output;
            output.show(&format!("left out, since it failed: {}", names(lost)));
        }
        let question = format!(
            "push this to {}?",
            names(pending.iter().map(|(name, _)| *name).collect())
        );
        let remotes: Vec<_> = pending.iter().map(|(_, it)| &it.remote).collect();
        if confirm_connected(&remotes, &question).await? {
            Ok(true)
        } else {
            Err(Failure::new(Exit::Refused, "nothing was changed"))
        }
    }

    fn show(&self, name: &MachineName, report: &Report) {
        let output = &self.session.output;
        let brush = |paint: Paint, text: &str| output.paint_stderr(paint, text);
        for warning in &report.warnings {
            output.warn(&format!("{name}: {warning}"));
        }
        let heading = plan_view::heading(name, report, &brush);
        let plan = plan_view::plan(report, output.is_verbose(), &brush);
        let diffs = plan_view::diffs(&self.options.diffs(report), &brush);
        output.show(&format!("{heading}\n{plan}{diffs}"));
    }

    async fn push_planned(
        &self,
        push: &Push<'_>,
        planned: Planned,
        is_asked: bool,
    ) -> Result<Pushed, Stopped> {
        let Planned { remote, report } = planned;
        if report.steps.is_empty() {
            remote.close().await;
            return Ok(Pushed {
                report,
                is_shown: true,
            });
        }
        // What nobody was shown needs no approval: the machine then plans anew, and heals first
        // what an earlier push may have left.
        let options = self.options(is_asked.then(|| report.digest.clone()));
        let mut progress = self.display.line(push.work.name);
        let pushed = push.delivery.push(&remote, &options, &mut progress).await;
        remote.close().await;
        progress.end(if pushed.is_ok() { "done" } else { "failed" });
        let mut pushed = pushed?;
        let is_brought = |step: &Step| matches!(step, Step::Download { .. } | Step::Upload { .. });
        let brought = report.steps.into_iter().filter(is_brought);
        pushed.steps.splice(0..0, brought);
        Ok(Pushed {
            report: pushed,
            is_shown: is_asked,
        })
    }
}

/// Asks while the machines stay connected: `ssh` closes a connection that nobody uses for a
/// while, and an operator may think for longer.
async fn confirm_connected(remotes: &[&Remote], question: &str) -> Result<bool, Failure> {
    let (held, uses): (Vec<_>, Vec<_>) = remotes
        .iter()
        .map(|remote| {
            let (held, input) = tokio::io::duplex(1);
            let wait = async move {
                // A connection that breaks meanwhile is told of when it is needed again.
                let _ = remote
                    .run("exec cat", &[], input, &mut |_| {}, &mut |_| {})
                    .await;
            };
            (held, wait)
        })
        .unzip();
    let answer = async {
        let answer = prompt::confirm_meanwhile(question, false).await;
        drop(held);
        answer
    };
    let (answer, _) = tokio::join!(answer, join_all(uses));
    answer
}
