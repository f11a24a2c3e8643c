//! What a command that works on a machine tells when it fails there: the exit code, the message,
//! and the command or the setting that mends it.

use std::path::Path;

use super::programs;
use crate::bundle::{FailureKind, PROTOCOL};
use crate::cli::context::fingerprints;
use crate::cli::failure::{Exit, Failure, on_the_way};
use crate::cli::output::Output;
use crate::context::value::MachineName;
use crate::context::{Machine, Reach};
use crate::push::{NoRootCause, PushError};
use crate::remote::{ConnectCause, KeyProblem, LoginProblem, RemoteError, login_user};
use crate::repository::RepositoryName;

/// Work of a command on one machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work<'a> {
    /// What there is to do if its end is not seen.
    pub(crate) after: After<'a>,
    /// The machine's name.
    pub(crate) name: &'a MachineName,
    /// What is declared of it.
    pub(crate) machine: &'a Machine,
}

impl Work<'_> {
    /// Refuses a machine whose host keys nobody has seen yet.
    pub(crate) fn refuse_unknown_keys(&self) -> Result<(), Failure> {
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
    pub(crate) fn interrupted(&self) -> Failure {
        Failure::new(Exit::Interrupted, "interrupted").hint(self.goes_on())
    }

    /// Why it did not get through. What the machine's journal says is told at once.
    pub(crate) fn failed(&self, output: &Output, error: PushError) -> Failure {
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
                // A machine does not know what the context calls it.
                let named = |hint: String| hint.replace("MACHINE", self.name.as_str());
                Failure {
                    exit,
                    message: failure.message,
                    hint: failure.hint.map(named),
                }
            }
            PushError::Remote(error) => self.unreached(error),
            PushError::Root(ref no_root) => {
                Failure::caused(Exit::Refused, &error).hint(self.root(no_root.cause))
            }
            PushError::OtherProtocol(ref theirs) => {
                let is_newer = theirs.as_ref().is_some_and(|it| it.protocol > PROTOCOL);
                Failure::caused(Exit::Refused, &error).hint(if is_newer {
                    "a newer `rdc` was here: use that one".to_owned()
                } else {
                    format!(
                        "a push brings this version: `rdc context push-infra {}`; it takes the \
                         `renet` beside `rdc`, or the context's `renet_path`",
                        self.name
                    )
                })
            }
            error => programs::failure(&error),
        }
    }

    fn unreached(&self, error: RemoteError) -> Failure {
        let name = self.name;
        let failure = Failure::caused(Exit::Unreachable, &error);
        let cause = match error {
            RemoteError::Connect { cause, .. } => cause,
            RemoteError::NoCommand { problem, .. } => return failure.hint(self.login(&problem)),
            RemoteError::Lost { .. } => return failure.hint(self.goes_on()),
            RemoteError::Local { .. } => return failure,
            RemoteError::Way(error) => return error.into(),
        };
        match cause {
            ConnectCause::Unreachable => {
                failure.hint("check the address and the port with `rdc context machines`")
            }
            ConnectCause::HungUp => failure.hint(
                "after failed logins an sshd shuts an address out for a while, and it hangs up while too \
                 many log in at once (`MaxStartups`): check the user, the key and the port (`rdc \
                 context machines`), push to fewer machines at a time (`--jobs 1`), and try again in a \
                 minute",
            ),
            ConnectCause::Between(proxy) => failure.hint(on_the_way(proxy)),
            ConnectCause::HostKey { shown } => self.other_host_key(&failure, &shown),
            ConnectCause::Login => failure.hint(format!(
                "check the user (`rdc context machines`) and that the context's key is in its \
                 authorized_keys on `{name}`"
            )),
            ConnectCause::Key { path, problem } => key_failure(failure, &path, problem),
        }
    }

    /// What lets the login become root.
    fn root(&self, cause: NoRootCause) -> String {
        let user = self.user();
        let sudoers = "/etc/sudoers.d/rediacc on the machine";
        match cause {
            NoRootCause::NoProgram => {
                format!("log in as root, or install sudo and let {user} use it without a password")
            }
            NoRootCause::NeedsTerminal => {
                format!("log in as root, or add to {sudoers}: Defaults:{user} !requiretty")
            }
            NoRootCause::SudoRefuses => {
                format!("log in as root, or add to {sudoers}: {user} ALL=(ALL) NOPASSWD: ALL")
            }
            NoRootCause::DoasRefuses => format!(
                "log in as root, or add to /etc/doas.conf on the machine, as its last line: permit \
                 nopass {user}"
            ),
            NoRootCause::Broken => {
                format!("log in as root, or make `sudo` (or `doas`) work for {user} on the machine")
            }
        }
    }

    /// What makes a login run commands.
    fn login(&self, problem: &LoginProblem) -> String {
        let user = self.user();
        match problem {
            LoginProblem::Refuses { .. } => format!(
                "give the user a shell on the machine (`chsh -s /bin/sh {user}`), or log in as \
                 another one"
            ),
            LoginProblem::TakesOver { .. } => format!(
                "look for `exec` in the login scripts of {user} on the machine (.bashrc, .zshenv, \
                 .cshrc …), and let it run on a terminal only: `[ -t 0 ] && exec …`"
            ),
            LoginProblem::ReadsInput => format!(
                "look for `read` and the like in the login scripts of {user} on the machine \
                 (.bashrc, .zshenv, .cshrc …), and let them ask on a terminal only: \
                 `[ -t 0 ] && read …`"
            ),
            LoginProblem::Silent { .. } => format!(
                "log in by hand with `ssh -v` to see where it waits: in a login script of {user}, or \
                 for a service on the machine that hangs"
            ),
        }
    }

    /// Both fingerprints, and the command that accepts the new one.
    fn other_host_key(&self, failure: &Failure, shown: &[String]) -> Failure {
        let known = fingerprints(&self.machine.host_keys);
        let shown: String = shown.iter().map(|key| format!("\n  {key}")).collect();
        let message = format!("{}\nknown:\n{known}\nfound:{shown}", failure.message);
        Failure::new(failure.exit, message).hint(format!(
            "if you know why, run `rdc context scan-keys {} --accept-changed`; if not, somebody may \
             stand in between",
            self.name
        ))
    }

    fn user(&self) -> String {
        login_user(&self.machine.reach).unwrap_or_else(|| "USER".to_owned())
    }

    fn goes_on(&self) -> String {
        self.after.hint(&[self.name.as_str()])
    }
}

