//! The parts of a router, and which labels made each. Pure.

use serde::Serialize;

use super::seen::{Container, Router};
use crate::repository::daemon::{NETWORK_ID, SERVICE_IP, SERVICE_NAME, SERVICE_PORT};

/// One part of a router, and what made it so.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    pub(super) part: &'static str,
    pub(super) value: String,
    /// The labels behind it.
    pub(super) labels: Vec<String>,
    /// What decided where no label did.
    pub(super) otherwise: Option<&'static str>,
}

/// What there is to say of a router that a container has a part in.
pub(super) fn parts(
    container: &Container,
    protocol: &str,
    name: &str,
    router: &Router,
) -> Vec<Part> {
    if is_external_port(name, router) {
        external_port_parts(container, protocol, router)
    } else if router.auto {
        auto_parts(container, router)
    } else {
        labelled_parts(container, protocol, name, router)
    }
}

/// The name as labels have it.
pub(super) fn own<'n>(name: &'n str, router: &Router) -> &'n str {
    let suffix = router.network_id.map(|id| format!("-{id}"));
    let without = suffix.and_then(|suffix| name.strip_suffix(&suffix));
    without.unwrap_or(name)
}

/// External ports that are handed out are `{service}.{port}`, which no name from a label can be.
pub(super) fn is_external_port(name: &str, router: &Router) -> bool {
    own(name, router).contains('.')
}

pub(super) fn labels_of(container: &Container, prefix: &str) -> Vec<String> {
    let prefix = prefix.to_lowercase();
    let labels = container.labels.keys();
    labels
        .filter(|label| label.to_lowercase().starts_with(&prefix))
        .cloned()
        .collect()
}

fn external_port_parts(container: &Container, protocol: &str, router: &Router) -> Vec<Part> {
    let asking = labels_of(container, &format!("rediacc.{protocol}_ports"));
    let ip = labels_of(container, SERVICE_IP);
    vec![
        Part::new("entry points", router.entry_points.join(", "))
            .labels(asking.clone())
            .otherwise("the external port that this machine keeps for it, see /ports"),
        Part::new("servers", router.servers.join(", ")).labels([asking, ip].concat()),
    ]
}

fn auto_parts(container: &Container, router: &Router) -> Vec<Part> {
    let present = |labels: &[&str]| -> Vec<String> {
        let known = labels
            .iter()
            .filter(|label| container.labels.contains_key(**label));
        known.map(|label| (*label).to_owned()).collect()
    };
    let tls = if router.tls.is_null() { "none" } else { "on" };
    let port_from = match container.exposed_tcp_ports.is_empty() {
        true => "port 80, since neither label nor image names one",
        false => "the image's exposed port",
    };
    vec![
        Part::new("rule", router.rule.clone().unwrap_or_default())
            .labels(present(&[SERVICE_NAME, NETWORK_ID]))
            .otherwise("with the machine's base domain"),
        Part::new("entry points", router.entry_points.join(", "))
            .otherwise("the machine's, for an auto route"),
        Part::new("servers", router.servers.join(", "))
            .labels(present(&[SERVICE_IP, SERVICE_PORT]))
            .or(port_from, container.label(SERVICE_PORT).is_none()),
        Part::new("tls", tls.to_owned()).otherwise("as the machine's certificate resolver is set"),
    ]
}

fn labelled_parts(container: &Container, protocol: &str, name: &str, router: &Router) -> Vec<Part> {
    let base = format!("traefik.{protocol}.routers.{}", own(name, router));
    let of_router = |part: &str| {
        let mut labels = labels_of(container, &format!("{base}.{part}"));
        labels.retain(|label| {
            let rest = label.get(base.len() + 1 + part.len()..).unwrap_or_default();
            rest.is_empty() || rest.starts_with(['.', '['])
        });
        labels
    };
    let service = router.service.as_deref().unwrap_or_default();
    let of_servers = labels_of(
        container,
        &format!("traefik.{protocol}.services.{}.", own(service, router)),
    );
    let mut of_address = labels_of(container, SERVICE_IP);
    if of_address.is_empty() {
        of_address = labels_of(container, "traefik.docker.network");
    }

    let mut parts = Vec::new();
    if let Some(rule) = &router.rule {
        let part = Part::new("rule", rule.clone()).labels(of_router("rule"));
        parts.push(part.otherwise_if_unlabelled("the default rule"));
    }
    parts.push(
        Part::new("entry points", router.entry_points.join(", "))
            .labels(of_router("entrypoints"))
            .otherwise_if_unlabelled("the default ones"),
    );
    parts.push(
        Part::new("service", service.to_owned())
            .labels(of_router("service"))
            .otherwise_if_unlabelled("the container's only one"),
    );
    parts.push(
        Part::new("servers", router.servers.join(", "))
            .labels([of_servers, of_address].concat())
            .otherwise_if_unlabelled("the container's address and exposed port"),
    );
    for middleware in &router.middlewares {
        let base = format!(
            "traefik.{protocol}.middlewares.{}.",
            own(middleware, router)
        );
        let labels = [of_router("middlewares"), labels_of(container, &base)].concat();
        parts.push(Part::new("middleware", middleware.clone()).labels(labels));
    }
    if !router.tls.is_null() {
        let part = Part::new("tls", "on".to_owned()).labels(of_router("tls"));
        parts.push(part.otherwise_if_unlabelled("its entry point is HTTPS"));
    }
    if let Some(priority) = router.priority {
        parts.push(Part::new("priority", priority.to_string()).labels(of_router("priority")));
    }
    parts
}

impl Part {
    fn new(part: &'static str, value: String) -> Self {
        Self {
            part,
            value,
            labels: Vec::new(),
            otherwise: None,
        }
    }

    fn labels(self, labels: Vec<String>) -> Self {
        Self { labels, ..self }
    }

    fn otherwise(self, otherwise: &'static str) -> Self {
        self.or(otherwise, true)
    }

    fn otherwise_if_unlabelled(self, otherwise: &'static str) -> Self {
        let is_unlabelled = self.labels.is_empty();
        self.or(otherwise, is_unlabelled)
    }

    fn or(self, otherwise: &'static str, holds: bool) -> Self {
        Self {
            otherwise: holds.then_some(otherwise),
            ..self
        }
    }
}
