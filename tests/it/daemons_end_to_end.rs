//! The route server under systemd beside real Docker engines, which start, stop, restart and hang.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::route_server::Connection;
use crate::test_machine::TestMachine;

/// The units as a push installs them, and what they are rendered with.
const SERVICE: &str = include_str!("../../templates/rediacc-router.service");
const SOCKET: &str = include_str!("../../templates/rediacc-router.socket");
const UNIT: &str = "rediacc-router.service";

#[tokio::test]
async fn real_engines_come_and_go_and_hang_and_the_others_routes_stay() {
    let machine = TestMachine::with_daemons("daemons", "2816,2880");
    create(&machine, 2816, "app", &[]);
    create(&machine, 2880, "app", &["--restart", "always"]);
    machine.docker(2880, &["start", "app"]);
    let route_server = Installed::on(&machine);
    let mut traefik = Connection::to(&route_server.address).await;
    let routes = traefik.poll().await;
    assert!(
        routes.contains("app-2880") && !routes.contains("app-2816"),
        "{routes}"
    );

    containers_start_and_stop(&machine, &mut traefik, &route_server).await;

    // An engine that is stopped by a signal accepts, and says nothing more.
    let stopped = Instant::now();
    signal_engine(&machine, 2816, "STOP");
    a_socket_appears_and_vanishes(&machine, &mut traefik).await;
    an_engine_is_replaced(&machine, &mut traefik, &route_server).await;
    route_server.awaits(&machine, "docker-2816.sock");
    let health = route_server.health().await;
    println!(
        "figure: engine stopped by a signal → told by /health: {:.2?}",
        stopped.elapsed()
    );
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(state(&health, 2816), "unreachable", "{health}");
    assert_eq!(state(&health, 2880), "live", "{health}");
    let now = Connection::to(&route_server.address).await.poll().await;
    assert!(
        now.contains("app-2816") && now.contains("app-2880"),
        "{now}"
    );

    a_route_server_that_hangs_is_started_again(&machine, &route_server).await;

    let resumed = Instant::now();
    signal_engine(&machine, 2816, "CONT");
    let mut traefik = Connection::to(&route_server.address).await;
    machine.docker(2816, &["stop", "--time", "0", "app"]);
    traefik
        .poll_until(|routes| !routes.contains("app-2816"))
        .await;
    println!(
        "figure: engine resumed → a container's stop is served: {:.2?}",
        resumed.elapsed()
    );
    assert_eq!(route_server.health().await["status"], "ok");
}

async fn containers_start_and_stop(
    machine: &TestMachine,
    traefik: &mut Connection,
    route_server: &Installed,
) {
    for _ in 0..5 {
        let lists = route_server.lists().await;
        let started = Instant::now();
        let routes = traefik.poll_until(|routes| routes.contains("app-2816"));
        let (_, routes) = tokio::join!(docker(machine, 2816, "start"), routes);
        println!(
            "figure: docker start begun → its route is served: {:.2?}",
            started.elapsed()
        );
        assert!(routes.contains("app-2880"), "{routes}");
        let after_start = route_server.lists().await;
        assert_eq!(after_start - lists, 1, "one event is one list");

        let started = Instant::now();
        let routes = traefik.poll_until(|routes| !routes.contains("app-2816"));
        let (_, routes) = tokio::join!(docker(machine, 2816, "kill"), routes);
        let lists = route_server.lists().await - after_start;
        println!(
            "figure: docker kill begun → its route is gone: {:.2?}, after {lists} lists",
            started.elapsed()
        );
        assert!(routes.contains("app-2880"), "{routes}");
    }
    docker(machine, 2816, "start").await;
    traefik
        .poll_until(|routes| routes.contains("app-2816"))
        .await;
}

async fn a_socket_appears_and_vanishes(machine: &TestMachine, traefik: &mut Connection) {
    machine.daemon(2944, "start");
    create(machine, 2944, "app", &[]);
    machine.docker(2944, &["start", "app"]);
    let routes = traefik
        .poll_until(|routes| routes.contains("app-2944"))
        .await;
    assert!(
        routes.contains("app-2816") && routes.contains("app-2880"),
        "{routes}"
    );

    machine.daemon(2944, "stop");
    let routes = traefik
        .poll_until(|routes| !routes.contains("app-2944"))
        .await;
    assert!(
        routes.contains("app-2816") && routes.contains("app-2880"),
        "{routes}"
    );
}

/// An engine that restarts removes its socket and makes another one.
async fn an_engine_is_replaced(
    machine: &TestMachine,
    traefik: &mut Connection,
    route_server: &Installed,
) {
    machine.run(&["systemctl", "restart", "docker@2880.service"]);
    let routes = traefik
        .poll_until(|routes| routes.contains("app-2880"))
        .await;
    assert!(routes.contains("app-2816"), "{routes}");
    docker(machine, 2880, "restart").await;
    traefik
        .poll_until(|routes| routes.contains("app-2880"))
        .await;
    assert_eq!(state(&route_server.health().await, 2880), "live");
}

