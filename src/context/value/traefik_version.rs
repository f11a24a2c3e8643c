//! A version of Traefik.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, text_value};

/// A version of Traefik, `3.7.15`, without a leading `v`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraefikVersion(String);

text_value!(TraefikVersion);

impl TraefikVersion {
    /// The oldest Traefik that reads what is rendered for it.
    pub const OLDEST: &str = "3.7.12";

    /// Whether it reads what is rendered for it.
    pub fn is_supported(&self) -> bool {
        numbers(&self.0) >= numbers(Self::OLDEST)
    }
}

/// The three numbers of a version.
fn numbers(version: &str) -> Vec<u32> {
    let release = version.split('-').next().unwrap_or_default();
    release.split('.').flat_map(str::parse).collect()
}

impl FromStr for TraefikVersion {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let refuse = |what: &str| {
            Err(InvalidValue::new(
                format!("`{text}` {what}"),
                "a version of Traefik 3, as 3.7.15",
            ))
        };
        let version = text.strip_prefix('v').unwrap_or(text);
        let (numbers, suffix) = match version.split_once('-') {
            Some((numbers, suffix)) => (numbers, Some(suffix)),
            None => (version, None),
        };
        let is_number = |part: &str| {
            part.parse::<u32>()
                .is_ok_and(|number| number.to_string() == part)
        };
        let is_suffix = |suffix: &str| {
            !suffix.is_empty()
                && suffix
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'.')
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() != 3
            || !parts.iter().all(|part| is_number(part))
            || !suffix.is_none_or(is_suffix)
        {
            return refuse("is not a version");
        }
        if parts.first() != Some(&"3") {
            return refuse("is not a version of Traefik 3, whose configuration is written");
        }
        Ok(Self(version.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn an_older_traefik_is_not_supported() {
        for (version, expected) in [
            ("3.7.12", true),
            ("3.7.15", true),
            ("3.8.0-rc.1", true),
            ("3.10.0", true),
            ("3.7.11", false),
            ("3.7.9", false),
            ("3.6.20", false),
        ] {
            let version: TraefikVersion = version.parse().expect("a version");
            assert_eq!(version.is_supported(), expected, "{version}");
        }
    }

    #[test]
    fn a_version_has_three_numbers_and_is_of_traefik_3() {
        check::parses::<TraefikVersion>(&[
            ("3.7.15", "3.7.15"),
            (" v3.7.15 ", "3.7.15"),
            ("3.8.0-rc.1", "3.8.0-rc.1"),
        ]);
        check::refuses::<TraefikVersion>(&[
            ("", "not a version"),
            ("3.7", "not a version"),
            ("latest", "not a version"),
            ("3.7.x", "not a version"),
            ("3.07.1", "not a version"),
            ("3.7.1-", "not a version"),
            ("../3.7.1", "not a version"),
            ("2.11.0", "Traefik 3"),
        ]);
    }
}
