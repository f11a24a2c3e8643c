//! The built `rdc`, with a home and a configuration folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::test_machine::TestMachine;

/// An operator's workstation: commands run one after the other see the same files.
pub(crate) struct Rdc {
    home: TempDir,
}

/// What one run answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Rdc {
    /// A workstation without a context.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(home.path().join("key"), "").expect("a key is written");
        Self { home }
    }

    /// A workstation with the context `default` and the machine `server-1`, nothing scanned.
    pub(crate) fn with_machine() -> Self {
        let rdc = Self::new();
        let key = rdc.path("key");
        let key = key.to_str().expect("a plain path");
        rdc.run(&["context", "create-local", "default", "--ssh-key", key])
            .done();
        rdc.add_machine("server-1");
        rdc
    }

    /// A workstation with the context `default` and a running machine as `server-1`, its key scanned.
    pub(crate) fn of(machine: &TestMachine, user: &str) -> Self {
        let rdc = Self::new();
        let key = machine.env("SSH_KEY");
        rdc.run(&["context", "create-local", "default", "--ssh-key", key])
            .done();
        let login = ["--ip", machine.env("ADDR"), "--user", user];
        rdc.run(&[&["context", "add-machine", "server-1"][..], &login].concat())
            .done();
        rdc
    }

    /// Adds a machine that nobody connects to.
    pub(crate) fn add_machine(&self, name: &str) {
        self.run(&[
            "context",
            "add-machine",
            name,
            "--ip",
            "203.0.113.50",
            "--user",
            "root",
            "--no-scan",
        ])
        .done();
    }

    /// A path in the operator's home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The file of a context.
    pub(crate) fn file(&self, context: &str) -> PathBuf {
        self.path(&format!("config/rediacc/{context}.toml"))
    }

    /// The text of the context `default`.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.file("default")).expect("the context is read")
    }

    /// A command with this workstation's environment, and nothing of the tester's own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.command(arguments).output().expect("rdc runs").into()
    }

    /// Starts a command beside others; its output is not read.
    pub(crate) fn spawn(&self, arguments: &[String]) -> std::process::Child {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.process(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rdc starts")
    }

    /// A command to be started beside others.
    pub(crate) fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(program());
        command
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .stdin(Stdio::null());
        command
    }
}

impl Answer {
    /// The answer of a command that has to end well.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        self.code(0)
    }

    /// The answer of a command that has to end with this code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as the one JSON object that it has to be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("one JSON object")
    }

    /// That all of these stand on standard error.
    #[track_caller]
    pub(crate) fn told(&self, signs: &[&str]) {
        for sign in signs {
            assert!(self.stderr.contains(sign), "no `{sign}` in\n{}", self.all());
        }
    }

    /// Everything that was said.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rdc"))
}
