//! What a push finds out about a real machine before it changes anything: everything that is in
//! its way at once, by name, and what it gets around.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rdc::{Answer, Rdc};
use crate::test_machine::TestMachine;

/// How long anything may take that has no event to wait for. Nothing is judged by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Declared, and on no machine: behind NAT.
const PUBLIC: &str = "203.0.113.50";
const PUSH: [&str; 3] = ["context", "push-infra", "server-1"];
const ACME: &str = "/var/lib/rediacc/proxy/acme.json";
/// In the place of the machine's own for a while.
const OLD_SYSTEMCTL: &str = "/usr/local/bin/systemctl";

#[test]
fn a_push_names_all_that_is_in_its_way_and_gets_around_what_it_can() {
    let machine = TestMachine::with_daemons("pre", "2816");
    let rdc = declare(&machine);
    everything_in_the_way_is_said_at_once(&rdc, &machine);
    what_nobody_listed_is_left_out_until_it_is_free(&rdc, &machine);
    a_stopped_traefik_does_not_keep_its_ports(&rdc, &machine);
    the_certificates_are_mended(&rdc, &machine);
    certificates_that_cannot_be_read_are_not_lost(&rdc, &machine);
    a_disk_that_is_full_or_read_only_is_said(&rdc, &machine);
    a_clock_that_is_far_off_is_said(&machine);
    what_the_network_lacks_is_said(&rdc, &machine);
}

/// The workstation, with the machine declared behind NAT.
fn declare(machine: &TestMachine) -> Rdc {
    let rdc = Rdc::of(machine, "root");
    set(
        &rdc,
        &[
            "--public-ipv4",
            PUBLIC,
            "--base-domain",
            "example.test",
            "--cert-email",
            "admin@example.test",
            "--acme-ca-server",
            machine.env("ACME_DIRECTORY"),
        ],
    );
    rdc
}

fn set(rdc: &Rdc, words: &[&str]) {
    rdc.run(&[&["context", "set-infra", "server-1"], words].concat())
        .done();
}

fn everything_in_the_way_is_said_at_once(rdc: &Rdc, machine: &TestMachine) {
    // As an nginx that was there before: the kernel knows programs by their file's name.
    machine.run(&["cp", "/usr/bin/socat", "/usr/local/bin/nginx"]);
    occupy(machine, "nginx", "/usr/local/bin/nginx", "0.0.0.0", 80);
    occupy(machine, "mail", "socat", machine.env("ADDR"), 2525);
    let httpd = format!("exec httpd -f -p {}:2526 -h /www", machine.env("ADDR"));
    let words = ["run", "--detach", "--name", "web", "--network", "host"];
    let words = [&words[..], &["busybox", "sh", "-c", &httpd]].concat();
    let container = machine.docker(2816, &words);
    await_listener(machine, 2526);
    set(rdc, &["--tcp-ports", "2525,2526"]);
    set(rdc, &["--bind-ipv6", "2001:db8::77"]);
    let old = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'systemd 245 (245.4)' && exit\n\
               exec /usr/bin/systemctl \"$@\"\n";
    let install = format!("cat >{OLD_SYSTEMCTL}; chmod +x {OLD_SYSTEMCTL}");
    machine.run_with_input(&["sh", "-c", &install], old);

    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    let push = [&PUSH[..], &traefik].concat();
    let before = machine.run(&["find", "/etc", "-printf", "%p %T@ %m\n"]);
    for dry_run in [true, false] {
        let option: &[&str] = if dry_run { &["--dry-run"] } else { &[] };
        let answer = rdc.run(&[&["--json"], &push[..], option].concat()).code(6);
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "refused");
        let (message, hint) = (text(&error["message"]), text(&error["hint"]));
        for (problem, remedy) in [
            (
                "2001:db8::77 is not an address of this machine".to_owned(),
                "--bind-ipv6",
            ),
            (
                format!(
                    "web ({}:80) is in use: another proxy, nginx (",
                    machine.env("ADDR")
                ),
                "`systemctl disable --now nginx`",
            ),
            (
                ", nginx.service), listens on 0.0.0.0:80".to_owned(),
                "203.0.113.50 is not on an interface",
            ),
            (
                format!("tcp-2525 ({}:2525) is in use: socat (", machine.env("ADDR")),
                "`systemctl status mail`",
            ),
            (
                format!(", container {}) listens on", &container[..12]),
                "`docker stop",
            ),
            (
                "systemd is version 245, and the units need 247".to_owned(),
                "Debian 11",
            ),
        ] {
            assert!(message.contains(&problem), "no `{problem}` in {message}");
            assert!(hint.contains(remedy), "no `{remedy}` in {hint}");
        }
        assert_eq!(message.lines().count(), 5, "{message}");
    }
    let after = machine.run(&["find", "/etc", "-printf", "%p %T@ %m\n"]);
    let no_lock = |list: String| -> Vec<String> {
        // The lock's file and its folder are all that a push makes before it is sure.
        let is_lock = |line: &&str| line.starts_with("/etc/rediacc") || line.starts_with("/etc ");
        let lines = list.lines().filter(|line| !is_lock(line));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(no_lock(after), no_lock(before));
    let made = machine.run(&["ls", "-A", "/etc/rediacc"]);
    assert_eq!(made.trim(), ".lock");

    machine.run(&["rm", OLD_SYSTEMCTL]);
    machine.run(&["systemctl", "stop", "nginx", "mail"]);
    machine.docker(2816, &["rm", "--force", "web"]);
    set(rdc, &["--unset", "bind-ipv6"]);
}

