//! `rdc context rollback-infra`: a machine goes back to a former generation, by the same
//! transaction as a push. What is declared stays as it is.

use std::time::Duration;

use super::plan_view;
use crate::bundle::{Report, Step};
use crate::cli::failure::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::cli::work::call::Caller;
use crate::cli::work::remote_failure::After;
use crate::context::value::MachineName;
use crate::push::{Called, lock_wait_words};

#[derive(clap::Args, Debug)]
pub(crate) struct RollbackInfra {
    /// The machine
    #[arg(value_name = "MACHINE")]
    machine: MachineName,
    /// The generation to go back to [default: the one before the live one]
    #[arg(long, value_name = "GENERATION")]
    to: Option<u32>,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before something restarts or a port closes
    #[arg(long, short)]
    yes: bool,
    /// How long to wait for another push to end, such as 60s
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    lock_wait: Option<Duration>,
}

impl RollbackInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let caller = Caller::new(session, &context, After::Push, &self.machine)?;
        let approved = if self.yes || self.dry_run || !prompt::can_ask(session) {
            None
        } else {
            let plan = self.call(&caller, true, None)?;
            self.ask(session, &plan)?;
            Some(plan.digest)
        };
        let report = self.call(&caller, self.dry_run, approved)?;
        self.tell(session, &report);
        Ok(Exit::Done)
    }

    fn call(
        &self,
        caller: &Caller<'_>,
        dry_run: bool,
        approved: Option<String>,
    ) -> Result<Report, Failure> {
        let mut options = lock_wait_words(self.lock_wait.unwrap_or_default());
        if let Some(to) = self.to {
            options.extend(["--to".to_owned(), to.to_string()]);
        }
        if dry_run {
            options.push("--dry-run".to_owned());
        }
        if let Some(digest) = approved.filter(|digest| !digest.is_empty()) {
            options.extend(["--approved".to_owned(), digest]);
        }
        match caller.call("rollback", options)? {
            Called::Done(report) => Ok(*report),
            Called::Nothing => Err(Failure::new(
                Exit::Refused,
                format!("there is no generation to go back to on {}", self.machine),
            )
            .hint(format!("run `rdc context push-infra {}`", self.machine))),
            called @ (Called::Status(_) | Called::Repository(_) | Called::NoRenet(_)) => {
                Err(caller.unanswered(&called))
            }
        }
    }

    /// Asks before something restarts, a port closes, or something is lost.
    fn ask(&self, session: &Session, plan: &Report) -> Result<(), Failure> {
        let disturbs = |step: &Step| matches!(step, Step::Restart { .. });
        let is_harmless = plan.closes.is_empty() && plan.drops.is_empty();
        if is_harmless && !plan.steps.iter().any(disturbs) {
            return Ok(());
        }
        session.output.note(&self.plan_in_words(plan));
        let question = format!("go back on {}?", self.machine);
        prompt::confirm_or(session, false, "--yes", &question)
    }

    fn tell(&self, session: &Session, report: &Report) {
        for warning in &report.warnings {
            session.output.warn(warning);
        }
        for path in &report.drift {
            session.output.warn(&format!(
                "{} was edited on the machine: the pushed one takes its place",
                path.display()
            ));
        }
        let json = serde_json::json!({
            "machine": self.machine,
            "dry_run": self.dry_run,
            "changed": !report.steps.is_empty(),
            "generation": report.generation,
            "steps": report.steps,
            "opens": report.opens,
            "closes": report.closes,
            "drops": report.drops,
            "warnings": report.warnings,
        });
        session.output.result(&json, || self.in_words(report));
        if !self.dry_run && !report.steps.is_empty() {
            session.output.note(&format!(
                "what is declared of {} was not changed: the next push brings it again",
                self.machine
            ));
        }
    }

    fn in_words(&self, report: &Report) -> String {
        let name = &self.machine;
        let generation = report.generation.unwrap_or_default();
        if report.steps.is_empty() {
            return format!("{name} runs generation {generation} already: nothing changed");
        }
        if self.dry_run {
            let plan = self.plan_in_words(report);
            return format!("{plan}\nnothing was changed: this was a dry run");
        }
        let restarted: Vec<&str> = report
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Restart { unit } | Step::Start { unit } => Some(unit.as_str()),
                _ => None,
            })
            .collect();
        let restarted = match restarted.as_slice() {
            [] => "nothing restarted".to_owned(),
            units => format!("restarted {}", units.join(", ")),
        };
        format!("{name} runs generation {generation} again: {restarted}")
    }

    fn plan_in_words(&self, plan: &Report) -> String {
        let steps = plan.steps.iter().map(|step| format!("  {step}\n"));
        let opens = plan.opens.iter().map(|bind| format!("  open     {bind}\n"));
        let closes = plan
            .closes
            .iter()
            .map(|bind| format!("  close    {bind}\n"));
        let lines: String = steps.chain(opens).chain(closes).collect();
        let heading = plan_view::heading(&self.machine, plan, &|_, text| text.to_owned());
        format!("{heading}\n{}", lines.trim_end())
    }
}
