//! What comes after a push, on a real machine: its status, the way back, and its removal.

use assert_cmd::Command;
use serde_json::Value;

use crate::end_to_end::{eventually, run_container};
use crate::rdc::{Answer, Rdc};
use crate::test_machine::TestMachine;

const SERVICES: [&str; 2] = ["rediacc-router.service", "rediacc-proxy.service"];

#[test]
fn what_is_wrong_is_said_before_a_machine_is_asked() {
    let rdc = Rdc::with_machine();
    for (words, code, message, hint) in [
        (&["status-infra"][..], 2, "required arguments", "Usage"),
        (
            &["status-infra", "sever-1"],
            2,
            "no machine `sever-1`",
            "`server-1`",
        ),
        (
            &["status-infra", "server-1", "sever-1"],
            2,
            "no machine `sever-1`",
            "`server-1`",
        ),
        (
            &["status-infra", "--all"],
            2,
            "no machine of the context",
            "set-infra",
        ),
        (
            &["status-infra", "server-1"],
            4,
            "no host key",
            "scan-keys server-1",
        ),
        (
            &["rollback-infra", "server-1", "--to", "x"],
            2,
            "invalid value",
            "--help",
        ),
        (
            &["rollback-infra", "server-1"],
            4,
            "no host key",
            "scan-keys server-1",
        ),
        (
            &["remove-infra", "server-1", "--yes"],
            4,
            "no host key",
            "scan-keys server-1",
        ),
    ] {
        let answer = rdc.run(&[&["context"], words].concat()).code(code);
        assert!(answer.stderr.contains(message), "{}", answer.stderr);
        assert!(answer.stderr.contains(hint), "{}", answer.stderr);
        assert_eq!(answer.stdout, "");
    }
}

#[test]
fn renet_looks_only_as_root_and_says_so_in_a_message() {
    for verb in ["status", "remove", "rollback"] {
        let mut renet = Command::new("setpriv");
        let output = renet
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_renet"))
            .args(["infra", verb])
            .output()
            .expect("it runs");
        let answer = Answer::from(output).code(6);
        let failure = &answer.json()["failed"];
        assert_eq!(failure["kind"], "refused", "{failure}");
        assert_eq!(failure["message"], "`renet infra` must run as root");
    }
}

#[test]
fn a_machine_tells_how_it_is_goes_back_and_gives_everything_away() {
    let machine = Operated::up();
    nothing_is_there_yet(&machine);

    machine.push("2525");
    machine.push("2525,2526");
    run_app(&machine.machine);
    all_is_well(&machine);
    what_is_not_well_is_told(&machine);

    it_goes_back_and_forth(&machine);
    what_does_not_come_up_is_taken_back(&machine);

    let serial = machine.certificate();
    it_is_removed_but_for_what_pushes_did_not_make(&machine);
    a_push_finds_the_old_certificates(&machine, &serial);
    a_purge_leaves_nothing(&machine);
}

fn nothing_is_there_yet(machine: &Operated) {
    let status = machine.rdc(&["status-infra", "server-1"]).code(1);
    assert!(
        status.stdout.contains("nothing is pushed to server-1"),
        "{}",
        status.all()
    );
    assert!(
        status.stdout.contains("rdc context push-infra server-1"),
        "{}",
        status.all()
    );
    let back = machine.rdc(&["rollback-infra", "server-1"]).code(6);
    assert!(
        back.stderr.contains("rdc context push-infra server-1"),
        "{}",
        back.stderr
    );
    let remove = machine.rdc(&["remove-infra", "server-1", "--yes"]).done();
    assert_eq!(remove.stdout, "there is nothing to remove on server-1\n");
}

