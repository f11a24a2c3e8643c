//! Labels → dynamic configuration, by the rules of Traefik's own label reader.
//!
//! One decoder for every part of the model: the labels become a small tree of keys (`tree`), and a
//! serde `Deserializer` over that tree (`de`, with `parts` and `dotted`) fills the model's structs. Nothing here knows any
//! router, service or middleware, and nothing passes that the model does not name.

mod de;
mod dotted;
mod fault;
mod nearest;
mod parts;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::dynamic::DynamicConfig;

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

/// The routers, services and middlewares that a container's labels describe.
pub fn decode(labels: &BTreeMap<String, String>) -> Result<DynamicConfig, LabelError> {
    decode_under(labels, &ROUTES)
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
