//! Logins that let `rdc` in and then stand in its way, on a real machine: nothing secret is sent to
//! them, and what they do is told with what mends it.

use std::fs;
use std::process::Stdio;

use crate::test_machine::TestMachine;
use crate::workstation::Workstation;

const TOKEN: &str = "cfT0ken-of-the-login-test-90c3a1";
const PUSH: [&str; 3] = ["context", "push-infra", "server-1"];
/// Where a lent program may lie.
const LENT: &str = "/tmp /run /var/lib /dev/shm /var/tmp";

#[test]
fn a_login_that_runs_something_else_hears_no_secret() {
    let (machine, workstation) = pushed("login");
    for (script, message) in [
        ("exec fish", "starts another program in the command's place"),
        ("exec tcsh", "starts another program in the command's place"),
        (
            "exec perl 2>&1",
            "starts another program in the command's place",
        ),
        (
            "exec sh -i",
            "starts another program in the command's place",
        ),
        ("exec cat >>/tmp/heard", "starts another program"),
        ("cat >>/tmp/heard", "login scripts waits for standard input"),
        (
            "read -r line; echo \"$line\" >>/tmp/heard",
            "waits for standard input",
        ),
        ("exec true", "runs no commands, and does not say why"),
    ] {
        login_script(&machine, script);
        let answer = workstation.run(&PUSH).code(4);
        answer.told(&[message]);
        let hint = [".bashrc", "chsh"];
        assert!(
            hint.iter().any(|hint| answer.stderr.contains(hint)),
            "{}",
            answer.stderr
        );
    }
    let status = ["--json", "context", "status-infra", "server-1"];
    let answer = workstation.run(&status).code(4);
    assert_eq!(answer.json()["error"]["code"], "unreachable");
    let heard = machine.run(&["cat", "/tmp/heard"]);
    assert_eq!(heard.trim(), "", "the login heard something");
    login_script(&machine, "");
    reaches(&workstation);
}

#[test]
fn what_keeps_a_login_from_root_is_told() {
    let (machine, workstation) = pushed("root");
    let sudoers = |line: &str| {
        let write = "cat >/etc/sudoers.d/zz; chmod 0440 /etc/sudoers.d/zz";
        machine.run_with_input(&["sh", "-c", write], line);
    };
    for (line, message, hint) in [
        (
            "Defaults:operator requiretty\n",
            "works on a terminal only (`requiretty`)",
            "/etc/sudoers.d/rediacc on the machine: Defaults:operator !requiretty",
        ),
        (
            "operator ALL=(ALL) PASSWD: ALL\n",
            "a password is required",
            "operator ALL=(ALL) NOPASSWD: ALL",
        ),
    ] {
        sudoers(line);
        workstation.run(&PUSH).code(6).told(&[message, hint]);
    }
    machine.run(&["rm", "/etc/sudoers.d/zz"]);
    reaches(&workstation);
}

#[test]
fn what_is_in_between_says_why_it_lets_nobody_through() {
    let machine = TestMachine::bare("between");
    let workstation = Workstation::new(&[]);
    workstation.context("default", machine.env("SSH_KEY").as_ref());
    let far = format!(
        "Host far\n  HostName {}\n  User root\n",
        machine.env("ADDR")
    );
    let config = workstation.path(".ssh/config");
    fs::write(&config, &far).expect("it is written");
    let add = ["--ssh-config-host", "far"];
    workstation.declare("default", "server-1", &add, &machine);
    let status = ["context", "status-infra", "server-1"];
    workstation.run(&status).code(1);

    let tunnel = workstation.path("tunnel");
    let through = format!("{far}  ProxyCommand sh {}\n", tunnel.display());
    fs::write(&config, through).expect("it is written");
    let says = |script: &str| fs::write(&tunnel, script).expect("it is written");
    says("echo 'ERROR: your session has expired, run: tunnel login' >&2; exit 1");
    for words in [&PUSH[..], &status, &["context", "scan-keys", "server-1"]] {
        let answer = workstation.run(words).code(4);
        answer.told(&[
            "your session has expired, run: tunnel login",
            "`ProxyCommand`",
        ]);
    }
    // It may also say so and wait, for somebody who logs in elsewhere.
    says("echo 'open https://login.example.com' >&2; exec sleep 600");
    workstation
        .run(&PUSH)
        .code(4)
        .told(&["open https://login.example.com", "`ProxyCommand`"]);
}

