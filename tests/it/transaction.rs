//! What becomes of a machine whose push does not get to its end: `renet infra apply` on a real
//! machine, with a Traefik that does not come up, killed at every step, cut off by a reboot.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rediacc::bundle::{Bundle, Message, Step, TraefikSource};
use rediacc::context::Infra;
use rustix::process::{Pid, Signal, kill_process};

use crate::rdc::Rdc;
use crate::test_machine::TestMachine;

/// How long anything may take that has no event to wait for. Nothing is judged by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Traefik that serves and then dies.
const IN_A_MOMENT: &str = "\"$real\" \"$@\" & sleep 1; kill -9 $!; exit 1";

#[test]
fn a_push_that_does_not_come_up_is_taken_back() {
    let machine = Pushed::up("back");
    let before = machine.state();

    // A Traefik that reads every configuration and then does not serve.
    for (name, script) in [("at-once", "exit 1"), ("in-a-moment", IN_A_MOMENT)] {
        let traefik = machine.traefik_that(name, script);
        let bundle = Bundle {
            traefik: TraefikSource::Brought(traefik.into()),
            ..machine.bundle(2526)
        };
        let (code, messages) = machine.apply(&bundle, &[]).end();
        assert_eq!(code, 7, "{messages:#?}");
        let Some(Message::Failed(failure)) = messages.last() else {
            panic!("no failure: {messages:#?}");
        };
        assert!(
            failure.message.contains("rediacc-proxy.service"),
            "{failure:?}"
        );
        assert!(
            failure.message.contains("generation 1 runs again"),
            "{failure:?}"
        );
        assert!(!failure.journal.is_empty(), "{failure:?}");
        assert_eq!(machine.state(), before);
        machine.is_whole();
    }

    // A configuration that Traefik cannot read never gets that far.
    let traefik = machine.traefik_that("reads-nothing", "exit 1");
    machine.shell(&format!(
        "printf '#!/bin/sh\\necho \"field not found, node: x\" >&2; exit 1\\n' >{traefik}"
    ));
    let bundle = Bundle {
        traefik: TraefikSource::Brought(traefik.into()),
        ..machine.bundle(2526)
    };
    let (code, messages) = machine.apply(&bundle, &[]).end();
    assert_eq!(code, 6, "{messages:#?}");
    assert_eq!(machine.state(), before);

    // What is live is what the next push finds.
    let (code, messages) = machine.apply(&machine.bundle(2525), &[]).end();
    assert_eq!(code, 0, "{messages:#?}");
    assert_eq!(steps(&messages), 0, "{messages:#?}");
}

#[test]
fn a_push_that_is_killed_at_any_step_ends_in_one_generation_and_the_next_heals_it() {
    let machine = Pushed::up("kill");
    let mut port = 2525;
    let mut step = 0;
    loop {
        port = if port == 2525 { 2526 } else { 2525 };
        let bundle = machine.bundle(port);
        let mut push = machine.apply(&bundle, &[]);
        let Some(killed_at) = push.kill_at(step) else {
            // It has fewer steps than that: all of them were tried.
            assert!(step > 6, "only {step} steps");
            break;
        };
        machine.await_settled();
        let state = machine.state();
        println!(
            "figure: killed at `{killed_at}` → {}",
            state.lines().next().unwrap_or_default()
        );
        machine.is_whole();

        let (code, messages) = machine.apply(&bundle, &[]).end();
        assert_eq!(code, 0, "{messages:#?}");
        machine.is_whole();
        assert!(machine.listens(port), "after `{killed_at}`");
        machine.shell("test ! -e /etc/rediacc/generations/.staging");
        step += 1;
    }
}

#[test]
fn a_full_disk_changes_nothing_and_does_not_keep_a_push_from_going_back() {
    let machine = Pushed::up("full");
    machine.shell(
        "cp -a /etc/rediacc /tmp/copy && mount -t tmpfs -o size=4m,mode=0755 tmpfs /etc/rediacc && \
         cp -a /tmp/copy/. /etc/rediacc/",
    );
    let before = machine.state();
    let fill = "dd if=/dev/zero of=/etc/rediacc/fill bs=4k 2>/dev/null; test -s /etc/rediacc/fill";

    machine.shell(fill);
    let (code, messages) = machine.apply(&machine.bundle(2526), &[]).end();
    assert!(code == 1 || code == 6, "{code}: {messages:#?}");
    machine.shell("rm /etc/rediacc/fill");
    assert_eq!(machine.state(), before);
    machine.is_whole();

    let traefik = machine.traefik_that("in-a-moment", IN_A_MOMENT);
    let bundle = Bundle {
        traefik: TraefikSource::Brought(traefik.into()),
        ..machine.bundle(2526)
    };
    let mut push = machine.apply(&bundle, &[]);
    while push.next().is_some_and(
        |message| !matches!(message, Message::Doing(step) if step.to_string().starts_with("restart")),
    ) {}
    machine.shell(fill);
    let (code, messages) = push.end();
    assert_eq!(code, 7, "{messages:#?}");
    machine.shell("rm /etc/rediacc/fill");
    assert_eq!(machine.state(), before);
    machine.is_whole();
}

