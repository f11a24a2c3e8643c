//! What the route server says of itself and of its routes, by its own endpoints on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::failed;
use crate::bundle::{Failure, RouteServer};
use crate::layout;
use crate::loopback::{self, Patience};
use crate::traefik::rule::Rule;

/// How long it may take to answer: it has everything in its memory.
const PATIENCE: Patience = Patience::of(Duration::from_secs(5));
/// How much of an answer is read.
const LIMIT: u64 = 256 * 1024 * 1024;

/// What it says of its routes and its daemons; also while its routes are not complete.
pub(super) fn ask() -> Result<RouteServer, Failure> {
    read("/health")
}

/// The routes of containers.
pub(super) fn routes() -> Result<Routes, Failure> {
    read("/routes.json")
}

/// What it answers to a path.
pub(super) fn read<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    let body = get(path)?;
    serde_json::from_str(&body).map_err(|error| nonsense(path, &error))
}

/// The parts of `/routes.json` that tell names.
#[derive(Debug, Deserialize)]
pub(super) struct Routes {
    http: Protocol,
    tcp: Protocol,
}

#[derive(Debug, Deserialize)]
struct Protocol {
    routers: BTreeMap<String, Router>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Router {
    rule: Option<String>,
    #[serde(default)]
    entry_points: Vec<String>,
    tls: Option<Tls>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    #[serde(default)]
    passthrough: bool,
    cert_resolver: Option<String>,
}

/// A host name for which Traefik itself has to have a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecureName {
    /// The name in lower case; its first label may be `*`.
    pub(super) name: String,
    /// The certificate resolver that some route of it names.
    pub(super) resolver: Option<String>,
    /// Where it is served.
    pub(super) entrypoints: BTreeSet<String>,
}

impl Routes {
    /// All host names that routes are for.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let rules = self.routers().filter_map(Router::rule);
        rules.flat_map(|rule| hosts(&rule)).collect()
    }

    /// The host names whose TLS ends at Traefik, ordered. Where the application has the certificate
    /// there is none to look for, nor where a rule has no name.
    pub(super) fn secure_names(&self) -> Vec<SecureName> {
        let mut names: BTreeMap<String, SecureName> = BTreeMap::new();
        for router in self.routers() {
            let Some(tls) = router.tls.as_ref().filter(|tls| !tls.passthrough) else {
                continue;
            };
            for host in router.rule().iter().flat_map(hosts) {
                let name = names.entry(host.clone()).or_insert_with(|| SecureName {
                    name: host,
                    resolver: None,
                    entrypoints: BTreeSet::new(),
                });
                name.resolver = name.resolver.take().or_else(|| tls.cert_resolver.clone());
                name.entrypoints.extend(router.entry_points.iter().cloned());
            }
        }
        names.into_values().collect()
    }

    fn routers(&self) -> impl Iterator<Item = &Router> {
        [&self.http, &self.tcp]
            .into_iter()
            .flat_map(|protocol| protocol.routers.values())
    }
}

impl Router {
    /// Its rule; Traefik has no router with one that cannot be understood.
    fn rule(&self) -> Option<Rule> {
        Rule::parse_unbounded(self.rule.as_deref()?).ok()
    }
}

/// The hosts in a rule that are names.
fn hosts(rule: &Rule) -> Vec<String> {
    let hosts = rule.hosts().into_iter();
    hosts
        .map(|host| host.trim_end_matches('.').to_ascii_lowercase())
        .filter(|host| !host.is_empty() && host != "*" && host.parse::<IpAddr>().is_err())
        .collect()
}

fn get(path: &str) -> Result<String, Failure> {
    let answer = loopback::get(layout::ROUTE_SERVER, path, PATIENCE, LIMIT).map_err(|error| {
        failed(format!(
            "the route server does not answer at http://{}{path}: {error}",
            layout::ROUTE_SERVER
        ))
    })?;
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) => Ok(body.to_owned()),
        None => Err(nonsense(path, &"it is no HTTP")),
    }
}

fn nonsense(path: &str, error: &dyn std::fmt::Display) -> Failure {
    failed(format!(
        "the route server's answer at http://{}{path} cannot be read: {error}",
        layout::ROUTE_SERVER
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(json: &str) -> Routes {
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn the_names_in_all_rules_are_found() {
        let routes = routes(
            r#"{
            "http": {"routers": {
                "a": {"rule": "Host(`App.example.test`) && PathPrefix(`/x`)", "service": "a"},
                "b": {"rule": "Host(`b.example.test`) || Host(`c.example.test`)"}
            }},
            "tcp": {"routers": {"t": {"rule": "HostSNI(`db.example.test`)"}, "n": {"rule": null}}},
            "udp": {"routers": {}}
        }"#,
        );
        let found: Vec<String> = routes.names().into_iter().collect();
        assert_eq!(
            found,
            [
                "app.example.test",
                "b.example.test",
                "c.example.test",
                "db.example.test"
            ]
        );
    }

    #[test]
    fn a_name_needs_a_certificate_where_its_tls_ends_at_traefik() {
        let routes = routes(
            r#"{
            "http": {"routers": {
                "plain": {"rule": "Host(`plain.test`)", "entryPoints": ["web"], "tls": null},
                "own": {"rule": "Host(`Own.test.`)", "entryPoints": ["websecure"], "tls": {}},
                "a": {"rule": "Host(`app.test`) && !Host(`no.test`)", "entryPoints": ["websecure"],
                      "tls": {"certResolver": "letsencrypt", "domains": [{"main": "test"}]}},
                "a-v6": {"rule": "Host(`app.test`)", "entryPoints": ["websecure-v6"], "tls": {}},
                "wild": {"rule": "Host(`*.wild.test`)", "entryPoints": ["websecure"], "tls": {}},
                "nameless": {"rule": "PathPrefix(`/x`) || HostRegexp(`^a.+$`)", "tls": {}},
                "address": {"rule": "Host(`10.0.0.1`)", "tls": {}}
            }},
            "tcp": {"routers": {
                "through": {"rule": "HostSNI(`through.test`)", "tls": {"passthrough": true}},
                "all": {"rule": "HostSNI(`*`)", "tls": {"certResolver": "letsencrypt"}},
                "db": {"rule": "HostSNI(`db.test`)", "entryPoints": ["tcp-5432"],
                       "tls": {"passthrough": false, "certResolver": "letsencrypt"}}
            }}
        }"#,
        );
        let found: Vec<String> = routes
            .secure_names()
            .into_iter()
            .map(|name| {
                let resolver = name.resolver.as_deref().unwrap_or("-");
                let entrypoints: Vec<String> = name.entrypoints.into_iter().collect();
                format!("{} {resolver} {}", name.name, entrypoints.join(","))
            })
            .collect();
        assert_eq!(
            found,
            [
                "*.wild.test - websecure",
                "app.test letsencrypt websecure,websecure-v6",
                "db.test letsencrypt tcp-5432",
                "own.test - websecure",
            ]
        );
    }
}
