//! What Traefik's journal tells of its attempts to obtain certificates. Pure.
//!
//! Traefik 3.7 logs with colours, and these lines:
//!
//! ```text
//! TIME INF Traefik version 3.7.15 …
//! TIME INF Obtaining bundled SAN certificate. domains="a.test, *.a.test" lib=lego
//! TIME INF Server responded with a certificate. domains="a.test, *.a.test" lib=lego
//! TIME ERR Unable to obtain ACME certificate for domains error="…" … domains=["a.test","*.a.test"] …
//! TIME INF Error renewing ACME certificate: {Main:a.test SANs:[*.a.test]} error="…" …
//! TIME ERR The ACME resolve is skipped from the resolvers list error="…" resolver=letsencrypt
//! ```

use std::time::{Duration, SystemTime};

use crate::bundle::{Attempt, FailedAttempt};
use crate::machine::x509::covers;

/// How long an attempt may take: 2 min until a DNS record shows, and some seconds around that.
const LONGEST: Duration = Duration::from_secs(150);
/// How long Traefik may be silent after its start: it makes a key and an account.
const SILENT: Duration = Duration::from_secs(20);
/// How long Traefik may take to serve what it obtained: it loads it with the next change.
const LOADING: Duration = Duration::from_secs(3);
/// How much of an error is kept.
const ERROR_CHARS: usize = 600;

/// The attempts of the Traefik that runs, the latest first.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    lines: Vec<Line>,
    started: Option<String>,
}

#[derive(Debug)]
struct Line {
    at: String,
    about: About,
    what: What,
}

#[derive(Debug)]
enum About {
    Names(Vec<String>),
    Resolver(String),
}

#[derive(Debug)]
enum What {
    Begun,
    Obtained,
    Failed(String),
}

impl Attempts {
    /// Reads a journal whose latest line comes first.
    pub(super) fn read(journal: &str) -> Self {
        let mut attempts = Self::default();
        for line in journal.lines() {
            let line = without_colours(line);
            let Some((at, rest)) = line.split_once(' ') else {
                continue;
            };
            let message = rest.split_once(' ').map_or("", |(_, message)| message);
            if message.starts_with("Traefik version ") {
                attempts.started = Some(at.to_owned());
            } else if let Some((about, what)) = attempt(message) {
                attempts.lines.push(Line {
                    at: at.to_owned(),
                    about,
                    what,
                });
            }
        }
        attempts
    }

    /// How it went for a name of a resolver; none where the journal tells nothing.
    pub(super) fn of(&self, name: &str, resolver: &str, now: SystemTime) -> Option<Attempt> {
        let mut under_way = None;
        for line in self
            .lines
            .iter()
            .filter(|line| line.is_about(name, resolver))
        {
            match &line.what {
                What::Failed(error) => {
                    return Some(Attempt {
                        failed: Some(FailedAttempt {
                            at: line.at.clone(),
                            error: error.clone(),
                        }),
                        under_way,
                    });
                }
                What::Begun if under_way.is_none() && is_within(&line.at, LONGEST, now) => {
                    under_way = Some(line.at.clone());
                }
                What::Begun => {}
                // It has to be loaded yet, or it was lost: what was before does not matter.
                What::Obtained => {
                    let is_new = is_within(&line.at, LOADING, now);
                    under_way = under_way.or_else(|| is_new.then(|| line.at.clone()));
                    break;
                }
            }
        }
        let started = self.started.as_ref();
        let beginning = started.filter(|at| is_within(at, SILENT, now)).cloned();
        let under_way = under_way.or(beginning);
        under_way.is_some().then_some(Attempt {
            failed: None,
            under_way,
        })
    }
}

impl Line {
    fn is_about(&self, name: &str, resolver: &str) -> bool {
        match &self.about {
            About::Names(names) => names.iter().any(|own| covers(own, name)),
            About::Resolver(own) => own == resolver,
        }
    }
}

fn is_within(at: &str, time: Duration, now: SystemTime) -> bool {
    let Ok(at) = humantime::parse_rfc3339_weak(at) else {
        return false;
    };
    // A clock may have been set back meanwhile.
    now.duration_since(at).unwrap_or_default() < time
}

