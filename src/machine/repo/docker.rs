//! The containers of a repository's daemon, from `docker ps`, `docker inspect` and `docker logs`. The
//! parsing is pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::children;
use crate::bundle::Failure;
use crate::machine::failed;
use crate::network::NetworkId;
use crate::repository::daemon::{ONE_OFF, SERVICE_IP, SERVICE_NAME, docker_host, socket};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The part of a container that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) state: State,
    /// Whether it has host networking.
    pub(super) is_on_host: bool,
    /// When the daemon restarts it.
    pub(super) restarts: Restarts,
    pub(super) restart_count: u64,
    /// The ports that its image exposes.
    pub(super) exposed: Ports,
}

/// What a container is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The engine's word: created, running, paused, restarting, removing, exited or dead.
    pub(super) status: String,
    pub(super) exit_code: i64,
    /// Why it could not be started.
    pub(super) error: String,
    pub(super) started: Option<SystemTime>,
    /// The engine's word for its health; none without a health check.
    pub(super) health: Option<String>,
    /// What its last health check printed.
    pub(super) health_output: String,
}

/// When the daemon restarts a container, by its exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Restarts {
    #[default]
    Never,
    OnFailure,
    Always,
}

/// Ports by their protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) tcp: BTreeSet<u16>,
    pub(super) udp: BTreeSet<u16>,
}

impl Container {
    /// Its service, if it was started by `renet compose`.
    pub(super) fn service(&self) -> Option<&str> {
        self.labels.get(SERVICE_NAME).map(String::as_str)
    }