fn all_is_well(machine: &Operated) {
    let (status, _) = eventually("a certificate", || {
        let status = machine.look().json();
        (status["status"]["https"]["valid"] == 1).then_some(status)
    });
    assert_eq!(status["problems"], Value::Array(Vec::new()));
    let seen = &status["status"];
    assert_eq!(seen["generation"], 2);
    let kept: Vec<&Value> = list(&seen["kept"])
        .iter()
        .map(|kept| &kept["number"])
        .collect();
    assert_eq!(kept, [1, 2]);
    assert_eq!(seen["renet"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        seen["traefik"]["version"]
            .as_str()
            .is_some_and(|version| version.starts_with('3'))
    );
    let units: Vec<&Value> = list(&seen["units"])
        .iter()
        .map(|unit| &unit["state"])
        .collect();
    assert_eq!(units, ["active", "active", "active"]);
    let closed: Vec<&Value> = list(&seen["entrypoints"])
        .iter()
        .filter(|entrypoint| entrypoint["listens"] != true)
        .collect();
    assert_eq!(closed, Vec::<&Value>::new());
    let ports = list(&seen["entrypoints"]).iter();
    assert!(
        ports
            .map(|entrypoint| &entrypoint["name"])
            .any(|name| name == "tcp-2526")
    );
    assert_eq!(seen["route_server"]["routers"]["http"], 1, "{seen}");
    assert_eq!(seen["route_server"]["daemons"][0]["state"], "live");
    let certificate = &seen["certificates"][0];
    assert_eq!(certificate["main"], "example.test");
    assert_eq!(certificate["routed"], true);
    let names: Vec<&Value> = list(&certificate["content"]["names"]).iter().collect();
    assert_eq!(names, ["example.test", "*.example.test"]);
    assert!(
        certificate["content"]["days_left"]
            .as_i64()
            .is_some_and(|days| days > 21)
    );

    let told = machine.rdc(&["status-infra", "server-1"]).done();
    for word in [
        "server-1: well",
        "tcp-2526",
        "*.example.test",
        "docker-2816.sock",
    ] {
        assert!(
            told.stdout.contains(word),
            "no `{word}` in\n{}",
            told.stdout
        );
    }
    assert!(!told.all().contains("PRIVATE KEY"));

    let all = machine.rdc(&["--json", "status-infra", "--all"]).done();
    assert_eq!(all.json()["machines"][0]["well"], true);
}

fn what_is_not_well_is_told(machine: &Operated) {
    // With the one that stood by during the last push. First those that poll: a poll that nobody
    // answers any more is waited for, and Traefik panics when it does not end within 10 s.
    machine.shell(
        "systemctl stop rediacc-proxy.service rediacc-proxy-standby.service && \
         systemctl stop rediacc-router.socket",
    );
    machine.shell("echo '# by hand' >>/etc/rediacc/current/router.env");
    machine.shell(
        "mv /var/lib/rediacc/proxy/acme.json /tmp && echo '{' >/var/lib/rediacc/proxy/acme.json",
    );
    let status = machine.status(1);
    let problems: Vec<String> = list(&status["problems"])
        .iter()
        .filter_map(|problem| Some(problem["message"].as_str()?.to_owned()))
        .collect();
    for (problem, expected) in problems.iter().zip([
        "rediacc-router.socket is inactive",
        "rediacc-router.service is inactive",
        "rediacc-proxy.service is inactive",
        "nobody listens for ",
        "Traefik's storage of certificates cannot be read",
        "edited since it was pushed: /etc/rediacc/current/router.env",
    ]) {
        assert!(problem.contains(expected), "{problems:#?}");
    }
    assert_eq!(problems.len(), 6, "{problems:#?}");
    assert_eq!(
        status["status"]["generation"], 2,
        "the other parts are told all the same"
    );

    machine.shell("mv /tmp/acme.json /var/lib/rediacc/proxy/acme.json");
    machine.shell("sed -i '/# by hand/d' /etc/rediacc/current/router.env");
    machine.shell(
        "systemctl start rediacc-router.socket rediacc-router.service rediacc-proxy.service",
    );
    eventually("the machine to be well", || {
        (machine.look().code == 0).then_some(())
    });
}

fn it_goes_back_and_forth(machine: &Operated) {
    let plan = machine
        .rdc(&["rollback-infra", "server-1", "--dry-run"])
        .done();
    for line in [
        "switch   to generation 1",
        "restart  rediacc-proxy.service",
        "close    tcp-2526 (",
    ] {
        assert!(
            plan.stdout.contains(line),
            "no `{line}` in\n{}",
            plan.stdout
        );
    }
    assert_eq!(machine.status(0)["status"]["generation"], 2);

    let back = machine.rdc(&["rollback-infra", "server-1"]).done();
    assert!(
        back.stdout
            .starts_with("server-1 runs generation 1 again: restarted "),
        "{}",
        back.all()
    );
    let status = machine.status(0);
    assert_eq!(status["status"]["generation"], 1);
    let ports = list(&status["status"]["entrypoints"]).iter();
    assert!(
        !ports
            .map(|entrypoint| &entrypoint["name"])
            .any(|name| name == "tcp-2526")
    );

    let none = machine.rdc(&["rollback-infra", "server-1"]).code(6);
    assert!(
        none.stderr.contains("no generation before 1"),
        "{}",
        none.stderr
    );
    let wrong = machine
        .rdc(&["rollback-infra", "server-1", "--to", "7"])
        .code(6);
    assert!(
        wrong.stderr.contains("the machine keeps 1, 2"),
        "{}",
        wrong.stderr
    );
    let same = machine
        .rdc(&["rollback-infra", "server-1", "--to", "1"])
        .done();
    assert!(
        same.stdout.contains("already: nothing changed"),
        "{}",
        same.stdout
    );

    let forth = machine
        .rdc(&["--json", "rollback-infra", "server-1", "--to", "2"])
        .done();
    assert_eq!(forth.json()["generation"], 2);
    assert_eq!(forth.json()["opens"][0]["entrypoint"], "tcp-2526");
    machine.status(0);
}

fn what_does_not_come_up_is_taken_back(machine: &Operated) {
    // An entry point at an address that is nobody's here: Traefik reads it, and ends when it listens.
    machine.shell(
        "cp /etc/rediacc/generations/1/traefik.yml /tmp && \
         sed -i 's/^entryPoints:/entryPoints:\\n  other:\\n    address: \"203.0.113.99:2525\"/' \
         /etc/rediacc/generations/1/traefik.yml",
    );
    let back = machine.rdc(&["rollback-infra", "server-1"]).code(7);
    assert!(
        back.stderr.contains("generation 2 runs again"),
        "{}",
        back.stderr
    );
    assert!(
        back.stderr.contains("generation 1 was edited") || back.stderr.contains("rediacc-proxy"),
        "{}",
        back.stderr
    );
    assert_eq!(machine.status(0)["status"]["generation"], 2);

    // What Traefik cannot even read never gets that far.
    let before = machine.starts();
    machine.shell(
        "sed -i 's/^global:/global:\\n  nonsense: true/' /etc/rediacc/generations/1/traefik.yml",
    );
    let refused = machine.rdc(&["rollback-infra", "server-1"]).code(6);
    assert!(refused.stderr.contains("nonsense"), "{}", refused.stderr);
    assert_eq!(machine.starts(), before);
    machine.shell("cp /tmp/traefik.yml /etc/rediacc/generations/1/traefik.yml");
}

fn it_is_removed_but_for_what_pushes_did_not_make(machine: &Operated) {
    machine.shell("echo '{}' >/etc/rediacc/traefik.d/own.yml");
    let containers = machine.machine.docker(2816, &["ps", "--quiet"]);
    let asked = machine.rdc(&["remove-infra", "server-1"]).code(2);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    let plan = machine
        .rdc(&["remove-infra", "server-1", "--dry-run"])
        .done();
    assert!(
        plan.stdout.contains("stop     rediacc-proxy.service"),
        "{}",
        plan.stdout
    );
    machine.status(0);

    let removed = machine.rdc(&["remove-infra", "server-1", "--yes"]).done();
    for word in [
        "/var/lib/rediacc/proxy",
        "/etc/rediacc/traefik.d",
        "push-infra server-1",
    ] {
        assert!(
            removed.stderr.contains(word),
            "no `{word}` in\n{}",
            removed.stderr
        );
    }
    assert_eq!(
        machine.left(),
        [
            "/etc/rediacc",
            "/etc/rediacc/traefik.d",
            "/etc/rediacc/traefik.d/own.yml",
            // What the test surroundings put there is a drop-in like an operator's.
            "/etc/systemd/system/rediacc-proxy.service.d",
            "/var/lib/rediacc",
            "/var/lib/rediacc/proxy",
            "/var/lib/rediacc/proxy/acme.json",
        ]
    );
    assert_eq!(machine.machine.docker(2816, &["ps", "--quiet"]), containers);
    let units = machine
        .machine
        .run(&["systemctl", "list-units", "--all", "--plain", "rediacc-*"]);
    assert!(!units.contains("rediacc-"), "{units}");

    let again = machine.rdc(&["remove-infra", "server-1", "--yes"]).done();
    assert_eq!(again.stdout, "there is nothing to remove on server-1\n");
    machine.status(1);
}

fn a_push_finds_the_old_certificates(machine: &Operated, serial: &str) {
    machine.push("2525");
    assert_eq!(machine.status(0)["status"]["generation"], 1);
    assert_eq!(machine.certificate(), serial);
}

fn a_purge_leaves_nothing(machine: &Operated) {
    // The second time there is no `renet` on the machine, but still something to take away.
    machine.rdc(&["remove-infra", "server-1", "--yes"]).done();
    machine
        .rdc(&["remove-infra", "server-1", "--yes", "--purge"])
        .done();
    assert_eq!(machine.left(), Vec::<String>::new());
    let again = machine
        .rdc(&["--json", "remove-infra", "server-1", "--yes", "--purge"])
        .done();
    assert_eq!(again.json()["changed"], false);
    let infra = machine.rdc(&["show-infra", "server-1"]).done();
    assert!(
        infra.stdout.contains("example.test"),
        "the context keeps what is declared"
    );
}

fn run_app(machine: &TestMachine) {
    let labels = [
        "rediacc.network_id=2816",
        "rediacc.service_name=app",
        "rediacc.service_ip=127.0.11.2",
        "rediacc.service_port=8080",
    ];
    let page = "echo app >/www/index.html; exec httpd -f -p 127.0.11.2:8080 -h /www";
    let words = ["busybox", "sh", "-c", page];
    run_container(machine, 2816, "app", &labels.map(str::to_owned), &words);
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).expect("a list")
}

