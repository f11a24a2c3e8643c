//! What machines and operators may be like, and tests seldom are: another shell, firewalls, programs
//! that somebody removed, generations of an older version, many machines at once of which some are
//! silent, and commands that are broken off.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::rdc::{Answer, Rdc};
use crate::terminal::Terminal;
use crate::test_machine::{TestMachine, stdout_of};
use crate::workstation::Workstation;

/// What a push says that has nothing to do.
const UP_TO_DATE: &str = "nothing changed, nothing restarted";
/// How long a connection to a port may take that a firewall drops. Nothing is judged by it.
const DROPPED: Duration = Duration::from_millis(500);

#[test]
fn machines_that_tests_seldom_have_work_or_say_why_not() {
    let world = World::up();
    a_login_shell_of_zsh(&world);
    a_jump_host_known_by_a_hashed_name(&world);
    an_sshd_with_one_session_a_connection(&world);
    a_firewall_that_opens_nothing_is_told_with_what_opens_it(&world);
    thirty_machines_of_which_twenty_do_not_answer(&world);
    nobody_pushes_who_has_left_while_waiting(&world);
    a_generation_of_an_older_version_can_be_left_again(&world);
    a_generation_without_its_programs_is_not_gone_back_to(&world);
}

fn a_login_shell_of_zsh(world: &World) {
    let machine = &world.machine;
    machine.run(&["usermod", "--shell", "/usr/bin/zsh", "operator"]);
    let options = "setopt NULL_GLOB KSH_ARRAYS RC_QUOTES CSH_JUNKIE_QUOTES EXTENDED_GLOB XTRACE\n\
                   print -n 'no end'; print oh >&2\n";
    let write = "cat >/home/operator/.zshenv";
    machine.run_with_input(&["sh", "-c", write], options);
    world.is_up_to_date("m");
    // An upload goes through it too.
    machine.run(&["rm", "-r", "/usr/lib/rediacc/renet"]);
    let plan = world.push(&["m", "--dry-run"]).done();
    assert!(plan.stdout.contains("upload   /usr/lib/rediacc/renet/"));
    world.push(&["m"]).done();
    world.is_up_to_date("m");
    machine.run(&["rm", "/home/operator/.zshenv"]);
    machine.run(&["usermod", "--shell", "/bin/bash", "operator"]);
}

/// The machine is the jump host, and what lies behind it.
fn a_jump_host_known_by_a_hashed_name(world: &World) {
    let known = world.workstation.path(".ssh/known_hosts");
    fs::copy(world.machine.env("KNOWN_HOSTS"), &known).expect("it is copied");
    stdout_of(Command::new("ssh-keygen").arg("-qHf").arg(&known));
    let text = fs::read_to_string(&known).expect("it is read");
    assert!(!text.contains(world.machine.env("ADDR")), "{text}");
    let (address, key) = (world.machine.env("ADDR"), world.machine.env("SSH_KEY"));
    let config = format!(
        "HashKnownHosts yes\nHost gate\n  HostName {address}\n  User root\n  IdentityFile {key}\n\
         Host inner\n  HostName 127.0.0.1\n  User root\n  ProxyJump gate\n"
    );
    fs::write(world.workstation.path(".ssh/config"), config).expect("it is written");
    let way = ["--ssh-config-host", "inner"];
    world
        .workstation
        .declare("default", "inner", &way, &world.machine);
    world.is_up_to_date("inner");
    let scan = world.workstation.rdc(&["context", "scan-keys", "inner"]);
    assert!(scan.contains("unchanged"), "{scan}");
    let forget = ["context", "remove-machine", "inner"];
    world.workstation.rdc(&forget);
}

/// A session that ends and the next one overlap for a moment, which one connection may not have here.
fn an_sshd_with_one_session_a_connection(world: &World) {
    world.sshd("MaxSessions 1");
    for _ in 0..3 {
        world.machine.run(&["rm", "-r", "/usr/lib/rediacc/renet"]);
        world.push(&["m", "--dry-run"]).done();
        world.push(&["m"]).done();
    }
    world.sshd("");
}

