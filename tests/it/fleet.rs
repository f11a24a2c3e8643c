//! `push-infra` on several machines: what is found before the first one is touched, and on two real
//! machines plans, questions, edited files, and one machine that is down.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rdc::{Answer, Rdc};
use crate::terminal::Terminal;
use crate::test_machine::TestMachine;

/// A key that is well-formed and nobody's.
const HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKWq1j/P/nJYvTYLyPamQqfts5HvuDIDnCAeTIy4b82T";

/// Unlike any other text, so that it can be searched for in everything that is printed.
const TOKEN: &str = "cfT0ken-of-the-fleet-test-5e71d0";

#[test]
fn what_is_wrong_is_found_before_the_first_machine_is_touched() {
    let rdc = Rdc::with_machine();
    rdc.add_machine("server-2");
    let push = |words: &[&str]| rdc.run(&[&["context", "push-infra"], words].concat());

    let answer = push(&["--all"]).code(2);
    assert!(
        answer
            .stderr
            .contains("no machine of the context `default`"),
        "{}",
        answer.stderr
    );
    rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--public-ipv4",
        "203.0.113.50",
    ])
    .done();
    // Nobody has seen the machines' host keys: who is touched is told of that.
    let untouched = |answer: Answer, message: &str| {
        assert!(answer.stderr.contains(message), "{}", answer.stderr);
        assert!(!answer.stderr.contains("host key"), "{}", answer.stderr);
        assert_eq!(answer.stdout, "");
    };
    untouched(
        push(&["server-1", "sever-2"]).code(2),
        "did you mean `server-2`?",
    );
    untouched(
        push(&["server-1", "server-2"]).code(2),
        "`server-2` has no infrastructure settings",
    );
    untouched(push(&[]).code(2), "--all");
    untouched(push(&["server-1", "--all"]).code(2), "cannot be used with");
    untouched(push(&["server-1", "--jobs", "0"]).code(2), "--jobs");
    untouched(
        push(&["server-1", "--lock-wait", "soon"]).code(2),
        "--lock-wait",
    );

    let answer = push(&["--all"]).code(4);
    assert!(
        answer.stderr.contains("server-2 is skipped"),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("error: server-1: no host key"),
        "{}",
        answer.stderr
    );
    // The same machine twice is one machine, which stands for itself.
    let answer = push(&["server-1", "server-1", "--json"]).code(4);
    assert_eq!(answer.json()["error"]["code"], "unreachable");
}

#[test]
fn a_token_of_several_machines_is_asked_for_once() {
    let rdc = two_machines_at(1);
    let asked = rdc.path("asked");
    let command = format!("cmd:echo once >>{}; echo s3cret", asked.display());
    for name in ["server-1", "server-2"] {
        let token = ["--cf-dns-token", &command, "--cert-email", "a@example.com"];
        rdc.run(&[&["context", "set-infra", name][..], &token].concat())
            .done();
    }
    let answer = rdc
        .run(&["context", "push-infra", "--all", "--json"])
        .code(4);
    assert_eq!(
        fs::read_to_string(asked).expect("it was asked for"),
        "once\n"
    );
    let machines = answer.json()["machines"].clone();
    for (at, name) in ["server-1", "server-2"].into_iter().enumerate() {
        assert_eq!(machines[at]["machine"], name, "{machines}");
        assert_eq!(machines[at]["error"]["code"], "unreachable", "{machines}");
        assert!(machines[at]["error"]["hint"].is_string(), "{machines}");
    }
}

#[test]
fn ctrl_c_ends_all_and_names_every_machine() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let rdc = two_machines_at(silent.local_addr().expect("its address").port());
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdc"))
        .args(["context", "push-infra", "server-1", "server-2"])
        .env("XDG_CONFIG_HOME", rdc.path("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rdc starts");
    let connections: Vec<_> = (0..2).map(|_| silent.accept().expect("ssh")).collect();
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.expect("kill runs").success());
    let status = child.wait().expect("it ends");
    let mut said = String::new();
    drop(connections);
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(status.code(), Some(130), "{said}");
    for line in [
        "error: server-1, server-2: interrupted\n",
        "`rdc context status-infra server-1 server-2` shows",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
}

