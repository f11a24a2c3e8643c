//! What is known of every daemon, and the routes that follow. Pure: no clock, no files, no tasks.
//!
//! A daemon's part is replaced whole and never patched, so that what is served does not depend on
//! the order in which things were seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::container::{Condition, Container, DaemonContainers};
use super::routes::{ContainerRoutes, RouteSettings, Routes, container_routes, merge};

/// The containers of all daemons, and what each contributes.
pub struct Index {
    settings: RouteSettings,
    daemons: BTreeMap<PathBuf, Daemon>,
}

struct Daemon {
    known: Arc<DaemonContainers>,
    /// What each container contributes, in the containers' order.
    parts: Vec<Arc<ContainerRoutes>>,
}

impl Index {
    /// Knows no daemon yet.
    pub fn new(settings: RouteSettings) -> Self {
        Self {
            settings,
            daemons: BTreeMap::new(),
        }
    }

    /// Replaces what is known of the daemon behind a socket. Returns what is known now, if that
    /// is something else than before.
    pub fn reset(
        &mut self,
        socket: &Path,
        seen: DaemonContainers,
    ) -> Option<Arc<DaemonContainers>> {
        let before = self.daemons.get(socket);
        if before.is_some_and(|before| *before.known == seen) {
            return None;
        }
        // An event changes one container: the labels of the others are not read again.
        let same = |container: &Container| {
            let before = before?;
            let containers = &before.known.containers;
            let at = containers
                .binary_search_by(|other| other.id.cmp(&container.id))
                .ok()?;
            (containers[at] == *container).then(|| before.parts[at].clone())
        };
        let parts = seen.containers.iter().map(|container| {
            same(container).unwrap_or_else(|| {
                Arc::new(container_routes(container, seen.network_id, &self.settings))
            })
        });
        let parts = parts.collect();
        let known = Arc::new(seen);
        let daemon = Daemon {
            known: known.clone(),
            parts,
        };
        self.daemons.insert(socket.to_owned(), daemon);
        Some(known)
    }

    /// Forgets the daemon behind a socket. Returns whether anything was known of it.
    pub fn remove(&mut self, socket: &Path) -> bool {
        self.daemons.remove(socket).is_some()
    }

    /// How many containers of a daemon run.
    pub fn running(&self, socket: &Path) -> usize {
        let containers = self.daemons.get(socket).into_iter();
        containers
            .flat_map(|daemon| &daemon.known.containers)
            .filter(|container| container.condition != Condition::NotRunning)
            .count()
    }

    /// The routes of all that is known.
    pub fn routes(&self) -> Routes {
        let parts = self.daemons.values().flat_map(|daemon| &daemon.parts);
        merge(parts.map(Arc::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkId;
    use crate::route_server::container::Address;

    #[test]
    fn a_daemon_has_the_containers_of_its_last_list_and_no_others() {
        let mut index = index();
        reset(&mut index, 2816, &["web", "api"]);
        reset(&mut index, 2880, &["web"]);
        assert_eq!(routers(&index), ["api-2816", "web-2816", "web-2880"]);

        reset(&mut index, 2816, &["db", "web"]);
        assert_eq!(routers(&index), ["db-2816", "web-2816", "web-2880"]);
        assert_eq!(index.running(Path::new("2816")), 2);

        assert!(index.remove(Path::new("2816")));
        assert!(!index.remove(Path::new("2816")));
        assert_eq!(routers(&index), ["web-2880"]);
        assert_eq!(index.running(Path::new("2816")), 0);
    }

    #[test]
    fn the_same_list_again_is_no_change() {
        let mut index = index();
        assert!(reset(&mut index, 2816, &["web"]));
        assert!(!reset(&mut index, 2816, &["web"]));
        assert!(reset(&mut index, 2816, &[]));
        assert!(!reset(&mut index, 2816, &[]));
    }

    #[test]
    fn the_routes_do_not_depend_on_the_order_in_which_daemons_were_seen() {
        let (mut one, mut other) = (index(), index());
        reset(&mut one, 2816, &["a"]);
        reset(&mut one, 2816, &["a", "b", "c"]);
        reset(&mut one, 2880, &["a"]);
        reset(&mut other, 2880, &["a"]);
        reset(&mut other, 2816, &["a", "b", "c"]);
        assert_eq!(one.routes(), other.routes());
    }

    #[test]
    fn a_container_that_changed_is_decoded_again() {
        let mut index = index();
        reset(&mut index, 2816, &["api", "web"]);
        let mut seen = daemon(2816, &["api", "web"]);
        seen.containers[1].condition = Condition::Unhealthy;
        assert!(index.reset(Path::new("2816"), seen).is_some());
        assert_eq!(routers(&index), ["api-2816"]);
    }

    fn index() -> Index {
        Index::new(RouteSettings {
            base_domain: Some("example.test".to_owned()),
            entrypoints: ["web".parse().expect("a name")].into(),
            cert_resolver: None,
            auto_routes: true,
            allow_internal: false,
        })
    }

    fn reset(index: &mut Index, id: u32, services: &[&str]) -> bool {
        let socket = id.to_string();
        index
            .reset(Path::new(&socket), daemon(id, services))
            .is_some()
    }

    fn daemon(id: u32, services: &[&str]) -> DaemonContainers {
        let container = |service: &&str| Container {
            id: (*service).to_owned(),
            name: (*service).to_owned(),
            created: 1,
            labels: BTreeMap::from([
                ("rediacc.service_name".to_owned(), (*service).to_owned()),
                ("rediacc.service_port".to_owned(), "80".to_owned()),
            ]),
            condition: Condition::Ready,
            address: Address::Host,
            exposed_tcp_ports: Vec::new(),
        };
        DaemonContainers {
            network_id: NetworkId::try_from(id).ok(),
            containers: services.iter().map(container).collect(),
        }
    }

    fn routers(index: &Index) -> Vec<String> {
        index.routes().config.http.routers.into_keys().collect()
    }
}
