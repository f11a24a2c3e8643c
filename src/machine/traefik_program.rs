//! Which Traefik a generation runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::generation::Generation;
use super::{Ending, refused};
use crate::bundle::{Lacking, TraefikSource};
use crate::context::value::TraefikVersion;
use crate::layout;

/// The Traefik to run: the one that the push brought, the release that was asked for, or, where
/// nobody asked, the live generation's or one that is on the machine. A dry run has not uploaded
/// anything.
pub(super) fn choose(
    source: &TraefikSource,
    live: Option<&Generation>,
    dry_run: bool,
) -> Result<PathBuf, Ending> {
    let (version, asked) = match source {
        TraefikSource::Brought(path) if dry_run || is_program(path) => return Ok(path.clone()),
        TraefikSource::Brought(path) => {
            return Err(refused(format!("the pushed Traefik is not at {}", path.display())).into());
        }
        TraefikSource::Release { version, asked } => (version, *asked),
    };
    let release = release_path(version);
    let live = live
        .and_then(|live| live.link(layout::TRAEFIK))
        .map(Path::to_owned);
    let installed = ["/usr/local/bin/traefik", "/usr/bin/traefik"].map(PathBuf::from);
    let found = if asked {
        let others = live.into_iter().chain(uploaded_traefiks()).chain(installed);
        // Its own place tells a release's version; of another program only itself can.
        let is_it =
            |path: &PathBuf| version_of(path).is_some_and(|found| found.as_str() == version);
        [release]
            .into_iter()
            .find(|path| is_program(path))
            .or_else(|| others.filter(|path| is_program(path)).find(is_it))
    } else {
        // What pushes brought was checked by them; what others installed may be too old.
        let is_usable = |path: &PathBuf| version_of(path).is_some_and(|it| it.is_supported());
        live.into_iter()
            .chain([release])
            .chain(uploaded_traefiks())
            .find(|path| is_program(path))
            .or_else(|| {
                installed
                    .into_iter()
                    .filter(|path| is_program(path))
                    .find(is_usable)
            })
    };
    found.ok_or_else(|| {
        Ending::Lacking(Lacking {
            traefik: version.clone(),
        })
    })
}

/// Where a release comes to lie that a push brings.
pub(super) fn release_path(version: &str) -> PathBuf {
    Path::new(layout::PROGRAMS)
        .join(layout::TRAEFIK)
        .join(version)
        .join(layout::TRAEFIK)
}

/// The version that a Traefik says of itself.
fn version_of(path: &Path) -> Option<TraefikVersion> {
    let output = Command::new(path)
        .arg("version")
        .env_clear()
        .output()
        .ok()?;
    said_version(&String::from_utf8_lossy(&output.stdout))
}

/// The version in what `traefik version` prints.
fn said_version(text: &str) -> Option<TraefikVersion> {
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("Version:"))?;
    version.parse().ok()
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

/// Whether a path leads to something that may be run.
pub(super) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traefik_tells_its_version() {
        for (text, expected) in [
            ("Version:      3.7.15\nCodename:     x\n", Some("3.7.15")),
            ("Version:      v3.8.0-rc.1\n", Some("3.8.0-rc.1")),
            ("Usage: traefik\n", None),
        ] {
            assert_eq!(
                said_version(text).as_ref().map(TraefikVersion::as_str),
                expected,
                "{text}"
            );
        }
    }
}
