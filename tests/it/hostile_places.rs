//! What a push and a status make of a machine whose places cannot be written, and of ports through
//! which somebody is in the machine.

use crate::rdc::{Answer, Rdc};
use crate::test_machine::TestMachine;

const PUSH: [&str; 3] = ["context", "push-infra", "server-1"];

#[test]
fn a_port_of_the_ssh_connection_is_refused_where_it_is_listed() {
    let rdc = Rdc::with_machine();
    rdc.run(&[
        "context",
        "add-machine",
        "server-2",
        "--ip",
        "203.0.113.51",
        "--user",
        "root",
        "--port",
        "2222",
        "--no-scan",
    ])
    .done();
    for (machine, ports, refused) in [
        ("server-1", "22", Some("22")),
        ("server-1", "20-30", Some("22")),
        ("server-1", "2222", None),
        ("server-2", "25,2222", Some("2222")),
        ("server-2", "22", None),
    ] {
        let before = rdc.text();
        let set = ["context", "set-infra", machine, "--tcp-ports", ports];
        let answer = rdc.run(&set);
        match refused {
            Some(port) => {
                let answer = answer.code(2);
                let reason = format!("port {port} is the one by which SSH logs in to {machine}");
                assert!(answer.stderr.contains(&reason), "{}", answer.stderr);
                assert_eq!(rdc.text(), before);
            }
            None => drop(answer.done()),
        }
        // SSH is no UDP.
        let udp = ["context", "set-infra", machine, "--udp-ports", ports];
        rdc.run(&udp).done();
    }
}

#[test]
fn a_machine_whose_places_cannot_be_used_says_so_and_nobody_is_locked_out() {
    let machine = TestMachine::bare("places");
    let rdc = Rdc::of(&machine, "root");
    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    let push = [&PUSH[..], &traefik].concat();
    let set = ["context", "set-infra", "server-1", "--public-ipv4"];
    rdc.run(&[&set[..], &[machine.env("ADDR")]].concat()).done();

    nothing_is_said_to_be_stopped_that_somebody_came_in_by(&rdc, &machine, &push);
    a_dry_run_finds_what_keeps_programs_out(&rdc, &machine, &push);
    rdc.run(&push).done();
    a_full_run_is_the_reason(&rdc, &machine);
    a_status_needs_nothing_to_write(&rdc, &machine);
}

fn nothing_is_said_to_be_stopped_that_somebody_came_in_by(
    rdc: &Rdc,
    machine: &TestMachine,
    push: &[&str],
) {
    // By a hand that `set-infra` cannot hold back.
    let file = rdc.file("default");
    let text = rdc.text();
    let edited = format!("{text}tcp_ports = [22, 2525]\n");
    std::fs::write(&file, edited).expect("it is written");
    // A database's name, and a proxy through which somebody logs in.
    listen(machine, "postgresql", "socat", 2525);
    let refused = rdc.run(push).code(6);
    for part in [
        ", ssh.service) listens on 0.0.0.0:22, and you are in this machine through it",
        "leave port 22 out of",
        "`systemctl status postgresql` on the machine",
    ] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    harmless(&refused);
    std::fs::write(&file, text).expect("it is written");
    machine.run(&["systemctl", "stop", "postgresql"]);

    machine.run(&["cp", "/usr/bin/socat", "/usr/local/bin/haproxy"]);
    listen(machine, "haproxy", "/usr/local/bin/haproxy", 443);
    let refused = rdc.run(push).code(6);
    let remedy = "`systemctl disable --now haproxy`";
    assert!(refused.stderr.contains(remedy), "{}", refused.stderr);
    let through = [
        "context",
        "add-machine",
        "server-2",
        "--ip",
        machine.env("ADDR"),
    ];
    let login = ["--user", "root", "--port", "443"];
    rdc.run(&[&through[..], &login].concat()).done();
    let set = ["context", "set-infra", "server-2", "--public-ipv4"];
    rdc.run(&[&set[..], &[machine.env("ADDR")]].concat()).done();
    let push = push.iter().map(|word| match *word {
        "server-1" => "server-2",
        word => word,
    });
    let refused = rdc.run(&push.collect::<Vec<_>>()).code(6);
    let reason = "haproxy.service), listens on 0.0.0.0:443, and you are in this machine through it";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    harmless(&refused);
    machine.run(&["systemctl", "stop", "haproxy"]);
}

