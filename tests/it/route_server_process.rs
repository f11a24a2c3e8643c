//! `renet route-server` as a process: how it starts, tells systemd, prints once, and ends.

use tokio::net::UnixDatagram;

use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{Behaviour, SimulatedDaemon};

#[tokio::test]
async fn sigterm_ends_it_at_once_and_answers_held_polls() {
    for signal in ["TERM", "INT"] {
        let machine = Machine::new();
        let _daemon = machine.daemon(2816, "web");
        let mut server = machine.route_server().await;
        let mut traefik = server.connect().await;
        let routes = traefik.poll().await;
        let held = tokio::spawn(async move { traefik.poll().await });
        // The request is with the server once another one after it was answered.
        server.get("/health").await;

        server.signal(signal);

        assert!(server.ended().await.success());
        assert_eq!(held.await.expect("no panic"), routes);
    }
}

#[tokio::test]
async fn it_ends_while_a_daemon_hangs_and_nothing_is_complete() {
    let machine = Machine::new();
    let _daemon = SimulatedDaemon::start_as(&machine.socket(2816), &[], Behaviour::Hangs);
    let mut server = machine.route_server().await;
    server.signal("TERM");
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn systemd_is_told_when_the_first_complete_answer_can_be_given() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let path = machine.state_dir().join("notify.sock");
    let systemd = UnixDatagram::bind(&path).expect("the notify socket");
    let mut command = machine.renet();
    command.env("NOTIFY_SOCKET", &path);
    let mut server = RouteServer::spawn(command).await;

    assert_eq!(message(&systemd).await, "READY=1\n");
    let head = server.connect().await.request("HEAD", "/routes.yaml").await;
    assert_eq!(head.status, 200);

    server.signal("TERM");
    assert_eq!(message(&systemd).await, "STOPPING=1\n");
    server.ended().await;
}

#[tokio::test]
async fn the_watchdog_is_fed() {
    let machine = Machine::new();
    let path = machine.state_dir().join("notify.sock");
    let systemd = UnixDatagram::bind(&path).expect("the notify socket");
    let mut command = machine.renet();
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "20000");
    let _server = RouteServer::spawn(command).await;

    let mut beats = 0;
    while beats < 3 {
        beats += usize::from(message(&systemd).await == "WATCHDOG=1\n");
    }
}

async fn message(systemd: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = systemd.recv(&mut buffer).await.expect("a message");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn once_prints_the_routes_and_ends() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");

    let output = machine.renet().arg("--once").output().await.expect("renet");
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("web-2816"),
        "{output:?}"
    );

    daemon.behave(Behaviour::Fails);
    let output = machine.renet().arg("--once").output().await.expect("renet");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{}\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("docker-2816.sock") && errors.contains("the engine is unwell"),
        "{errors}"
    );
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let machine = Machine::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut command = machine.renet();
    command.args(["--listen", &address]);

    let output = command.output().await.expect("renet");

    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains(&format!("cannot listen on {address}")),
        "{errors}"
    );
    assert!(errors.contains("--listen"), "{errors}");
}
