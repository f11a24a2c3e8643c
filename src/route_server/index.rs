//! What is known of every daemon, and the document that follows. Pure: no clock, no files, no
//! tasks.
//!
//! A daemon's part is replaced whole and never patched, so that what is served does not depend on
//! the order in which things were seen. What a repository has in the document is kept as text: a
//! change costs its own repository, and the model of the others is not held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::container::{Condition, DaemonContainers};
use super::ownership::{
    ContainerClaims, OperatorNames, Outcome, OwnerListing, Ownership, Rejected, Resource,
    SavedOwners, Verdicts,
};
use super::ports::{NamedPorts, PortClaim, PortListing, PortTable, Protocol, Standing};
use super::routes::document::{Share, Summary, document};
use super::routes::{
    ContainerRoutes, Rejection, RouteSettings, Routes, Severity, admit, container_claims, merge,
    named_ports, port_claims, repository_routes, routes,
};
use crate::network::NetworkId;
use crate::ownership::Grant;
use crate::printable::{LONGEST_SHOWN, shortened};
use crate::traefik::dynamic::Switch;

/// From how many seconds between two looks on the clock must have been set.
const CLOCK_STEP_S: u64 = 2 * 3600;

/// A repository, or none: the daemons outside the socket folder.
type Repository = Option<NetworkId>;

/// The containers of all daemons, and what each repository has in the document.
pub struct Index {
    settings: Arc<RouteSettings>,
    daemons: BTreeMap<PathBuf, Daemon>,
    ports: Arc<PortTable>,
    ownership: Ownership,
    /// The same as of the last change of any owner, for those who look at a snapshot.
    owners: Arc<Ownership>,
    /// Whether the owners are others than those that were last kept on disk.
    has_new_owners: bool,
    /// When it was last noted that what is served is owned still, in seconds since 1970.
    refreshed: u64,
    claims: BTreeMap<Repository, Vec<ContainerClaims>>,
    /// What the shares were rendered with.
    verdicts: BTreeMap<Repository, Verdicts>,
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
#[derive(Clone, Debug)]
pub struct Known {
    settings: Arc<RouteSettings>,
    daemons: Vec<Arc<DaemonContainers>>,
    ports: Arc<PortTable>,
    owners: Arc<Ownership>,
    /// When it was known, in seconds since 1970.
    at: u64,
}

impl PartialEq for Known {
    /// The same may be known at two moments.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            settings,
            daemons,
            ports,
            owners,
            at: _,
        } = self;
        *settings == other.settings
            && *daemons == other.daemons
            && *ports == other.ports
            && *owners == other.owners
    }
}

impl Eq for Known {}

impl Known {
    /// The containers of each daemon.
    pub fn daemons(&self) -> &[Arc<DaemonContainers>] {
        &self.daemons
    }

    /// The routes as a model, made anew: it is many times the size of what it is made of.
    pub fn routes(&self) -> Routes {
        let daemons = self.daemons.iter().map(Arc::as_ref);
        let mut routes = routes(daemons, &self.ports, &self.owners, self.at, &self.settings);
        routes.rejections.extend(notices(&self.settings));
        routes.rejections.sort();
        routes
    }

