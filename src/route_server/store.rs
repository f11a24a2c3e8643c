//! The state folder: the last known containers of each daemon, so that a route server that starts
//! while a daemon hangs serves what was known of it; who has which external port; who owns what.
//!
//! One JSON file a daemon, one for the ports and one for the owners, each replaced by a rename. The
//! containers are not synced: what a power cut can take is a list that the daemon gives again when
//! it starts, and a torn file is ignored. The ports and the owners are: nobody else knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::warn;

use super::container::DaemonContainers;
use super::ownership::SavedOwners;
use super::ports::SavedPorts;
use crate::network::NetworkId;

const PREFIX: &str = "containers-";
const SUFFIX: &str = ".json";
const PORTS: &str = "ports.json";
const OWNERS: &str = "owners.json";
/// What a table is renamed to, behind its name, that cannot be read.
const BROKEN: &str = "broken";
/// How long the end of the program waits for what is still to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The folder, and the task that writes to it.
pub struct Store {
    folder: PathBuf,
    writes: mpsc::UnboundedSender<Change>,
    writer: JoinHandle<()>,
}

/// What is to be in a file.
type Change = (PathBuf, Content);

enum Content {
    /// There is to be no file.
    None,
    Containers(Arc<DaemonContainers>),
    Ports(SavedPorts),
    Owners(SavedOwners),
}

/// Who had which port when the last process ended, for a process that changes nothing.
pub fn read_ports(folder: &Path) -> io::Result<SavedPorts> {
    Ok(read(&folder.join(PORTS))?.unwrap_or_default())
}

/// Who owned what when the last process ended, for a process that changes nothing; nothing where
/// there is no record yet.
pub fn read_owners(folder: &Path) -> io::Result<Option<SavedOwners>> {
    read(&folder.join(OWNERS))
}

fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match fs::read(file) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that was there and could not be read.
#[derive(Debug)]
pub struct Damage {
    /// Where it is now.
    pub file: PathBuf,
    /// What is wrong with it.
    pub error: io::Error,
}

/// The same for a process that will write the file anew: one that cannot be read is set aside, for
/// somebody to look at.
fn load<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, Damage> {
    read(file).map_err(|error| {
        let aside = file.with_added_extension(BROKEN);
        let file = match fs::rename(file, &aside) {
            Ok(()) => {
                warn!("cannot read {file:?}, it is {aside:?} now: {error}");
                aside
            }
            Err(_) => {
                warn!("cannot read {file:?}: {error}");
                file.to_owned()
            }
        };
        Damage { file, error }
    })
}

impl Store {
    /// Opens the folder, and makes it if need be. One that cannot be used costs a warning and
    /// the memory over restarts, nothing else.
    pub fn open(folder: &Path) -> Self {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        if let Err(error) = made {
            warn!("cannot keep the last known containers in {folder:?}: {error}");
        }
        let (writes, queue) = mpsc::unbounded_channel();
        Self {
            folder: folder.to_owned(),
            writes,
            writer: tokio::spawn(write_all(queue)),
        }
    }

