//! Containers on the network of another one, as behind a VPN: they are reached at its address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::route_server::container::{Address, Condition, Container};
use crate::traefik::labels;

/// How many containers may stand behind each other.
const MOST_HOPS: usize = 8;

/// Gives containers on the network of another one the addresses of that.
pub(super) fn share(containers: &mut [Container]) {
    if containers
        .iter()
        .all(|container| container.network_of.is_none())
    {
        return;
    }
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, container) in containers.iter().enumerate() {
        // An id is nobody else's; a name that is one is only that.
        known.entry(&container.name).or_insert(index);
    }
    for (index, container) in containers.iter().enumerate() {
        known.insert(&container.id, index);
    }
    let shared: Vec<_> = containers
        .iter()
        .enumerate()
        .filter_map(|(index, container)| {
            let other = container.network_of.as_deref()?;
            // Engines say the id, which nobody knows by heart.
            let named = known
                .get(other)
                .map(|other| containers[*other].name.clone());
            let behind = network_behind(container, containers, &known);
            Some((index, named, behind))
        })
        .collect();
    for (index, named, (address, networks)) in shared {
        let container = &mut containers[index];
        container.address = address;
        container.networks = networks;
        if named.is_some() {
            container.network_of = named;
        }
    }
}

/// The addresses of the container whose network it is in the end; none where that does not run, or
/// is nobody.
fn network_behind(
    container: &Container,
    all: &[Container],
    known: &HashMap<&str, usize>,
) -> (Address, BTreeMap<String, IpAddr>) {
    let mut current = container;
    for _ in 0..MOST_HOPS {
        let Some(name) = &current.network_of else {
            return match current.condition {
                Condition::Ready | Condition::Unhealthy => addresses(current),
                Condition::NotRunning => break,
            };
        };
        match known.get(name.as_str()) {
            Some(next) => current = &all[*next],
            None => break,
        }
    }
    (Address::None, BTreeMap::new())
}

/// The label of that container comes before the one of whoever is on its network, as in Traefik.
fn addresses(container: &Container) -> (Address, BTreeMap<String, IpAddr>) {
    let options = labels::container_options(&container.labels).unwrap_or_default();
    let named = options
        .network()
        .and_then(|name| container.networks.get(name));
    match named {
        Some(address) => (Address::Own(*address), BTreeMap::new()),
        None => (container.address, container.networks.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, network_of: Option<&str>, address: Address) -> Container {
        Container {
            id: id.to_owned(),
            name: format!("name-{id}"),
            condition: Condition::Ready,
            network_of: network_of.map(str::to_owned),
            address,
            ..Container::default()
        }
    }

    const OWN: Address = Address::Own(IpAddr::V4(std::net::Ipv4Addr::new(172, 18, 0, 7)));

    #[track_caller]
    fn check(others: Vec<Container>, network_of: &str, expected: Address) {
        let mut containers = others;
        containers.push(container("me", Some(network_of), Address::None));
        share(&mut containers);
        assert_eq!(containers.last().map(|me| me.address), Some(expected));
    }

    #[test]
    fn the_other_one_is_called_by_its_name() {
        let mut containers = [
            container("vpn", None, OWN),
            container("a", Some("vpn"), Address::None),
            container("b", Some("gone"), Address::None),
        ];
        share(&mut containers);
        let names = containers.map(|container| container.network_of);
        let names: Vec<_> = names.iter().map(Option::as_deref).collect();
        assert_eq!(names, [None, Some("name-vpn"), Some("gone")]);
    }

    #[test]
    fn it_is_reached_at_the_address_of_the_one_it_stands_behind() {
        let vpn = || container("vpn", None, OWN);
        check(vec![vpn()], "vpn", OWN);
        check(vec![vpn()], "name-vpn", OWN);
        check(
            vec![container("a", Some("name-vpn"), Address::None), vpn()],
            "a",
            OWN,
        );
        check(
            vec![container("vpn", None, Address::Host)],
            "vpn",
            Address::Host,
        );
        check(vec![vpn()], "nobody", Address::None);
        check(vec![vpn()], "me", Address::None);
        let round = vec![
            container("a", Some("b"), Address::None),
            container("b", Some("a"), Address::None),
        ];
        check(round, "a", Address::None);
        let stopped = Container {
            condition: Condition::NotRunning,
            ..vpn()
        };
        check(vec![stopped], "vpn", Address::None);
        // A name that is another's id is not that one.
        let imposter = Container {
            name: "vpn".to_owned(),
            ..container("x", None, Address::None)
        };
        check(vec![imposter, vpn()], "vpn", OWN);
    }

    #[test]
    fn the_label_of_the_one_it_stands_behind_chooses_the_network() {
        let other = IpAddr::from([172, 19, 0, 7]);
        let label = ("traefik.docker.network".to_owned(), "proxy".to_owned());
        let vpn = Container {
            labels: [label].into(),
            networks: [("proxy".to_owned(), other)].into(),
            ..container("vpn", None, OWN)
        };
        check(vec![vpn], "vpn", Address::Own(other));
    }
}
