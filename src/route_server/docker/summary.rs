//! A container of the list, in our terms.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::labels::is_ours;
use super::list::{Port, Summary};
use crate::printable::{LONGEST_SHOWN, shortened};
use crate::repository::daemon::SERVICE_PORT;
use crate::route_server::container::{Address, Condition, Container};

/// On the network of another container; behind it the other's name or id.
const OF_A_CONTAINER: &str = "container:";
/// The longest name that something is called by, in bytes.
const LONGEST_NAME: usize = 256;

/// The container, and its image if that alone says which ports it has.
pub(super) fn container(summary: Summary) -> (Container, Option<String>) {
    let mode = network_mode(&summary);
    let network_of = mode.strip_prefix(OF_A_CONTAINER);
    let network_of = network_of
        .filter(|name| name.len() <= LONGEST_NAME)
        .map(str::to_owned);
    let hides_its_ports = mode == "host" || mode.starts_with(OF_A_CONTAINER);
    let is_on_the_host = mode == "host";
    let condition = condition(&summary);
    let networks = networks(&summary);
    let Summary {
        id,
        names,
        image_id,
        created,
        ports,
        labels,
        ..
    } = summary;
    let container = Container {
        id,
        name: name(&names.0),
        created: created.unwrap_or_default(),
        condition,
        address: match is_on_the_host {
            true => Address::Host,
            false => first(&networks),
        },
        exposed_tcp_ports: of_protocol("tcp", &ports.0),
        exposed_udp_ports: of_protocol("udp", &ports.0),
        networks: match is_on_the_host || !matters(&networks, &labels.kept) {
            true => BTreeMap::new(),
            false => networks,
        },
        network_of,
        labels: labels.kept,
        oversized: labels.oversized,
    };
    let asks = hides_its_ports && leaves_its_port_open(&container);
    (container, image_id.filter(|_| asks))
}

/// Whether routes can be made of it once its port is known, and no label says the port.
fn leaves_its_port_open(container: &Container) -> bool {
    let names_a_port = |label: &str| {
        label == SERVICE_PORT
            || ["loadbalancer.server.port", "loadbalancer.server.url"]
                .iter()
                .any(|end| label.to_ascii_lowercase().ends_with(end))
    };
    container.condition != Condition::NotRunning
        && container.labels.keys().any(|label| is_ours(label))
        && !container.labels.keys().any(|label| names_a_port(label))
}

/// Its own name: the others are aliases that linked containers have for it, as `/other/alias`.
fn name(names: &[String]) -> String {
    let own = names
        .iter()
        .map(|name| name.trim_start_matches('/'))
        .find(|name| !name.contains('/'));
    shortened(own.unwrap_or_default(), LONGEST_SHOWN).into_owned()
}

fn condition(summary: &Summary) -> Condition {
    if summary.state.as_deref() != Some("running") {
        return Condition::NotRunning;
    }
    let health = summary.health.as_ref();
    let health = health.and_then(|health| health.status.as_deref());
    let is_unhealthy = match health {
        Some(health) => matches!(health, "starting" | "unhealthy"),
        // Engines before 29 say it in the status text only: `Up 2 minutes (health: starting)`.
        None => summary.status.as_deref().is_some_and(|status| {
            status.ends_with("(health: starting)") || status.ends_with("(unhealthy)")
        }),
    };
    if is_unhealthy {
        Condition::Unhealthy
    } else {
        Condition::Ready
    }
}

fn network_mode(summary: &Summary) -> &str {
    summary
        .host_config
        .as_ref()
        .and_then(|config| config.network_mode.as_deref())
        .unwrap_or_default()
}

/// Its address on each network. One network may be listed with both families: IPv4 is what a
/// service listens on.
fn networks(summary: &Summary) -> BTreeMap<String, IpAddr> {
    let networks = summary.network_settings.iter();
    let networks = networks.flat_map(|settings| &settings.networks.0);
    let addresses = networks.filter_map(|(name, network)| {
        let network = network.as_ref()?;
        let address = [&network.ip_address, &network.global_ipv6_address]
            .into_iter()
            .flatten()
            .find_map(|address| address.parse::<IpAddr>().ok())?;
        (name.len() <= LONGEST_NAME).then(|| (name.clone(), address))
    });
    addresses.collect()
}

/// The first in the order of the networks' names, so that the same container has the same address.
fn first(networks: &BTreeMap<String, IpAddr>) -> Address {
    let addresses = networks.values().copied();
    addresses
        .min_by_key(IpAddr::is_ipv6)
        .map_or(Address::None, Address::Own)
}

/// Whether there is a choice, or somebody means that there is one.
fn matters(networks: &BTreeMap<String, IpAddr>, labels: &BTreeMap<String, String>) -> bool {
    networks.len() > 1
        || labels
            .keys()
            .any(|label| label.eq_ignore_ascii_case("traefik.docker.network"))
}

fn of_protocol(protocol: &str, ports: &[Port]) -> Vec<u16> {
    let its = ports
        .iter()
        .filter(|port| port.protocol.as_deref() == Some(protocol));
    sorted(its.map(|port| port.private_port))
}

