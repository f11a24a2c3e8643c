//! From `docker start` to the first 200 through Traefik, on a real machine with a real engine: the
//! route server and Traefik as `push-infra` brings them, beside a Traefik with its own Docker
//! provider on the same daemon.
//!
//! Both are up all the time and are asked about the same start, so that whatever the machine is
//! busy with slows both. The container listens on the host's network; its label says the whole
//! address, because Traefik's own provider would otherwise look elsewhere.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::figures::{Row, Samples, Verdict, digits, paired_ratio};
use crate::http::Client;
use crate::program::PATIENCE;
use crate::test_machine::{TestMachine, stdout_of};

const MOST_MS: f64 = 500.0;
const NETWORK_ID: u32 = 2816;
const HOST: &str = "app.example.test";
/// The entry point of both, and where each has it.
const ENTRYPOINT: &str = "tcp-8000";
const PORT_AS_PUSHED: u16 = 8000;
const PORT_OF_DOCKER_PROVIDER: u16 = 8001;
/// Between two questions whether there is a 200.
const ASK_INTERVAL: Duration = Duration::from_millis(5);
/// Between a stop and the next start: longer than any throttle.
const REST: Duration = Duration::from_secs(1);

/// Boots a machine, and takes it down again.
pub(crate) fn to_first_200(runs: usize) -> io::Result<Row> {
    let machine = TestMachine::up("bench", &NETWORK_ID.to_string());
    push(&machine)?;
    start_docker_provider(&machine);
    create_container(&machine);

    let engine = Engine::of(&machine);
    let (mut ours, mut traefiks) = (Vec::new(), Vec::new());
    // The first start finds nothing in the page cache, and does not count.
    for run in 0..=runs {
        let (our_time, traefiks_time) = one_start(&machine, &engine)?;
        if run > 0 {
            ours.push(our_time);
            traefiks.push(traefiks_time);
        }
    }
    let ratio = paired_ratio(&ours, &traefiks);
    let (ours, traefiks) = (
        Samples::of_durations(&ours),
        Samples::of_durations(&traefiks),
    );
    Ok(Row {
        measure: format!("`docker start` to the first 200 on a real machine, ms; starts: {runs}"),
        ours: ours.spread(),
        beside: format!("Traefik's provider: {}", traefiks.spread()),
        ratio: format!("{} ×", digits(ratio)),
        target: format!("≤ 1 ×, < {MOST_MS}"),
        verdict: Verdict::met_if(ratio <= 1.0 && ours.median() < MOST_MS),
    })
}

fn push(machine: &TestMachine) -> io::Result<()> {
    let home = tempfile::tempdir()?;
    let rdc = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdc"));
        stdout_of(command.args(words).env("XDG_CONFIG_HOME", home.path()));
    };
    let address = machine.env("ADDR");
    let key = machine.env("SSH_KEY");
    rdc(&["context", "create-local", "default", "--ssh-key", key]);
    let login = ["--ip", address, "--user", "root"];
    rdc(&[&["context", "add-machine", "server-1"][..], &login].concat());
    let infra = [
        "--public-ipv4",
        address,
        "--base-domain",
        "example.test",
        "--tcp-ports",
        "8000",
    ];
    rdc(&[&["context", "set-infra", "server-1"][..], &infra].concat());
    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    rdc(&[&["context", "push-infra", "server-1"][..], &traefik].concat());
    Ok(())
}

/// The same Traefik, with the same throttle as the pushed one.
fn start_docker_provider(machine: &TestMachine) {
    let script = format!(
        "systemd-run --quiet --unit=docker-provider /usr/lib/rediacc/traefik/*/traefik \
         --global.checknewversion=false --global.sendanonymoususage=false --log.level=ERROR \
         --entrypoints.{ENTRYPOINT}.address={}:{PORT_OF_DOCKER_PROVIDER} \
         --providers.providersthrottleduration=100ms --providers.docker.exposedbydefault=false \
         --providers.docker.endpoint=unix:///var/run/rediacc/docker-{NETWORK_ID}.sock",
        machine.env("ADDR")
    );
    machine.run(&["sh", "-c", &script]);
}

fn create_container(machine: &TestMachine) {
    let labels = [
        format!("rediacc.network_id={NETWORK_ID}"),
        "rediacc.service_name=app".to_owned(),
        "rediacc.service_ip=127.0.11.2".to_owned(),
        "traefik.enable=true".to_owned(),
        format!("traefik.http.routers.app.rule=Host(`{HOST}`)"),
        format!("traefik.http.routers.app.entrypoints={ENTRYPOINT}"),
        "traefik.http.services.app.loadbalancer.server.url=http://127.0.11.2:8080".to_owned(),
    ];
    let mut words = vec!["create", "--name", "app", "--network", "host"];
    for label in &labels {
        words.extend(["--label", label]);
    }
    words.extend([
        "busybox",
        "httpd",
        "-f",
        "-p",
        "127.0.11.2:8080",
        "-h",
        "/www",
    ]);
    machine.docker(NETWORK_ID, &words);
}

/// How long it took through ours, and through Traefik's own provider.
fn one_start(machine: &TestMachine, engine: &Engine) -> io::Result<(Duration, Duration)> {
    engine.post("/containers/app/stop?t=0")?;
    let address = |port: u16| -> SocketAddr {
        let address = machine.env("ADDR").parse().expect("an address");
        SocketAddr::new(address, port)
    };
    let (as_pushed, docker_provider) = (address(PORT_AS_PUSHED), address(PORT_OF_DOCKER_PROVIDER));
    for at in [as_pushed, docker_provider] {
        await_status(at, 404)?;
    }
    thread::sleep(REST);

    let started = Instant::now();
    let asking = [as_pushed, docker_provider]
        .map(|at| thread::spawn(move || await_status(at, 200).map(|()| started.elapsed())));
    engine.post("/containers/app/start")?;
    let [ours, traefiks] = asking.map(|asking| asking.join().expect("no panic"));
    Ok((ours?, traefiks?))
}

/// Asks until this status comes. A container that has just started refuses connections.
fn await_status(at: SocketAddr, status: u16) -> io::Result<()> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if ask(at).is_ok_and(|answered| answered == status) {
            return Ok(());
        }
        thread::sleep(ASK_INTERVAL);
    }
    Err(io::Error::other(format!("no {status} from {at}")))
}

fn ask(at: SocketAddr) -> io::Result<u16> {
    let stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(Client::to(stream, HOST).get("/")?.status)
}

/// The machine's engine, whose socket is reached through the root of one of its processes: without
/// the time that a docker client takes to start.
struct Engine {
    socket: PathBuf,
}

impl Engine {
    fn of(machine: &TestMachine) -> Self {
        let leader = machine.env("LEADER");
        let socket = format!("/proc/{leader}/root/run/rediacc/docker-{NETWORK_ID}.sock");
        Self {
            socket: socket.into(),
        }
    }

    /// Does something that answers with no content; also fine if it was done before.
    fn post(&self, path: &str) -> io::Result<()> {
        let stream = UnixStream::connect(&self.socket)?;
        match Client::new(stream).request("POST", path)?.status {
            204 | 304 => Ok(()),
            status => Err(io::Error::other(format!("the engine: {status} for {path}"))),
        }
    }
}