#[test]
fn a_reboot_in_the_middle_ends_in_one_generation() {
    let machine = Pushed::up("reboot");
    let mut port = 2525;
    for when in ["switch", "restart  rediacc-proxy"] {
        port = if port == 2525 { 2526 } else { 2525 };
        let mut push = machine.apply(&machine.bundle(port), &[]);
        while push.next().is_some_and(|message| {
            !matches!(message, Message::Doing(step) if step.to_string().starts_with(when))
        }) {}
        machine.machine.reboot();
        machine.await_settled();
        machine.is_whole();
        let (code, messages) = machine.apply(&machine.bundle(port), &[]).end();
        assert_eq!(code, 0, "{messages:#?}");
        machine.is_whole();
        assert!(machine.listens(port), "rebooted at `{when}`");
    }
}

#[test]
fn a_second_push_waits_or_says_who_is_at_it() {
    let machine = Pushed::up("lock");
    let mut first = machine.apply(&machine.bundle(2526), &[]);
    while first
        .next()
        .is_some_and(|message| message != Message::Doing(Step::Probe))
    {}
    let (code, messages) = machine.apply(&machine.bundle(2525), &[]).end();
    assert_eq!(code, 5, "{messages:#?}");
    let Some(Message::Failed(failure)) = messages.last() else {
        panic!("no failure: {messages:#?}");
    };
    for word in ["push by root", "process ", "since 20"] {
        assert!(failure.message.contains(word), "{failure:?}");
    }
    let (code, messages) = machine
        .apply(&machine.bundle(2525), &["--lock-wait", "60"])
        .end();
    assert_eq!(code, 0, "{messages:#?}");
    assert_eq!(first.end().0, 0);
    machine.is_whole();
}

#[test]
fn a_program_that_no_generation_needs_goes_when_it_is_old() {
    let machine = Pushed::up("programs");
    machine.shell(
        "cd /usr/lib/rediacc && mkdir traefik/3.0.0 traefik/3.0.1 && \
         touch -d '2 days ago' traefik/3.0.0/traefik $(find . -type f) && \
         touch traefik/3.0.1/traefik",
    );
    let (code, messages) = machine.apply(&machine.bundle(2526), &[]).end();
    assert_eq!(code, 0, "{messages:#?}");
    machine.is_whole();
    let left = machine.shell("cd /usr/lib/rediacc && find . -type f");
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    let program = |path: &str| path.replace("/usr/lib/rediacc", ".");
    let (renet, traefik) = (program(&machine.renet), program(&machine.traefik));
    let mut expected = [&renet, "./traefik/3.0.1/traefik", &traefik];
    expected.sort_unstable();
    assert_eq!(left, expected);
}

#[test]
fn a_push_goes_on_without_rdc() {
    let machine = Pushed::up("alone");
    let rdc = &machine.rdc;
    rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--tcp-ports",
        "2525,2526",
    ])
    .done();
    let words = ["--verbose", "context", "push-infra", "server-1"];
    let mut child = rdc
        .process(&words)
        .stderr(Stdio::piped())
        .spawn()
        .expect("rdc starts");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let seen = stderr
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("restart  rediacc-router"));
    assert!(seen.is_some(), "no restart was told");
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    machine.await_settled();
    machine.is_whole();
    assert!(machine.listens(2526));
    let push = rdc.run(&["context", "push-infra", "server-1"]).done();
    assert!(push.stdout.contains("nothing changed"), "{}", push.stdout);
}

/// A machine with one push on it: port 2525 beside 80 and 443.
struct Pushed {
    machine: TestMachine,
    rdc: Rdc,
    renet: String,
    traefik: String,
}

impl Pushed {
    fn up(role: &str) -> Self {
        let machine = TestMachine::bare(role);
        let rdc = Rdc::of(&machine, "root");
        for words in [
            &[
                "set-infra",
                "server-1",
                "--public-ipv4",
                machine.env("ADDR"),
                "--default-ports",
                "off",
                "--tcp-ports",
                "2525",
            ][..],
            &[
                "push-infra",
                "server-1",
                "--traefik-binary",
                machine.env("TRAEFIK"),
            ],
        ] {
            rdc.run(&[&["context"], words].concat()).done();
        }
        let link = |name: &str| {
            let path = format!("/etc/rediacc/current/{name}");
            machine.run(&["readlink", &path]).trim().to_owned()
        };
        let (renet, traefik) = (link("renet"), link("traefik"));
        Self {
            machine,
            rdc,
            renet,
            traefik,
        }
    }

