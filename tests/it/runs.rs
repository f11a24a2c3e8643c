//! Runs of a repository on a real machine, by `renet repo` alone: how they are followed, joined, ended
//! and survived, and what they tell of services.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::test_machine::{TestMachine, stdout_of};
use crate::workstation::Workstation;

const RENET: &str = "/usr/local/bin/renet";
const APP: &str = "/mnt/rediacc/repositories/my-app";
const UNIT: &str = "rediacc-run-2816.service";

/// What `prep` of this one waits for is written by the test.
const REDIACCFILE: &str = r#"#!/bin/bash
prep() {
  echo "at the gate"
  if [[ -p /tmp/gate ]]; then read -r _ </tmp/gate; fi
  echo "past the gate"
}
up() {
  renet compose -- up -d
}
down() {
  renet compose -- down -t 1
}
"#;

const COMPOSE: &str = r#"services:
  webapp:
    image: busybox
    network_mode: host
    restart: unless-stopped
    command: httpd -f -p ${WEBAPP_IP}:3000 -h /www
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.webapp.rule=Host(`app.example.test`)"
      - "traefik.http.routers.webapp.entrypoints=websecure"
      - "traefik.http.routers.webapp.tls=true"
      - "traefik.http.services.webapp.loadbalancer.server.port=3000"
  worker:
    image: busybox
    command: sleep 1000000
"#;

/// Services of which each has something wrong, in a folder of their own.
const TROUBLES: &str = r#"services:
  crash:
    image: busybox
    restart: always
    command: sh -c "echo I cannot start; exit 3"
    labels: ["rediacc.service_port=80"]
  elsewhere:
    image: busybox
    command: httpd -f -p 127.0.0.1:8099 -h /www
    labels: ["rediacc.service_port=8099"]
  typo:
    image: busybox
    command: httpd -f -p ${TYPO_IP}:8080 -h /www
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.typo.rule=Host(`typo.example.test`)"
      - "traefik.http.routers.typo.prioritty=1"
      - "traefik.http.services.typo.loadbalancer.server.port=8080"
  unrouted:
    image: busybox
    command: httpd -f -p ${UNROUTED_IP}:9 -h /www
    labels: ["traefik.enable=true", "traefik.tcp.services.u.loadbalancer.server.port=9"]
  job:
    image: busybox
    command: "true"
"#;

#[test]
fn a_run_is_followed_joined_and_ended_and_tells_how_services_came_up() {
    let site = Site::with_app();

    let (_, failure) = site.failed(&["up", "nosuch"]);
    assert!(text(&failure["hint"]).contains("my-app"), "{failure}");

    two_follow_one_run_and_a_third_goes_away(&site);
    a_run_is_cancelled_with_all_it_started(&site);
    a_hangup_leaves_the_run_and_an_interruption_by_hand_ends_it(&site);
    a_run_that_is_killed_says_so_and_another_one_starts(&site);

    site.machine.run(&["rm", "/tmp/gate"]);
    logs_and_commands_reach_the_containers(&site);
    push(&site.machine);
    a_route_is_asked_through_traefik(&site);
    troubles_are_told_where_their_author_sees_them(&site);
    down_leaves_nothing_running(&site);
    a_failure_in_prep_stops_everything(&site);
    a_repository_is_unmounted_and_mounted_again(&site);
}

fn two_follow_one_run_and_a_third_goes_away(site: &Site) {
    let mut first = site.front(&["up", "my-app"]);
    let before = first.until("at the gate");
    assert!(before.contains("prep of Rediaccfile"), "{before}");
    // It hears what was said before it came.
    let mut second = site.front(&["up", "my-app"]);
    assert_eq!(second.until("at the gate"), before);
    // The reader of this one goes: it ends, and the run does not.
    let third = format!("{RENET} repo up my-app | head -n 1");
    site.machine.run(&["timeout", "20", "sh", "-c", &third]);
    let run = &site.status()["run"];
    assert_eq!(
        (text(&run["task"]), &run["running"]),
        ("up", &Value::Bool(true)),
        "{run}"
    );
    let (code, failure) = site.failed(&["down", "my-app"]);
    assert_eq!(code, 5, "{failure}");
    let message = text(&failure["message"]);
    assert_eq!(
        message,
        "a run of `up` is in progress in repository `my-app`"
    );
    let hint = text(&failure["hint"]);
    assert!(hint.contains("`rdc repo up my-app -m MACHINE`"), "{hint}");
    let detached = site.last(&["up", "my-app", "--detach"]);
    assert_eq!(detached["started"]["running"], true, "{detached}");

    site.open_gate();
    let [first, second] = [first, second].map(Front::end);
    assert_eq!(first, second);
    assert_eq!(first.0, 0, "{first:?}");
    let report = &first.1["repository"]["up"];
    let found: Vec<_> = services(report)
        .map(|it| (text(&it["name"]), &it["ports"]))
        .collect();
    let [web, worker] = [vec![3000], vec![]].map(Value::from);
    assert_eq!(found, [("webapp", &web), ("worker", &worker)], "{report}");
    let status = site.status();
    assert_eq!(
        (&status["up"], text(&status["run"]["end"])),
        (&Value::Bool(true), "it came up")
    );
    let names: Vec<_> = status["services"]
        .as_array()
        .expect("services")
        .iter()
        .collect();
    assert_eq!(names[0]["listens"], web, "{status}");

    // What was said may be secret.
    let kept = site.machine.run(&[
        "stat",
        "-c",
        "%a",
        "/run/rediacc-runs/2816",
        "/run/rediacc-runs/2816/run.jsonl",
    ]);
    assert_eq!(kept, "700\n600\n");
}