#[test]
fn a_machine_that_runs_no_programs_in_tmp_lends_another_place_and_keeps_nothing() {
    let (machine, workstation) = pushed("noexec");
    let shell = |script: &str| machine.run(&["sh", "-c", script]);
    let mount = |place: &str| {
        shell(&format!(
            "mount --bind {place} {place}; mount -o remount,bind,noexec {place}"
        ));
    };
    shell("mv /usr/lib/rediacc/renet /root");
    mount("/tmp");
    let dry_run = [&PUSH[..], &["--dry-run"]].concat();
    let remove = ["context", "remove-infra", "server-1", "--dry-run"];

    let plan = workstation.run(&dry_run).done();
    assert!(
        plan.stdout.contains("upload   /usr/lib/rediacc/renet/"),
        "{}",
        plan.all()
    );
    workstation.run(&[&PUSH[..], &["--check"]].concat()).code(3);
    let plan = workstation.run(&remove).done();
    assert!(
        plan.stdout.contains("stop     rediacc-proxy.service"),
        "{}",
        plan.all()
    );
    let status = workstation
        .run(&["context", "status-infra", "server-1"])
        .code(1);
    assert!(
        status.stdout.contains("rediacc-proxy.service"),
        "{}",
        status.all()
    );
    assert_eq!(lent(&machine), "");

    // Whatever becomes of the workstation, the lent program goes.
    let mut rdc = workstation.command(&dry_run);
    let rdc = rdc
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut rdc = rdc.spawn().expect("rdc starts");
    shell(&format!(
        "timeout 60 sh -c 'until find {LENT} -maxdepth 1 -name rdc-lent-\\* | grep -q .; do :; done'"
    ));
    rdc.kill().expect("it is there to be killed");
    rdc.wait().expect("it ends");
    shell(&format!(
        "timeout 60 sh -c 'while find {LENT} -maxdepth 1 -name rdc-lent-\\* | grep -q .; do :; done'"
    ));

    for place in LENT.split(' ').skip(1) {
        mount(place);
    }
    let remove = ["context", "remove-infra", "server-1", "--yes"];
    let rollback = ["context", "rollback-infra", "server-1", "--yes"];
    let nowhere = "mounted noexec: /tmp /run /var/lib /dev/shm /var/tmp";
    for (words, message) in [
        (&dry_run[..], nowhere),
        (&remove, nowhere),
        (&rollback, "nothing was done on server-1"),
    ] {
        workstation.run(words).code(6).told(&[message]);
    }
    shell("systemctl is-active rediacc-proxy.service");

    // Where programs cannot be run in their own place either, it is named.
    shell("mv /root/renet /usr/lib/rediacc/renet");
    mount("/usr/lib/rediacc");
    for words in [&remove[..], &rollback] {
        let answer = workstation.run(words).code(6);
        assert!(
            !answer.stdout.contains("nothing to remove"),
            "{}",
            answer.all()
        );
    }
    workstation.run(&rollback).code(6).told(&[
        "/usr/lib/rediacc/renet/",
        "cannot be run there",
        "findmnt --target",
    ]);
    let push = workstation.run(&PUSH).code(6);
    push.told(&["/usr/lib/rediacc", "noexec"]);
    shell(&format!("umount /usr/lib/rediacc {LENT}"));
    reaches(&workstation);
    assert_eq!(lent(&machine), "");
}

/// A machine that was pushed to by a user with sudo, with a token.
fn pushed(role: &str) -> (TestMachine, Workstation) {
    let machine = TestMachine::bare(role);
    let workstation = Workstation::new(&[TOKEN]);
    workstation.context("default", machine.env("SSH_KEY").as_ref());
    let way = ["--ip", machine.env("ADDR"), "--user", "operator"];
    workstation.declare("default", "server-1", &way, &machine);
    let set = ["context", "set-infra", "server-1", "--cf-dns-token-file"];
    let directory = machine.env("ACME_DIRECTORY");
    let acme = [
        "-",
        "--cert-email",
        "a@example.test",
        "--acme-ca-server",
        directory,
    ];
    workstation.rdc_with_input(&[&set[..], &acme].concat(), TOKEN);
    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    workstation.rdc(&[&PUSH[..], &traefik].concat());
    (machine, workstation)
}

/// Puts a line before everything else that a login of the user runs.
fn login_script(machine: &TestMachine, line: &str) {
    let write = "{ cat; echo; cat /etc/skel/.bashrc; } >/home/operator/.bashrc";
    machine.run_with_input(&["sh", "-c", write], line);
}

fn lent(machine: &TestMachine) -> String {
    let find = format!("find {LENT} -maxdepth 1 -name 'rdc-lent-*'");
    machine.run(&["sh", "-c", &find])
}

#[track_caller]
fn reaches(workstation: &Workstation) {
    let answer = workstation.run(&PUSH).done();
    assert!(
        answer.stdout.contains("nothing changed"),
        "{}",
        answer.all()
    );
}
