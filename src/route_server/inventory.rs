//! The containers as they are known, `/containers.json`: what the routes were made of, for whoever
//! asks why one is missing. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::container::{Address, Condition, Container, DaemonContainers};
use super::disclosure;
use crate::network::NetworkId;
use crate::repository::daemon::SERVICE_NAME;

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct Inventory<'c> {
    containers: Vec<Listed<'c>>,
}

#[derive(Debug, Serialize)]
struct Listed<'c> {
    name: &'c str,
    id: &'c str,
    network_id: Option<NetworkId>,
    condition: Condition,
    address: Address,
    exposed_tcp_ports: &'c [u16],
    exposed_udp_ports: &'c [u16],
    /// Each label, with its value where that may be shown.
    labels: BTreeMap<&'c str, Cow<'c, str>>,
}

/// The containers of all daemons, or those that are called so: by the engine, or as a service.
pub fn inventory<'c>(
    daemons: impl IntoIterator<Item = &'c DaemonContainers>,
    name: Option<&str>,
) -> Inventory<'c> {
    let all = daemons.into_iter().flat_map(|daemon| {
        let containers = daemon.containers.iter();
        containers.map(|container| (daemon.network_id, container))
    });
    let is_meant = |container: &Container| {
        name.is_none_or(|name| {
            let service = container.labels.get(SERVICE_NAME);
            container.name == name || service.is_some_and(|service| service == name)
        })
    };
    let mut containers: Vec<_> = all
        .filter(|(_, container)| is_meant(container))
        .map(|(network_id, container)| listed(network_id, container))
        .collect();
    containers.sort_by_key(|container| (container.name, container.network_id, container.id));
    Inventory { containers }
}

fn listed(socket: Option<NetworkId>, container: &Container) -> Listed<'_> {
    let Container {
        id,
        name,
        created: _,
        labels,
        condition,
        address,
        exposed_tcp_ports,
        exposed_udp_ports,
        networks: _,
        network_of: _,
        oversized: _,
    } = container;
    Listed {
        name,
        id,
        network_id: socket,
        condition: *condition,
        address: *address,
        exposed_tcp_ports,
        exposed_udp_ports,
        labels: labels
            .iter()
            .map(|(label, value)| (label.as_str(), disclosure::label(label, value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_that_may_be_secret_are_not_told() {
        let daemon = daemon();
        let answer = serde_json::to_value(inventory([&daemon], None)).expect("JSON");
        assert_eq!(
            answer["containers"],
            json!([{
                "name": "web-1",
                "id": "1f",
                "network_id": 2816,
                "condition": "ready",
                "address": "host",
                "exposed_tcp_ports": [],
                "exposed_udp_ports": [],
                "labels": {
                    "rediacc.service_name": "web",
                    "traefik.enable": "true",
                    "Traefik.http.middlewares.a.basicauth.users": "***",
                },
            }])
        );
    }

    #[test]
    fn a_container_is_meant_by_its_name_or_its_service() {
        let daemon = daemon();
        for (name, count) in [("web-1", 1), ("web", 1), ("we", 0), ("", 0)] {
            let answer = inventory([&daemon], Some(name));
            assert_eq!(answer.containers.len(), count, "{name}");
        }
    }

    fn daemon() -> DaemonContainers {
        let labels = [
            ("rediacc.service_name", "web"),
            ("traefik.enable", "true"),
            ("Traefik.http.middlewares.a.basicauth.users", "a:secret"),
        ];
        DaemonContainers {
            network_id: NetworkId::try_from(2816).ok(),
            containers: vec![Container {
                id: "1f".to_owned(),
                name: "web-1".to_owned(),
                created: 1,
                labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                condition: Condition::Ready,
                address: Address::Host,
                exposed_tcp_ports: Vec::new(),
                ..Container::default()
            }],
        }
    }
}
