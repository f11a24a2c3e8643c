//! `renet route-server` when daemons fail: the others' routes are served unchanged and on time,
//! nothing is lost that was known, and `/health` tells the truth.

use crate::route_server::{Connection, Machine, RouteServer};
use crate::simulated_daemon::{Behaviour, SimulatedContainer, SimulatedDaemon};

#[tokio::test]
async fn a_daemon_that_hangs_after_it_accepted_keeps_its_routes_while_others_change() {
    fails_while_others_change(Behaviour::Hangs).await;
}

#[tokio::test]
async fn a_daemon_that_hangs_in_the_middle_of_a_body_keeps_its_routes_while_others_change() {
    fails_while_others_change(Behaviour::HangsMidBody).await;
}

#[tokio::test]
async fn a_daemon_that_talks_garbage_keeps_its_routes_while_others_change() {
    fails_while_others_change(Behaviour::TalksGarbage).await;
}

#[tokio::test]
async fn a_daemon_that_says_500_keeps_its_routes_while_others_change() {
    fails_while_others_change(Behaviour::Fails).await;
}

#[tokio::test]
async fn a_daemon_whose_answers_never_end_costs_no_memory() {
    let mut pair = Pair::start().await;
    pair.suspect.behave(Behaviour::NeverEnds);
    pair.suspect.close_event_streams();
    pair.server
        .logged("the list is larger than 64 MiB", 1)
        .await;
    pair.other_changes_on_time(&["web-2816"]).await;
    let most = pair.server.most_memory();
    assert!(most < 300 << 20, "{most} bytes");
}

/// Labels of a size that nobody writes: the container is told of, and nothing of them is kept.
#[tokio::test]
async fn labels_beyond_all_measure_cost_their_container() {
    let machine = Machine::new();
    let huge = "x".repeat(20 << 20);
    let label = "traefik.http.routers.huge.rule";
    let containers = [
        SimulatedContainer::new("huge").label(label, &huge),
        SimulatedContainer::new("long").label(&format!("traefik.{}", "k".repeat(1 << 20)), "1"),
        SimulatedContainer::new("web"),
    ];
    let _daemon = SimulatedDaemon::start(&machine.socket(2816), &containers);
    let server = machine.route_server().await;
    let routes = server.get("/routes.yaml").await.body;
    assert!(routes.contains("web-2816") && !routes.contains("huge"));
    let listed = server.get_json("/routes.json").await;
    let [first, second] = &listed["rejections"].as_array().expect("a list")[..] else {
        panic!("{}", listed["rejections"]);
    };
    assert_eq!(first["label"], label);
    let bytes = huge.len() + label.len();
    let reason = format!("it has {bytes} bytes, and a label may have 65536");
    assert_eq!(first["reason"], reason);
    assert!(
        second["label"]
            .as_str()
            .expect("a label")
            .starts_with("traefik.kkk")
    );
    assert!(listed.to_string().len() < 10_000);
    let log = server.log();
    assert!(log.len() < 10_000, "{} bytes of log", log.len());
    drop(server);
    for file in std::fs::read_dir(machine.state_dir()).expect("the folder") {
        let size = file.expect("a file").metadata().expect("metadata").len();
        assert!(size < 10_000, "{size} bytes of state");
    }
}

async fn fails_while_others_change(behaviour: Behaviour) {
    let mut pair = Pair::start().await;
    pair.suspect.behave(behaviour);
    pair.suspect.close_event_streams();
    pair.server.logged("daemon does not answer", 1).await;
    pair.health_says("degraded", "unreachable").await;
    pair.other_changes_on_time(&["web-2816"]).await;
}

#[tokio::test]
async fn a_daemon_that_closes_its_event_streams_again_and_again_is_still_followed() {
    let mut pair = Pair::start().await;
    for container in ["one", "two", "three"] {
        pair.suspect.is_listened_to().await;
        pair.suspect.set_silently(&[
            SimulatedContainer::new("web"),
            SimulatedContainer::new(container),
        ]);
        pair.suspect.close_event_streams();
        // A held poll may end before the daemon is asked again.
        let is_there = |routes: &str| routes.contains(&format!("{container}-2816"));
        let routes = pair.traefik.poll_until(is_there).await;
        for name in ["web-2816", &format!("{container}-2816"), "web-2880"] {
            assert!(routes.contains(name), "{name}: {routes}");
        }
    }
    pair.health_says("ok", "live").await;
    pair.other_changes_on_time(&["web-2816", "three-2816"])
        .await;
}