/// A machine, and the workstation of its operator.
struct Operated {
    machine: TestMachine,
    rdc: Rdc,
}

impl Operated {
    fn up() -> Self {
        let machine = TestMachine::up("d-status", "2816");
        let rdc = Rdc::of(&machine, "operator");
        Self { machine, rdc }
    }

    fn rdc(&self, words: &[&str]) -> Answer {
        let (options, words): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| **word == "--json");
        self.rdc.run(&[&options[..], &["context"], &words].concat())
    }

    /// Declares the extra ports, and pushes.
    fn push(&self, ports: &str) {
        let infra = [
            "--public-ipv4",
            self.machine.env("ADDR"),
            "--base-domain",
            "example.test",
            "--cert-email",
            "admin@example.test",
            "--acme-ca-server",
            self.machine.env("ACME_DIRECTORY"),
            "--cf-dns-token",
            "cmd:echo token",
            "--tcp-ports",
            ports,
        ];
        self.rdc(&[&["set-infra", "server-1"], &infra[..]].concat())
            .done();
        let traefik = ["--traefik-binary", self.machine.env("TRAEFIK")];
        self.rdc(&[&["push-infra", "server-1"], &traefik[..]].concat())
            .done();
    }

    fn look(&self) -> Answer {
        self.rdc(&["--json", "status-infra", "server-1"])
    }

    #[track_caller]
    fn status(&self, code: i32) -> Value {
        self.look().code(code).json()
    }

    fn shell(&self, script: &str) -> String {
        self.machine.run(&["sh", "-c", script])
    }

    /// Which start of each service this is.
    fn starts(&self) -> String {
        let show = ["systemctl", "show", "--property=InvocationID"];
        self.machine.run(&[&show[..], &SERVICES].concat())
    }

    /// The certificate in Traefik's storage, as it is.
    fn certificate(&self) -> String {
        self.shell("grep -o '\"certificate\": *\"[^\"]*' /var/lib/rediacc/proxy/acme.json")
    }

    /// Everything of ours on the machine, but for what its test surroundings put there.
    fn left(&self) -> Vec<String> {
        let find = "find / -xdev \\( -path '/etc/rediacc*' -o -path '/usr/lib/rediacc*' \
                    -o -path '/var/lib/rediacc*' -o -name 'rediacc-router*' \
                    -o -name 'rediacc-proxy*' -o -name 'rediacc-settle*' -o -path '*/renet' \\) \
                    -not -path '/proc/*' -not -path '/sys/*' -not -path '/mnt/*' | sort";
        let text = self.shell(find);
        text.lines().map(str::to_owned).collect()
    }
}