    /// The service's address.
    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        self.labels.get(SERVICE_IP)?.parse().ok()
    }

    /// Whether it is a task of `docker compose run`, rather than a container of the service.
    pub(super) fn is_one_off(&self) -> bool {
        let label = self.labels.get(ONE_OFF);
        label.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// A `docker` command for the daemon of a repository.
pub(super) fn command(id: NetworkId) -> Command {
    let mut docker = Command::new("docker");
    docker.arg("--host").arg(docker_host(&socket(id)));
    docker
}

/// The ids of the running containers.
pub(super) fn running(id: NetworkId) -> Result<Vec<String>, Failure> {
    ids(id, &[])
}

/// The ids of containers: of those that run, unless options choose others.
fn ids(id: NetworkId, options: &[&str]) -> Result<Vec<String>, Failure> {
    let words = ["ps", "--quiet", "--no-trunc"];
    let listed = children::output(command(id).args(words).args(options), PATIENCE)?;
    if !listed.is_success {
        return Err(failed(format!(
            "cannot list the containers of the daemon of network {id}: {}",
            listed.complaint()
        )));
    }
    let ids = String::from_utf8_lossy(&listed.stdout);
    Ok(ids.split_whitespace().map(str::to_owned).collect())
}

/// All containers, in the order of their names.
pub(super) fn containers(id: NetworkId) -> Result<Vec<Container>, Failure> {
    let ids = ids(id, &["--all"])?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut inspect = command(id);
    inspect.args(["inspect", "--type=container"]).args(&ids);
    // If a container was removed in between, it fails, but still prints the others.
    let inspected = children::output(&mut inspect, PATIENCE)?;
    read(&inspected.stdout).map_err(|error| {
        failed(format!(
            "cannot parse the containers of the daemon of network {id}: {error} {}",
            inspected.complaint()
        ))
    })
}

/// The last lines of the log of a container, safe to show.
pub(super) fn log(id: NetworkId, container: &str, lines: usize) -> Vec<String> {
    let mut command = command(id);
    command.args(["logs", &format!("--tail={lines}"), container]);
    // The log only illustrates a problem: if it cannot be read, the problem is reported without it.
    let text = children::output_as_one(&mut command, PATIENCE).unwrap_or_default();
    super::rediaccfile::shown_lines(&text)
}

/// Parses the output of `docker inspect`.
fn read(json: &[u8]) -> serde_json::Result<Vec<Container>> {
    let inspected: Vec<Inspected> = serde_json::from_slice(json)?;
    let mut containers: Vec<Container> = inspected.into_iter().map(Container::from).collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(containers)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    state: InspectedState,
    #[serde(default)]
    restart_count: u64,
    host_config: HostConfig,
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    status: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    started_at: String,
    health: Option<Health>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
    log: Option<Vec<Check>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(default)]
    output: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    #[serde(default)]
    network_mode: String,
    restart_policy: Option<RestartPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RestartPolicy {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
}

impl From<Inspected> for Container {
    fn from(inspected: Inspected) -> Self {
        let Inspected {
            id,
            name,
            state,
            restart_count,
            host_config,
            config,
        } = inspected;
        let policy = host_config.restart_policy.map(|policy| policy.name);
        let mut exposed = Ports::default();
        for port in config.exposed_ports.unwrap_or_default().into_keys() {
            match port.split_once('/') {
                Some((port, "tcp")) => exposed.tcp.extend(port.parse::<u16>()),
                Some((port, "udp")) => exposed.udp.extend(port.parse::<u16>()),
                _ => {}
            }
        }
        // An engine without health checks says `none`.
        let health = state.health.filter(|health| health.status != "none");
        let last_check = health
            .as_ref()
            .and_then(|health| health.log.as_ref()?.last());
        Self {
            id,
            name: name.trim_start_matches('/').to_owned(),
            labels: config.labels.unwrap_or_default(),
            state: State {
                status: state.status,
                exit_code: state.exit_code,
                error: state.error,
                started: humantime::parse_rfc3339(&state.started_at).ok(),
                health_output: last_check
                    .map(|check| check.output.clone())
                    .unwrap_or_default(),
                health: health.map(|health| health.status),
            },
            is_on_host: host_config.network_mode == "host",
            restarts: match policy.as_deref() {
                Some("always" | "unless-stopped") => Restarts::Always,
                Some("on-failure") => Restarts::OnFailure,
                _ => Restarts::Never,
            },
            restart_count,
            exposed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_read_as_docker_inspects_it() {
        let json = br#"[
          {"Id": "2f", "Name": "/my-app-webapp-1", "RestartCount": 3,
           "State": {"Status": "running", "ExitCode": 0, "Error": "",
                     "StartedAt": "2026-11-26T07:00:00.123456789Z",
                     "Health": {"Status": "starting", "Log": [{"Output": "a"}, {"Output": "b"}]}},
           "HostConfig": {"NetworkMode": "host", "RestartPolicy": {"Name": "unless-stopped"}},
           "Config": {"Labels": {"rediacc.service_name": "webapp", "rediacc.service_ip": "127.0.11.2"},
                      "ExposedPorts": {"3000/tcp": {}, "53/udp": {}, "9/sctp": {}}}},
          {"Id": "1f", "Name": "/my-app-job-1", "RestartCount": 0,
           "State": {"Status": "exited", "ExitCode": 7, "StartedAt": "0001-01-01T00:00:00Z"},
           "HostConfig": {"NetworkMode": "none", "RestartPolicy": {"Name": ""}},
           "Config": {"Labels": null, "ExposedPorts": null}}
        ]"#;
        let found = read(json).expect("JSON");
        assert_eq!(found[0].name, "my-app-job-1");
        assert_eq!(found[0].state.exit_code, 7);
        assert_eq!((found[0].service(), found[0].address()), (None, None));
        assert_eq!(
            (found[0].restarts, found[0].is_on_host),
            (Restarts::Never, false)
        );
        let webapp = &found[1];
        assert_eq!(webapp.service(), Some("webapp"));
        assert_eq!(webapp.address(), Some([127, 0, 11, 2].into()));
        assert_eq!(webapp.exposed.tcp, [3000].into());
        assert_eq!(webapp.exposed.udp, [53].into());
        assert_eq!(
            (webapp.restarts, webapp.restart_count),
            (Restarts::Always, 3)
        );
        assert_eq!(webapp.state.health.as_deref(), Some("starting"));
        assert_eq!(webapp.state.health_output, "b");
        let started = humantime::parse_rfc3339("2026-11-26T07:00:00.123456789Z").expect("a time");
        assert_eq!(webapp.state.started, Some(started));
    }
}
