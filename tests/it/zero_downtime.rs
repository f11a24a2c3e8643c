//! Pushes and restarts under load, on a real machine: no request fails.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::load::{Load, Outcome};
use crate::rdc::Rdc;
use crate::route_token;
use crate::test_machine::TestMachine;

/// How long anything may take that has no event to wait for. Nothing is judged by it: what takes
/// longer has not happened.
const PATIENCE: Duration = Duration::from_secs(90);
const HOST: &str = "app-2816.example.test";
pub(crate) const PROXY: &str = "rediacc-proxy.service";
const STANDBY: &str = "rediacc-proxy-standby.service";
pub(crate) const ROUTER: &str = "rediacc-router.service";

#[test]
fn no_request_fails_while_a_push_restarts_traefik_or_the_route_server() {
    let site = Site::up("zero");
    let loads = site.loads();
    let before = main_pid(&site.machine, PROXY);

    // The second one comes while the standby of the first one has connections.
    for ports in [&[2525][..], &[2525, 2526]] {
        site.set_ports(ports);
        let push = site.push();
        assert!(
            push.contains("restarted rediacc-router.service, rediacc-proxy.service"),
            "{push}"
        );
    }
    assert_ne!(main_pid(&site.machine, PROXY), before);
    site.standby_is_over();
    let [_, kept, _] = none_failed(loads);
    assert!(
        kept.connections > WORKERS_THAT_KEEP,
        "no connection has moved: {kept:?}"
    );

    a_second_push_leaves_the_processes_alone(&site);
    a_traefik_that_does_not_come_up_leaves_the_other_alone(&site);
    no_poll_fails_while_the_route_server_restarts(&site);
}

fn a_second_push_leaves_the_processes_alone(site: &Site) {
    let pids = || [PROXY, ROUTER].map(|unit| main_pid(&site.machine, unit));
    let before = pids();
    let push = site.push();
    assert!(push.contains("nothing restarted"), "{push}");
    assert_eq!(pids(), before);
}

fn a_traefik_that_does_not_come_up_leaves_the_other_alone(site: &Site) {
    let before = main_pid(&site.machine, PROXY);
    let folder = "/etc/systemd/system/rediacc-proxy.service.d";
    // A setting that holds for the next start, and for no process that runs.
    let drop_in = format!(
        "mkdir -p {folder}; printf '[Service]\\nExecStartPre=/bin/false\\n' >{folder}/wrong.conf"
    );
    site.machine.run(&["sh", "-c", &drop_in]);
    site.set_ports(&[2525, 2526, 2527]);
    let loads = site.loads();
    let answer = site.rdc.run(&["context", "push-infra", "server-1"]);
    assert_ne!(answer.code, 0, "{}", answer.all());
    assert!(answer.stderr.contains(STANDBY), "{}", answer.all());
    none_failed(loads);
    assert_eq!(main_pid(&site.machine, PROXY), before);

    site.machine.run(&["rm", &format!("{folder}/wrong.conf")]);
    site.push();
    assert_ne!(main_pid(&site.machine, PROXY), before);
}

fn no_poll_fails_while_the_route_server_restarts(site: &Site) {
    let polls = route_token::polls(&site.machine, "app-2816");
    for _ in 0..10 {
        site.machine.run(&["systemctl", "restart", ROUTER]);
    }
    let outcome = polls.end();
    assert_eq!(outcome.failed, 0, "{outcome:?}");
}

const WORKERS_THAT_KEEP: u64 = 8;

/// A machine that was pushed to, with a page and an echo.
pub(crate) struct Site {
    pub(crate) rdc: Rdc,
    pub(crate) machine: TestMachine,
}

impl Site {
    pub(crate) fn up(role: &str) -> Self {
        let machine = TestMachine::up(role, "2816");
        let rdc = Rdc::of(&machine, "root");
        rdc.run(&[
            "context",
            "set-infra",
            "server-1",
            "--public-ipv4",
            machine.env("ADDR"),
            "--base-domain",
            "example.test",
            "--cert-email",
            "admin@example.test",
            "--acme-ca-server",
            machine.env("ACME_DIRECTORY"),
            "--cf-dns-token",
            "any",
        ])
        .done();
        rdc.run(&[
            "context",
            "push-infra",
            "server-1",
            "--traefik-binary",
            machine.env("TRAEFIK"),
        ])
        .done();
        let site = Self { rdc, machine };
        site.run_containers();
        site.answers();
        site
    }

