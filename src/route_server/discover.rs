//! Which daemons there are: the sockets of a folder, and those that were named.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use inotify::{EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::network::NetworkId;

/// The safety net under inotify, and for folders whose parents were moved about.
const RESCAN: Duration = Duration::from_secs(60);
/// How often folders are looked at where inotify is not to be had.
const POLL: Duration = Duration::from_secs(2);

/// Room for a few events with names; more come in the next read.
const EVENT_BUFFER_BYTES: usize = 1024;

/// A daemon's socket, as the file system shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The repository's network id, from the file's name; none for a socket that was named.
    pub network_id: Option<NetworkId>,
    /// Device and inode: another one under the same name is another daemon.
    pub identity: (u64, u64),
}

/// The sockets of this moment, by path.
pub fn scan(folder: &Path, named: &[PathBuf]) -> BTreeMap<PathBuf, Socket> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let in_folder = entries.filter_map(|entry| {
        let id = NetworkId::of_socket_name(entry.file_name().to_str()?)?;
        Some((entry.path(), Some(id)))
    });
    let named = named.iter().map(|path| (path.clone(), None));
    named
        .chain(in_folder)
        .filter_map(|(path, network_id)| {
            let metadata = std::fs::metadata(&path).ok()?;
            let socket = Socket {
                network_id,
                identity: (metadata.dev(), metadata.ino()),
            };
            metadata.file_type().is_socket().then_some((path, socket))
        })
        .collect()
}

/// Tells when a scan may find something else.
pub struct Folders {
    folders: Vec<PathBuf>,
    inotify: Option<EventStream<[u8; EVENT_BUFFER_BYTES]>>,
    watched: Vec<WatchDescriptor>,
}

impl Folders {
    /// Watches the folder and those of the named sockets, whether they exist yet or not. From
    /// here on no change is missed: scan after this, not before.
    pub fn watch(folder: &Path, named: &[PathBuf]) -> Self {
        let parents = named.iter().filter_map(|path| path.parent());
        let mut folders: Vec<PathBuf> = std::iter::once(folder)
            .chain(parents)
            .map(Path::to_owned)
            .collect();
        folders.sort_unstable();
        folders.dedup();
        Self::of(folders)
    }

    /// Watches folders, and the files in them, whether they exist yet or not.
    pub fn of(folders: Vec<PathBuf>) -> Self {
        let stream =
            Inotify::init().and_then(|inotify| inotify.into_event_stream([0; EVENT_BUFFER_BYTES]));
        let inotify = stream.inspect_err(|error| {
            warn!(
                "cannot watch folders, will look every {} s: {error}",
                POLL.as_secs()
            );
        });
        let mut folders = Self {
            folders,
            inotify: inotify.ok(),
            watched: Vec::new(),
        };
        folders.arm();
        folders
    }

    /// Waits until a scan may find something else. May be dropped at any time.
    pub async fn changed(&mut self) {
        match &mut self.inotify {
            Some(events) => {
                // An error or the end of the stream wakes too: the rescan is harmless.
                let woken = timeout(RESCAN, events.next()).await;
                if matches!(woken, Ok(None | Some(Err(_)))) {
                    sleep(POLL).await;
                }
                // One scan answers for all that happened until now.
                while let Some(Some(Ok(_))) = events.next().now_or_never() {}
            }
            None => sleep(POLL).await,
        }
        self.arm();
    }

    /// Watches these folders from now on.
    pub fn follow(&mut self, folders: Vec<PathBuf>) {
        self.folders = folders;
        self.arm();
    }

    /// Puts a watch on each folder, or on the nearest of its parents that exists: one of the
    /// changes there is that the missing one is made.
    fn arm(&mut self) {
        let Some(events) = &self.inotify else { return };
        let mut watches = events.watches();
        let mask = WatchMask::CREATE
            | WatchMask::CLOSE_WRITE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;

        let mut watched = Vec::new();
        for folder in &self.folders {
            // From the root down, so that a folder made in between is met by the next step. The
            // last watch that succeeds is the nearest one.
            let mut parents: Vec<&Path> = folder.ancestors().collect();
            parents.reverse();
            let nearest = parents.iter().rposition(|parent| parent.is_dir());
            let candidates = parents.iter().skip(nearest.unwrap_or(0));
            watched.extend(candidates.map_while(|parent| watches.add(parent, mask).ok()));
        }
        for old in self.watched.drain(..) {
            if !watched.contains(&old) {
                // It fails where the folder is gone, and the watch with it.
                let _ = watches.remove(old);
            }
        }
        self.watched = watched;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_network_id_makes_a_file_a_daemons_socket() {
        for (name, id) in [
            ("docker-2816.sock", Some(2816)),
            ("docker-02816.sock", None),
            ("docker-2817.sock", None),
            ("docker-.sock", None),
            ("docker.sock", None),
            ("docker-2816.sock.tmp", None),
        ] {
            assert_eq!(NetworkId::of_socket_name(name).map(u32::from), id, "{name}");
        }
    }

    #[test]
    fn a_scan_finds_sockets_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let bind = |name: &str| {
            std::os::unix::net::UnixListener::bind(path(name)).expect("a socket");
        };
        bind("docker-2816.sock");
        bind("other.sock");
        std::fs::write(path("docker-2880.sock"), "").expect("a file");

        let named = [path("other.sock"), path("missing.sock")];
        let found = scan(folder.path(), &named);

        let ids: Vec<_> = found.values().map(|socket| socket.network_id).collect();
        assert_eq!(ids, [NetworkId::try_from(2816).ok(), None]);
        assert!(scan(&path("missing"), &[]).is_empty());
    }
}
