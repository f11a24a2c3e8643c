//! The names of Traefik's entry points: the one word that the template, the labels and the route
//! server must agree on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which address family an entry point binds. Concrete addresses only, so one entry point has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4: the plain name.
    V4,
    /// IPv6: the name with the suffix `-v6`.
    V6,
}

/// What an entry point carries, and for TCP and UDP on which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listener {
    /// HTTP on port 80.
    Web,
    /// HTTPS on port 443.
    WebSecure,
    /// A TCP port.
    Tcp(u16),
    /// A UDP port.
    Udp(u16),
}

impl Listener {
    /// The port that is bound.
    pub fn port(self) -> u16 {
        match self {
            Self::Web => 80,
            Self::WebSecure => 443,
            Self::Tcp(port) | Self::Udp(port) => port,
        }
    }

    /// Whether the port is a UDP one.
    pub fn is_udp(self) -> bool {
        matches!(self, Self::Udp(_))
    }
}

/// An entry point of Traefik, by the name it has in the static configuration:
/// `web`, `websecure`, `tcp-{port}`, `udp-{port}`, each also with `-v6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Entrypoint {
    /// What it carries.
    pub listener: Listener,
    /// The address family that it binds.
    pub family: Family,
}

impl Entrypoint {
    /// The entry point of a listener in one family.
    pub const fn new(listener: Listener, family: Family) -> Self {
        Self { listener, family }
    }
}

impl fmt::Display for Entrypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.listener {
            Listener::Web => f.write_str("web"),
            Listener::WebSecure => f.write_str("websecure"),
            Listener::Tcp(port) => write!(f, "tcp-{port}"),
            Listener::Udp(port) => write!(f, "udp-{port}"),
        }?;
        match self.family {
            Family::V4 => Ok(()),
            Family::V6 => f.write_str("-v6"),
        }
    }
}

impl FromStr for Entrypoint {
    type Err = UnknownEntrypoint;

    fn from_str(name: &str) -> Result<Self, UnknownEntrypoint> {
        let (base, family) = match name.strip_suffix("-v6") {
            Some(base) => (base, Family::V6),
            None => (name, Family::V4),
        };
        let listener = match base.split_once('-') {
            None if base == "web" => Some(Listener::Web),
            None if base == "websecure" => Some(Listener::WebSecure),
            Some(("tcp", port)) => parse_port(port).map(Listener::Tcp),
            Some(("udp", port)) => parse_port(port).map(Listener::Udp),
            _ => None,
        };
        match listener {
            Some(listener) => Ok(Self { listener, family }),
            None => Err(UnknownEntrypoint(name.to_owned())),
        }
    }
}

impl TryFrom<String> for Entrypoint {
    type Error = UnknownEntrypoint;

    fn try_from(name: String) -> Result<Self, UnknownEntrypoint> {
        name.parse()
    }
}

impl From<Entrypoint> for String {
    fn from(entrypoint: Entrypoint) -> String {
        entrypoint.to_string()
    }
}

/// A port in its one canonical spelling: `25`, not `025` or `+25`.
fn parse_port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port != 0 && port.to_string() == text).then_some(port)
}

/// A name that no entry point of ours can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an entry point: names are web, websecure, tcp-<port>, udp-<port>, each also with -v6"
)]
pub struct UnknownEntrypoint(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_entry_point_are_the_same_thing() {
        for (name, listener, family) in [
            ("web", Listener::Web, Family::V4),
            ("web-v6", Listener::Web, Family::V6),
            ("websecure", Listener::WebSecure, Family::V4),
            ("websecure-v6", Listener::WebSecure, Family::V6),
            ("tcp-25", Listener::Tcp(25), Family::V4),
            ("tcp-65535-v6", Listener::Tcp(65535), Family::V6),
            ("udp-53", Listener::Udp(53), Family::V4),
            ("udp-53-v6", Listener::Udp(53), Family::V6),
        ] {
            let entrypoint = Entrypoint::new(listener, family);
            assert_eq!(entrypoint.to_string(), name);
            assert_eq!(name.parse(), Ok(entrypoint));
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "v6",
            "-v6",
            "Web",
            "tcp",
            "tcp-",
            "tcp-0",
            "tcp-025",
            "tcp-+25",
            "tcp-65536",
            "udp-53-v4",
            "web-80",
        ] {
            assert_eq!(
                name.parse::<Entrypoint>(),
                Err(UnknownEntrypoint(name.to_owned())),
                "{name}"
            );
        }
    }
}