/// What becomes of work whose end is not seen, as that of a lost connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum After<'a> {
    /// The machine brings to an end what it had begun, and is locked meanwhile.
    Push,
    /// It was `rdc context status-infra`, which changes nothing.
    Status,
    /// It can be done again.
    Again,
    /// The run of a repository continues.
    Run {
        /// The repository.
        repository: &'a RepositoryName,
        /// The verb of `rdc repo` that began it, and joins it.
        verb: &'static str,
    },
}

impl After<'_> {
    /// What there is to do, on these machines.
    pub(crate) fn hint(self, names: &[&str]) -> String {
        let machines = names.join(" ");
        match self {
            Self::Push => format!(
                "the machine completes what it began: `rdc context status-infra {machines}` shows it"
            ),
            Self::Status => format!("run `rdc context status-infra {machines}` again"),
            Self::Again => "run it again".to_owned(),
            Self::Run { repository, verb } => format!(
                "the run continues on the machine: `rdc repo status {repository} -m {machines}` shows \
                 it, and `rdc repo {verb} {repository} -m {machines}` joins it"
            ),
        }
    }
}

fn key_failure(failure: Failure, path: &Path, problem: KeyProblem) -> Failure {
    let key = path.display();
    let (what, hint) = match problem {
        KeyProblem::Public => (
            "is a public one, and no agent holds the private half",
            "run `ssh-add` with the private key; without an agent, `eval $(ssh-agent)` first"
                .to_owned(),
        ),
        KeyProblem::Missing => (
            "cannot be read",
            "put it back, or name another one as `ssh_key` in the context's file".to_owned(),
        ),
        KeyProblem::Locked => (
            "wants a passphrase, and no agent holds it",
            format!("run `ssh-add {key}`; without an agent, `eval $(ssh-agent)` first"),
        ),
        KeyProblem::Exposed => (
            "can be read by others, so that ssh does not take it",
            format!("run `chmod 600 {key}`"),
        ),
    };
    Failure {
        message: format!("{}; the context's key {key} {what}", failure.message),
        ..failure
    }
    .hint(hint)
}
