//! Why a push did not get through.

use super::root::NoRoot;
use super::{NoRenet, ProgramError};
use crate::bundle::{Failure, Hello, PROTOCOL};
use crate::context::value::InvalidValue;
use crate::release::{Architecture, ReleaseError, UnknownArchitecture};
use crate::remote::RemoteError;

/// Why a push did not get through.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The machine could not be reached, or was lost.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A program to bring cannot be used.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The machine said no.
    #[error("{}", .0.message)]
    Machine(Failure),
    /// The login does not become root.
    #[error("{0}")]
    Root(NoRoot),
    /// A program is for another kind of machine.
    #[error("{program} is for {is_for}, but the machine is {machine}")]
    Architecture {
        /// The local file.
        program: String,
        /// What it runs on.
        is_for: Architecture,
        /// What the machine is.
        machine: Architecture,
    },
    /// There are no programs for the machine at all.
    #[error("there are no programs for this machine")]
    UnknownArchitecture(#[from] UnknownArchitecture),
    /// There is no `renet` for the machine at hand.
    #[error(transparent)]
    NoRenet(#[from] NoRenet),
    /// The Traefik that the machine lacks could not be had.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The machine lacks a Traefik by a name that is none.
    #[error("the machine asks for a Traefik that cannot be")]
    Version(#[source] InvalidValue),
    /// There is too little room for a program.
    #[error("there is too little room on the machine: {0}")]
    NoRoom(String),
    /// A program arrived as something else.
    #[error("{program} arrived damaged, or was changed while it was sent")]
    Damaged {
        /// The local file.
        program: String,
    },
    /// A program that came to its place cannot be run there.
    #[error("{path} cannot be run on the machine")]
    NotRunnable {
        /// Where it lies on the machine.
        path: String,
    },
    /// There is no place on the machine for a program that is run once.
    #[error("there is no place on the machine where a program can be run: {0}")]
    NowhereToRun(String),
    /// The machine lacks again what it was just brought.
    #[error("{path} was brought to the machine, and is not there any more")]
    UploadGone {
        /// Where it should lie.
        path: String,
    },
    /// The machine's answers go in circles.
    #[error("the machine asks for something else each time: {0} answers, and no end")]
    NoEnd(usize),
    /// The machine's `renet` speaks another protocol.
    #[error("{}", other_protocol(.0.as_ref()))]
    OtherProtocol(Option<Hello>),
    /// What is sent cannot be written as JSON: a defect of ours.
    #[error("the bundle cannot be written")]
    Bundle(#[source] serde_json::Error),
    /// The remote command ended without an answer.
    #[error("the command on the machine failed: {0}")]
    Command(String),
}

impl PushError {
    /// Why a remote command ended without an answer, by what it said.
    pub(super) fn remote(stderr: String) -> Self {
        match NoRoot::of(&stderr) {
            Some(no_root) => Self::Root(no_root),
            None if stderr.is_empty() => Self::Command("it says nothing".to_owned()),
            None => Self::Command(stderr),
        }
    }
}

fn other_protocol(theirs: Option<&Hello>) -> String {
    match theirs {
        Some(Hello { protocol, version }) => format!(
            "the `renet` on the machine ({version}) speaks protocol {protocol}, and this `rdc` ({}) \
             speaks {PROTOCOL}",
            env!("CARGO_PKG_VERSION")
        ),
        None => "the `renet` on the machine is of an older version than this `rdc`".to_owned(),
    }
}
