//! Whether each name that a route serves by TLS has a certificate. Traefik itself is asked, by the
//! handshake that any client makes: that holds for certificates from everywhere, whatever lies on the
//! disk. Why one is missing is told by Traefik's journal.
//!
//! ```text
//! route server: routes ─► names ─► handshakes ─► what is not valid ─► journal: why
//! ```

mod attempts;
mod handshake;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::acme_storage::{self, Opened};
use super::generation::Generation;
use super::route_server::{self, SecureName};
use super::systemd;
use super::x509::{self, Leaf};
use crate::bundle::{Https, Served, Uncertified};
use crate::layout;
use attempts::Attempts;
use handshake::Seen;

/// How long a status looks at certificates: at some hundred of them. Each costs Traefik a signature,
/// which may take it 10 ms.
const STATUS_TIME: Duration = Duration::from_secs(2);
/// What a route that is new, or a certificate that has just come, takes until it shows.
const SETTLING: Duration = Duration::from_secs(1);
/// How long a push does, which has to be fast; and at how many names.
const PUSH_TIME: Duration = Duration::from_millis(300);
const PUSH_NAMES: usize = 20;
/// Traefik's journal is read backwards, so many lines of it at most.
const JOURNAL_LINES: usize = 20_000;
/// The common name of the certificate that Traefik makes for itself.
const TRAEFIK_DEFAULT: &str = "TRAEFIK DEFAULT CERT";
/// What is in the names of Let's Encrypt's authorities for tests, which nobody trusts.
const TEST_ISSUERS: [&str; 2] = ["(STAGING)", "Fake LE"];

/// Looks at the certificates of all names. What may just be on its way is looked at twice.
pub(super) fn look(names: &[SecureName], live: &Generation) -> Https {
    let first = look_once(names, live);
    let may_be_on_its_way = |name: &Uncertified| {
        let has_failed = name
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.failed.is_some());
        let is_served = matches!(name.served, Served::Untrusted { .. });
        name.resolver.is_some() && !has_failed && !is_served
    };
    if !first.wanting.iter().any(may_be_on_its_way) {
        return first;
    }
    thread::sleep(SETTLING);
    look_once(names, live)
}

/// Opens a TLS connection for a name; and what is wrong with the certificate that is served for it.
pub(super) fn open(
    at: SocketAddr,
    name: &str,
    time: Duration,
) -> io::Result<(impl Read + Write, Option<Served>)> {
    let (opened, seen) = handshake::open(at, name, time)?;
    Ok((opened, seen.judge(name, SystemTime::now())))
}

fn look_once(names: &[SecureName], live: &Generation) -> Https {
    let now = SystemTime::now();
    let addresses = addresses(live);
    // What no entry point serves is not served without a certificate.
    let mut names: Vec<&SecureName> = names
        .iter()
        .filter(|name| address(name, &addresses).is_some())
        .collect();
    // The time may not be enough for all: first those that nothing else tells of.
    let stored = stored(now);
    names.sort_by_key(|name| is_covered(name, &stored));
    let mut https = Https::default();
    for (name, seen) in names.iter().zip(served(&names, &addresses, STATUS_TIME)) {
        match seen.map(|seen| seen.judge(&name.name, now)) {
            None => https.unasked += 1,
            Some(None) => https.valid += 1,
            Some(Some(served)) => https.wanting.push(Uncertified {
                name: name.name.clone(),
                resolver: name.resolver.clone(),
                served,
                attempt: None,
            }),
        }
    }
    https.wanting.sort_by(|a, b| a.name.cmp(&b.name));
    if https
        .wanting
        .iter()
        .any(|wanting| wanting.resolver.is_some())
    {
        let attempts = Attempts::read(&journal());
        for wanting in &mut https.wanting {
            if let Some(resolver) = &wanting.resolver {
                wanting.attempt = attempts.of(&wanting.name, resolver, now);
            }
        }
    }
    https
}

/// The names without a valid certificate, looked at within the little time that a push has: only
/// those are asked for that Traefik's storage has nothing for. None where that cannot be told.
fn uncertified(live: &Generation) -> Vec<String> {
    let Ok(routes) = route_server::routes() else {
        return Vec::new();
    };
    let now = SystemTime::now();
    let stored = stored(now);
    let names = routes.secure_names();
    let open: Vec<&SecureName> = names
        .iter()
        .filter(|name| !is_covered(name, &stored))
        .take(PUSH_NAMES)
        .collect();
    let looked = served(&open, &addresses(live), PUSH_TIME);
    open.iter()
        .zip(looked)
        .filter(|(name, seen)| {
            let wrong = seen.as_ref().and_then(|seen| seen.judge(&name.name, now));
            wrong.is_some_and(|served| !matches!(served, Served::Untrusted { .. }))
        })
        .map(|(name, _)| name.name.clone())
        .collect()
}