    /// Who owns what, and who may not have what.
    pub fn owners(&self) -> OwnerListing {
        let daemons = || self.daemons.iter().map(Arc::as_ref);
        let ids: BTreeSet<Repository> = daemons().map(|daemon| daemon.network_id).collect();
        let mut rejected = Vec::new();
        for id in ids {
            let parts = repository_routes(id, daemons(), &self.ports, &self.settings);
            let claims = container_claims(&parts);
            let verdicts = self.owners.verdicts(id.into(), &claims, self.at, false);
            for ((container, place), outcome) in verdicts {
                let Outcome::Lost(loss) = outcome else {
                    continue;
                };
                rejected.push(Rejected {
                    resource: loss.resource().map(|one| one.to_string()),
                    repository: crate::ownership::Repository::from(id).to_string(),
                    container: shortened(&claims[container].container, LONGEST_SHOWN).into_owned(),
                    router: shortened(&claims[container].claims[place].router, LONGEST_SHOWN)
                        .into_owned(),
                    reason: loss.to_string(),
                    hint: self.owners.way_out(id.into(), &loss),
                });
            }
        }
        OwnerListing::new(self.owners.owned(self.at), rejected)
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
    /// Knows no daemon yet. Without a record of owners, what runs is adopted as it is.
    pub fn new(settings: RouteSettings, ports: PortTable, owners: Option<SavedOwners>) -> Self {
        let ownership = Ownership::new(settings.ownership(), owners);
        Self {
            owners: Arc::new(ownership.clone()),
            ownership,
            has_new_owners: false,
            refreshed: 0,
            claims: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            settings: Arc::new(settings),
            daemons: BTreeMap::new(),
            ports: Arc::new(ports),
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
            .extend(before.map(|before| before.known.network_id));
        self.changed.insert(seen.network_id);
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
        self.changed.insert(before.known.network_id);
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
        let named = self.named_ports();
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

    /// The ports that are not to be handed out: those that repositories own, and those that labels
    /// name, up to as many as their repository may have.
    fn named_ports(&self) -> NamedPorts {
        let owned = self.ownership.taken_ports();
        let owned = owned
            .into_iter()
            .filter_map(|(port, owners)| Some((Protocol::port_of(port)?, owners)));
        let mut named: NamedPorts = owned.collect();
        let range = self.settings.dynamic_ports;
        let is_dynamic = |port: u16| range.is_some_and(|range| range.contains(port));
        for daemon in self.daemons.values() {
            let repository = daemon.known.network_id.into();
            let most = self.settings.quota(repository).dynamic_ports();
            let asked = daemon.named.keys().filter(|(_, port)| is_dynamic(*port));
            for port in asked.take(most) {
                named.entry(*port).or_default().insert(repository);
            }
        }
        named
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

    /// Whether what was seen of a daemon is something else than what is known.
    pub fn is_news(&self, socket: &Path, seen: &DaemonContainers) -> bool {
        let known = self.daemons.get(socket);
        known.is_none_or(|daemon| *daemon.known != *seen)
    }

    /// Whether the operator trusts a repository with what it costs others.
    pub fn trusts(&self, id: Repository) -> bool {
        self.settings.trusted_repositories.contains(&id.into())
    }

    /// How many routers a repository has in the document.
    pub fn routers(&self, id: Repository) -> usize {
        self.shares.get(&id).map_or(0, Share::routers)
    }

    /// Says what the operator's own files use, and which addresses the machine has. Returns
    /// whether that is news.
    pub fn set_surroundings(
        &mut self,
        operator: OperatorNames,
        machine_addresses: BTreeSet<IpAddr>,
    ) -> bool {
        let before = &self.settings;
        if *before.operator == operator && before.machine_addresses == machine_addresses {
            return false;
        }
        let mut settings = RouteSettings::clone(before);
        settings.operator = Arc::new(operator);
        settings.machine_addresses = machine_addresses;
        self.ownership.set_settings(settings.ownership());
        self.settings = Arc::new(settings);
        let known = self.daemons.values();
        let all = known.map(|daemon| daemon.known.network_id);
        self.changed.extend(all);
        self.share_owners();
        true
    }

    /// Frees a name or a port. Returns the repositories that had taken it.
    pub fn release(&mut self, resource: &Resource) -> Vec<crate::ownership::Repository> {
        let owners = self.ownership.release(resource);
        if !owners.is_empty() {
            self.share_owners();
            self.has_new_owners = true;
            // Whoever waits for it may have it, and whoever had it has to ask for it anew.
            self.reconsider();
            self.changed.extend(owners.iter().map(|owner| owner.id()));
        }
        owners
    }

    /// Notes that what is served is owned still, and gives those another chance who lack something
    /// that may have become free by time.
    pub fn refresh(&mut self, now: u64) {
        self.refreshed = now;
        let claims = self.claims.iter();
        let served = claims.flat_map(|(id, ones)| ones.iter().map(|one| ((*id).into(), one)));
        self.ownership.refresh(served, now);
        self.share_owners();
        self.has_new_owners = true;
        self.reconsider();
    }

    /// What is to be kept on disk of the owners, if that is something else than before.
    pub fn owners_to_save(&mut self) -> Option<SavedOwners> {
        std::mem::take(&mut self.has_new_owners).then(|| self.ownership.saved())
    }

    /// What is kept on disk of the owners.
    #[cfg(test)]
    pub fn ownership_record(&self) -> SavedOwners {
        self.ownership.saved()
    }

    fn reconsider(&mut self) {
        let verdicts = self.verdicts.iter();
        let lacking = verdicts.filter(|(_, verdicts)| !verdicts.is_empty());
        self.changed.extend(lacking.map(|(id, _)| *id));
    }

    fn share_owners(&mut self) {
        self.owners = Arc::new(self.ownership.clone());
    }

    /// The document of all that is known, at a moment in seconds since 1970.
    pub fn snapshot(&mut self, now: u64) -> Result<Snapshot, serde_json::Error> {
        // A clock that was set forward would make old what is served.
        if now > self.refreshed.saturating_add(CLOCK_STEP_S) {
            self.refresh(now);
        }
        if self.ownership.set_assigned(self.ports.assigned()) {
            self.share_owners();
            self.reconsider();
        }
        let changed = std::mem::take(&mut self.changed);
        for id in &changed {
            // One repository at a time: the model of all of them would be most of the memory. It
            // is rendered as if nobody else asked for the same, which is nearly always so.
            let parts = self.derive(*id);
            if parts.is_empty() {
                self.claims.remove(id);
                self.verdicts.remove(id);
                self.shares.remove(id);
                continue;
            }
            let claims = container_claims(&parts);
            let verdicts = self.ownership.verdicts((*id).into(), &claims, now, true);
            self.claims.insert(*id, claims);
            self.render(*id, parts, verdicts)?;
        }
        let claims = changed
            .iter()
            .filter_map(|id| Some((id, self.claims.get(id)?)));
        let claims = claims.flat_map(|(id, ones)| ones.iter().map(|one| ((*id).into(), one)));
        if self.ownership.take(claims, now) {
            self.share_owners();
            self.has_new_owners = true;
        }
        for id in changed
            .into_iter()
            .chain(self.catch_alls())
            .collect::<BTreeSet<_>>()
        {
            let Some(claims) = self.claims.get(&id) else {
                continue;
            };
            let verdicts = self.ownership.verdicts(id.into(), claims, now, false);
            if self.verdicts.get(&id) != Some(&verdicts) {
                let parts = self.derive(id);
                self.render(id, parts, verdicts)?;
            }
        }
        let ready = self.settings.ready_entrypoint.as_deref();
        let ready = ready.map(Share::ready).transpose()?;
        Ok(Snapshot {
            yaml: document(&ready.iter().chain(self.shares.values())),
            summary: {
                let mut summary = Summary::of(self.shares.values());
                summary.rejections.extend(notices(&self.settings));
                summary.rejections.sort();
                summary
            },
            known: self.known(now),
        })
    }

    fn render(
        &mut self,
        id: Repository,
        mut parts: Vec<ContainerRoutes>,
        verdicts: Verdicts,
    ) -> Result<(), serde_json::Error> {
        let repository = id.into();
        admit(
            repository,
            &mut parts,
            &verdicts,
            &self.ownership,
            &self.settings,
        );
        let quota = self.settings.quota(repository);
        self.shares.insert(id, Share::of(merge(&parts, quota))?);
        self.verdicts.insert(id, verdicts);
        Ok(())
    }

    /// The repositories that answer for what nobody owns, which any new owner changes.
    fn catch_alls(&self) -> Vec<Repository> {
        let grants = self.settings.grants.iter();
        let catch_alls = grants.filter(|(_, grants)| grants.contains(&Grant::CatchAll));
        catch_alls.map(|(repository, _)| repository.id()).collect()
    }

    fn derive(&self, id: Repository) -> Vec<ContainerRoutes> {
        let daemons = self.daemons.values().map(|daemon| &*daemon.known);
        repository_routes(id, daemons, &self.ports, &self.settings)
    }

    fn known(&self, at: u64) -> Known {
        Known {
            owners: self.owners.clone(),
            at,
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

/// What went wrong beside containers: somebody has to know.
fn notices(settings: &RouteSettings) -> impl Iterator<Item = Rejection> {
    let files = settings.operator.unreadable.iter();
    let files = files.map(|(file, error)| Rejection {
        container: file.clone(),
        network_id: None,
        label: None,
        reason: format!("the operator's file cannot be read: {error}"),
        hint: Some(
            "until it can, the hosts and ports that it used last stay the operator's".to_owned(),
        ),
        severity: Severity::Rejection,
    });
    files.chain(settings.notices.iter().cloned())
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
        let mut index = Index::new(settings, PortTable::default(), None);
        let snapshot = index.snapshot(0).expect("plain data");
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
    fn a_name_stays_with_the_repository_that_had_it_first() {
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
        let first = "Host(`one.example.test`)";
        index.reset(Path::new("2816"), claim(2816, 2, first));
        assert_eq!(routers(&mut index), ["w-2816"]);
        // An elder container, another spelling, a narrower rule: the name is the repository's.
        let late = "( Host(\"ONE.example.test\") ) && PathPrefix(`/`)";
        index.reset(Path::new("2880"), claim(2880, 1, late));
        assert_eq!(routers(&mut index), ["w-2816"]);
        let rejections = index.snapshot(0).expect("plain data").summary.rejections;
        assert_eq!(rejections.len(), 1);
        let Rejection { reason, hint, .. } = &rejections[0];
        assert!(
            reason.contains("belongs to the repository 2816"),
            "{reason}"
        );
        let command = "--owner '2880=one.example.test'";
        assert!(
            hint.as_ref().is_some_and(|hint| hint.contains(command)),
            "{hint:?}"
        );

        // Not even while nobody serves it.
        index.reset(Path::new("2816"), daemon(2816, &[]));
        assert_eq!(routers(&mut index), Vec::<String>::new());
        index.reset(Path::new("2816"), claim(2816, 3, first));
        assert_eq!(routers(&mut index), ["w-2816"]);

        let name: Grant = "one.example.test".parse().expect("a name");
        let name = Resource::try_from(name).expect("a name");
        assert_eq!(index.release(&name).len(), 1);
        // Both ask for it at once then, and the elder is first.
        assert_eq!(routers(&mut index), ["w-2880"]);
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
        let rejections = index.snapshot(0).expect("plain data").summary.rejections;
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
        let mut index = Index::new(settings, ports, None);
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
        let rejections = index.snapshot(0).expect("plain data").summary.rejections;
        assert!(rejections[0].reason.contains("tcp-10000"), "{rejections:?}");
    }

    fn tcp_routers(index: &mut Index) -> Vec<String> {
        // Twice: what was kept and what is made anew are the same.
        let _ = routers(index);
        let known = index.snapshot(0).expect("plain data").known;
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
            dynamic_ports: None,
            operator: Default::default(),
            machine_addresses: Default::default(),
            notices: Default::default(),
            quotas: Default::default(),
        };
        Index::new(settings, PortTable::default(), None)
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
            ..Container::default()
        };
        DaemonContainers {
            network_id: NetworkId::try_from(id).ok(),
            containers: services.iter().map(container).collect(),
        }
    }

    /// The names of the routers in the document, which is the one that the model gives.
    fn routers(index: &mut Index) -> Vec<String> {
        let snapshot = index.snapshot(0).expect("plain data");
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
        index.snapshot(0).expect("plain data").yaml
    }
}
