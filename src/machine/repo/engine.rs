//! A repository's Docker daemon: its units, and how it is started and stopped.
//!
//! ```text
//! rediacc.slice
//! └─ rediacc-2816.slice                 the limits
//!    ├─ rediacc-containerd@2816.service     containerd, and a shim for each container
//!    ├─ rediacc-docker@2816.service         dockerd
//!    └─ docker-….scope                      the containers
//! ```
//!
//! A daemon can be restarted and updated while its containers run (live-restore). To end everything of
//! a repository, stop all three, in this order: containers, daemons, and what is left in the slice.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;

use super::{children, docker, install, mounts, processes, storage, units};
use crate::bundle::Failure;
use crate::layout;
use crate::machine::{files, systemd};
use crate::network::NetworkId;
use crate::repository::daemon::socket;
use crate::repository::{Entry, Record, RepositoryName};

/// How long containers may take to end when they are stopped, in seconds.
const GRACE_SECONDS: u32 = 10;

/// Writes the daemon's units, mounts the repository and starts the daemon; returns when it answers.
/// From then on, the daemon starts at each boot.
pub(super) fn start(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    storage::mount(name, entry)?;
    install(name, entry)?;
    let unit = units::docker(entry.network_id);
    systemd::systemctl(&["enable", &unit, units::REPOSITORIES])?;
    systemd::start("start", &unit).map_err(|failure| with_containerd(failure, entry.network_id))?;
    remember(name, entry, true)
}

/// Stops the daemon and all its containers. It does not start at the next boot.
pub(super) fn stop(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let id = entry.network_id;
    disable(id)?;
    if is_running(id)? {
        stop_containers(id);
    }
    end(name, entry, Containers::AreAsked)?;
    remember(name, entry, false)
}

/// Stops the daemon and its containers for a moment. It still starts at the next boot, or by `start`.
pub(super) fn pause(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    end(name, entry, Containers::AreAsked)
}

/// Whether the daemon runs.
pub(super) fn is_running(id: NetworkId) -> Result<bool, Failure> {
    let [state] = systemd::states([&units::docker(id)])?;
    Ok(state.active)
}

/// Stops everything of a repository, and removes its daemon's units, sockets and mounts.
pub(super) fn remove(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let id = entry.network_id;
    disable(id)?;
    end(name, entry, Containers::AreKilled)?;
    let own: Vec<PathBuf> = units::own(name, entry)
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    install::remove(&own)?;
    // A failed unit, such as that of a run, would stay in systemd's lists. The pattern matches only
    // existing units.
    systemd::systemctl(&["reset-failed", &format!("rediacc-*[@-]{id}.*")])?;
    Ok(())
}

/// Removes what the daemons of all repositories share, when none is left.
pub(super) fn remove_shared() -> Result<(), Failure> {
    // The unit that stops containers at a shutdown has none to stop now.
    for unit in [units::CONTAINERS, units::REPOSITORIES, units::ALL] {
        stop_if_loaded(unit)?;
    }
    files::delete(&at_boot(units::REPOSITORIES))?;
    install::remove_file(Path::new(layout::CONTAINERD_CONFIG))?;
    install::remove_program(Path::new(layout::REPOSITORIES_RENET))?;
    install::remove(&units::SHARED.map(|(unit, _)| Path::new(layout::UNIT_DIR).join(unit)))
}

/// Stops the containers of a repository whose daemon has ended, for a shutdown: each gets its stop
/// signal, and is killed after a while. At the next start, the daemon treats them as after a power
/// failure, and restarts those with a restart policy.
pub(super) fn halt(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let private = entry.path(name).join(layout::REPOSITORY_PRIVATE);
    let containers = private.join("docker/containers");
    processes::end_containers(entry.network_id, GRACE_SECONDS, |id| {
        // Another signal may make a database wait for its clients until it is killed.
        let config = fs::read(containers.join(id).join("config.v2.json")).ok();
        config
            .and_then(|config| stop_signal(&config))
            .unwrap_or(Signal::TERM)
    })
}

/// The stop signal of a container, from the engine's `config.v2.json`.
fn stop_signal(config: &[u8]) -> Option<Signal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Container {
        config: Config,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        stop_signal: String,
    }
    let container: Container = serde_json::from_slice(config).ok()?;
    processes::signal_named(&container.config.stop_signal)
}

