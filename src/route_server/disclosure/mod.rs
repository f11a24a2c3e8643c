//! What may be shown of labels to everybody who reaches the open paths and the log. Pure.
//!
//! It is declared what may be shown: a label that nobody thought of is hidden. Values of labels come
//! back in what is said of them, so that rejections are looked through, too.

mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use self::values::{rule, server};
use super::container::{Container, DaemonContainers};
use super::routes::Rejection;
use crate::printable::printable;

/// What stands in the place of what is not shown.
pub const HIDDEN: &str = "***";

/// The labels whose values are shown: names, numbers, switches, and what is on the wire anyway. A `+`
/// is any one part, and `*` one of those that follow.
const SHOWN: [(&str, &[&str]); 14] = [
    ("com.docker.compose.*", &["oneoff", "project", "service"]),
    (
        "rediacc.*",
        &[
            "network_id",
            "service_ip",
            "service_name",
            "service_port",
            "tcp_ports",
            "udp_ports",
        ],
    ),
    ("traefik.*", &["enable"]),
    ("traefik.docker.*", &["allownonrunning", "network"]),
    (
        "traefik.+.routers.+.*",
        &[
            "entrypoints",
            "middlewares",
            "priority",
            "rulesyntax",
            "service",
            "tls",
        ],
    ),
    (
        "traefik.+.routers.+.tls.*",
        &["certresolver", "options", "passthrough"],
    ),
    ("traefik.+.routers.+.tls.+.*", &["main", "sans"]),
    ("traefik.+.services.+.*", &["middlewares"]),
    (
        "traefik.+.services.+.loadbalancer.*",
        &[
            "passhostheader",
            "serverstransport",
            "sticky",
            "strategy",
            "terminationdelay",
        ],
    ),
    (
        "traefik.+.services.+.loadbalancer.server.*",
        &["port", "preservepath", "scheme", "tls", "weight"],
    ),
    (
        "traefik.+.services.+.loadbalancer.healthcheck.*",
        &[
            "followredirects",
            "interval",
            "method",
            "mode",
            "port",
            "scheme",
            "status",
            "timeout",
            "unhealthyinterval",
        ],
    ),
    ("traefik.+.middlewares.+.chain.*", &["middlewares"]),
    (
        "traefik.+.middlewares.+.ratelimit.*",
        &["average", "burst", "period"],
    ),
    ("traefik.+.middlewares.+.*", &["compress", "contenttype"]),
];
/// The labels that hold rules.
const RULES: (&str, &[&str]) = ("traefik.+.routers.+.*", &["rule"]);
/// A quotation is hidden wherever it is part of a hidden value; a text that is not marked as one,
/// from this length on: shorter ones are words like others.
const SHORTEST_SECRET: usize = 4;

/// A label's value as it may be shown.
pub fn label<'v>(label: &str, value: &'v str) -> Cow<'v, str> {
    if SHOWN.iter().any(|pattern| is_like(label, pattern)) {
        Cow::Borrowed(value)
    } else if is_like(label, &RULES) {
        rule(value)
    } else {
        Cow::Borrowed(HIDDEN)
    }
}

/// In any case: labels are told apart from their misspellings only when they are decoded.
fn is_like(label: &str, (pattern, names): &(&str, &[&str])) -> bool {
    let mut parts = label.split('.');
    let fits = pattern.split('.').all(|expected| {
        parts.next().is_some_and(|part| match expected {
            "+" => true,
            "*" => names.iter().any(|name| part.eq_ignore_ascii_case(name)),
            _ => part.eq_ignore_ascii_case(expected),
        })
    });
    fits && parts.next().is_none()
}

/// The labels of all containers, to know what a rejection quotes.
pub struct Disclosure<'c> {
    /// By name, as names are shown.
    containers: BTreeMap<Cow<'c, str>, Vec<&'c Container>>,
}

impl<'c> Disclosure<'c> {
    /// Of the containers of all daemons.
    pub fn of(daemons: impl IntoIterator<Item = &'c DaemonContainers>) -> Self {
        let mut containers: BTreeMap<Cow<'_, str>, Vec<&Container>> = BTreeMap::new();
        for container in daemons.into_iter().flat_map(|daemon| &daemon.containers) {
            containers
                .entry(printable(&container.name))
                .or_default()
                .push(container);
        }
        Self { containers }
    }

    /// A rejection as it may be shown: what it quotes of a hidden value is hidden.
    pub fn rejection(&self, rejection: &Rejection) -> Rejection {
        let mut shown = rejection.clone();
        let named = self.containers.get(&printable(&rejection.container));
        let labels = || named.into_iter().flatten().flat_map(|one| &one.labels);
        // The label at fault, those below it, and where it names none, all.
        let at_fault = rejection.label.as_deref().unwrap_or_default();
        let is_at_fault = |label: &str| {
            let start = label.get(..at_fault.len());
            !at_fault.is_empty() && start.is_some_and(|start| start.eq_ignore_ascii_case(at_fault))
        };
        let is_known = labels().any(|(name, _)| is_at_fault(name));
        for (name, value) in labels() {
            let is_hidden = label(name, value) != value.as_str();
            if is_hidden && (is_at_fault(name) || !is_known) {
                // Of other labels' values, words are quoted that merely occur in them.
                let shortest = if is_known { 1 } else { SHORTEST_SECRET };
                shown.reason = without(&shown.reason, value, shortest);
                // Messages of parsers speak of quotation marks, too.
                if is_known && has_a_quote_alone(&rejection.reason) {
                    shown.reason = without_words(&shown.reason, value);
                }
                shown.hint = shown.hint.map(|hint| without(&hint, value, shortest));
            }
        }
        shown
    }
}

