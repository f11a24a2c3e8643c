//! What the endpoints say, as far as it is needed to explain: `/routes.json`, `/containers.json`
//! and `/health`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::ask::Server;
use super::host;
use crate::network::NetworkId;
use crate::repository::daemon::{ONE_OFF, SERVICE_NAME};
use crate::route_server::container::Condition;
use crate::route_server::ownership::Owned;
use crate::route_server::routes::Rejection;

/// The answers that belong together.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) url: String,
    pub(super) routes: Routes,
    /// Those of the name that was asked for.
    pub(super) containers: Vec<Container>,
    pub(super) health: Health,
}

/// `/routes.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Routes {
    pub(super) http: Protocol,
    pub(super) tcp: Protocol,
    pub(super) udp: Protocol,
    /// Who owns which names.
    #[serde(default)]
    pub(super) owners: Vec<Owned>,
    pub(super) rejections: Vec<Rejection>,
    #[serde(default)]
    pub(super) warnings: Vec<Rejection>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Protocol {
    pub(super) routers: BTreeMap<String, Router>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Router {
    pub(super) rule: Option<String>,
    #[serde(rename = "entryPoints")]
    pub(super) entry_points: Vec<String>,
    pub(super) service: Option<String>,
    pub(super) servers: Vec<String>,
    pub(super) middlewares: Vec<String>,
    pub(super) tls: Value,
    pub(super) priority: Option<i64>,
    pub(super) container: Option<String>,
    pub(super) network_id: Option<NetworkId>,
    pub(super) auto: bool,
}

/// `/containers.json`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Containers {
    pub(super) containers: Vec<Container>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) network_id: Option<NetworkId>,
    pub(super) condition: Condition,
    pub(super) exposed_tcp_ports: Vec<u16>,
    /// What is not shown is `***`: no label that matters here is.
    pub(super) labels: BTreeMap<String, String>,
}

/// `/health`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Health {
    pub(super) base_domain: Option<String>,
    pub(super) auto_routes: bool,
    pub(super) daemons: Vec<Daemon>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Daemon {
    pub(super) socket: String,
    pub(super) network_id: Option<NetworkId>,
    pub(super) state: String,
    pub(super) since: String,
    pub(super) error: Option<String>,
}

impl Routes {
    pub(super) fn protocols(&self) -> [(&'static str, &BTreeMap<String, Router>); 3] {
        [
            ("http", &self.http.routers),
            ("tcp", &self.tcp.routers),
            ("udp", &self.udp.routers),
        ]
    }
}

impl Container {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// Whether `docker compose run` started it.
    pub(super) fn is_one_off(&self) -> bool {
        self.label(ONE_OFF)
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    pub(super) fn service(&self) -> Option<&str> {
        self.label(SERVICE_NAME)
    }
}

impl Health {
    /// The daemons of which only the past is known, or nothing.
    pub(super) fn silent(&self) -> impl Iterator<Item = &Daemon> {
        self.daemons.iter().filter(|daemon| daemon.state != "live")
    }
}

impl Daemon {
    pub(super) fn silence(&self) -> String {
        let Self {
            socket,
            network_id: _,
            state,
            since,
            error,
        } = self;
        let error = error.as_ref().map(|error| format!(" ({error})"));
        format!(
            "the daemon at {socket} is {state} since {since}{}",
            error.unwrap_or_default()
        )
    }
}

/// Asks for all that belongs to a container or host.
pub(super) fn look(server: &Server, subject: &str) -> anyhow::Result<Seen> {
    let health: Health = server.get("/health")?;
    let routes = server.get("/routes.json")?;
    let called = |name: &str| -> anyhow::Result<Vec<Container>> {
        // Nothing else is a name, and nothing else may stand in a request.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Ok(Vec::new());
        }
        let Containers { containers } = server.get(&format!("/containers.json?name={name}"))?;
        Ok(containers)
    };
    let mut containers = called(subject)?;
    if containers.is_empty() {
        // The host that a service would have says which one it is.
        if let Some((service, id)) = host::service_of(&host::name(subject), &health) {
            containers = called(&service)?;
            containers.retain(|container| container.network_id == Some(id));
        }
    }
    Ok(Seen {
        url: server.url(),
        routes,
        containers,
        health,
    })
}
