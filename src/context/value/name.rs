//! Names: of contexts, machines, SSH users and entries of `~/.ssh/config`.
//!
//! Each becomes a file's name, a key of the context file, or a word of `ssh`'s command line, so
//! none may be empty, hold a separator, or look like an option.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, text_value};

/// A context's name: also its file's, without `.toml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContextName(String);

text_value!(ContextName);

impl FromStr for ContextName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        plain_name(text, "a context").map(Self)
    }
}

/// A machine's name within its context, `server-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineName(String);

text_value!(MachineName);

impl FromStr for MachineName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        plain_name(text, "a machine").map(Self)
    }
}

/// The user that SSH logs in as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

text_value!(UserName);

impl FromStr for UserName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        word(
            text,
            "user",
            "@+\\$",
            "the name of a user on the machine, as root or deploy",
        )
        .map(Self)
    }
}

/// A `Host` of the operator's `~/.ssh/config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SshAlias(String);

text_value!(SshAlias);

impl FromStr for SshAlias {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        word(
            text,
            "host of an SSH configuration",
            ":",
            "a `Host` of ~/.ssh/config, as server-1",
        )
        .map(Self)
    }
}

fn plain_name(text: &str, whose: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if first && rest && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::new(
            format!("`{text}` cannot name {whose}"),
            "up to 63 letters, digits, `-`, `_` and `.`, the first a letter or digit, as server-1",
        ))
    }
}

fn word(text: &str, what: &str, also: &str, valid: &'static str) -> Result<String, InvalidValue> {
    let text = text.trim();
    let allowed = |c: char| c.is_alphanumeric() || "._-".contains(c) || also.contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::new(
            format!("`{text}` is not a {what}"),
            valid,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_name_can_be_a_file_and_a_key() {
        check::parses::<MachineName>(&[("server-1", "server-1"), (" A_b.c ", "A_b.c")]);
        for bad in [
            "",
            ".",
            "..",
            ".x",
            "-x",
            "a/b",
            "a b",
            "ä",
            &"a".repeat(64),
        ] {
            check::refuses::<MachineName>(&[(bad, "cannot name a machine")]);
            check::refuses::<ContextName>(&[(bad, "cannot name a context")]);
        }
    }

    #[test]
    fn a_word_of_sshs_command_line_is_no_option() {
        check::parses::<UserName>(&[("deploy", "deploy"), ("ann@corp", "ann@corp")]);
        check::parses::<SshAlias>(&[("web-1", "web-1")]);
        for bad in ["", "-oProxyCommand=x", "a b", "a;b", "a*"] {
            check::refuses::<UserName>(&[(bad, "not a user")]);
            check::refuses::<SshAlias>(&[(bad, "not a host of")]);
        }
    }
}
