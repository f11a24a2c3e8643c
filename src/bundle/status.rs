//! What a machine says of itself. Each part stands alone: one that cannot be told says why, and
//! the others are told all the same. Times are in RFC 3339. No key and no token is in it.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::traefik::entrypoint::Entrypoint;

/// How a machine is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The live generation; none where nothing was ever pushed, or all was removed.
    pub generation: Part<Option<u32>>,
    /// The generations that are kept, ascending; the live one is among them.
    pub kept: Part<Vec<Kept>>,
    /// A push or a rollback between its swap and its end.
    pub transaction: Part<Option<Unfinished>>,
    /// What somebody edited or removed since it was pushed.
    pub drift: Part<Vec<PathBuf>>,
    /// The `renet` of the live generation.
    pub renet: Part<Installed>,
    /// The Traefik of the live generation.
    pub traefik: Part<Installed>,
    /// Our units, in the order in which they start.
    pub units: Part<Vec<Unit>>,
    /// The live generation's entry points.
    pub entrypoints: Part<Vec<Listening>>,
    /// What the route server says.
    pub route_server: Part<RouteServer>,
    /// The certificates that Traefik obtained.
    pub certificates: Part<Vec<Certificate>>,
    /// Whether each name that a route serves by TLS has one.
    pub https: Part<Https>,
    /// What will keep the next push from working.
    pub obstacles: Part<Vec<Obstacle>>,
    /// What the machine's firewall keeps visitors from, each in words with what opens it.
    pub firewall: Part<Vec<String>>,
}

/// A part of a status, or why it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part<T> {
    /// It cannot be told.
    Unknown {
        /// Why.
        error: String,
    },
    /// It is known.
    Known(T),
}

impl<T> Part<T> {
    /// The part, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(part) => Some(part),
            Self::Unknown { .. } => None,
        }
    }
}

/// A generation that the machine keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number.
    pub number: u32,
    /// When it was pushed.
    pub pushed: Option<String>,
}

/// A swap that did not come to its end yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The generation that ran before; none on a machine's first push.
    pub from: Option<u32>,
    /// The generation that shall run.
    pub to: u32,
    /// Whether somebody works on it now; if not, it was cut off.
    pub at_work: bool,
}

/// A program of the live generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says of its version.
    pub version: Part<String>,
}

/// A unit, as systemd sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// `active`, `activating`, `failed` …
    pub state: String,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// Since when it is in its state; none where it never was in another.
    pub since: Option<String>,
    /// How often systemd started it again by itself.
    pub restarts: u32,
}

/// An entry point, and whether the kernel has a socket for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Its name.
    pub name: Entrypoint,
    /// Where it should listen.
    pub address: SocketAddr,
    /// Whether it does.
    pub listens: bool,
}

/// What the route server says of its routes and its daemons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteServer {
    /// `ok`, `degraded`, or `starting` as long as the routes are not complete.
    pub status: String,
    /// How many routers it serves.
    pub routers: Counts,
    /// How many containers and labels it could not use.
    pub rejections: usize,
    /// How many labels it used and warns of; an older one does not tell.
    #[serde(default)]
    pub warnings: usize,
    /// The repositories' daemons.
    pub daemons: Vec<Daemon>,
}

/// How many there are of each protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Of HTTP.
    pub http: usize,
    /// Of TCP.
    pub tcp: usize,
    /// Of UDP.
    pub udp: usize,
}

/// A repository's daemon, as the route server sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its socket.
    pub socket: PathBuf,
    /// Its repository's network id.
    pub network_id: Option<u32>,
    /// `live`, `connecting`, `unreachable` or `gone`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// How many containers run, as last seen.
    pub containers: usize,
    /// Why it does not answer.
    pub error: Option<String>,
}

/// A certificate that Traefik obtained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The certificate resolver that it came by.
    pub resolver: String,
    /// Its main name.
    pub main: String,
    /// What it says itself.
    pub content: Part<CertificateContent>,
    /// Whether a route of a container names one of its names; none where that is not known.
    pub routed: Option<bool>,
}

/// What a certificate says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateContent {
    /// All its names.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// From when it is valid.
    pub not_before: String,
    /// Until when.
    pub not_after: String,
    /// For how many days from its first to its last moment.
    pub lifetime_days: i64,
    /// How many whole days are left by the machine's clock; below 0 once it has expired.
    pub days_left: i64,
}

/// The names whose TLS ends at Traefik, by what it serves for each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Https {
    /// How many have a valid certificate.
    pub valid: usize,
    /// How many could not be looked at in time.
    pub unasked: usize,
    /// Those without a valid certificate.
    pub wanting: Vec<Uncertified>,
}

/// A name without a valid certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncertified {
    /// The name; its first label may be `*`.
    pub name: String,
    /// The certificate resolver that its route names; without one nothing obtains a certificate.
    pub resolver: Option<String>,
    /// What is served instead.
    pub served: Served,
    /// What Traefik says of its attempts; none where it says nothing.
    pub attempt: Option<Attempt>,
}

/// What is served in the place of a valid certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// The certificate that Traefik makes for itself.
    Default,
    /// A certificate for other names.
    Other {
        /// They.
        names: Vec<String>,
    },
    /// One that is not valid any more.
    Expired {
        /// Until when it was.
        not_after: String,
    },
    /// One that is not valid yet.
    NotYetValid {
        /// From when it will be.
        not_before: String,
    },
    /// One by somebody whom no browser trusts.
    Untrusted {
        /// By whom.
        issuer: String,
    },
    /// No certificate at all.
    Nothing {
        /// What the handshake ended with.
        error: String,
    },
}

/// How it goes with a certificate that is to be obtained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The last attempt that failed.
    pub failed: Option<FailedAttempt>,
    /// Since when one is under way.
    pub under_way: Option<String>,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// When it did.
    pub at: String,
    /// Why, in Traefik's words.
    pub error: String,
}

/// Something that keeps a push from working.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What it is.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}
