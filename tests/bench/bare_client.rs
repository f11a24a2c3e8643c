//! The least that a program can do to know all containers: the yardstick of the cold start.
//!
//! It connects to each socket and asks for the list, to all before it reads the first answer, so
//! that it never waits for a daemon while another's answer is there. Then it reads each list and
//! parses it into the fields that routes are made of. One thread, as the route server has; no
//! version, no events, no time-outs, no routes.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::Deserialize;

use crate::http::Client;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    id: String,
    names: Vec<String>,
    labels: BTreeMap<String, String>,
    state: String,
    status: String,
    host_config: HostConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    network_mode: String,
}

/// Lists the containers of all these daemons, and returns how many there are.
pub(crate) fn run(sockets: &[PathBuf]) -> io::Result<usize> {
    let mut clients = Vec::with_capacity(sockets.len());
    for socket in sockets {
        let mut client = Client::new(UnixStream::connect(socket)?);
        client.send("GET", "/v1.41/containers/json?all=true")?;
        clients.push(client);
    }
    let mut known = Vec::new();
    for mut client in clients {
        let list: Vec<Container> = serde_json::from_slice(&client.answer()?.body)?;
        known.extend(list);
    }
    let running = known.iter().filter(|container| {
        let Container {
            id,
            names,
            labels,
            state,
            status,
            host_config,
        } = container;
        let is_whole = !(id.is_empty() || names.is_empty() || labels.is_empty());
        let is_up = state == "running" && status.starts_with("Up");
        is_whole && is_up && !host_config.network_mode.is_empty()
    });
    Ok(running.count())
}
