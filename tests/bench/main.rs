//! `cargo bench --bench bench`: what the route server costs, as the table of the README, beside the real Traefik
//! and its own Docker provider.
//!
//! ```text
//!   this process: daemons ══ Unix sockets ══ renet, Traefik, a bare client: processes of their own
//!        └─────── polls ═══════ TCP ════════════┘
//! ```
//!
//! It measures and never judges by its exit code: on another machine, or one that is busy, the
//! figures are others. What is compared is measured by turns, and the ratios are of neighbours.
//!
//! `cargo bench --bench bench -- --quick` is a short run that shows that all of it works.

mod bare_client;
mod changes;
mod cold_start;
mod compose;
mod containers;
mod docker_start;
mod engine;
mod figures;
mod http;
mod program;
mod resources;
#[path = "../it/test_machine.rs"]
#[expect(dead_code, reason = "the tests ask more of a machine")]
mod test_machine;
mod world;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use figures::{Row, Verdict, digits};
use resources::{FEW_CONTAINERS, Poller};
use world::World;

/// The argument with which this program runs itself as the bare client.
const BARE_CLIENT: &str = "--bare-client";

const DAEMONS: usize = 100;
const CONTAINERS_OF_A_DAEMON: usize = 100;

/// How much is measured.
struct Scale {
    docker_starts: usize,
    composes: usize,
    cold_starts: usize,
    cold_starts_of_traefik: usize,
    events: usize,
    counted_events: usize,
    idle_windows: usize,
    idle_window: Duration,
    /// With many containers; longer than the time between two lists that no event asks for.
    long_idle_window: Option<Duration>,
}

const FULL: Scale = Scale {
    docker_starts: 20,
    composes: 30,
    cold_starts: 15,
    cold_starts_of_traefik: 5,
    events: 300,
    counted_events: 5,
    idle_windows: 5,
    idle_window: Duration::from_secs(10),
    long_idle_window: Some(Duration::from_secs(120)),
};

const QUICK: Scale = Scale {
    docker_starts: 2,
    composes: 5,
    cold_starts: 2,
    cold_starts_of_traefik: 1,
    events: 20,
    counted_events: 1,
    idle_windows: 1,
    idle_window: Duration::from_secs(3),
    long_idle_window: None,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == BARE_CLIENT) {
        let sockets: Vec<PathBuf> = arguments[1..].iter().map(PathBuf::from).collect();
        return match bare_client::run(&sockets) {
            Ok(count) => {
                println!("{count}");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        };
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    match measure(if is_quick { &QUICK } else { &FULL }) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Measures all there is to measure, and puts it as the README has it.
fn measure(scale: &Scale) -> io::Result<String> {
    let traefik = traefik_binary()?;
    // First, because it needs most and so fails soonest.
    let docker_start = docker_start(scale)?;
    let compose = compose(scale)?;
    let mut rows = many_daemons(scale)?;
    rows.extend(one_large_daemon(scale, &traefik)?);
    rows.extend(few_containers(scale, &traefik)?);
    rows.extend(docker_start);
    rows.extend(compose);
    let table = figures::table("route server", &rows);
    let conditions = conditions(&traefik)?;
    Ok(format!("{conditions}\n\n{table}"))
}

fn docker_start(scale: &Scale) -> io::Result<Option<Row>> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: `docker start` to the first 200, whose test machine needs root");
        return Ok(None);
    }
    progress("docker start on a real machine");
    docker_start::to_first_200(scale.docker_starts).map(Some)
}

fn compose(scale: &Scale) -> io::Result<Option<Row>> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: `renet compose`, whose test machine needs root");
        return Ok(None);
    }
    progress("renet compose on a real machine");
    compose::beside_docker_compose(scale.composes).map(Some)
}