/// Ascending, each once.
pub(super) fn sorted(ports: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut ports: Vec<u16> = ports.collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(summary: &Value, expected: impl FnOnce(&mut Container)) {
        let mut whole = json!({"Id": "1f", "Names": ["/web"], "State": "running"});
        let fields = summary.as_object().expect("an object").clone();
        whole.as_object_mut().expect("an object").extend(fields);
        let mut container_expected = Container {
            id: "1f".to_owned(),
            name: "web".to_owned(),
            condition: Condition::Ready,
            ..Container::default()
        };
        expected(&mut container_expected);
        let summary = serde_json::from_value(whole.clone()).expect("a summary");
        assert_eq!(container(summary).0, container_expected, "{whole}");
    }

    #[test]
    fn the_condition_is_the_state_and_the_health() {
        for (summary, condition) in [
            (json!({"Status": "Up 2 minutes"}), Condition::Ready),
            (
                json!({"Status": "Up 2 minutes (healthy)"}),
                Condition::Ready,
            ),
            (
                json!({"Status": "Up 2 minutes (unhealthy)"}),
                Condition::Unhealthy,
            ),
            (
                json!({"Status": "Up 2 seconds (health: starting)"}),
                Condition::Unhealthy,
            ),
            (json!({"Health": {"Status": "none"}}), Condition::Ready),
            (json!({"Health": {"Status": "healthy"}}), Condition::Ready),
            (
                json!({"Health": {"Status": "starting"}}),
                Condition::Unhealthy,
            ),
            (
                json!({"State": "paused", "Status": "Up (Paused)"}),
                Condition::NotRunning,
            ),
            (json!({"State": "restarting"}), Condition::NotRunning),
            (
                json!({"State": "unheard of", "Status": "Up"}),
                Condition::NotRunning,
            ),
            (
                json!({"State": "exited", "Status": "Exited (0)"}),
                Condition::NotRunning,
            ),
        ] {
            check(&summary, |container| container.condition = condition);
        }
    }

    #[test]
    fn the_name_is_not_a_linked_containers_alias() {
        for names in [json!(["/web", "/other/db"]), json!(["/other/db", "/web"])] {
            check(&json!({ "Names": names }), |_| {});
        }
    }

    #[test]
    fn a_name_draws_nothing_on_a_terminal() {
        let names = json!(["/\u{1b}[2J"]);
        check(&json!({ "Names": names }), |container| {
            container.name = "\\u{1b}[2J".to_owned();
        });
    }

    #[test]
    fn the_address_is_that_of_the_first_network() {
        let networks = json!({
            "z": {"IPAddress": "172.18.0.2"},
            "b": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": "fd00::2"},
            "a": {"IPAddress": ""},
        });
        let settings = json!({"NetworkSettings": {"Networks": networks}});
        check(&settings, |container| {
            container.address = Address::Own([172, 17, 0, 2].into());
            container.networks = [("b", [172, 17, 0, 2]), ("z", [172, 18, 0, 2])]
                .map(|(name, address)| (name.to_owned(), address.into()))
                .into();
        });
        let settings = json!({
            "NetworkSettings": {"Networks": {"only": {"IPAddress": "172.17.0.2"}}},
            "Labels": {"traefik.docker.network": "other"},
        });
        check(&settings, |container| {
            let label = ("traefik.docker.network".to_owned(), "other".to_owned());
            container.labels.extend([label]);
            container.address = Address::Own([172, 17, 0, 2].into());
            container.networks = [("only".to_owned(), [172, 17, 0, 2].into())].into();
        });
        let networks = json!({"only": {"GlobalIPv6Address": "fd00::2"}});
        let settings = json!({"NetworkSettings": {"Networks": networks}});
        check(&settings, |container| {
            container.address = Address::Own("fd00::2".parse().expect("an address"));
        });
        check(
            &json!({"HostConfig": {"NetworkMode": "host"}}),
            |container| {
                container.address = Address::Host;
            },
        );
        check(
            &json!({"HostConfig": {"NetworkMode": "container:vpn"}}),
            |container| {
                container.network_of = Some("vpn".to_owned());
            },
        );
    }

    #[test]
    fn the_ports_and_the_labels_of_routes_are_kept() {
        let ports = json!([
            {"PrivatePort": 8080, "PublicPort": 80, "IP": "0.0.0.0", "Type": "tcp"},
            {"PrivatePort": 8080, "PublicPort": 80, "IP": "::", "Type": "tcp"},
            {"PrivatePort": 53, "Type": "udp"},
            {"PrivatePort": 443, "Type": "tcp"},
        ]);
        let labels = json!({
            "traefik.enable": "true",
            "rediacc.service_name": "web",
            "com.docker.compose.service": "web",
            "com.docker.compose.config-hash": "1f",
            "maintainer": "someone",
        });
        check(&json!({"Ports": ports, "Labels": labels}), |container| {
            container.exposed_tcp_ports = vec![443, 8080];
            container.exposed_udp_ports = vec![53];
            container.labels = [
                ("traefik.enable", "true"),
                ("rediacc.service_name", "web"),
                ("com.docker.compose.service", "web"),
            ]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into();
        });
    }

    #[test]
    fn an_image_is_needed_only_where_no_label_says_the_port() {
        for (labels, open) in [
            (json!({"rediacc.service_name": "web"}), true),
            (
                json!({"rediacc.service_name": "web", "rediacc.service_port": "80"}),
                false,
            ),
            (json!({"traefik.enable": "true"}), true),
            (
                json!({"traefik.http.services.a.LoadBalancer.server.Port": "80"}),
                false,
            ),
            (json!({"maintainer": "someone"}), false),
        ] {
            let summary = json!({
                "Id": "1f", "State": "running", "Labels": labels, "ImageID": "sha256:1f",
                "HostConfig": {"NetworkMode": "host"},
            });
            let summary = serde_json::from_value(summary).expect("a summary");
            assert_eq!(container(summary).1.is_some(), open, "{labels}");
        }
    }
}
