//! SSH as people have it, on a real sshd: whatever brings `ssh` to a machine brings `rdc` there,
//! and what does not is told with the layer that refused and what mends it.

use std::fs;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::rdc::Answer;
use crate::test_machine::{TestMachine, stdout_of};
use crate::workstation::Workstation;

/// How long anything may take that has no event to wait for. Nothing is judged by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key that is well-formed and nobody's.
const FOREIGN_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKWq1j/P/nJYvTYLyPamQqfts5HvuDIDnCAeTIy4b82T";

/// What a push says that reached the machine, which is up to date since the first.
const REACHED: &str = "nothing changed, nothing restarted";

#[test]
fn what_brings_ssh_to_a_machine_brings_rdc_there() {
    let machine = TestMachine::bare("ssh");
    let workstation = Workstation::new(&[]);
    second_sshd(&machine, &["ed25519"]);
    write_ssh_config(&workstation, &machine);
    workstation.context("default", &key(&machine));
    first_push(&workstation, &machine);

    another_port_and_an_alias(&workstation, &machine);
    a_link_local_address(&workstation, &machine);
    through_a_jump_host(&workstation, &machine);
    an_address_wins_over_the_alias_but_not_for_the_jump_host(&workstation, &machine);
    keys_in_an_agent(&machine);
    shells_that_are_not_sh(&workstation, &machine);
    a_login_that_prints(&workstation, &machine);
    a_machine_that_shows_another_key(&workstation, &machine);
    all_of_it_is_told(&workstation);
}

#[test]
fn what_keeps_ssh_from_a_machine_is_told_with_what_mends_it() {
    let machine = TestMachine::bare("nossh");
    let workstation = Workstation::new(&[]);
    second_sshd(&machine, &["ed25519"]);
    write_ssh_config(&workstation, &machine);
    workstation.context("default", &key(&machine));
    first_push(&workstation, &machine);

    keys_that_cannot_be_used(&machine);
    sudo_that_does_not_let_in(&workstation, &machine);
    a_login_without_a_shell(&workstation, &machine);
    // Each waits for a time-out.
    std::thread::scope(|scope| {
        scope.spawn(|| nobody_at_the_address(&machine));
        scope.spawn(|| a_silent_address(&machine));
        scope.spawn(|| a_connection_that_breaks(&machine));
        scope.spawn(|| an_address_that_hangs_up(&machine));
        scope.spawn(|| an_sshd_that_is_busy_for_a_moment(&machine));
    });
}

fn first_push(workstation: &Workstation, machine: &TestMachine) {
    let way = ["--ip", machine.env("ADDR"), "--user", "operator"];
    workstation.declare("default", "server-1", &way, machine);
    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    workstation.rdc(&[&["context", "push-infra", "server-1"][..], &traefik].concat());
}

// ---------------------------------------------------------------- what works

fn another_port_and_an_alias(workstation: &Workstation, machine: &TestMachine) {
    let way = [
        "--ip",
        machine.env("ADDR"),
        "--user",
        "root",
        "--port",
        "2222",
    ];
    workstation.declare("default", "other-port", &way, machine);
    reaches(workstation, "default", "other-port");
    // The alias names the address, the port and the user.
    workstation.declare(
        "default",
        "alias",
        &["--ssh-config-host", "by-alias"],
        machine,
    );
    reaches(workstation, "default", "alias");
    assert!(context_file(workstation).contains("ssh_config_host = \"by-alias\""));
}

