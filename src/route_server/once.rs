//! `renet route-server --once`: the routes of this moment, without serving them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::absences::Absences;
use super::container::{Container, DaemonContainers};
use super::discover::scan;
use super::docker::{Engine, EngineError, Memory};
use super::index::Index;
use super::publish::LONGEST_ERROR;
use super::supervise::Places;
use super::timestamp::unix_seconds;
use super::watch::FIRST_ATTEMPT;
use crate::printable::shortened;

/// The document of all daemons that answer, and what the others had to say.
pub async fn document(
    places: &Places,
    mut index: Index,
) -> (Result<String, serde_json::Error>, Vec<String>) {
    let found = scan(&places.folder, &places.named);
    let answers = join_all(found.keys().map(|socket| list(socket))).await;
    let (mut silent, mut unheard) = (Vec::new(), Vec::new());
    for ((path, socket), answer) in found.iter().zip(answers) {
        match answer {
            Ok(containers) => {
                let seen = DaemonContainers {
                    network_id: socket.network_id,
                    containers,
                };
                index.reset(path, seen);
            }
            Err(error) => {
                let error = error.to_string();
                let error = shortened(&error, LONGEST_ERROR);
                silent.push(format!("{}: {error}", path.display()));
                unheard.push(socket.network_id);
            }
        }
    }
    // The running server knows whom to expect back: here, nobody loses a port for being away.
    let found: BTreeSet<_> = found.values().map(|socket| socket.network_id).collect();
    let mut absences = Absences::default();
    for id in index.port_owners().into_iter().map(Some) {
        if !found.contains(&id) {
            absences.note(id, Instant::now());
        }
    }
    index.assign_ports(|id| absences.standing(&unheard, id), SystemTime::now());
    (
        index
            .snapshot(unix_seconds(SystemTime::now()))
            .map(|snapshot| snapshot.yaml),
        silent,
    )
}

async fn list(socket: &Path) -> Result<Vec<Container>, EngineError> {
    let deadline = Instant::now() + FIRST_ATTEMPT;
    let engine = Engine::connect(socket, deadline).await?;
    engine.list(&mut Memory::default(), deadline).await
}
