//! One Docker engine over its Unix socket: its containers and what happens to them, in our terms.
//!
//! The only place that opens a Docker socket. Every request has a time-out; when to ask, and what
//! to do about a failure, is the caller's.

mod list;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryFutureExt};
use tokio::time::{Instant, timeout_at};

use self::list::{Port, Summary, Unreadable};
use super::container::{Address, Condition, Container};
use crate::causes::with_causes;

/// What an engine may take to accept a subscription. Far beyond the ordinary: an engine under
/// load is slow, not gone.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(20);

/// The events after which a container's routes can be others. `create`, `kill` and `oom` are not
/// among them: nothing is reachable before `start`, and what they lead to is announced by `die`.
const RELEVANT_EVENTS: [&str; 9] = [
    "start",
    "die",
    "stop",
    "destroy",
    "pause",
    "unpause",
    "health_status",
    "rename",
    "update",
];

/// The labels that routes are made of; the others would only cost memory, here and on disk.
const LABEL_ROOTS: [&str; 2] = ["traefik.", "rediacc."];
const COMPOSE_LABELS: [&str; 2] = ["com.docker.compose.project", "com.docker.compose.service"];

/// An engine that has said which version it speaks.
pub struct Engine {
    socket: PathBuf,
    docker: Docker,
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// The container's id.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
}

/// The events that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It runs.
    Start,
    /// Its process ended.
    Die,
    /// Another relevant event.
    Other,
}

/// What is remembered of a daemon from one list to the next.
#[derive(Default)]
pub struct Memory {
    /// The TCP ports that images expose, by image id, which fixes the content: asked for once.
    ports: HashMap<String, Vec<u16>>,
    unreadable: Unreadable,
}

/// Why an engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It accepted, or not even that, and said nothing in time.
    #[error("no answer to {0} in time")]
    TimedOut(&'static str),
    /// It cannot be reached, or what it said is of no use.
    #[error("{request}: {cause}")]
    Failed {
        /// What was asked.
        request: &'static str,
        /// Why it failed, in one line.
        cause: String,
    },
    /// It closed the stream of events.
    #[error("the engine closed the stream of events")]
    EventsClosed,
    /// The client takes paths as text only.
    #[error("the path {0:?} is not valid UTF-8")]
    Path(PathBuf),
}

impl Engine {
    /// Connects and negotiates the version of the API.
    pub async fn connect(socket: &Path, deadline: Instant) -> Result<Self, EngineError> {
        let path = socket
            .to_str()
            .ok_or_else(|| EngineError::Path(socket.to_owned()))?;
        let docker =
            Docker::connect_with_unix(path, SUBSCRIBE_TIMEOUT.as_secs(), API_DEFAULT_VERSION)
                .map_err(|error| client_failed("GET /version", &error))?;
        let docker = within(deadline, "GET /version", docker.negotiate_version()).await?;
        Ok(Self {
            socket: socket.to_owned(),
            docker,
        })
    }

