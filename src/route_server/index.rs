//! What is known of every daemon, and the document that follows. Pure: no clock, no files, no
//! tasks.
//!
//! A daemon's part is replaced whole and never patched, so that what is served does not depend on
//! the order in which things were seen. What a repository has in the document is kept as text: a
//! change costs its own repository, and the model of the others is not held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::container::{Condition, DaemonContainers};
use super::routes::claims::{Contender, Lost, contenders, contest, give_up};
use super::routes::document::{Share, Summary, document};
use super::routes::{
    ContainerRoutes, RouteSettings, Routes, merge, repositories, repository_routes, routes,
};
use crate::network::NetworkId;

/// A repository, or none: the daemons outside the socket folder.
type Repository = Option<NetworkId>;

/// The containers of all daemons, and what each repository has in the document.
pub struct Index {
    settings: Arc<RouteSettings>,
    daemons: BTreeMap<PathBuf, Arc<DaemonContainers>>,
    contenders: BTreeMap<Repository, Vec<Contender>>,
    losses: BTreeMap<Repository, Lost>,
    shares: BTreeMap<Repository, Share>,
    /// The repositories whose containers changed since the last snapshot.
    changed: BTreeSet<Repository>,
}

/// What is known at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The document.
    pub yaml: String,
    /// How much is in it, and what is not.
    pub summary: Summary,
    /// What it was made of.
    pub known: Known,
}

/// The containers of all daemons, and what the operator declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    settings: Arc<RouteSettings>,
    daemons: Vec<Arc<DaemonContainers>>,
}

impl Known {
    /// The containers of each daemon.
    pub fn daemons(&self) -> &[Arc<DaemonContainers>] {
        &self.daemons
    }

    /// The routes as a model, made anew: it is many times the size of what it is made of.
    pub fn routes(&self) -> Routes {
        routes(self.daemons.iter().map(Arc::as_ref), &self.settings)
    }
}

impl Index {
    /// Knows no daemon yet.
    pub fn new(settings: RouteSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            daemons: BTreeMap::new(),
            contenders: BTreeMap::new(),
            losses: BTreeMap::new(),
            shares: BTreeMap::new(),
            changed: BTreeSet::new(),
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
        if before.is_some_and(|before| **before == seen) {
            return None;
        }
        self.changed
            .extend(before.into_iter().flat_map(|before| repositories(before)));
        self.changed.extend(repositories(&seen));
        let known = Arc::new(seen);
        self.daemons.insert(socket.to_owned(), known.clone());
        Some(known)
    }

    /// Forgets the daemon behind a socket. Returns whether anything was known of it.
    pub fn remove(&mut self, socket: &Path) -> bool {
        let Some(before) = self.daemons.remove(socket) else {
            return false;
        };
        self.changed.extend(repositories(&before));
        true
    }

    /// How many containers of a daemon run.
    pub fn running(&self, socket: &Path) -> usize {
        let containers = self.daemons.get(socket).into_iter();
        containers
            .flat_map(|daemon| &daemon.containers)
            .filter(|container| container.condition != Condition::NotRunning)
            .count()
    }

    /// The document of all that is known.
    pub fn snapshot(&mut self) -> Result<Snapshot, serde_json::Error> {
        let mut derived: BTreeMap<Repository, Vec<ContainerRoutes>> =
            std::mem::take(&mut self.changed)
                .into_iter()
                .map(|id| (id, self.derive(id)))
                .collect();
        for (id, parts) in &derived {
            self.contenders.insert(*id, contenders(parts));
        }
        let losses = contest(&self.contenders);
        // A change in one repository may give a rule to another one, or take it.
        for id in losses.keys().chain(self.losses.keys()) {
            if losses.get(id) != self.losses.get(id) && !derived.contains_key(id) {
                derived.insert(*id, self.derive(*id));
            }
        }
        for (id, mut parts) in derived {
            if parts.is_empty() {
                self.contenders.remove(&id);
                self.shares.remove(&id);
                continue;
            }
            if let Some(lost) = losses.get(&id) {
                give_up(&mut parts, lost);
            }
            self.shares.insert(id, Share::of(merge(&parts))?);
        }
        self.losses = losses;
        Ok(Snapshot {
            yaml: document(&self.shares.values()),
            summary: Summary::of(self.shares.values()),
            known: self.known(),
        })
    }

