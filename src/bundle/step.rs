//! One change in a machine's plan, and how it reads.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One change in a machine's plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Download a release of Traefik to the workstation: its part too.
    Download {
        /// Its version.
        version: String,
    },
    /// Upload a program: the workstation's part.
    Upload {
        /// Where it comes to lie.
        path: PathBuf,
        /// Its size; not known before it is downloaded.
        bytes: Option<u64>,
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
    /// Point a path that systemd or people read to the live generation.
    Link {
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
    /// Stop a unit: only where everything is removed.
    Stop {
        /// Its name.
        unit: String,
    },
    /// Take away what a push had put there: only where everything is removed.
    Delete {
        /// Where.
        path: PathBuf,
    },
    /// Wait until Traefik and the route server answer.
    Probe,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Download { version } => {
                write!(f, "download Traefik {version} to this workstation")
            }
            Self::Upload { path, bytes } => {
                write!(f, "upload   {}", path.display())?;
                match bytes {
                    Some(bytes) => write!(f, " ({:.1} MiB)", *bytes as f64 / 1_048_576.0),
                    None => Ok(()),
                }
            }
            Self::Create { file } => write!(f, "create   {file}"),
            Self::Update { file } => write!(f, "update   {file}"),
            Self::Remove { file } => write!(f, "remove   {file}"),
            Self::Check { file } => write!(f, "check    {file} with the Traefik that will run it"),
            Self::Switch { generation } => write!(f, "switch   to generation {generation}"),
            Self::Link { path } => write!(f, "link     {} to the live generation", path.display()),
            Self::Enable { unit } => write!(f, "enable   {unit}"),
            Self::Start { unit } => write!(f, "start    {unit}"),
            Self::Restart { unit } => write!(f, "restart  {unit}"),
            Self::Stop { unit } => write!(f, "stop     {unit}"),
            Self::Delete { path } => write!(f, "delete   {}", path.display()),
            Self::Probe => f.write_str("probe    Traefik and the route server"),
        }
    }
}