/// A text without what it quotes of a value.
fn without(text: &str, value: &str, shortest: usize) -> String {
    let mut text = text.to_owned();
    let url = value.split_once("://").map_or(value, |(_, rest)| rest);
    let parts = [value, url].into_iter().chain(value.split([',', '║']));
    for part in parts
        .map(str::trim)
        .filter(|part| part.len() >= SHORTEST_SECRET)
    {
        text = text.replace(part, HIDDEN);
    }
    let escaped = value.escape_debug().to_string();
    let visible = printable(value);
    let is_quoted = |quoted: &str| {
        let quoted = quoted.trim_end_matches('…');
        let places = [value, &*escaped, &*visible];
        quoted.len() >= shortest && places.iter().any(|place| place.contains(quoted))
    };
    for quote in ['`', '"'] {
        let pieces = text.split(quote).enumerate().map(|(index, piece)| {
            let is_inside = index % 2 == 1;
            if is_inside && is_quoted(piece) {
                HIDDEN
            } else {
                piece
            }
        });
        text = pieces.collect::<Vec<_>>().join(&quote.to_string());
    }
    text
}

fn has_a_quote_alone(text: &str) -> bool {
    ['`', '"']
        .iter()
        .any(|quote| text.matches(*quote).count() % 2 == 1)
}

/// A text without the words that occur in a value.
fn without_words(text: &str, value: &str) -> String {
    let is_border = |c: char| c.is_whitespace() || "`\"'(),;…".contains(c);
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_border) {
        let word = piece.trim_end_matches(is_border);
        if word.len() >= SHORTEST_SECRET && value.contains(word) {
            shown.push_str(HIDDEN);
            shown.push_str(&piece[word.len()..]);
        } else {
            shown.push_str(piece);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route_server::container::{Address, Condition};
    use crate::route_server::routes::Severity;

    #[test]
    fn a_label_that_nobody_declared_is_hidden() {
        for (name, value, shown) in [
            ("traefik.enable", "true", "true"),
            ("Traefik.Enable", "true", "true"),
            ("rediacc.service_ip", "127.0.11.2", "127.0.11.2"),
            ("rediacc.something_new", "x", HIDDEN),
            ("traefik.http.routers.a.rule", "Host(`a`)", "Host(`a`)"),
            ("traefik.http.routers.a.rule.x", "Host(`a`)", HIDDEN),
            ("traefik.http.routers.a.middlewares", "auth", "auth"),
            ("traefik.http.middlewares.a.basicauth.users", "a:b", HIDDEN),
            (
                "traefik.http.services.a.loadbalancer.server.port",
                "80",
                "80",
            ),
            (
                "traefik.http.services.a.loadbalancer.server.url",
                "http://a",
                HIDDEN,
            ),
            (
                "traefik.http.services.a.loadbalancer.healthcheck.path",
                "/x",
                HIDDEN,
            ),
            ("traefik", "x", HIDDEN),
            ("", "x", HIDDEN),
        ] {
            assert_eq!(label(name, value), shown, "{name}");
        }
    }

    #[test]
    fn a_rejection_quotes_no_hidden_value() {
        let users = "traefik.http.middlewares.a.basicauth.users";
        let url = "traefik.http.services.a.loadbalancer.server.url";
        let port = "traefik.http.services.a.loadbalancer.server.port";
        let prefix = "traefik.http.services.a";
        for (at_fault, reason, shown) in [
            (Some(users), "`s3cret` is no user", "`***` is no user"),
            (
                Some(users),
                "\"me:s3cret\" is no user",
                "\"***\" is no user",
            ),
            (Some(users), "`me:s3…", "`***"),
            (Some(users), "me:s3cret is no user", "*** is no user"),
            (
                Some(users),
                "expected ` or \", found `s3cret",
                "expected ` or \", found `***",
            ),
            (
                Some(url),
                "`me:pw@h` is not an address",
                "`***` is not an address",
            ),
            (Some(prefix), "`pw` is not a port", "`***` is not a port"),
            (
                Some(port),
                "`seventy` is not a port",
                "`seventy` is not a port",
            ),
            (None, "`s3cret` and `me` are odd", "`***` and `me` are odd"),
            (
                Some("traefik.http.routers.x"),
                "`s3cret` is odd",
                "`***` is odd",
            ),
        ] {
            let labels = [
                (users, "me:s3cret"),
                (url, "http://me:pw@h"),
                (port, "seventy"),
            ];
            let daemon = DaemonContainers {
                network_id: None,
                containers: vec![Container {
                    id: "1f".to_owned(),
                    name: "web".to_owned(),
                    created: 1,
                    labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                    condition: Condition::Ready,
                    address: Address::Host,
                    ..Container::default()
                }],
            };
            let rejection = Rejection {
                container: "web".to_owned(),
                network_id: None,
                label: at_fault.map(str::to_owned),
                reason: reason.to_owned(),
                hint: Some("as `me:s3cret` and `web`".to_owned()),
                severity: Severity::Rejection,
            };
            let answer = Disclosure::of([&daemon]).rejection(&rejection);
            assert_eq!(answer.reason, shown, "{at_fault:?}");
            let of_users =
                at_fault != Some(url) && at_fault != Some(prefix) && at_fault != Some(port);
            if of_users {
                assert_eq!(answer.hint.as_deref(), Some("as `***` and `web`"));
            }
        }
    }
}
