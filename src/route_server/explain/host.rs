//! Which router answers a host, by the rules that are served. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::seen::{Health, Router, Seen};
use crate::network::NetworkId;
use crate::ownership::HostName;
use crate::route_server::ownership::Owned;
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};
use crate::traefik::labels;
use crate::traefik::rule::Rule;

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct HostAnswer {
    pub(super) host: String,
    /// Whose the name is; none where nobody has taken it.
    pub(super) owners: Vec<Owned>,
    /// Those whose rules name the host, the one that Traefik asks first at the front.
    pub(super) answered_by: Vec<Answering>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Answering {
    pub(super) protocol: &'static str,
    pub(super) router: String,
    pub(super) rule: String,
    pub(super) addresses: Vec<String>,
    pub(super) servers: Vec<String>,
    pub(super) container: Option<String>,
    pub(super) network_id: Option<NetworkId>,
    #[serde(skip)]
    priority: i64,
}

/// The host of what people copy from a browser.
pub(super) fn name(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let spelled = host.parse().map(|name: HostName| name.to_string());
    spelled.unwrap_or_else(|_| host.trim_end_matches('.').to_ascii_lowercase())
}

/// The routers whose rules name a host, and its owners; none where there are neither.
pub(super) fn answer(host: &str, seen: &Seen) -> Option<HostAnswer> {
    let mut answered_by: Vec<Answering> = Vec::new();
    for (protocol, routers) in seen.routes.protocols() {
        let named = routers.iter().filter(|(_, router)| is_for(router, host));
        answered_by.extend(named.map(|(name, router)| answering(protocol, name, router)));
    }
    answered_by.sort_by(|a, b| {
        b.priority
            .cmp(&a.priority)
            .then_with(|| a.router.cmp(&b.router))
    });
    let domain = host
        .split_once('.')
        .map(|(_, domain)| format!("*.{domain}"));
    let owned = seen.routes.owners.iter();
    let owners = owned.filter(|one| {
        one.resource == host
            || domain
                .as_ref()
                .is_some_and(|domain| one.resource == *domain)
    });
    let owners: Vec<Owned> = owners.cloned().collect();
    (!answered_by.is_empty() || !owners.is_empty()).then(|| HostAnswer {
        host: host.to_owned(),
        owners,
        answered_by,
    })
}

/// Whether a router's rule names a host, be it by a wildcard that does not except it.
fn is_for(router: &Router, host: &str) -> bool {
    let rule = router.rule.as_deref().map(Rule::parse_unbounded);
    let Some(Ok(rule)) = rule else { return false };
    let named = rule.reach().named;
    if named.contains(&host) {
        return true;
    }
    let domain = host.split_once('.').map(|(_, domain)| domain);
    let has_wildcard = named.iter().any(|name| name.strip_prefix("*.") == domain);
    domain.is_some() && has_wildcard && !rule.mentioned_hosts().contains(&host)
}

fn answering(protocol: &'static str, name: &str, router: &Router) -> Answering {
    let rule = router.rule.clone().unwrap_or_default();
    // Traefik's own: without a priority, or with 0, the longer rule is asked first.
    let length = i64::try_from(rule.len()).unwrap_or(i64::MAX);
    Answering {
        protocol,
        router: name.to_owned(),
        addresses: addresses(protocol, router),
        servers: router.servers.clone(),
        container: router.container.clone(),
        network_id: router.network_id,
        priority: router
            .priority
            .filter(|priority| *priority != 0)
            .unwrap_or(length),
        rule,
    }
}

/// The host or name that somebody may have meant.
pub(super) fn nearest(subject: &str, seen: &Seen) -> Option<String> {
    let mut names = BTreeSet::new();
    for (_, routers) in seen.routes.protocols() {
        for router in routers.values() {
            names.extend(hosts(router));
            names.extend(router.container.clone());
        }
    }
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    labels::nearest(&name(subject), &words).map(str::to_owned)
}

/// The service that a host below the base domain belongs to: `{service}-{network id}.{domain}`.
pub(super) fn service_of(host: &str, health: &Health) -> Option<(String, NetworkId)> {
    let domain = health.base_domain.as_deref()?;
    let name = host.strip_suffix(domain)?.strip_suffix('.')?;
    let (service, id) = name.rsplit_once('-')?;
    Some((service.to_owned(), id.parse().ok()?))
}

/// What people type to reach a router: a host for each that its rule names, on each port.
pub(super) fn addresses(protocol: &str, router: &Router) -> Vec<String> {
    let entrypoints = router
        .entry_points
        .iter()
        .filter_map(|name| name.parse().ok());
    // Both families are one address to people.
    let listeners: BTreeSet<Listener> = entrypoints
        .map(|entrypoint: Entrypoint| match entrypoint.family {
            Family::V4 | Family::V6 => entrypoint.listener,
        })
        .collect();
    let mut hosts = hosts(router);
    if hosts.is_empty() {
        hosts.push("<the machine's address>".to_owned());
    }
    let secure = !router.tls.is_null();
    let address = |host: &String, listener: Listener| match (listener, protocol) {
        (Listener::Web, "http") => format!("http://{host}/"),
        (Listener::WebSecure, "http") => format!("https://{host}/"),
        (_, "http") if secure => format!("https://{host}:{}/", listener.port()),
        (_, "http") => format!("http://{host}:{}/", listener.port()),
        _ => format!("{host}:{}", listener.port()),
    };
    let each = hosts.iter().flat_map(|host| {
        listeners
            .iter()
            .map(move |listener| address(host, *listener))
    });
    each.collect()
}

/// The hosts that a rule names. One that nobody can read, Traefik does not answer either.
fn hosts(router: &Router) -> Vec<String> {
    let rule = router.rule.as_deref().map(Rule::parse_unbounded);
    match rule {
        Some(Ok(rule)) => rule.reach().named.into_iter().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
