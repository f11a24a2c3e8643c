//! A Docker engine's API on a real Unix socket, with the containers, events and faults that a test
//! wants. Only what the route server and Traefik's own provider ask for; the answers have the shape
//! of engine 20.10's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SERVICE_IP: &str = "rediacc.service_ip";
/// The address of a service of repository 2816.
const FIRST_ADDRESS: &str = "127.0.11.2";

/// A container as a test describes it.
#[derive(Clone)]
pub(crate) struct SimulatedContainer {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) state: &'static str,
    pub(crate) status: &'static str,
    pub(crate) image: String,
    pub(crate) network: &'static str,
    /// Its own address on the network; on the host's it has none.
    pub(crate) address: &'static str,
    /// The TCP ports that its image exposes.
    pub(crate) ports: Vec<u16>,
    /// The UDP ports, likewise.
    pub(crate) udp_ports: Vec<u16>,
    /// Further networks, and its addresses there.
    pub(crate) more_networks: Vec<(&'static str, &'static str)>,
    /// Whose network it is on, instead of its own.
    pub(crate) network_of: Option<&'static str>,
    /// When it was created, in seconds since 1970.
    pub(crate) created: i64,
}

impl SimulatedContainer {
    /// Running on the host's network, with a label: enough for an auto route.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            labels: Vec::new(),
            state: "running",
            status: "Up 2 minutes",
            image: "sha256:app".to_owned(),
            network: "host",
            address: "",
            ports: Vec::new(),
            udp_ports: Vec::new(),
            more_networks: Vec::new(),
            network_of: None,
            created: 1_700_000_000,
        }
        .label("rediacc.service_name", name)
        .label(SERVICE_IP, FIRST_ADDRESS)
        .label("rediacc.service_port", "8080")
    }

    /// Running on a network of its own, as plain Docker has it, without any label.
    pub(crate) fn bridged(name: &str, address: &'static str, ports: &[u16]) -> Self {
        Self {
            labels: Vec::new(),
            network: "bridge",
            address,
            ports: ports.to_vec(),
            ..Self::new(name)
        }
    }

    pub(crate) fn label(mut self, label: &str, value: &str) -> Self {
        self.labels.retain(|(other, _)| other != label);
        self.labels.push((label.to_owned(), value.to_owned()));
        self
    }

    /// With an address of the repository whose socket this is, unless it has one of its own.
    fn at_home(self, socket: &Path) -> Self {
        let id: Option<u32> = socket
            .file_stem()
            .and_then(|name| name.to_str()?.strip_prefix("docker-")?.parse().ok());
        let is_given = |(label, ip): &(String, String)| label == SERVICE_IP && ip != FIRST_ADDRESS;
        match id {
            Some(id) if self.network == "host" && !self.labels.iter().any(is_given) => {
                let [_, a, b, c] = id.to_be_bytes();
                self.label(SERVICE_IP, &format!("127.{a}.{b}.{}", c + 2))
            }
            _ => self,
        }
    }

    pub(crate) fn without_label(mut self, label: &str) -> Self {
        self.labels.retain(|(other, _)| other != label);
        self
    }

    /// The engine's id: different for each name, and stable.
    pub(crate) fn id(&self) -> String {
        format!(
            "{:0>64}",
            self.name
                .bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        )
    }

    fn labels(&self) -> Value {
        let labels = self.labels.iter();
        labels
            .map(|(label, value)| (label.clone(), Value::from(value.as_str())))
            .collect()
    }

    fn network_mode(&self) -> String {
        match self.network_of {
            Some(other) => format!("container:{other}"),
            None => self.network.to_owned(),
        }
    }

    fn networks(&self) -> Value {
        if self.network_of.is_some() {
            return json!({});
        }
        let more = self.more_networks.iter().copied();
        let all = more.chain([(self.network, self.address)]);
        all.map(|(name, address)| (name.to_owned(), json!({"IPAddress": address})))
            .collect()
    }

    fn all_ports(&self) -> impl Iterator<Item = (u16, &'static str)> {
        let tcp = self.ports.iter().map(|port| (*port, "tcp"));
        tcp.chain(self.udp_ports.iter().map(|port| (*port, "udp")))
    }

    fn summary(&self) -> Value {
        let ports = self.all_ports();
        let ports = ports.map(|(port, kind)| json!({"PrivatePort": port, "Type": kind}));
        json!({
            "Id": self.id(),
            "Names": [format!("/{}", self.name)],
            "Image": "app:latest",
            "ImageID": self.image,
            "Command": "/app",
            "Created": self.created,
            "Ports": Value::from_iter(ports),
            "Labels": self.labels(),
            "State": self.state,
            "Status": self.status,
            "HostConfig": {"NetworkMode": self.network_mode()},
            "NetworkSettings": {"Networks": self.networks()},
            "Mounts": [],
        })
    }

    /// What Traefik's provider asks for each container that is listed.
    fn inspect(&self) -> Value {
        let ports = self.all_ports();
        let ports = ports.map(|(port, kind)| (format!("{port}/{kind}"), Value::Null));
        let health = [
            ("(healthy)", "healthy"),
            ("(unhealthy)", "unhealthy"),
            ("(health: starting)", "starting"),
        ];
        let health = health.iter().find(|(end, _)| self.status.ends_with(end));
        let mut inspected = json!({
            "Id": self.id(),
            "Name": format!("/{}", self.name),
            "Created": "2023-11-14T22:13:20Z",
            "Image": self.image,
            "State": {
                "Status": self.state,
                "Running": matches!(self.state, "running" | "paused"),
            },
            "Config": {"Labels": self.labels()},
            "HostConfig": {"NetworkMode": self.network_mode()},
            "NetworkSettings": {
                "Ports": ports.collect::<Value>(),
                "Networks": self.networks(),
            },
        });
        if let Some((_, health)) = health {
            inspected["State"]["Health"] = json!({"Status": health});
        }
        inspected
    }
}

