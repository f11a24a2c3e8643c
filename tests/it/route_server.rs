//! `renet route-server` on simulated daemons, as Traefik and people see it: what is served, and
//! when. Beside the tests, the machine that they, and those of faults, run on.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::simulated_daemon::{Behaviour, SimulatedContainer, SimulatedDaemon};

/// The folders of a machine.
pub(crate) struct Machine {
    folder: TempDir,
}

/// A route server that runs. Dropping it kills it.
pub(crate) struct RouteServer {
    child: Child,
    address: String,
    log: watch::Receiver<String>,
}

/// One connection to the route server, kept as Traefik keeps its own.
pub(crate) struct Connection(BufReader<TcpStream>);

/// What the route server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        std::fs::create_dir(machine.socket_dir()).expect("the socket folder");
        std::fs::create_dir(machine.state_dir()).expect("the state folder");
        machine
    }

    pub(crate) fn socket_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn socket(&self, network_id: u32) -> PathBuf {
        self.socket_dir().join(format!("docker-{network_id}.sock"))
    }

    /// A daemon with one running container.
    pub(crate) fn daemon(&self, network_id: u32, container: &str) -> SimulatedDaemon {
        let containers = [SimulatedContainer::new(container)];
        SimulatedDaemon::start(&self.socket(network_id), &containers)
    }

    /// As systemd starts it, with the settings in the environment, so that a test's arguments win.
    pub(crate) fn renet(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_renet"));
        command
            .arg("route-server")
            .env("REDIACC_LISTEN", "127.0.0.1:0")
            .env("REDIACC_SOCKET_DIR", self.socket_dir())
            .env("REDIACC_STATE_DIR", self.state_dir())
            .env("REDIACC_ENTRYPOINTS", "web,websecure")
            .env("BASE_DOMAIN", "example.test")
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn route_server(&self) -> RouteServer {
        RouteServer::spawn(self.renet()).await
    }
}

impl RouteServer {
    /// Starts it, and waits until it listens.
    pub(crate) async fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("renet");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (logged, log) = watch::channel(String::new());
        let append = move |line: String| logged.send_modify(|log| *log += &(line + "\n"));
        let address = loop {
            let line = lines.next_line().await.expect("a line");
            let line = line.unwrap_or_else(|| panic!("renet ended: {}", *log.borrow()));
            append(line.clone());
            if let Some((_, address)) = line.split_once("listening address=") {
                break address.to_owned();
            }
        };
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                append(line);
            }
        });
        Self {
            child,
            address,
            log,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::to(&self.address).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.connect().await.get(path).await
    }

    pub(crate) async fn get_json(&self, path: &str) -> serde_json::Value {
        let body = self.get(path).await.body;
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// The most memory that it has had at once, in bytes.
    pub(crate) fn most_memory(&self) -> usize {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: usize = kibibytes.expect("a size").parse().expect("a number");
        kibibytes << 10
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &id])
            .status();
        assert!(sent.expect("kill").success());
    }

    pub(crate) async fn ended(&mut self) -> std::process::ExitStatus {
        self.child.wait().await.expect("it ran")
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until it has logged something so often.
    pub(crate) async fn logged(&self, text: &str, times: usize) {
        let mut log = self.log.clone();
        let is_there = |log: &String| log.matches(text).count() >= times;
        log.wait_for(is_there).await.expect("renet runs");
    }

    /// The value of one sample of `/metrics`.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        self.connect().await.metric(sample).await
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Connection {
    pub(crate) async fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("renet listens");
        Self(BufReader::new(stream))
    }

    /// The value of one sample of `/metrics`.
    pub(crate) async fn metric(&mut self, sample: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let values = text.lines().filter_map(|line| line.strip_prefix(sample));
        let mut values = values.filter_map(|rest| rest.strip_prefix(' ')?.parse().ok());
        values
            .next()
            .unwrap_or_else(|| panic!("no {sample} in {text}"))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path).await
    }

    /// The next routes that it gets. Held while nothing changes.
    pub(crate) async fn poll(&mut self) -> String {
        let answer = self.get("/routes.yaml").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Polls until the routes are as expected.
    pub(crate) async fn poll_until(&mut self, is_expected: impl Fn(&str) -> bool) -> String {
        loop {
            let routes = self.poll().await;
            if is_expected(&routes) {
                return routes;
            }
        }
    }

    pub(crate) async fn request(&mut self, method: &str, path: &str) -> Answer {
        self.request_with(method, path, "").await
    }

    /// With headers, each of them with its line end.
    pub(crate) async fn request_with(&mut self, method: &str, path: &str, headers: &str) -> Answer {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: renet\r\n{headers}\r\n");
        self.0.write_all(request.as_bytes()).await.expect("written");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).await.expect("a line");
            assert_ne!(read, 0, "the connection was closed: {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let header = |name: &str| {
            let lines = head.lines();
            lines
                .filter_map(|line| line.split_once(": "))
                .find(|(other, _)| *other == name)
        };
        let length = match header("content-length") {
            Some((_, length)) if method != "HEAD" => length.parse().expect("a length"),
            _ => 0,
        };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("the whole body");
        Answer {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|code| code.parse().ok())
                .expect("a status"),
            head,
            body: String::from_utf8(body).expect("text"),
        }
    }
}

