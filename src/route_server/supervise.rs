//! Keeps one watch on each daemon, and publishes what follows from what they report.
//!
//! The only owner of the index: watches report to it over a channel, and nobody shares state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use super::absences::Absences;
use super::container::DaemonContainers;
use super::control::Release;
use super::discover::{Folders, Socket, scan};
use super::index::Index;
use super::metrics::Metrics;
use super::ownership::Resource;
use super::publish::{DaemonState, DaemonStatus, Publisher};
use super::store::Store;
use super::surroundings::Surroundings;
use super::throttle::{PUBLICATIONS, Throttle};
use super::timestamp::{rfc3339, unix_seconds};
use super::watch::{self, Report, Reports, Watch};
use crate::network::NetworkId;
use crate::ownership::Repository;

/// How long the routes of a daemon outlive its socket. An engine that restarts removes its socket
/// and makes a new one, while its containers may run on (`live-restore`).
const SOCKET_GRACE: Duration = Duration::from_secs(5);
/// How often it is noted on disk that what is served is owned still. Far below the time for which a
/// name outlives its service.
const REFRESH: Duration = Duration::from_secs(3600);
/// How many reports may wait. A watch that has to wait asks its daemon for nothing more.
const REPORT_QUEUE: usize = 64;

/// Where daemons are looked for.
pub struct Places {
    /// The folder of the repositories' sockets.
    pub folder: PathBuf,
    /// Sockets elsewhere.
    pub named: Vec<PathBuf>,
}

/// Where what routes depend on comes from.
pub struct Sources {
    /// The daemons.
    pub places: Places,
    /// The operator's files and the machine's addresses.
    pub surroundings: Surroundings,
    /// The operator's wishes that something be free.
    pub releases: mpsc::Receiver<Release>,
}

/// Runs until it is told to stop.
pub async fn supervise(
    sources: Sources,
    index: Index,
    store: Store,
    publisher: Publisher,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let Sources {
        places: Places { folder, named },
        mut surroundings,
        mut releases,
    } = sources;
    let (reports, mut reported) = mpsc::channel(REPORT_QUEUE);
    let mut supervision = Supervision {
        index,
        store,
        publisher,
        metrics,
        reports,
        daemons: BTreeMap::new(),
        watches: 0,
        awaited: BTreeSet::new(),
        absences: Absences::default(),
        throttle: Throttle::new(PUBLICATIONS),
        held_back: BTreeMap::new(),
        refreshed: Instant::now(),
        news: true,
        noticed: None,
    };

    let mut folders = Folders::watch(&folder, &named);
    supervision.look_around(&mut surroundings);
    supervision.begin(scan(&folder, &named));
    let mut batch = Vec::with_capacity(REPORT_QUEUE);
    loop {
        supervision.publish();
        let expiry = supervision.next_expiry();
        tokio::select! {
            () = stop.cancelled() => break,
            () = folders.changed() => supervision.discovered(scan(&folder, &named)),
            () = surroundings.changed() => supervision.look_around(&mut surroundings),
            Some(Release { resource, answer }) = releases.recv() => {
                // Whoever asked may have gone.
                let _ = answer.send(supervision.release(&resource));
            }
            // All that has piled up is taken in before the next publication.
            _ = reported.recv_many(&mut batch, REPORT_QUEUE) => {
                for (watch, report) in batch.drain(..) {
                    supervision.reported(&watch, report);
                }
            }
            () = sleep_until(expiry.unwrap_or_else(Instant::now)), if expiry.is_some() => {
                supervision.expire(Instant::now());
            }
        }
    }
    supervision.store.close().await;
}

struct Supervision {
    index: Index,
    store: Store,
    publisher: Publisher,
    metrics: Arc<Metrics>,
    reports: Reports,
    daemons: BTreeMap<Arc<Path>, Daemon>,
    /// How many watches were ever started.
    watches: u64,
    /// The daemons of which something has to be heard before the routes are complete: those that
    /// were there at the start and are not settled. A daemon settles by its first list, by what
    /// the store knows of it, by its end, or by its first failure: one that hangs, and of which
    /// nothing is known, would otherwise keep all other sites down after a boot.
    awaited: BTreeSet<Arc<Path>>,
    /// The daemons that are not there, whose services' ports nobody else is given for a while.
    absences: Absences,
    /// How often each repository may have the routes published.
    throttle: Throttle<Option<NetworkId>>,
    /// What was seen of daemons whose repositories have to wait, and until when. What is known of
    /// them is what is published.
    held_back: BTreeMap<Arc<Path>, HeldBack>,
    /// When it was last noted that what is served is owned still.
    refreshed: Instant,
    /// Whether the index changed since the last publication.
    news: bool,
    /// When the first change since the last publication was noticed.
    noticed: Option<Instant>,
}

