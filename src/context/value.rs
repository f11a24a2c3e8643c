//! The validated values of a machine's infra.

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::SecretString;

/// A DNS domain: lower case, punycode, at least two labels, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDomain(String);

impl BaseDomain {
    /// The domain as DNS has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertEmail(String);

impl CertEmail {
    /// The address as ACME gets it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A set of ports, shown as a comma list with ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortList(BTreeSet<u16>);

impl PortList {
    /// The ports, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }
}

/// The https URL of an ACME directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeCaServer(String);

impl AcmeCaServer {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A version of Traefik, `3.7.15`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraefikVersion(String);

/// Cloudflare's token, or where it is to be found at the push.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// The token itself.
    Literal(SecretString),
    /// `file:PATH`.
    File(PathBuf),
    /// `env:NAME`.
    Env(String),
    /// `cmd:COMMAND`.
    Command(String),
}

impl PartialEq for TokenSource {
    fn eq(&self, _other: &Self) -> bool {
        false
    }
}
impl Eq for TokenSource {}
