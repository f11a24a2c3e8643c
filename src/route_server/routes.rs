//! Containers → dynamic configuration. Pure: the same containers give the same bytes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::network::NetworkId;
use crate::traefik::entrypoint::Entrypoint;

/// What the operator declared, as far as routes depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// The domain under which auto routes live; without one there are none.
    pub base_domain: Option<String>,
    /// The entry points that Traefik has.
    pub entrypoints: BTreeSet<Entrypoint>,
    /// The certificate resolver of auto routes; without one they are plain HTTP.
    pub cert_resolver: Option<String>,
    /// Whether containers without `traefik.enable` get a route.
    pub auto_routes: bool,
}

/// A container or label that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rejection {
    /// The container's name.
    pub container: String,
    /// Its repository.
    pub network_id: Option<NetworkId>,
    /// The label at fault, if it is one label.
    pub label: Option<String>,
    /// What is wrong, in one sentence.
    pub reason: String,
    /// What would be right, or what to do.
    pub hint: Option<String>,
}