struct HeldBack {
    seen: DaemonContainers,
    noticed: Instant,
    until: Instant,
}

struct Daemon {
    socket: Socket,
    presence: Presence,
    state: DaemonState,
    /// When the state became this one.
    since: SystemTime,
    last_change: Option<SystemTime>,
    error: Option<String>,
}

enum Presence {
    /// The socket is there, and the watch on it has this number.
    Watched(
        u64,
        #[expect(dead_code, reason = "held to be aborted")] AbortOnDropHandle<()>,
    ),
    /// The socket is gone, and so are the routes at this moment, unless it comes back.
    GoneUntil(Instant),
}

impl Supervision {
    fn begin(&mut self, found: BTreeMap<PathBuf, Socket>) {
        let sockets = found.iter();
        self.store
            .keep_only(sockets.map(|(path, socket)| (path.as_path(), socket.network_id)));
        self.awaited = found.keys().map(|path| Arc::from(path.as_path())).collect();
        for id in self.index.port_owners() {
            self.absences.note(Some(id), Instant::now());
        }
        self.discovered(found);
    }

    fn discovered(&mut self, found: BTreeMap<PathBuf, Socket>) {
        for (path, daemon) in &mut self.daemons {
            let is_watched = matches!(daemon.presence, Presence::Watched(..));
            if is_watched && !found.contains_key(&**path) {
                info!(socket = %path.display(), "socket is gone");
                daemon.presence = Presence::GoneUntil(Instant::now() + SOCKET_GRACE);
                daemon.enter(DaemonState::Gone);
            }
        }
        for (path, socket) in found {
            let path: Arc<Path> = path.into();
            let known = self.daemons.get(&path);
            let is_watched = known.is_some_and(|daemon| {
                daemon.socket == socket && matches!(daemon.presence, Presence::Watched(..))
            });
            if !is_watched {
                self.start(path, socket);
            }
        }
    }

    /// Puts a watch on a socket that is new, or came back as another one.
    fn start(&mut self, path: Arc<Path>, socket: Socket) {
        info!(socket = %path.display(), "watching");
        self.absences.clear(socket.network_id);
        self.watches += 1;
        let number = self.watches;
        let watch = Watch {
            socket: path.clone(),
            number,
        };
        let task = tokio::spawn(watch::watch(watch, self.reports.clone()));
        let presence = Presence::Watched(number, AbortOnDropHandle::new(task));

        if let Some(daemon) = self.daemons.get_mut(&path) {
            daemon.socket = socket;
            daemon.presence = presence;
            daemon.enter(DaemonState::Connecting);
            return;
        }
        if let Some(known) = self.store.load(&path, socket.network_id) {
            self.index.reset(&path, known);
            self.news = true;
            self.awaited.remove(&path);
        }
        let daemon = Daemon {
            socket,
            presence,
            state: DaemonState::Connecting,
            since: SystemTime::now(),
            last_change: None,
            error: None,
        };
        self.daemons.insert(path, daemon);
    }

    fn reported(&mut self, watch: &Watch, report: Report) {
        let Some(daemon) = self.daemons.get_mut(&watch.socket) else {
            return;
        };
        let is_current =
            matches!(daemon.presence, Presence::Watched(number, _) if number == watch.number);
        if !is_current {
            return;
        }
        self.awaited.remove(&watch.socket);
        match report {
            Report::Listed {
                containers,
                noticed,
            } => {
                self.metrics.listed();
                if daemon.state != DaemonState::Live {
                    info!(socket = %watch.socket.display(), "daemon answers");
                }
                daemon.enter(DaemonState::Live);
                daemon.error = None;
                let seen = DaemonContainers {
                    network_id: daemon.socket.network_id,
                    containers,
                };
                self.seen(&watch.socket, seen, noticed);
            }
            Report::Failed(error) => {
                if daemon.error.as_ref() != Some(&error) {
                    warn!(socket = %watch.socket.display(), "daemon does not answer: {error}");
                }
                daemon.enter(DaemonState::Unreachable);
                daemon.error = Some(error);
            }
        }
    }

