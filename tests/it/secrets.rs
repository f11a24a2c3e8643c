//! The Cloudflare token, given in each way, through pushes that work and pushes that fail: it is
//! in no argument, log, plan or error, and in no file that others can read, on either side.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::preflight::occupy;
use crate::rdc::Answer;
use crate::secret_search::{self, holds};
use crate::test_machine::TestMachine;
use crate::workstation::Workstation;

// Unlike any other text, so that each can be searched for everywhere.
const BY_STDIN: &str = "cfT0ken-by-stdin-5e11b0";
const BY_FILE: &str = "cfT0ken-by-file-77c9d1";
const BY_PROMPT: &str = "cfT0ken-by-prompt-0ab3f2";
const BY_VARIABLE: &str = "cfT0ken-by-variable-e9d4a3";
const BY_COMMAND: &str = "cfT0ken-by-command-41f6c4";
const BY_ARGUMENT: &str = "cfT0ken-by-argument-b83be5";
const TOKENS: [&str; 6] = [
    BY_STDIN,
    BY_FILE,
    BY_PROMPT,
    BY_VARIABLE,
    BY_COMMAND,
    BY_ARGUMENT,
];

const SET: [&str; 3] = ["context", "set-infra", "server-1"];
const PUSH: [&str; 3] = ["context", "push-infra", "server-1"];

/// Types answers on a terminal, each after its question; they stand on standard input, a
/// question and its answer a line.
const TYPIST: &str = r#"
import os, pty, sys, termios, time
answers = [line.rstrip("\n").split("\t") for line in sys.stdin]
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
def read():
    global seen
    try:
        text = os.read(terminal, 4096)
    except OSError:
        text = b""
    seen += text
    sys.stdout.buffer.write(text)
    return text
for question, answer in answers:
    while question.encode() not in seen:
        if not read():
            sys.exit("the terminal closed before: " + question)
    seen = b""
    # What is typed before the program reads is thrown away, and reading begins with the echo's end.
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.001)
    os.write(terminal, answer.encode() + b"\r")
while read():
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn the_token_is_nowhere_but_where_it_belongs() {
    let machine = TestMachine::bare("secret");
    let workstation = Workstation::new(&TOKENS);
    declare(&workstation, &machine);
    let over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch_processes(&over));
        // Ends the watch also where a step fails.
        let end = EndOf(&over);
        by_standard_input(&workstation, &machine);
        by_file(&workstation, &machine);
        by_prompt(&workstation, &machine);
        by_variable(&workstation, &machine);
        by_command(&workstation, &machine);
        by_argument(&workstation, &machine);
        pushes_that_fail(&workstation, &machine);
        a_context_that_cannot_be_read(&workstation);
        drop(end);
        watch.join().expect("the watch ends")
    });
    assert_eq!(seen, BTreeSet::new(), "in processes");
    for token in TOKENS {
        secret_search::on_machine(token, &machine);
        secret_search::on_workstation(token, &workstation);
    }
    let left = fs::read_dir(workstation.path("tmp")).expect("a folder");
    assert_eq!(left.count(), 0, "temporary files stay");
}

fn declare(workstation: &Workstation, machine: &TestMachine) {
    workstation.context("default", machine.env("SSH_KEY").as_ref());
    // What runs as root on the machine is in sudo's log.
    let way = ["--ip", machine.env("ADDR"), "--user", "operator"];
    workstation.declare("default", "server-1", &way, machine);
    let certificates = [
        "--base-domain",
        "example.test",
        "--cert-email",
        "admin@example.test",
        "--acme-ca-server",
        machine.env("ACME_DIRECTORY"),
    ];
    workstation.rdc(&[&SET[..], &certificates].concat());
}

fn by_standard_input(workstation: &Workstation, machine: &TestMachine) {
    let set = [&SET[..], &["--cf-dns-token-file", "-"]].concat();
    let shown = workstation.rdc_with_input(&set, BY_STDIN);
    assert!(shown.contains("***"), "{shown}");
    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    workstation.rdc(&[&["-vv"], &PUSH[..], &["--dry-run"], &traefik].concat());
    workstation.rdc(&[&["-vv"], &PUSH[..], &traefik].concat());
    arrived(machine, BY_STDIN);
    workstation.rdc(&[&["-vv", "--json"], &PUSH[..]].concat());
    workstation.rdc(&["--json", "context", "show-infra", "server-1"]);
    workstation.rdc(&["--json", "context", "machines"]);
    let files = workstation.path("files");
    let files = files.to_str().expect("a plain path");
    workstation.rdc(&["context", "render-infra", "server-1", "--out", files]);
}