fn at_home(containers: &[SimulatedContainer], socket: &Path) -> Vec<SimulatedContainer> {
    let containers = containers.iter().cloned();
    containers
        .map(|container| container.at_home(socket))
        .collect()
}

/// How the daemon answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Answers,
    /// Takes the request and does not answer before it behaves otherwise, as a stopped process.
    Hangs,
    /// Sends the beginning of a body and no more.
    HangsMidBody,
    /// Says 200 and something that is no JSON.
    TalksGarbage,
    /// Says 500.
    Fails,
    /// Sends its lists and its events without an end, and without a line that ends.
    NeverEnds,
}

/// A daemon on a socket of its own. Dropping it leaves the socket's file there, as a crash does.
pub(crate) struct SimulatedDaemon {
    socket: PathBuf,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    state: Mutex<Daemon>,
    /// Wakes everything that waits for the state to change.
    changed: watch::Sender<()>,
}

struct Daemon {
    containers: Vec<SimulatedContainer>,
    behaviour: Behaviour,
    events: Vec<(f64, Value)>,
    /// Streams of events that began under an earlier number have ended.
    streams: u64,
    /// Under which number the latest stream began.
    subscribed: Option<u64>,
    /// What the next list shows instead of the containers.
    stale: Option<Vec<SimulatedContainer>>,
    lists: usize,
    image_inspects: usize,
}

impl SimulatedDaemon {
    /// Binds the socket, in place of a file that is there.
    pub(crate) fn start(socket: &Path, containers: &[SimulatedContainer]) -> Self {
        Self::start_as(socket, containers, Behaviour::Answers)
    }

