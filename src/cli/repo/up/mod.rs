//! `rdc repo up`: create, sync, mount, run the Rediaccfiles, and wait until every service answers, over
//! one connection.
//!
//! ```text
//! create --if-missing ─► sync ─► up ─► report
//! Ctrl-C:  ends these at once   └► `running` cancels it; a second one leaves the run alone
//! ```

mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::exchange::Exchange;
use super::known::Known;
use super::limits::Limits;
use super::live::Live;
use super::place::Place;
use super::{running, sync, words};
use crate::bundle::{RepositoryAnswer, SyncReport, UpReport};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::work::call::Connection;
use crate::cli::work::fleet::Stopped;
use crate::cli::work::remote_failure::After;
use crate::context::Machine;
use crate::sync::Folder;

#[derive(clap::Args, Debug)]
pub(crate) struct Up {
    #[command(flatten)]
    place: Place,
    /// Create it if it does not exist
    #[arg(long)]
    create: bool,
    /// Copy the changes of this folder to it first; files that an earlier copy brought and the folder
    /// no longer has are deleted; .rediaccignore names files to leave out
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Mount it and start its daemon, if necessary
    #[arg(long)]
    mount: bool,
    /// Stop after `prep` of its Rediaccfiles
    #[arg(long)]
    prep_only: bool,
    /// Do not wait for the run to end
    #[arg(long)]
    detach: bool,
    /// How long to wait for services to answer, such as 1m [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Let its services reach the machine: privileged containers, devices, any mount
    #[arg(long = "unsafe")]
    allows_unsafe: bool,
    // Last: the heading holds for all options from here on.
    #[command(flatten, next_help_heading = "With --create")]
    limits: Limits,
}

impl Up {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let name = &self.place.name;
        let exchange = Exchange::with(session, &context, machine, After::Again)?;
        if !self.create && self.limits.is_some() {
            return Err(Failure::new(
                Exit::Invalid,
                "--size, --memory and --tasks are for a repository that is created",
            )
            .hint("add --create, or run `rdc repo resize` for an existing one"));
        }
        let folder = self.source.as_deref().map(sync::read).transpose()?;
        for warning in folder.iter().flat_map(|folder| folder.warnings()) {
            session.output.warn(warning);
        }
        let context_machine = context.machine(machine)?;
        let prepare = async |connection: &Connection<'_>| {
            self.prepare(&exchange, context_machine, connection, folder)
                .await
        };
        let (synced, answer) = running::run(&exchange, name, "up", self.words(), prepare)?;
        self.tell(&exchange, synced.as_ref(), &answer)
    }

    /// The options of `renet repo up`.
    fn words(&self) -> Vec<String> {
        let mut words = vec![self.place.name.to_string()];
        for (is_given, option) in [
            (self.mount, "--mount"),
            (self.prep_only, "--prep-only"),
            (self.detach, "--detach"),
            (self.allows_unsafe, "--unsafe"),
        ] {
            if is_given {
                words.push(option.to_owned());
            }
        }
        if let Some(timeout) = self.timeout {
            let seconds = timeout.as_secs_f64().ceil();
            words.extend(["--timeout".to_owned(), format!("{seconds}")]);
        }
        words
    }

    fn tell(
        &self,
        exchange: &Exchange<'_>,
        synced: Option<&SyncReport>,
        answer: &RepositoryAnswer,
    ) -> Result<Exit, Failure> {
        let Exchange {
            session, machine, ..
        } = exchange;
        let name = &self.place.name;
        let output = &session.output;
        let mut json = json!({ "machine": machine, "repository": name, "synced": synced });
        match answer {
            RepositoryAnswer::Up(report) => {
                let services = report.services.iter().map(|service| service.name.as_str());
                let known = Known::of_user();
                known.learn_services(&session.context, machine, name.as_str(), services);
                let UpReport {
                    services,
                    failures,
                    warnings,
                } = report;
                json["up"] = (report.is_up() && !self.prep_only).into();
                json["services"] = json!(services);
                json["failures"] = json!(failures);
                json["warnings"] = json!(warnings);
                for warning in warnings {
                    output.warn(warning);
                }
                output.result(&json, || report::services(output, services));
                if services.is_empty() && failures.is_empty() {
                    output.note(&match self.prep_only {
                        true => format!("{name} is prepared on {machine}"),
                        false => format!("{name} is up on {machine}, without any service"),
                    });
                }
                if !report.is_up() && !output.is_json() {
                    report::problems(output, report);
                }
                Ok(Exit::Program(answer.exit_code()))
            }
            RepositoryAnswer::Started(run) => {
                json["run"] = json!(run);
                output.result(&json, || {
                    format!("{name} on {machine}: {}", words::run(run))
                });
                output.note(&running::goes_on(name, machine, "up"));
                Ok(Exit::Done)
            }
            answer => Err(exchange.strange(answer.clone())),
        }
    }

    /// The steps before the run: creates the repository and copies its files.
    async fn prepare(
        &self,
        exchange: &Exchange<'_>,
        machine: &Machine,
        connection: &Connection<'_>,
        folder: Option<Arc<Folder>>,
    ) -> Result<Option<SyncReport>, Stopped> {
        let name = &self.place.name;
        if self.create {
            let mut words = self.limits.words(name, machine);
            words.push("--if-missing".to_owned());
            if self.allows_unsafe {
                words.push("--unsafe".to_owned());
            }
            let mut live = Live::new(&exchange.session.output, &connection.progress, name);
            let none = tokio::io::empty();
            exchange
                .tell(&connection.remote, "create", words, none, &mut live)
                .await?;
        }
        let Some(folder) = folder else {
            return Ok(None);
        };
        let synced = sync::sync(exchange, connection, name, &folder, self.mount).await?;
        let output = &exchange.session.output;
        connection.progress.print(|| {
            for warning in &synced.warnings {
                output.warn(warning);
            }
            output.note(&in_words(&synced));
        });
        Ok(Some(synced))
    }
}

/// What a sync did, in a sentence.
fn in_words(synced: &SyncReport) -> String {
    let SyncReport {
        written,
        deleted,
        unchanged,
        warnings: _,
    } = synced;
    if *written + *deleted == 0 {
        return format!("synced: all {unchanged} files were up to date");
    }
    format!("synced: {written} written, {deleted} deleted, {unchanged} unchanged")
}