    fn run_containers(&self) {
        let page = "echo a page >/www/index.html; exec httpd -f -p 127.0.11.2:8080 -h /www";
        self.run_container(
            "app",
            "127.0.11.2",
            &["rediacc.service_port=8080"],
            &["sh", "-c", page],
        );
        let labels = [
            "traefik.enable=true",
            "traefik.tcp.routers.db.entrypoints=tcp-5432",
            "traefik.tcp.routers.db.rule=HostSNI(`*`)",
            "traefik.tcp.services.db.loadbalancer.server.port=5432",
        ];
        let echo = [
            "chroot",
            "/machine",
            "socat",
            "TCP-LISTEN:5432,bind=127.0.11.3,fork",
            "EXEC:cat",
        ];
        self.run_container("db", "127.0.11.3", &labels, &echo);
    }

    pub(crate) fn run_container(&self, name: &str, address: &str, labels: &[&str], words: &[&str]) {
        let mut labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        labels.push("rediacc.network_id=2816".to_owned());
        labels.push(format!("rediacc.service_name={name}"));
        labels.push(format!("rediacc.service_ip={address}"));
        let mut all = vec!["run", "--detach", "--name", name, "--network", "host"];
        all.extend(["--volume", "/:/machine:ro"]);
        for label in &labels {
            all.extend(["--label", label]);
        }
        all.push("busybox");
        all.extend(words);
        self.machine.docker(2816, &all);
    }

    /// Waits until the page comes with a certificate.
    pub(crate) fn answers(&self) {
        eventually("the page", || {
            let status = Command::new("curl")
                .args([
                    "--silent",
                    "--fail",
                    "--max-time",
                    "5",
                    "--output",
                    "/dev/null",
                ])
                .args(["--cacert", self.machine.env("CA_CERT")])
                .args(["--connect-to", &format!("::{}:", self.machine.env("ADDR"))])
                .arg(format!("https://{HOST}/"))
                .status();
            status.is_ok_and(|status| status.success())
        });
    }

    /// Waits until the Traefik that stood in has ended.
    pub(crate) fn standby_is_over(&self) {
        let state = ["systemctl", "show", "--property=ActiveState", STANDBY];
        eventually("the standby's end", || {
            ["ActiveState=inactive", "ActiveState=failed"]
                .contains(&self.machine.run(&state).trim())
        });
    }

    fn set_ports(&self, ports: &[u16]) {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = ports.join(",");
        self.rdc
            .run(&["context", "set-infra", "server-1", "--tcp-ports", &ports])
            .done();
    }

    pub(crate) fn push(&self) -> String {
        self.rdc
            .run(&["context", "push-infra", "server-1"])
            .done()
            .stdout
    }

    pub(crate) fn push_with_port(&self, port: u16) -> String {
        self.set_ports(&[port]);
        self.push()
    }

    /// New connections, kept ones and plain TCP, each with its first answers.
    pub(crate) fn loads(&self) -> [Load; 3] {
        let address = self.machine.env("ADDR");
        let kept = WORKERS_THAT_KEEP.to_string();
        let ca = self.machine.env("CA_CERT");
        [
            &["new", address, "443", "4", HOST, ca][..],
            &["kept", address, "443", &kept, HOST, ca],
            &["tcp", address, "5432", "2"],
        ]
        .map(|words| Load::start(Load::command(words)))
    }
}

#[track_caller]
pub(crate) fn none_failed(loads: [Load; 3]) -> [Outcome; 3] {
    let outcomes = loads.map(Load::end);
    for outcome in &outcomes {
        assert_eq!(outcome.failed, 0, "{outcomes:?}");
    }
    println!("figure: under load: {outcomes:?}");
    outcomes
}

pub(crate) fn main_pid(machine: &TestMachine, unit: &str) -> String {
    let pid = machine.run(&["systemctl", "show", "--property=MainPID", "--value", unit]);
    pid.trim().to_owned()
}

pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        // The network and systemctl have no event to wait for.
        std::thread::sleep(Duration::from_millis(100));
    }
}
