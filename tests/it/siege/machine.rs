//! The siege of a real machine: pushed by `rdc`, with Docker daemons, systemd's units, certificates
//! of an ACME authority, and requests from outside. Containers hold labels alone; the servers behind
//! them run beside.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::attacker;
use super::flows::{self, Flows, Tally};
use super::site::{
    ATTACKER, Entrypoints, Pages, SECRET, Servers, VICTIM, host_of, victims_containers,
};
use super::{BETWEEN_CHANGES, DOCUMENT_REJECTED, PHASE, length};
use crate::rdc::Rdc;
use crate::simulated_daemon::SimulatedContainer;
use crate::test_machine::TestMachine;

/// What runs in the machine's network.
const SERVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/siege/servers.py");
/// Redeploys until the file is there.
const STOP: &str = "/run/siege-stop";
const FOLDER: &str = "/run/siege";
const PROXY: &str = "rediacc-proxy.service";
/// How long anything may take of which the time is not judged.
const PATIENCE: Duration = Duration::from_secs(40);
const LONGEST_LINE: usize = 60_000;
/// Every third label set: starting containers takes Docker longer than everything else here.
const STRIDE: usize = 3;

#[test]
fn the_victim_on_a_real_machine_does_not_notice_it_either() {
    let mut site = Site::up();
    let pid = site.proxy("MainPID");
    let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < length() {
        quiet.push(site.phase());
        let (strangers, attack) = (site.strangers(), site.attack());
        attacked.push(site.phase());
        site.machine.run(&["touch", STOP]);
        assert!(attack.ends(), "the attacker redeploys");
        assert_eq!(strangers.says(), "told by []");
    }
    let (quiet, attacked) = (Tally::sum(quiet), Tally::sum(attacked));
    println!("figure: a real machine, quiet: {quiet}");
    println!("figure: a real machine under attack: {attacked}");
    println!("figure: {}", attacked.compared_with(&quiet));
    assert_eq!(site.proxy("MainPID"), pid, "Traefik was restarted");
    assert_eq!(site.proxy("NRestarts"), "0");
    let journal = ["journalctl", "--no-pager", "--unit", PROXY];
    let journal = site.machine.run(&journal);
    assert!(!journal.contains(DOCUMENT_REJECTED), "{journal}");
    assert_eq!(quiet.faults(), Vec::<String>::new(), "without any attack");
    assert_eq!(attacked.faults(), Vec::<String>::new(), "under attack");
    attacked.changes_are_in_time(&quiet);
}

struct Site {
    machine: TestMachine,
    entrypoints: Entrypoints,
    servers: Servers,
    deployments: i64,
    _rdc: Rdc,
    _servers: Running,
}

impl Site {
    fn up() -> Self {
        let machine = TestMachine::up("siege", &format!("{ATTACKER},{VICTIM}"));
        let rdc = Rdc::of(&machine, "root");
        let infra = ["context", "set-infra", "server-1"];
        let settings = [
            ("--public-ipv4", machine.env("ADDR")),
            ("--base-domain", "example.test"),
            ("--cert-email", "admin@example.test"),
            ("--acme-ca-server", machine.env("ACME_DIRECTORY")),
            ("--cf-dns-token", "any"),
        ];
        let settings = settings
            .iter()
            .flat_map(|(option, value)| [*option, *value]);
        rdc.run(&infra.into_iter().chain(settings).collect::<Vec<_>>())
            .done();
        let push = ["context", "push-infra", "server-1", "--traefik-binary"];
        rdc.run(&[&push[..], &[machine.env("TRAEFIK")]].concat())
            .done();
        let at = |port: u16| -> SocketAddr {
            let address = machine.env("ADDR").parse().expect("an address");
            SocketAddr::new(address, port)
        };
        let entrypoints = Entrypoints {
            pages: Pages::Secure(at(443)),
            websecure: at(443),
            tcp: at(5432),
            dynamic: at(10000),
            udp: at(53),
        };
        let server = |text: &str| text.parse().expect("an address");
        let servers = Servers {
            shop: server("127.0.11.66:18001"),
            tcp: server("127.0.11.67:18002"),
            udp: server("127.0.11.68:18003"),
            attackers: server("127.0.11.2:18222"),
        };
        let running = Running::start(machine.exec_command(&["python3", SERVERS, "servers"]));
        let mut site = Self {
            machine,
            entrypoints,
            servers,
            deployments: 0,
            _rdc: rdc,
            _servers: running,
        };
        site.machine.run(&["mkdir", FOLDER]);
        for container in victims_containers(&site.servers, site.entrypoints.pages, 0) {
            site.run(VICTIM, &container);
        }
        if site.is_live(0) >= PATIENCE {
            let routes = ["curl", "--silent", "http://127.0.0.1:7111/routes.json"];
            panic!("the victim is not served: {}", site.machine.run(&routes));
        }
        site.redeploy();
        site
    }