fn what_nobody_listed_is_left_out_until_it_is_free(rdc: &Rdc, machine: &TestMachine) {
    occupy(machine, "mariadb", "socat", "0.0.0.0", 3306);
    let address = machine.env("ADDR");
    let left_out = format!("tcp-3306 ({address}:3306) is left out: socat (process ");
    let behind_nat = format!(
        "{PUBLIC} is not on an interface of this machine: Traefik listens on {address}, the \
         source address of the default route"
    );
    let warned = |answer: &Answer| {
        for warning in [
            &left_out,
            ", mariadb.service) listens on 0.0.0.0:3306",
            &behind_nat,
        ] {
            assert!(answer.stderr.contains(warning), "{}", answer.stderr);
        }
    };
    warned(&rdc.run(&PUSH).done());
    for port in [80, 443, 2525, 5432] {
        connect(machine, port);
    }
    a_container_is_served(machine);
    let second = rdc.run(&PUSH).done();
    warned(&second);
    assert!(
        second.stdout.contains("nothing changed"),
        "{}",
        second.stdout
    );

    machine.run(&["systemctl", "stop", "mariadb"]);
    let third = rdc.run(&PUSH).done();
    assert!(!third.stderr.contains("left out"), "{}", third.stderr);
    connect(machine, 3306);
    nothing_changes(rdc);
}