/// What a message is about and says, if it is about certificates.
fn attempt(message: &str) -> Option<(About, What)> {
    let names = |text: &str| About::Names(text.split(", ").map(str::to_owned).collect());
    if message.starts_with("Obtaining ") && message.contains(" certificate.") {
        return Some((names(&field(message, "domains")?), What::Begun));
    }
    if message.starts_with("Server responded with a certificate.") {
        return Some((names(&field(message, "domains")?), What::Obtained));
    }
    let error = || field(message, "error").map(|error| What::Failed(shortened(&error)));
    if message.starts_with("Unable to obtain ACME certificate for domains") {
        // The error before it may hold the same words.
        let (_, list) = message.rsplit_once(" domains=[")?;
        let (list, _) = list.split_once(']')?;
        let list = list
            .split(',')
            .map(|name| name.trim_matches('"').to_owned());
        return Some((About::Names(list.collect()), error()?));
    }
    if let Some(rest) = message.strip_prefix("Error renewing ACME certificate: {Main:") {
        let (domains, _) = rest.split_once("]}")?;
        let words = domains
            .split([' ', '['])
            .map(|word| word.trim_end_matches(':'));
        let own = words.filter(|word| !word.is_empty() && *word != "SANs");
        return Some((About::Names(own.map(str::to_owned).collect()), error()?));
    }
    if message.starts_with("The ACME resolve is skipped") {
        let resolver = field(message, "resolver")?;
        return Some((About::Resolver(resolver), error()?));
    }
    None
}

/// The value of a message's first field of a name: a word, or a string as Go quotes it.
fn field(message: &str, name: &str) -> Option<String> {
    let (_, value) = message.split_once(&format!(" {name}="))?;
    match value.strip_prefix('"') {
        Some(quoted) => Some(unquoted(quoted)),
        None => value.split(' ').next().map(str::to_owned),
    }
}

/// What stands before the closing quote.
fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                // What would be a line of its own stays in its line.
                Some('n' | 'r' | 't') => plain.push(' '),
                Some(c) => plain.push(c),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