fn a_run_is_cancelled_with_all_it_started(site: &Site) {
    let mut front = site.front(&["up", "my-app"]);
    front.until("at the gate");
    let ended = site.last(&["cancel", "my-app"]);
    assert_eq!(ended["ended"]["end"], "it was cancelled", "{ended}");
    let (code, last) = front.end();
    assert_eq!(code, 1);
    let message = text(&last["failed"]["message"]);
    assert_eq!(message, "the run ended unexpectedly: it was cancelled");
    site.nothing_runs();
    let (code, failure) = site.failed(&["cancel", "my-app"]);
    assert_eq!(
        (code, text(&failure["message"])),
        (6, "no run is in progress in repository `my-app`")
    );
}

fn a_hangup_leaves_the_run_and_an_interruption_by_hand_ends_it(site: &Site) {
    for (signal, running) in [("HUP", true), ("TERM", false)] {
        let script = format!(
            "{RENET} repo up my-app >/tmp/said & front=$!
             until grep -q 'at the gate' /tmp/said; do sleep 0.05; done
             kill -{signal} $front; wait $front; true"
        );
        site.machine.run(&["timeout", "30", "sh", "-c", &script]);
        assert_eq!(
            site.status()["run"]["running"],
            running,
            "after SIG{signal}"
        );
    }
    site.nothing_runs();
}

fn a_run_that_is_killed_says_so_and_another_one_starts(site: &Site) {
    let mut front = site.front(&["up", "my-app"]);
    front.until("at the gate");
    site.machine
        .run(&["systemctl", "kill", "--signal=KILL", UNIT]);
    let (code, last) = front.end();
    assert_eq!(code, 1);
    let message = text(&last["failed"]["message"]);
    assert_eq!(
        message,
        "the run ended unexpectedly: it was killed by signal 9"
    );
    assert_eq!(site.status()["run"]["end"], "it was killed by signal 9");
    let mut front = site.front(&["up", "my-app", "--prep-only"]);
    front.until("at the gate");
    site.open_gate();
    assert_eq!(front.end().0, 0);
}

fn logs_and_commands_reach_the_containers(site: &Site) {
    let echo = [
        "exec",
        "my-app",
        "webapp",
        "--",
        "sh",
        "-c",
        "read x; echo $x; exit 7",
    ];
    let mut command = site.command(&echo);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, b"said\n").expect("it is written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "said\n");

    let noise = [
        "exec",
        "my-app",
        "worker",
        "--",
        "sh",
        "-c",
        "echo noise >/proc/1/fd/1",
    ];
    stdout_of(&mut site.command(&noise));
    let one = stdout_of(&mut site.command(&["logs", "my-app", "worker"]));
    assert_eq!(one, "noise\n");
    let all = stdout_of(&mut site.command(&["logs", "my-app", "--lines", "5"]));
    assert_eq!(all, "worker | noise\n");
    let output = site
        .command(&["logs", "my-app", "nosuch"])
        .output()
        .expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("the services with containers are webapp, worker"),
        "{said}"
    );
}