    pub(crate) fn start_as(
        socket: &Path,
        containers: &[SimulatedContainer],
        behaviour: Behaviour,
    ) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("the daemon's socket");
        let shared = Arc::new(Shared {
            state: Mutex::new(Daemon {
                containers: at_home(containers, socket),
                behaviour,
                events: Vec::new(),
                streams: 0,
                subscribed: None,
                stale: None,
                lists: 0,
                image_inspects: 0,
            }),
            changed: watch::Sender::new(()),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("a server never ends");
        });
        Self {
            socket: socket.to_owned(),
            shared,
            server,
        }
    }

    /// Starts a container, or starts it again as another.
    pub(crate) fn run(&self, container: SimulatedContainer) {
        let container = container.at_home(&self.socket);
        self.change(|daemon| {
            daemon.event("start", &container);
            daemon
                .containers
                .retain(|other| other.name != container.name);
            daemon.containers.push(container);
        });
    }

    /// Ends a container. It is listed on, as exited.
    pub(crate) fn end(&self, name: &str) {
        self.change(|daemon| daemon.end(name));
    }

    /// Removes a container.
    pub(crate) fn remove(&self, name: &str) {
        self.change(|daemon| {
            let at = daemon.containers.iter().position(|one| one.name == name);
            let container = daemon.containers.remove(at.expect("a known container"));
            daemon.event("destroy", &container);
        });
    }

    /// Ends a container as engines really do it: `die` is announced, the next list still shows it
    /// running, and the one after that no longer.
    pub(crate) fn end_late(&self, name: &str) {
        self.change(|daemon| {
            daemon.stale = Some(daemon.containers.clone());
            daemon.end(name);
        });
    }

    /// Other containers, of which no event tells.
    pub(crate) fn set_silently(&self, containers: &[SimulatedContainer]) {
        let containers = at_home(containers, &self.socket);
        self.change(|daemon| daemon.containers = containers);
    }

    /// Something happens to a container that does not change it.
    pub(crate) fn touch(&self, name: &str) {
        self.change(|daemon| {
            let container = daemon.containers.iter().find(|other| other.name == name);
            let container = container.expect("a known container").clone();
            daemon.event("update", &container);
        });
    }

    /// Starts all of these and ends all others, with one event.
    pub(crate) fn deploy(&self, containers: &[SimulatedContainer]) {
        let containers = at_home(containers, &self.socket);
        self.change(|daemon| {
            daemon.containers = containers;
            let first = daemon.containers.first().cloned();
            daemon.event(
                "start",
                &first.unwrap_or_else(|| SimulatedContainer::new("none")),
            );
        });
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.change(|daemon| daemon.behaviour = behaviour);
    }

    /// Waits until somebody listens to its events, on a stream that is not closed.
    pub(crate) async fn is_listened_to(&self) {
        let mut changed = self.shared.changed.subscribe();
        let listens = || {
            let daemon = self.shared.lock();
            daemon.subscribed == Some(daemon.streams)
        };
        while !listens() {
            changed.changed().await.expect("the daemon is there");
        }
    }

    pub(crate) fn close_event_streams(&self) {
        self.change(|daemon| daemon.streams += 1);
    }

    pub(crate) fn lists(&self) -> usize {
        self.shared.lock().lists
    }

    pub(crate) fn image_inspects(&self) -> usize {
        self.shared.lock().image_inspects
    }

    /// Ends as an engine that is shut down: the socket goes, too.
    pub(crate) fn shut_down(self) {
        std::fs::remove_file(&self.socket).expect("the daemon's socket");
    }

    fn change(&self, change: impl FnOnce(&mut Daemon)) {
        change(&mut self.shared.lock());
        self.shared.changed.send_replace(());
    }
}

impl Drop for SimulatedDaemon {
    fn drop(&mut self) {
        self.server.abort();
        self.close_event_streams();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Daemon> {
        self.state
            .lock()
            .expect("no test panics while it holds this")
    }
}

impl Daemon {
    fn end(&mut self, name: &str) {
        let container = self.containers.iter_mut().find(|other| other.name == name);
        let container = container.expect("a known container");
        container.state = "exited";
        container.status = "Exited (0) 1 second ago";
        let container = container.clone();
        self.event("die", &container);
    }

