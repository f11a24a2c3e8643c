//! The services of a repository: joins its slots with the containers of its daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::docker::{self, Container};
use super::{answers, engine};
use crate::bundle::{Failure, ServiceStatus};
use crate::machine::sockets::{self, Listening};
use crate::machine::{failed, refused};
use crate::network::NetworkId;
use crate::repository::{Entry, RepositoryName, Slots, SlotsError};

/// The status of all services of a daemon that runs: those with a slot, in the order of slots, then
/// containers without one.
pub(super) fn statuses(
    name: &RepositoryName,
    entry: &Entry,
) -> Result<Vec<ServiceStatus>, Failure> {
    let id = entry.network_id;
    let slots = Slots::read(&entry.path(name))?;
    let containers = docker::containers(id)?;
    Ok(joined(id, &slots, &containers, &sockets::listening()?))
}

fn joined(
    id: NetworkId,
    slots: &Slots,
    containers: &[Container],
    listening: &[Listening],
) -> Vec<ServiceStatus> {
    let containers: Vec<&Container> = containers.iter().filter(|it| !it.is_one_off()).collect();
    let status = |name: &str, address: Option<Ipv4Addr>, container: Option<&Container>| {
        let state = container.map(|container| &container.state);
        ServiceStatus {
            name: name.to_owned(),
            address,
            state: state.map(|state| state.status.clone()),
            health: state.and_then(|state| state.health.clone()),
            listens: address
                .map(|at| answers::ports(listening, at))
                .unwrap_or_default(),
        }
    };
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    let mut statuses = Vec::new();
    for (name, slot) in slots.iter() {
        let address = id.address(slot);
        let own = containers
            .iter()
            .filter(|it| address.is_some() && it.address() == address);
        // If a container was replaced, the new one matters.
        let own: Vec<&Container> = own.copied().collect();
        shown.extend(own.iter().map(|container| container.id.as_str()));
        let running = own
            .iter()
            .find(|container| container.state.status == "running");
        statuses.push(status(name, address, running.or(own.first()).copied()));
    }
    let others = containers
        .iter()
        .filter(|it| !shown.contains(it.id.as_str()));
    statuses.extend(others.map(|it| status(&it.name, it.address(), Some(it))));
    statuses
}

/// The names of slots by their addresses.
pub(super) fn slot_names(id: NetworkId, slots: &Slots) -> BTreeMap<Ipv4Addr, &str> {
    slots
        .iter()
        .filter_map(|(name, slot)| Some((id.address(slot)?, name)))
        .collect()
}

/// The service of a container: the slot at its address, which tells replicas apart, else its label.
pub(super) fn name_of<'a>(
    container: &'a Container,
    names: &BTreeMap<Ipv4Addr, &'a str>,
) -> Option<&'a str> {
    let slot = container.address().and_then(|at| names.get(&at).copied());
    slot.or(container.service())
}

/// The containers of a service with its replicas, or of all services if none is named, each with the
/// name of its slot. Fails if the daemon does not run, or the service has no container.
pub(super) fn chosen(
    name: &RepositoryName,
    entry: &Entry,
    service: Option<&str>,
) -> Result<Vec<(String, Container)>, Failure> {
    let id = entry.network_id;
    if !engine::is_running(id)? {
        return Err(
            refused(format!("the daemon of repository `{name}` is not running"))
                .hint(format!("`rdc repo up {name} -m MACHINE --mount` starts it")),
        );
    }
    let slots = Slots::read(&entry.path(name))?;
    let names = slot_names(id, &slots);
    let all = docker::containers(id)?
        .into_iter()
        .filter(|it| !it.is_one_off());
    let all: Vec<(String, Container)> = all
        .map(|container| {
            let own = name_of(&container, &names).unwrap_or(&container.name);
            (own.to_owned(), container)
        })
        .collect();
    let Some(service) = service else {
        return Ok(all);
    };
    let is_of = |own: &str, container: &Container| {
        own == service
            || container.name == service
            || own
                .rsplit_once('.')
                .is_some_and(|(base, number)| base == service && number.parse::<u8>().is_ok())
    };
    let known: BTreeSet<String> = all.iter().map(|(own, _)| own.clone()).collect();
    let chosen: Vec<_> = all.into_iter().filter(|(own, it)| is_of(own, it)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let hint = match known.as_slice() {
            [] => format!("it has no containers: `rdc repo up {name} -m MACHINE` starts them"),
            known => format!("the services with containers are {}", known.join(", ")),
        };
        return Err(refused(format!(
            "repository `{name}` has no container of service `{service}`"
        ))
        .hint(hint));
    }
    Ok(chosen)
}

impl From<SlotsError> for Failure {
    fn from(error: SlotsError) -> Self {
        let mut failure = failed(crate::causes::with_causes(&error));
        failure.hint = error.hint();
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::repo::docker::State;

    fn container(name: &str, address: &str, status: &str) -> Container {
        let labels = [
            ("rediacc.service_name", name),
            ("rediacc.service_ip", address),
        ];
        Container {
            id: format!("{name}{address}{status}"),
            name: format!("app-{name}-1"),
            labels: labels
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            state: State {
                status: status.to_owned(),
                ..State::default()
            },
            ..Container::default()
        }
    }

    #[test]
    fn services_are_listed_by_their_slots_and_then_what_has_none() {
        let id = NetworkId::try_from(2816).expect("an id");
        let text = r#"{"services": {"web": {"slot": 1}, "db": {"slot": 0}, "web.2": {"slot": 2}}}"#;
        let slots: Slots = text.parse().expect("slots");
        let containers = [
            container("web", "127.0.11.3", "exited"),
            container("web", "127.0.11.3", "running"),
            container("web", "127.0.11.4", "running"),
            container("by-hand", "", "created"),
        ];
        let listening = [Listening {
            is_udp: false,
            address: "127.0.11.4:80".parse().expect("an address"),
            user: 0,
            inode: 1,
        }];
        let found: Vec<String> = joined(id, &slots, &containers, &listening)
            .into_iter()
            .map(|status| {
                let address = status.address.map_or("-".to_owned(), |at| at.to_string());
                let state = status.state.unwrap_or("-".to_owned());
                format!("{} {address} {state} {:?}", status.name, status.listens)
            })
            .collect();
        assert_eq!(
            found,
            [
                "db 127.0.11.2 - []",
                "web 127.0.11.3 running []",
                "web.2 127.0.11.4 running [80]",
                "app-by-hand-1 - created []",
            ]
        );
    }
}