    /// Takes in what was seen of a daemon, or keeps it for when its repository may have the routes
    /// published again.
    fn seen(&mut self, socket: &Arc<Path>, seen: DaemonContainers, noticed: Instant) {
        if !self.index.is_news(socket, &seen) {
            self.held_back.remove(socket);
            return;
        }
        let noticed = match self.held_back.remove(socket) {
            Some(before) => before.noticed,
            None => noticed,
        };
        let is_trusted = self.index.trusts(seen.network_id);
        let taken = match is_trusted {
            true => Ok(()),
            false => {
                let routers = self.index.routers(seen.network_id);
                self.throttle
                    .take(&seen.network_id, routers, Instant::now())
            }
        };
        if let Err(until) = taken {
            let held_back = HeldBack {
                seen,
                noticed,
                until,
            };
            self.held_back.insert(socket.clone(), held_back);
            return;
        }
        let Some(known) = self.index.reset(socket, seen) else {
            return;
        };
        if let Some(daemon) = self.daemons.get_mut(socket) {
            daemon.last_change = Some(SystemTime::now());
        }
        self.store.save(socket, known);
        self.news = true;
        let earlier = self.noticed.map_or(noticed, |earlier| earlier.min(noticed));
        self.noticed = Some(earlier);
    }

    fn look_around(&mut self, surroundings: &mut Surroundings) {
        let operator = surroundings.operator();
        let addresses = surroundings.addresses();
        self.news |= self.index.set_surroundings(operator, addresses);
    }

    fn release(&mut self, resource: &Resource) -> Vec<Repository> {
        let owners = self.index.release(resource);
        self.news |= !owners.is_empty();
        owners
    }

    fn expire(&mut self, now: Instant) {
        if self.refreshed + REFRESH <= now {
            self.refreshed = now;
            self.index.refresh(unix_seconds(SystemTime::now()));
            self.news = true;
        }
        let due = self.held_back.extract_if(.., |_, one| one.until <= now);
        let due: Vec<_> = due.collect();
        for (socket, HeldBack { seen, noticed, .. }) in due {
            self.seen(&socket, seen, noticed);
        }
        let has_expired =
            |daemon: &Daemon| matches!(daemon.presence, Presence::GoneUntil(end) if end <= now);
        let (index, store) = (&mut self.index, &self.store);
        let (awaited, news) = (&mut self.awaited, &mut self.news);
        let (absences, held_back) = (&mut self.absences, &mut self.held_back);
        *news |= absences.expire(now);
        self.daemons.retain(|path, daemon| {
            if !has_expired(daemon) {
                return true;
            }
            store.remove(path, daemon.socket.network_id);
            held_back.remove(path);
            awaited.remove(path);
            index.remove(path);
            absences.note(daemon.socket.network_id, now);
            // Also where nothing was known of it: its ports have another standing now.
            *news = true;
            false
        });
    }

    fn next_expiry(&self) -> Option<Instant> {
        let daemons = self.daemons.values();
        let ends = daemons.filter_map(|daemon| match daemon.presence {
            Presence::Watched(..) => None,
            Presence::GoneUntil(end) => Some(end),
        });
        let held_back = self.held_back.values().map(|one| one.until);
        ends.chain(self.absences.next_expiry())
            .chain(held_back)
            .chain([self.refreshed + REFRESH])
            .min()
    }

    /// Gives external ports to all who ask for one, and keeps on disk who has which.
    fn assign_ports(&mut self) {
        let unheard: Vec<_> = self
            .daemons
            .iter()
            .filter(|(path, _)| !self.index.knows(path))
            .map(|(_, daemon)| daemon.socket.network_id)
            .collect();
        let standing = |id| self.absences.standing(&unheard, id);
        if let Some(ports) = self.index.assign_ports(standing, SystemTime::now()) {
            self.store.save_ports(ports.saved());
        }
    }

    fn publish(&mut self) {
        if self.news && self.awaited.is_empty() {
            self.assign_ports();
            match self.index.snapshot(unix_seconds(SystemTime::now())) {
                Ok(snapshot) => {
                    if let Some(owners) = self.index.owners_to_save() {
                        self.store.save_owners(owners);
                    }
                    self.publisher.document(snapshot);
                }
                // Plain data always serializes. If it ever does not, what was there is still right.
                Err(error) => error!("cannot render the routes: {error}"),
            }
            self.news = false;
            if let Some(noticed) = self.noticed.take() {
                self.metrics.published(noticed.elapsed());
            }
        }
        let statuses = self.daemons.iter().map(|(path, daemon)| DaemonStatus {
            socket: path.to_path_buf(),
            network_id: daemon.socket.network_id,
            state: daemon.state,
            since: rfc3339(daemon.since),
            containers: self.index.running(path),
            last_change: daemon.last_change.map(rfc3339),
            error: daemon.error.clone(),
        });
        self.publisher.daemons(statuses.collect());
    }
}

impl Daemon {
    fn enter(&mut self, state: DaemonState) {
        if self.state != state {
            self.state = state;
            self.since = SystemTime::now();
        }
    }
}