fn a_route_is_asked_through_traefik(site: &Site) {
    let report = &site.last(&["up", "my-app"])["up"];
    let webapp = services(report).next().expect("a service");
    let route = &webapp["routes"][0];
    assert_eq!(route["url"], "https://app.example.test", "{report}");
    assert_eq!(
        (&route["is_auto"], &route["answer"][0]),
        (&Value::Bool(false), &Value::from(200))
    );
    // Nothing listens where the automatic route of a worker leads to.
    let worker = services(report).nth(1).expect("a service");
    assert_eq!(worker["routes"], Value::Array(Vec::new()), "{report}");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("no certificate yet for app.example.test"),
        "{report}"
    );
}

fn troubles_are_told_where_their_author_sees_them(site: &Site) {
    site.write("zoo/docker-compose.yml", TROUBLES);
    site.write("zoo/REDIACCFILE", "up() {\n  renet compose -- up -d\n}\n");
    site.write(
        "api/Rediaccfile",
        "up() {\n  true\n  ls /nonexistent\n}\ndown() { sudo docker ps; }\n",
    );
    let output = site
        .command(&["up", "my-app", "--timeout", "4"])
        .output()
        .expect("it ends");
    // The code of what failed.
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON");
    let report = &last["repository"]["up"];
    let failure = &report["failures"][0];
    assert_eq!(failure["file"], "api/Rediaccfile", "{report}");
    assert_eq!(
        (&failure["line"], &failure["code"]),
        (&Value::from(3), &Value::from(2))
    );
    let of = |name: &str| {
        services(report)
            .find(|it| it["name"] == name)
            .expect("a service")
    };
    let crash = &of("crash")["problem"];
    // Whether it was met while it ran or while it did not.
    assert!(text(&crash["message"]).contains("started again"), "{crash}");
    assert_eq!(crash["log"][0], "I cannot start", "{crash}");
    assert!(
        crash["explanation"]
            .to_string()
            .contains("container zoo-crash-1"),
        "{crash}"
    );
    let message = &of("elsewhere")["problem"]["message"];
    assert_eq!(
        message,
        "it listens on 127.0.0.1:8099: bind it to ${ELSEWHERE_IP}"
    );
    let typo = of("typo")["rejections"].to_string();
    assert!(
        typo.contains("traefik.http.routers.typo.prioritty: there is no key"),
        "{report}"
    );
    assert_eq!(of("job")["problem"], Value::Null, "{report}");
    let unrouted = "unrouted: its labels ask for a route, but there is none";
    assert!(
        report["warnings"].to_string().contains(unrouted),
        "{report}"
    );
    assert_eq!(of("webapp")["problem"], Value::Null, "{report}");
    let end = &site.status()["run"]["end"];
    assert_eq!(end, "not everything came up");
}

fn a_failure_in_prep_stops_everything(site: &Site) {
    site.write("api/Rediaccfile", "prep() {\n  (exit 9)\n}\n");
    let output = site.command(&["up", "my-app"]).output().expect("it ends");
    assert_eq!(output.status.code(), Some(9), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("up of"), "{said}");
}

fn down_leaves_nothing_running(site: &Site) {
    let output = site.command(&["down", "my-app"]).output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("sudo drops DOCKER_HOST"), "{said}");
    let order: Vec<usize> = ["down of api/Rediaccfile", "down of Rediaccfile"]
        .map(|step| {
            said.find(step)
                .unwrap_or_else(|| panic!("no {step}: {said}"))
        })
        .into();
    assert!(order.is_sorted(), "{said}");
    let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON");
    let report = &last["repository"]["down"];
    assert_eq!(report["failures"][0]["file"], "api/Rediaccfile", "{report}");
    // Its Rediaccfile has no `down`.
    let still: Vec<&str> = report["still_running"]
        .as_array()
        .expect("names")
        .iter()
        .map(text)
        .collect();
    assert!(
        still.contains(&"typo") && !still.contains(&"webapp"),
        "{report}"
    );
    assert_eq!(site.status()["up"], false);
}

fn a_repository_is_unmounted_and_mounted_again(site: &Site) {
    site.machine
        .run(&["rm", "-r", &format!("{APP}/zoo"), &format!("{APP}/api")]);
    let left =
        ["crash", "elsewhere", "typo", "unrouted", "job"].map(|name| format!("zoo-{name}-1"));
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    site.machine
        .docker(2816, &[&["rm", "--force"][..], &left].concat());
    let report = &site.last(&["down", "my-app", "--unmount"])["down"];
    assert_eq!(
        report["still_running"],
        Value::Array(Vec::new()),
        "{report}"
    );
    assert_eq!(site.status()["state"], "stopped");
    let (code, failure) = site.failed(&["up", "my-app"]);
    assert_eq!(code, 6, "{failure}");
    assert!(text(&failure["hint"]).contains("--mount"), "{failure}");
    let report = &site.last(&["up", "my-app", "--mount"])["up"];
    let names: Vec<&str> = services(report).map(|it| text(&it["name"])).collect();
    assert!(names.contains(&"webapp"), "{report}");
}