/// An error without what is said beside it anyway, and not too long.
fn shortened(error: &str) -> String {
    let text = error
        .strip_prefix("unable to generate a certificate for the domains [")
        .and_then(|rest| rest.split_once("]: "))
        .map_or(error, |(_, rest)| rest);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A line without what a terminal takes for colours.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "\u{1b}[90m2026-11-26T01:04:53Z\u{1b}[0m \u{1b}[31mERR\u{1b}[0m \
        \u{1b}[1mUnable to obtain ACME certificate for domains\u{1b}[0m \u{1b}[36merror=\u{1b}[0m\
        \u{1b}[31m\u{1b}[1m\"unable to generate a certificate for the domains [deep.sub.example.test]: \
        unable to communicate with the API server: error: Post \\\"https://localhost:14000/order-plz\\\": \
        dial tcp [::1]:14000: connect: connection refused\"\u{1b}[0m\u{1b}[0m \u{1b}[36mACME CA=\u{1b}[0m\
        https://localhost:14000/dir \u{1b}[36mdomains=\u{1b}[0m[\"deep.sub.example.test\"] \
        \u{1b}[36mrouterName=\u{1b}[0mdeep-2816@http \u{1b}[36mrule=\u{1b}[0mHost(`deep.sub.example.test`)";
    const ZONE: &str = "2026-11-26T01:13:11Z ERR Unable to obtain ACME certificate for domains \
        error=\"unable to generate a certificate for the domains [example.test *.example.test]: resolver: \
        one or more domains had a problem:\\n[example.test: dns01: error presenting token (example.test): \
        cloudflare: could not find zone for domain \\\"example.test\\\"]\" ACME CA=https://x/dir \
        domains=[\"example.test\",\"*.example.test\"] providerName=letsencrypt.acme";
    const CLIENT: &str = "2026-11-26T01:12:34Z ERR Unable to obtain ACME certificate for domains \
        error=\"cannot get ACME client get directory at 'https://x/dir': refused\" ACME CA=https://x/dir \
        domains=[\"a.test\"] providerName=letsencrypt.acme";
    const RENEWAL: &str = "2026-11-26T01:25:44Z INF Error renewing ACME certificate: \
        {Main:soon.test SANs:[b.soon.test c.soon.test]} error=\"get directory at 'https://x/dir': refused\" \
        acmeCA=https://x/dir";
    const SKIPPED: &str = "2026-11-26T01:04:36Z ERR The ACME resolve is skipped from the resolvers list \
        error=\"unable to get ACME account: permissions 644 are too open\" resolver=letsencrypt";
    const BEGUN: &str = "2026-11-26T01:20:00Z INF Obtaining bundled SAN certificate. \
        domains=\"example.test, *.example.test\" lib=lego";
    const OBTAINED: &str = "2026-11-26T01:20:05Z INF Server responded with a certificate. \
        domains=\"example.test, *.example.test\" lib=lego";
    const STARTED: &str = "2026-11-26T01:19:55Z INF Traefik version 3.7.15 built on 2026-10-15T14:33:48Z \
        version=3.7.15";

    /// At 01:20:10; the lines are given in the order in which they were written.
    fn of(lines: &[&str], name: &str) -> Option<(Option<String>, Option<String>)> {
        let lines: Vec<&str> = lines.iter().rev().copied().collect();
        let now = humantime::parse_rfc3339("2026-11-26T01:20:10Z").expect("a moment");
        let attempt = Attempts::read(&lines.join("\n")).of(name, "letsencrypt", now)?;
        let failed = attempt
            .failed
            .map(|failed| format!("{} {}", failed.at, failed.error));
        Some((failed, attempt.under_way))
    }

    #[test]
    fn a_failure_is_told_to_each_name_that_it_was_for() {
        for (line, name, expected) in [
            (
                REFUSED,
                "deep.sub.example.test",
                Some(
                    "2026-11-26T01:04:53Z unable to communicate with the API server: error: Post \
                     \"https://localhost:14000/order-plz\": dial tcp [::1]:14000: connect: connection \
                     refused",
                ),
            ),
            (REFUSED, "sub.example.test", None),
            (
                ZONE,
                "app.example.test",
                Some(
                    "2026-11-26T01:13:11Z resolver: one or more domains had a problem: [example.test: \
                     dns01: error presenting token (example.test): cloudflare: could not find zone for \
                     domain \"example.test\"]",
                ),
            ),
            (
                CLIENT,
                "a.test",
                Some(
                    "2026-11-26T01:12:34Z cannot get ACME client get directory at 'https://x/dir': refused",
                ),
            ),
            (
                RENEWAL,
                "c.soon.test",
                Some("2026-11-26T01:25:44Z get directory at 'https://x/dir': refused"),
            ),
            (
                SKIPPED,
                "any.test",
                Some(
                    "2026-11-26T01:04:36Z unable to get ACME account: permissions 644 are too open",
                ),
            ),
            (STARTED, "any.test", None),
        ] {
            let found = of(&[line], name).and_then(|(failed, _)| failed);
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn an_attempt_is_under_way_until_it_ends_or_takes_too_long() {
        let name = "app.example.test";
        let since = |at: &str| Some(at.to_owned());
        let late = BEGUN.replace("01:20:00", "01:10:00");
        let new = OBTAINED.replace("01:20:05", "01:20:08");
        for (lines, failed, under_way) in [
            (&[BEGUN][..], false, since("2026-11-26T01:20:00Z")),
            (&[ZONE, BEGUN], true, since("2026-11-26T01:20:00Z")),
            (&[BEGUN, ZONE], true, None),
            (&[late.as_str(), ZONE], true, None),
            (&[STARTED], false, since("2026-11-26T01:19:55Z")),
            (&[STARTED, BEGUN], false, since("2026-11-26T01:20:00Z")),
            (&[BEGUN, &new], false, since("2026-11-26T01:20:08Z")),
        ] {
            let found = of(lines, name).expect("an attempt");
            assert_eq!(
                (found.0.is_some(), found.1),
                (failed, under_way),
                "{lines:?}"
            );
        }
        for lines in [
            &[late.as_str()][..],
            &[BEGUN, OBTAINED],
            &[ZONE, OBTAINED],
            &[],
        ] {
            assert_eq!(of(lines, name), None, "{lines:?}");
        }
    }

    #[test]
    fn a_long_error_is_cut() {
        let error = shortened(&"x".repeat(ERROR_CHARS + 1));
        assert_eq!(error.chars().count(), ERROR_CHARS + 1);
        assert!(error.ends_with('…'));
    }
}