    /// What happens to containers from a moment on. Ends with an error, never silently.
    ///
    /// The engine replays what happened since that moment, so that nothing is missed between
    /// subscribing and listing, whichever of the two it serves first.
    pub fn events(
        &self,
        since: SystemTime,
    ) -> BoxStream<'static, Result<ContainerEvent, EngineError>> {
        let since = since
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            (
                "event".to_owned(),
                RELEVANT_EVENTS.map(str::to_owned).to_vec(),
            ),
        ]);
        let options = EventsOptions {
            since: Some(format!("{}.{:09}", since.as_secs(), since.subsec_nanos())),
            until: None,
            filters: Some(filters),
        };
        self.docker
            .events(Some(options))
            .map(|event| match event {
                Ok(message) => Ok(container_event(message)),
                Err(error) => Err(client_failed("GET /events", &error)),
            })
            .chain(futures_util::stream::once(async {
                Err(EngineError::EventsClosed)
            }))
            .boxed()
    }

    /// All containers, ordered by id; those that do not run, too: a router may outlive its
    /// container by label, and a port belongs to a container until that is removed.
    pub async fn list(
        &self,
        memory: &mut Memory,
        deadline: Instant,
    ) -> Result<Vec<Container>, EngineError> {
        let request = "GET /containers/json";
        let version = self.docker.client_version().to_string();
        let answer = list::list(&self.socket, &version, &mut memory.unreadable);
        let listed = timeout_at(deadline, answer)
            .await
            .map_err(|_| EngineError::TimedOut(request))?
            .map_err(|error| failed(request, &*error))?;

        let mut image_of = BTreeMap::new();
        let mut containers: Vec<Container> = Vec::with_capacity(listed.len());
        for mut summary in listed {
            let image = summary.image_id.take();
            let ports_are_hidden = shares_a_network(&summary);
            let container = container(summary);
            if ports_are_hidden && leaves_its_port_open(&container) {
                image_of.extend(image.map(|image| (container.id.clone(), image)));
            }
            containers.push(container);
        }

        memory
            .ports
            .retain(|image, _| image_of.values().any(|used| used == image));
        for container in &mut containers {
            if let Some(image) = image_of.get(&container.id) {
                container.exposed_tcp_ports = self.image_ports(memory, image, deadline).await?;
            }
        }
        containers.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(containers)
    }

    /// Whether it still answers. The cheapest request there is: it touches no container.
    pub async fn ping(&self, deadline: Instant) -> Result<(), EngineError> {
        within(deadline, "GET /_ping", self.docker.ping()).await?;
        Ok(())
    }

    async fn image_ports(
        &self,
        memory: &mut Memory,
        image: &str,
        deadline: Instant,
    ) -> Result<Vec<u16>, EngineError> {
        if let Some(ports) = memory.ports.get(image) {
            return Ok(ports.clone());
        }
        let request = self.docker.inspect_image(image);
        let inspected = match within(deadline, "GET /images/{id}/json", request).await {
            Ok(inspected) => inspected,
            // An image that was removed under its container is that container's trouble, not the
            // whole list's.
            Err(EngineError::Failed { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let exposed = inspected.config.and_then(|config| config.exposed_ports);
        let ports = sorted(
            exposed
                .iter()
                .flatten()
                .filter_map(|port| port.strip_suffix("/tcp")?.parse().ok()),
        );
        memory.ports.insert(image.to_owned(), ports.clone());
        Ok(ports)
    }
}

async fn within<T>(
    deadline: Instant,
    request: &'static str,
    answer: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, EngineError> {
    timeout_at(
        deadline,
        answer.map_err(|error| client_failed(request, &error)),
    )
    .await
    .unwrap_or(Err(EngineError::TimedOut(request)))
}

/// The client's error in one line. Its own text stops short of the cause, as in "client error".
fn client_failed(request: &'static str, error: &bollard::errors::Error) -> EngineError {
    match error {
        bollard::errors::Error::RequestTimeoutError => EngineError::TimedOut(request),
        _ => failed(request, error),
    }
}

fn failed(request: &'static str, error: &dyn Error) -> EngineError {
    let cause = with_causes(error);
    EngineError::Failed { request, cause }
}

fn container_event(message: EventMessage) -> ContainerEvent {
    ContainerEvent {
        id: message.actor.and_then(|actor| actor.id).unwrap_or_default(),
        kind: match message.action.as_deref() {
            Some("start") => EventKind::Start,
            Some("die") => EventKind::Die,
            _ => EventKind::Other,
        },
    }
}

/// Whether it is on the host's network or another container's, where the list shows no ports.
fn shares_a_network(summary: &Summary) -> bool {
    let mode = network_mode(summary);
    mode == "host" || mode.starts_with("container:")
}

/// Whether routes can be made of it once its port is known, and no label says the port.
fn leaves_its_port_open(container: &Container) -> bool {
    let names_a_port = |label: &str| {
        label == "rediacc.service_port"
            || ["loadbalancer.server.port", "loadbalancer.server.url"]
                .iter()
                .any(|end| label.to_ascii_lowercase().ends_with(end))
    };
    container.condition != Condition::NotRunning
        && container.labels.keys().any(|label| is_ours(label))
        && !container.labels.keys().any(|label| names_a_port(label))
}

fn container(summary: Summary) -> Container {
    let address = address(&summary);
    let condition = condition(&summary);
    let labels = summary.labels.unwrap_or_default().into_iter();
    Container {
        id: summary.id,
        name: name(&summary.names.unwrap_or_default()),
        created: summary.created.unwrap_or_default(),
        labels: labels.filter(|(label, _)| is_kept(label)).collect(),
        condition,
        address,
        exposed_tcp_ports: tcp_ports(&summary.ports.unwrap_or_default()),
    }
}

fn is_kept(label: &str) -> bool {
    is_ours(label) || COMPOSE_LABELS.contains(&label)
}

/// In any case: whoever writes `Traefik.enable` is to hear that it is an error.
fn is_ours(label: &str) -> bool {
    LABEL_ROOTS.iter().any(|root| {
        let head = label.get(..root.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(root))
    })
}

/// Its own name: the others are aliases that linked containers have for it, as `/other/alias`.
fn name(names: &[String]) -> String {
    let own = names
        .iter()
        .map(|name| name.trim_start_matches('/'))
        .find(|name| !name.contains('/'));
    own.unwrap_or_default().to_owned()
}

fn condition(summary: &Summary) -> Condition {
    if summary.state.as_deref() != Some("running") {
        return Condition::NotRunning;
    }
    let health = summary.health.as_ref();
    let health = health.and_then(|health| health.status.as_deref());
    let is_unhealthy = match health {
        Some(health) => matches!(health, "starting" | "unhealthy"),
        // Engines before 29 say it in the status text only: `Up 2 minutes (health: starting)`.
        None => summary.status.as_deref().is_some_and(|status| {
            status.ends_with("(health: starting)") || status.ends_with("(unhealthy)")
        }),
    };
    if is_unhealthy {
        Condition::Unhealthy
    } else {
        Condition::Ready
    }
}

fn network_mode(summary: &Summary) -> &str {
    summary
        .host_config
        .as_ref()
        .and_then(|config| config.network_mode.as_deref())
        .unwrap_or_default()
}

fn address(summary: &Summary) -> Address {
    if network_mode(summary) == "host" {
        return Address::Host;
    }
    let networks = summary
        .network_settings
        .as_ref()
        .and_then(|settings| settings.networks.as_ref());
    // In the order of the networks' names, so that the same container has the same address.
    let networks = networks.into_iter().flat_map(BTreeMap::values).flatten();
    let addresses = networks.flat_map(|network| {
        [&network.ip_address, &network.global_ipv6_address]
            .into_iter()
            .flatten()
            .filter_map(|address| address.parse::<IpAddr>().ok())
    });
    // The same network may be listed with both families: IPv4 is what a service listens on.
    addresses
        .min_by_key(IpAddr::is_ipv6)
        .map_or(Address::None, Address::Own)
}

fn tcp_ports(ports: &[Port]) -> Vec<u16> {
    let tcp = ports
        .iter()
        .filter(|port| port.protocol.as_deref() == Some("tcp"));
    sorted(tcp.map(|port| port.private_port))
}

fn sorted(ports: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut ports: Vec<u16> = ports.collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(summary: &Value, expected: impl FnOnce(&mut Container)) {
        let mut whole = json!({"Id": "1f", "Names": ["/web"], "State": "running"});
        let fields = summary.as_object().expect("an object").clone();
        whole.as_object_mut().expect("an object").extend(fields);
        let mut container_expected = Container {
            id: "1f".to_owned(),
            name: "web".to_owned(),
            created: 0,
            labels: BTreeMap::new(),
            condition: Condition::Ready,
            address: Address::None,
            exposed_tcp_ports: Vec::new(),
        };
        expected(&mut container_expected);
        let summary = serde_json::from_value(whole.clone()).expect("a summary");
        assert_eq!(container(summary), container_expected, "{whole}");
    }

    #[test]
    fn the_condition_is_the_state_and_the_health() {
        for (summary, condition) in [
            (json!({"Status": "Up 2 minutes"}), Condition::Ready),
            (
                json!({"Status": "Up 2 minutes (healthy)"}),
                Condition::Ready,
            ),
            (
                json!({"Status": "Up 2 minutes (unhealthy)"}),
                Condition::Unhealthy,
            ),
            (
                json!({"Status": "Up 2 seconds (health: starting)"}),
                Condition::Unhealthy,
            ),
            (json!({"Health": {"Status": "none"}}), Condition::Ready),
            (json!({"Health": {"Status": "healthy"}}), Condition::Ready),
            (
                json!({"Health": {"Status": "starting"}}),
                Condition::Unhealthy,
            ),
            (
                json!({"State": "paused", "Status": "Up (Paused)"}),
                Condition::NotRunning,
            ),
            (json!({"State": "restarting"}), Condition::NotRunning),
            (
                json!({"State": "unheard of", "Status": "Up"}),
                Condition::NotRunning,
            ),
            (
                json!({"State": "exited", "Status": "Exited (0)"}),
                Condition::NotRunning,
            ),
        ] {
            check(&summary, |container| container.condition = condition);
        }
    }

    #[test]
    fn the_name_is_not_a_linked_containers_alias() {
        for names in [json!(["/web", "/other/db"]), json!(["/other/db", "/web"])] {
            check(&json!({ "Names": names }), |_| {});
        }
    }

    #[test]
    fn the_address_is_that_of_the_first_network() {
        let networks = json!({
            "z": {"IPAddress": "172.18.0.2"},
            "b": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": "fd00::2"},
            "a": {"IPAddress": ""},
        });
        let settings = json!({"NetworkSettings": {"Networks": networks}});
        check(&settings, |container| {
            container.address = Address::Own([172, 17, 0, 2].into());
        });
        let networks = json!({"only": {"GlobalIPv6Address": "fd00::2"}});
        let settings = json!({"NetworkSettings": {"Networks": networks}});
        check(&settings, |container| {
            container.address = Address::Own("fd00::2".parse().expect("an address"));
        });
        check(
            &json!({"HostConfig": {"NetworkMode": "host"}}),
            |container| {
                container.address = Address::Host;
            },
        );
    }

    #[test]
    fn only_tcp_ports_and_the_labels_of_routes_are_kept() {
        let ports = json!([
            {"PrivatePort": 8080, "PublicPort": 80, "IP": "0.0.0.0", "Type": "tcp"},
            {"PrivatePort": 8080, "PublicPort": 80, "IP": "::", "Type": "tcp"},
            {"PrivatePort": 53, "Type": "udp"},
            {"PrivatePort": 443, "Type": "tcp"},
        ]);
        let labels = json!({
            "traefik.enable": "true",
            "rediacc.service_name": "web",
            "com.docker.compose.service": "web",
            "com.docker.compose.config-hash": "1f",
            "maintainer": "someone",
        });
        check(&json!({"Ports": ports, "Labels": labels}), |container| {
            container.exposed_tcp_ports = vec![443, 8080];
            container.labels = [
                ("traefik.enable", "true"),
                ("rediacc.service_name", "web"),
                ("com.docker.compose.service", "web"),
            ]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into();
        });
    }

    #[test]
    fn an_image_is_needed_only_where_no_label_says_the_port() {
        for (labels, open) in [
            (json!({"rediacc.service_name": "web"}), true),
            (
                json!({"rediacc.service_name": "web", "rediacc.service_port": "80"}),
                false,
            ),
            (json!({"traefik.enable": "true"}), true),
            (
                json!({"traefik.http.services.a.LoadBalancer.server.Port": "80"}),
                false,
            ),
            (json!({"maintainer": "someone"}), false),
        ] {
            let summary = json!({"Id": "1f", "State": "running", "Labels": labels});
            let summary = serde_json::from_value(summary).expect("a summary");
            assert_eq!(leaves_its_port_open(&container(summary)), open, "{labels}");
        }
    }
}
