//! What one container gives, and why it does not give what one might expect. Pure.

use serde::Serialize;

use super::host::addresses;
use super::parts::{Part, is_external_port, labels_of, own, parts};
use super::seen::{Container, Router, Seen};
use crate::network::NetworkId;
use crate::route_server::container::Condition;
use crate::route_server::routes::Rejection;

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ContainerAnswer {
    pub(super) container: String,
    pub(super) network_id: Option<NetworkId>,
    pub(super) condition: Condition,
    pub(super) routers: Vec<RouterAnswer>,
    pub(super) rejections: Vec<Rejection>,
    /// What is served and should be looked at.
    pub(super) warnings: Vec<Rejection>,
    /// Why there is nothing, or not all.
    pub(super) missing: Vec<Missing>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct RouterAnswer {
    pub(super) protocol: &'static str,
    pub(super) name: String,
    pub(super) auto: bool,
    /// What people type.
    pub(super) addresses: Vec<String>,
    pub(super) servers: Vec<String>,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Missing {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

pub(super) fn answers(containers: &[Container], seen: &Seen) -> Vec<ContainerAnswer> {
    containers.iter().map(|one| answer(one, seen)).collect()
}

fn answer(container: &Container, seen: &Seen) -> ContainerAnswer {
    let its = |all: &[Rejection]| -> Vec<Rejection> {
        let is_its = |one: &&Rejection| {
            one.container == container.name && one.network_id == container.network_id
        };
        all.iter().filter(is_its).cloned().collect()
    };
    let rejections = its(&seen.routes.rejections);
    let warnings = its(&seen.routes.warnings);
    let mut routers = Vec::new();
    for (protocol, all) in seen.routes.protocols() {
        let mine = all
            .iter()
            .filter(|(name, router)| is_of(container, protocol, name, router, &rejections));
        routers.extend(mine.map(|(name, router)| router_answer(container, protocol, name, router)));
    }
    let mut missing = Vec::new();
    if routers.is_empty() && rejections.is_empty() {
        missing.push(why_nothing(container, seen));
    }
    let daemon = seen
        .health
        .silent()
        .find(|daemon| daemon.network_id == container.network_id);
    if let Some(daemon) = daemon {
        let hint = format!("run `docker --host unix://{} ps`", daemon.socket);
        missing.push(Missing::new(
            format!("{}: what is said here was true then", daemon.silence()),
            Some(hint),
        ));
    }
    ContainerAnswer {
        container: container.name.clone(),
        network_id: container.network_id,
        condition: container.condition,
        routers,
        rejections,
        warnings,
        missing,
    }
}

/// A router that replicas share is listed as the eldest's: the others have a part in it by the
/// same labels.
fn is_of(
    container: &Container,
    protocol: &str,
    name: &str,
    router: &Router,
    rejections: &[Rejection],
) -> bool {
    if router.network_id != container.network_id {
        return false;
    }
    if router.container.as_deref() == Some(&container.name) {
        return true;
    }
    let shares = if is_external_port(name, router) {
        let asking = container.label(&format!("rediacc.{protocol}_ports"));
        let (service, port) = own(name, router).rsplit_once('.').unwrap_or_default();
        container.service() == Some(service)
            && asking.is_some_and(|ports| ports.split(',').any(|other| other.trim() == port))
    } else if router.auto {
        container.label("traefik.enable").is_none()
            && container
                .service()
                .is_some_and(|service| own(name, router) == service.to_lowercase())
    } else {
        !labels_of(
            container,
            &format!("traefik.{protocol}.routers.{}.", own(name, router)),
        )
        .is_empty()
    };
    shares && rejections.is_empty() && container.condition == Condition::Ready
}

fn router_answer(
    container: &Container,
    protocol: &'static str,
    name: &str,
    router: &Router,
) -> RouterAnswer {
    RouterAnswer {
        protocol,
        name: name.to_owned(),
        auto: router.auto,
        addresses: addresses(protocol, router),
        servers: router.servers.clone(),
        parts: parts(container, protocol, name, router),
    }
}

/// Why a container that was not rejected has no router.
fn why_nothing(container: &Container, seen: &Seen) -> Missing {
    let own_route =
        Some("add the labels `traefik.enable=true` and `traefik.http.routers.NAME.rule=…`");
    let (reason, hint) = match container.condition {
        _ if container.is_one_off() => (
            "it is a task of `docker compose run`, and has none of its service's routes",
            Some("start the service itself with `renet compose`"),
        ),
        Condition::NotRunning => ("it is not running", Some("run `docker start` on it")),
        Condition::Unhealthy => (
            "its health check has not passed",
            Some("run `docker inspect` on it to see what the check says"),
        ),
        Condition::Ready => match container.label("traefik.enable") {
            Some(enable) if is_on(enable) => (
                "its labels come to no router",
                Some("add the label `traefik.http.routers.NAME.rule=…`"),
            ),
            Some(_) => (
                "the label traefik.enable says that it has no route",
                Some("set it to true, or remove it for the auto route"),
            ),
            None if !seen.health.auto_routes => ("auto routes are off on this machine", own_route),
            None if container.service().is_none() => (
                "it has no label rediacc.service_name, which an auto route is made of",
                Some("start it with `renet compose`"),
            ),
            None if container.network_id.is_none() => (
                "it belongs to no repository, and auto routes are named after one",
                own_route,
            ),
            None if seen.health.base_domain.is_none() => (
                "this machine has no base domain, which auto routes are below",
                Some("run `rdc context set-infra MACHINE --base-domain …`, then push-infra"),
            ),
            None => (
                "the only port that is known of it belongs to a protocol that is not HTTP",
                Some("set `rediacc.service_port` to its HTTP port, or `rediacc.tcp_ports`"),
            ),
        },
    };
    Missing::new(reason.to_owned(), hint.map(str::to_owned))
}

/// As the labels' booleans are read: what is no boolean was rejected.
fn is_on(enable: &str) -> bool {
    matches!(enable, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

impl Missing {
    fn new(reason: String, hint: Option<String>) -> Self {
        Self { reason, hint }
    }
}
