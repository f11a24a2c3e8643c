//! What routers need in order to be served.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ownership::{Grant, HostName};
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

/// What a repository can own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Grant", into = "Grant")]
pub enum Resource {
    /// One host, for every protocol, on every entry point.
    Name(HostName),
    /// A TCP or UDP port, in both address families.
    Port(Listener),
}

/// A host, or all hosts one label below a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// One host.
    Host(HostName),
    /// `*.domain`.
    Wildcard(HostName),
}

/// How a router uses a port. The greater use includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortUse {
    /// For TLS connections that name a host: others may use it, too.
    Named,
    /// As a whole.
    Whole,
    /// As a whole, because the route server handed it out.
    Assigned,
}

/// The protocols that routers are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouterKind {
    /// HTTP.
    Http,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What one router needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Of which protocol it is.
    pub kind: RouterKind,
    /// The router's name in the document.
    pub router: String,
    /// The hosts that its rule names.
    pub names: Vec<Name>,
    /// Whether its rule mentions other hosts as well, as one that it excludes.
    pub mentions_others: bool,
    /// Whether its rule can match other hosts on an entry point that repositories share.
    pub open: bool,
    /// The ports that it listens on, other than those that repositories share.
    pub ports: Vec<Listener>,
    /// How it uses them.
    pub usage: PortUse,
    /// Whether a certificate is ordered for its names.
    pub orders: bool,
    /// The names that its labels ask a certificate for, if they say.
    pub domains: Vec<Name>,
}

/// What one container's routers need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerClaims {
    /// The container's name.
    pub container: String,
    /// Which of two containers is the elder.
    pub age: Age,
    /// Its routers.
    pub claims: Vec<Claim>,
}

/// Which of two containers is the elder: the smaller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// A container that cannot be sent requests must not keep a name from one that can.
    pub waiting: bool,
    /// When it was created, in seconds since 1970.
    pub created: i64,
    /// The engine's id.
    pub id: String,
}

impl Claim {
    /// What the router must have.
    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        let names = self.names.iter().filter_map(Name::host).cloned();
        let ports = self.ports.iter().copied();
        names.map(Resource::Name).chain(ports.map(Resource::Port))
    }
}

impl Name {
    /// The host; a wildcard is none.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::Host(host) => Some(host),
            Self::Wildcard(_) => None,
        }
    }

    /// Reads `shop.example.com` or `*.example.com`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(domain) => domain.parse().map(Self::Wildcard).ok(),
            None => text.parse().map(Self::Host).ok(),
        }
    }
}

impl fmt::Display for RouterKind {
    /// As labels write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Wildcard(domain) => write!(f, "*.{domain}"),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Port(port) => Entrypoint::new(*port, Family::V4).fmt(f),
        }
    }
}

impl TryFrom<Grant> for Resource {
    type Error = NotAResource;

    fn try_from(grant: Grant) -> Result<Self, NotAResource> {
        match grant {
            Grant::Name(name) => Ok(Self::Name(name)),
            Grant::Port(port) => Ok(Self::Port(port)),
            Grant::Wildcard(_) | Grant::CatchAll | Grant::Network(_) => {
                Err(NotAResource(grant.to_string()))
            }
        }
    }
}

impl From<Resource> for Grant {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Name(name) => Self::Name(name),
            Resource::Port(port) => Self::Port(port),
        }
    }
}

/// A text that names nothing which can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host nor a port such as tcp-25")]
pub struct NotAResource(String);
