//! What one push brings to a machine, and what the machine answers: the wire between `rdc` and
//! `renet infra apply`, JSON on stdin and stdout. Both programs come from one build, so the
//! format needs no compatibility, only a check that it is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
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
    /// The Traefik that the push uploaded; without one, the machine uses what it has.
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

/// A secret that is written out on the wire, and nowhere else: Debug masks it.
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
