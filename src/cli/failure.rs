//! How a command ends: the exit codes, and a failure with its message, cause and hint.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::context::store::StoreError;
use crate::context::token::TokenError;
use crate::context::value::{InvalidValue, MachineName};
use crate::remote::{Proxy, ScanError, WayError};

/// The ways in which `rdc` ends: its exit codes, and the `code` of an error in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: it is done.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: wrong usage, or an invalid value. Nothing was changed.
    Invalid,
    /// 3: with `--check`, there is something to change.
    Pending,
    /// 4: the machine cannot be reached, or lets nobody in.
    Unreachable,
    /// 5: somebody else is at it.
    Locked,
    /// 6: refused before anything was changed.
    Refused,
    /// 7: it did not come up, and the former state is back.
    RolledBack,
    /// Any other code: that of a program that `rdc` ran on a machine for the operator.
    Program(u8),
    /// 130: the operator broke it off.
    Interrupted,
}

impl Exit {
    /// The word for scripts.
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Pending => "pending",
            Self::Unreachable => "unreachable",
            Self::Locked => "locked",
            Self::Refused => "refused",
            Self::RolledBack => "rolled-back",
            Self::Program(_) => "program",
            Self::Interrupted => "interrupted",
        }
    }

    /// The worse of two ends, for a command that worked on several machines: what changed a
    /// machine weighs more than what left it alone, and what has to be mended more than what will
    /// pass.
    pub(crate) fn worse(self, other: Self) -> Self {
        std::cmp::max_by_key(self, other, |exit| exit.weight())
    }

    fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Pending => 1,
            Self::Locked => 2,
            Self::Unreachable => 3,
            Self::Refused => 4,
            Self::Invalid => 5,
            Self::Failed => 6,
            Self::RolledBack => 7,
            Self::Program(_) => 6,
            Self::Interrupted => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Invalid => 2,
            Exit::Pending => 3,
            Exit::Unreachable => 4,
            Exit::Locked => 5,
            Exit::Refused => 6,
            Exit::RolledBack => 7,
            Exit::Program(code) => code,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How `rdc` ends.
    pub(crate) exit: Exit,
    /// The act and the thing, with the chain of causes behind it.
    pub(crate) message: String,
    /// The next command, or what would be valid.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure of its kind, without a hint.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// A failure with the causes of an error behind its message.
    pub(crate) fn caused(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        Self::new(exit, message)
    }

    /// The same failure, with what to do next.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same failure, as that of one machine among several.
    pub(crate) fn of(self, machine: &MachineName) -> Self {
        Self {
            message: format!("{machine}: {}", self.message),
            ..self
        }
    }

    /// That `set-infra` was never run for a machine.
    pub(crate) fn no_infra(machine: &MachineName) -> Self {
        Self::new(
            Exit::Invalid,
            format!("machine `{machine}` has no infrastructure settings"),
        )
        .hint(format!(
            "run `rdc context set-infra {machine} --public-ipv4 …` first"
        ))
    }

    /// A command line that clap refuses.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut parts = text.split("\n\n").map(str::trim);
        let first = parts.next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let rest: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let hint = rest
            .iter()
            .find_map(|part| part.strip_prefix("tip: "))
            .or_else(|| {
                rest.iter()
                    .copied()
                    .find(|part| part.starts_with("Usage: "))
            });
        let failure = Self::new(Exit::Invalid, message);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure.hint("run `rdc help`"),
        }
    }

    /// The failure as an answer in JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "error": {
                "code": self.exit.word(),
                "message": self.message,
                "hint": self.hint,
            }
        })
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::caused(Exit::Failed, error.as_ref())
    }
}

impl From<InvalidValue> for Failure {
    fn from(error: InvalidValue) -> Self {
        Self::new(Exit::Invalid, error.to_string()).hint(format!("give {}", error.valid()))
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::caused(Exit::Failed, &error)
            .hint("run `rdc context set-infra MACHINE --cf-dns-token-file PATH` to name another")
    }
}

impl From<WayError> for Failure {
    fn from(error: WayError) -> Self {
        match &error {
            WayError::Configuration { destination, .. } => {
                Self::caused(Exit::Invalid, &error).hint(format!("run `ssh -G {destination}`"))
            }
            WayError::Program { .. } => {
                Self::caused(Exit::Failed, &error).hint("install the OpenSSH client")
            }
        }
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Unreachable { .. } => Self::caused(Exit::Unreachable, &error)
                .hint("check the address, and that SSH listens there"),
            ScanError::Between { proxy, .. } => {
                Self::caused(Exit::Unreachable, &error).hint(on_the_way(proxy))
            }
            ScanError::Way(error) => error.into(),
            ScanError::Folder(_) => Self::caused(Exit::Failed, &error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::NoContext { .. } | StoreError::NoMachine { .. } | StoreError::Exists(_) => {
                Exit::Invalid
            }
            _ => Exit::Failed,
        };
        let failure = Self::caused(exit, &error);
        match &error {
            StoreError::NoContext { name, others } if others.is_empty() => failure.hint(format!(
                "run `rdc context create-local {name} --ssh-key PATH` first"
            )),
            StoreError::NoContext { name, others } => failure.hint(match nearest(name, others) {
                Some(near) => format!("did you mean `--context {near}`?"),
                None => format!(
                    "choose one with `--context`: {}; or run `rdc context create-local {name} --ssh-key PATH`",
                    list(others)
                ),
            }),
            StoreError::Exists(name) => failure.hint(format!(
                "run `rdc context remove {name}` first, or choose another name"
            )),
            StoreError::NoMachine { name, others, .. } if others.is_empty() => failure.hint(format!(
                "run `rdc context add-machine {name} --ip ADDR --user USER` first"
            )),
            StoreError::NoMachine { name, others, .. } => failure.hint(match nearest(name, others) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the machines are {}", list(others)),
            }),
            StoreError::Broken { .. } => failure.hint("correct the file; it was left as it is"),
            StoreError::NoHome => failure.hint("set HOME or XDG_CONFIG_HOME"),
            StoreError::Unwritable(_) | StoreError::Io { .. } => failure,
        }
    }
}

/// What opens a way that is not open.
pub(crate) fn on_the_way(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Jump => {
            "log in to the host in between by hand once, as `ProxyJump` of ~/.ssh/config names it: \
             `ssh` has to know its host key, and ask nothing"
        }
        Proxy::Command => {
            "run the program that `ProxyCommand` of ~/.ssh/config names by hand until it connects \
             without asking anything"
        }
    }
}

/// The known name that a wrong one was probably meant to be.
fn nearest(wrong: &impl ToString, known: &[impl ToString]) -> Option<String> {
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    let candidates: Vec<&str> = known.iter().map(String::as_str).collect();
    similar::get_close_matches(wrong.to_string().as_str(), &candidates, 1, 0.7)
        .first()
        .map(|name| (*name).to_owned())
}

fn list(names: &[impl ToString]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}
