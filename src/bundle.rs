//! What one push brings to a machine, and what the machine answers: the wire between `rdc` and
//! `renet infra apply`. The bundle is one JSON document on stdin; the answer is one JSON message a
//! line on stdout. Both programs come from one build, so the format needs no versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::traefik::entrypoint::Entrypoint;

/// Everything that one push brings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The rendered files of the generation, by their names in it. No secret is among them.
    pub files: BTreeMap<String, String>,
    /// Cloudflare's API token: a file of its own, for root alone.
    pub cf_dns_token: Option<Token>,
    /// What Traefik will listen on.
    pub binds: BTreeSet<Bind>,
    /// Where the `renet` of this push lies on the machine.
    pub renet: PathBuf,
    /// The Traefik that the push brought; without one, the machine goes on with what it has.
    pub traefik: Option<PathBuf>,
}

/// One listening address of Traefik.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// The entry point that listens there.
    pub entrypoint: Entrypoint,
    /// The concrete address.
    pub address: IpAddr,
}

impl Bind {
    /// The address with the entry point's port.
    pub fn socket(self) -> SocketAddr {
        SocketAddr::new(self.address, self.entrypoint.listener.port())
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.entrypoint.listener.is_udp() {
            "/udp"
        } else {
            ""
        };
        write!(f, "{} ({}{protocol})", self.entrypoint, self.socket())
    }
}

/// A secret that is written out on the wire, and nowhere else: its Debug is masked.
#[derive(Clone, Debug)]
pub struct Token(pub SecretString);

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|token| Self(token.into()))
    }
}

/// One line of the machine's answer. The last one is a report or a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// What is being done now.
    Doing(Step),
    /// The push is through.
    Done(Report),
    /// The push is not through.
    Failed(Failure),
}

/// One change in a machine's plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Upload a program: the workstation's part.
    Upload {
        /// Where it comes to lie.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Write a file of the generation that the former one lacks.
    Create {
        /// Its name in the generation.
        file: String,
    },
    /// Write a file of the generation that differs from the former one's.
    Update {
        /// Its name in the generation.
        file: String,
    },
    /// Leave out a file that the former generation has.
    Remove {
        /// Its name in the former generation.
        file: String,
    },
    /// Have Traefik read its new static configuration.
    Check {
        /// Its name in the generation.
        file: String,
    },
    /// Make the new generation the live one.
    Switch {
        /// Its number.
        generation: u32,
    },
    /// Write a file that systemd reads, or the link by which people call `renet`.
    Install {
        /// Where.
        path: PathBuf,
    },
    /// Have systemd start a unit at boot.
    Enable {
        /// Its name.
        unit: String,
    },
    /// Start a unit that is not running.
    Start {
        /// Its name.
        unit: String,
    },
    /// Restart a unit whose files changed.
    Restart {
        /// Its name.
        unit: String,
    },
    /// Wait until Traefik and the route server answer.
    Probe,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload { path, bytes } => {
                write!(
                    f,
                    "upload   {} ({:.1} MiB)",
                    path.display(),
                    *bytes as f64 / 1_048_576.0
                )
            }
            Self::Create { file } => write!(f, "create   {file}"),
            Self::Update { file } => write!(f, "update   {file}"),
            Self::Remove { file } => write!(f, "remove   {file}"),
            Self::Check { file } => write!(f, "check    {file} with the Traefik that will run it"),
            Self::Switch { generation } => write!(f, "switch   to generation {generation}"),
            Self::Install { path } => write!(f, "install  {}", path.display()),
            Self::Enable { unit } => write!(f, "enable   {unit}"),
            Self::Start { unit } => write!(f, "start    {unit}"),
            Self::Restart { unit } => write!(f, "restart  {unit}"),
            Self::Probe => f.write_str("probe    Traefik and the route server"),
        }
    }
}

/// What a push did, or, with `--dry-run`, would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The generation that is live afterwards; none where a dry run found a bare machine.
    pub generation: Option<u32>,
    /// What was done, in order. Empty: everything was as it should be.
    pub steps: Vec<Step>,
    /// What the operator should know although it worked.
    pub warnings: Vec<String>,
}

/// Why a push is not through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How it ended.
    pub kind: FailureKind,
    /// What went wrong, naming the thing.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The last lines of the journal of the unit at fault.
    pub journal: Vec<String>,
}

/// How a push ended that is not through; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Something failed on the way.
    Failed,
    /// Somebody else's push is under way.
    Locked,
    /// Nothing was changed, because it could not have worked.
    Refused,
}

impl FailureKind {
    /// The exit code, the same for `rdc` and `renet`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Locked => 5,
            Self::Refused => 6,
        }
    }
}
