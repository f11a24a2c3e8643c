//! Looks at everything on the machine that a plan depends on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files;
use super::generation::{Generation, Live};
use super::plan::{self, INSTALLED, Observed, Place, UNITS};
use super::{systemd, token};
use crate::bundle::Failure;
use crate::layout;

/// What the machine is now.
pub(super) fn observe(live: Option<&Live>) -> Result<Observed<'_>, Failure> {
    let mut places = BTreeMap::new();
    for (path, name) in plan::links() {
        let place = place(&path, name)?;
        places.insert(path, place);
    }
    let mut enabled = Vec::new();
    for unit in INSTALLED {
        if is_enabled(unit)? {
            enabled.push(unit);
        }
    }
    Ok(Observed {
        current: live.map(|live| &live.generation),
        places,
        enabled,
        units: systemd::states(UNITS)?,
        token: token::look()?,
    })
}

/// Whether systemd starts a unit at boot.
pub(super) fn is_enabled(unit: &str) -> Result<bool, Failure> {
    let (link, target) = plan::boot_link(unit);
    Ok(files::read_link(&link)? == Some(target))
}

fn place(path: &Path, name: &str) -> Result<Place, Failure> {
    if let Some(target) = files::read_link(path)? {
        let is_ours = target == plan::link_target(name);
        return Ok(if is_ours {
            Place::Linked
        } else {
            Place::Vacant
        });
    }
    Ok(match files::read(path)? {
        None => Place::Vacant,
        // A program of somebody else's by the same name.
        Some(_) if name == layout::RENET => Place::Foreign,
        Some(content) => Place::File(content),
    })
}

/// What the operator should know of what was found.
pub(super) fn warnings(observed: &Observed<'_>) -> Vec<String> {
    let foreign = observed
        .places
        .iter()
        .filter(|(_, place)| **place == Place::Foreign);
    foreign
        .map(|(path, _)| {
            format!(
                "{} is a file of somebody else's: it was left as it is",
                path.display()
            )
        })
        .collect()
}

/// The files that somebody edited since they were pushed, and that `wanted` overwrites.
pub(super) fn drift(
    live: Option<&Live>,
    observed: &Observed<'_>,
    wanted: &Generation,
) -> Vec<PathBuf> {
    let Some(live) = live else {
        return Vec::new();
    };
    let now = &live.generation;
    let edited = live
        .manifest
        .as_ref()
        .map(|manifest| manifest.edited(now))
        .unwrap_or_default();
    let in_generation = edited
        .into_iter()
        .filter(|name| now.get(name) != wanted.get(name))
        .map(|name| Path::new(layout::CURRENT).join(name));
    let replaced = plan::links().into_iter().filter_map(|(path, name)| {
        let Some(Place::File(content)) = observed.places.get(&path) else {
            return None;
        };
        let is_known = [now.file(name), wanted.file(name)].contains(&Some(content));
        (!is_known).then_some(path)
    });
    in_generation.chain(replaced).collect()
}
