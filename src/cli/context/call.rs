//! A question or an order to one machine beside a push: connect, ask its `renet`, close.

use super::fleet::{self, Stopped};
use super::programs;
use super::progress::Display;
use super::remote_failure::Work;
use crate::bundle::PROTOCOL;
use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::{settled, unless_interrupted};
use crate::cli::session::Session;
use crate::context::Context;
use crate::context::value::MachineName;
use crate::push::{Call, Called, Program, PushError, Renets};
use crate::remote::Remote;

/// A verb of `rdc` at work on one machine.
pub(super) struct Caller<'a> {
    session: &'a Session,
    context: &'a Context,
    /// The verb of `rdc` and the machine.
    work: Work<'a>,
    /// The `renet`s that could be lent.
    renets: Renets,
    /// The one of this build; without it the machine's own answers.
    renet: Option<Program>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(
        session: &'a Session,
        context: &'a Context,
        verb: &'static str,
        name: &'a MachineName,
    ) -> Result<Self, Failure> {
        let work = Work {
            verb,
            name,
            machine: context.machine(name)?,
        };
        Self::of(session, context, work)
    }

    /// The same for work that is known already.
    pub(super) fn of(
        session: &'a Session,
        context: &'a Context,
        work: Work<'a>,
    ) -> Result<Self, Failure> {
        work.refuse_unknown_keys()?;
        let renets = programs::renets(context)?;
        let renet = renets.usual().ok();
        Ok(Self {
            session,
            context,
            work,
            renets,
            renet,
        })
    }

    /// Runs `renet infra VERB OPTIONS` on the machine.
    pub(super) fn call(&self, verb: &str, options: Vec<String>) -> Result<Called, Failure> {
        self.run(verb, options, false)
    }

    /// The same also where a machine has something of a push, but no `renet` that can be run: it
    /// is lent one.
    pub(super) fn call_or_lend(&self, verb: &str, options: Vec<String>) -> Result<Called, Failure> {
        self.run(verb, options, true)
    }

    /// The failure of a command whose question was not answered. That is never "nothing is there".
    pub(super) fn unanswered(&self, called: &Called) -> Failure {
        let name = self.work.name;
        let unusable = match called {
            Called::NoRenet(remains) => remains.unusable.first(),
            _ => None,
        };
        match unusable {
            Some(path) => Failure::new(
                Exit::Refused,
                format!("nothing was done on {name}: {path} cannot be run there"),
            )
            .hint(programs::mount_exec(path)),
            None => Failure::new(
                Exit::Refused,
                format!(
                    "nothing was done on {name}: its `renet` is gone, and something pushed is there"
                ),
            )
            .hint(format!("`rdc context push-infra {name}` brings it again")),
        }
    }

    fn run(&self, verb: &str, options: Vec<String>, lend: bool) -> Result<Called, Failure> {
        let display = Display::new(&self.session.output);
        let called = fleet::block_on(async {
            let ask = async { settled(self.ask(verb, options, lend, &display).await).await };
            unless_interrupted(ask).await
        })?;
        let called = called.unwrap_or(Err(Stopped::Interrupted));
        display.clear();
        called.map_err(|stopped| stopped.failure(&self.session.output, &self.work))
    }

    /// The `renet` to lend to a machine that has none to run, or an older one that does not
    /// understand us. None where there is nothing to lend one for.
    fn to_lend(&self, called: &Result<Called, PushError>) -> Option<Result<Program, PushError>> {
        match called {
            Ok(Called::NoRenet(remains)) => Some(
                self.renets
                    .of(remains.architecture)
                    .map_err(PushError::from),
            ),
            Err(PushError::OtherProtocol(theirs))
                if theirs.as_ref().is_none_or(|it| it.protocol < PROTOCOL) =>
            {
                self.renet.clone().map(Ok)
            }
            _ => None,
        }
    }

    /// The same beside others; a machine that has nothing to answer with is lent a `renet`, or not.
    pub(super) async fn ask(
        &self,
        verb: &str,
        options: Vec<String>,
        lend: bool,
        display: &Display<'_>,
    ) -> Result<Called, Stopped> {
        let Work { name, machine, .. } = self.work;
        let call = Call {
            verb,
            options,
            renet: self.renet.as_ref(),
        };
        let mut progress = display.line(name);
        progress.connecting();
        let remote = Remote::connect(name, machine, &self.context.ssh_key).await;
        let remote = remote.inspect_err(|_| progress.end("failed"))?;
        let mut called = call.run(&remote, &mut progress).await;
        if lend && let Some(renet) = self.to_lend(&called) {
            called = call.run_lent(&renet?, &remote, &mut progress).await;
        }
        remote.close().await;
        progress.end(if called.is_ok() { "done" } else { "failed" });
        Ok(called?)
    }
}