fn a_firewall_that_opens_nothing_is_told_with_what_opens_it(world: &World) {
    let machine = &world.machine;
    let ufw = "ufw allow 22/tcp && ufw --force enable";
    let firewalld = "ufw --force disable && systemctl start firewalld";
    for (begin, opens) in [
        (ufw, "`ufw allow 80,443/tcp` opens them"),
        (
            firewalld,
            "`firewall-cmd --zone=public --add-port=80/tcp --add-port=443/tcp` and \
             `firewall-cmd --runtime-to-permanent` open them",
        ),
    ] {
        world.shell(begin);
        let answer = world.push(&["m"]).done();
        let warning = "is active and has no rule that opens 80/tcp, 443/tcp for visitors: `";
        assert!(answer.stderr.contains(warning), "{}", answer.all());
        assert!(answer.stderr.contains(opens), "{}", answer.all());
        let json = world.push(&["m", "--dry-run", "--json"]).done().json();
        assert!(
            json["warnings"][0]
                .as_str()
                .is_some_and(|it| it.contains(opens))
        );
        let status = ["context", "status-infra", "m"];
        let status = world.workstation.run(&status).done().stdout;
        assert!(status.contains(opens), "{status}");
        assert!(!reaches(machine, 443), "{begin}: nothing is closed");
        // What was told is what helps.
        for command in opens.split('`').skip(1).step_by(2) {
            world.shell(command);
        }
        assert!(reaches(machine, 443), "{opens}: it is closed");
        let answer = world.push(&["m"]).done();
        assert_eq!(answer.stderr, "");
    }
    world.shell("systemctl stop firewalld");
}

/// Ten are one and the same machine, ten take the connection and say nothing, at ten nobody listens.
fn thirty_machines_of_which_twenty_do_not_answer(world: &World) {
    // All log in at once.
    world.sshd("MaxStartups 100");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = |listener: &TcpListener| listener.local_addr().expect("its address").port();
    let ports = [22, port(&silent), port(&closed)];
    drop(closed);
    let file = world.workstation.path("config/rediacc/default.toml");
    let before = fs::read_to_string(&file).expect("the context");
    let keys = before
        .lines()
        .find(|line| line.starts_with("host_keys"))
        .expect("keys");
    let address = world.machine.env("ADDR");
    let key = before.lines().next().expect("the key's line");
    let mut context = format!("{key}\n");
    for number in 0..30 {
        let (kind, port) = (["good", "mute", "shut"][number % 3], ports[number % 3]);
        let ip = if port == 22 { address } else { "127.0.0.1" };
        context.push_str(&format!(
            "[machines.{kind}-{number}]\nip = \"{ip}\"\nuser = \"operator\"\nport = {port}\n{keys}\n\
             [machines.{kind}-{number}.infra]\npublic_ipv4 = \"{address}\"\n"
        ));
    }
    fs::write(&file, context).expect("it is written");
    let config = "Host *\n  ConnectTimeout 2\n";
    fs::write(world.workstation.path(".ssh/config"), config).expect("it is written");

    let all = ["context", "status-infra", "--all", "--jobs", "30"];
    let answer = world.workstation.run(&all).code(4);
    assert_eq!(answer.stdout.matches(": well").count(), 10);
    for number in 0..30 {
        let kind = ["good", "mute", "shut"][number % 3];
        let error = format!("error: {kind}-{number}: cannot connect to machine");
        let times = usize::from(kind != "good");
        assert_eq!(answer.stderr.matches(&error).count(), times, "{error}");
    }
    // All have the same.
    assert_eq!(answer.stderr.matches("hint: ").count(), 1);
    let json = [&all[..], &["--json"]].concat();
    let json = world.workstation.run(&json).code(4).json();
    let machines = json["machines"].as_array().expect("all machines");
    let unreachable = |machine: &&serde_json::Value| machine["error"]["code"] == "unreachable";
    assert_eq!(machines.iter().filter(unreachable).count(), 20);

    fs::write(&file, before).expect("it is written");
    fs::remove_file(world.workstation.path(".ssh/config")).expect("it goes");
    drop(silent);
}