fn a_container_is_served(machine: &TestMachine) {
    let labels = [
        "rediacc.network_id=2816",
        "rediacc.service_name=app",
        "rediacc.service_ip=127.0.11.2",
        "rediacc.service_port=8080",
    ];
    let mut words = vec!["run", "--detach", "--network", "host"];
    words.extend(labels.iter().flat_map(|label| ["--label", label]));
    let page = "echo the app >/www/index.html; exec httpd -f -p 127.0.11.2:8080 -h /www";
    words.extend(["busybox", "sh", "-c", page]);
    machine.docker(2816, &words);
    let start = Instant::now();
    loop {
        let answer = Command::new("curl")
            .args(["--silent", "--insecure", "--max-time", "5", "--connect-to"])
            .arg(format!("::{}:", machine.env("ADDR")))
            .arg("https://app-2816.example.test/")
            .output()
            .expect("curl runs");
        if answer.stdout == b"the app\n" {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{answer:?}");
        // The network has no event to wait for.
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn a_stopped_traefik_does_not_keep_its_ports(rdc: &Rdc, machine: &TestMachine) {
    // With the one that stood by during the last push.
    machine.run(&[
        "systemctl",
        "stop",
        "rediacc-proxy",
        "rediacc-proxy-standby",
    ]);
    occupy(
        machine,
        "nginx",
        "/usr/local/bin/nginx",
        machine.env("ADDR"),
        443,
    );
    occupy(machine, "checks", "socat", "127.0.0.1", 7112);
    let answer = rdc.run(&PUSH).code(6);
    for problem in [
        "nginx.service), listens on",
        "checks.service) listens on 127.0.0.1:7112",
    ] {
        assert!(answer.stderr.contains(problem), "{}", answer.stderr);
    }
    machine.run(&["systemctl", "stop", "nginx", "checks"]);
    rdc.run(&PUSH).done();
    nothing_changes(rdc);
}

fn the_certificates_are_mended(rdc: &Rdc, machine: &TestMachine) {
    let look = ["stat", "--format", "%a %U", ACME];
    let pid = ["systemctl", "show", "--property=MainPID", "rediacc-proxy"];
    machine.run(&["chmod", "0644", ACME]);
    machine.run(&["chown", "root", ACME]);
    let before = machine.run(&pid);
    let warning = format!("{ACME} has mode 0644 and belongs to user 0");
    let plan = rdc.run(&[&PUSH[..], &["--dry-run"]].concat()).done();
    assert!(plan.stderr.contains(&warning), "{}", plan.stderr);
    assert!(
        plan.stdout.contains("restart  rediacc-proxy.service"),
        "{}",
        plan.stdout
    );
    assert_eq!(machine.run(&look), "644 root\n");

    let push = rdc.run(&PUSH).done();
    assert!(push.stderr.contains(&warning), "{}", push.stderr);
    assert_eq!(machine.run(&look), "600 rediacc-proxy\n");
    assert_ne!(machine.run(&pid), before, "Traefik still has what it read");
    nothing_changes(rdc);
}

fn certificates_that_cannot_be_read_are_not_lost(rdc: &Rdc, machine: &TestMachine) {
    let keep = format!("mv {ACME} {ACME}.kept");
    let restore = format!("rm -rf {ACME}; mv {ACME}.kept {ACME}");
    for (make, problem) in [
        (
            format!("echo '{{\"key\": \"s3cret' >{ACME}"),
            "acme.json is damaged (line ",
        ),
        (format!("mkdir {ACME}"), "acme.json is not a file"),
    ] {
        machine.run(&["sh", "-c", &format!("{keep}; {make}")]);
        let answer = rdc.run(&PUSH).code(6);
        assert!(answer.stderr.contains(problem), "{}", answer.stderr);
        assert!(!answer.all().contains("s3cret"), "{}", answer.all());
        machine.run(&["sh", "-c", &restore]);
    }
    nothing_changes(rdc);
}

fn a_disk_that_is_full_or_read_only_is_said(rdc: &Rdc, machine: &TestMachine) {
    for (mount, mounted, problem) in [
        (
            "mount -t tmpfs -o size=1200k tmpfs /var/lib/rediacc/router",
            "/var/lib/rediacc/router",
            "it needs 16 MiB, and 1.2 MiB are free",
        ),
        (
            "mount -t tmpfs -o nr_inodes=20 tmpfs /var/lib/rediacc/router",
            "/var/lib/rediacc/router",
            "it needs 64 inodes, and ",
        ),
        (
            "mount --bind /etc/rediacc /etc/rediacc; mount -o remount,bind,ro /etc/rediacc",
            "/etc/rediacc",
            "/etc/rediacc is on a read-only file system",
        ),
    ] {
        machine.run(&["sh", "-c", mount]);
        let answer = rdc.run(&PUSH).code(6);
        assert!(answer.stderr.contains(problem), "{}", answer.stderr);
        machine.run(&["umount", mounted]);
    }
    nothing_changes(rdc);
}

/// A container cannot have a clock of its own: the bundle's is wrong instead.
fn a_clock_that_is_far_off_is_said(machine: &TestMachine) {
    let renet = machine.run(&["readlink", "-f", "/usr/local/bin/renet"]);
    for (sent_at, email, key, words) in [
        (
            json!(0),
            Some("admin@example.test"),
            "failed",
            "ahead of the workstation's",
        ),
        (json!(0), None, "done", "ahead of the workstation's"),
        (
            json!(4_000_000_000_u64),
            None,
            "done",
            "behind the workstation's",
        ),
    ] {
        let bundle = json!({
            "infra": { "public_ipv4": machine.env("ADDR"), "cert_email": email },
            "renet": renet.trim(),
            "traefik": { "release": { "version": "3.7.15", "asked": false } },
            "sent_at": sent_at,
        });
        let words_of = [
            "sh",
            "-c",
            "/usr/local/bin/renet infra apply --dry-run --bundle \"$1\" || true",
            "sh",
            &bundle.to_string(),
        ];
        let answer = machine.run(&words_of);
        let answer: Value = serde_json::from_str(&answer).expect("one message");
        let said = answer[key].to_string();
        assert!(said.contains(words), "{answer}");
    }
}

/// The last one: the machine does not get its routes back.
fn what_the_network_lacks_is_said(rdc: &Rdc, machine: &TestMachine) {
    set(rdc, &["--public-ipv6", machine.env("ADDR6")]);
    machine.run(&["sysctl", "--write", "net.ipv6.conf.all.disable_ipv6=1"]);
    machine.run(&["ip", "route", "delete", "default"]);
    let answer = rdc.run(&PUSH).code(6);
    for problem in [
        "there is no default route",
        "IPv6 is disabled on this machine",
    ] {
        assert!(answer.stderr.contains(problem), "{}", answer.stderr);
    }
}

fn nothing_changes(rdc: &Rdc) {
    let push = rdc.run(&PUSH).done();
    assert!(push.stdout.contains("nothing changed"), "{}", push.all());
}

/// Has a unit of its own listen on a port, and waits until it does.
pub(crate) fn occupy(machine: &TestMachine, unit: &str, program: &str, address: &str, port: u16) {
    let listen = format!("TCP-LISTEN:{port},bind={address},fork,reuseaddr");
    let unit = format!("--unit={unit}");
    let run = ["systemd-run", "--quiet", "--collect", &unit];
    machine.run(&[&run[..], &[program, &listen, "EXEC:cat"]].concat());
    await_listener(machine, port);
}

fn await_listener(machine: &TestMachine, port: u16) {
    let ask = format!("ss -Hlnt 'sport = :{port}'");
    let start = Instant::now();
    while machine.run(&["sh", "-c", &ask]).trim().is_empty() {
        assert!(start.elapsed() < PATIENCE, "nobody listens on {port}");
    }
}

fn connect(machine: &TestMachine, port: u16) {
    let at = format!("{}:{port}", machine.env("ADDR"));
    TcpStream::connect(&at).unwrap_or_else(|error| panic!("{at}: {error}"));
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