    fn run(&self, repository: u32, container: &SimulatedContainer) {
        let script = start_script(repository, "run --detach", container);
        self.machine.run_with_input(&["sh", "-e"], &script);
    }

    /// A younger container beside the shop's, which then goes; how long it took until it was served.
    fn redeploy(&mut self) -> Duration {
        self.deployments += 1;
        let all = victims_containers(&self.servers, self.entrypoints.pages, self.deployments);
        let shop = all.into_iter().find(|one| one.name == "shop");
        let shop = SimulatedContainer {
            name: format!("shop-{}", self.deployments),
            ..shop.expect("there is a shop")
        };
        self.run(VICTIM, &shop);
        let took = self.is_live(self.deployments);
        let before = match self.deployments {
            1 => "shop".to_owned(),
            number => format!("shop-{}", number - 1),
        };
        self.machine.docker(VICTIM, &["rm", "--force", &before]);
        took
    }

    fn is_live(&self, deployment: i64) -> Duration {
        let tls = Arc::new(flows::client_config());
        let begun = Instant::now();
        let (pages, host) = (self.entrypoints.pages, host_of(deployment));
        while begun.elapsed() < PATIENCE && flows::page(pages, &host, "/", &tls).is_err() {
            sleep(Duration::from_millis(5));
        }
        begun.elapsed()
    }

    fn phase(&mut self) -> Tally {
        let flows = Flows::start(self.entrypoints);
        let begun = Instant::now();
        let mut changes = Vec::new();
        while begun.elapsed() < 2 * PHASE {
            changes.push(self.redeploy());
            // The start and the removal are two changes. A fast machine without a rest would use up
            // what a repository may publish at once, and then wait for its own budget.
            sleep(2 * BETWEEN_CHANGES);
        }
        flows.end(changes)
    }

    fn strangers(&self) -> Running {
        let words = ["python3", SERVERS, "strangers", SECRET];
        Running::start(self.machine.exec_command(&words))
    }

    /// Containers of each class, all started, and then one after another anew.
    fn attack(&self) -> Running {
        let route_server = "127.0.0.1:7111".parse().expect("an address");
        let containers = attacker::containers(self.servers.attackers, route_server);
        let mut script = format!("rm -f {STOP}\n");
        let mut names = Vec::new();
        for container in containers.iter().step_by(STRIDE) {
            // Docker's client reads labels by lines, and not by longer ones.
            let is_line = |(label, value): &(String, String)| {
                let is_one = !label.contains('\n') && !value.contains('\n');
                is_one && label.len() + value.len() < LONGEST_LINE
            };
            if container.labels.iter().all(is_line) {
                script += &start_script(ATTACKER, "create", container);
                names.push(container.name.as_str());
            }
        }
        self.machine.run_with_input(&["sh"], &script);
        let docker = docker(ATTACKER);
        let names = names.join(" ");
        let attack = format!(
            "{docker} start {names} >/dev/null; echo ready; while [ ! -e {STOP} ]; do \
             for one in $(shuf -e {names} | head -n 5); do {docker} restart -t 0 $one >/dev/null; \
             done; done; {docker} rm -f {names} >/dev/null"
        );
        Running::start(self.machine.command(&["sh", "-c", &attack]))
    }

    fn proxy(&self, property: &str) -> String {
        let property = format!("--property={property}");
        let words = ["systemctl", "show", &property, "--value", PROXY];
        self.machine.run(&words).trim().to_owned()
    }
}

fn docker(repository: u32) -> String {
    format!("docker --host unix:///var/run/rediacc/docker-{repository}.sock")
}

/// Labels may be longer than a command line: they are in a file.
fn start_script(repository: u32, how: &str, container: &SimulatedContainer) -> String {
    let file = format!("{FOLDER}/{repository}-{}", container.name);
    let mut script = format!("cat >{file} <<'LABELS'\n");
    for (label, value) in &container.labels {
        let _ = writeln!(script, "{label}={value}");
    }
    let docker = docker(repository);
    let name = &container.name;
    let _ = writeln!(
        script,
        "rediacc.network_id={repository}\nLABELS\n{docker} {how} --name {name} --network host \
         --label-file {file} busybox sleep 100000 >/dev/null"
    );
    script
}

/// A program that is ready, and runs until it is told to end or has ended.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("it runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Self { child, stdout }
    }

    /// Whether it ends well by itself.
    fn ends(mut self) -> bool {
        self.child.wait().expect("it ran").success()
    }

    /// Ends its standard input, and answers what it says then.
    fn says(mut self) -> String {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).expect("text");
        said.trim().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; what it left in the machine's network goes with the machine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
