//! Runs one `renet` command on one machine, outside of a push: connects, asks, closes.

use super::fleet::{self, Stopped};
use super::programs;
use super::progress::{Display, Progress};
use super::remote_failure::{After, Work};
use crate::bundle::PROTOCOL;
use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::{settled, unless_interrupted};
use crate::cli::session::Session;
use crate::context::Context;
use crate::context::value::MachineName;
use crate::push::{Call, Called, Program, PushError, Renets};
use crate::remote::Remote;

/// What a verb of `rdc` needs to run `renet` on one machine.
pub(crate) struct Caller<'a> {
    session: &'a Session,
    context: &'a Context,
    work: Work<'a>,
    /// The `renet`s that can be lent to the machine.
    renets: Renets,
    /// The `renet` of this build; without it, the machine's own answers.
    renet: Option<Program>,
}

/// A connection to the machine, and its line on the display.
pub(crate) struct Connection<'a> {
    pub(crate) remote: Remote,
    pub(crate) progress: Progress<'a>,
}

impl Connection<'_> {
    /// Closes it, and shows how the work ended.
    pub(crate) async fn close(self, is_done: bool) {
        self.remote.close().await;
        self.progress.end(if is_done { "done" } else { "failed" });
    }
}

impl<'a> Caller<'a> {
    pub(crate) fn new(
        session: &'a Session,
        context: &'a Context,
        after: After<'a>,
        name: &'a MachineName,
    ) -> Result<Self, Failure> {
        let work = Work {
            after,
            name,
            machine: context.machine(name)?,
        };
        Self::of(session, context, work)
    }

    /// The same for work that is known already.
    pub(crate) fn of(
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
    pub(crate) fn call(&self, verb: &str, options: Vec<String>) -> Result<Called, Failure> {
        self.block_on(async |display| self.ask(verb, options, false, display).await)
    }

    /// Like `call`; but a machine with parts of a push and without a `renet` that can run is lent
    /// one.
    pub(crate) fn call_or_lend(&self, verb: &str, options: Vec<String>) -> Result<Called, Failure> {
        self.block_on(async |display| self.ask(verb, options, true, display).await)
    }

    /// Waits for work on the machine; Ctrl-C ends it.
    pub(crate) fn block_on<T>(
        &self,
        work: impl AsyncFnOnce(&Display<'_>) -> Result<T, Stopped>,
    ) -> Result<T, Failure> {
        let display = Display::new(&self.session.output);
        let done = fleet::block_on(async {
            let work = async { settled(work(&display).await).await };
            unless_interrupted(work).await
        })?;
        display.clear();
        self.end(done.unwrap_or(Err(Stopped::Interrupted)))
    }

    /// Turns the end of the work into a result, once the display is gone.
    pub(crate) fn end<T>(&self, end: Result<T, Stopped>) -> Result<T, Failure> {
        self.end_of(self.work.after, end)
    }

    /// Like `end`, with another hint for a lost connection.
    pub(crate) fn end_of<T>(
        &self,
        after: After<'_>,
        end: Result<T, Stopped>,
    ) -> Result<T, Failure> {
        let work = Work { after, ..self.work };
        end.map_err(|stopped| stopped.failure(&self.session.output, &work))
    }

    /// Opens a connection to the machine.
    pub(crate) async fn connect<'d>(
        &self,
        display: &'d Display<'_>,
    ) -> Result<Connection<'d>, Stopped> {
        let Work { name, machine, .. } = self.work;
        let progress = display.line(name);
        progress.connecting();
        let remote = Remote::connect(name, machine, &self.context.ssh_key).await;
        let remote = remote.inspect_err(|_| progress.end("failed"))?;
        Ok(Connection { remote, progress })
    }

    /// A call of the machine's `renet`.
    pub(crate) fn question(
        &'a self,
        command: &'a str,
        verb: &'a str,
        options: Vec<String>,
    ) -> Call<'a> {
        Call {
            command,
            verb,
            options,
            renet: self.renet.as_ref(),
        }
    }

    /// Asks over a connection of its own. If `lend`, a machine without a `renet` is lent one.
    pub(crate) async fn ask(
        &self,
        verb: &str,
        options: Vec<String>,
        lend: bool,
        display: &Display<'_>,
    ) -> Result<Called, Stopped> {
        let mut connection = self.connect(display).await?;
        let Connection { remote, progress } = &mut connection;
        let call = self.question("infra", verb, options);
        let mut called = call.run(remote, progress).await;
        if lend && let Some(renet) = self.to_lend(&called) {
            called = call.run_lent(&renet?, remote, progress).await;
        }
        connection.close(called.is_ok()).await;
        Ok(called?)
    }

    /// The failure of a command that got no answer, which does not mean that nothing is there.
    pub(crate) fn unanswered(&self, called: &Called) -> Failure {
        let name = self.work.name;
        let push = format!("`rdc context push-infra {name}` brings it");
        let refused =
            |why: &str| Failure::new(Exit::Refused, format!("nothing was done on {name}: {why}"));
        match called {
            Called::NoRenet(remains) => match remains.unusable.first() {
                Some(path) => {
                    refused(&format!("{path} cannot be run there")).hint(programs::mount_exec(path))
                }
                None => refused("its `renet` is gone, and something pushed is there")
                    .hint(format!("{push} again")),
            },
            Called::Nothing => refused("it has no `renet`").hint(push),
            Called::Done(_) | Called::Status(_) | Called::Repository(_) => {
                refused("its `renet` answers something else").hint(format!("{push} again"))
            }
        }
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
}