fn by_file(workstation: &Workstation, machine: &TestMachine) {
    let path = private_file(workstation, "token", BY_FILE);
    workstation.rdc(&[&SET[..], &["--cf-dns-token-file", &path]].concat());
    let plan = workstation.rdc(&[&["-vv"], &PUSH[..], &["--dry-run", "--diff"]].concat());
    assert!(plan.contains("-***") && plan.contains("+***"), "{plan}");
    let pending = [&["-vv", "--json"], &PUSH[..], &["--check", "--diff"]].concat();
    workstation.run(&pending).code(3);
    push_arrives(workstation, machine, BY_FILE);
}

fn by_prompt(workstation: &Workstation, machine: &TestMachine) {
    let words = [&["-vv"], &SET[..]].concat();
    let rdc = workstation.command(&words);
    let mut typist = Command::new("python3");
    typist
        .args(["-c", TYPIST])
        .arg(rdc.get_program())
        .args(rdc.get_args())
        .env_clear()
        .envs(
            rdc.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut typist = typist.spawn().expect("python3 starts");
    let mut answers = String::new();
    for question in [
        "IPv4",
        "IPv6",
        "base domain",
        "e-mail",
        "TCP ports",
        "UDP ports",
        "belongs to which repository",
    ] {
        answers.push_str(&format!("{question}\t\n"));
    }
    answers.push_str(&format!(
        "Cloudflare API token\t{BY_PROMPT}\nautomatic routes\ty\n"
    ));
    let mut stdin = typist.stdin.take().expect("a pipe");
    stdin.write_all(answers.as_bytes()).expect("it reads");
    drop(stdin);
    let output = typist.wait_with_output().expect("it ends");
    let answer = workstation.answer(&words, output).done();
    assert!(answer.stdout.contains("***"), "{}", answer.all());
    push_arrives(workstation, machine, BY_PROMPT);
}

fn by_variable(workstation: &Workstation, machine: &TestMachine) {
    workstation.rdc(&[&SET[..], &["--cf-dns-token", "env:CF_DNS_TOKEN"]].concat());
    let answer = workstation.run(&PUSH).code(1);
    assert!(
        answer.stderr.contains("env:CF_DNS_TOKEN"),
        "{}",
        answer.stderr
    );
    let words = [&["-vv"], &PUSH[..]].concat();
    let mut rdc = workstation.command(&words);
    let output = rdc
        .env("CF_DNS_TOKEN", BY_VARIABLE)
        .output()
        .expect("rdc runs");
    workstation.answer(&words, output).done();
    arrived(machine, BY_VARIABLE);
    // Back to the former token, and what is told of it.
    workstation.rdc(&["-vv", "context", "rollback-infra", "server-1"]);
    arrived(machine, BY_PROMPT);
    workstation.rdc(&["-vv", "--json", "context", "status-infra", "server-1"]);
}

fn by_command(workstation: &Workstation, machine: &TestMachine) {
    let path = private_file(workstation, "store", BY_COMMAND);
    let command = format!("cmd:cat {path}");
    workstation.rdc(&[&SET[..], &["--cf-dns-token", &command]].concat());
    push_arrives(workstation, machine, BY_COMMAND);
    // One that prints it where it is no token.
    let failing = format!("cmd:echo a; cat {path}");
    workstation.rdc(&[&SET[..], &["--cf-dns-token", &failing]].concat());
    let answer = workstation.run(&[&["-vv"], &PUSH[..]].concat()).code(1);
    assert!(
        answer.stderr.contains("cannot get the Cloudflare token"),
        "{}",
        answer.stderr
    );
}

fn by_argument(workstation: &Workstation, machine: &TestMachine) {
    let answer = workstation.run(&[&["-vv"], &SET[..], &["--cf-dns-token", BY_ARGUMENT]].concat());
    let answer = answer.done();
    assert!(answer.stderr.contains("warning: "), "{}", answer.stderr);
    let spoilt = format!("{BY_ARGUMENT} and more");
    workstation
        .run(&[&SET[..], &["--cf-dns-token", &spoilt]].concat())
        .code(2);
    push_arrives(workstation, machine, BY_ARGUMENT);
}

/// Before anything is changed, and after: the proxy does not come up with another token.
fn pushes_that_fail(workstation: &Workstation, machine: &TestMachine) {
    let failed = |words: &[&str]| -> Answer {
        let answer = workstation.run(words);
        assert_ne!(answer.code, 0, "{}", answer.all());
        answer
    };
    occupy(machine, "busy", "socat", machine.env("ADDR"), 2525);
    let set = ["--cf-dns-token-file", "-", "--tcp-ports", "2525"];
    workstation.rdc_with_input(&[&SET[..], &set].concat(), BY_STDIN);
    for options in [&["-vv"][..], &["-vv", "--json"]] {
        failed(&[options, &PUSH].concat());
    }
    workstation.rdc(&[&SET[..], &["--unset", "tcp-ports"]].concat());

    let folder = "/etc/systemd/system/rediacc-proxy.service.d";
    let drop_in = format!(
        "mkdir -p {folder} && printf '[Service]\\nExecStartPre=/bin/false\\n' >{folder}/no.conf && \
         systemctl daemon-reload"
    );
    machine.run(&["sh", "-c", &drop_in]);
    for options in [&["-vv"][..], &["--json"]] {
        failed(&[options, &PUSH].concat());
    }
    machine.run(&["rm", "-r", folder]);
    machine.run(&["systemctl", "daemon-reload"]);
    push_arrives(workstation, machine, BY_STDIN);
}

fn a_context_that_cannot_be_read(workstation: &Workstation) {
    let file = workstation.path("config/rediacc/default.toml");
    let good = fs::read_to_string(&file).expect("the context");
    assert!(good.contains(BY_STDIN));
    for bad in [
        good.replace(&format!("\"{BY_STDIN}\""), &format!("\"{BY_STDIN}")),
        good.replace(BY_STDIN, &format!("{BY_STDIN} and more")),
        good.replace(&format!("\"{BY_STDIN}\""), &format!("[\"{BY_STDIN}\"]")),
    ] {
        assert_ne!(bad, good);
        fs::write(&file, bad).expect("it is written");
        for options in [&["-vv"][..], &["--json"]] {
            workstation.run(&[options, &PUSH].concat()).code(1);
        }
    }
    fs::write(&file, good).expect("it is written");
}

fn push_arrives(workstation: &Workstation, machine: &TestMachine, token: &str) {
    workstation.rdc(&[&["-vv"], &PUSH[..]].concat());
    arrived(machine, token);
}

/// A token that never came there would be nowhere to be found.
fn arrived(machine: &TestMachine, token: &str) {
    let live = machine.run(&["cat", "/etc/rediacc/current/cf-dns-token"]);
    assert_eq!(live.trim(), token);
}

fn private_file(workstation: &Workstation, name: &str, content: &str) -> String {
    let path = workstation.path(name);
    fs::write(&path, content).expect("it is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    path.to_str().expect("a plain path").to_owned()
}

struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks at the arguments and environments of all processes, those on the machine included, and
/// answers where a token is that nobody put there.
fn watch_processes(over: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let own_namespace = fs::read_link("/proc/self/ns/pid").expect("a namespace");
    while !over.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").expect("the processes") {
            let process = entry.expect("an entry").path();
            // One that has ended meanwhile has nothing to read.
            let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
            let (arguments, environment) = (read("cmdline"), read("environ"));
            let here = fs::read_link(process.join("ns/pid")).is_ok_and(|at| at == own_namespace);
            for token in TOKENS {
                let words = String::from_utf8_lossy(&arguments).replace('\0', " ");
                // The operator wrote it there, on the workstation.
                let typed = here && token == BY_ARGUMENT && words.contains("set-infra");
                if holds(&arguments, token) && !typed {
                    seen.insert(format!("arguments: {words}"));
                }
                if holds(&environment, token) && !(here && token == BY_VARIABLE) {
                    seen.insert(format!("environment of {words}"));
                }
            }
        }
    }
    seen
}
