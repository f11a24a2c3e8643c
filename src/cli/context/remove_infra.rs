//! `rdc context remove-infra`: takes away what pushes put on a machine. What is declared stays, and
//! so do certificates and the operator's own files on the machine, until `--purge`.

use std::path::PathBuf;
use std::time::Duration;

use crate::bundle::Report;
use crate::cli::failure::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::cli::work::call::Caller;
use crate::cli::work::remote_failure::After;
use crate::context::value::MachineName;
use crate::push::{Called, lock_wait_words};

#[derive(clap::Args, Debug)]
pub(crate) struct RemoveInfra {
    /// The machine
    #[arg(value_name = "MACHINE")]
    machine: MachineName,
    /// Also remove the certificates and your own files on the machine
    #[arg(long)]
    purge: bool,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// How long to wait for another push to end, such as 60s
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    lock_wait: Option<Duration>,
}

impl RemoveInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let caller = Caller::new(session, &context, After::Push, &self.machine)?;
        if !self.yes && !self.dry_run {
            if prompt::can_ask(session) {
                let plan = self.call(&caller, true)?;
                if plan.steps.is_empty() {
                    self.tell(session, &plan);
                    return Ok(Exit::Done);
                }
                session.output.note(&self.plan_in_words(&plan));
            }
            prompt::confirm_or(session, false, "--yes", &self.question())?;
        }
        let report = self.call(&caller, self.dry_run)?;
        self.tell(session, &report);
        Ok(Exit::Done)
    }

    fn question(&self) -> String {
        let name = &self.machine;
        if self.purge {
            format!("remove everything from {name}, certificates and your own files included?")
        } else {
            format!("remove the proxy and the route server from {name}?")
        }
    }

    fn call(&self, caller: &Caller<'_>, dry_run: bool) -> Result<Report, Failure> {
        let mut options = lock_wait_words(self.lock_wait.unwrap_or_default());
        if self.purge {
            options.push("--purge".to_owned());
        }
        if dry_run {
            options.push("--dry-run".to_owned());
        }
        // A removal took the machine's own `renet` along, and left certificates.
        match caller.call_or_lend("remove", options)? {
            Called::Done(report) => Ok(*report),
            Called::Nothing => Ok(Report::default()),
            called @ (Called::Status(_) | Called::Repository(_) | Called::NoRenet(_)) => {
                Err(caller.unanswered(&called))
            }
        }
    }

    fn tell(&self, session: &Session, report: &Report) {
        let json = serde_json::json!({
            "machine": self.machine,
            "dry_run": self.dry_run,
            "changed": !report.steps.is_empty(),
            "steps": report.steps,
            "closes": report.closes,
            "kept": report.kept,
        });
        session.output.result(&json, || self.in_words(report));
        if !report.kept.is_empty() {
            session.output.note(&format!(
                "what pushes did not make stays: {}; `--purge` takes it away too",
                list(&report.kept)
            ));
        }
        if !self.dry_run && !report.steps.is_empty() {
            session.output.note(&format!(
                "the context keeps what is declared of {0}: `rdc context push-infra {0}` brings it \
                 back",
                self.machine
            ));
        }
    }

    fn in_words(&self, report: &Report) -> String {
        let name = &self.machine;
        if report.steps.is_empty() {
            return format!("there is nothing to remove on {name}");
        }
        if self.dry_run {
            let plan = self.plan_in_words(report);
            return format!("{plan}\nnothing was changed: this was a dry run");
        }
        match report.closes.len() {
            0 => format!("removed from {name} what pushes had put there"),
            1 => format!("removed from {name} what pushes had put there; 1 entry point is closed"),
            count => format!(
                "removed from {name} what pushes had put there; {count} entry points are closed"
            ),
        }
    }

    fn plan_in_words(&self, plan: &Report) -> String {
        let lines: Vec<String> = plan.steps.iter().map(|step| format!("  {step}")).collect();
        format!(
            "from {} would be removed:\n{}",
            self.machine,
            lines.join("\n")
        )
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}
