//! What is known of every daemon, and the document that follows. Pure: no clock, no files, no
//! tasks.
//!
//! A daemon's part is replaced whole and never patched, so that what is served does not depend on
//! the order in which things were seen. What a repository has in the document is kept as text: a
//! change costs its own repository, and the model of the others is not held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::container::{Condition, DaemonContainers};
use super::ports::{NamedPorts, PortClaim, PortListing, PortTable, Standing};
use super::routes::claims::{Contender, Lost, contenders, contest, give_up};
use super::routes::document::{Share, Summary, document};
use super::routes::{
    ContainerRoutes, RouteSettings, Routes, merge, named_ports, port_claims, repositories,
    repository_routes, routes,
};
use crate::network::NetworkId;
use crate::traefik::dynamic::Switch;

/// A repository, or none: the daemons outside the socket folder.
type Repository = Option<NetworkId>;

/// The containers of all daemons, and what each repository has in the document.
pub struct Index {
    settings: Arc<RouteSettings>,
    daemons: BTreeMap<PathBuf, Daemon>,
    ports: Arc<PortTable>,
    contenders: BTreeMap<Repository, Vec<Contender>>,
    losses: BTreeMap<Repository, Lost>,
    shares: BTreeMap<Repository, Share>,
    /// The repositories whose containers changed since the last snapshot.
    changed: BTreeSet<Repository>,
}

struct Daemon {
    known: Arc<DaemonContainers>,
    /// The external ports that its containers ask for, and those that they name.
    claims: Vec<PortClaim>,
    named: NamedPorts,
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

/// The containers of all daemons, their external ports, and what the operator declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    settings: Arc<RouteSettings>,
    daemons: Vec<Arc<DaemonContainers>>,
    ports: Arc<PortTable>,
}

impl Known {
    /// The containers of each daemon.
    pub fn daemons(&self) -> &[Arc<DaemonContainers>] {
        &self.daemons
    }

    /// The routes as a model, made anew: it is many times the size of what it is made of.
    pub fn routes(&self) -> Routes {
        let daemons = self.daemons.iter().map(Arc::as_ref);
        routes(daemons, &self.ports, &self.settings)
    }

    /// The document without any certificate resolver: a Traefik that reads it serves the
    /// certificates that there are, and obtains none.
    pub fn yaml_without_resolvers(&self) -> Result<String, serde_json::Error> {
        let mut routes = self.routes();
        for router in routes.config.http.routers.values_mut() {
            if let Switch::On(tls) = &mut router.tls {
                tls.cert_resolver = None;
            }
        }
        for router in routes.config.tcp.routers.values_mut() {
            if let Switch::On(tls) = &mut router.tls {
                tls.cert_resolver = None;
            }
        }
        let ready = self.settings.ready_entrypoint.as_deref();
        let ready = ready.map(Share::ready).transpose()?;
        let share = Share::of(routes)?;
        Ok(document(&ready.iter().chain([&share])))
    }

    /// Who has which external port.
    pub fn ports(&self) -> PortListing {
        self.ports.listing()
    }
}

