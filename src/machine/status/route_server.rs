//! What the route server says of itself, by its own endpoints on loopback.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::super::failed;
use crate::bundle::{Failure, RouteServer};
use crate::layout;
use crate::loopback::{self, Patience};

/// How long it may take to answer: it has everything in its memory.
const PATIENCE: Patience = Patience::of(Duration::from_secs(5));
/// How much of an answer is read.
const LIMIT: u64 = 256 * 1024 * 1024;

/// What it says of its routes and its daemons; also while its routes are not complete.
pub(super) fn ask() -> Result<RouteServer, Failure> {
    let body = get("/health")?;
    serde_json::from_str(&body).map_err(|error| nonsense("/health", &error))
}

/// The names that the routes of containers ask for.
pub(super) fn routed_names() -> Result<BTreeSet<String>, Failure> {
    let body = get("/routes.json")?;
    let routes = serde_json::from_str(&body).map_err(|error| nonsense("/routes.json", &error))?;
    Ok(names(&routes))
}

/// The parts of `/routes.json` that tell names.
#[derive(Deserialize)]
struct Routes {
    http: Protocol,
    tcp: Protocol,
}

#[derive(Deserialize)]
struct Protocol {
    routers: std::collections::BTreeMap<String, Router>,
}

#[derive(Deserialize)]
struct Router {
    rule: Option<String>,
}

/// Everything between backquotes in the rules: host names, and what is none and matches none.
fn names(routes: &Routes) -> BTreeSet<String> {
    let routers = [&routes.http, &routes.tcp];
    let rules = routers
        .into_iter()
        .flat_map(|protocol| protocol.routers.values())
        .filter_map(|router| router.rule.as_deref());
    rules
        .flat_map(|rule| rule.split('`').skip(1).step_by(2))
        .map(str::to_ascii_lowercase)
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

    #[test]
    fn the_names_in_all_rules_are_found() {
        let json = r#"{
            "http": {"routers": {
                "a": {"rule": "Host(`App.example.test`) && PathPrefix(`/x`)", "service": "a"},
                "b": {"rule": "Host(`b.example.test`) || Host(`c.example.test`)"}
            }},
            "tcp": {"routers": {"t": {"rule": "HostSNI(`db.example.test`)"}, "n": {"rule": null}}},
            "udp": {"routers": {}}
        }"#;
        let routes = serde_json::from_str(json).expect("JSON");
        let found: Vec<String> = names(&routes).into_iter().collect();
        assert_eq!(
            found,
            [
                "/x",
                "app.example.test",
                "b.example.test",
                "c.example.test",
                "db.example.test"
            ]
        );
    }
}