/// Two machines at a port of this host, as if their host keys had been scanned.
fn two_machines_at(port: u16) -> Rdc {
    let rdc = Rdc::with_machine();
    rdc.run(&["context", "remove-machine", "server-1"]).done();
    let port = port.to_string();
    for name in ["server-1", "server-2"] {
        let way = [
            "--ip",
            "127.0.0.1",
            "--user",
            "root",
            "--port",
            &port,
            "--no-scan",
        ];
        rdc.run(&[&["context", "add-machine", name][..], &way].concat())
            .done();
        rdc.run(&[
            "context",
            "set-infra",
            name,
            "--public-ipv4",
            "203.0.113.50",
        ])
        .done();
        let header = format!("[machines.{name}]");
        let text = rdc
            .text()
            .replace(&header, &format!("{header}\nhost_keys = [\"{HOST_KEY}\"]"));
        fs::write(rdc.file("default"), text).expect("it is written");
    }
    rdc
}

#[test]
fn two_machines_are_planned_asked_about_and_pushed_together() {
    let world = World::up();
    a_first_push_on_a_terminal_does_not_ask(&world);
    plans_tell_what_opens_and_closes(&world);
    a_question_comes_before_a_port_closes(&world);
    what_was_shown_is_what_is_done(&world);
    edits_are_shown_and_overwritten_only_on_demand(&world);
    secrets_are_masked_in_diffs(&world);
    a_plan_says_first_what_is_lost(&world);
    a_machine_that_is_down_keeps_none_from_being_pushed(&world);
}

fn a_first_push_on_a_terminal_does_not_ask(world: &World) {
    let push = ["a", "b", "--traefik-binary", world.a.env("TRAEFIK")];
    let check = [&push[..], &["--check"]].concat();
    let answer = world.push(&check).code(3);
    assert!(
        answer.stdout.contains("a would be changed:"),
        "{}",
        answer.all()
    );
    let quiet = world.push(&[&check[..], &["--quiet"]].concat()).code(3);
    assert_eq!(quiet.all(), "");

    let (code, screen) = world.terminal(&push).end();
    assert_eq!(code, 0, "{screen}");
    for line in [
        "a is up to date (generation 1): started",
        "b is up to date (generation 1)",
    ] {
        assert!(screen.contains(line), "no {line:?} in\n{screen}");
    }
    assert!(!screen.contains("push this"), "{screen}");

    let answer = world.push(&["--all", "--check"]).done();
    assert!(
        answer.stdout.contains("b is up to date"),
        "{}",
        answer.all()
    );
    assert_eq!(
        world.push(&["--all", "--check", "--quiet"]).done().all(),
        ""
    );
    // With nothing to do, nothing is asked either.
    let (code, screen) = world.terminal(&["a", "b"]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("nothing changed, nothing restarted"),
        "{screen}"
    );
}

fn plans_tell_what_opens_and_closes(world: &World) {
    world.set("a", &["--tcp-ports", "2525,2526"]);
    world.set("b", &["--unset", "tcp-ports"]);
    let answer = world.push(&["--all", "--dry-run"]).done();
    let (a, b) = (world.a.env("ADDR"), world.b.env("ADDR"));
    for line in [
        "    update   traefik.yml\n",
        "    restart  rediacc-proxy.service\n",
        &format!("    opens    tcp-2526 ({a}:2526)\n"),
        &format!("    closes   tcp-2525 ({b}:2525)\n"),
    ] {
        assert!(
            answer.stdout.contains(line),
            "no {line:?} in\n{}",
            answer.stdout
        );
    }
    assert!(!answer.stdout.contains("@@"), "{}", answer.stdout);

    let machines = world
        .push(&["--all", "--dry-run", "--diff", "--json"])
        .done();
    let machines = machines.json()["machines"].clone();
    assert_eq!(machines[0]["machine"], "a", "{machines}");
    assert_eq!(
        machines[0]["opens"][0]["entrypoint"], "tcp-2526",
        "{machines}"
    );
    assert_eq!(machines[1]["closes"][0]["address"], b, "{machines}");
    assert_eq!(machines[1]["dry_run"], true, "{machines}");
    let diff = diff_of(&machines[0], "traefik.yml");
    assert!(diff.contains("+  tcp-2526:"), "{diff}");
    let one = world.push(&["a", "--dry-run", "--json"]).done().json();
    assert_eq!(one["machine"], "a", "{one}");
    assert_eq!(one["drift"], Value::Array(Vec::new()), "{one}");
    assert_eq!(one["changed"], true, "{one}");
}

