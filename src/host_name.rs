//! Names of hosts in the one spelling in which they are owned.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes: DNS's limit without the last dot.
const LONGEST: usize = 253;
/// The longest part between two dots, in bytes.
const LONGEST_LABEL: usize = 63;

/// A host's name: lower case, punycode, no trailing dot, no port, no wildcard. An IP address counts
/// as a name, because requests may name it as their host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain that this name is directly below; a name of one label has none.
    pub fn parent(&self) -> Option<HostName> {
        let (_, domain) = self.0.split_once('.')?;
        Some(Self(domain.to_owned()))
    }

    /// A name in its one spelling, if a host can be called so.
    fn spelled(name: String) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let is_label =
            |label: &str| (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(is_plain);
        (name.len() <= LONGEST && name.split('.').all(is_label)).then_some(Self(name))
    }

    /// Whether this name is one label and a dot before `domain`: what `*.domain` stands for.
    pub fn is_directly_below(&self, domain: &HostName) -> bool {
        self.0
            .split_once('.')
            .is_some_and(|(_, rest)| rest == domain.0)
    }
}

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, InvalidHostName> {
        let invalid = || InvalidHostName(text.to_owned());
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        // Nearly every name is written as it is: nothing of it has to be mapped.
        let is_mapped =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if name.bytes().all(is_mapped) && !name.contains("xn--") {
            return Self::spelled(name.to_owned()).ok_or_else(invalid);
        }
        // Underscores, which no domain has but many a service's name, are kept.
        let ascii = idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::EMPTY)
            .map_err(|_| invalid())?;
        Self::spelled(ascii.into_owned()).ok_or_else(invalid)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHostName;

    fn try_from(text: String) -> Result<Self, InvalidHostName> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> String {
        name.0
    }
}

/// A text that no host can have as its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host name")]
pub struct InvalidHostName(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_one_spelling() {
        for (text, name) in [
            ("shop.example.com", "shop.example.com"),
            ("Shop.Example.COM.", "shop.example.com"),
            ("müller.example", "xn--mller-kva.example"),
            ("xn--mller-kva.example", "xn--mller-kva.example"),
            ("localhost", "localhost"),
            ("my_app-2816.example.com", "my_app-2816.example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
        ] {
            let read: HostName = text.parse().expect(text);
            assert_eq!(read.as_str(), name, "{text}");
        }
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "*.example.com",
            "*",
            "a:80",
            "a/b",
            "{x}.example.com",
        ] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
