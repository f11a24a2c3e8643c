//! What a command that works on a machine tells when it fails there: the exit code, the message,
//! and the command or the setting that mends it.

use super::programs;
use crate::bundle::FailureKind;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::context::value::MachineName;
use crate::context::{Machine, Reach};
use crate::push::PushError;
use crate::remote::{ConnectCause, RemoteError};

/// Work of a command on one machine.
pub(super) struct Work<'a> {
    /// The command's verb, as in `rdc context VERB MACHINE`.
    pub(super) verb: &'static str,
    /// The machine's name.
    pub(super) name: &'a MachineName,
    /// What is declared of it.
    pub(super) machine: &'a Machine,
}

impl Work<'_> {
    /// Refuses a machine whose host keys nobody has seen yet.
    pub(super) fn refuse_unknown_keys(&self) -> Result<(), Failure> {
        let Self { name, machine, .. } = self;
        if machine.host_keys.is_empty() && machine.reach != Reach::Local {
            return Err(Failure::new(
                Exit::Unreachable,
                format!("no host key of machine `{name}` is trusted yet"),
            )
            .hint(format!("run `rdc context scan-keys {name}`")));
        }
        Ok(())
    }

    /// That the operator broke it off.
    pub(super) fn interrupted(&self) -> Failure {
        Failure::new(Exit::Interrupted, "interrupted").hint(self.goes_on())
    }

    /// Why it did not get through. What the machine's journal says is told at once.
    pub(super) fn failed(&self, output: &Output, error: PushError) -> Failure {
        match error {
            PushError::Machine(failure) => {
                for line in &failure.journal {
                    output.note(&format!("  | {line}"));
                }
                let exit = match failure.kind {
                    FailureKind::Failed => Exit::Failed,
                    FailureKind::Locked => Exit::Locked,
                    FailureKind::Refused => Exit::Refused,
                    FailureKind::RolledBack => Exit::RolledBack,
                };
                Failure {
                    exit,
                    message: failure.message,
                    hint: failure.hint,
                }
            }
            PushError::Remote(error) => {
                let hint = self.hint(&error);
                Failure::caused(Exit::Unreachable, &error).hint(hint)
            }
            PushError::Sudo(_) => {
                let user = match &self.machine.reach {
                    Reach::Ssh { user, .. }
                    | Reach::SshConfig {
                        user: Some(user), ..
                    } => user.as_str(),
                    Reach::SshConfig { user: None, .. } | Reach::Local => "USER",
                };
                Failure::caused(Exit::Refused, &error).hint(format!(
                    "log in as root, or add to /etc/sudoers.d/rediacc on the machine: \
                     {user} ALL=(ALL) NOPASSWD: ALL"
                ))
            }
            error => programs::failure(&error),
        }
    }

    fn hint(&self, error: &RemoteError) -> String {
        let name = self.name;
        match error {
            RemoteError::Connect {
                cause: ConnectCause::HostKey,
                ..
            } => format!(
                "if the machine was set up anew, run `rdc context scan-keys {name}` to see and \
                 accept its new keys; if not, somebody may be in between"
            ),
            RemoteError::Connect {
                cause: ConnectCause::Login,
                ..
            } => format!(
                "check the user (`rdc context machines`) and that the context's key is in its \
                 authorized_keys on `{name}`"
            ),
            RemoteError::Connect {
                cause: ConnectCause::Unreachable,
                ..
            } => "check the address and the port with `rdc context machines`".to_owned(),
            RemoteError::Lost { .. } => self.goes_on(),
            RemoteError::Local { .. } => "check that `ssh` is installed".to_owned(),
        }
    }

    fn goes_on(&self) -> String {
        let Self { verb, name, .. } = self;
        format!(
            "what the machine had begun it brings to an end; run `rdc context {verb} {name}` again \
             to see"
        )
    }
}