#[tokio::test]
async fn a_daemon_that_hangs_without_a_word_is_noticed_and_taken_up_again() {
    let mut pair = Pair::start().await;
    let lists = pair.suspect.lists();
    // Its events stay open, so that only a question shows it.
    pair.suspect.behave(Behaviour::Hangs);
    pair.server
        .logged("no answer to GET /_ping in time", 1)
        .await;
    pair.health_says("degraded", "unreachable").await;
    assert_eq!(
        pair.suspect.lists(),
        lists,
        "to ask whether it is there is no list"
    );
    pair.other_changes_on_time(&["web-2816"]).await;

    // It went on while nobody could see.
    pair.suspect
        .set_silently(&[SimulatedContainer::new("late")]);
    pair.suspect.behave(Behaviour::Answers);
    let routes = pair
        .traefik
        .poll_until(|routes| routes.contains("late-2816"))
        .await;
    assert!(!routes.contains("web-2816"), "{routes}");
    pair.health_says("ok", "live").await;
}

#[tokio::test]
async fn a_socket_that_appears_brings_its_routes_and_changes_no_others() {
    let mut pair = Pair::start().await;
    let _third = pair.machine.daemon(2944, "web");
    let routes = pair.traefik.poll().await;
    for name in ["web-2816", "web-2880", "web-2944"] {
        assert!(routes.contains(name), "{name}: {routes}");
    }
    pair.health_says("ok", "live").await;
    pair.other_changes_on_time(&["web-2816", "web-2944"]).await;
}

#[tokio::test]
async fn a_socket_that_appears_and_hangs_delays_nobody() {
    let mut pair = Pair::start().await;
    let socket = pair.machine.socket(2944);
    let _hanging = SimulatedDaemon::start_as(&socket, &[], Behaviour::Hangs);
    pair.server.logged("docker-2944.sock", 1).await;
    pair.other_changes_on_time(&["web-2816"]).await;
    let health = pair.server.get_json("/health").await;
    assert_ne!(health["daemons"][2]["state"], "live", "{health}");
    assert_eq!(health["status"], "degraded", "{health}");
}

#[tokio::test]
async fn a_socket_that_is_replaced_shows_the_new_daemons_containers() {
    let mut pair = Pair::start().await;
    // Bound to a new file over the old one, as an engine does that was killed.
    let replacement = SimulatedDaemon::start(
        &pair.machine.socket(2816),
        &[SimulatedContainer::new("new")],
    );
    let routes = pair.traefik.poll().await;
    assert!(
        routes.contains("new-2816") && !routes.contains("web-2816"),
        "{routes}"
    );
    // The old one may say what it likes.
    pair.suspect.run(SimulatedContainer::new("ghost"));
    pair.suspect = replacement;
    pair.health_says("ok", "live").await;
    let routes = pair.other_changes_on_time(&["new-2816"]).await;
    assert!(!routes.contains("ghost"), "{routes}");
}

#[tokio::test]
async fn a_daemon_that_restarts_under_load_loses_no_route_in_between() {
    let mut pair = Pair::start().await;
    for _ in 0..500 {
        pair.suspect.touch("web");
        pair.other.touch("web");
    }
    let web = SimulatedContainer::new("web");
    let api = SimulatedContainer::new("after");
    pair.suspect = {
        let socket = pair.machine.socket(2816);
        std::fs::remove_file(&socket).expect("the daemon's socket");
        SimulatedDaemon::start(&socket, &[web, api])
    };
    for _ in 0..500 {
        pair.suspect.touch("web");
        pair.other.touch("web");
    }
    // The next version is the one with what the new daemon has more.
    let routes = pair.traefik.poll().await;
    for name in ["web-2816", "after-2816", "web-2880"] {
        assert!(routes.contains(name), "{name}: {routes}");
    }
    pair.other_changes_on_time(&["web-2816", "after-2816"])
        .await;
    pair.health_says("ok", "live").await;
}

#[tokio::test]
async fn a_thousand_containers_are_one_list_and_one_event_is_one_more() {
    // With the last, as many as a repository may have routers.
    let mut pair = Pair::start().await;
    let many: Vec<_> = (0..999)
        .map(|number| SimulatedContainer::new(&format!("many{number}")))
        .collect();
    let daemon = SimulatedDaemon::start(&pair.machine.socket(2944), &many);
    let routes = pair.traefik.poll().await;
    assert_eq!(routes.matches("Host(`many").count(), 999);
    assert!(routes.contains("web-2816") && routes.contains("web-2880"));
    assert_eq!(daemon.lists(), 1);

    daemon.run(SimulatedContainer::new("last"));
    assert!(pair.traefik.poll().await.contains("last-2944"));
    assert_eq!(daemon.lists(), 2);
    let health = pair.server.get_json("/health").await;
    assert_eq!(health["daemons"][2]["containers"], 1000, "{health}");
    pair.other_changes_on_time(&["web-2816", "many998-2944"])
        .await;
}

