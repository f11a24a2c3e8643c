//! Repositories on a real machine, by `renet repo` alone: their ids, files, daemons and limits, what a
//! crash or a reboot leaves of them, and that nothing is left once they are deleted.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::test_machine::{TestMachine, stdout_of};

const MIB: u64 = 1 << 20;
const RENET: &str = "/usr/local/bin/renet";
const REPOSITORIES: &str = "/mnt/rediacc/repositories";

#[test]
fn a_repository_lives_from_its_creation_to_its_deletion() {
    let site = Site::on("repos");
    let size = (256 * MIB).to_string();
    let memory = (256 * MIB).to_string();
    let creating = [
        site.spawn(&["create", &site.app, "--size", &size]),
        site.spawn(&["create", "shop", "--memory", &memory, "--tasks", "200"]),
    ];
    for child in creating {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
    let listed = site.list();
    let names: Vec<&str> = listed.iter().map(|it| text(&it["name"])).collect();
    assert_eq!(names, [&*site.app, "shop"]);
    for status in &listed {
        assert_eq!(status["state"], "running", "{status}");
        assert_eq!(status["problems"], Value::Array(Vec::new()), "{status}");
    }
    let [app, shop] = [&listed[0], &listed[1]].map(id);
    assert_eq!(app.max(shop), app.min(shop) + 64, "{listed:?}");
    let status = site.status(&site.app);
    assert_eq!(status["image_bytes"], 256 * MIB);
    assert!(status["used_bytes"].as_u64() > Some(0), "{status}");

    a_name_is_given_once(&site);
    for id in [app, shop] {
        site.load(id);
    }
    site.serve(app, "web");
    limits_hold(&site, shop);
    a_daemon_that_is_killed_finds_its_containers_again(&site, app);
    an_image_grows(&site, app);

    site.machine.reboot();
    for name in [&*site.app, "shop"] {
        assert_eq!(site.status(name)["state"], "running");
    }
    let mounted = site.machine.run(
        &["findmnt", "--noheadings", "--output=FSTYPE", "--mountpoint"]
            .into_iter()
            .chain([&*site.path()])
            .collect::<Vec<_>>(),
    );
    assert_eq!(mounted.trim(), "ext4");
    site.fetch(app);

    for name in [&*site.app, "shop"] {
        site.done(&["delete", name]);
    }
    site.has_nothing_left();
    let (code, failure) = site.failed(&["delete", "shop"]);
    assert_eq!(code, 6, "{failure}");

    // An id that was given back is not the next one, nor is that of a daemon that nobody recorded.
    let foreign = app.max(shop) + 64;
    let socket = format!("/run/rediacc/docker-{foreign}.sock");
    site.machine
        .run(&["sh", "-c", "mkdir -p /run/rediacc; : >\"$0\"", &socket]);
    site.done(&["create", "shop"]);
    assert_eq!(id(&site.status("shop")), foreign + 64);
}

/// A second repository of a name is refused, and told by its kind.
fn a_name_is_given_once(site: &Site) {
    let (code, failure) = site.failed(&["create", &site.app]);
    assert_eq!(code, 6);
    let message = text(&failure["message"]);
    assert!(message.contains("repository `app-"), "{failure}");
    let same = (256 * MIB).to_string();
    let other = (512 * MIB).to_string();
    site.done(&["create", &site.app, "--if-missing", "--size", &same]);
    let (_, failure) = site.failed(&["create", &site.app, "--if-missing", "--size", &other]);
    let message = text(&failure["message"]);
    assert!(message.ends_with(" of 256 MiB, not 512 MiB"), "{failure}");
}

/// What uses up a repository's memory or processes is ended; its daemon and other containers are not.
fn limits_hold(site: &Site, shop: u32) {
    site.serve(shop, "web");
    let hog = [
        "run",
        "--rm",
        "--network=host",
        "busybox",
        "tail",
        "/dev/zero",
    ];
    let ended = site.machine.docker_command(shop, &hog).output();
    assert_eq!(ended.expect("it ends").status.code(), Some(137));
    let forks = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); sleep 20 & done";
    let bomb = [
        "run",
        "--rm",
        "--network=host",
        "busybox",
        "sh",
        "-c",
        forks,
    ];
    let ended = site
        .machine
        .docker_command(shop, &bomb)
        .output()
        .expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("can't fork"), "{said}");
    site.fetch(shop);
    assert_eq!(site.status("shop")["state"], "running");
}