    /// What was last known of the daemon behind a socket.
    pub fn load(&self, socket: &Path, network_id: Option<NetworkId>) -> Option<DaemonContainers> {
        let file = self.file(socket, network_id);
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!("cannot read {file:?}: {error}");
                return None;
            }
        };
        match serde_json::from_slice::<DaemonContainers>(&text) {
            Ok(known) if known.network_id == network_id => Some(known),
            Ok(_) => {
                warn!("ignoring {file:?}: it is another daemon's");
                None
            }
            Err(error) => {
                warn!("ignoring {file:?}: {error}");
                None
            }
        }
    }

    /// Keeps what is known of a daemon now. Returns at once; the disk is another thread's.
    pub fn save(&self, socket: &Path, containers: Arc<DaemonContainers>) {
        let file = self.file(socket, containers.network_id);
        // It fails when the writer has gone, which is when the program ends.
        let _ = self.writes.send((file, Content::Containers(containers)));
    }

    /// Who had which port when the last process ended. Without a table that can be read, the ports
    /// are handed out anew.
    pub fn load_ports(&self) -> SavedPorts {
        let ports = load(&self.folder.join(PORTS)).ok().flatten();
        ports.unwrap_or_default()
    }

    /// Who owned what when the last process ended. Without a record that can be read, what runs is
    /// adopted as it is.
    pub fn load_owners(&self) -> Result<Option<SavedOwners>, Damage> {
        load(&self.folder.join(OWNERS))
    }

    /// Keeps who owns what. Returns at once.
    pub fn save_owners(&self, owners: SavedOwners) {
        let file = self.folder.join(OWNERS);
        let _ = self.writes.send((file, Content::Owners(owners)));
    }

    /// Keeps who has which port. Returns at once.
    pub fn save_ports(&self, ports: SavedPorts) {
        let file = self.folder.join(PORTS);
        let _ = self.writes.send((file, Content::Ports(ports)));
    }

    /// Forgets a daemon whose socket is gone.
    pub fn remove(&self, socket: &Path, network_id: Option<NetworkId>) {
        let file = self.file(socket, network_id);
        let _ = self.writes.send((file, Content::None));
    }

    /// Forgets the daemons whose sockets went while nobody watched.
    pub fn keep_only<'a>(&self, sockets: impl Iterator<Item = (&'a Path, Option<NetworkId>)>) {
        let kept: BTreeSet<PathBuf> = sockets.map(|(path, id)| self.file(path, id)).collect();
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let is_ours = name
                .to_str()
                .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
            if is_ours && !kept.contains(&entry.path()) {
                let _ = self.writes.send((entry.path(), Content::None));
            }
        }
    }

    /// Writes what is still to be written.
    pub async fn close(self) {
        let Self { writes, writer, .. } = self;
        drop(writes);
        // The end of the program does not wait for a disk that hangs.
        let _ = timeout(FLUSH_TIMEOUT, writer).await;
    }

    fn file(&self, socket: &Path, network_id: Option<NetworkId>) -> PathBuf {
        let daemon = match network_id {
            Some(id) => id.to_string(),
            // Two paths never make one name: `%` is escaped first.
            None => socket
                .to_string_lossy()
                .replace('%', "%25")
                .replace('/', "%2F"),
        };
        self.folder.join(format!("{PREFIX}{daemon}{SUFFIX}"))
    }
}

async fn write_all(mut queue: mpsc::UnboundedReceiver<Change>) {
    let mut failed = BTreeSet::new();
    while let Some((file, content)) = queue.recv().await {
        // Of what has piled up, only the last state of each file matters.
        let mut pending = BTreeMap::from([(file, content)]);
        while let Ok((file, content)) = queue.try_recv() {
            pending.insert(file, content);
        }
        for (file, content) in pending {
            let written = {
                let file = file.clone();
                spawn_blocking(move || write(&file, &content))
            };
            match written.await.unwrap_or_else(|error| Err(error.into())) {
                Ok(()) => {
                    failed.remove(&file);
                }
                Err(error) => {
                    // Once, not with each event of a daemon.
                    if failed.insert(file.clone()) {
                        warn!("cannot write {file:?}: {error}");
                    }
                }
            }
        }
    }
}

fn write(file: &Path, content: &Content) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    match content {
        Content::None => match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        Content::Containers(containers) => replace(
            file,
            folder,
            &serde_json::to_vec(&**containers)?,
            |_| Ok(()),
        ),
        Content::Ports(ports) => replace_for_good(file, folder, &serde_json::to_vec(ports)?),
        Content::Owners(owners) => replace_for_good(file, folder, &serde_json::to_vec(owners)?),
    }
}

/// Replaces a file that nobody else could make again.
fn replace_for_good(file: &Path, folder: &Path, text: &[u8]) -> io::Result<()> {
    replace(file, folder, text, File::sync_all)?;
    File::open(folder)?.sync_all()
}