fn many_daemons(scale: &Scale) -> io::Result<Vec<Row>> {
    let mut world = World::of_repositories(DAEMONS, CONTAINERS_OF_A_DAEMON)?;
    progress("cold starts on many daemons");
    let cold_start = cold_start::beside_a_bare_client(&world, scale.cold_starts)?;

    let renet = world.renet()?;
    let poller = Poller::start(renet.connect()?);
    let containers = world.containers();
    let fresh = resources::memory(&renet, None, containers, "after a start")?;
    let mut rows = vec![cold_start, fresh];
    if let Some(window) = scale.long_idle_window {
        progress("nothing happens to many daemons");
        let idle = resources::idle(&renet, 1, window)?;
        let measure = format!("CPU when nothing happens, % of a core; containers: {containers}");
        rows.push(resources::idle_row(measure, &idle, None));
    }
    drop(poller);
    progress("events on many daemons");
    let latency = changes::to_new_bytes(&mut world, &renet, scale.events)?;
    rows.insert(1, latency);
    let after = format!("after {} events", scale.events);
    rows.push(resources::memory(&renet, None, containers, &after)?);
    Ok(rows)
}

fn one_large_daemon(scale: &Scale, binary: &Path) -> io::Result<[Row; 3]> {
    let world = World::of_plain_docker(DAEMONS * CONTAINERS_OF_A_DAEMON)?;
    let containers = world.containers();
    progress("cold starts on one large daemon");
    let [asked, ready] = cold_start::beside_traefik(&world, binary, scale.cold_starts_of_traefik)?;

    let traefiks_memory = {
        let traefik = world.traefik(binary)?;
        traefik.await_routers(containers as u64)?;
        resources::settled(&traefik)?
    };
    let renet = world.renet()?;
    renet.connect()?.get("/routes.yaml")?;
    let after = "after a start on one daemon";
    let memory = resources::memory(&renet, Some(traefiks_memory), containers, after)?;
    Ok([asked, ready, memory])
}

fn few_containers(scale: &Scale, binary: &Path) -> io::Result<Vec<Row>> {
    let mut world = World::of_plain_docker(FEW_CONTAINERS)?;
    progress("few containers");
    let (traefiks_requests, traefiks_idle, traefiks_memory) = {
        let traefik = world.traefik(binary)?;
        traefik.await_routers(FEW_CONTAINERS as u64)?;
        let requests = changes::requests(&mut world, scale.counted_events);
        let idle = resources::idle(&traefik, scale.idle_windows, scale.idle_window)?;
        (requests, idle, traefik.memory()?)
    };
    let renet = world.renet()?;
    let _poller = Poller::start(renet.connect()?);
    renet.connect()?.get("/routes.yaml")?;
    let requests = changes::requests(&mut world, scale.counted_events);
    let idle = resources::idle(&renet, scale.idle_windows, scale.idle_window)?;
    let requests_row = Row {
        measure: format!("requests to a daemon for one event; containers: {FEW_CONTAINERS}"),
        ours: requests.spread(),
        beside: format!("Traefik: {}", traefiks_requests.spread()),
        ratio: format!(
            "1 : {}",
            digits(traefiks_requests.median() / requests.median())
        ),
        target: "1".to_owned(),
        verdict: Verdict::met_if(requests.percentile(100.0) <= 1.0),
    };
    let after = "after some events";
    let memory = resources::memory(&renet, Some(traefiks_memory), FEW_CONTAINERS, after)?;
    let measure = format!("CPU when nothing happens, % of a core; containers: {FEW_CONTAINERS}");
    let idle_row = resources::idle_row(measure, &idle, Some(&traefiks_idle));
    Ok(vec![requests_row, memory, idle_row])
}

/// On what the figures were measured, and how they are to be read.
fn conditions(traefik: &Path) -> io::Result<String> {
    let cores = thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let output = Command::new(traefik).arg("version").output()?;
    let output = String::from_utf8_lossy(&output.stdout);
    let version = output
        .lines()
        .find_map(|line| line.strip_prefix("Version:"));
    Ok(format!(
        "Medians (from–to) on {cores} cores, Linux {}, beside Traefik {}; ratios are medians of pairs.",
        kernel.trim(),
        version.unwrap_or_default().trim()
    ))
}

/// The Traefik that the tests use, installed if it is not there.
fn traefik_binary() -> io::Result<PathBuf> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup");
    let path = || -> io::Result<PathBuf> {
        let output = Command::new(&setup).arg("traefik").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().into())
    };
    if !path()?.exists() {
        Command::new(&setup).arg("machine").status()?;
    }
    path()
}

/// Where it is, on standard error: the table is all that is printed to standard output.
fn progress(what: &str) {
    eprintln!("measuring: {what}");
}
