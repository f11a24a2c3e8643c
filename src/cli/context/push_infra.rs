//! `rdc context push-infra`: brings what was declared to machines.
//!
//! ```text
//! on a terminal   plan ─► show, ask ─► push what was shown          (nothing pending: one launch)
//! elsewhere, or with --yes            push                          (one launch)
//! --dry-run, --check                  look                          (nothing is brought to stay)
//! ```

mod ask;
mod bring;
mod tell;

use std::time::Duration;

use crate::bundle::Report;
use crate::cli::failure::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::cli::work::fleet::{self, Fleet, Stopped};
use crate::cli::work::programs::TraefikOptions;
use crate::cli::work::progress::{Display, Progress};
use crate::cli::work::remote_failure::{After, Work};
use crate::context::Context;
use crate::push::{Delivery, Options, PushError};
use crate::remote::Remote;

#[derive(clap::Args, Debug)]
#[command(after_help = fleet::EXIT_CODES)]
pub(crate) struct PushInfra {
    #[command(flatten)]
    fleet: Fleet,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The same, and exit with 3 if there is anything to do; --quiet prints nothing
    #[arg(long)]
    check: bool,
    /// Print how the files change, secrets masked
    #[arg(long)]
    diff: bool,
    /// Ask nothing, and overwrite files that were edited on the machine
    #[arg(long, short)]
    yes: bool,
    /// How long to wait for another push to end, such as 60s or 5m
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0s",
        hide_default_value = true
    )]
    #[arg(value_parser = humantime::parse_duration)]
    lock_wait: Duration,
    #[command(flatten)]
    traefik: TraefikOptions,
}

impl PushInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let works = self.fleet.works(session, &context, After::Push)?;
        let pushes = self.pushes(session, &context, &works)?;
        let run = Run {
            options: &self,
            session,
            context: &context,
            display: Display::new(&session.output),
        };
        let ended = fleet::block_on(run.carry_out(&pushes))??;
        run.display.clear();
        let told = ended.into_iter().zip(&works).map(|(end, work)| {
            let told = end.map(|pushed| self.tell(session, work.name, &pushed));
            (work, told)
        });
        self.fleet.report(session, told.collect())
    }

    /// Whether nothing is to be changed.
    fn only_looks(&self) -> bool {
        self.dry_run || self.check
    }
}

/// One machine, and what it is to be brought.
struct Push<'a> {
    work: &'a Work<'a>,
    delivery: Delivery,
}

/// What a push came to.
struct Pushed {
    report: Report,
    /// Whether the operator has seen the plan already.
    is_shown: bool,
}

/// One run of the command.
struct Run<'a> {
    options: &'a PushInfra,
    session: &'a Session,
    context: &'a Context,
    display: Display<'a>,
}

impl Run<'_> {
    async fn carry_out(
        &self,
        pushes: &[Push<'_>],
    ) -> Result<Vec<Result<Pushed, Stopped>>, Failure> {
        let fleet = &self.options.fleet;
        let all = pushes.iter().collect();
        if self.options.only_looks() {
            Ok(fleet.on_all(all, async |push| self.look(push).await).await)
        } else if self.options.yes || !prompt::can_ask(self.session) {
            let options = self.options(None);
            let push = async |push| self.push_unseen(push, &options).await;
            Ok(fleet.on_all(all, push).await)
        } else {
            self.ask_and_push(all).await
        }
    }

    /// How the machine shall push; a plan that was approved is the only one that it may follow.
    fn options(&self, approved: Option<String>) -> Options {
        Options {
            only_plan: false,
            approved,
            overwrite: self.options.yes,
            lock_wait: self.options.lock_wait,
        }
    }

    async fn look(&self, push: &Push<'_>) -> Result<Pushed, Stopped> {
        let mut progress = self.display.line(push.work.name);
        let remote = self.connect(push, &progress).await?;
        let report = push.delivery.dry_run(&remote, &mut progress).await;
        remote.close().await;
        ended(report, &progress)
    }

    async fn push_unseen(&self, push: &Push<'_>, options: &Options) -> Result<Pushed, Stopped> {
        let mut progress = self.display.line(push.work.name);
        let remote = self.connect(push, &progress).await?;
        let report = push.delivery.push(&remote, options, &mut progress).await;
        remote.close().await;
        ended(report, &progress)
    }

    async fn connect(&self, push: &Push<'_>, progress: &Progress<'_>) -> Result<Remote, Stopped> {
        let Work { name, machine, .. } = push.work;
        push.work.refuse_unknown_keys()?;
        progress.connecting();
        let remote = Remote::connect(name, machine, &self.context.ssh_key).await;
        Ok(remote.inspect_err(|_| progress.end("failed"))?)
    }
}

/// The end of a machine's line, and of its push.
fn ended(report: Result<Report, PushError>, progress: &Progress<'_>) -> Result<Pushed, Stopped> {
    progress.end(if report.is_ok() { "done" } else { "failed" });
    Ok(Pushed {
        report: report?,
        is_shown: false,
    })
}
