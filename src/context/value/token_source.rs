//! Cloudflare's API token, or the reference under which it is found at the push.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{InvalidValue, token_text};

/// What is shown in a secret's place.
pub const MASK: &str = "***";

/// Cloudflare's token, or where it is to be found at the push.
///
/// Display, Debug and Serialize mask a literal token; only `context::file` writes it out.
#[derive(Clone)]
pub enum TokenSource {
    /// The token itself, or a text that it is found in.
    Literal(SecretString),
    /// `file:PATH`.
    File(PathBuf),
    /// `env:NAME`.
    Env(String),
    /// `cmd:COMMAND`.
    Command(String),
}

impl FromStr for TokenSource {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let reference = token_text::unquoted(text);
        if let Some(path) = reference.strip_prefix("file:") {
            let path = PathBuf::from(path.trim());
            if !path.is_absolute() {
                return Err(invalid(format!(
                    "the path of `{reference}` is not absolute"
                )));
            }
            Ok(Self::File(path))
        } else if let Some(name) = reference.strip_prefix("env:") {
            let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(invalid(format!(
                    "`{reference}` names no environment variable"
                )));
            }
            Ok(Self::Env(name.to_owned()))
        } else if let Some(command) = reference.strip_prefix("cmd:") {
            let command = command.trim();
            if command.is_empty() || command.contains('\0') {
                return Err(invalid("`cmd:` names no command"));
            }
            Ok(Self::Command(command.to_owned()))
        } else {
            // Kept as it is written: a push tells what it takes the token out of.
            token_text::find(text)?;
            Ok(Self::Literal(text.trim().into()))
        }
    }
}

/// A literal token as `***`, a reference as it is.
impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str(MASK),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Command(command) => write!(f, "cmd:{command}"),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSource({self})")
    }
}

impl PartialEq for TokenSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(a), Self::Literal(b)) => a.expose_secret() == b.expose_secret(),
            (Self::File(a), Self::File(b)) => a == b,
            (Self::Env(a), Self::Env(b)) | (Self::Command(a), Self::Command(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for TokenSource {}

impl Serialize for TokenSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not a plain `String`: serde's own complaint about another type would quote the value.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Value {
            Text(String),
            Other(serde::de::IgnoredAny),
        }
        match Value::deserialize(deserializer)? {
            Value::Text(text) => text.parse().map_err(D::Error::custom),
            Value::Other(_) => Err(D::Error::custom("the token is not a string")),
        }
    }
}

/// What would be valid.
pub(super) const VALID: &str =
    "a Cloudflare API token, or file:/ABSOLUTE/PATH, env:NAME or cmd:COMMAND";

fn invalid(problem: impl Into<String>) -> InvalidValue {
    InvalidValue::new(problem, VALID)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_literal_is_masked_and_a_reference_is_shown() {
        check::parses::<TokenSource>(&[
            (" s3cret ", "***"),
            ("file:/etc/token", "file:/etc/token"),
            ("env:CF_TOKEN", "env:CF_TOKEN"),
            ("cmd: pass show cf ", "cmd:pass show cf"),
            ("'env:CF_TOKEN'", "env:CF_TOKEN"),
            ("CF_DNS_API_TOKEN=s3cret", "***"),
        ]);
        let token: TokenSource = "s3cret".parse().expect("a token");
        assert_eq!(format!("{token:?}"), "TokenSource(***)");
        assert_eq!(
            serde_json::to_string(&token).expect("it serialises"),
            "\"***\""
        );
    }

    #[test]
    fn a_refused_token_is_not_repeated() {
        for bad in ["", "***", "--s3cret", "s3 cret", "s3cret\u{7}", "s3crét"] {
            let error = bad.parse::<TokenSource>().expect_err(bad);
            assert!(!error.to_string().contains("s3"), "{error}");
        }
        check::refuses::<TokenSource>(&[
            ("file:token", "not absolute"),
            ("file:", "not absolute"),
            ("env:", "names no environment variable"),
            ("env:A B", "names no environment variable"),
            ("cmd: ", "names no command"),
        ]);
    }

    #[test]
    fn a_token_of_another_type_is_not_repeated() {
        let error = serde_json::from_str::<TokenSource>("12345").expect_err("a number");
        assert!(!error.to_string().contains("12345"), "{error}");
    }
}
