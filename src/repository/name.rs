//! The name of a repository. It is used as a folder name, as an argument, and in unit files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a repository on its machine, as `my-app`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

impl RepositoryName {
    /// The longest name, in characters.
    const LONGEST: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, InvalidRepositoryName> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_valid = text.len() <= Self::LONGEST
            && text.starts_with(is_plain)
            && text.ends_with(is_plain)
            && text.chars().all(|c| is_plain(c) || matches!(c, '-' | '_'));
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRepositoryName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidRepositoryName;

    fn try_from(text: String) -> Result<Self, InvalidRepositoryName> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> String {
        name.0
    }
}

/// The text is not the name of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a repository name: use lower-case letters, digits, `-` and `_`, at most 63, with a \
     letter or a digit at both ends"
)]
pub struct InvalidRepositoryName(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_word() {
        let longest = "a".repeat(63);
        for name in ["my-app", "a", "7", "shop_2", &longest] {
            assert_eq!(
                name.parse().map(|it: RepositoryName| it.0),
                Ok(name.to_owned())
            );
        }
        let too_long = "a".repeat(64);
        for text in [
            "", "-app", "app-", "_", "My-App", "a b", "a/b", "..", "a.b", "ä", &too_long,
        ] {
            let invalid = InvalidRepositoryName(text.to_owned());
            assert_eq!(text.parse::<RepositoryName>(), Err(invalid), "{text}");
        }
    }
}