fn install(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    // Locked, since another repository may install the same files at the same time.
    Record::of_machine().edit(|_| install_shared())?;
    install::write(&units::own(name, entry))
}

fn install_shared() -> Result<(), Failure> {
    // The file belongs to the operator from then on. The daemon does not start without it.
    let docker_config = Path::new(layout::DOCKER_CONFIG);
    if !docker_config.exists() {
        install::write_file(docker_config, "{}\n")?;
    }
    let containerd_config = Path::new(layout::CONTAINERD_CONFIG);
    install::write_file(containerd_config, units::CONTAINERD_CONFIG)?;
    let own = super::own_program()?;
    install::write_program(Path::new(layout::REPOSITORIES_RENET), &own)?;
    let shared = units::SHARED.map(|(unit, text)| {
        let path = Path::new(layout::UNIT_DIR).join(unit);
        (path, text.to_owned())
    });
    install::write(&shared)
}

/// Adds the journal of containerd: dockerd often only reports that it cannot reach it.
fn with_containerd(mut failure: Failure, id: NetworkId) -> Failure {
    let unit = units::containerd(id);
    if systemd::property(&unit, "ActiveState").is_ok_and(|state| state != "active") {
        failure.journal.extend(systemd::journal(&unit));
    }
    failure
}

fn disable(id: NetworkId) -> Result<(), Failure> {
    // Without `systemctl disable`, which fails if the template is gone.
    files::delete(&at_boot(&units::docker(id)))
}

/// The link by which a unit starts at a boot.
fn at_boot(unit: &str) -> PathBuf {
    Path::new(layout::UNIT_DIR)
        .join("multi-user.target.wants")
        .join(unit)
}

/// Stops the containers by the engine, which knows how. One that hangs does not matter: `end` comes
/// next.
fn stop_containers(id: NetworkId) {
    let Ok(containers) = docker::running(id) else {
        return;
    };
    if containers.is_empty() {
        return;
    }
    let mut stop = docker::command(id);
    stop.args(["stop", "-t", &GRACE_SECONDS.to_string()])
        .args(&containers);
    let _ = children::output(&mut stop, Duration::from_secs(3 * u64::from(GRACE_SECONDS)));
}

/// How to end containers that the daemon has not stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Containers {
    /// By their stop signal, and after a while by force.
    AreAsked,
    /// At once, since their data is deleted anyway.
    AreKilled,
}

/// Ends daemons, shims and containers, and removes what they leave behind.
fn end(name: &RepositoryName, entry: &Entry, containers: Containers) -> Result<(), Failure> {
    let id = entry.network_id;
    let [docker, containerd, slice] = [units::docker(id), units::containerd(id), units::slice(id)];
    stop_if_loaded(&docker)?;
    stop_if_loaded(&containerd)?;
    if containers == Containers::AreAsked {
        halt(name, entry)?;
    }
    processes::end_all(id)?;
    stop_if_loaded(&slice)?;
    let engine = Path::new(layout::ENGINES).join(format!("engine-{id}"));
    mounts::clear_below(&engine)?;
    files::delete(&engine)?;
    files::delete(&socket(id))
}

/// Stops a unit, if it exists.
fn stop_if_loaded(unit: &str) -> Result<(), Failure> {
    if systemd::property(unit, "LoadState")? == "loaded" {
        systemd::systemctl(&["stop", unit])?;
    }
    Ok(())
}

/// Records whether the daemon should run, unless the repository is not recorded any more.
fn remember(name: &RepositoryName, entry: &Entry, started: bool) -> Result<(), Failure> {
    Record::of_machine().edit(|registry| {
        if let Some(recorded) = registry.repositories.get_mut(name)
            && recorded.network_id == entry.network_id
        {
            recorded.started = started;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_ends_by_the_signal_of_its_image() {
        for (config, expected) in [
            (r#"{"Config":{"StopSignal":"SIGINT"}}"#, Some(Signal::INT)),
            (r#"{"Config":{"StopSignal":"QUIT"}}"#, Some(Signal::QUIT)),
            (r#"{"Config":{"StopSignal":"9"}}"#, Some(Signal::KILL)),
            (r#"{"Config":{"StopSignal":"SIGRTMIN+3"}}"#, None),
            (r#"{"Config":{}}"#, None),
            ("", None),
        ] {
            assert_eq!(stop_signal(config.as_bytes()), expected, "{config}");
        }
    }
}
