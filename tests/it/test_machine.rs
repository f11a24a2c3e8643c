//! A real Debian machine for a test: `tests/machine`, taken down again when it is dropped.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A machine that is up, for as long as this lives.
pub(crate) struct TestMachine {
    name: String,
    env: BTreeMap<String, String>,
}

/// Where a machine is found, where not at an address and in the zone that a test run chose.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// A further IPv4 address of it, which only its own network reaches.
    pub(crate) address: &'static str,
    /// The DNS zone whose names all lead there.
    pub(crate) zone: &'static str,
}

impl TestMachine {
    /// Boots a machine with Docker daemons and the ACME surroundings.
    pub(crate) fn up(role: &str, daemons: &str) -> Self {
        Self::boot(role, &["--daemons", daemons, "--acme"])
    }

    /// Boots a machine with Docker daemons alone.
    pub(crate) fn with_daemons(role: &str, daemons: &str) -> Self {
        Self::boot(role, &["--daemons", daemons])
    }

    /// Boots a machine without anything in it.
    pub(crate) fn bare(role: &str) -> Self {
        Self::boot(role, &[])
    }

    /// Boots a machine with the ACME surroundings alone.
    pub(crate) fn with_acme(role: &str) -> Self {
        Self::boot(role, &["--acme"])
    }

    /// Boots a machine with the ACME surroundings at an address and for a zone of its own.
    pub(crate) fn at(role: &str, place: Place) -> Self {
        let Place { address, zone } = place;
        Self::boot(role, &["--acme", "--address", address, "--zone", zone])
    }

    fn boot(role: &str, options: &[&str]) -> Self {
        // Several test runs may share one host.
        let name = format!("{role}{}", std::process::id());
        let mut machine = Self {
            name,
            env: BTreeMap::new(),
        };
        machine.script(&["up"], options);
        machine.env = machine
            .script(&["env"], &[])
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        machine
    }

    /// One of the machine's values: `ADDR`, `SSH_KEY`, `CA_CERT`, `TRAEFIK` …
    pub(crate) fn env(&self, key: &str) -> &str {
        self.env
            .get(key)
            .unwrap_or_else(|| panic!("tests/machine env has no {key}"))
    }

    /// Runs a command on the machine as root, and answers what it printed.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        self.script(&["run"], words)
    }

    /// The same, with something on its standard input.
    pub(crate) fn run_with_input(&self, words: &[&str], input: &str) -> String {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/machine runs");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input.as_bytes())
            .expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{words:?}: {}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// A command on the machine as root, to be run.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        Self::script_command(&["run"], &self.name, words)
    }

    /// Boots the machine again, without any warning.
    pub(crate) fn reboot(&self) {
        self.script(&["reboot"], &["--hard"]);
    }

    /// Boots the machine again, in an orderly way.
    pub(crate) fn restart(&self) {
        self.script(&["reboot"], &[]);
    }

    /// Runs the docker client against a daemon.
    pub(crate) fn docker(&self, network_id: u32, words: &[&str]) -> String {
        stdout_of(&mut self.docker_command(network_id, words))
    }

    /// The same, to be run.
    pub(crate) fn docker_command(&self, network_id: u32, words: &[&str]) -> Command {
        let id = network_id.to_string();
        let mut all = vec![id.as_str()];
        all.extend(words);
        Self::script_command(&["docker"], &self.name, &all)
    }

    /// A program of this host in the machine's network, to be run.
    pub(crate) fn exec_command(&self, words: &[&str]) -> Command {
        Self::script_command(&["exec"], &self.name, words)
    }

    /// Brings the images of the example, and a registry that has them.
    pub(crate) fn images(&self) {
        self.script(&["images"], &[]);
    }

    /// Starts or stops a daemon.
    pub(crate) fn daemon(&self, network_id: u32, action: &str) {
        self.script(&["daemon"], &[&network_id.to_string(), action]);
    }

    fn script(&self, command: &[&str], words: &[&str]) -> String {
        stdout_of(&mut Self::script_command(command, &self.name, words))
    }

    fn script_command(command: &[&str], name: &str, words: &[&str]) -> Command {
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine"));
        script
            .args(command)
            .arg(name)
            .args(words)
            .stdin(Stdio::null());
        script
    }
}

impl Drop for TestMachine {
    fn drop(&mut self) {
        // A failed test shows what the machine's own programs said.
        if std::thread::panicking() {
            for unit in ["rediacc-router.service", "rediacc-proxy.service"] {
                let journal = ["journalctl", "--no-pager", "--lines=40", "--unit", unit];
                let _ = self.command(&journal).status();
            }
        }
        self.script(&["down"], &[]);
    }
}

/// What a program printed; the test ends if it failed.
pub(crate) fn stdout_of(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{stderr}");
    String::from_utf8(stdout).expect("text")
}
