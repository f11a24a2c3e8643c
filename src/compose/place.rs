//! Finds the repository that a call is for, and its folders.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::refusal::Refusal;
use crate::layout;
use crate::network::NetworkId;
use crate::repository::{FileError, Record, Registry, RepositoryName};

/// A repository, and the project folder of the call.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) id: NetworkId,
    /// The repository's folder, without symlinks.
    pub(super) root: PathBuf,
    /// Where Compose runs, without symlinks.
    pub(super) project_dir: PathBuf,
    pub(super) name: Option<RepositoryName>,
    /// Whether it is in the machine's record of repositories.
    is_recorded: bool,
    pub(super) allows_unsafe: bool,
}

impl Place {
    pub(super) fn find(id: Option<NetworkId>, project_dir: &Path) -> Result<Self, Refusal> {
        let project_dir = canonical(project_dir)?;
        let registry = Record::of_machine().read()?;
        let id = match id.or(id_of_environment()?) {
            Some(id) => id,
            None => around(&registry, &project_dir)?,
        };
        let recorded = registry.by_id(id);
        let root = match recorded {
            Some((name, entry)) => {
                let root = entry.path(name);
                if entry.image_bytes.is_some() && !is_mount_point(&root) {
                    let message =
                        format!("repository `{name}` is not mounted at {}", root.display());
                    let hint = format!("`rdc repo up {name} -m MACHINE --mount` mounts it");
                    return Err(Refusal::new(message).hint(hint));
                }
                canonical(&root)?
            }
            None => unrecorded_root(&project_dir)?,
        };
        let name = match recorded {
            Some((name, _)) => Some(name.clone()),
            None => unrecorded_name(&root),
        };
        Ok(Self {
            id,
            root,
            project_dir,
            name,
            is_recorded: recorded.is_some(),
            allows_unsafe: recorded.is_some_and(|(_, entry)| entry.allows_unsafe),
        })
    }

    /// A repository whose id and folder are known.
    pub(super) fn known(id: NetworkId, root: &Path, project_dir: &Path) -> Result<Self, Refusal> {
        let root = canonical(root)?;
        Ok(Self {
            id,
            name: unrecorded_name(&root),
            root,
            project_dir: canonical(project_dir)?,
            is_recorded: false,
            allows_unsafe: false,
        })
    }

    /// Records whether the repository's services may reach the machine. Returns whether that changed.
    pub(super) fn allow_unsafe(&mut self, allows: bool) -> Result<bool, Refusal> {
        let was = std::mem::replace(&mut self.allows_unsafe, allows);
        if !self.is_recorded || was == allows {
            return Ok(false);
        }
        let id = self.id;
        Record::of_machine().edit(|registry| {
            let entries = registry.repositories.values_mut();
            for entry in entries.filter(|entry| entry.network_id == id) {
                entry.allows_unsafe = allows;
            }
            Ok::<_, FileError>(())
        })?;
        Ok(true)
    }
}

fn id_of_environment() -> Result<Option<NetworkId>, Refusal> {
    let Ok(text) = env::var("REPOSITORY_NETWORK_ID") else {
        return Ok(None);
    };
    let id = text
        .parse()
        .map_err(|error| Refusal::new(format!("cannot use $REPOSITORY_NETWORK_ID: {error}")))?;
    Ok(Some(id))
}

/// The repository whose folder contains the project.
fn around(registry: &Registry, project_dir: &Path) -> Result<NetworkId, Refusal> {
    let found = registry.repositories.iter().find(|(name, entry)| {
        let path = entry.path(name);
        project_dir.starts_with(fs::canonicalize(&path).unwrap_or(path))
    });
    found.map(|(_, entry)| entry.network_id).ok_or_else(|| {
        let message = format!("{} is in no repository of this machine", project_dir.display());
        Refusal::new(message).hint(
            "name the repository's network with `--network-id`, as `renet compose --network-id 2816 -- …`",
        )
    })
}

fn unrecorded_root(project_dir: &Path) -> Result<PathBuf, Refusal> {
    if let Some(root) = env::var_os("REPOSITORY_PATH") {
        return canonical(Path::new(&root));
    }
    let has_slots = |folder: &&Path| folder.join(layout::SLOTS).exists();
    let found = project_dir.ancestors().find(has_slots);
    Ok(found.unwrap_or(project_dir).to_owned())
}

fn unrecorded_name(root: &Path) -> Option<RepositoryName> {
    let given = env::var("REPOSITORY_NAME").ok();
    let folder = || Some(root.file_name()?.to_str()?.to_owned());
    given.or_else(folder)?.parse().ok()
}

fn canonical(path: &Path) -> Result<PathBuf, Refusal> {
    fs::canonicalize(path)
        .map_err(|error| Refusal::new(format!("cannot find {}: {error}", path.display())))
}

fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let above = path.parent().and_then(device);
    device(path).is_some_and(|own| Some(own) != above)
}
