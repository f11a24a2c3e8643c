//! `renet route-server` hands out external ports: the same ones whatever restarts, and none that
//! somebody has.

use serde_json::{Value, json};

use crate::route_server::{Connection, Machine, RouteServer};
use crate::simulated_daemon::{Behaviour, SimulatedContainer, SimulatedDaemon};

#[tokio::test]
async fn a_service_that_lists_a_port_is_reached_on_an_external_one() {
    let machine = Machine::new();
    let listing = |name| asking(name).label("rediacc.udp_ports", "53");
    let _daemon = SimulatedDaemon::start(&machine.socket(2816), &[listing("db")]);
    let server = start(&machine, "10000-10001").await;

    let routes = server.get("/routes.yaml").await.body;

    for expected in [
        "- tcp-10000\n",
        "- tcp-10000-v6\n",
        "rule: \"HostSNI(`*`)\"",
        "address: \"127.0.11.2:5432\"",
        // The auto route is there beside it.
        "db-2816.example.test",
    ] {
        assert!(routes.contains(expected), "{expected}: {routes}");
    }
    let listed = server.get_json("/routes.json").await;
    let router = &listed["tcp"]["routers"]["db.5432-2816"];
    assert_eq!(router["entryPoints"], json!(["tcp-10000", "tcp-10000-v6"]));
    assert_eq!(router["servers"], json!(["127.0.11.2:5432"]));
    assert_eq!(router["container"], "db");
    assert_eq!(router["auto"], false);
    // Traefik opens the range for TCP alone.
    let rejection = &listed["rejections"][0];
    assert_eq!(rejection["label"], "rediacc.udp_ports");
    let hint = rejection["hint"].as_str().expect("a hint");
    assert!(hint.contains("--udp-ports"), "{rejection}");
}

#[tokio::test]
async fn the_ports_are_listed_with_their_owners() {
    let machine = Machine::new();
    let daemon = SimulatedDaemon::start(&machine.socket(2816), &[asking("db"), asking("mq")]);
    let server = start(&machine, "10000-10002").await;
    let mut traefik = server.connect().await;
    traefik.poll().await;
    daemon.remove("db");
    traefik.poll_until(|routes| !routes.contains("db.")).await;

    let mut ports = server.get_json("/ports").await;

    for entry in ports["tcp"].as_array_mut().expect("a list") {
        let since = entry["since"].take();
        let since = since.as_str().expect("a text");
        assert!(since.len() == 20 && since.ends_with('Z'), "{since}");
    }
    let entry = |port: u16, service: &str, active: bool| {
        json!({"port": port, "network_id": 2816, "service": service, "target": 5432,
            "active": active, "since": null})
    };
    assert_eq!(
        ports,
        json!({
            "range": "10000-10002",
            "free": 1,
            "tcp": [entry(10000, "db", false), entry(10001, "mq", true)],
            "udp": [],
        })
    );
}

#[tokio::test]
async fn a_service_has_the_same_port_after_a_kill() {
    let machine = Machine::new();
    let daemon = SimulatedDaemon::start(&machine.socket(2816), &[asking("db")]);
    let mut server = start(&machine, "10000-10002").await;
    server.get("/routes.yaml").await;
    assert_eq!(holders(&server).await, "10000:db");
    saved(&machine).await;
    server.signal("KILL");
    server.ended().await;

    // Handed out anew, the port would be that of the first name.
    daemon.set_silently(&[asking("a"), asking("db")]);
    let mut server = start(&machine, "10000-10002").await;
    server
        .connect()
        .await
        .poll_until(|routes| routes.contains("a.5432-2816"))
        .await;
    assert_eq!(holders(&server).await, "10000:db 10001:a");

    // `--once` gives what the server gives, and takes nothing.
    let once = command(&machine, "10000-10002").arg("--once").output();
    let printed = String::from_utf8(once.await.expect("renet").stdout).expect("text");
    assert_eq!(printed, server.get("/routes.yaml").await.body);

    // A clean end loses nothing that was just handed out.
    daemon.run(asking("last"));
    let mut traefik = server.connect().await;
    traefik.poll_until(|routes| routes.contains("last.")).await;
    server.signal("TERM");
    server.ended().await;
    daemon.set_silently(&[asking("last")]);
    let server = start(&machine, "10000-10002").await;
    let mut traefik = server.connect().await;
    traefik.poll_until(|routes| !routes.contains("db.")).await;
    assert_eq!(holders(&server).await, "10000:(db) 10001:(a) 10002:last");
}

