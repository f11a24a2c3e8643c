//! What one push brings to a machine, and what the machine answers: the wire between `rdc` and
//! `renet infra`. The bundle is one JSON document on stdin; the answer is one JSON message a line
//! on stdout. Both programs come from one build, so the format needs no versions.

mod answer;
mod status;
mod step;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::context::Infra;
use crate::traefik::entrypoint::Entrypoint;

pub use answer::{Diff, Dropped, Failure, FailureKind, Lacking, Message, Report};
pub use status::{
    Certificate, CertificateContent, Counts, Daemon, Installed, Kept, Listening, Part, RouteServer,
    Status, Unfinished, Unit,
};
pub use step::Step;

/// Everything that one push brings.
///
/// The files of the generation are rendered on the machine, which alone knows its addresses and
/// which ports are free there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What was declared. The token is not in it.
    pub infra: Infra,
    /// Cloudflare's API token: a file of its own, for root alone.
    pub cf_dns_token: Option<Token>,
    /// Where the `renet` of this push lies on the machine.
    pub renet: PathBuf,
    /// Which Traefik shall run.
    pub traefik: TraefikSource,
    /// When it was sent, by the workstation's clock, in seconds since 1970: whoever sends it notes
    /// it, as uploads may take their time between its making and its way.
    pub sent_at: Option<u64>,
}

/// Which Traefik a machine shall run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraefikSource {
    /// The program that this push brought, at its path on the machine.
    Brought(PathBuf),
    /// A release of Traefik.
    Release {
        /// Its version, as `3.7.15`.
        version: String,
        /// Whether somebody asked for this very version. If not, whatever the machine runs will
        /// do, as long as it can read what we render.
        asked: bool,
    },
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
