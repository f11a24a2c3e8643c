//! `renet route-server` when daemons fail: the others' routes are served unchanged and on time,
//! nothing is lost that was known, and `/health` tells the truth.

use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{Behaviour, SimulatedContainer, SimulatedDaemon};

#[tokio::test]
async fn a_daemon_that_fails_keeps_its_routes_while_others_change() {
    for behaviour in [
        Behaviour::Hangs,
        Behaviour::HangsMidBody,
        Behaviour::TalksGarbage,
        Behaviour::Fails,
    ] {
        let machine = Machine::new();
        let failing = machine.daemon(2816, "web");
        let other = machine.daemon(2880, "web");
        let server = machine.route_server().await;
        let mut traefik = server.connect().await;
        traefik.poll().await;

        failing.behave(behaviour);
        failing.close_event_streams();
        other.run(SimulatedContainer::new("api"));

        let routes = traefik.poll().await;
        for name in ["web-2816", "web-2880", "api-2880"] {
            assert!(routes.contains(name), "{behaviour:?}: {name}: {routes}");
        }
    }
}

#[tokio::test]
async fn a_daemon_that_recovers_is_listed_again() {
    for behaviour in [Behaviour::TalksGarbage, Behaviour::Fails] {
        let machine = Machine::new();
        let daemon = machine.daemon(2816, "web");
        let server = machine.route_server().await;
        let mut traefik = server.connect().await;
        traefik.poll().await;

        daemon.behave(behaviour);
        daemon.close_event_streams();
        let failed = async {
            while server.get_json("/health").await["status"] != "degraded" {
                tokio::task::yield_now().await;
            }
        };
        failed.await;
        let health = server.get_json("/health").await;
        let seen = &health["daemons"][0];
        assert_eq!(seen["state"], "unreachable", "{health}");
        assert!(seen["error"].is_string(), "{health}");

        daemon.set_silently(&[SimulatedContainer::new("api")]);
        daemon.behave(Behaviour::Answers);
        assert!(traefik.poll().await.contains("api-2816"));
        assert_eq!(server.get_json("/health").await["status"], "ok");
    }
}

#[tokio::test]
async fn what_happened_while_the_event_stream_was_closed_is_seen() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;

    daemon.set_silently(&[SimulatedContainer::new("api")]);
    daemon.close_event_streams();

    let routes = traefik.poll().await;
    assert!(
        routes.contains("api-2816") && !routes.contains("web-2816"),
        "{routes}"
    );
}

#[tokio::test]
async fn a_list_that_contradicts_a_death_is_repeated() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;

    daemon.end_late("web");

    traefik
        .poll_until(|routes| !routes.contains("web-2816"))
        .await;
    assert_eq!(daemon.lists(), 3);
}

#[tokio::test]
async fn a_daemon_of_which_nothing_is_known_delays_the_others_only_once() {
    let machine = Machine::new();
    let _answering = machine.daemon(2816, "web");
    let hanging = SimulatedDaemon::start_as(&machine.socket(2880), &[], Behaviour::Hangs);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;

    let routes = traefik.poll().await;
    assert!(routes.contains("web-2816"), "{routes}");
    let health = server.get_json("/health").await;
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["daemons"][1]["state"], "unreachable");
    assert_eq!(hanging.lists(), 0);
}

#[tokio::test]
async fn a_socket_that_goes_takes_its_routes_along() {
    let machine = Machine::new();
    let going = machine.daemon(2816, "web");
    let _staying = machine.daemon(2880, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;

    going.shut_down();

    let routes = traefik
        .poll_until(|routes| !routes.contains("web-2816"))
        .await;
    assert!(routes.contains("web-2880"), "{routes}");
    let health = server.get_json("/health").await;
    assert_eq!(
        health["daemons"].as_array().map(Vec::len),
        Some(1),
        "{health}"
    );
}

#[tokio::test]
async fn a_daemon_that_restarts_loses_nothing_in_between() {
    let machine = Machine::new();
    let before = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;

    before.shut_down();
    let web = SimulatedContainer::new("web");
    let api = SimulatedContainer::new("api");
    let _after = SimulatedDaemon::start(&machine.socket(2816), &[web, api]);

    // The next change is what the new daemon has more, and not that the old one's routes went.
    let routes = traefik.poll().await;
    assert!(
        routes.contains("web-2816") && routes.contains("api-2816"),
        "{routes}"
    );
}

#[tokio::test]
async fn a_socket_that_appears_is_found_even_in_a_folder_that_appears() {
    let machine = Machine::new();
    std::fs::remove_dir(machine.socket_dir()).expect("an empty folder");
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    assert_eq!(traefik.poll().await, "{}\n");

    std::fs::create_dir(machine.socket_dir()).expect("the socket folder");
    let _first = machine.daemon(2816, "web");
    assert!(traefik.poll().await.contains("web-2816"));

    let _second = machine.daemon(2880, "web");
    assert!(traefik.poll().await.contains("web-2880"));
}

#[tokio::test]
async fn the_last_known_routes_survive_a_kill_while_the_daemon_hangs() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let mut stored = file_changes(&machine.state_dir());
    let mut server = machine.route_server().await;
    server.get("/routes.yaml").await;
    stored.next().await;
    server.signal("KILL");
    server.ended().await;
    daemon.behave(Behaviour::Hangs);

    let server = machine.route_server().await;
    let routes = server.get("/routes.yaml").await.body;
    assert!(routes.contains("web-2816"), "{routes}");

    // It is told apart from one that answers, and changes when it does.
    let health = server.get_json("/health").await;
    assert_eq!(health["status"], "degraded");
}

#[tokio::test]
async fn torn_or_unwritable_state_is_a_warning() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    std::fs::write(machine.state_dir().join("containers-2816.json"), "{").expect("a file");
    let server = machine.route_server().await;
    assert!(server.get("/routes.yaml").await.body.contains("web-2816"));
    assert!(
        server.log().contains("containers-2816.json"),
        "{}",
        server.log()
    );

    let mut command = machine.renet();
    command.args(["--state-dir", "/proc/none/router"]);
    let server = RouteServer::spawn(command).await;
    assert!(server.get("/routes.yaml").await.body.contains("web-2816"));
    assert!(
        server.log().contains("/proc/none/router"),
        "{}",
        server.log()
    );
}

/// Tells of each file that is put in place in a folder from now on.
fn file_changes(folder: &std::path::Path) -> FileChanges {
    let inotify = inotify::Inotify::init().expect("inotify");
    let mask = inotify::WatchMask::MOVED_TO;
    inotify.watches().add(folder, mask).expect("a watch");
    FileChanges(inotify.into_event_stream([0; 1024]).expect("a stream"))
}

struct FileChanges(inotify::EventStream<[u8; 1024]>);

impl FileChanges {
    async fn next(&mut self) {
        let event = futures_util::StreamExt::next(&mut self.0).await;
        event.expect("a change").expect("readable");
    }
}
