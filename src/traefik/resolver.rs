//! Certificate resolvers: by which name routers ask for a certificate, and how the CA is shown that
//! the machine may have it.

use std::fmt;
use std::str::FromStr;

/// A certificate resolver of the static configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertResolver {
    /// The name that routers give in `tls.certResolver`.
    pub name: String,
    /// How it shows that a name is the machine's.
    pub challenge: Challenge,
}

/// How a CA is shown that a name is the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By a record in the domain's DNS.
    Dns01,
    /// By an answer on port 80 of the name.
    Http01,
}

impl Challenge {
    /// Whether a certificate for `*.example.com` can be had: there is no port 80 of all its names.
    pub fn proves_wildcards(self) -> bool {
        self == Self::Dns01
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns01 => "dns-01",
            Self::Http01 => "http-01",
        })
    }
}

impl FromStr for Challenge {
    type Err = UnknownChallenge;

    fn from_str(name: &str) -> Result<Self, UnknownChallenge> {
        [Self::Dns01, Self::Http01]
            .into_iter()
            .find(|challenge| challenge.to_string() == name)
            .ok_or_else(|| UnknownChallenge(name.to_owned()))
    }
}

/// A name that is none of the challenges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a challenge: give dns-01 or http-01")]
pub struct UnknownChallenge(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_challenge_are_the_same_thing() {
        for (name, challenge) in [("dns-01", Challenge::Dns01), ("http-01", Challenge::Http01)] {
            assert_eq!(challenge.to_string(), name);
            assert_eq!(name.parse(), Ok(challenge));
        }
        for name in ["", "DNS-01", "http", "tls-alpn-01"] {
            assert_eq!(
                name.parse::<Challenge>(),
                Err(UnknownChallenge(name.to_owned()))
            );
        }
    }
}
