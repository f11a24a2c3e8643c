//! The token in what somebody gives for it: people copy it with its quotes, with the name of its
//! variable, as a header, or as a whole file of settings.
//!
//! ```text
//! text ─► readings (one a line, or one a value in JSON) ─► the only token among them
//! ```
//!
//! Errors never repeat what was given: it may be a secret with a mistake in it.

use std::fmt;

use secrecy::SecretString;
use serde_json::Value;

use super::InvalidValue;
use super::token_source::MASK;

/// A token, and what it was taken out of.
#[derive(Clone, Debug)]
pub struct FoundToken {
    /// The token itself.
    pub token: SecretString,
    /// What surrounded it; nothing where it was given as it is.
    pub wrapping: Option<Wrapping>,
}

/// What a token was taken out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// `"TOKEN"`, in quotes of any kind.
    Quotes,
    /// `NAME=TOKEN` or `NAME: TOKEN`.
    Setting(String),
    /// `Authorization: Bearer TOKEN`.
    Header,
    /// Something else, as comments.
    Text,
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes => f.write_str("its quotes"),
            Self::Setting(name) => write!(f, "the setting `{name}`"),
            Self::Header => f.write_str("the header `Bearer …`"),
            Self::Text => f.write_str("the text around it"),
        }
    }
}

