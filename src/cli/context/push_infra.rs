//! `rdc context push-infra`: brings what was declared to a machine.

use anyhow::Context as _;

use super::programs::{self, TraefikOptions};
use super::progress::Progress;
use super::remote_failure::Work;
use super::render_infra::{infra, unrenderable};
use crate::bundle::{Bundle, Report, Step, Token};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::value::{MachineName, TokenSource};
use crate::context::{Context, Infra};
use crate::push::Delivery;
use crate::remote::Remote;
use crate::render::{binds, render};

#[derive(clap::Args, Debug)]
pub(crate) struct PushInfra {
    /// The machine to bring up to date
    #[arg(value_name = "MACHINE")]
    machine: MachineName,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    traefik: TraefikOptions,
}

impl PushInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let infra = infra(&context, &self.machine)?;
        let delivery = self.delivery(&context, infra)?;
        let report = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?
            .block_on(self.deliver(session, &context, &delivery))?;
        self.report(session, &report);
        Ok(Exit::Done)
    }

    /// Puts together what the push brings.
    fn delivery(&self, context: &Context, infra: &Infra) -> Result<Delivery, Failure> {
        // The machine renders; what cannot be rendered is known before it is asked.
        render(infra, &binds(infra), infra.cf_dns_token.is_some())
            .map_err(|error| unrenderable(&self.machine, &error))?;
        let token = infra
            .cf_dns_token
            .as_ref()
            .map(TokenSource::resolve)
            .transpose()?;
        let renets = programs::renets(context)?;
        let renet = programs::renet(&renets)?;
        let traefik = self.traefik.program()?;
        let bundle = Bundle {
            infra: Infra {
                cf_dns_token: None,
                ..infra.clone()
            },
            cf_dns_token: token.map(Token),
            renet: renet.remote_path().into(),
            traefik: self.traefik.source(traefik.as_ref(), infra)?,
            sent_at: None,
        };
        Ok(Delivery {
            bundle,
            renet,
            renets,
            traefik,
            releases: programs::releases()?,
        })
    }

    async fn deliver(
        &self,
        session: &Session,
        context: &Context,
        delivery: &Delivery,
    ) -> Result<Report, Failure> {
        let machine = context.machine(&self.machine)?;
        let work = Work {
            verb: "push-infra",
            name: &self.machine,
            machine,
        };
        work.refuse_unknown_keys()?;
        let mut progress = Progress::new(&session.output, &self.machine.to_string());
        let push = async {
            progress.connecting();
            let remote = Remote::connect(&self.machine, machine, &context.ssh_key).await?;
            let done = if self.dry_run {
                delivery.dry_run(&remote, &mut progress).await
            } else {
                delivery.push(&remote, &mut progress).await
            };
            remote.close().await;
            done
        };
        let done = tokio::select! {
            done = push => done.map_err(|error| work.failed(&session.output, error)),
            _ = tokio::signal::ctrl_c() => Err(work.interrupted()),
        };
        progress.end();
        done
    }

    fn report(&self, session: &Session, report: &Report) {
        for warning in &report.warnings {
            session.output.warn(warning);
        }
        let json = serde_json::json!({
            "machine": self.machine,
            "dry_run": self.dry_run,
            "changed": !report.steps.is_empty(),
            "generation": report.generation,
            "steps": report.steps,
        });
        session.output.result(&json, || self.in_words(report));
    }

    fn in_words(&self, report: &Report) -> String {
        let name = &self.machine;
        let generation = report
            .generation
            .map_or(String::new(), |n| format!(" (generation {n})"));
        if report.steps.is_empty() {
            return format!("{name} is up to date{generation}: nothing changed, nothing restarted");
        }
        if self.dry_run {
            let steps: String = report
                .steps
                .iter()
                .map(|step| format!("  {step}\n"))
                .collect();
            return format!(
                "{name} would be changed:\n{steps}nothing was changed: this was a dry run"
            );
        }
        let done = |word: &str, which: fn(&Step) -> Option<&String>| {
            let units: Vec<&str> = report
                .steps
                .iter()
                .filter_map(which)
                .map(String::as_str)
                .collect();
            (!units.is_empty()).then(|| format!("{word} {}", units.join(", ")))
        };
        let started = done("started", |step| match step {
            Step::Start { unit } => Some(unit),
            _ => None,
        });
        let restarted = done("restarted", |step| match step {
            Step::Restart { unit } => Some(unit),
            _ => None,
        });
        let done: Vec<String> = started.into_iter().chain(restarted).collect();
        let done = if done.is_empty() {
            "restarted nothing".to_owned()
        } else {
            done.join("; ")
        };
        format!("{name} is up to date{generation}: {done}")
    }
}
