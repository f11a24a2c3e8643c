//! Why a push did not get through.

use super::{NoRenet, ProgramError};
use crate::bundle::Failure;
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
    /// `sudo` wants a password.
    #[error("`sudo` on the machine does not let this user in without a password: {0}")]
    Sudo(String),
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
    /// An uploaded program is not where it was written.
    #[error("an uploaded program was gone again before it could be run")]
    UploadGone,
    /// The machine's `renet` does not understand us.
    #[error("the `renet` on the machine is of another version than `rdc`")]
    OtherBuild,
    /// The bundle cannot be written as JSON: a defect of ours.
    #[error("the bundle cannot be written")]
    Bundle(#[source] serde_json::Error),
    /// The remote command ended without an answer.
    #[error("the command on the machine failed: {0}")]
    Command(String),
}

impl PushError {
    pub(super) fn remote(stderr: String) -> Self {
        // `sudo` that refuses, and a shell that does not find it.
        let of_sudo = |line: &str| line.starts_with("sudo:") || line.contains("sudo: not found");
        if stderr.lines().any(of_sudo) {
            Self::Sudo(stderr)
        } else {
            Self::Command(if stderr.is_empty() {
                "it says nothing".to_owned()
            } else {
                stderr
            })
        }
    }
}