fn a_daemon_that_is_killed_finds_its_containers_again(site: &Site, app: u32) {
    let process = ["inspect", "--format={{.State.Pid}}", "web"];
    let before = site.machine.docker(app, &process);
    for program in ["docker", "containerd"] {
        let unit = format!("rediacc-{program}@{app}.service");
        let started = ["systemctl", "show", "--property=InvocationID", &unit];
        let first = site.machine.run(&started);
        site.machine.run(&[
            "systemctl",
            "kill",
            "--kill-who=main",
            "--signal=KILL",
            &unit,
        ]);
        // It serves meanwhile.
        site.fetch(app);
        site.awaits(&format!(
            "[ \"$(systemctl show --property=InvocationID {unit})\" != '{}' ] && systemctl is-active \
             --quiet {unit} && docker -H unix:///run/rediacc/docker-{app}.sock exec web true",
            first.trim()
        ));
    }
    assert_eq!(site.machine.docker(app, &process), before);
}

/// While a container writes where the kernel allows it, and with its containers stopped elsewhere.
fn an_image_grows(site: &Site, app: u32) {
    let lines = "i=0; while i=$((i+1)); do echo $i >>/data/lines; sleep 0.01; done";
    let data = format!("{}/data:/data", site.path());
    let mut words = vec![
        "run",
        "--detach",
        "--name=writer",
        "--network=host",
        "--volume",
        &data,
    ];
    words.extend(["busybox", "sh", "-c", lines]);
    site.machine.docker(app, &words);
    let (_, failure) = site.failed(&["resize", &site.app, &(128 * MIB).to_string()]);
    let message = text(&failure["message"]);
    assert!(message.starts_with("cannot shrink repository"), "{failure}");
    let (_, failure) = site.failed(&["resize", &site.app, &(1u64 << 50).to_string()]);
    let message = text(&failure["message"]);
    assert!(message.contains("it needs 1024.0 TiB, and "), "{failure}");

    let larger = (400 * MIB).to_string();
    if site.grows_what_is_mounted() {
        site.done(&["resize", &site.app, &larger]);
        site.machine.docker(app, &["stop", "writer"]);
    } else {
        let (_, failure) = site.failed(&["resize", &site.app, &larger]);
        let hint = text(&failure["hint"]);
        assert!(hint.contains("rdc repo down app-"), "{failure}");
        assert_eq!(site.status(&site.app)["image_bytes"], 256 * MIB);
        site.machine.docker(app, &["stop", "writer", "web"]);
        site.done(&["resize", &site.app, &larger]);
        site.machine.docker(app, &["start", "web"]);
    }
    assert_eq!(site.status(&site.app)["image_bytes"], 400 * MIB);
    let path = site.path();
    let bytes = site
        .machine
        .run(&["findmnt", "--noheadings", "--bytes", "--output=SIZE", &path]);
    let bytes: u64 = bytes.trim().parse().expect("a number");
    assert!(bytes > 350 * MIB, "{bytes}");
    // Each line that was written is there, once and in order.
    let check = "seq $(wc -l <\"$0\") | cmp - \"$0\" && test -s \"$0\"";
    site.machine
        .run(&["sh", "-c", check, &format!("{path}/data/lines")]);
}