/// Behind the jump host is an sshd with a key of its own, on an address that leads elsewhere
/// from here.
fn a_link_local_address(workstation: &Workstation, machine: &TestMachine) {
    let shown = machine.run(&["ip", "-6", "-o", "addr", "show", "eth0", "scope", "link"]);
    let address = shown.split_whitespace().nth(3).expect("an address");
    let address = address.split('/').next().expect("without its length");
    let way = stdout_of(Command::new("ip").args(["-o", "route", "get", machine.env("ADDR")]));
    let mut words = way.split_whitespace().skip_while(|word| *word != "dev");
    let interface = words.nth(1).expect("the machine's link");
    let scoped = format!("[{address}%{interface}]");

    let way = ["--ip", &scoped, "--user", "operator"];
    workstation.declare("default", "by-link", &way, machine);
    reaches(workstation, "default", "by-link");
    // `ssh` replaces what stands behind a `%` in its `HostName`.
    let way = ["--ssh-config-host", "anybody", "--ip", &scoped];
    let way = [&way[..], &["--user", "operator"]].concat();
    workstation.declare("default", "by-link-and-alias", &way, machine);
    reaches(workstation, "default", "by-link-and-alias");
}

fn through_a_jump_host(workstation: &Workstation, machine: &TestMachine) {
    let add = [
        "context",
        "add-machine",
        "inner",
        "--ssh-config-host",
        "inner",
    ];
    let answer = workstation.run(&add).code(4);
    answer.told(&[
        "on the way, ",
        "Host key verification failed",
        "hint: log in to the host in between",
    ]);

    let known = fs::read(machine.env("KNOWN_HOSTS")).expect("the machine's keys");
    fs::write(workstation.path(".ssh/known_hosts"), known).expect("it is written");
    workstation.rdc(&add);
    workstation.set_infra("default", "inner", machine);
    let inner = machine.run(&["cat", "/etc/ssh/second_ed25519.pub"]);
    let inner = inner.split_whitespace().nth(1).expect("a key");
    assert!(
        context_file(workstation).contains(inner),
        "another sshd's key was stored"
    );
    reaches(workstation, "default", "inner");
    let scan = workstation.rdc(&["context", "scan-keys", "inner"]);
    assert!(scan.contains("unchanged"), "{scan}");

    // Once the machine is known, it may still be the jump host that is not.
    fs::write(workstation.path(".ssh/known_hosts"), "").expect("it is written");
    let answer = workstation.run(&["context", "push-infra", "inner"]).code(4);
    answer.told(&["on the way, ", "hint: log in to the host in between"]);
    let known = fs::read(machine.env("KNOWN_HOSTS")).expect("the machine's keys");
    fs::write(workstation.path(".ssh/known_hosts"), known).expect("it is written");
}

fn an_address_wins_over_the_alias_but_not_for_the_jump_host(
    workstation: &Workstation,
    machine: &TestMachine,
) {
    let way = [
        "--ssh-config-host",
        "elsewhere",
        "--ip",
        "127.0.0.1",
        "--port",
        "2200",
    ];
    let way = [&way[..], &["--user", "root"]].concat();
    workstation.declare("default", "overridden", &way, machine);
    reaches(workstation, "default", "overridden");
}

fn keys_in_an_agent(machine: &TestMachine) {
    let mut workstation = Workstation::new(&[]);
    write_ssh_config(&workstation, machine);
    let agent = Agent::start(&workstation);
    // The context has the public half alone.
    let public = workstation.path("agent.pub");
    fs::copy(key(machine).with_extension("pub"), &public).expect("it is copied");
    workstation.context("agent", &public);
    let way = ["--ip", machine.env("ADDR"), "--user", "root"];
    workstation.declare("agent", "server-1", &way, machine);
    let answer = push(&workstation, "agent", "server-1").code(4);
    answer.told(&["Permission denied", "no agent holds the private half"]);

    agent.add(&key(machine), "");
    workstation.set(
        "SSH_AUTH_SOCK",
        agent.socket.to_str().expect("a plain path"),
    );
    reaches(&workstation, "agent", "server-1");

    // An alias logs in as it does by hand: by any key of the agent that it names.
    workstation.set("SSH_AUTH_SOCK", "/nonexistent");
    workstation.context("other", &new_key(&workstation, "unknown", ""));
    workstation.declare(
        "other",
        "server-1",
        &["--ssh-config-host", "by-agent"],
        machine,
    );
    reaches(&workstation, "other", "server-1");

    // A passphrase is the agent's business.
    let locked = workstation.path("locked");
    fs::copy(key(machine), &locked).expect("it is copied");
    let set = ["-q", "-p", "-P", "", "-N", "correct horse", "-f"];
    stdout_of(Command::new("ssh-keygen").args(set).arg(&locked));
    workstation.context("locked", &locked);
    workstation.declare("locked", "server-1", &way, machine);
    let answer = push(&workstation, "locked", "server-1").code(4);
    let mends = format!("hint: run `ssh-add {}`", locked.display());
    answer.told(&["wants a passphrase, and no agent holds it", &mends]);
    let own = Agent::start(&workstation);
    own.add(&locked, "correct horse");
    workstation.set("SSH_AUTH_SOCK", own.socket.to_str().expect("a plain path"));
    reaches(&workstation, "locked", "server-1");
}