fn push(machine: &TestMachine) {
    let workstation = Workstation::new(&[]);
    let address = machine.env("ADDR");
    let key = machine.env("SSH_KEY");
    for words in [
        &["context", "create-local", "default", "--ssh-key", key][..],
        &[
            "context",
            "add-machine",
            "server-1",
            "--ip",
            address,
            "--user",
            "root",
        ],
        &[
            "context",
            "set-infra",
            "server-1",
            "--public-ipv4",
            address,
            "--base-domain",
            "example.test",
        ],
        &[
            "context",
            "push-infra",
            "server-1",
            "--traefik-binary",
            machine.env("TRAEFIK"),
        ],
    ] {
        workstation.rdc(words);
    }
}

fn services(report: &Value) -> impl Iterator<Item = &Value> {
    report["services"].as_array().expect("services").iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A machine with a repository `my-app`.
struct Site {
    machine: TestMachine,
}

impl Site {
    fn with_app() -> Self {
        let site = Self {
            machine: TestMachine::bare("runs"),
        };
        let renet = File::open(env!("CARGO_BIN_EXE_renet")).expect("it is built");
        let install = format!("cat >{RENET} && chmod 0755 {RENET}");
        stdout_of(site.machine.command(&["sh", "-c", &install]).stdin(renet));
        site.last(&["create", "my-app"]);
        let image = "/usr/local/lib/rediacc-test/busybox.tar";
        site.machine
            .docker(2816, &["load", "--quiet", "--input", image]);
        site.write("Rediaccfile", REDIACCFILE);
        site.write("docker-compose.yml", COMPOSE);
        site.machine.run(&["mkfifo", "/tmp/gate"]);
        site
    }

    fn write(&self, file: &str, content: &str) {
        let script = "mkdir -p \"$(dirname \"$0\")\" && cat >\"$0\"";
        let path = format!("{APP}/{file}");
        self.machine
            .run_with_input(&["sh", "-c", script, &path], content);
    }

    fn open_gate(&self) {
        self.machine
            .run(&["timeout", "20", "sh", "-c", "echo go >/tmp/gate"]);
    }

    fn command(&self, words: &[&str]) -> Command {
        self.machine.command(&[&[RENET, "repo"], words].concat())
    }

    fn front(&self, words: &[&str]) -> Front {
        let mut child = self
            .command(words)
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/machine runs");
        let stdout = child.stdout.take().expect("a pipe");
        Front {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// Runs a verb that works, and returns its answer.
    fn last(&self, words: &[&str]) -> Value {
        let said = stdout_of(&mut self.command(words));
        let last: Value =
            serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON");
        last["repository"].clone()
    }

    /// Runs a verb that fails, and returns its exit code and failure.
    fn failed(&self, words: &[&str]) -> (i32, Value) {
        let output = self.command(words).output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {output:?}"));
        (
            output.status.code().expect("an exit code"),
            last["failed"].clone(),
        )
    }

    fn status(&self) -> Value {
        self.last(&["status", "my-app"])["status"].clone()
    }

    /// Nothing of a run is left, neither its unit nor what it waited for.
    fn nothing_runs(&self) {
        let state = self
            .machine
            .run(&["systemctl", "show", "--property=ActiveState", UNIT]);
        assert_eq!(state, "ActiveState=inactive\n");
        let left = "pgrep -af '[r]epo run my-app|[R]ediaccfile prep' || echo nothing";
        assert_eq!(self.machine.run(&["sh", "-c", left]), "nothing\n");
    }
}

/// A `renet` that follows a run.
struct Front {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Front {
    /// Reads until something was said; returns all that was said until then.
    fn until(&mut self, what: &str) -> String {
        let mut said = String::new();
        while !said.contains(what) {
            let line = self
                .lines
                .next()
                .unwrap_or_else(|| panic!("it ended: {said}"));
            said += &line.expect("text");
            said.push('\n');
        }
        said
    }

    /// Reads to the end: the exit code, and the last message.
    fn end(mut self) -> (i32, Value) {
        let last = self.lines.by_ref().map(|line| line.expect("text")).last();
        let last = serde_json::from_str(&last.unwrap_or_default()).expect("JSON");
        let status = self.child.wait().expect("it ends");
        (status.code().expect("an exit code"), last)
    }
}