#[test]
fn what_is_missing_or_in_the_way_is_told_before_anything_is_done() {
    let site = Site::on("reposlack");
    let hidden = ["mkfs.ext4", "resize2fs"].map(|program| format!("/usr/sbin/{program}"));
    let plugin = site.machine.run(&[
        "sh",
        "-c",
        "find / -xdev -path '*cli-plugins/docker-compose' 2>/dev/null | head -n 1",
    ]);
    let hidden: Vec<&str> = hidden
        .iter()
        .map(String::as_str)
        .chain([plugin.trim()])
        .collect();
    for path in &hidden {
        site.machine.run(&["mv", path, &format!("{path}.hidden")]);
    }
    let size = (128 * MIB).to_string();
    let (code, failure) = site.failed(&["create", "app", "--size", &size]);
    assert_eq!(code, 6);
    let message = "this machine lacks what repositories need:\n  docker compose, the client's plugin\n  \
                   mkfs.ext4, for `--size`\n  resize2fs, for `--size`";
    assert_eq!(failure["message"], message);
    assert!(
        text(&failure["hint"]).contains("apt-get install"),
        "{failure}"
    );
    assert_eq!(site.list(), Vec::<Value>::new());
    site.has_nothing_left();
    for path in &hidden {
        site.machine.run(&["mv", &format!("{path}.hidden"), path]);
    }

    let (_, failure) = site.failed(&["create", "app", "--size", &(1u64 << 50).to_string()]);
    let message = text(&failure["message"]);
    assert!(message.contains("it needs 1024 TiB, and "), "{failure}");
    let (_, failure) = site.failed(&["create", "app", "--datastore", "/srv/my data"]);
    let message = text(&failure["message"]);
    assert!(message.contains("as a datastore"), "{failure}");
    let own = format!("{REPOSITORIES}/app");
    site.machine.run(&["mkdir", "-p", &own]);
    let (_, failure) = site.failed(&["create", "app"]);
    let message = text(&failure["message"]);
    assert!(message.contains("exists already"), "{failure}");
    site.machine.run(&["rmdir", &own]);

    // A daemon that does not start tells why, and leaves nothing behind.
    let config = "/etc/rediacc/docker.json";
    let write = "mkdir -p /etc/rediacc; echo \"$1\" >\"$0\"";
    site.machine
        .run(&["sh", "-c", write, config, r#"{"no-such-setting": true}"#]);
    let (code, failure) = site.failed(&["create", "app", "--size", &size]);
    assert_eq!(code, 1);
    let said = failure["journal"].to_string();
    assert!(said.contains("no-such-setting"), "{failure}");
    assert_eq!(site.list(), Vec::<Value>::new());
    site.has_nothing_left();
    site.machine.run(&["rm", config]);

    site.done(&["create", "app"]);
    let root = &own;
    site.machine.run(&[
        "sh",
        "-c",
        "mkdir \"$0/disk\"; mount -t tmpfs tmpfs \"$0/disk\"; : >\"$0/disk/file\"",
        root,
    ]);
    let (_, failure) = site.failed(&["delete", "app"]);
    let message = text(&failure["message"]);
    assert!(
        message.ends_with("/app/disk is a mount of something else"),
        "{failure}"
    );
    site.machine
        .run(&["test", "-e", &format!("{root}/disk/file")]);
    assert_eq!(site.status("app")["state"], "running");
    site.machine.run(&["umount", &format!("{root}/disk")]);

    let held = "flock /run/rediacc-runs/app.lock sh -c 'echo held; read line'";
    let mut holder = site.machine.command(&["sh", "-c", held]);
    let holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("it runs");
    let mut line = [0; 5];
    let stdout = holder.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(stdout, &mut line).expect("it holds the lock");
    let (code, failure) = site.failed(&["delete", "app"]);
    assert_eq!(code, 5, "{failure}");
    // It reads to the end of its input.
    holder.wait().expect("it ends");
    site.done(&["delete", "app"]);
    site.has_nothing_left();
}

#[test]
fn whatever_is_killed_is_completed_by_the_same_command() {
    let site = Site::on("reposkill");
    let size = (128 * MIB).to_string();
    let name = site.app.as_str();
    let create = ["create", name, "--if-missing", "--size", &size];
    // A creation takes half a second, a deletion a quarter.
    for delay in [20, 60, 120, 200, 300, 450] {
        site.kill_after(delay, &create);
        site.done(&create);
        assert_eq!(site.status(name)["state"], "running", "after {delay} ms");
        site.kill_after(delay / 2, &["delete", name]);
        if !site.list().is_empty() {
            site.done(&["delete", name]);
        }
        site.has_nothing_left();
        site.kill_after(delay, &create);
        if !site.list().is_empty() {
            site.done(&["delete", name]);
        }
        site.has_nothing_left();
    }
}

#[test]
fn a_reboot_brings_up_what_was_up_and_nothing_else() {
    const COMPOSE: &str = "
services:
  web:
    image: busybox
    # It has no restart policy: nobody but us starts it again.
    command: httpd -f -p ${WEB_IP}:8080 -h /www
";
    const REDIACCFILE: &str = "#!/bin/bash
prep() { touch prepared; docker load --quiet --input /usr/local/lib/rediacc-test/busybox.tar; }
up() { renet compose -- up -d; }
down() { renet compose -- down; }
";
    let site = Site::on("reposboot");
    let size = (256 * MIB).to_string();
    let down = format!("{}-down", site.app);
    let stopped = format!("{}-stopped", site.app);
    site.done(&["create", &site.app, "--size", &size]);
    for name in [&down, &stopped] {
        site.done(&["create", name, "--size", &size]);
    }
    for name in [&site.app, &down, &stopped] {
        for (file, content) in [("compose.yml", COMPOSE), ("Rediaccfile", REDIACCFILE)] {
            let path = format!("{REPOSITORIES}/{name}/{file}");
            let write = ["sh", "-c", "cat >\"$0\"", &path];
            site.machine.run_with_input(&write, content);
        }
        site.last(&["up", name]);
    }
    site.last(&["down", &down]);
    site.last(&["down", &stopped, "--unmount"]);
    let prepared = format!("{}/prepared", site.path());
    site.machine.run(&["rm", &prepared]);

    site.machine.reboot();
    let up = id(&site.status(&site.app));
    site.awaits(&format!("curl -sS --fail http://{}:8080/", address(up)));
    // Both are in seconds since this host booted.
    let since_boot = "cut -d' ' -f1 /proc/uptime; systemctl show --value \
                      --property=UserspaceTimestampMonotonic";
    let times = site.machine.run(&["sh", "-c", since_boot]);
    let mut times = times
        .lines()
        .map(|line| line.parse::<f64>().expect("a number"));
    let (now, booted) = (times.next().unwrap_or(0.0), times.next().unwrap_or(0.0));
    println!("figure: boot → the first 200: {:.2} s", now - booted / 1e6);
    let state = |name: &str| {
        let status = site.status(name);
        (status["state"].clone(), status["up"].clone())
    };
    assert_eq!(state(&site.app), ("running".into(), true.into()));
    assert_eq!(state(&down), ("running".into(), false.into()));
    assert_eq!(state(&stopped), ("stopped".into(), false.into()));
    for name in [&down, &stopped] {
        let url = format!("http://{}:8080/", address(id(&site.status(name))));
        let asked = site.machine.command(&["curl", "-sS", &url]).output();
        assert!(!asked.expect("it ends").status.success(), "{name}");
    }
    // What `prep` made is there after a reboot, or was taken away on purpose.
    let asked = site.machine.command(&["test", "-e", &prepared]).status();
    assert!(!asked.expect("it ends").success());

    a_daemon_that_hangs_keeps_nobody(&site, &down);
    for name in [&site.app, &down, &stopped] {
        site.done(&["delete", name]);
    }
    site.has_nothing_left();
}

fn a_daemon_that_hangs_keeps_nobody(site: &Site, name: &str) {
    let unit = format!("rediacc-docker@{}.service", id(&site.status(name)));
    site.machine.run(&[
        "systemctl",
        "kill",
        "--kill-who=main",
        "--signal=STOP",
        &unit,
    ]);
    let asked = Instant::now();
    let listed = site.list();
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
    let of = |name: &str| {
        listed
            .iter()
            .find(|it| it["name"] == name)
            .expect("it is listed")
    };
    assert_eq!(of(&site.app)["state"], "running");
    assert_eq!(of(&site.app)["services"][0]["state"], "running");
    assert_eq!(of(name)["state"], "failed");
    let problem = text(&of(name)["problems"][0]);
    assert!(problem.contains("did not answer in 5 s"), "{problem}");
}

/// A machine with `renet`, and nothing else of ours.
struct Site {
    machine: TestMachine,
    /// A name that no other test has: loop devices are the host's.
    app: String,
}

impl Site {
    fn on(role: &str) -> Self {
        let machine = TestMachine::bare(role);
        let renet = File::open(env!("CARGO_BIN_EXE_renet")).expect("it is built");
        let install = format!("cat >{RENET} && chmod 0755 {RENET}");
        stdout_of(machine.command(&["sh", "-c", &install]).stdin(renet));
        let app = format!("app-{}", machine.env("NAME"));
        Self { machine, app }
    }

    fn spawn(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("tests/machine runs")
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        self.machine.command(&[&[RENET, "repo"], words].concat())
    }

    /// Runs a verb that works, and returns what it answers.
    fn done(&self, words: &[&str]) -> Value {
        let output = self.command(words).output().expect("it ends");
        assert!(output.status.success(), "{words:?}: {output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("an answer");
        answer["repository"].clone()
    }

    /// Runs a verb that works and says more than its answer.
    fn last(&self, words: &[&str]) {
        let said = stdout_of(&mut self.command(words));
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("{\"repository\":"), "{said}");
    }

    /// Runs a verb that fails, and returns its exit code and failure.
    fn failed(&self, words: &[&str]) -> (i32, Value) {
        let output = self.command(words).output().expect("it ends");
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {output:?}"));
        let code = output.status.code().expect("an exit code");
        (code, answer["failed"].clone())
    }

    fn kill_after(&self, milliseconds: u64, words: &[&str]) {
        let delay = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
        let kill = ["timeout", "--signal=KILL", &delay, RENET, "repo"];
        let mut command = self.machine.command(&[&kill, words].concat());
        command.output().expect("it ends");
    }

    fn status(&self, name: &str) -> Value {
        self.done(&["status", name])["status"].clone()
    }

    fn list(&self) -> Vec<Value> {
        let answer = self.done(&["list"]);
        answer["list"].as_array().expect("a list").clone()
    }

    fn path(&self) -> String {
        format!("{REPOSITORIES}/{}", self.app)
    }

    fn load(&self, id: u32) {
        let image = "/usr/local/lib/rediacc-test/busybox.tar";
        self.machine
            .docker(id, &["load", "--quiet", "--input", image]);
    }

    /// Starts a container that serves at the repository's first address.
    fn serve(&self, id: u32, name: &str) {
        let address = format!("{}:8080", address(id));
        let mut words = vec!["run", "--detach", "--name", name, "--network=host"];
        words.extend([
            "--restart=unless-stopped",
            "busybox",
            "httpd",
            "-f",
            "-h",
            "/www",
            "-p",
        ]);
        words.push(&address);
        self.machine.docker(id, &words);
        self.fetch(id);
    }

    fn fetch(&self, id: u32) {
        let url = format!("http://{}:8080/", address(id));
        let words = [
            "curl",
            "-sS",
            "--fail",
            "--retry",
            "20",
            "--retry-delay",
            "1",
        ];
        let words = [&words[..], &["--retry-connrefused", &url]].concat();
        assert_eq!(self.machine.run(&words), "it works\n");
    }

    /// Waits until a shell's condition holds on the machine.
    fn awaits(&self, condition: &str) {
        let wait = format!("until {condition}; do sleep 0.1; done 2>/dev/null");
        self.machine.run(&["timeout", "20", "sh", "-c", &wait]);
    }

    /// Whether this host lets a mounted file system grow: it asks for CAP_SYS_RESOURCE.
    fn grows_what_is_mounted(&self) -> bool {
        const CAP_SYS_RESOURCE: u64 = 1 << 24;
        let own = self
            .machine
            .run(&["sh", "-c", "sed -n 's/^CapEff:\\t//p' /proc/self/status"]);
        let own = u64::from_str_radix(own.trim(), 16).expect("a mask");
        own & CAP_SYS_RESOURCE != 0
    }

    /// No mount, unit, process or file of any repository, and no loop device of this one: those are
    /// the host's, and other tests have some too.
    fn has_nothing_left(&self) {
        let look = "
            grep -E ' /(mnt/rediacc/|run/rediacc)' /proc/self/mountinfo
            losetup --noheadings --output=BACK-FILE --all | grep /$0.img
            find /etc/systemd/system -name '*rediacc*'
            find /mnt/rediacc -mindepth 2
            find /usr/lib/rediacc/repositories
            find /run/rediacc /run/rediacc-runs -mindepth 1 -not -name '*.lock'
            systemctl list-units --all --plain --no-legend 'rediacc*'
            pgrep -a 'dockerd|containerd'
            true";
        let left = self
            .machine
            .run(&["sh", "-c", &format!("({look}) 2>/dev/null"), &self.app]);
        assert_eq!(left, "");
    }
}

/// The address of a repository's first service.
fn address(id: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from(0x7F00_0002 | id)
}

fn id(status: &Value) -> u32 {
    let id = status["network_id"].as_u64().expect("a network id");
    id.try_into().expect("a network id")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