fn nobody_pushes_who_has_left_while_waiting(world: &World) {
    world.set(&["--tcp-ports", "2525"]);
    // Held until its input ends.
    let mut holder = world
        .machine
        .command(&["flock", "/etc/rediacc/.lock", "sh", "-c", "echo held; cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock starts");
    let held = BufReader::new(holder.stdout.take().expect("a pipe"));
    assert!(held.lines().next().is_some(), "nobody holds the lock");
    let wait = ["context", "push-infra", "m", "--yes", "--lock-wait", "10m"];
    let rdc = world
        .workstation
        .command(&wait)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let renet = "until pgrep -f '^/usr/lib/[^ ]* infra .*apply'; do :; done";
    world.shell(renet);
    interrupt(&rdc, "INT");
    assert_eq!(code(rdc), 130);
    // It is not the end of the lock that it waits for now.
    world.shell("while pgrep -f '^/usr/lib/[^ ]* infra .*apply' >/dev/null; do :; done");
    drop(holder.stdin.take());
    holder.wait().expect("it ends");
    world.push(&["m", "--check"]).code(3);
}

/// Traefik is started by its unit itself there, and shares its entry points with no other one.
fn a_generation_of_an_older_version_can_be_left_again(world: &World) {
    let unit = "rediacc-proxy.service";
    let own = "/etc/rediacc/current/traefik --configFile=/etc/rediacc/current/traefik.yml";
    world.shell(&format!(
        "cd /etc/rediacc/generations/1; \
         sed -i -e 's|^ExecStart=.*|ExecStart={own}|' -e '/^RuntimeDirectory=/d' {unit}; \
         sed -i /REDIACC_TOKEN_FILE/d router.env; \
         sed -i -e /headers:/d -e /Authorization:/d traefik.yml"
    ));
    world.push(&["m", "--yes"]).done();
    let to = |number: &str| {
        let back = ["context", "rollback-infra", "m", "--yes", "--to", number];
        world.workstation.run(&back).done()
    };
    let answer = to("1").stderr;
    assert!(answer.contains("generation 1 was edited"), "{answer}");
    let program = "readlink /proc/$(systemctl show --property=MainPID --value \
                   rediacc-proxy.service)/exe";
    assert!(world.shell(program).contains("/traefik/"));
    // The first one that shares has nobody to share with.
    to("2");
    world.workstation.rdc(&["context", "status-infra", "m"]);
}

fn a_generation_without_its_programs_is_not_gone_back_to(world: &World) {
    let running = "systemctl show --property=MainPID --value rediacc-proxy.service; \
                   readlink /etc/rediacc/current";
    let before = world.shell(running);
    let generation = "/etc/rediacc/generations/1";
    let gone = "/usr/lib/rediacc/traefik/gone/traefik";
    world.shell(&format!(
        "ln -sfn {gone} {generation}/traefik; rm {generation}/router.env"
    ));
    for dry_run in [&[][..], &["--dry-run"]] {
        let back = ["context", "rollback-infra", "m", "--yes", "--to", "1"];
        let answer = world
            .workstation
            .run(&[&back[..], dry_run].concat())
            .code(6);
        for sign in [
            "the `traefik` of generation 1 is gone from the machine",
            gone,
            "router.env of generation 1 is gone",
            "hint: nothing was changed; go back to another one with `--to`",
        ] {
            assert!(answer.stderr.contains(sign), "{sign}: {}", answer.stderr);
        }
    }
    assert_eq!(world.shell(running), before);
}

// ---------------------------------------------------------------- commands that are broken off

#[test]
fn whatever_ends_a_command_ends_its_ssh_too() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port().to_string();
    let rdc = Rdc::new();
    fs::create_dir(rdc.path("tmp")).expect("a folder");
    let key = rdc.path("key").display().to_string();
    rdc.run(&["context", "create-local", "default", "--ssh-key", &key])
        .done();
    let way = ["--ip", "127.0.0.1", "--port", &port, "--user", "root"];
    let add = ["context", "add-machine", "server-1", "--no-scan"];
    rdc.run(&[&add[..], &way].concat()).done();
    let set = [
        "context",
        "set-infra",
        "server-1",
        "--public-ipv4",
        "203.0.113.50",
    ];
    rdc.run(&set).done();
    let keys = "host_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKWq1j/P/nJYvTYLyPamQqfts5HvuDIDnCAeTIy4b82T\"]";
    let section = "[machines.server-1]";
    let text = rdc.text().replace(section, &format!("{section}\n{keys}"));
    fs::write(rdc.file("default"), text).expect("it is written");

    for verb in ["push-infra", "status-infra", "rollback-infra"] {
        for signal in ["INT", "TERM", "HUP"] {
            let child = rdc
                .process(&["context", verb, "server-1"])
                .env("TMPDIR", rdc.path("tmp"))
                .stderr(Stdio::null())
                .spawn()
                .expect("rdc starts");
            let (connection, _) = silent.accept().expect("ssh connects");
            interrupt(&child, signal);
            assert_eq!(code(child), 130, "{verb} {signal}");
            // That `ssh` is gone, and what it had with it.
            std::io::copy(&mut &connection, &mut std::io::sink()).expect("its end");
            let left = fs::read_dir(rdc.path("tmp")).expect("a folder").count();
            assert_eq!(left, 0, "{verb} {signal}");
        }
    }
}