fn shells_that_are_not_sh(workstation: &Workstation, machine: &TestMachine) {
    for shell in ["/usr/bin/fish", "/usr/bin/tcsh"] {
        machine.run(&["usermod", "--shell", shell, "operator"]);
        // So that an upload goes through that shell too.
        machine.run(&["rm", "-r", "/usr/lib/rediacc/renet"]);
        push(workstation, "default", "server-1").done();
        reaches(workstation, "default", "server-1");
    }
    machine.run(&["usermod", "--shell", "/bin/bash", "operator"]);
}

fn a_login_that_prints(workstation: &Workstation, machine: &TestMachine) {
    let noise = "echo Welcome; echo '{\"done\": 1}'; printf '\\377 no end'; echo oh >&2\n";
    let write = "cat - /home/operator/.bashrc >/tmp/new && cp /tmp/new /home/operator/.bashrc";
    machine.run_with_input(&["sh", "-c", write], noise);
    let login = "su operator -c 'SSH_CLIENT=x SHLVL=0 bash -c true' | grep -ac Welcome";
    assert_eq!(machine.run(&["sh", "-c", login]).trim(), "1");
    reaches(workstation, "default", "server-1");
    let plan = ["context", "push-infra", "server-1", "--dry-run"];
    machine.run(&["rm", "-r", "/usr/lib/rediacc/renet"]);
    // The machine's architecture is read from a standard error that is not clean either.
    let plan = workstation.rdc(&plan);
    assert!(plan.contains("upload   /usr/lib/rediacc/renet/"), "{plan}");
    push(workstation, "default", "server-1").done();
}

fn a_machine_that_shows_another_key(workstation: &Workstation, machine: &TestMachine) {
    let fingerprint = |kind: &str| {
        let file = format!("/etc/ssh/second_{kind}.pub");
        let line = machine.run(&["ssh-keygen", "-lf", &file]);
        line.split(' ').nth(1).expect("a fingerprint").to_owned()
    };
    let before = fingerprint("ed25519");
    // The same type first, of which `ssh` shows the new key; then another, of which it does not.
    for kind in ["ed25519", "ecdsa"] {
        let before = if kind == "ecdsa" {
            fingerprint("ed25519")
        } else {
            before.clone()
        };
        machine.run(&[
            "rm",
            "-f",
            "/etc/ssh/second_ecdsa",
            "/etc/ssh/second_ed25519",
        ]);
        second_sshd(machine, &[kind]);
        let answer = push(workstation, "default", "other-port").code(4);
        let accept = "rdc context scan-keys other-port --accept-changed";
        let after = fingerprint(kind);
        assert_ne!(before, after);
        answer.told(&["known:\n  ", &before, "found:\n  ", &after, accept]);
        let refused = workstation
            .run(&["context", "scan-keys", "other-port"])
            .code(6);
        refused.told(&[&before, &after, accept]);
        let words: Vec<&str> = accept.split(' ').skip(1).collect();
        workstation.rdc(&words);
        reaches(workstation, "default", "other-port");
    }
}

