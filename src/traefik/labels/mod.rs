//! Labels → dynamic configuration, by the rules of Traefik's own label reader.
//!
//! One decoder for every part of the model: the labels become a small tree of keys (`tree`), and a
//! serde `Deserializer` over that tree (`de`, with `parts` and `dotted`) fills the model's structs.
//! Nothing here knows the fields of any router, service or middleware, and nothing passes that the
//! model does not name. What cannot be read costs the entry that it is in (`entry`), and keys that
//! Traefik passes over are passed over (`ignored`).

mod de;
mod dotted;
mod entry;
mod fault;
mod ignored;
mod nearest;
mod parts;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::dynamic::bounds::{LONGEST_LABEL, MOST_LABEL_BYTES};
use super::dynamic::{Allowance, DynamicConfig};

pub use entry::{Entry, EntryKind};
pub use nearest::nearest;

/// The first word of every label that is read.
const ROOT: &str = "traefik";

/// The labels that describe routes; other labels of Traefik are none of this decoder's business.
const ROUTES: [&str; 4] = [
    "traefik.http",
    "traefik.tcp",
    "traefik.udp",
    "traefik.tls.stores.default",
];

/// The labels that say whether and how a container is looked at.
const OPTIONS: [&str; 2] = ["traefik.enable", "traefik.docker."];

/// A label that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {reason}")]
pub struct LabelError {
    /// The label's key, as it was written.
    pub label: String,
    /// What is wrong with it.
    pub reason: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// Whether and how a container is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContainerOptions {
    /// `traefik.enable`.
    pub enable: Option<bool>,
    docker: DockerOptions,
}

impl ContainerOptions {
    /// `traefik.docker.allownonrunning`: whether its routers stay while it does not run.
    pub fn allow_non_running(&self) -> bool {
        self.docker.allow_non_running.unwrap_or(false)
    }

    /// `traefik.docker.network`: on which of its networks it is reached.
    pub fn network(&self) -> Option<&str> {
        let name = self.docker.network.as_deref();
        name.filter(|name| !name.is_empty())
    }
}

/// `traefik.docker.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerOptions {
    allow_non_running: Option<bool>,
    network: Option<String>,
    // Read so that the label is valid, as in Traefik; there is no Swarm here.
    #[serde(rename = "lbswarm")]
    _lb_swarm: Option<bool>,
}

/// What a container's labels describe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The routers, services and middlewares. Where an entry could not be read, another stands in
    /// for it ([`Entry::stand_in`]).
    pub config: DynamicConfig,
    /// The entries that could not be read, with what is wrong with each.
    pub unreadable: Vec<(Entry, LabelError)>,
    /// Labels that say nothing to Traefik.
    pub ignored: Vec<LabelError>,
}

/// The routers, services and middlewares that a container's labels describe. An error is of the
/// container as a whole: of a label that belongs to no entry.
pub fn decode(
    labels: &BTreeMap<String, String>,
    allowance: Allowance,
) -> Result<Decoded, LabelError> {
    let oversized = oversized(labels, allowance)?;
    let Some(mut root) = tree::grow(labels, &ROUTES)? else {
        return Ok(Decoded::default());
    };
    let mut unreadable = Vec::new();
    for error in oversized {
        match entry::entry_of(&root, &error.label) {
            Some(entry) => unreadable.push((entry, error)),
            None => return Err(error),
        }
    }
    for (entry, _) in &unreadable {
        entry::take(&mut root, entry);
    }
    let ignored = ignored::take(&mut root);
    let read = match root.children.is_empty() {
        true => Ok(DynamicConfig::default()),
        false => de::read(&root),
    };
    let mut config = match read {
        Ok(config) => config,
        Err(_) => {
            unreadable.extend(entry::take_unreadable(&mut root));
            match root.children.is_empty() {
                true => DynamicConfig::default(),
                false => de::read(&root)?,
            }
        }
    };
    for (entry, _) in &unreadable {
        entry.stand_in(&mut config);
    }
    Ok(Decoded {
        config,
        unreadable,
        ignored,
    })
}

/// The labels that are too long, unless they are so many that the container is to blame.
fn oversized(
    labels: &BTreeMap<String, String>,
    allowance: Allowance,
) -> Result<Vec<LabelError>, LabelError> {
    let (longest, most) = (
        allowance.most(LONGEST_LABEL),
        allowance.most(MOST_LABEL_BYTES),
    );
    let mut total = 0_usize;
    let mut oversized = Vec::new();
    for (label, value) in labels {
        if !ROUTES.iter().any(|prefix| tree::begins_with(label, prefix)) {
            continue;
        }
        let size = label.len() + value.len();
        total = total.saturating_add(size);
        if size > longest {
            oversized.push(LabelError {
                label: label.clone(),
                reason: format!("the label has {size} bytes, and {longest} are the most"),
                hint: None,
            });
        }
    }
    if total > most {
        return Err(LabelError {
            label: ROOT.to_owned(),
            reason: format!("its labels have {total} bytes together, and {most} are the most"),
            hint: None,
        });
    }
    Ok(oversized)
}

/// What a container's labels say of the container itself.
pub fn container_options(
    labels: &BTreeMap<String, String>,
) -> Result<ContainerOptions, LabelError> {
    decode_under(labels, &OPTIONS)
}

fn decode_under<'a, T: Deserialize<'a> + Default>(
    labels: &'a BTreeMap<String, String>,
    prefixes: &[&str],
) -> Result<T, LabelError> {
    match tree::grow(labels, prefixes)? {
        Some(root) => de::read(&root),
        None => Ok(T::default()),
    }
}