    fn event(&mut self, action: &str, container: &SimulatedContainer) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let event = json!({
            "Type": "container",
            "Action": action,
            "Actor": {"ID": container.id(), "Attributes": {"name": container.name}},
            "scope": "local",
            "time": now.as_secs(),
        });
        self.events.push((now.as_secs_f64(), event));
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Response {
    // `/v1.41/containers/json`, or `/version` before the version is known.
    let path = uri.path();
    let path = match path.strip_prefix("/v1.") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path.trim_start_matches('/'),
    };
    {
        let mut daemon = shared.lock();
        daemon.lists += usize::from(path == "containers/json");
        daemon.image_inspects += usize::from(path.starts_with("images/"));
    }
    let mut changed = shared.changed.subscribe();
    let behaviour = loop {
        let behaviour = shared.lock().behaviour;
        if behaviour != Behaviour::Hangs {
            break behaviour;
        }
        changed.changed().await.expect("the daemon is held here");
    };
    match behaviour {
        Behaviour::NeverEnds if matches!(path, "containers/json" | "events") => {
            return body_without_an_end().into_response();
        }
        Behaviour::Answers | Behaviour::Hangs | Behaviour::NeverEnds => {}
        Behaviour::HangsMidBody => return beginning_of_a_body().into_response(),
        Behaviour::TalksGarbage => return "\u{0}garbage".into_response(),
        Behaviour::Fails => {
            let body = r#"{"message": "the engine is unwell"}"#;
            return (StatusCode::INTERNAL_SERVER_ERROR, body).into_response();
        }
    }
    match path {
        "_ping" => ([("Api-Version", "1.41")], "OK").into_response(),
        "version" => json!({"ApiVersion": "1.41", "MinAPIVersion": "1.12"})
            .to_string()
            .into_response(),
        "containers/json" => list(&shared).into_response(),
        "events" => events(shared, &query.unwrap_or_default()).into_response(),
        _ if path.starts_with("images/") => json!({
            "Id": "sha256:app",
            "Config": {"ExposedPorts": {"9000/tcp": {}, "53/udp": {}}},
        })
        .to_string()
        .into_response(),
        _ => match path
            .strip_prefix("containers/")
            .and_then(|rest| rest.strip_suffix("/json"))
            .and_then(|id| inspect(&shared, id))
        {
            Some(inspected) => inspected.to_string().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

fn inspect(shared: &Shared, id: &str) -> Option<Value> {
    // The id is the name in other letters: to write all names so, for each of thousands of
    // questions, takes longer than everything else here.
    let digits = id.trim_start_matches('0').as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let name: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    let name = match name {
        Some(name) if id.len() == 64 => String::from_utf8(name).ok()?,
        // Containers are asked for by their names, too.
        _ => id.to_owned(),
    };
    let daemon = shared.lock();
    let container = daemon.containers.iter().find(|other| other.name == name)?;
    Some(container.inspect())
}

fn list(shared: &Shared) -> String {
    let mut daemon = shared.lock();
    let stale = daemon.stale.take();
    let listed = stale.as_ref().unwrap_or(&daemon.containers);
    Value::from_iter(listed.iter().map(SimulatedContainer::summary)).to_string()
}

/// What happened since the asked moment, and then what happens, until the stream is closed.
fn events(shared: Arc<Shared>, query: &str) -> Body {
    let since = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("since="));
    let since: f64 = since.map_or(0.0, |text| text.parse().expect("a moment"));
    let changed = shared.changed.subscribe();
    let (began, first) = {
        let mut daemon = shared.lock();
        // Who asks for no moment gets what happens from now on.
        let first = if since > 0.0 { 0 } else { daemon.events.len() };
        daemon.subscribed = Some(daemon.streams);
        (daemon.streams, first)
    };
    shared.changed.send_replace(());
    let stream = stream::unfold(
        (shared, changed, first),
        move |(shared, mut changed, mut next)| async move {
            loop {
                let event = {
                    let daemon = shared.lock();
                    if daemon.streams != began {
                        return None;
                    }
                    daemon.events.get(next).cloned()
                };
                match event {
                    Some((moment, event)) => {
                        next += 1;
                        if moment >= since {
                            let line = Bytes::from(format!("{event}\n"));
                            return Some((Ok::<_, std::io::Error>(line), (shared, changed, next)));
                        }
                    }
                    None => changed.changed().await.ok()?,
                }
            }
        },
    );
    Body::from_stream(stream)
}

fn beginning_of_a_body() -> Body {
    let beginning = stream::once(async { Ok::<_, std::io::Error>(Bytes::from("[{\"Id\": \"")) });
    Body::from_stream(futures_util::StreamExt::chain(beginning, stream::pending()))
}

fn body_without_an_end() -> Body {
    let blanks = Bytes::from(vec![b' '; 1 << 20]);
    Body::from_stream(stream::repeat_with(move || {
        Ok::<_, std::io::Error>(blanks.clone())
    }))
}