#[tokio::test]
async fn a_port_is_reused_only_when_the_range_is_full_the_longest_gone_first() {
    let machine = Machine::new();
    let daemon = SimulatedDaemon::start(&machine.socket(2816), &[asking("a")]);
    let server = start(&machine, "10000-10002").await;
    let mut traefik = server.connect().await;
    traefik.poll().await;

    replace(&daemon, &mut traefik, "a", "b").await;
    assert_eq!(holders(&server).await, "10000:(a) 10001:b");
    replace(&daemon, &mut traefik, "b", "c").await;
    assert_eq!(holders(&server).await, "10000:(a) 10001:(b) 10002:c");
    // Who comes back finds its port, and has not been gone then.
    replace(&daemon, &mut traefik, "c", "a").await;
    assert_eq!(holders(&server).await, "10000:a 10001:(b) 10002:(c)");
    replace(&daemon, &mut traefik, "a", "d").await;
    assert_eq!(holders(&server).await, "10000:(a) 10001:d 10002:(c)");
    replace(&daemon, &mut traefik, "d", "e").await;
    assert_eq!(holders(&server).await, "10000:(a) 10001:(d) 10002:e");
}

#[tokio::test]
async fn who_gets_none_is_told_who_holds_them_and_has_the_next_that_is_free() {
    let machine = Machine::new();
    let one = SimulatedDaemon::start(&machine.socket(2816), &[asking("a"), asking("b")]);
    let server = start(&machine, "10000-10001").await;
    let mut traefik = server.connect().await;
    traefik.poll().await;
    let late = asking("late").label("rediacc.service_ip", "127.0.11.66");
    let _other = SimulatedDaemon::start(&machine.socket(2880), &[late]);
    traefik
        .poll_until(|routes| routes.contains("late-2880"))
        .await;

    let listed = server.get_json("/routes.json").await;
    let rejection = &listed["rejections"][0];
    assert_eq!(rejection["container"], "late");
    assert_eq!(rejection["network_id"], 2880);
    assert_eq!(rejection["label"], "rediacc.tcp_ports");
    let reason = rejection["reason"].as_str().expect("a reason");
    for holder in [
        "10000 is held by `a` of 2816",
        "10001 is held by `b` of 2816",
    ] {
        assert!(reason.contains(holder), "{reason}");
    }
    assert_eq!(server.get_json("/ports").await["free"], 0);

    // A container that only stopped keeps its port.
    one.end("a");
    traefik.poll_until(|routes| !routes.contains("a.")).await;
    assert_eq!(holders(&server).await, "10000:a 10001:b");
    one.remove("a");
    traefik.poll_until(|routes| routes.contains("late.")).await;
    assert_eq!(holders(&server).await, "10000:late 10001:b");
    let listed = server.get_json("/routes.json").await;
    assert_eq!(listed["rejections"], json!([]));
}

#[tokio::test]
async fn a_daemon_that_hangs_keeps_its_ports_known_or_not() {
    let machine = Machine::new();
    let hanging = SimulatedDaemon::start(&machine.socket(2816), &[asking("a")]);
    let waiting = asking("b").label("rediacc.service_ip", "127.0.11.66");
    let mut server = start(&machine, "10000-10000").await;
    server.get("/routes.yaml").await;
    saved(&machine).await;
    hanging.behave(Behaviour::Hangs);
    hanging.close_event_streams();
    let _other = SimulatedDaemon::start(&machine.socket(2880), &[waiting]);
    still_holds(&server, true).await;

    // By what is known of its containers, and, where that is lost too, by the table alone.
    for is_known in [true, false] {
        server.signal("KILL");
        server.ended().await;
        if !is_known {
            let known = machine.state_dir().join("containers-2816.json");
            std::fs::remove_file(known).expect("the last known containers");
        }
        server = start(&machine, "10000-10000").await;
        still_holds(&server, is_known).await;
    }
}

