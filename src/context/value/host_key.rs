//! A machine's public SSH key, as `known_hosts` has it behind the host's name.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{InvalidValue, text_value};

/// A public host key: its type and its base64 body, `ssh-ed25519 AAAA…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey(String);

text_value!(HostKey);

impl HostKey {
    /// The key's type, `ssh-ed25519`.
    pub fn algorithm(&self) -> &str {
        self.parts().0
    }

    /// The fingerprint as OpenSSH shows it, `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        // The body was decoded once when the key was parsed, so the default is never taken.
        let body = STANDARD.decode(self.parts().1).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(body)))
    }

    /// The fingerprint and the type, as lists of keys show them.
    pub fn summary(&self) -> String {
        format!("{}  {}", self.fingerprint(), self.algorithm())
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once(' ').unwrap_or((&self.0, ""))
    }
}

impl FromStr for HostKey {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut words = text.split_whitespace();
        let (Some(algorithm), Some(body)) = (words.next(), words.next()) else {
            return Err(invalid(text));
        };
        // The body repeats its type, with its length in front: a line that was cut or mixed up
        // does not pass.
        let decoded = STANDARD.decode(body).map_err(|_| invalid(text))?;
        let named = decoded
            .get(4..)
            .is_some_and(|rest| rest.starts_with(algorithm.as_bytes()));
        if named {
            Ok(Self(format!("{algorithm} {body}")))
        } else {
            Err(invalid(text))
        }
    }
}

fn invalid(text: &str) -> InvalidValue {
    InvalidValue::new(
        format!("`{text}` is not a host key"),
        "a key's type and body, as `ssh-keyscan` prints them behind the host: ssh-ed25519 AAAA…",
    )
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_fingerprint_is_that_of_openssh() {
        let key: HostKey = KEY.parse().expect("a key");
        assert_eq!(key.algorithm(), "ssh-ed25519");
        // GitHub's published Ed25519 key and fingerprint.
        assert_eq!(
            key.fingerprint(),
            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
        );
    }

    #[test]
    fn a_comment_falls_away_and_a_damaged_line_is_refused() {
        check::parses::<HostKey>(&[(&format!("{KEY} root@server-1"), KEY)]);
        let cut = &KEY[..KEY.len() - 3];
        let other_type = KEY.replacen("ssh-ed25519", "ssh-rsa", 1);
        check::refuses::<HostKey>(&[
            ("", "not a host key"),
            ("ssh-ed25519", "not a host key"),
            (cut, "not a host key"),
            (&other_type, "not a host key"),
        ]);
    }
}
