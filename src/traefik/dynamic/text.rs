//! What text has to be for Traefik to build what it belongs to: as its own code reads it, and never
//! stricter. Each is compared with the real Traefik (`tests/it/middleware_values.rs`).

use std::fmt;
use std::net::IpAddr;

use crate::traefik::regexp;

/// Where Traefik's reader of documents splits the elements of a list; its reader of labels does
/// not. A text that holds it means two things, so that none is checked as what it will be.
const SEPARATOR: char = '\u{2551}';

/// The beginning of a text, as much as one sentence can show.
pub(super) struct Excess<'t>(pub(super) &'t str);

impl fmt::Display for Excess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        match self.0.char_indices().nth(SHOWN) {
            None => f.write_str(self.0),
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
        }
    }
}

/// Whether both of Traefik's readers take it for the same.
pub(super) fn reads_alike(text: &str) -> Result<(), String> {
    if text.contains(SEPARATOR) {
        return Err(format!(
            "`{}` holds `{SEPARATOR}`, at which Traefik would split it",
            Excess(text)
        ));
    }
    Ok(())
}

pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

pub(super) fn network(text: &str) -> Result<(), String> {
    let network = text.trim();
    let is_one = match network.split_once('/') {
        None => network.parse::<IpAddr>().is_ok(),
        Some((address, length)) => {
            let longest = match address.parse() {
                Ok(IpAddr::V4(_)) => Some(32),
                Ok(IpAddr::V6(_)) => Some(128),
                Err(_) => None,
            };
            let is_number = !length.is_empty() && length.bytes().all(|one| one.is_ascii_digit());
            is_number
                && longest.is_some_and(|longest| {
                    length.parse::<u32>().is_ok_and(|length| length <= longest)
                })
        }
    };
    require(
        is_one,
        text,
        "an IP address or a network such as 10.0.0.0/8",
    )
}

pub(super) fn basic_user(text: &str) -> Result<(), String> {
    // What is not shown: a hash is a secret.
    match text.split(':').count() {
        2 => Ok(()),
        _ => Err("a user is not `name:hash`".to_owned()),
    }
}

pub(super) fn digest_user(text: &str) -> Result<(), String> {
    match text.split(':').count() {
        3 => Ok(()),
        _ => Err("a user is not `name:realm:hash`".to_owned()),
    }
}

pub(super) fn status_range(text: &str) -> Result<(), String> {
    let is_range = text
        .split('-')
        .take(2)
        .all(|status| status.parse::<i64>().is_ok());
    require(
        is_range,
        text,
        "a status such as 500, or a range such as 500-599",
    )
}

pub(super) fn encoding(text: &str) -> Result<(), String> {
    let is_known = matches!(text, "gzip" | "br" | "zstd");
    require(is_known, text, "one of gzip, br and zstd")
}

pub(super) fn media_type(text: &str) -> Result<(), String> {
    let bare = text.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && bytes.all(|one| one.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&one))
    };
    let is_type = match bare.split_once('/') {
        None => is_token(bare),
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
    };
    require(is_type, text, "a media type such as text/html")
}

pub(super) fn regexp(text: &str) -> Result<(), String> {
    regexp::check(text).map_err(|error| error.to_string())
}

pub(super) fn breaker(text: &str) -> Result<(), String> {
    let words = [
        "NetworkErrorRatio",
        "ResponseCodeRatio",
        "LatencyAtQuantileMS",
    ];
    condition(text, &words)
}

pub(super) fn retry(text: &str) -> Result<(), String> {
    let words = [
        "IsNetworkError",
        "Attempts",
        "ResponseCode",
        "RequestMethod",
    ];
    condition(text, &words)
}

/// A condition in Go's syntax, made of calls. Looked at are its words and its brackets: how these
/// are put together, Traefik finds out.
fn condition(text: &str, known: &[&str]) -> Result<(), String> {
    let mut rest = text;
    let mut depth = 0_i64;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '`' => match rest[1..].find(first) {
                Some(end) => end + 2,
                None => return Err(format!("`{}` has no end of a text", Excess(text))),
            },
            '!' if !rest.starts_with("!=") => {
                return Err(format!(
                    "`{}` holds `!`, which has no meaning",
                    Excess(text)
                ));
            }
            '(' | ')' => {
                depth += if first == '(' { 1 } else { -1 };
                1
            }
            first if first.is_alphanumeric() || first == '_' => {
                let is_part = |one: char| one.is_alphanumeric() || matches!(one, '_' | '.');
                let end = rest.find(|one| !is_part(one)).unwrap_or(rest.len());
                let word = &rest[..end];
                if !first.is_ascii_digit() && !known.contains(&word) {
                    return Err(format!(
                        "`{}` is none of {}",
                        Excess(word),
                        known.join(", ")
                    ));
                }
                end
            }
            other => other.len_utf8(),
        };
        rest = &rest[length..];
        if depth < 0 {
            break;
        }
    }
    match depth {
        0 => Ok(()),
        _ => Err(format!("the brackets of `{}` do not match", Excess(text))),
    }
}

fn require(holds: bool, text: &str, what: &str) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(format!("`{}` is not {what}", Excess(text))),
    }
}