fn replace(
    file: &Path,
    folder: &Path,
    text: &[u8],
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    // A temporary file is made with mode 0600, and labels may hold what is not for everybody.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text)?;
    settle(temporary.as_file())?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    use crate::route_server::container::{Address, Condition, Container};

    const SOCKET: &str = "/run/docker-2816.sock";

    #[tokio::test]
    async fn what_was_saved_is_loaded_by_the_next_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = containers("web");

        let store = Store::open(folder.path());
        store.save(Path::new(SOCKET), containers("old").into());
        store.save(Path::new(SOCKET), known.clone().into());
        store.close().await;

        let store = Store::open(folder.path());
        assert_eq!(store.load(Path::new(SOCKET), known.network_id), Some(known));
        let files: Vec<_> = fs::read_dir(folder.path())
            .expect("the folder")
            .flatten()
            .collect();
        assert_eq!(files.len(), 1);
        let mode = files[0].metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_daemon_that_is_gone_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = containers("web");
        let named = (Path::new("/run/docker.sock"), None);
        let unnamed = DaemonContainers {
            network_id: None,
            ..known.clone()
        };

        let store = Store::open(folder.path());
        store.save(Path::new(SOCKET), known.clone().into());
        store.save(named.0, unnamed.clone().into());
        store.close().await;

        let store = Store::open(folder.path());
        store.keep_only([named].into_iter());
        store.close().await;

        let store = Store::open(folder.path());
        assert_eq!(store.load(Path::new(SOCKET), known.network_id), None);
        assert_eq!(store.load(named.0, None), Some(unnamed));
    }

    #[tokio::test]
    async fn a_torn_file_is_ignored() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = containers("web").network_id;
        let store = Store::open(folder.path());
        for text in ["", "{", r#"{"network_id": 2816, "containers": 1}"#] {
            fs::write(store.file(Path::new(SOCKET), id), text).expect("a file");
            assert_eq!(store.load(Path::new(SOCKET), id), None, "{text}");
        }
    }

    #[tokio::test]
    async fn who_has_which_port_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = r#"{"tcp":[{"port":10000,"network_id":2816,"service":"db","target":5432,"since":1}],"udp":[]}"#;
        let saved: SavedPorts = serde_json::from_str(text).expect("a table");

        let store = Store::open(folder.path());
        assert_eq!(store.load_ports(), SavedPorts::default());
        store.save_ports(SavedPorts::default());
        store.save_ports(saved.clone());
        // Daemons that went have no part in it.
        store.keep_only(std::iter::empty());
        store.close().await;

        assert_eq!(Store::open(folder.path()).load_ports(), saved);
        let file = fs::metadata(folder.path().join(PORTS)).expect("the file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_broken_table_of_ports_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(PORTS), "{").expect("a file");
        assert!(read_ports(folder.path()).is_err());
        let store = Store::open(folder.path());
        assert_eq!(store.load_ports(), SavedPorts::default());
        assert!(!folder.path().join(PORTS).exists());
        let aside = fs::read_to_string(folder.path().join("ports.json.broken"));
        assert_eq!(aside.ok().as_deref(), Some("{"));
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_no_failure() {
        let store = Store::open(Path::new("/proc/none/router"));
        let known = containers("web");
        store.save(Path::new(SOCKET), known.clone().into());
        assert_eq!(store.load(Path::new(SOCKET), known.network_id), None);
        store.close().await;
    }

    fn containers(name: &str) -> DaemonContainers {
        DaemonContainers {
            network_id: NetworkId::try_from(2816).ok(),
            containers: vec![Container {
                id: "1f".to_owned(),
                name: name.to_owned(),
                created: 1,
                labels: BTreeMap::from([("rediacc.service_port".to_owned(), "80".to_owned())]),
                condition: Condition::Ready,
                address: Address::Host,
                exposed_tcp_ports: vec![80],
                ..Container::default()
            }],
        }
    }
}