/// No command in it ends anything.
fn harmless(answer: &Answer) {
    for word in ["disable", "stop", "kill"] {
        assert!(!answer.stderr.contains(word), "{}", answer.stderr);
    }
}

fn a_dry_run_finds_what_keeps_programs_out(rdc: &Rdc, machine: &TestMachine, push: &[&str]) {
    let programs = "/usr/lib/rediacc";
    machine.run(&["mkdir", "-p", programs]);
    for (options, problem, remedy) in [
        (
            "noexec,size=1g",
            "is on a file system that is mounted noexec",
            "mount -o remount,exec",
        ),
        ("ro", "is on a read-only file system", "findmnt --target"),
        ("size=40m", "there is no room for the programs", "df -h"),
    ] {
        machine.run(&["mount", "-t", "tmpfs", "-o", options, "none", programs]);
        let dry_run = rdc.run(&[push, &["--dry-run"]].concat()).code(6);
        for part in [programs, problem, remedy] {
            assert!(dry_run.stderr.contains(part), "{}", dry_run.stderr);
        }
        machine.run(&["umount", programs]);
    }
}

fn a_full_run_is_the_reason(rdc: &Rdc, machine: &TestMachine) {
    machine.run(&["mount", "-o", "remount,size=900k", "/run"]);
    machine.run(&["sh", "-c", "head -c 2m /dev/zero >/run/fill || true"]);
    let set = ["context", "set-infra", "server-1", "--tcp-ports", "2525"];
    rdc.run(&set).done();
    let problem = "there is no room for systemd's units and sockets in /run/systemd";
    for option in [&[][..], &["--dry-run"]] {
        let refused = rdc.run(&[&PUSH[..], option].concat()).code(6);
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
        assert!(refused.stderr.contains("df -h /run"), "{}", refused.stderr);
    }
    let status = rdc.run(&["context", "status-infra", "server-1"]).done();
    assert!(status.stdout.contains(problem), "{}", status.stdout);
    machine.run(&["rm", "/run/fill"]);
    machine.run(&["mount", "-o", "remount,size=1g", "/run"]);
    rdc.run(&PUSH).done();
}

fn a_status_needs_nothing_to_write(rdc: &Rdc, machine: &TestMachine) {
    machine.run(&["mount", "--bind", "/etc", "/etc"]);
    machine.run(&["mount", "-o", "remount,bind,ro", "/etc"]);
    let problem = "/etc/rediacc is on a read-only file system";
    let status = rdc.run(&["--json", "context", "status-infra", "server-1"]);
    let status = status.done().json();
    assert_eq!(status["well"], true, "{status}");
    assert_eq!(status["status"]["generation"], 2, "{status}");
    let problems = status["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["severity"], "warning");
    let message = format!("the next push will not work: {problem}");
    assert_eq!(problems[0]["message"], message);
    for words in [
        &["push-infra", "server-1"][..],
        &["push-infra", "server-1", "--dry-run"],
        &["rollback-infra", "server-1"],
        &["rollback-infra", "server-1", "--dry-run"],
        &["remove-infra", "server-1", "--yes"],
    ] {
        let refused = rdc.run(&[&["context"], words].concat()).code(6);
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
    }
    machine.run(&["umount", "/etc"]);
}

/// Has a unit of its own pass connections on to the SSH server, and waits until it listens.
fn listen(machine: &TestMachine, unit: &str, program: &str, port: u16) {
    let listen = format!("TCP-LISTEN:{port},fork,reuseaddr");
    let unit = format!("--unit={unit}");
    let run = ["systemd-run", "--quiet", "--collect", &unit, program];
    machine.run(&[&run[..], &[&listen, "TCP:127.0.0.1:22"]].concat());
    let wait = format!("until ss -Hlnt 'sport = :{port}' | grep -q .; do :; done");
    machine.run(&["timeout", "60", "sh", "-c", &wait]);
}