async fn a_route_server_that_hangs_is_started_again(
    machine: &TestMachine,
    route_server: &Installed,
) {
    let show = |property: &str| {
        let answer = machine.run(&["systemctl", "show", "--value", "--property", property, UNIT]);
        answer.trim().to_owned()
    };
    assert_eq!(show("ActiveState"), "active", "it was ready");
    assert_eq!(show("Type"), "notify");
    assert_eq!(show("NRestarts"), "0");
    let process = show("MainPID");

    let hung = Instant::now();
    machine.run(&["kill", "-s", "STOP", &process]);
    // The socket is systemd's: the question waits for the next process. It knows the engine that
    // hangs from the disk.
    let routes = Connection::to(&route_server.address).await.poll().await;
    println!(
        "figure: route server hung → its successor answers: {:.2?}",
        hung.elapsed()
    );
    assert!(
        routes.contains("app-2816") && routes.contains("app-2880"),
        "{routes}"
    );
    assert_ne!(show("MainPID"), process);
    assert_eq!(show("NRestarts"), "1");
    let journal = machine.run(&["journalctl", "--no-pager", "--unit", UNIT]);
    assert!(journal.contains("Watchdog timeout"), "{journal}");
}

/// The route server as a push leaves it on the machine.
struct Installed {
    address: String,
}

impl Installed {
    fn on(machine: &TestMachine) -> Self {
        let root = PathBuf::from(format!("/proc/{}/root", machine.env("LEADER")));
        // Where the test can ask it without a process on the machine for each question.
        let address = format!("{}:7111", machine.env("ADDR"));
        let write = |path: &str, text: &str| {
            fs::write(root.join(path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
        };
        fs::create_dir_all(root.join("etc/rediacc/current")).expect("the folder of a push");
        copy_program(&root.join("etc/rediacc/current/renet"));
        write(
            "etc/rediacc/current/router.env",
            "REDIACC_ENTRYPOINTS=web,websecure\nBASE_DOMAIN=example.test\n",
        );
        let service = SERVICE.replace("{{ current }}", "/etc/rediacc/current");
        assert!(service.contains("\nWatchdogSec="));
        write("etc/systemd/system/rediacc-router.service", &service);
        let socket = SOCKET.replace("{{ listen }}", &address);
        write("etc/systemd/system/rediacc-router.socket", &socket);
        // What is waited for is that systemd acts, not for how long the unit gives it.
        fs::create_dir_all(root.join("etc/systemd/system/rediacc-router.service.d"))
            .expect("the drop-ins");
        write(
            "etc/systemd/system/rediacc-router.service.d/test.conf",
            "[Service]\nWatchdogSec=1s\n",
        );
        machine.run(&["systemctl", "daemon-reload"]);
        // It returns when the route server says that it is ready.
        machine.run(&["systemctl", "start", "rediacc-router.socket", UNIT]);
        Self { address }
    }

    async fn health(&self) -> Value {
        let answer = Connection::to(&self.address).await.get("/health").await;
        serde_json::from_str(&answer.body).expect("JSON")
    }

    async fn lists(&self) -> u64 {
        let mut connection = Connection::to(&self.address).await;
        connection.metric("rediacc_lists_total").await as u64
    }

    /// Waits until the journal says that a daemon does not answer.
    fn awaits(&self, machine: &TestMachine, socket: &str) {
        let line = format!("{socket}.*does not answer\\|does not answer.*{socket}");
        let follow = format!(
            "journalctl --unit {UNIT} --no-pager --follow --lines=all | grep -m1 -- '{line}'"
        );
        let words = ["timeout", "60", "sh", "-c", &follow];
        machine.run(&words);
    }
}

fn copy_program(to: &Path) {
    fs::copy(env!("CARGO_BIN_EXE_renet"), to).expect("renet is copied");
}

/// A container with an auto route, not started.
fn create(machine: &TestMachine, id: u32, name: &str, options: &[&str]) {
    let labels = [
        format!("rediacc.network_id={id}"),
        format!("rediacc.service_name={name}"),
        format!(
            "rediacc.service_ip={}",
            std::net::Ipv4Addr::from(0x7F00_0002 | id)
        ),
        "rediacc.service_port=8080".to_owned(),
    ];
    let mut words = vec!["create", "--name", name, "--network", "host"];
    // As the first process of its container, sleep would wait out the time that it has to end.
    words.extend(["--stop-signal", "KILL"]);
    words.extend(options);
    for label in &labels {
        words.extend(["--label", label]);
    }
    words.extend(["busybox", "sleep", "3600"]);
    machine.docker(id, &words);
}

/// Without keeping the test's own thread from reading what is served meanwhile.
async fn docker(machine: &TestMachine, id: u32, action: &str) {
    let command = machine.docker_command(id, &[action, "app"]);
    let output = tokio::process::Command::from(command).output().await;
    let output = output.expect("tests/machine runs");
    assert!(output.status.success(), "docker {action}: {output:?}");
}

fn signal_engine(machine: &TestMachine, id: u32, signal: &str) {
    let unit = format!("docker@{id}.service");
    let signal = format!("--signal={signal}");
    machine.run(&["systemctl", "kill", "--kill-who=main", &signal, &unit]);
}

fn state(health: &Value, id: u32) -> &str {
    let daemons = health["daemons"].as_array().into_iter().flatten();
    let mut states = daemons.filter(|daemon| daemon["network_id"] == id);
    let daemon = states
        .next()
        .unwrap_or_else(|| panic!("no {id} in {health}"));
    daemon["state"].as_str().expect("a state")
}
