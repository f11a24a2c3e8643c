//! The rules for the top-level elements beside the services: volumes, networks, secrets, configs.

use serde_json::Value;

use super::finding::Finding;
use super::folder::Folder;
use super::table::{Rule, Spot, Table, apply, text};
use crate::compose::model::{Model, Object};

pub(super) fn check(model: &Model, folder: Folder<'_>) -> Vec<Finding> {
    let project = model.project();
    let mut findings = Vec::new();
    for (key, value) in model.top() {
        let entries = value.as_object().into_iter().flatten();
        let entries = entries.filter_map(|(name, entry)| Some((name, entry.as_object()?)));
        match key {
            "name" | "version" => {}
            "volumes" => {
                for (name, volume) in entries {
                    let place = format!("volumes.{name}");
                    findings.extend(apply(VOLUME, &place, "", volume, folder));
                    findings.extend(device(&place, volume, folder));
                }
            }
            "secrets" | "configs" => {
                for (name, entry) in entries {
                    findings.extend(apply(FILE, &format!("{key}.{name}"), "", entry, folder));
                }
            }
            // Other networks are used by services, and reported there.
            "networks" => {
                let own = entries.filter(|(name, _)| *name == "default");
                findings.extend(own.flat_map(|(_, network)| default_network(network, project)));
            }
            "models" if value.as_object().is_some_and(serde_json::Map::is_empty) => {}
            key if key.starts_with("x-") => {}
            key => findings.push(Finding::unsafe_(
                key,
                "this `renet` does not know this key, which could reach the machine",
            )),
        }
    }
    findings
}

const VOLUME: &Table = &[
    ("driver", Rule::Checked(volume_driver)),
    // Checked by `device`, as a whole.
    ("driver_opts", Rule::Free),
    ("external", Rule::Free),
    ("labels", Rule::Free),
    ("name", Rule::Free),
];

const FILE: &Table = &[
    ("content", Rule::Free),
    ("driver", Rule::Unsafe("a plugin of the engine runs for it")),
    (
        "driver_opts",
        Rule::Unsafe("a plugin of the engine runs for it"),
    ),
    ("environment", Rule::Free),
    ("external", Rule::Free),
    ("file", Rule::Checked(file)),
    ("labels", Rule::Free),
    ("name", Rule::Free),
    ("template_driver", Rule::Free),
];

fn volume_driver(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    if value == "local" {
        return Vec::new();
    }
    spot.refused("a plugin of the engine runs for it")
}

fn file(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    spot.whole_path(value.as_str().unwrap_or_default())
}

/// Checks the options of a local volume: with `type` and `device` it mounts anything.
fn device(place: &str, volume: &Object, folder: Folder<'_>) -> Option<Finding> {
    let options = volume.get("driver_opts")?.as_object()?;
    if options.is_empty() {
        return None;
    }
    let key = format!("{place}.driver_opts");
    let (kind, device) = (text(options, "type"), text(options, "device"));
    let flags: Vec<&str> = text(options, "o").split(',').map(str::trim).collect();
    let has = |names: &[&str]| flags.iter().any(|flag| names.contains(flag));
    // The kernel binds the device whatever the type is.
    let is_bind = has(&["bind", "rbind"]);
    if kind == "tmpfs" && !is_bind {
        return None;
    }
    let is_shared = has(&["shared", "rshared", "slave", "rslave"]);
    if is_bind && !is_shared && matches!(kind, "" | "none" | "bind") {
        return folder.check_whole(&key, device);
    }
    Some(Finding::unsafe_(
        key,
        format!("the machine mounts {device:?} for it"),
    ))
}

/// Checks the default network: what Compose generates itself is fine.
fn default_network(network: &Object, project: &str) -> Option<Finding> {
    let is_plain = network.iter().all(|(key, value)| match key.as_str() {
        "name" => *value == format!("{project}_default"),
        "ipam" => value.as_object().is_some_and(serde_json::Map::is_empty),
        _ => value.is_null(),
    });
    (!is_plain).then(|| {
        Finding::useless(
            "networks.default",
            "the engine has no bridge: services have addresses of their own, and reach each other by name",
            "remove it",
        )
    })
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