/// Finds the token in a text.
pub fn find(text: &str) -> Result<FoundToken, InvalidValue> {
    let text = bare(text);
    if text.is_empty() {
        return Err(invalid("the token is empty"));
    }
    let readings = readings(text);
    let (mut sure, mut likely, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_prose = false;
    for reading in readings {
        match reading {
            Reading::Token(token, wrapping) => sure.push((token, wrapping)),
            Reading::LikelyToken(token, wrapping) => likely.push((token, wrapping)),
            Reading::Problem(problem) => problems.push(problem),
            Reading::Prose(problem) => {
                is_prose = true;
                problems.push(problem);
            }
            Reading::Other => {}
        }
    }
    // A name as `TOKEN` may be of another service, where another name says that it is Cloudflare's.
    let mut candidates = if sure.is_empty() { likely } else { sure };
    // Beside words that nobody can place, only a token with a name is one for sure.
    if is_prose {
        candidates.retain(|(_, wrapping)| {
            matches!(wrapping, Some(Wrapping::Setting(_) | Wrapping::Header))
        });
    }
    let Some((token, wrapping)) = candidates.pop() else {
        return Err(invalid(
            problems
                .first()
                .copied()
                .unwrap_or("there is no Cloudflare token in it"),
        ));
    };
    if candidates.iter().any(|(other, _)| *other != token) {
        return Err(invalid("there are several different tokens in it"));
    }
    Ok(FoundToken {
        wrapping: match wrapping {
            None if token != text => Some(Wrapping::Text),
            wrapping => wrapping,
        },
        token: token.into(),
    })
}

/// What a part of the text is.
enum Reading {
    Token(String, Option<Wrapping>),
    /// A token by a name that says no more.
    LikelyToken(String, Option<Wrapping>),
    /// Something that is given in a token's place, and the reason why it is none.
    Problem(&'static str),
    /// Words.
    Prose(&'static str),
    /// What says nothing of a token: another setting, the heading of a section.
    Other,
}

fn readings(text: &str) -> Vec<Reading> {
    if text.starts_with('{')
        && let Ok(json) = serde_json::from_str::<Value>(text)
    {
        let mut readings = Vec::new();
        read_json(&json, &mut readings);
        return readings;
    }
    let lines = text.lines().map(bare).filter(|line| !is_comment(line));
    lines.map(read_line).collect()
}

fn read_json(json: &Value, readings: &mut Vec<Reading>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(value) => readings.push(read_setting(name, value)),
                    _ => read_json(value, readings),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| read_json(item, readings)),
        _ => {}
    }
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || ["#", ";", "//"].iter().any(|mark| line.starts_with(mark))
}

fn read_line(line: &str) -> Reading {
    // What stands in quotes as a whole may be a setting or a header itself.
    if line.starts_with(is_quote)
        && let (inner, true) = first_value(line)
        && inner.len() < line.len()
    {
        return match read_line(inner) {
            Reading::Token(token, None) => Reading::Token(token, Some(Wrapping::Quotes)),
            reading => reading,
        };
    }
    if let Some(token) = behind_bearer(line) {
        return read_token(token, Some(Wrapping::Header));
    }
    if let Some((name, value)) = setting(line) {
        return read_setting(name, value);
    }
    let is_section = line.starts_with('[') && line.ends_with(']');
    if is_section || !line.is_empty() && line.chars().all(|c| "{}[](),;-".contains(c)) {
        return Reading::Other;
    }
    let value = without_comment(line);
    match read_token(value, None) {
        Reading::Problem(problem) if value.contains(char::is_whitespace) => Reading::Prose(problem),
        reading => reading,
    }
}

/// A setting by its name and what stands behind its sign.
fn read_setting(name: &str, value: &str) -> Reading {
    let kind = Kind::of(name);
    let (value, is_whole) = first_value(value);
    match kind {
        Kind::Environment => read_line(value),
        Kind::Key => Reading::Problem(GLOBAL_KEY),
        Kind::Email => Reading::Problem(EMAIL),
        Kind::File => Reading::Problem(
            "it names a file that holds the token: that is for --cf-dns-token-file",
        ),
        Kind::Other => Reading::Other,
        Kind::Token | Kind::LikelyToken if !is_whole => {
            Reading::Problem("there are further words behind the token")
        }
        Kind::Token | Kind::LikelyToken => {
            // What is there of quotes within quotes.
            match (
                kind,
                read_token(unquoted(value), Some(Wrapping::Setting(name.to_owned()))),
            ) {
                (Kind::LikelyToken, Reading::Token(token, wrapping)) => {
                    Reading::LikelyToken(token, wrapping)
                }
                (_, reading) => reading,
            }
        }
    }
}

/// What a setting is about, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A token of Cloudflare.
    Token,
    /// A token of something.
    LikelyToken,
    /// The file that a token is in.
    File,
    /// A global API key.
    Key,
    /// Whose the global API key is.
    Email,
    /// The environment of a service: the setting proper stands in it.
    Environment,
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        // `CF_DNS_API_TOKEN`, `cfDnsApiToken` and `cf-dns-api-token` are the same words.
        let letters: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let is_cloudflare = letters.starts_with("cf") || letters.contains("cloudflare");
        if letters == "environment" {
            Self::Environment
        } else if letters.contains("email") {
            Self::Email
        } else if letters.contains("token") && letters.ends_with("file") {
            Self::File
        } else if letters.contains("token") && is_cloudflare {
            Self::Token
        } else if letters.ends_with("token")
            && ["api", "auth", "dns", "access", "bearer", "zone", "token"]
                .iter()
                .fold(letters.clone(), |rest, word| rest.replace(word, ""))
                .is_empty()
        {
            Self::LikelyToken
        } else if letters.ends_with("key")
            && (is_cloudflare || letters.contains("auth") || letters.contains("global"))
        {
            Self::Key
        } else {
            Self::Other
        }
    }
}

const GLOBAL_KEY: &str = "it is a global API key, which opens the whole account, and no API token";
const EMAIL: &str = "it is an e-mail address, and no API token";