fn all_of_it_is_told(workstation: &Workstation) {
    let answer = workstation
        .run(&["-vv", "context", "push-infra", "server-1"])
        .done();
    answer.told(&[
        "server-1: ssh to operator@",
        "ServerAliveInterval",
        "Authenticated to",
        "server-1: connected in ",
        "server-1: runs a command: /usr/lib/rediacc/renet/",
        "server-1: it ended after ",
    ]);
    let answer = workstation
        .run(&["context", "push-infra", "server-1"])
        .done();
    assert_eq!(answer.stderr, "");
}

// ---------------------------------------------------------------- what does not

fn keys_that_cannot_be_used(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    let way = ["--ip", machine.env("ADDR"), "--user", "operator"];
    let unknown = new_key(&workstation, "unknown", "");
    let missing = new_key(&workstation, "missing", "");
    // One that would do.
    let exposed = workstation.path("exposed");
    fs::copy(key(machine), &exposed).expect("it is copied");
    for key in [&unknown, &missing, &exposed] {
        let name = key.file_name().expect("a name").to_str().expect("text");
        workstation.context(name, key);
        workstation.declare(name, "server-1", &way, machine);
    }
    fs::remove_file(&missing).expect("it goes");
    fs::remove_file(missing.with_extension("pub")).expect("it goes");
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).expect("its mode");
    for (context, message, hint) in [
        (
            "unknown",
            "Permission denied (publickey",
            "authorized_keys on `server-1`",
        ),
        ("missing", "cannot be read", "ssh_key"),
        ("exposed", "can be read by others", "run `chmod 600 "),
    ] {
        let answer = push(&workstation, context, "server-1").code(4);
        answer.told(&[message, "hint: ", hint]);
    }
}

fn sudo_that_does_not_let_in(workstation: &Workstation, machine: &TestMachine) {
    let line = "/etc/sudoers.d/rediacc on the machine: plain ALL=(ALL) NOPASSWD: ALL";
    let way = ["--ip", machine.env("ADDR"), "--user", "plain"];
    workstation.declare("default", "plain", &way, machine);
    // The user is only in ~/.ssh/config.
    let way = ["--ssh-config-host", "by-alias-plain"];
    workstation.declare("default", "plain-alias", &way, machine);
    for name in ["plain", "plain-alias"] {
        let answer = push(workstation, "default", name).code(6);
        answer.told(&["a password is required", line]);
    }
    machine.run(&["mv", "/usr/bin/sudo", "/usr/bin/sudo.away"]);
    doas_in_the_place_of_sudo(workstation, machine);
    machine.run(&["mv", "/usr/bin/doas", "/usr/bin/doas.away"]);
    let answer = push(workstation, "default", "server-1").code(6);
    answer.told(&["neither `sudo` nor `doas`", "log in as root"]);
    machine.run(&["mv", "/usr/bin/doas.away", "/usr/bin/doas"]);
    machine.run(&["mv", "/usr/bin/sudo.away", "/usr/bin/sudo"]);
}

fn doas_in_the_place_of_sudo(workstation: &Workstation, machine: &TestMachine) {
    let configure = |lines: &str| {
        machine.run_with_input(&["sh", "-c", "cat >/etc/doas.conf"], lines);
    };
    let line = "/etc/doas.conf on the machine, as its last line: permit nopass operator";
    let refused = || {
        let answer = push(workstation, "default", "server-1").code(6);
        answer.told(&["`doas` on the machine does not let this user in", line]);
    };
    refused();
    for lines in ["permit operator\n", "permit nopass nobody\n"] {
        configure(lines);
        refused();
    }
    configure("permit nopass operator\n");
    reaches(workstation, "default", "server-1");
    // So that an upload and a lent program go through it too.
    machine.run(&["rm", "-r", "/usr/lib/rediacc/renet"]);
    let plan = ["context", "push-infra", "server-1", "--dry-run"];
    workstation.run(&plan).done();
    push(workstation, "default", "server-1").done();
    machine.run(&["rm", "/etc/doas.conf"]);
}

fn a_login_without_a_shell(workstation: &Workstation, machine: &TestMachine) {
    machine.run(&["usermod", "--shell", "/usr/sbin/nologin", "operator"]);
    let answer = push(workstation, "default", "server-1").code(4);
    answer.told(&[
            "the login on machine `server-1` runs no commands: This account is currently not available.",
            "chsh -s /bin/sh operator",
        ],
    );
    machine.run(&["usermod", "--shell", "/bin/bash", "operator"]);
}