    /// What `rdc` would send for this machine with another port.
    fn bundle(&self, port: u16) -> Bundle {
        let address: Ipv4Addr = self.machine.env("ADDR").parse().expect("an address");
        let infra = Infra {
            public_ipv4: Some(address),
            default_ports: false,
            tcp_ports: port.to_string().parse().expect("a port list"),
            ..Infra::default()
        };
        Bundle {
            infra,
            renet: self.renet.clone().into(),
            traefik: TraefikSource::Brought(self.traefik.clone().into()),
            sent_at: None,
        }
    }

    /// A Traefik that reads configurations as the real one does, and serves in a way of its own.
    fn traefik_that(&self, name: &str, script: &str) -> String {
        let path = format!("/usr/lib/rediacc/traefik/{name}");
        let text = format!(
            "#!/bin/sh\nreal={}\nif [ \"$1\" = healthcheck ]; then exec \"$real\" \"$@\"; fi\n{script}\n",
            self.traefik
        );
        let write = format!("cat >{path}; chmod 0755 {path}");
        self.machine.run_with_input(&["sh", "-c", &write], &text);
        path
    }

    /// Starts `renet infra apply` on the machine.
    fn apply(&self, bundle: &Bundle, options: &[&str]) -> Push {
        let json = serde_json::to_string(bundle).expect("a bundle");
        let apply = ["infra", "apply", "--bundle", json.as_str()];
        let words = [&[self.renet.as_str()], &apply[..], options].concat();
        let mut child = self
            .machine
            .command(&words)
            .stdout(Stdio::piped())
            .spawn()
            .expect("renet starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Push { child, lines }
    }

    fn shell(&self, script: &str) -> String {
        self.machine.run(&["sh", "-c", script])
    }

    /// Which generation is live, which others there are, and what runs.
    fn state(&self) -> String {
        self.shell(
            "readlink /etc/rediacc/current; ls -A /etc/rediacc/generations; systemctl is-active \
             rediacc-router.socket rediacc-router.service rediacc-proxy.service",
        )
    }

    /// Waits until nothing is under way on the machine any more.
    fn await_settled(&self) {
        let begin = Instant::now();
        let script = "test ! -e /etc/rediacc/.transaction && flock --nonblock /etc/rediacc/.lock true \
                      && systemctl is-active --quiet rediacc-proxy.service; echo $?";
        while self.shell(script).trim() != "0" {
            assert!(begin.elapsed() < PATIENCE, "the machine does not settle");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether what runs is the live generation, all of it, and no other.
    fn is_whole(&self) {
        let all = self.shell(
            "cd /etc/rediacc && test ! -e .transaction && \
             systemctl is-active rediacc-router.socket rediacc-router.service rediacc-proxy.service && \
             pid=$(systemctl show --property=MainPID --value rediacc-router.service) && \
             tr '\\0' '\\n' </proc/$pid/environ | grep -x \"$(grep ENTRYPOINTS current/router.env)\" && \
             for name in rediacc-router.socket rediacc-router.service rediacc-proxy.service; do \
               test /etc/systemd/system/$name -ef current/$name || exit 1; done && \
             systemctl show --property=NeedDaemonReload --value 'rediacc-*' | sort -u",
        );
        assert!(all.trim().ends_with("no"), "{all}");
        let binds = self.shell("cat /etc/rediacc/current/binds.json");
        for port in [2525, 2526] {
            let is_wanted = binds.contains(&port.to_string());
            assert_eq!(self.listens(port), is_wanted, "{port} with {binds}");
        }
    }

    fn listens(&self, port: u16) -> bool {
        let address = format!("{}:{port}", self.machine.env("ADDR"));
        std::net::TcpStream::connect(address).is_ok()
    }
}

/// A `renet infra apply` that runs.
struct Push {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Push {
    /// The next message; none at the end.
    fn next(&mut self) -> Option<Message> {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect("a message"))
    }

    /// All that is still to come, with the exit code.
    fn end(mut self) -> (i32, Vec<Message>) {
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            messages.push(message);
        }
        let status = self.child.wait().expect("it ends");
        (status.code().expect("an exit code"), messages)
    }

    /// Kills it as soon as it tells a step by its number from 0; none if it ended before.
    fn kill_at(&mut self, step: usize) -> Option<Step> {
        let mut count = 0;
        while let Some(message) = self.next() {
            let Message::Doing(doing) = message else {
                break;
            };
            if count == step {
                kill_process(self.renet(), Signal::KILL).expect("it is killed");
                self.child.wait().expect("it ends");
                return Some(doing);
            }
            count += 1;
        }
        self.child.wait().expect("it ends");
        None
    }

    /// `renet` itself: the child of the program that entered the machine.
    fn renet(&self) -> Pid {
        let outer = self.child.id();
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"))
            .expect("the program has children");
        let pid = children.split_whitespace().next().expect("a child");
        Pid::from_raw(pid.parse().expect("a number")).expect("a process")
    }
}

/// How many steps a push that got to its end had.
fn steps(messages: &[Message]) -> usize {
    match messages.last() {
        Some(Message::Done(report)) => report.steps.len(),
        other => panic!("it did not get to its end: {other:?}"),
    }
}