/// The token that a value is, or why it is none.
fn read_token(value: &str, wrapping: Option<Wrapping>) -> Reading {
    let is_name = |text: &str| {
        let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        text.bytes().all(upper) && text.ends_with("_TOKEN") && Kind::of(text) == Kind::Token
    };
    let is_key = |text: &str| {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.len() == 37 && text.bytes().all(hex)
    };
    let references = ["file:", "env:", "cmd:"];
    let problem = if value.is_empty() {
        "the token is empty"
    } else if value == MASK {
        "the token is the mask that hides it in outputs"
    } else if value.starts_with("--") {
        "the token looks like an option"
    } else if value.starts_with(['$', '%']) || value.starts_with("{{") {
        "it is a variable that nobody fills in: give env:NAME for one"
    } else if references.iter().any(|sign| value.starts_with(sign)) {
        "it is a reference to a token where the token itself belongs"
    } else if value.starts_with(['/', '~', '.']) {
        "it looks like a path: that is for --cf-dns-token-file"
    } else if value.contains("://") {
        "it is a URL, and no API token"
    } else if value.starts_with(is_quote) || value.ends_with(is_quote) {
        "there is a quote at one end of the token alone"
    } else if !value.bytes().all(|b| b.is_ascii_graphic()) {
        "the token holds spaces or control characters"
    } else if value.contains('@') && value.contains('.') {
        EMAIL
    } else if is_key(value) || value.starts_with("cfk_") {
        GLOBAL_KEY
    } else if is_name(value) {
        "it is the name of a variable: give env:NAME for its value"
    } else {
        return Reading::Token(value.to_owned(), wrapping);
    };
    Reading::Problem(problem)
}

/// What stands behind `Bearer` in a header, also in a command line that sends one.
fn behind_bearer(line: &str) -> Option<&str> {
    const WORD: &str = "bearer";
    let at = line.to_ascii_lowercase().find(WORD)?;
    let starts = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c));
    let rest = &line[at + WORD.len()..];
    let token = rest.trim_start();
    if !starts || token.len() == rest.len() {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || is_quote(c) || ",;".contains(c);
    token.split(ends).next().filter(|token| !token.is_empty())
}

/// The name and the value of a setting, in the ways of shells, files of settings, YAML and JSON.
fn setting(line: &str) -> Option<(&str, &str)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let mut found = None;
    let mut rest = line;
    while let Some(start) = rest.find(is_of_name) {
        let behind = &rest[start..];
        let end = behind.find(|c| !is_of_name(c)).unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        let sign = after.strip_prefix(is_quote).unwrap_or(after).trim_start();
        let value = if let Some(value) = sign.strip_prefix("=>") {
            Some(value)
        } else if let Some(value) = sign.strip_prefix('=') {
            Some(value)
        } else if let Some(value) = sign.strip_prefix(':') {
            // Unlike in `https://…`.
            let is_apart = |c: char| c.is_whitespace() || is_quote(c);
            (value.is_empty() || value.starts_with(is_apart)).then_some(value)
        } else {
            // As in `set -x CF_DNS_API_TOKEN …`.
            let is_upper = !name.contains(|c: char| c.is_ascii_lowercase() || "-.".contains(c));
            let is_apart = after.starts_with(char::is_whitespace) && !sign.is_empty();
            (is_apart && is_upper && Kind::of(name) == Kind::Token).then_some(sign)
        };
        if let Some(value) = value {
            // Behind a name of ours, the rest is its value; behind another, ours may still come.
            if Kind::of(name) != Kind::Other {
                return Some((name, value));
            }
            found = found.or(Some((name, value)));
        }
        rest = after;
    }
    found
}

/// The first value of what stands behind a setting's sign, and whether nothing but a comment or
/// the end of a list comes behind it.
fn first_value(text: &str) -> (&str, bool) {
    let text = bare(text);
    let (value, rest) = match text.chars().next().filter(|c| is_quote(*c)) {
        Some(quote) => {
            let inner = &text[quote.len_utf8()..];
            match inner.char_indices().find(|(_, c)| ends(quote, *c)) {
                Some((end, c)) => (&inner[..end], &inner[end + c.len_utf8()..]),
                None => (text, ""),
            }
        }
        None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ",;)}]".contains(c));
    let value = bare(value).trim_end_matches([',', ';']);
    (value, is_comment(rest))
}

/// What comes before a comment at the end of a line, and before the comma of a list.
fn without_comment(line: &str) -> &str {
    let value = line.split_once(" #").map_or(line, |(value, _)| value);
    value.trim_end().trim_end_matches([',', ';'])
}

/// A text without the quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    let mut inner = bare(text);
    while let Some(shorter) = inner
        .strip_prefix(is_quote)
        .and_then(|inner| inner.strip_suffix(is_quote))
    {
        inner = bare(shorter);
    }
    inner
}