#[tokio::test]
async fn the_routes_of_all_daemons_are_served_at_the_start() {
    let machine = Machine::new();
    let _one = machine.daemon(2816, "web");
    let _other = machine.daemon(2880, "web");
    let server = machine.route_server().await;

    let answer = server.get("/routes.yaml").await;

    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("content-type: application/yaml"),
        "{answer:?}"
    );
    assert!(
        answer.body.contains("web-2816") && answer.body.contains("web-2880"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_machine_without_daemons_is_complete_and_empty() {
    let machine = Machine::new();
    let server = machine.route_server().await;
    assert_eq!(server.get("/routes.yaml").await.body, "{}\n");
    assert_eq!(server.get_json("/health").await["status"], "ok");
}

#[tokio::test]
async fn nothing_partial_is_served_while_a_daemon_has_not_answered() {
    let machine = Machine::new();
    let _one = machine.daemon(2816, "web");
    let containers = [SimulatedContainer::new("api")];
    let other =
        SimulatedDaemon::start_as(&machine.socket(2880), &containers, Behaviour::HangsMidBody);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    let held = traefik.poll();
    tokio::pin!(held);

    // The daemons are asked while the poll is held, and whoever does not wait is told to.
    tokio::select! {
        routes = &mut held => panic!("served before all was known: {routes}"),
        answer = async { server.connect().await.request("HEAD", "/routes.yaml").await } => {
            assert_eq!(answer.status, 503);
        }
    }
    let health = server.get("/health").await;
    assert_eq!(health.status, 503);
    assert!(health.body.contains(r#""status":"starting""#), "{health:?}");
    assert_eq!(server.get("/routes.json").await.status, 503);

    // Engines do not take up again what they let hang, so that the daemon comes back as another.
    drop(other);
    let _other = SimulatedDaemon::start(&machine.socket(2880), &containers);

    let routes = held.await;
    assert!(
        routes.contains("web-2816") && routes.contains("api-2880"),
        "{routes}"
    );
}

#[tokio::test]
async fn a_held_poll_ends_with_the_container_that_starts_or_ends() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    assert!(!traefik.poll().await.contains("api"));

    daemon.run(SimulatedContainer::new("api"));
    assert!(traefik.poll().await.contains("api-2816"));

    daemon.end("api");
    assert!(!traefik.poll().await.contains("api-2816"));
}

#[tokio::test]
async fn a_poll_is_held_and_then_answered_with_the_same_bytes() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    let routes = traefik.poll().await;
    let held = traefik.poll();
    tokio::pin!(held);

    // A new connection is answered while the old one is held.
    tokio::select! {
        _ = &mut held => panic!("not held"),
        answer = server.get("/routes.yaml") => assert_eq!(answer.body, routes),
    }
    assert_eq!(held.await, routes);
}

#[tokio::test]
async fn one_event_is_one_list_and_a_burst_is_few() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;
    assert_eq!(daemon.lists(), 1);

    daemon.run(SimulatedContainer::new("api"));
    traefik.poll().await;
    assert_eq!(daemon.lists(), 2);

    for _ in 0..1000 {
        daemon.touch("web");
    }
    daemon.run(SimulatedContainer::new("last"));
    traefik
        .poll_until(|routes| routes.contains("last-2816"))
        .await;
    assert!(
        daemon.lists() < 100,
        "{} lists for 1001 events",
        daemon.lists()
    );
    assert_eq!(daemon.image_inspects(), 0);
}

#[tokio::test]
async fn an_image_is_asked_for_its_ports_once_and_only_when_no_label_says_the_port() {
    let machine = Machine::new();
    let open = SimulatedContainer::new("open").without_label("rediacc.service_port");
    let web = SimulatedContainer::new("web");
    let daemon = SimulatedDaemon::start(&machine.socket(2816), &[open, web]);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    assert!(traefik.poll().await.contains("127.0.11.2:9000"));

    daemon.run(SimulatedContainer::new("again").without_label("rediacc.service_port"));
    assert!(traefik.poll().await.contains("again-2816"));
    assert_eq!(daemon.image_inspects(), 1);
}

#[tokio::test]
async fn a_container_that_is_not_healthy_or_is_paused_has_no_routes() {
    let machine = Machine::new();
    let container = |name: &str, state, status| SimulatedContainer {
        state,
        status,
        ..SimulatedContainer::new(name)
    };
    let _daemon = SimulatedDaemon::start(
        &machine.socket(2816),
        &[
            container("healthy", "running", "Up 2 minutes (healthy)"),
            container("starting", "running", "Up 2 seconds (health: starting)"),
            container("failing", "running", "Up 2 minutes (unhealthy)"),
            container("paused", "paused", "Up 2 minutes (Paused)"),
            container("exited", "exited", "Exited (0) 2 minutes ago"),
        ],
    );
    let server = machine.route_server().await;

    let routes = server.get("/routes.yaml").await.body;

    assert!(routes.contains("healthy-2816"), "{routes}");
    for name in ["starting", "failing", "paused", "exited"] {
        assert!(!routes.contains(name), "{name}: {routes}");
    }
}

#[tokio::test]
async fn a_named_daemon_outside_the_folder_has_routes_too() {
    let machine = Machine::new();
    let socket = machine.state_dir().join("docker.sock");
    let plain = SimulatedContainer::bridged("plain", "172.17.0.2", &[80])
        .label("traefik.enable", "true")
        .label("traefik.http.routers.plain.rule", "Host(`plain.example`)")
        .label("traefik.http.routers.plain.entrypoints", "web");
    // Nobody there can be of a repository by saying so.
    let imposter = SimulatedContainer::bridged("imposter", "172.17.0.3", &[80])
        .label("rediacc.service_name", "imposter")
        .label("rediacc.network_id", "2944");
    let _daemon = SimulatedDaemon::start(&socket, &[plain, imposter]);
    let mut command = machine.renet();
    command
        .arg("--docker-host")
        .arg(format!("unix://{}", socket.display()));
    let server = RouteServer::spawn(command).await;

    // This answer waits until all is known.
    server.get("/routes.yaml").await;
    let routes = server.get_json("/routes.json").await;
    let routers = routes["http"]["routers"].as_object().expect("routers");
    assert_eq!(routers.keys().collect::<Vec<_>>(), ["plain"], "{routes}");
    let rejection = &routes["rejections"][0];
    assert_eq!(rejection["container"], "imposter", "{routes}");
    assert_eq!(rejection["label"], "rediacc.network_id");
    assert_eq!(rejection["network_id"], serde_json::Value::Null);
    let health = server.get_json("/health").await;
    assert_eq!(health["daemons"][0]["network_id"], serde_json::Value::Null);
}

#[tokio::test]
async fn the_endpoints_have_the_documented_shapes() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let mut command = machine.renet();
    command.args(["--dynamic-ports", "10000-10010"]);
    let server = RouteServer::spawn(command).await;
    server.get("/routes.yaml").await;

    let health = server.get_json("/health").await;
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime_seconds"].is_u64());
    assert_eq!(health["base_domain"], "example.test");
    assert_eq!(health["auto_routes"], true);
    for what in ["routers", "services"] {
        assert_eq!(health[what]["http"], 1, "{health}");
        assert_eq!(health[what]["tcp"], 0, "{health}");
        assert_eq!(health[what]["udp"], 0, "{health}");
    }
    assert_eq!(health["rejections"], 0);
    let daemon = &health["daemons"][0];
    assert_eq!(
        daemon["socket"],
        machine.socket(2816).to_str().expect("UTF-8")
    );
    assert_eq!(daemon["network_id"], 2816);
    assert_eq!(daemon["state"], "live");
    assert_eq!(daemon["containers"], 1);
    assert!(
        daemon["last_change"]
            .as_str()
            .is_some_and(|text| text.ends_with('Z'))
    );
    assert_eq!(daemon["error"], serde_json::Value::Null);

    let routes = server.get_json("/routes.json").await;
    assert!(routes["http"]["routers"].is_object(), "{routes}");
    assert_eq!(routes["rejections"], serde_json::json!([]));

    let ports = server.get_json("/ports").await;
    let expected = serde_json::json!({"range": "10000-10010", "free": 11, "tcp": [], "udp": []});
    assert_eq!(ports, expected);
}

#[tokio::test]
async fn only_get_and_head_of_known_paths_are_answered() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut connection = server.connect().await;
    let routes = connection.poll().await;

    // Not held, though nothing has changed on this connection.
    let head = connection.request("HEAD", "/routes.yaml").await;
    assert_eq!(head.status, 200);
    assert!(
        head.head
            .contains(&format!("content-length: {}\r\n", routes.len())),
        "{head:?}"
    );

    let posted = connection.request("POST", "/health").await;
    assert_eq!(posted.status, 405);
    assert!(posted.head.contains("allow: get,head"), "{posted:?}");

    let unknown = connection.get("/").await;
    assert_eq!(unknown.status, 404);
    let body: serde_json::Value = serde_json::from_str(&unknown.body).expect("JSON");
    assert!(
        body["paths"]
            .as_array()
            .is_some_and(|paths| paths.contains(&"/health".into()))
    );
}