#[tokio::test]
async fn after_a_boot_nobody_takes_the_port_of_who_is_not_back_yet() {
    let machine = Machine::new();
    let first = SimulatedDaemon::start(&machine.socket(2816), &[asking("a")]);
    let mut server = start(&machine, "10000-10000").await;
    server.get("/routes.yaml").await;
    saved(&machine).await;
    server.signal("KILL");
    server.ended().await;
    first.shut_down();

    let waiting = asking("b").label("rediacc.service_ip", "127.0.11.66");
    let _other = SimulatedDaemon::start(&machine.socket(2880), &[waiting]);
    let server = start(&machine, "10000-10000").await;
    let mut traefik = server.connect().await;
    assert!(!traefik.poll().await.contains("b.5432"));
    assert_eq!(holders(&server).await, "10000:(a)");

    let _back = SimulatedDaemon::start(&machine.socket(2816), &[asking("a")]);
    traefik
        .poll_until(|routes| routes.contains("a.5432-2816"))
        .await;
    assert_eq!(holders(&server).await, "10000:a");
}

/// Whether or not its route is known, nobody else has the port of `a`.
async fn still_holds(server: &RouteServer, is_known: bool) {
    let mut traefik = server.connect().await;
    let routes = traefik.poll_until(|routes| routes.contains("b-2880")).await;
    assert!(!routes.contains("b.5432"), "{routes}");
    assert_eq!(routes.contains("a.5432-2816"), is_known, "{routes}");
    assert_eq!(holders(server).await, "10000:a");
}

#[tokio::test]
async fn a_broken_table_is_set_aside_and_the_ports_are_handed_out_anew() {
    let machine = Machine::new();
    let table = machine.state_dir().join("ports.json");
    std::fs::write(&table, r#"{"tcp": [{"port": 10000}]}"#).expect("a file");
    let _daemon = SimulatedDaemon::start(&machine.socket(2816), &[asking("db")]);
    let server = start(&machine, "10000-10001").await;
    server.get("/routes.yaml").await;

    assert_eq!(holders(&server).await, "10000:db");
    assert!(machine.state_dir().join("ports.json.broken").exists());
    assert!(
        server.log().contains("ports.json.broken"),
        "{}",
        server.log()
    );
}

/// A container that asks for one external port.
fn asking(name: &str) -> SimulatedContainer {
    SimulatedContainer::new(name).label("rediacc.tcp_ports", "5432")
}

fn command(machine: &Machine, range: &str) -> tokio::process::Command {
    let entrypoints = (10000..10003).map(|port| format!(",tcp-{port},tcp-{port}-v6"));
    let mut command = machine.renet();
    command.env("REDIACC_DYNAMIC_PORTS", range).env(
        "REDIACC_ENTRYPOINTS",
        format!("web,websecure{}", entrypoints.collect::<String>()),
    );
    command
}

async fn start(machine: &Machine, range: &str) -> RouteServer {
    RouteServer::spawn(command(machine, range)).await
}

/// Removes one container, and starts another once that is seen.
async fn replace(daemon: &SimulatedDaemon, traefik: &mut Connection, old: &str, new: &str) {
    daemon.remove(old);
    let old = format!("{old}.5432");
    traefik.poll_until(|routes| !routes.contains(&old)).await;
    daemon.run(asking(new));
    let new = format!("{new}.5432");
    traefik.poll_until(|routes| routes.contains(&new)).await;
}

/// Who has which port, those who are gone in brackets.
async fn holders(server: &RouteServer) -> String {
    let ports = server.get_json("/ports").await;
    let list = ports["tcp"].as_array().expect("a list").iter();
    let list = list.map(|entry: &Value| {
        let (port, service) = (&entry["port"], entry["service"].as_str());
        match (service.expect("a name"), entry["active"] == true) {
            (service, true) => format!("{port}:{service}"),
            (service, false) => format!("{port}:({service})"),
        }
    });
    list.collect::<Vec<_>>().join(" ")
}

/// Waits until the table is on disk.
async fn saved(machine: &Machine) {
    while !machine.state_dir().join("ports.json").exists() {
        tokio::task::yield_now().await;
    }
}
