//! What is served, from the one who knows it to all who wait for it. Only differences wake them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tracing::{info, warn};

use super::disclosure::Disclosure;
use super::index::{Known, Snapshot};
use super::renderings::Renderings;
use super::routes::document::Summary;
use super::routes::{Rejection, Severity};
use crate::network::NetworkId;
use crate::printable::shortened;

/// How much of what a daemon says of its failure is told on. It may be anything.
pub(super) const LONGEST_ERROR: usize = 300;

/// Routes as they are served.
#[derive(Debug)]
pub struct Publication {
    /// Goes up by one with each other `yaml`, from 1.
    pub version: u64,
    /// The dynamic configuration: rendered once a change, not once a poll.
    pub yaml: Bytes,
    /// How much is in it, and what is not.
    pub summary: Summary,
    /// What it was rendered from.
    pub known: Known,
    /// What was made of it for those who asked.
    pub renderings: Renderings,
}

/// How one daemon is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaemonStatus {
    /// Its socket.
    pub socket: PathBuf,
    /// Its repository's network id.
    pub network_id: Option<NetworkId>,
    /// Whether it answers.
    pub state: DaemonState,
    /// Since when, in RFC 3339.
    pub since: String,
    /// How many containers run, as last seen.
    pub containers: usize,
    /// When they last changed, in RFC 3339; none if not since the start of this process.
    pub last_change: Option<String>,
    /// Why it does not answer.
    pub error: Option<String>,
}

/// Whether a daemon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonState {
    /// Asked, and not yet answered for the first time.
    Connecting,
    /// It answers, and its events come in.
    Live,
    /// It hangs, refuses or answers nonsense: its last known routes are kept.
    Unreachable,
    /// Its socket went, and it may be about to come back: its routes go shortly.
    Gone,
}

/// The one end.
pub struct Publisher {
    publication: watch::Sender<Option<Arc<Publication>>>,
    daemons: watch::Sender<Vec<DaemonStatus>>,
}

/// The other end: any number of them.
#[derive(Clone)]
pub struct View {
    /// The routes; none as long as they are not complete.
    pub publication: watch::Receiver<Option<Arc<Publication>>>,
    /// All daemons, ordered by socket.
    pub daemons: watch::Receiver<Vec<DaemonStatus>>,
}

/// Both ends, with nothing published.
pub fn channel() -> (Publisher, View) {
    let (publication, publications) = watch::channel(None);
    let (daemons, statuses) = watch::channel(Vec::new());
    let publisher = Publisher {
        publication,
        daemons,
    };
    let view = View {
        publication: publications,
        daemons: statuses,
    };
    (publisher, view)
}

impl Publisher {
    /// Publishes a document, if it is another than before. It has to be complete.
    pub fn document(&self, snapshot: Snapshot) {
        let Snapshot {
            yaml,
            summary,
            known,
        } = snapshot;
        self.publication.send_if_modified(|current| {
            let before = current.as_deref();
            let is_same = before.is_some_and(|before| before.yaml == yaml);
            if before
                .is_some_and(|before| is_same && before.summary == summary && before.known == known)
            {
                return false;
            }
            log_new(
                before.map_or(&[], |before| &before.summary.rejections),
                &summary.rejections,
                &known,
            );
            let version = match before {
                // Traefik is told of nothing when the document is the same to the letter.
                Some(before) if is_same => before.version,
                Some(before) => before.version + 1,
                None => 1,
            };
            if !is_same {
                info!(version, bytes = yaml.len(), "routes changed");
            }
            let yaml = Bytes::from(yaml);
            *current = Some(Arc::new(Publication {
                version,
                yaml,
                summary,
                known,
                renderings: Renderings::default(),
            }));
            true
        });
    }

    /// Publishes how the daemons are doing, if that is something else than before.
    pub fn daemons(&self, mut statuses: Vec<DaemonStatus>) {
        for error in statuses.iter_mut().filter_map(|one| one.error.as_mut()) {
            *error = shortened(error, LONGEST_ERROR).into_owned();
        }
        self.daemons.send_if_modified(|current| {
            let is_news = *current != statuses;
            if is_news {
                *current = statuses;
            }
            is_news
        });
    }
}

/// A rejection is logged when it appears, and not again while it stays.
fn log_new(before: &[Rejection], now: &[Rejection], known: &Known) {
    let before: BTreeSet<&Rejection> = before.iter().collect();
    let new: Vec<&Rejection> = now.iter().filter(|one| !before.contains(one)).collect();
    if new.is_empty() {
        return;
    }
    let disclosure = Disclosure::of(known.daemons().iter().map(Arc::as_ref));
    for rejection in new {
        let rejection = disclosure.rejection(rejection);
        let Rejection {
            container,
            network_id,
            label,
            reason,
            hint,
            severity,
        } = &rejection;
        let what = match severity {
            Severity::Rejection => "rejected",
            Severity::Warning => "served, with a warning",
        };
        warn!(
            container,
            network_id = network_id.map(u32::from),
            label,
            hint,
            "{what}: {reason}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route_server::index::Index;
    use crate::route_server::ports::PortTable;
    use crate::route_server::routes::RouteSettings;

    #[test]
    fn only_other_bytes_are_another_version() {
        let (publisher, mut view) = channel();
        let mut index = Index::new(RouteSettings::default(), PortTable::default(), None);
        let empty = index.snapshot(0).expect("plain data");
        let mut check = |snapshot: &Snapshot, version: u64, is_news: bool| {
            publisher.document(snapshot.clone());
            assert_eq!(view.publication.has_changed().ok(), Some(is_news));
            let published = view.publication.borrow_and_update().clone();
            assert_eq!(published.map(|published| published.version), Some(version));
        };
        let mut snapshot = empty;
        check(&snapshot, 1, true);
        check(&snapshot, 1, false);

        snapshot.yaml = "http: …".to_owned();
        check(&snapshot, 2, true);
        check(&snapshot, 2, false);

        // Seen in the listing, while polls are held on.
        snapshot.summary.rejections.push(Rejection {
            container: "web".to_owned(),
            network_id: None,
            label: None,
            reason: "it is wrong".to_owned(),
            hint: None,
            severity: Severity::Rejection,
        });
        check(&snapshot, 2, true);
        check(&snapshot, 2, false);

        snapshot.yaml = "tcp: …".to_owned();
        check(&snapshot, 3, true);
    }
}
