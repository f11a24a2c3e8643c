//! Asks the `renet repo` of a machine, over one connection.

use tokio::io::AsyncRead;

use super::known::Known;
use super::live::Live;
use crate::bundle::RepositoryAnswer;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::work::call::Caller;
use crate::cli::work::fleet::Stopped;
use crate::cli::work::remote_failure::{After, Work};
use crate::context::Context;
use crate::context::value::MachineName;
use crate::push::{Called, Observer};
use crate::remote::Remote;
use crate::repository::RepositoryName;

/// What a verb needs to ask a machine about its repositories.
pub(super) struct Exchange<'a> {
    pub(super) session: &'a Session,
    pub(super) machine: &'a MachineName,
    pub(super) caller: Caller<'a>,
}

impl<'a> Exchange<'a> {
    /// For a machine of the context. Refuses one whose host keys are unknown.
    pub(super) fn with(
        session: &'a Session,
        context: &'a Context,
        machine: &'a MachineName,
        after: After<'a>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            session,
            machine,
            caller: Caller::new(session, context, after, machine)?,
        })
    }

    /// For a machine whose work is set up already.
    pub(super) fn of(
        session: &'a Session,
        context: &'a Context,
        work: Work<'a>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            session,
            machine: work.name,
            caller: Caller::of(session, context, work)?,
        })
    }

    /// Runs `renet repo VERB` for a repository, over a connection of its own.
    pub(super) fn ask(
        &self,
        repository: &RepositoryName,
        verb: &str,
        options: Vec<String>,
    ) -> Result<RepositoryAnswer, Failure> {
        self.caller.block_on(async |display| {
            let connection = self.caller.connect(display).await?;
            let mut live = Live::new(&self.session.output, &connection.progress, repository);
            let sent = tokio::io::empty();
            let remote = &connection.remote;
            let answer = self.tell(remote, verb, options, sent, &mut live).await;
            connection.close(answer.is_ok()).await;
            answer
        })
    }

    /// Runs `renet repo VERB` over an open connection, with `sent` as its input.
    pub(super) async fn tell(
        &self,
        remote: &Remote,
        verb: &str,
        options: Vec<String>,
        sent: impl AsyncRead + Unpin,
        observer: &mut dyn Observer,
    ) -> Result<RepositoryAnswer, Stopped> {
        let call = self.caller.question("repo", verb, options);
        match call.run_with(sent, remote, observer).await? {
            Called::Repository(answer) => {
                Known::of_user().learn(&self.session.context, self.machine, &answer);
                Ok(*answer)
            }
            called => Err(self.caller.unanswered(&called).into()),
        }
    }

    /// The failure for an answer that does not fit the question.
    pub(super) fn strange(&self, answer: RepositoryAnswer) -> Failure {
        self.caller
            .unanswered(&Called::Repository(Box::new(answer)))
    }
}