/// The valid certificates in Traefik's storage; none where it cannot be read.
fn stored(now: SystemTime) -> Vec<Leaf> {
    let opened = acme_storage::open(layout::ACME_STORAGE).ok().flatten();
    let storage = opened
        .filter(Opened::is_file)
        .and_then(|opened| opened.storage(layout::ACME_STORAGE).ok()?.ok())
        .unwrap_or_default();
    let leaves = storage.used().filter_map(|stored| stored.leaf().ok());
    leaves.filter(|leaf| leaf.is_valid_at(now)).collect()
}

fn is_covered(name: &SecureName, leaves: &[Leaf]) -> bool {
    leaves.iter().any(|leaf| leaf.covers(&name.name))
}

/// Where a generation's entry points listen, by their names.
fn addresses(live: &Generation) -> BTreeMap<String, SocketAddr> {
    let binds = live.binds().into_iter();
    binds
        .filter(|bind| !bind.entrypoint.listener.is_udp())
        .map(|bind| (bind.entrypoint.to_string(), bind.socket()))
        .collect()
}

/// One of the addresses where a name is served, `websecure` before `web`: Traefik has the same
/// certificates at all of them.
fn address(name: &SecureName, addresses: &BTreeMap<String, SocketAddr>) -> Option<SocketAddr> {
    let mut entrypoints = name.entrypoints.iter().rev();
    entrypoints.find_map(|entrypoint| addresses.get(entrypoint).copied())
}

/// What Traefik serves for each name; none for one that there was no time for. A name that was not
/// asked for itself is judged by a certificate that was served for another one.
fn served(
    names: &[&SecureName],
    addresses: &BTreeMap<String, SocketAddr>,
    time: Duration,
) -> Vec<Option<Seen>> {
    let questions: Vec<(SocketAddr, &str)> = names
        .iter()
        .filter_map(|name| Some((address(name, addresses)?, name.name.as_str())))
        .collect();
    let answers = handshake::ask(&questions, Instant::now() + time);
    let by_name: BTreeMap<&str, &Seen> = questions
        .iter()
        .zip(&answers)
        .filter_map(|((_, name), seen)| Some((*name, seen.as_ref()?)))
        .collect();
    let other = |name: &str| {
        let mut seen = by_name.values().copied();
        seen.find(|seen| matches!(seen, Seen::Certificate(leaf) if leaf.covers(name)))
    };
    names
        .iter()
        .map(|SecureName { name, .. }| {
            let own = by_name.get(name.as_str()).copied();
            own.or_else(|| other(name)).cloned()
        })
        .collect()
}

/// What the Traefik that runs has logged, the latest line first.
fn journal() -> String {
    let invocation = systemd::property(layout::PROXY_SERVICE, "InvocationID").unwrap_or_default();
    systemd::journal_of_run(layout::PROXY_SERVICE, &invocation, JOURNAL_LINES)
}

impl Seen {
    /// What is wrong with what was served for a name; none where it is a valid certificate.
    fn judge(&self, name: &str, now: SystemTime) -> Option<Served> {
        let leaf = match self {
            Self::Certificate(leaf) => leaf,
            Self::Nothing(error) => {
                return Some(Served::Nothing {
                    error: error.clone(),
                });
            }
        };
        let rfc3339 =
            |seconds| humantime::format_rfc3339_seconds(x509::moment(seconds)).to_string();
        if leaf.common_name == TRAEFIK_DEFAULT {
            Some(Served::Default)
        } else if !leaf.covers(name) {
            Some(Served::Other {
                names: leaf.names.clone(),
            })
        } else if x509::seconds(now) > leaf.not_after {
            Some(Served::Expired {
                not_after: rfc3339(leaf.not_after),
            })
        } else if !leaf.is_valid_at(now) {
            Some(Served::NotYetValid {
                not_before: rfc3339(leaf.not_before),
            })
        } else {
            let is_for_tests = TEST_ISSUERS.iter().any(|word| leaf.issuer.contains(word));
            (leaf.is_self_signed || is_for_tests).then(|| Served::Untrusted {
                issuer: leaf.issuer.clone(),
            })
        }
    }
}

/// What a push that leaves Traefik as it runs should tell of names without a certificate.
pub(super) fn warning(live: &Generation) -> Option<String> {
    /// How many names are given of many.
    const NAMED: usize = 3;
    let names = uncertified(live);
    let (named, more) = names.split_at(names.len().min(NAMED));
    let more = match more.len() {
        0 => String::new(),
        more if names.len() == PUSH_NAMES => format!(" and at least {more} more"),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| {
        format!(
            "no valid certificate is served for {}{more}, and this push does not have Traefik try \
             again: it does so when any route changes and when it starts; \
             `rdc context status-infra MACHINE` tells why there is none",
            named.join(", ")
        )
    })
}
