//! Who owns a name, asked of the built route server on simulated daemons: over `kill -9`, damaged
//! files, and the operator's own changes.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

const SHOP: &str = "shop.example.org";
/// What the shop's routers lead to, by repository. The services may be there without them.
const OURS: &str = "service: shop-2816";
const THEIRS: &str = "service: shop-2880";

#[tokio::test]
async fn a_name_survives_kill_9_and_the_stranger_who_waits_for_it() {
    let machine = Machine::new();
    let owner = daemon(&machine, 2816, &[shop(2816)]);
    let server = machine.route_server().await;
    let routes = server.get("/routes.yaml").await.body;
    assert!(routes.contains(OURS), "{routes}");
    written(&machine).await;
    kill_9(server).await;

    owner.remove("shop");
    let _stranger = daemon(&machine, 2880, &[shop(2880)]);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    let routes = traefik.poll().await;
    assert!(
        !routes.contains(OURS) && !routes.contains(THEIRS),
        "{routes}"
    );
    let rejection = &server.get_json("/routes.json").await["rejections"][0];
    assert_eq!(rejection["network_id"], 2880, "{rejection}");
    let reason = rejection["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("belongs to the repository 2816"),
        "{reason}"
    );
    let hint = rejection["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("--owner '2880=shop.example.org'"), "{hint}");

    owner.run(shop(2816));
    traefik.poll_until(|routes| routes.contains(OURS)).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_set_aside_and_made_anew_from_what_runs() {
    for damaged in [
        "",
        "{",
        "{\"version\": 1}",
        "{\"version\": 9, \"owners\": []}",
    ] {
        let machine = Machine::new();
        let record = machine.state_dir().join("owners.json");
        fs::write(&record, damaged).expect("a file");
        let _owner = daemon(&machine, 2816, &[shop(2816)]);
        let server = machine.route_server().await;
        let routes = server.get("/routes.yaml").await.body;
        assert!(routes.contains(OURS), "{damaged}: {routes}");
        assert!(
            server.log().contains("owners.json.broken"),
            "{}",
            server.log()
        );
        let warning = &server.get_json("/routes.json").await["warnings"][0];
        let reason = warning["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("made anew from what runs"), "{warning}");
        written(&machine).await;
        let aside = machine.state_dir().join("owners.json.broken");
        assert_eq!(
            fs::read_to_string(aside).expect("the damaged file"),
            damaged
        );
        let record = fs::read_to_string(record).expect("a record");
        assert!(record.contains(SHOP), "{record}");
    }
}

#[tokio::test]
async fn the_operator_sees_who_owns_what_and_frees_it() {
    let machine = Machine::new();
    let owner = daemon(&machine, 2816, &[shop(2816)]);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll_until(|routes| routes.contains(OURS)).await;
    let _stranger = daemon(&machine, 2880, &[shop(2880)]);
    server
        .logged("rejected: `shop.example.org` belongs", 1)
        .await;

    let table = renet(&["owners", "--url", &server.url()]).await;
    assert!(table.status.success(), "{table:?}");
    let table = String::from_utf8(table.stdout).expect("text");
    let line = table.lines().find(|line| line.starts_with(SHOP));
    let cells: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
    assert_eq!(cells[1..3], ["2816", "taken"], "{table}");
    assert!(table.contains("rejected: router shop-2880"), "{table}");
    let json = renet(&["owners", "--json", "--url", &server.url()]).await;
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["rejected"][0]["resource"], SHOP, "{json}");

    let state = machine.state_dir();
    let state = state.to_str().expect("text");
    for (resource, complaint) in [
        ("free.example.org", "nobody has taken `free.example.org`"),
        ("*.example.org", "neither a host nor a port"),
        ("a b", "cannot be granted"),
    ] {
        let refused = renet(&["release", resource, "--state-dir", state]).await;
        assert_eq!(refused.status.code(), Some(1), "{resource}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(complaint), "{said}");
    }

    owner.remove("shop");
    traefik.poll_until(|routes| !routes.contains(OURS)).await;
    let released = renet(&["release", SHOP, "--state-dir", state]).await;
    assert!(released.status.success(), "{released:?}");
    traefik.poll_until(|routes| routes.contains(THEIRS)).await;
}

#[tokio::test]
async fn what_the_operators_files_use_is_taken_back_and_given_again() {
    let machine = Machine::new();
    let folder = machine.state_dir().join("traefik.d");
    let _owner = daemon(&machine, 2816, &[shop(2816)]);
    let mut renet = machine.renet();
    renet.env("REDIACC_DYNAMIC_DIR", &folder);
    let server = RouteServer::spawn(renet).await;
    let mut traefik = server.connect().await;
    traefik.poll_until(|routes| routes.contains(OURS)).await;

    fs::create_dir(&folder).expect("a folder");
    let file = folder.join("shop.toml");
    let rule = "[http.routers.shop]\nrule = 'Host(`shop.example.org`)'\n";
    fs::write(&file, rule).expect("a file");
    traefik.poll_until(|routes| !routes.contains(OURS)).await;
    // What cannot be read changes nothing, and is reported.
    fs::write(&file, "[http").expect("a file");
    server.logged("the operator's file cannot be read", 1).await;
    assert!(!server.get("/routes.yaml").await.body.contains(OURS));
    fs::remove_file(&file).expect("removed");
    traefik.poll_until(|routes| routes.contains(OURS)).await;
}

#[tokio::test]
async fn a_repository_that_flaps_is_published_now_and_then_and_delays_nobody() {
    let machine = Machine::new();
    let flapping = daemon(&machine, 2816, &[shop(2816)]);
    let victim = daemon(&machine, 2880, &[]);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll_until(|routes| routes.contains(OURS)).await;
    let mut lists = flapping.lists();
    for flap in 0..70 {
        let port = (9000 + flap).to_string();
        flapping.run(shop(2816).label("rediacc.service_port", &port));
        // Each is seen: the bound is on what is published.
        while flapping.lists() == lists {
            tokio::task::yield_now().await;
        }
        lists = flapping.lists();
    }
    victim.run(SimulatedContainer::new("web").label("rediacc.service_ip", "127.0.11.66"));
    traefik
        .poll_until(|routes| routes.contains("web-2880"))
        .await;
    let published = server.log().matches("routes changed").count();
    assert!((2..50).contains(&published), "{published} publications");
}

fn shop(id: u32) -> SimulatedContainer {
    let address = if id == 2816 {
        "127.0.11.2"
    } else {
        "127.0.11.66"
    };
    SimulatedContainer::new("shop")
        .label("rediacc.service_ip", address)
        .label("traefik.enable", "true")
        .label("traefik.http.routers.shop.rule", "Host(`shop.example.org`)")
}

fn daemon(machine: &Machine, id: u32, containers: &[SimulatedContainer]) -> SimulatedDaemon {
    SimulatedDaemon::start(&machine.socket(id), containers)
}

/// Waits until the record is on disk: nothing else tells.
async fn written(machine: &Machine) {
    let record = machine.state_dir().join("owners.json");
    while !fs::read_to_string(&record).is_ok_and(|text| text.contains(SHOP)) {
        tokio::task::yield_now().await;
    }
}

async fn kill_9(mut server: RouteServer) {
    server.signal("KILL");
    server.ended().await;
}

async fn renet(arguments: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_renet"))
        .arg("route-server")
        .args(arguments)
        .output()
        .await
        .expect("renet")
}