#[tokio::test]
async fn a_container_in_a_state_that_nobody_knows_costs_its_own_routes_alone() {
    let mut pair = Pair::start().await;
    let odd = SimulatedContainer {
        state: "bewildered",
        ..SimulatedContainer::new("odd")
    };
    pair.suspect.run(odd);
    pair.suspect.run(SimulatedContainer::new("after"));
    let routes = pair.traefik.poll().await;
    assert!(
        routes.contains("after-2816") && !routes.contains("odd-2816"),
        "{routes}"
    );
    pair.health_says("ok", "live").await;
    pair.other_changes_on_time(&["web-2816", "after-2816"])
        .await;
}

#[tokio::test]
async fn ten_thousand_events_at_once_are_few_lists() {
    let mut pair = Pair::start().await;
    for _ in 0..10_000 {
        pair.suspect.touch("web");
    }
    pair.other_changes_on_time(&["web-2816"]).await;
    pair.suspect.run(SimulatedContainer::new("last"));
    pair.traefik
        .poll_until(|routes| routes.contains("last-2816"))
        .await;
    let lists = pair.suspect.lists();
    assert!(lists < 250, "{lists} lists for 10,001 events");
    pair.health_says("ok", "live").await;
}

/// Two daemons, and a Traefik that has the routes of both.
struct Pair {
    machine: Machine,
    /// The one that something happens to, of repository 2816.
    suspect: SimulatedDaemon,
    /// The one that must not notice, of repository 2880.
    other: SimulatedDaemon,
    server: RouteServer,
    traefik: Connection,
}

impl Pair {
    async fn start() -> Self {
        let machine = Machine::new();
        let suspect = machine.daemon(2816, "web");
        let other = machine.daemon(2880, "web");
        let server = machine.route_server().await;
        let mut traefik = server.connect().await;
        let routes = traefik.poll().await;
        assert!(
            routes.contains("web-2816") && routes.contains("web-2880"),
            "{routes}"
        );
        Self {
            machine,
            suspect,
            other,
            server,
            traefik,
        }
    }

    /// The other daemon's next change is the next version, and nothing is missing from it: neither
    /// its own routes nor those that are named.
    async fn other_changes_on_time(&mut self, kept: &[&str]) -> String {
        let version = self.server.metric("rediacc_routes_version").await;
        self.other.run(SimulatedContainer::new("other"));
        let routes = self
            .traefik
            .poll_until(|routes| routes.contains("other-2880"))
            .await;
        for name in kept.iter().chain(&["web-2880"]) {
            assert!(routes.contains(name), "{name}: {routes}");
        }
        let now = self.server.metric("rediacc_routes_version").await;
        assert!(
            (now - version - 1.0).abs() < 0.5,
            "something was served in between"
        );
        routes
    }

    async fn health_says(&self, status: &str, suspect: &str) {
        let health = self.server.get_json("/health").await;
        assert_eq!(health["status"], status, "{health}");
        let [first, second] = [&health["daemons"][0], &health["daemons"][1]];
        assert_eq!(first["state"], suspect, "{health}");
        assert_eq!(
            first["error"].is_string(),
            suspect == "unreachable",
            "{health}"
        );
        assert_eq!(second["state"], "live", "{health}");
        let metric = |state: &str| format!("rediacc_daemons{{state=\"{state}\"}}");
        let live = self.server.metric(&metric("live")).await;
        let daemons = health["daemons"].as_array().expect("a list");
        let expected = daemons
            .iter()
            .filter(|daemon| daemon["state"] == "live")
            .count();
        assert_eq!(live.to_string(), expected.to_string());
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
    daemon.is_listened_to().await;

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
    assert_eq!(health["status"], "ok", "{health}");
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
    let _other = machine.daemon(2880, "web");
    let mut stored = file_changes(&machine.state_dir());
    let mut server = machine.route_server().await;
    server.get("/routes.yaml").await;
    stored.next().await;
    stored.next().await;
    server.signal("KILL");
    server.ended().await;
    daemon.behave(Behaviour::Hangs);

    let server = machine.route_server().await;
    let routes = server.get("/routes.yaml").await.body;
    assert!(
        routes.contains("web-2816") && routes.contains("web-2880"),
        "{routes}"
    );

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