    fn derive(&self, id: Repository) -> Vec<ContainerRoutes> {
        repository_routes(id, self.daemons.values().map(Arc::as_ref), &self.settings)
    }

    fn known(&self) -> Known {
        Known {
            settings: self.settings.clone(),
            daemons: self.daemons.values().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    use crate::route_server::container::{Address, Container};
    use crate::traefik::dynamic::to_yaml;

    #[test]
    fn a_daemon_has_the_containers_of_its_last_list_and_no_others() {
        let mut index = index();
        reset(&mut index, 2816, &["web", "api"]);
        reset(&mut index, 2880, &["web"]);
        assert_eq!(routers(&mut index), ["api-2816", "web-2816", "web-2880"]);

        reset(&mut index, 2816, &["db", "web"]);
        assert_eq!(routers(&mut index), ["db-2816", "web-2816", "web-2880"]);
        assert_eq!(index.running(Path::new("2816")), 2);

        assert!(index.remove(Path::new("2816")));
        assert!(!index.remove(Path::new("2816")));
        assert_eq!(routers(&mut index), ["web-2880"]);
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
        assert_eq!(document_of(&mut one), document_of(&mut other));
    }

    #[test]
    fn a_container_that_changed_is_decoded_again() {
        let mut index = index();
        reset(&mut index, 2816, &["api", "web"]);
        let mut seen = daemon(2816, &["api", "web"]);
        seen.containers[1].condition = Condition::Unhealthy;
        assert!(index.reset(Path::new("2816"), seen).is_some());
        assert_eq!(routers(&mut index), ["api-2816"]);
    }

    #[test]
    fn a_rule_that_two_repositories_claim_stays_with_the_elder_until_that_goes() {
        let claim = |id: u32, created: i64, rule: &str| {
            let mut daemon = daemon(id, &["web"]);
            let labels = [("enable", "true"), ("http.routers.w.rule", rule)];
            let container = &mut daemon.containers[0];
            container.created = created;
            for (key, value) in labels {
                container
                    .labels
                    .insert(format!("traefik.{key}"), value.to_owned());
            }
            daemon
        };
        let mut index = index();
        index.reset(
            Path::new("2816"),
            claim(2816, 2, "Host(`one.example.test`)"),
        );
        assert_eq!(routers(&mut index), ["w-2816"]);
        index.reset(
            Path::new("2880"),
            claim(2880, 1, "( Host(\"ONE.example.test\") )"),
        );
        assert_eq!(routers(&mut index), ["w-2880"]);
        let rejections = index.snapshot().expect("plain data").summary.rejections;
        assert_eq!(rejections.len(), 1);
        assert!(
            rejections[0].reason.contains("of the repository 2880"),
            "{rejections:?}"
        );
        assert!(index.remove(Path::new("2880")));
        assert_eq!(routers(&mut index), ["w-2816"]);
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

    /// The names of the routers in the document, which is the one that the model gives.
    fn routers(index: &mut Index) -> Vec<String> {
        let snapshot = index.snapshot().expect("plain data");
        let routes = snapshot.known.routes();
        let value = |yaml: &str| -> Value { serde_yaml::from_str(yaml).expect("YAML") };
        let whole = to_yaml(&routes.config).expect("plain data");
        assert_eq!(value(&snapshot.yaml), value(&whole));
        assert_eq!(
            snapshot.summary.routers.http,
            routes.config.http.routers.len()
        );
        assert_eq!(snapshot.summary.rejections, routes.rejections);
        routes.config.http.routers.into_keys().collect()
    }

    fn document_of(index: &mut Index) -> String {
        index.snapshot().expect("plain data").yaml
    }
}