fn nobody_at_the_address(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    workstation.context("default", &key(machine));
    // Bound and not listened on: nobody else can take the port.
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("its address").port().to_string();
    drop(closed);
    let network = machine.env("ADDR").rsplit_once('.').expect("an address").0;
    let nobody = format!("{network}.77");
    for (name, way, why) in [
        (
            "refused",
            &["--ip", "127.0.0.1", "--port", &port][..],
            "Connection refused",
        ),
        ("unroutable", &["--ip", &nobody], "No route to host"),
        (
            "unresolved",
            &["--ip", "no-such-host.invalid"],
            "Could not resolve hostname",
        ),
    ] {
        let way = [way, &["--user", "root"]].concat();
        let add = ["context", "add-machine", name];
        let answer = workstation.run(&[&add[..], &way].concat()).code(4);
        answer.told(&["cannot reach ", "--no-scan"]);
        declare_unseen(&workstation, name, &way, machine);
        let answer = push(&workstation, "default", name).code(4);
        answer.told(&[why, "rdc context machines"]);
    }
}

/// One takes connections and says nothing, one answers to nothing at all, and of one only the
/// configuration says how long it may take.
fn a_silent_address(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    workstation.context("default", &key(machine));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port();
    let config = format!(
        "Host impatient\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  ConnectTimeout 1\n"
    );
    fs::write(workstation.path(".ssh/config"), config).expect("it is written");
    // The machine forwards nothing, and does not say so; the route goes with its link.
    let network = machine.env("ADDR").split('.').nth(2).expect("an address");
    let blackhole = format!("198.51.100.{network}");
    let route = ["route", "add", &blackhole, "via", machine.env("ADDR")];
    stdout_of(Command::new("ip").args(route));

    let port = port.to_string();
    let taken = ["--ip", "127.0.0.1", "--port", &port, "--user", "root"];
    for (name, way, seconds) in [
        ("silent", &taken[..], "8 s"),
        ("blackhole", &["--ip", &blackhole, "--user", "root"], "8 s"),
        ("impatient", &["--ssh-config-host", "impatient"], "1 s"),
    ] {
        let add = ["context", "add-machine", name];
        let answer = workstation.run(&[&add[..], way].concat()).code(4);
        answer.told(&[&format!("within {seconds}"), "--no-scan"]);
        declare_unseen(&workstation, name, way, machine);
        let answer = push(&workstation, "default", name).code(4);
        answer.told(&[&format!("did not answer within {seconds}"), "hint: "]);
    }
    assert_nothing_left(&workstation);
}

/// As an `sshd` does to an address that failed to log in too often.
fn an_address_that_hangs_up(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    workstation.context("default", &key(machine));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let port = port.to_string();
    let way = ["--ip", "127.0.0.1", "--port", &port, "--user", "root"];
    declare_unseen(&workstation, "server-1", &way, machine);
    let answer = push(&workstation, "default", "server-1").code(4);
    answer.told(&["127.0.0.1 port", "hint: after failed logins", "in a minute"]);
}

/// As an `sshd` that has as many logins under way as it may.
fn an_sshd_that_is_busy_for_a_moment(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    workstation.context("default", &key(machine));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let sshd = format!("{}:22", machine.env("ADDR"));
    let hang_ups = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&hang_ups);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("a connection");
            let take = |left: usize| left.checked_sub(1);
            if left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_err()
            {
                relay(&client, &TcpStream::connect(&sshd).expect("the sshd"));
            }
        }
    });
    let port = port.to_string();
    let way = ["--ip", "127.0.0.1", "--port", &port, "--user", "operator"];
    workstation.declare("default", "server-1", &way, machine);
    hang_ups.store(3, Ordering::SeqCst);
    reaches(&workstation, "default", "server-1");
    assert_eq!(hang_ups.load(Ordering::SeqCst), 0, "it hung up on nobody");
}

