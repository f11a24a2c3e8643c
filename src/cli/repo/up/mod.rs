//! `rdc repo up`: create, sync, mount, run the Rediaccfiles, and wait until every service answers, over
//! one connection.
//!
//! ```text
//! create --if-missing ─► sync ─► up ─► report
//! Ctrl-C:  ends these at once   └► `renet repo cancel` beside it; a second one leaves the run alone
//! ```

mod report;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::exchange::Exchange;
use super::known::Known;
use super::limits::Limits;
use super::live::Live;
use super::place::Place;
use super::running::{self, Followed};
use super::{sync, words};
use crate::bundle::{RepositoryAnswer, SyncReport, UpReport};
use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::{settled, unless_interrupted};
use crate::cli::session::Session;
use crate::cli::work::call::Connection;
use crate::cli::work::fleet::{self, Stopped};
use crate::cli::work::progress::Display;
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

/// What `up` did on the machine.
struct Done {
    synced: Option<SyncReport>,
    answer: RepositoryAnswer,
}

/// How it ended.
enum End {
    Done(Done),
    /// The operator ended the run.
    Cancelled,
    /// The operator stopped watching, and the run continues.
    Left,
}

/// An `up` in progress.
struct Course<'a> {
    options: &'a Up,
    exchange: &'a Exchange<'a>,
    machine: &'a Machine,
    /// What to tell the operator if the connection is lost at this point.
    after: Cell<After<'a>>,
}

impl Up {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let machine = self.place.machine(&context)?;
        let name = &self.place.name;
        let exchange = Exchange::with(
            session,
            &context,
            machine,
            After::Run {
                repository: name,
                verb: "up",
            },
        )?;
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
        let display = Display::new(&session.output);
        let course = Course {
            options: &self,
            exchange: &exchange,
            machine: context.machine(machine)?,
            after: Cell::new(After::Again),
        };
        let end = fleet::block_on(course.carry_out(folder, &display))?;
        display.clear();
        match exchange.caller.end_of(course.after.get(), end)? {
            End::Done(done) => self.tell(&exchange, &done),
            End::Cancelled => Err(running::cancelled(name, machine)),
            End::Left => Err(running::left(name, machine, "up")),
        }
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

    fn tell(&self, exchange: &Exchange<'_>, done: &Done) -> Result<Exit, Failure> {
        let Exchange {
            session, machine, ..
        } = exchange;
        let name = &self.place.name;
        let output = &session.output;
        let mut json = json!({ "machine": machine, "repository": name, "synced": done.synced });
        match &done.answer {
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
                Ok(Exit::Program(done.answer.exit_code()))
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
}

impl Course<'_> {
    async fn carry_out(
        &self,
        folder: Option<Arc<Folder>>,
        display: &Display<'_>,
    ) -> Result<End, Stopped> {
        let connected = unless_interrupted(self.exchange.caller.connect(display)).await;
        let connection = connected.unwrap_or(Err(Stopped::Interrupted))?;
        let ended = self.over(&connection, folder).await;
        connection.close(ended.is_ok()).await;
        ended
    }

    async fn over(
        &self,
        connection: &Connection<'_>,
        folder: Option<Arc<Folder>>,
    ) -> Result<End, Stopped> {
        let Self {
            options,
            exchange,
            after,
            ..
        } = self;
        let name = &options.place.name;
        let prepare = async { settled(self.prepare(connection, folder).await).await };
        let Some(prepared) = unless_interrupted(prepare).await else {
            let failure = Failure::new(Exit::Interrupted, "interrupted: nothing was run");
            return Err(failure.hint("run it again").into());
        };
        let synced = prepared?;
        // What begins now survives the connection.
        after.set(After::Run {
            repository: name,
            verb: "up",
        });
        let followed = running::follow(exchange, connection, name, "up", options.words()).await?;
        Ok(match followed {
            Followed::Ended(answer) => End::Done(Done { synced, answer }),
            Followed::Cancelled => End::Cancelled,
            Followed::Left => End::Left,
        })
    }

    /// The steps before the run: creates the repository and copies its files.
    async fn prepare(
        &self,
        connection: &Connection<'_>,
        folder: Option<Arc<Folder>>,
    ) -> Result<Option<SyncReport>, Stopped> {
        let Self {
            options,
            exchange,
            machine,
            ..
        } = self;
        let name = &options.place.name;
        if options.create {
            let mut words = options.limits.words(name, machine);
            words.push("--if-missing".to_owned());
            if options.allows_unsafe {
                words.push("--unsafe".to_owned());
            }
            let mut live = Live::new(&exchange.session.output, &connection.progress, name);
            let none = tokio::io::empty();
            exchange
                .tell(connection, "create", words, none, &mut live)
                .await?;
        }
        let Some(folder) = folder else {
            return Ok(None);
        };
        let synced = sync::sync(exchange, connection, name, &folder, options.mount).await?;
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