fn a_plan_says_first_what_is_lost(world: &World) {
    world.set("a", &["--base-domain", "example.test"]);
    world.push(&["a", "--yes"]).done();
    let other = [
        "--base-domain",
        "example.org",
        "--cert-email",
        "b@example.test",
    ];
    world.set("a", &other);
    let lost = "a would be changed, and would lose the domain example.test, the certificate \
                account a@example.test at https://127.0.0.1:1/directory:";
    let plan = world.push(&["a", "--dry-run"]).done();
    assert_eq!(plan.stdout.lines().next(), Some(lost));
    let plan = world.push(&["a", "--dry-run", "--json"]).done().json();
    assert_eq!(plan["drops"][0]["what"], "domain", "{plan}");
    assert_eq!(plan["drops"][0]["value"], "example.test", "{plan}");
    assert_eq!(plan["drops"][1]["what"], "certificate_account", "{plan}");
    let mut terminal = world.terminal(&["a"]);
    terminal.shows("push this to a?");
    terminal.types("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains(&format!("{lost}\r\n")), "{screen}");
    assert!(
        screen.contains("dropped the domain example.test"),
        "{screen}"
    );

    // The way back loses what came instead.
    let back = ["context", "rollback-infra", "a", "--dry-run"];
    let plan = world.rdc.run(&back).done().stdout;
    let lost = "a would be changed, and would lose the domain example.org, ";
    assert!(plan.starts_with(lost), "{plan}");
    let own = ["--unset", "base-domain", "--cert-email", "a@example.test"];
    world.set("a", &own);
    world.push(&["a", "--yes"]).done();
}

fn a_question_comes_before_a_port_closes(world: &World) {
    for (keys, code) in [("n", 6), ("\r", 6), ("\u{3}", 130)] {
        let mut terminal = world.terminal(&["a", "b"]);
        terminal.shows("push this to a, b?");
        terminal.types(keys);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, code, "{screen}");
        assert!(screen.contains("nothing was changed"), "{screen}");
        assert!(
            screen.rfind("\u{1b}[?25l") < screen.rfind("\u{1b}[?25h"),
            "the cursor stays hidden: {screen:?}"
        );
        assert_eq!(world.generations(), (1, 1), "{screen}");
    }
    let mut terminal = world.terminal(&["a", "b", "--diff"]);
    terminal.shows("push this to a, b?");
    terminal.types("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    let (question, done) = screen.split_once("push this").expect("a question");
    for shown in [
        "closes",
        "tcp-2525",
        "opens",
        "tcp-2526",
        "3 files, 2 restarts, ",
        "+  tcp-2526:",
    ] {
        assert!(question.contains(shown), "no {shown:?} in\n{screen}");
    }
    assert!(done.contains("b is up to date (generation 2)"), "{screen}");
    assert!(done.contains("closed tcp-2525"), "{screen}");
    assert!(!done.contains("+  tcp-2526:"), "shown twice:\n{screen}");
    assert_eq!(world.generations(), (2, 2));
}

fn what_was_shown_is_what_is_done(world: &World) {
    world.set("a", &["--tcp-ports", "2525"]);
    let mut terminal = world.terminal(&["a"]);
    terminal.shows("push this to a?");
    world.edit("echo MINE=1 >>/etc/rediacc/current/router.env");
    terminal.types("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(
        screen.contains("changed after the plan was shown"),
        "{screen}"
    );
    assert_eq!(world.generations(), (2, 2));
    // The edit was never shown: it needs a question of its own, which nobody can answer here.
    let answer = world.push(&["a"]).code(6);
    assert!(
        answer.stderr.contains("router.env was edited"),
        "{}",
        answer.stderr
    );
    world.push(&["a", "--yes"]).done();
}

fn edits_are_shown_and_overwritten_only_on_demand(world: &World) {
    world.push(&["a", "--check"]).done();
    let edit = format!("echo '# mine {TOKEN}' >>/etc/rediacc/current/traefik.yml");
    world.edit(&edit);
    let shown = [
        "edited on the machine, and overwritten",
        "/etc/rediacc/current/traefik.yml",
        "-# mine ***",
    ];
    let check = world.push(&["a", "--check"]).code(3);
    let dry_run = world.push(&["a", "--dry-run"]).done();
    for text in shown {
        assert!(
            check.stdout.contains(text),
            "no {text:?} in\n{}",
            check.all()
        );
        assert!(
            dry_run.stdout.contains(text),
            "no {text:?} in\n{}",
            dry_run.all()
        );
    }
    let json = world.push(&["a", "--check", "--json"]).code(3).json();
    assert_eq!(json["drift"][0], shown[1], "{json}");
    assert!(diff_of(&json, "traefik.yml").contains(shown[2]), "{json}");

    let refused = world.push(&["a"]).code(6);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let mut terminal = world.terminal(&["a"]);
    terminal.shows("push this to a?");
    terminal.types("n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(!screen.contains(TOKEN), "{screen}");
    for text in shown {
        assert!(screen.contains(text), "no {text:?} in\n{screen}");
    }
    let file = ["cat", "/etc/rediacc/current/traefik.yml"];
    assert!(
        world.a.run(&file).contains("# mine"),
        "a refused push changed it"
    );

    let answer = world.push(&["a", "--yes"]).done();
    assert!(
        answer.stdout.contains("overwrote the edits of"),
        "{}",
        answer.all()
    );
    assert!(answer.stdout.contains(shown[2]), "{}", answer.all());
    assert!(!world.a.run(&file).contains("# mine"));
    world.push(&["a", "--check"]).done();
}

fn secrets_are_masked_in_diffs(world: &World) {
    world.set_token("a", &format!("{TOKEN}-2"));
    let answer = world.push(&["a", "--dry-run", "--diff"]).done();
    assert!(
        answer.stdout.contains("cf-dns-token\n-***\n+***\n"),
        "{}",
        answer.stdout
    );
    let colored = world.push(&["a", "--dry-run", "--diff", "--color", "always"]);
    assert!(colored.done().stdout.contains("\u{1b}[32m+***\u{1b}[0m"));
    let answer = world.push(&["a", "--diff", "-v"]).done();
    assert!(answer.stdout.contains("+***\n"), "{}", answer.stdout);
    assert!(
        answer.stderr.contains("a: restart  rediacc-proxy"),
        "{}",
        answer.stderr
    );
}

fn a_machine_that_is_down_keeps_none_from_being_pushed(world: &World) {
    world.b.run(&["systemctl", "stop", "ssh"]);
    world.set("a", &["--tcp-ports", "2527"]);
    world.set("b", &["--tcp-ports", "2527"]);
    let answer = world.push(&["--all"]).code(4);
    assert!(
        answer.stdout.contains("opened tcp-2527"),
        "{}",
        answer.all()
    );
    let (error, hint) = answer.stderr.split_once("hint: ").expect("a hint");
    assert!(
        error.starts_with("error: b: cannot connect"),
        "{}",
        answer.stderr
    );
    assert!(hint.contains("rdc context machines"), "{}", answer.stderr);

    let json = world.push(&["--all", "--check", "--json"]).code(4).json();
    assert_eq!(json["machines"][0]["changed"], false, "{json}");
    assert_eq!(json["machines"][1]["machine"], "b", "{json}");
    assert_eq!(
        json["machines"][1]["error"]["code"], "unreachable",
        "{json}"
    );

    world.set("a", &["--tcp-ports", "2528"]);
    let mut terminal = world.terminal(&["--all"]);
    terminal.shows("push this to a?");
    terminal.types("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 4, "{screen}");
    assert!(screen.contains("left out, since it failed: b"), "{screen}");
    assert!(screen.contains("opened tcp-2528"), "{screen}");
    assert!(screen.contains("b: cannot connect"), "{screen}");
}

fn diff_of(machine: &Value, file: &str) -> String {
    let diffs = machine["diffs"].as_array().expect("diffs");
    let diff = diffs.iter().find(|diff| diff["file"] == file);
    let diff = diff.unwrap_or_else(|| panic!("no diff of {file} in {machine}"));
    diff["unified"].as_str().expect("a text").to_owned()
}

/// A workstation and two machines, declared as `a` and `b`.
struct World {
    rdc: Rdc,
    a: TestMachine,
    b: TestMachine,
}

impl World {
    fn up() -> Self {
        let (a, b) = (TestMachine::bare("fleeta"), TestMachine::bare("fleetb"));
        let rdc = Rdc::new();
        let key = ["--ssh-key", a.env("SSH_KEY")];
        let public = fs::read_to_string(format!("{}.pub", key[1])).expect("a public key");
        b.run_with_input(&["tee", "-a", "/root/.ssh/authorized_keys"], &public);
        rdc.run(&[&["context", "create-local", "default"][..], &key].concat())
            .done();
        let world = Self { rdc, a, b };
        for (name, machine) in [("a", &world.a), ("b", &world.b)] {
            let address = machine.env("ADDR");
            let way = ["--ip", address, "--user", "root"];
            let add = ["context", "add-machine", name];
            world.rdc.run(&[&add[..], &way].concat()).done();
            world.set(name, &["--public-ipv4", address, "--default-ports", "off"]);
            world.set(
                name,
                &["--tcp-ports", "2525", "--cert-email", "a@example.test"],
            );
            // Nobody answers there: no certificate is asked for in this test.
            world.set(name, &["--acme-ca-server", "https://127.0.0.1:1/directory"]);
            world.set_token(name, TOKEN);
        }
        world
    }

    fn set(&self, name: &str, words: &[&str]) {
        let set = ["context", "set-infra", name];
        self.rdc.run(&[&set[..], words].concat()).done();
    }

    fn set_token(&self, name: &str, token: &str) {
        let file = self.rdc.path("token");
        fs::write(&file, token).expect("it is written");
        let file = file.to_str().expect("a plain path");
        self.set(name, &["--cf-dns-token-file", file]);
    }

    /// Pushes off a terminal. No token is ever printed.
    #[track_caller]
    fn push(&self, words: &[&str]) -> Answer {
        let push = ["context", "push-infra"];
        let answer = self.rdc.run(&[&push[..], words].concat());
        assert!(!answer.all().contains(TOKEN), "{}", answer.all());
        answer
    }

    /// Pushes on a terminal.
    fn terminal(&self, words: &[&str]) -> Terminal {
        let rdc = [env!("CARGO_BIN_EXE_rdc"), "context", "push-infra"];
        let config = self.rdc.path("config");
        Terminal::start(&format!(
            "XDG_CONFIG_HOME={} NO_COLOR=1 {}",
            config.display(),
            [&rdc[..], words].concat().join(" ")
        ))
    }

    /// Somebody's edit on the machine `a`.
    fn edit(&self, script: &str) {
        self.a.run(&["sh", "-c", script]);
    }

    /// The live generations.
    fn generations(&self) -> (u32, u32) {
        let of = |machine: &TestMachine| {
            let link = machine.run(&["readlink", "/etc/rediacc/current"]);
            let number = link.trim().rsplit('/').next().expect("a name");
            number.parse().expect("a number")
        };
        (of(&self.a), of(&self.b))
    }
}