impl Index {
    /// Knows no daemon yet.
    pub fn new(settings: RouteSettings, ports: PortTable) -> Self {
        Self {
            settings: Arc::new(settings),
            daemons: BTreeMap::new(),
            ports: Arc::new(ports),
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
        if before.is_some_and(|before| *before.known == seen) {
            return None;
        }
        let before = before.into_iter();
        self.changed
            .extend(before.flat_map(|before| repositories(&before.known)));
        self.changed.extend(repositories(&seen));
        let known = Arc::new(seen);
        let daemon = Daemon {
            known: known.clone(),
            claims: port_claims(&known, &self.settings),
            named: named_ports(&known),
        };
        self.daemons.insert(socket.to_owned(), daemon);
        Some(known)
    }

    /// Forgets the daemon behind a socket. Returns whether anything was known of it.
    pub fn remove(&mut self, socket: &Path) -> bool {
        let Some(before) = self.daemons.remove(socket) else {
            return false;
        };
        self.changed.extend(repositories(&before.known));
        true
    }

    /// Whether anything is known of the daemon behind a socket, be it that it has no container.
    pub fn knows(&self, socket: &Path) -> bool {
        self.daemons.contains_key(socket)
    }

    /// Settles who has which external port, from all that is known. Returns the table if it is
    /// another now.
    pub fn assign_ports(
        &mut self,
        standing: impl Fn(NetworkId) -> Standing,
        now: SystemTime,
    ) -> Option<Arc<PortTable>> {
        let daemons = self.daemons.values();
        let claims: Vec<&PortClaim> = daemons.clone().flat_map(|daemon| &daemon.claims).collect();
        let named = daemons.flat_map(|daemon| &daemon.named).copied().collect();
        let mut ports = PortTable::clone(&self.ports);
        let has_changed = ports.update(claims.iter().copied(), &named, standing, now);
        // Also those who get none: the holders that their rejection names may be others.
        let others = claims.iter().filter(|claim| {
            let PortClaim {
                protocol, owner, ..
            } = claim;
            ports.port_of(*protocol, owner) != self.ports.port_of(*protocol, owner)
        });
        self.changed
            .extend(others.map(|claim| Some(claim.owner.network_id)));
        self.ports = Arc::new(ports);
        has_changed.then(|| self.ports.clone())
    }

    /// The repositories that have, or had, an external port.
    pub fn port_owners(&self) -> BTreeSet<NetworkId> {
        self.ports.saved().repositories()
    }

    /// How many containers of a daemon run.
    pub fn running(&self, socket: &Path) -> usize {
        let containers = self.daemons.get(socket).into_iter();
        containers
            .flat_map(|daemon| &daemon.known.containers)
            .filter(|container| container.condition != Condition::NotRunning)
            .count()
    }

    /// The document of all that is known.
    pub fn snapshot(&mut self) -> Result<Snapshot, serde_json::Error> {
        let changed = std::mem::take(&mut self.changed);
        for id in &changed {
            // One repository at a time: the model of all of them would be most of the memory.
            let parts = self.derive(*id);
            if parts.is_empty() {
                self.contenders.remove(id);
                self.shares.remove(id);
            } else {
                self.contenders.insert(*id, contenders(&parts));
                let quota = self.settings.quota((*id).into());
                self.shares.insert(*id, Share::of(merge(&parts, quota))?);
            }
        }
        let losses = contest(&self.contenders);
        // A change in one repository may give a rule to another one, or take it. What was rendered
        // just now was rendered as if nothing were lost.
        let rendered = |id| {
            if changed.contains(id) {
                None
            } else {
                self.losses.get(id)
            }
        };
        let disputed: BTreeSet<Repository> = losses
            .keys()
            .chain(self.losses.keys())
            .filter(|id| losses.get(id) != rendered(id))
            .copied()
            .collect();
        for id in disputed {
            let mut parts = self.derive(id);
            if let Some(lost) = losses.get(&id) {
                give_up(&mut parts, lost);
            }
            let quota = self.settings.quota(id.into());
            self.shares.insert(id, Share::of(merge(&parts, quota))?);
        }
        self.losses = losses;
        let ready = self.settings.ready_entrypoint.as_deref();
        let ready = ready.map(Share::ready).transpose()?;
        Ok(Snapshot {
            yaml: document(&ready.iter().chain(self.shares.values())),
            summary: Summary::of(self.shares.values()),
            known: self.known(),
        })
    }

    fn derive(&self, id: Repository) -> Vec<ContainerRoutes> {
        let daemons = self.daemons.values().map(|daemon| &*daemon.known);
        repository_routes(id, daemons, &self.ports, &self.settings)
    }

    fn known(&self) -> Known {
        Known {
            settings: self.settings.clone(),
            daemons: self
                .daemons
                .values()
                .map(|daemon| daemon.known.clone())
                .collect(),
            ports: self.ports.clone(),
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
    fn traefik_says_that_it_has_the_routes_where_it_is_asked_to() {
        let settings = RouteSettings {
            ready_entrypoint: Some("ping".to_owned()),
            ..RouteSettings::default()
        };
        let mut index = Index::new(settings, PortTable::default());
        let snapshot = index.snapshot().expect("plain data");
        let expected = r#"http:
  routers:
    "rediacc.ready":
      entryPoints:
        - ping
      service: "ping@internal"
      rule: "Path(`/ready`)"
"#;
        assert_eq!(snapshot.yaml, expected);
        assert_eq!(snapshot.summary, Summary::default());
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

    #[test]
    fn an_external_port_that_changes_hands_changes_both_repositories() {
        let asking = |id: u32, created: i64, services: &[&str]| {
            let mut daemon = daemon(id, services);
            for container in &mut daemon.containers {
                container.created = created;
                let label = ("rediacc.tcp_ports".to_owned(), "5".to_owned());
                container.labels.extend([label]);
            }
            daemon
        };
        let range = "10000-10000".parse().ok();
        let entrypoints = ["web", "tcp-10000"].map(|name| name.parse().expect("a name"));
        let mut index = index();
        index.settings = Arc::new(RouteSettings {
            entrypoints: entrypoints.into(),
            ..RouteSettings::clone(&index.settings)
        });
        let ports = PortTable::new(range, &index.settings.entrypoints, Default::default());
        index.ports = Arc::new(ports);
        let assign = |index: &mut Index| {
            let is_news = index
                .assign_ports(|_| Standing::Known, SystemTime::UNIX_EPOCH)
                .is_some();
            let routers = tcp_routers(index);
            (is_news, routers)
        };

        index.reset(Path::new("2880"), asking(2880, 2, &["db"]));
        assert_eq!(assign(&mut index), (true, vec!["db.5-2880".to_owned()]));
        // The elder, too, comes too late.
        index.reset(Path::new("2816"), asking(2816, 1, &["db"]));
        assert_eq!(assign(&mut index), (false, vec!["db.5-2880".to_owned()]));
        index.reset(Path::new("2880"), asking(2880, 2, &[]));
        assert_eq!(assign(&mut index), (true, vec!["db.5-2816".to_owned()]));
        // Whoever waits is told of the new holder, though nothing changed where it runs.
        index.reset(Path::new("2880"), asking(2880, 2, &["db"]));
        assert_eq!(assign(&mut index), (false, vec!["db.5-2816".to_owned()]));
        let rejections = index.snapshot().expect("plain data").summary.rejections;
        assert!(
            rejections[0].reason.contains("`db` of 2816"),
            "{rejections:?}"
        );
    }

    #[test]
    fn labels_do_not_take_a_port_that_was_handed_out() {
        let labels = |id: u32, created: i64, labels: &[(&str, &str)]| {
            let mut daemon = daemon(id, &["db"]);
            let container = &mut daemon.containers[0];
            container.created = created;
            let labels = labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            container.labels.extend(labels);
            daemon
        };
        let entrypoints = ["web", "tcp-10000"].map(|name| name.parse().expect("a name"));
        let settings = RouteSettings {
            entrypoints: entrypoints.into(),
            ..RouteSettings::default()
        };
        let range = "10000-10001".parse().ok();
        let ports = PortTable::new(range, &settings.entrypoints, Default::default());
        let mut index = Index::new(settings, ports);
        let owner = [
            ("rediacc.service_ip", "127.0.11.2"),
            ("rediacc.tcp_ports", "5"),
        ];
        index.reset(Path::new("2816"), labels(2816, 2, &owner));
        index.assign_ports(|_| Standing::Known, SystemTime::UNIX_EPOCH);
        assert_eq!(tcp_routers(&mut index), ["db.5-2816"]);

        let elder = [
            ("traefik.enable", "true"),
            ("traefik.tcp.routers.t.rule", "HostSNI(`*`)"),
            ("traefik.tcp.routers.t.entrypoints", "tcp-10000"),
            ("traefik.tcp.services.t.loadbalancer.server.port", "5"),
        ];
        index.reset(Path::new("2880"), labels(2880, 1, &elder));
        index.assign_ports(|_| Standing::Known, SystemTime::UNIX_EPOCH);
        assert_eq!(tcp_routers(&mut index), ["db.5-2816"]);
        let rejections = index.snapshot().expect("plain data").summary.rejections;
        assert!(rejections[0].reason.contains("tcp-10000"), "{rejections:?}");
    }

    fn tcp_routers(index: &mut Index) -> Vec<String> {
        // Twice: what was kept and what is made anew are the same.
        let _ = routers(index);
        let known = index.snapshot().expect("plain data").known;
        known.routes().config.tcp.routers.into_keys().collect()
    }

    fn index() -> Index {
        let settings = RouteSettings {
            base_domain: Some("example.test".to_owned()),
            entrypoints: ["web".parse().expect("a name")].into(),
            cert_resolver: None,
            auto_routes: true,
            ready_entrypoint: None,
            allow_internal: false,
            trusted_repositories: Default::default(),
            grants: Default::default(),
            quotas: Default::default(),
        };
        Index::new(settings, PortTable::default())
    }

    fn reset(index: &mut Index, id: u32, services: &[&str]) -> bool {
        let socket = id.to_string();
        index
            .reset(Path::new(&socket), daemon(id, services))
            .is_some()
    }

    fn daemon(id: u32, services: &[&str]) -> DaemonContainers {
        let [_, a, b, c] = id.to_be_bytes();
        let address = format!("127.{a}.{b}.{}", c + 2);
        let container = |service: &&str| Container {
            id: (*service).to_owned(),
            name: (*service).to_owned(),
            created: 1,
            labels: BTreeMap::from([
                ("rediacc.service_name".to_owned(), (*service).to_owned()),
                ("rediacc.service_ip".to_owned(), address.clone()),
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
