//! Rules and addresses without what may be secret in them. Pure.

use std::borrow::Cow;

use super::HIDDEN;

/// The matchers that compare a value which a client has to know, in both syntaxes of rules.
const SECRET_MATCHERS: [&str; 6] = [
    "header",
    "headerregexp",
    "headers",
    "headersregexp",
    "query",
    "queryregexp",
];

/// A rule without the values that its matchers of headers and queries compare.
pub fn rule(rule: &str) -> Cow<'_, str> {
    let lower = rule.to_ascii_lowercase();
    if !SECRET_MATCHERS
        .iter()
        .any(|matcher| lower.contains(matcher))
    {
        return Cow::Borrowed(rule);
    }
    // Where it cannot be told what is a value, nothing is shown.
    Cow::Owned(without_values(rule).unwrap_or_else(|| HIDDEN.to_owned()))
}

fn without_values(rule: &str) -> Option<String> {
    let mut shown = String::with_capacity(rule.len());
    let mut word = String::new();
    // Inside the parentheses of such a matcher: how many of its values there were.
    let mut values: Option<usize> = None;
    let mut rest = rule;
    while let Some(character) = rest.chars().next() {
        match character {
            '`' | '"' => {
                let (literal, after) = literal(rest, character)?;
                match &mut values {
                    Some(0) if !literal.contains('=') => shown.push_str(literal),
                    Some(_) => {
                        let quote = &rest[..1];
                        shown.extend([quote, HIDDEN, quote]);
                    }
                    None => shown.push_str(literal),
                }
                values = values.map(|count| count + 1);
                rest = after;
                word.clear();
                continue;
            }
            // A comment, or a value of a kind that rules do not have.
            '/' | '\'' => return None,
            '(' => {
                let is_secret = SECRET_MATCHERS.contains(&word.to_ascii_lowercase().as_str());
                values = is_secret.then_some(0);
                word.clear();
            }
            ')' => values = None,
            // A value without quotes, which is in no rule that can be read.
            _ if character.is_alphanumeric() && values.is_some() => return None,
            _ if character.is_alphanumeric() => word.push(character),
            _ if character.is_whitespace() => {}
            _ => word.clear(),
        }
        shown.push(character);
        rest = &rest[character.len_utf8()..];
    }
    Some(shown)
}

/// A text in quotes at the beginning, and what follows it.
fn literal(text: &str, quote: char) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let mut characters = text.char_indices().skip(1);
    let (end, _) = characters.find(|(_, character)| {
        let ends = *character == quote && !is_escaped;
        is_escaped = quote == '"' && *character == '\\' && !is_escaped;
        ends
    })?;
    Some(text.split_at(end + 1))
}

/// A server's address, without what may be a password.
pub fn server(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        // An address and a port.
        return match url.contains(['@', '/', '?', '#']) {
            true => Cow::Borrowed(HIDDEN),
            false => Cow::Borrowed(url),
        };
    };
    // Readers differ on where the user ends: what is before the last @ is never shown.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let shown = host.find(['?', '#']).map_or(host, |end| &host[..end]);
    if shown.len() == rest.len() {
        return Cow::Borrowed(url);
    }
    let user = if host.len() < rest.len() { "***@" } else { "" };
    let query = if shown.len() < host.len() { "?***" } else { "" };
    Cow::Owned(format!("{scheme}://{user}{shown}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_loses_the_values_of_headers_and_queries() {
        for (text, shown) in [
            ("Host(`a`) && Path(`/x`)", "Host(`a`) && Path(`/x`)"),
            (
                "Header(`X-Key`, `s`) && Host(`a`)",
                "Header(`X-Key`, `***`) && Host(`a`)",
            ),
            (
                "HEADERREGEXP ( \"X\" , \"s\\\"s\" )",
                "HEADERREGEXP ( \"X\" , \"***\" )",
            ),
            (
                "!Query(`t`,`s`) || Host(`b`)",
                "!Query(`t`,`***`) || Host(`b`)",
            ),
            ("Query(`t=s`)", "Query(`***`)"),
            ("Headers(`X`, `s)`, `t`)", "Headers(`X`, `***`, `***`)"),
            ("Host(`header`)", "Host(`header`)"),
            (
                "Host(`Header(`) && Host(`x`)",
                "Host(`Header(`) && Host(`x`)",
            ),
            ("Header/*(*/(`X`, `s`)", HIDDEN),
            ("Header(`X`, `s", HIDDEN),
            ("Header(`X`, s)", HIDDEN),
        ] {
            assert_eq!(rule(text), shown, "{text}");
        }
    }

    #[test]
    fn a_server_is_shown_without_passwords() {
        for (url, shown) in [
            ("http://127.0.11.2:80", "http://127.0.11.2:80"),
            ("http://127.0.11.2/a/b", "http://127.0.11.2/a/b"),
            ("http://me:s@127.0.11.2/", "http://***@127.0.11.2/"),
            ("http://s@127.0.11.2?t=s#s", "http://***@127.0.11.2?***"),
            ("http://127.0.11.2#s", "http://127.0.11.2?***"),
            ("http://me:s/x@127.0.11.2/", "http://***@127.0.11.2/"),
            ("127.0.11.2:80", "127.0.11.2:80"),
            ("me:s@127.0.11.2:80", HIDDEN),
        ] {
            assert_eq!(server(url), shown, "{url}");
        }
    }
}
