//! Which Traefik a generation runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::generation::Generation;
use super::{Ending, refused};
use crate::bundle::{Lacking, TraefikSource};
use crate::layout;

/// The Traefik to run: the one that the push brought, the release that was asked for, or, where
/// nobody asked, the live generation's or one that is on the machine. A dry run has not uploaded
/// anything.
pub(super) fn choose(
    source: &TraefikSource,
    live: Option<&Generation>,
    dry_run: bool,
) -> Result<PathBuf, Ending> {
    let version = match source {
        TraefikSource::Brought(path) if dry_run || is_program(path) => return Ok(path.clone()),
        TraefikSource::Brought(path) => {
            return Err(refused(format!("the pushed Traefik is not at {}", path.display())).into());
        }
        TraefikSource::Release { version, .. } => version,
    };
    let release = Path::new(layout::PROGRAMS)
        .join(layout::TRAEFIK)
        .join(version)
        .join(layout::TRAEFIK);
    let live = live
        .and_then(|live| live.link(layout::TRAEFIK))
        .map(Path::to_owned);
    let installed = ["/usr/local/bin/traefik", "/usr/bin/traefik"].map(PathBuf::from);
    live.into_iter()
        .chain([release])
        .chain(uploaded_traefiks())
        .chain(installed)
        .find(|path| is_program(path))
        .ok_or_else(|| {
            Ending::Lacking(Lacking {
                traefik: version.clone(),
            })
        })
}

/// The Traefiks of former pushes, the latest first.
fn uploaded_traefiks() -> Vec<PathBuf> {
    let folder = Path::new(layout::PROGRAMS).join(layout::TRAEFIK);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path().join(layout::TRAEFIK);
            Some((fs::metadata(&path).ok()?.modified().ok()?, path))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
