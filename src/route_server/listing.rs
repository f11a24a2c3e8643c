//! The routes as people and programs read them, `/routes.json`: each router with the servers it
//! leads to and the container it comes from. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::routes::{Origin, Routes, Severity};
use crate::traefik::dynamic::{Http, Tcp, Udp};

/// The whole document. The maps of a protocol are there even when they are empty.
pub fn listing(routes: &Routes) -> Result<Value, serde_json::Error> {
    let Http {
        routers,
        services,
        middlewares,
    } = &routes.config.http;
    let services = to_value(services)?;
    let http = json!({
        "routers": router_listing(routers, &services, &routes.origins.http)?,
        "services": services,
        "middlewares": to_value(middlewares)?,
    });

    let Tcp {
        routers,
        services,
        middlewares,
    } = &routes.config.tcp;
    let services = to_value(services)?;
    let tcp = json!({
        "routers": router_listing(routers, &services, &routes.origins.tcp)?,
        "services": services,
        "middlewares": to_value(middlewares)?,
    });

    let Udp { routers, services } = &routes.config.udp;
    let services = to_value(services)?;
    let udp = json!({
        "routers": router_listing(routers, &services, &routes.origins.udp)?,
        "services": services,
    });

    let of = |severity| {
        routes
            .rejections
            .iter()
            .filter(move |one| one.severity == severity)
    };
    Ok(json!({
        "http": http,
        "tcp": tcp,
        "udp": udp,
        "rejections": of(Severity::Rejection).collect::<Vec<_>>(),
        "warnings": of(Severity::Warning).collect::<Vec<_>>(),
    }))
}

fn to_value(part: &impl Serialize) -> Result<Value, serde_json::Error> {
    serde_json::to_value(part)
}

/// The routers of one protocol. What a protocol does not have, as UDP has no rule, is null.
fn router_listing<R: Serialize>(
    routers: &BTreeMap<String, R>,
    services: &Value,
    origins: &BTreeMap<String, Origin>,
) -> Result<Map<String, Value>, serde_json::Error> {
    let mut listed = Map::new();
    for (name, router) in routers {
        let router = to_value(router)?;
        let origin = origins.get(name);
        let entry = json!({
            "rule": router["rule"],
            "entryPoints": list(&router["entryPoints"]),
            "service": router["service"],
            "servers": servers(&services[router["service"].as_str().unwrap_or_default()]),
            "middlewares": list(&router["middlewares"]),
            "tls": router["tls"],
            "priority": router["priority"],
            "container": origin.map(|origin| &origin.container),
            "network_id": origin.and_then(|origin| origin.network_id),
            "auto": origin.is_some_and(|origin| origin.auto),
        });
        listed.insert(name.clone(), entry);
    }
    Ok(listed)
}

/// An HTTP service's servers have a `url`, the others' an `address`.
fn servers(service: &Value) -> Vec<&Value> {
    let servers = service["loadBalancer"]["servers"].as_array();
    let servers = servers.into_iter().flatten();
    let address = |server| {
        ["url", "address"]
            .iter()
            .find_map(|key| Value::get(server, key))
    };
    servers.filter_map(address).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkId;
    use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
    use crate::route_server::ports::PortTable;
    use crate::route_server::routes::{RouteSettings, routes};

    #[test]
    fn a_router_is_listed_with_its_servers_and_its_container() {
        let routes = routes_of(&[
            ("rediacc.service_name", "web"),
            ("rediacc.service_ip", "127.0.11.2"),
            ("rediacc.service_port", "8080"),
        ]);
        assert_eq!(
            listing(&routes).expect("JSON")["http"]["routers"],
            json!({"web-2816": {
                "rule": "Host(`web-2816.example.test`)",
                "entryPoints": ["web"],
                "service": "web-2816",
                "servers": ["http://127.0.11.2:8080"],
                "middlewares": [],
                "tls": null,
                "priority": null,
                "container": "web",
                "network_id": 2816,
                "auto": true,
            }})
        );
    }

    #[test]
    fn a_tcp_server_is_listed_by_its_address() {
        let routes = routes_of(&[
            ("rediacc.service_ip", "127.0.11.2"),
            ("traefik.enable", "true"),
            ("traefik.tcp.routers.db.rule", "HostSNI(`*`)"),
            ("traefik.tcp.routers.db.entrypoints", "tcp-5432"),
            ("traefik.tcp.services.db.loadbalancer.server.port", "5432"),
        ]);
        let listed = listing(&routes).expect("JSON");
        let router = &listed["tcp"]["routers"]["db-2816"];
        assert_eq!(router["servers"], json!(["127.0.11.2:5432"]), "{listed}");
        assert_eq!(router["auto"], false);
    }

    #[test]
    fn what_is_empty_is_there_all_the_same() {
        assert_eq!(
            listing(&Routes::default()).expect("JSON"),
            json!({
                "http": {"routers": {}, "services": {}, "middlewares": {}},
                "tcp": {"routers": {}, "services": {}, "middlewares": {}},
                "udp": {"routers": {}, "services": {}},
                "rejections": [],
                "warnings": [],
            })
        );
    }

    fn routes_of(labels: &[(&str, &str)]) -> Routes {
        let labels = labels.iter();
        let daemon = DaemonContainers {
            network_id: NetworkId::try_from(2816).ok(),
            containers: vec![Container {
                id: "1f".to_owned(),
                name: "web".to_owned(),
                created: 1,
                labels: labels
                    .map(|(k, v)| (k.to_string(), v.to_string()))
                    .collect(),
                condition: Condition::Ready,
                address: Address::Host,
                exposed_tcp_ports: Vec::new(),
            }],
        };
        let entrypoints = ["web", "tcp-5432"].map(|name| name.parse().expect("a name"));
        let settings = RouteSettings {
            base_domain: Some("example.test".to_owned()),
            entrypoints: entrypoints.into(),
            cert_resolver: None,
            auto_routes: true,
            ready_entrypoint: None,
            allow_internal: false,
            trusted_repositories: Default::default(),
            grants: Default::default(),
            quotas: Default::default(),
        };
        routes([&daemon], &PortTable::default(), &settings)
    }
}
