//! Keeps the secrets of a run out of everything that it prints, whoever said it: a machine, a
//! program on the way, or `rdc` itself.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret as _, SecretString};

use crate::context::Context;
use crate::context::value::{MASK, TokenSource, find_token};

/// How many characters of a secret in a row are masked, wherever they stand: a message that quotes a
/// secret may cut it off.
const PART: usize = 12;

/// The secrets of a run. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Arc<RwLock<Vec<SecretString>>>);

impl Redactor {
    /// Masks a secret from now on.
    pub(crate) fn learn(&self, secret: &SecretString) {
        let text = secret.expose_secret();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // The longer form first: it may hold parts of the other.
        for form in [in_json(text), text.to_owned()] {
            let is_known = known.iter().any(|known| known.expose_secret() == form);
            if !form.is_empty() && !is_known {
                known.push(form.into());
            }
        }
    }

    /// Masks the tokens that a context holds.
    pub(crate) fn learn_all(&self, context: &Context) {
        let infras = context.machines.values().filter_map(|it| it.infra.as_ref());
        for source in infras.filter_map(|infra| infra.cf_dns_token.as_ref()) {
            if let TokenSource::Literal(text) = source {
                // What surrounds the token is no secret, as the name of a setting.
                match find_token(text.expose_secret()) {
                    Ok(found) => self.learn(&found.token),
                    Err(_) => self.learn(text),
                }
            }
        }
    }

    /// The text with a mask in the place of each secret, and of each long part of one.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = Cow::Borrowed(text);
        for secret in known.iter() {
            if let Some(masked) = masked(&text, secret.expose_secret()) {
                text = Cow::Owned(masked);
            }
        }
        text
    }
}

/// The secrets are not shown.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// A text as it stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The text with a mask for each part of a secret; none where there is no part of it.
fn masked(text: &str, secret: &str) -> Option<String> {
    let part = PART.min(secret.len());
    let (bytes, secret) = (text.as_bytes(), secret.as_bytes());
    let is_part = |at: usize| {
        let window = bytes.get(at..at + part);
        window.is_some_and(|window| secret.windows(part).any(|known| known == window))
    };
    let mut masked = Vec::new();
    let mut at = 0;
    let mut found = false;
    while at < bytes.len() {
        if !is_part(at) {
            masked.push(bytes[at]);
            at += 1;
            continue;
        }
        // Parts that overlap or touch are one.
        let mut end = at + part;
        while at < end {
            at += 1;
            if is_part(at) {
                end = at + part;
            }
        }
        masked.extend_from_slice(MASK.as_bytes());
        found = true;
    }
    found.then(|| String::from_utf8_lossy(&masked).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "cfT0ken-of-a-test-0123456789";

    fn check(secret: &str, text: &str, expected: &str) {
        let redactor = Redactor::default();
        redactor.learn(&secret.into());
        assert_eq!(redactor.redact(text), expected, "{secret}");
    }

    #[test]
    fn a_secret_and_each_long_part_of_it_is_masked() {
        for (text, expected) in [
            ("nothing secret", "nothing secret"),
            (SECRET, "***"),
            (
                "ä cfT0ken-of-a-test-0123456789: no such zone",
                "ä ***: no such zone",
            ),
            (
                "cfT0ken-of-a-test-0123456789 cfT0ken-of-a-test-0123456789",
                "*** ***",
            ),
            // Cut off at either end.
            ("fish: cfT0ken-of-a-te…", "fish: ***…"),
            ("…-test-0123456789\"", "…***\""),
            ("cfT0ken-of-atest-0123456789", "***"),
            ("cfT0ken-of-a, test-0123456789", "***, ***"),
            ("cfT0ken", "cfT0ken"),
        ] {
            check(SECRET, text, expected);
        }
        check("s3cret", "a s3cret: s3cre", "a ***: s3cre");
        check("", "nothing", "nothing");
    }

    #[test]
    fn a_secret_is_masked_as_json_writes_it_too() {
        let secret = r#"a"b\c-d"e\f-0123456789"#;
        let text = serde_json::json!({ "said": format!("x {secret} y") }).to_string();
        check(secret, &text, r#"{"said":"x *** y"}"#);
    }
}
