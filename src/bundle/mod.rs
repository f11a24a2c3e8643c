//! The protocol between `rdc` and `renet infra`: what one push brings to a machine, and what the
//! machine answers.
//!
//! ```text
//! rdc                                              renet infra --protocol N VERB …
//!  │ ── arguments: the bundle, nothing secret ───────► │ refuses another protocol than its own
//!  │ ◄─ {"hello": {"protocol": N, "version": …}} ───── │ plans as far as it can without secrets
//!  │ ── standard input: {"cf_dns_token": …} ─────────► │
//!  │ ◄─ {"doing": …} … ─────────────────────────────── │ works
//!  │ ◄─ {"done": …} or {"failed": …} ───────────────── │
//! ```
//!
//! A secret is sent only to a `renet` that said hello: whatever else a login may run never sees
//! one. The answers are one JSON message a line. A document that does not come means that nobody
//! waits for the answer: then nothing is changed.

mod answer;
mod grant_change;
mod hello;
mod repository;
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
pub use grant_change::{GrantChange, QuotaChange};
pub use hello::{Hello, PROTOCOL};
pub use repository::{
    DownReport, FunctionFailure, LineSource, RepositoryAnswer, RepositoryState, RepositoryStatus,
    RouteReport, Run, RunLine, ServiceProblem, ServiceReport, ServiceStatus, SyncReport, Task,
    UpReport,
};
pub use status::{
    Attempt, Certificate, CertificateContent, Counts, Daemon, FailedAttempt, Https, Installed,
    Kept, Listening, Obstacle, Part, RouteServer, Served, Status, Uncertified, Unfinished, Unit,
};
pub use step::Step;

/// Everything that one push brings, but for the secrets.
///
/// The files of the generation are rendered on the machine, which alone knows its addresses and
/// which ports are free there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What was declared. The token is not in it.
    #[serde(serialize_with = "compact")]
    pub infra: Infra,
    /// Where the `renet` of this push lies on the machine.
    pub renet: PathBuf,
    /// Which Traefik shall run.
    pub traefik: TraefikSource,
    /// When it was sent, by the workstation's clock, in seconds since 1970: whoever sends it notes
    /// it, as uploads may take their time between its making and its way.
    pub sent_at: Option<u64>,
}

/// What a push brings that nobody else may see: the one document on standard input.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Cloudflare's API token: a file of its own, for root alone.
    pub cf_dns_token: Option<Token>,
}

/// Writes a list of ports as people do, with ranges: one argument holds at most 128 KiB.
fn compact<S: Serializer>(infra: &Infra, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(infra).map_err(serde::ser::Error::custom)?;
    for (name, ports) in [
        ("tcp_ports", &infra.tcp_ports),
        ("udp_ports", &infra.udp_ports),
    ] {
        if !ports.is_empty() {
            value[name] = ports.to_string().into();
        }
    }
    value.serialize(serializer)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_arrives_as_it_was_sent_and_many_ports_take_little_room() {
        let infra = Infra {
            public_ipv4: Some([203, 0, 113, 50].into()),
            tcp_ports: "25,143,10100-60000".parse().expect("ports"),
            ..Infra::default()
        };
        let bundle = Bundle {
            infra,
            renet: "/renet".into(),
            traefik: TraefikSource::Brought("/traefik".into()),
            sent_at: Some(1),
        };
        let text = serde_json::to_string(&bundle).expect("it is written");
        assert!(text.contains("\"25,143,10100-60000\""), "{text}");
        let read: Bundle = serde_json::from_str(&text).expect("it is read");
        assert_eq!(read.infra, bundle.infra);
    }

    #[test]
    fn a_secret_is_written_on_the_wire_alone() {
        let secrets = Secrets {
            cf_dns_token: Some(Token("s3cret".into())),
        };
        assert!(!format!("{secrets:?}").contains("s3cret"));
        let text = serde_json::to_string(&secrets).expect("it is written");
        assert_eq!(text, r#"{"cf_dns_token":"s3cret"}"#);
    }
}