fn is_quote(c: char) -> bool {
    "\"'`\u{201c}\u{201d}\u{201e}\u{201f}\u{2018}\u{2019}\u{201a}\u{201b}«»‹›＂＇".contains(c)
}

/// Whether a quotation that begins with one quote ends with another. Of the typographic ones,
/// each language pairs others.
fn ends(quote: char, other: char) -> bool {
    other == quote || !quote.is_ascii() && !other.is_ascii() && is_quote(other)
}

/// A text without what nobody sees at its ends: white space, and the marks that editors and web
/// pages leave.
fn bare(text: &str) -> &str {
    let unseen = |c: char| {
        c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
    };
    text.trim_matches(unseen)
}

fn invalid(problem: &str) -> InvalidValue {
    InvalidValue::new(problem, super::token_source::VALID)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const TOKEN: &str = "cfT0ken-x_5e11b0";

    #[test]
    fn the_token_is_found_in_whatever_surrounds_it() {
        let quotes = "its quotes";
        let header = "the header `Bearer …`";
        let lines = "the text around it";
        for (text, wrapping) in [
            ("§", ""),
            ("  §\r\n", ""),
            ("\u{feff}§\u{200b}\u{a0}", ""),
            ("\"§\"", quotes),
            ("'§'\n", quotes),
            ("`§`", quotes),
            ("“§”", quotes),
            ("„§“", quotes),
            ("‘§’", quotes),
            ("’§’", quotes),
            ("« § »", quotes),
            ("\"'§'\"", quotes),
            ("\"§\",", quotes),
            ("§;", lines),
            ("§ # of the zone", lines),
            ("CF_DNS_API_TOKEN=§", "the setting `CF_DNS_API_TOKEN`"),
            ("CF_DNS_API_TOKEN = §", "the setting `CF_DNS_API_TOKEN`"),
            (
                "CF_DNS_API_TOKEN=\"§\" # mine",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            ("'CF_DNS_API_TOKEN=§'", "the setting `CF_DNS_API_TOKEN`"),
            ("export CF_API_TOKEN=\"§\"", "the setting `CF_API_TOKEN`"),
            ("export CF_API_TOKEN='§';", "the setting `CF_API_TOKEN`"),
            ("export CF_API_TOKEN=“§”", "the setting `CF_API_TOKEN`"),
            (
                "CLOUDFLARE_DNS_API_TOKEN: §",
                "the setting `CLOUDFLARE_DNS_API_TOKEN`",
            ),
            ("  - CF_DNS_API_TOKEN=§", "the setting `CF_DNS_API_TOKEN`"),
            (
                "set -gx CF_DNS_API_TOKEN §",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "setx CLOUDFLARE_API_TOKEN \"§\"",
                "the setting `CLOUDFLARE_API_TOKEN`",
            ),
            (
                "$env:CF_DNS_API_TOKEN = \"§\"",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "Environment=CF_DNS_API_TOKEN=§",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "Environment=\"CF_DNS_API_TOKEN=§\"",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "docker run -e CF_DNS_API_TOKEN=§",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "dns_cloudflare_api_token = §",
                "the setting `dns_cloudflare_api_token`",
            ),
            (
                "TF_VAR_cloudflare_api_token=§",
                "the setting `TF_VAR_cloudflare_api_token`",
            ),
            ("token: §", "the setting `token`"),
            ("API_TOKEN=§", "the setting `API_TOKEN`"),
            ("\"cfDnsApiToken\": \"§\",", "the setting `cfDnsApiToken`"),
            (
                "{\"CF_DNS_API_TOKEN\": \"§\", \"zone\": \"example.com\"}",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "{\"data\":\n {\"token\":\"§\",\n \"renewable\": false}}",
                "the setting `token`",
            ),
            ("Bearer §", header),
            ("Authorization: Bearer §", header),
            ("\"authorization: bearer §\"", header),
            ("CF_DNS_API_TOKEN=\"Bearer §\"", header),
            (
                "curl https://api.cloudflare.com/client/v4/user \\\n  -H \"Authorization: Bearer §\"",
                header,
            ),
            ("# of the zone\n\n§\n", lines),
            (
                "§\nuser: ann@example.com\nurl: https://dash.cloudflare.com\n",
                lines,
            ),
            ("§\n§\n", lines),
            (
                "[cloudflare]\n; a comment\napi_token = §\n",
                "the setting `api_token`",
            ),
            (
                "# certificates\nDOMAIN=example.com\nGITHUB_TOKEN=another\nTOKEN=third\n\n\
                 export CF_DNS_API_TOKEN='§'   # expires never\nPASSWORD=\"a b c\"\n",
                "the setting `CF_DNS_API_TOKEN`",
            ),
            (
                "CF_API_EMAIL=ann@example.com\nCF_API_KEY=1234567890abcdef1234567890abcdef12345\n\
                 CF_API_TOKEN=§\nCF_DNS_API_TOKEN=§\n",
                "the setting `CF_DNS_API_TOKEN`",
            ),
        ] {
            let text = text.replace('§', TOKEN);
            let found = find(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(found.token.expose_secret(), TOKEN, "{text}");
            let told = found.wrapping.map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(told, wrapping, "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_repeated() {
        for (text, problem) in [
            ("", "the token is empty"),
            (" \n\u{feff}", "the token is empty"),
            ("\"\"", "the token is empty"),
            ("CF_DNS_API_TOKEN=", "the token is empty"),
            ("***", "the mask"),
            ("--§", "an option"),
            ("§ §", "spaces or control characters"),
            ("§\u{7}", "spaces or control characters"),
            ("§é", "spaces or control characters"),
            ("\"§", "a quote at one end"),
            ("§”", "a quote at one end"),
            ("CF_DNS_API_TOKEN=\"§", "a quote at one end"),
            ("CF_DNS_API_TOKEN=§ §", "further words"),
            (
                "CF_DNS_API_TOKEN=${OTHER}",
                "a variable that nobody fills in",
            ),
            ("$CF_DNS_API_TOKEN", "a variable that nobody fills in"),
            ("CF_DNS_API_TOKEN", "the name of a variable"),
            ("CF_DNS_API_TOKEN=file:/§", "a reference"),
            ("CF_DNS_API_TOKEN_FILE=/run/§", "--cf-dns-token-file"),
            ("/run/secrets/§", "--cf-dns-token-file"),
            ("https://dash.cloudflare.com/§", "a URL"),
            ("ann@example.com", "an e-mail address"),
            ("CF_API_EMAIL=ann@example.com", "an e-mail address"),
            ("1234567890abcdef1234567890abcdef12345", "a global API key"),
            ("CF_API_KEY=§", "a global API key"),
            ("X-Auth-Key: §", "a global API key"),
            (
                "CF_API_TOKEN=1234567890abcdef1234567890abcdef12345",
                "a global API key",
            ),
            (
                "CF_API_EMAIL=a@example.com\nCF_API_KEY=§",
                "an e-mail address",
            ),
            ("GITHUB_TOKEN=§", "no Cloudflare token in it"),
            ("# nothing\nDOMAIN=§\n", "no Cloudflare token in it"),
            ("{\"errors\": []}", "no Cloudflare token in it"),
            ("§\n§x", "several different tokens"),
            (
                "CF_DNS_API_TOKEN=§\nCF_ZONE_API_TOKEN=§x\n",
                "several different tokens",
            ),
            (
                "CF_DNS_API_TOKEN=§\nBearer §x\n",
                "several different tokens",
            ),
            ("§\nthe old one was\n", "spaces or control characters"),
            ("-----BEGIN PRIVATE KEY-----\n§\n", "an option"),
        ] {
            let text = text.replace('§', TOKEN);
            let error = find(&text).expect_err(&text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
            for secret in [TOKEN, "1234567890", "example.com"] {
                assert!(!error.contains(secret), "{text}: {error}");
            }
        }
    }
}
