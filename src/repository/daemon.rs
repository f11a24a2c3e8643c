//! How a repository's Docker daemon is reached, and the labels by which its containers are known.

use std::path::{Path, PathBuf};

use crate::layout;
use crate::network::NetworkId;

/// The label with the name of a service.
pub const SERVICE_NAME: &str = "rediacc.service_name";
/// The label with the address of a service.
pub const SERVICE_IP: &str = "rediacc.service_ip";
/// The label with the HTTP port of a service.
pub const SERVICE_PORT: &str = "rediacc.service_port";
/// The label with the network id of a repository.
pub const NETWORK_ID: &str = "rediacc.network_id";
/// The label with the name of a repository.
pub const REPO_NAME: &str = "rediacc.repo_name";
/// The label with which `docker compose run` marks what it starts beside a service.
pub const ONE_OFF: &str = "com.docker.compose.oneoff";

/// The daemon's socket.
pub fn socket(id: NetworkId) -> PathBuf {
    Path::new(layout::SOCKET_DIR).join(id.socket_name())
}

/// The value of `DOCKER_HOST` that leads to a socket.
pub fn docker_host(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}