#[test]
fn a_question_that_is_broken_off_leaves_the_terminal_as_it_was() {
    let rdc = Rdc::with_machine();
    let config = rdc.path("config").display().to_string();
    let program = env!("CARGO_BIN_EXE_rdc");
    for (words, question) in [
        ("remove default", "[y/N]"),
        ("set-infra server-1", "public IPv4 address"),
        // Typed without an echo.
        ("set-infra server-1", "Cloudflare API token"),
    ] {
        let mut terminal = Terminal::start(&format!(
            "sh -c 'trap : INT; XDG_CONFIG_HOME={config} NO_COLOR=1 {program} context {words}; echo code $?; stty -a'"
        ));
        if question.starts_with("Cloudflare") {
            for line in ["IPv4", "IPv6", "domain", "e-mail", "TCP", "UDP", "belongs"] {
                terminal.shows(line);
                terminal.types("\r");
            }
        }
        terminal.shows(question);
        terminal.types("\u{3}");
        let (_, screen) = terminal.end();
        assert!(screen.contains("code 130"), "{words}: {screen}");
        assert!(
            screen.contains("interrupted: nothing was changed"),
            "{screen}"
        );
        assert!(
            screen.contains(" echo "),
            "no echo after {question}: {screen}"
        );
        assert!(screen.contains(" icanon "), "{screen}");
        let (hidden, shown) = ("\u{1b}[?25l", "\u{1b}[?25h");
        assert!(
            screen.rfind(hidden) <= screen.rfind(shown),
            "{question}: {screen:?}"
        );
    }
}

// ---------------------------------------------------------------- helpers

/// A workstation, and a machine that it pushed to, as `m`.
struct World {
    machine: TestMachine,
    workstation: Workstation,
}

impl World {
    fn up() -> Self {
        let machine = TestMachine::bare("situations");
        let workstation = Workstation::new(&[]);
        workstation.context("default", machine.env("SSH_KEY").as_ref());
        let way = ["--ip", machine.env("ADDR"), "--user", "operator"];
        workstation.declare("default", "m", &way, &machine);
        let world = Self {
            machine,
            workstation,
        };
        let traefik = ["--traefik-binary", world.machine.env("TRAEFIK")];
        world.push(&[&["m"][..], &traefik].concat()).done();
        world
    }

    #[track_caller]
    fn push(&self, words: &[&str]) -> Answer {
        let push = ["context", "push-infra"];
        self.workstation.run(&[&push[..], words].concat())
    }

    #[track_caller]
    fn is_up_to_date(&self, name: &str) {
        let answer = self.push(&[name]).done();
        assert!(answer.stdout.contains(UP_TO_DATE), "{}", answer.all());
    }

    fn set(&self, words: &[&str]) {
        let set = ["context", "set-infra", "m"];
        self.workstation.rdc(&[&set[..], words].concat());
    }

    fn shell(&self, script: &str) -> String {
        self.machine.run(&["sh", "-c", script])
    }

    /// Sets something of the machine's sshd.
    fn sshd(&self, setting: &str) {
        self.shell(&format!(
            "echo '{setting}' >/etc/ssh/sshd_config.d/situation.conf && \
             systemctl reset-failed ssh && systemctl restart ssh"
        ));
    }
}

/// Whether a port of a machine can be reached from outside.
fn reaches(machine: &TestMachine, port: u16) -> bool {
    let mut addresses = (machine.env("ADDR"), port)
        .to_socket_addrs()
        .expect("an address");
    let address = addresses.next().expect("an address");
    TcpStream::connect_timeout(&address, DROPPED).is_ok()
}

fn interrupt(child: &Child, signal: &str) {
    let signal = format!("-{signal}");
    stdout_of(Command::new("kill").args([signal, child.id().to_string()]));
}

fn code(mut child: Child) -> i32 {
    let status = child.wait().expect("it ends");
    status.code().expect("it ended by itself")
}