/// Hands over what either side sends, until both have ended.
fn relay(client: &TcpStream, server: &TcpStream) {
    for (from, to) in [(client, server), (server, client)] {
        let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        let (mut from, mut to) = (clone(from), clone(to));
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

/// During an upload that takes long enough to be met.
fn a_connection_that_breaks(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    workstation.context("default", &key(machine));
    let way = ["--ip", machine.env("ADDR"), "--user", "operator"];
    workstation.declare("default", "server-1", &way, machine);
    let large = workstation.path("large");
    let head = fs::read(machine.env("TRAEFIK")).expect("a program")[..64].to_vec();
    fs::write(&large, head).expect("it is written");
    let file = fs::File::options()
        .write(true)
        .open(&large)
        .expect("it is there");
    file.set_len(1 << 30).expect("a hole");

    for (end, code, signs) in [
        (
            End::Killed,
            4,
            &["connection to machine `server-1` was lost"][..],
        ),
        (End::Interrupted, 130, &["interrupted"]),
        (End::Frozen, 4, &["was lost", "not responding"]),
    ] {
        // What is left of the upload before would be taken for the next one.
        machine.run(&[
            "find",
            "/usr/lib/rediacc/traefik",
            "-name",
            ".part*",
            "-delete",
        ]);
        let words = ["context", "push-infra", "server-1", "--traefik-binary"];
        let words = [&words[..], &[large.to_str().expect("a plain path")]].concat();
        let mut command = workstation.command(&words);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let rdc = command.spawn().expect("rdc starts");
        let upload = "timeout 60 sh -c 'until find /usr/lib/rediacc/traefik -name .part* | grep -q .; do :; done'; \
                      pgrep --uid operator ^sshd";
        let sshd = machine.run(&["sh", "-c", upload]);
        match end {
            End::Killed => drop(machine.run(&["kill", "-KILL", sshd.trim()])),
            End::Frozen => drop(machine.run(&["kill", "-STOP", sshd.trim()])),
            End::Interrupted => {
                stdout_of(Command::new("kill").args(["-INT", &rdc.id().to_string()]));
            }
        }
        let output = rdc.wait_with_output().expect("rdc ends");
        let answer = workstation.answer(&words, output).code(code);
        answer.told(signs);
        answer.told(&["`rdc context status-infra server-1` shows"]);
    }
    assert_nothing_left(&workstation);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    Interrupted,
    Frozen,
}

// ---------------------------------------------------------------- helpers

fn push(workstation: &Workstation, context: &str, name: &str) -> Answer {
    workstation.run(&["--context", context, "context", "push-infra", name])
}

#[track_caller]
fn reaches(workstation: &Workstation, context: &str, name: &str) {
    let answer = push(workstation, context, name).done();
    assert!(answer.stdout.contains(REACHED), "{}", answer.all());
}

fn key(machine: &TestMachine) -> PathBuf {
    machine.env("SSH_KEY").into()
}

fn new_key(workstation: &Workstation, name: &str, passphrase: &str) -> PathBuf {
    let path = workstation.path(name);
    let make = ["-q", "-t", "ed25519", "-N", passphrase, "-f"];
    stdout_of(Command::new("ssh-keygen").args(make).arg(&path));
    path
}

fn context_file(workstation: &Workstation) -> String {
    fs::read_to_string(workstation.path("config/rediacc/default.toml")).expect("the context")
}

/// Declares a machine that shows no key, with one that was known before.
fn declare_unseen(workstation: &Workstation, name: &str, way: &[&str], machine: &TestMachine) {
    let way = [way, &["--no-scan"]].concat();
    workstation.declare("default", name, &way, machine);
    let section = format!("[machines.{name}]");
    let known = format!("{section}\nhost_keys = [\"{FOREIGN_KEY}\"]");
    let text = context_file(workstation).replace(&section, &known);
    fs::write(workstation.path("config/rediacc/default.toml"), text).expect("it is written");
}

/// An interrupted or broken connection leaves no folder, and so no `ssh` that waits in it.
fn assert_nothing_left(workstation: &Workstation) {
    let start = Instant::now();
    let left = || {
        fs::read_dir(workstation.path("tmp"))
            .expect("a folder")
            .count()
    };
    while left() > 0 {
        assert!(start.elapsed() < PATIENCE, "a connection's folder stays");
        std::thread::yield_now();
    }
}

fn write_ssh_config(workstation: &Workstation, machine: &TestMachine) {
    let (address, key) = (machine.env("ADDR"), machine.env("SSH_KEY"));
    let agent = workstation.path("agent").display().to_string();
    let config = format!(
        "Host by-alias\n  HostName {address}\n  Port 2222\n  User operator\n\
         Host by-alias-plain\n  HostName {address}\n  User plain\n\
         Host by-agent\n  HostName {address}\n  User root\n  IdentityAgent {agent}\n\
         Host gate\n  HostName {address}\n  User operator\n  IdentityFile {key}\n\
         Host inner\n  HostName 127.0.0.1\n  Port 2200\n  User root\n  ProxyJump gate\n\
         Host elsewhere\n  HostName 192.0.2.1\n  ProxyJump gate\n\
         Host by-alias inner\n  LogLevel QUIET\n\
         Host *\n  LocalForward 127.0.0.1:1 127.0.0.1:1\n  \
         ExitOnForwardFailure yes\n  RemoteCommand false\n  ServerAliveInterval 0\n"
    );
    fs::write(workstation.path(".ssh/config"), config).expect("it is written");
}

/// A second sshd: on port 2222 for all, and on port 2200 for the machine itself.
fn second_sshd(machine: &TestMachine, kinds: &[&str]) {
    let mut config = "Port 2222\nListenAddress 0.0.0.0:2222\nListenAddress 127.0.0.1:2200\n\
                      PidFile none\nSubsystem sftp internal-sftp\nUsePAM yes\n"
        .to_owned();
    for kind in kinds {
        let file = format!("/etc/ssh/second_{kind}");
        let make = format!("[ -e {file} ] || ssh-keygen -q -t {kind} -N '' -f {file}");
        machine.run(&["sh", "-c", &make]);
        config.push_str(&format!("HostKey {file}\n"));
    }
    machine.run_with_input(&["sh", "-c", "cat >/etc/ssh/second"], &config);
    let start = "systemctl stop second-sshd 2>/dev/null || true; systemd-run --quiet --collect \
                 --unit=second-sshd --property=Type=notify /usr/sbin/sshd -D -f /etc/ssh/second";
    machine.run(&["sh", "-c", start]);
    let begun = Instant::now();
    while TcpStream::connect((machine.env("ADDR"), 2222)).is_err() {
        assert!(
            begun.elapsed() < PATIENCE,
            "the second sshd does not listen"
        );
        std::thread::yield_now();
    }
}

/// An agent of a workstation.
struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(workstation: &Workstation) -> Self {
        let mut number = 0;
        let socket = loop {
            let name = if number == 0 {
                "agent".to_owned()
            } else {
                format!("agent{number}")
            };
            let path = workstation.path(&name);
            if !path.exists() {
                break path;
            }
            number += 1;
        };
        let mut command = Command::new("ssh-agent");
        command
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null());
        let process = command.spawn().expect("ssh-agent starts");
        let start = Instant::now();
        while !socket.exists() {
            assert!(start.elapsed() < PATIENCE, "the agent does not listen");
            std::thread::yield_now();
        }
        Self { process, socket }
    }

    fn add(&self, key: &PathBuf, passphrase: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let ask = folder.path().join("ask");
        fs::write(&ask, format!("#!/bin/sh\necho '{passphrase}'\n")).expect("it is written");
        fs::set_permissions(&ask, fs::Permissions::from_mode(0o755)).expect("its mode");
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket);
        add.env("SSH_ASKPASS", &ask)
            .env("SSH_ASKPASS_REQUIRE", "force");
        stdout_of(&mut add);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
