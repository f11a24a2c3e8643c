//! What the machine has beside containers, as far as routes depend on it: the operator's own
//! dynamic configuration, and the machine's addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use tracing::warn;

use super::discover::Folders;
use super::ownership::OperatorNames;
use super::ownership::operator::Format;

/// The deepest folder below that of the operator's files which is looked into.
const DEEPEST: usize = 8;

/// The operator's files and the machine's addresses, followed.
pub struct Surroundings {
    folder: PathBuf,
    folders: Folders,
    /// What each file used when it could last be read.
    files: BTreeMap<PathBuf, OperatorNames>,
    /// The addresses that the operator declared.
    declared: BTreeSet<IpAddr>,
    has_failed: bool,
}

impl Surroundings {
    /// Follows the files of a folder, which may not exist yet.
    pub fn watch(folder: &Path, declared: BTreeSet<IpAddr>) -> Self {
        Self {
            folder: folder.to_owned(),
            folders: Folders::of(subfolders(folder)),
            files: BTreeMap::new(),
            declared,
            has_failed: false,
        }
    }

    /// Waits until there may be something else to read. May be dropped at any time.
    pub async fn changed(&mut self) {
        self.folders.changed().await;
    }

    /// What the operator's files use. One that cannot be read counts for what it last used, as
    /// Traefik keeps it too.
    pub fn operator(&mut self) -> OperatorNames {
        let folders = subfolders(&self.folder);
        let mut all = OperatorNames::default();
        let mut seen = BTreeSet::new();
        for file in folders.iter().flat_map(|folder| files(folder)) {
            let Some(format) = file.to_str().and_then(Format::of) else {
                continue;
            };
            let shown = file.display().to_string();
            let text = fs::read_to_string(&file).map_err(|error| error.to_string());
            match text.and_then(|text| OperatorNames::read(&shown, &text, format)) {
                Ok(used) => {
                    self.files.insert(file.clone(), used);
                }
                Err(error) => {
                    all.unreadable.insert(shown, error);
                }
            }
            if let Some(used) = self.files.get(&file) {
                all.extend(used.clone());
            }
            seen.insert(file);
        }
        self.files.retain(|file, _| seen.contains(file));
        self.folders.follow(folders);
        all
    }

    /// The machine's addresses, but for those on loopback, and those that were declared to lead to
    /// it.
    pub fn addresses(&mut self) -> BTreeSet<IpAddr> {
        let mut addresses = self.declared.clone();
        match getifaddrs() {
            Ok(interfaces) => {
                let own = interfaces.filter_map(|one| address(&one.address?));
                addresses.extend(own.filter(|address| !address.is_loopback()));
                self.has_failed = false;
            }
            Err(error) if !self.has_failed => {
                warn!("cannot read the machine's addresses: {error}");
                self.has_failed = true;
            }
            Err(_) => {}
        }
        addresses
    }
}

fn address(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|one| IpAddr::V4(one.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|one| IpAddr::V6(one.ip())))
}

/// A folder and those below it, which Traefik reads as well.
fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut level = found.clone();
    for _ in 0..DEEPEST {
        let below = level.iter().flat_map(|folder| entries(folder));
        level = below.filter(|path| path.is_dir()).collect();
        found.extend(level.iter().cloned());
    }
    found
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    entries(folder).filter(|path| path.is_file())
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_cannot_be_read_counts_for_what_it_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("traefik.d");
        let mut surroundings = Surroundings::watch(&place, BTreeSet::new());
        assert_eq!(surroundings.operator(), OperatorNames::default());

        let below = place.join("sites");
        fs::create_dir_all(&below).expect("a folder");
        let file = below.join("blog.yml");
        let rule = "http: {routers: {blog: {rule: 'Host(`blog.example.com`)'}}}";
        fs::write(&file, rule).expect("a file");
        surroundings.changed().await;
        let used = surroundings.operator();
        assert_eq!(used.names.len(), 1, "{used:?}");

        fs::write(&file, "http: [").expect("a file");
        surroundings.changed().await;
        let broken = surroundings.operator();
        assert_eq!(broken.names, used.names);
        assert_eq!(broken.unreadable.len(), 1, "{broken:?}");

        fs::remove_file(&file).expect("removed");
        surroundings.changed().await;
        assert_eq!(surroundings.operator(), OperatorNames::default());
    }
}
