//! An operator's workstation: the built `rdc`, a home that `ssh` takes for its own too, and an
//! `ssh` that notes what it is started with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rdc::{Answer, Rdc};
use crate::test_machine::{TestMachine, stdout_of};

/// A workstation without a context.
pub(crate) struct Workstation {
    rdc: Rdc,
    /// What no command may ever say.
    secrets: &'static [&'static str],
    /// What each command has in its environment beside the usual.
    environment: Vec<(String, String)>,
}

impl Workstation {
    pub(crate) fn new(secrets: &'static [&'static str]) -> Self {
        let rdc = Rdc::new();
        let bin = rdc.path("bin");
        fs::create_dir(&bin).expect("a folder");
        for folder in [".ssh", "tmp"] {
            fs::create_dir(rdc.path(folder)).expect("a folder");
        }
        let ssh = stdout_of(Command::new("sh").args(["-c", "command -v ssh"]));
        let spy = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >>'{}'\nexec {} \"$@\"\n",
            rdc.path("ssh.log").display(),
            ssh.trim()
        );
        fs::write(bin.join("ssh"), spy).expect("it is written");
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).expect("its mode");
        // `ssh` asks the list of users for the home, not the environment.
        let users = fs::read_to_string("/etc/passwd").expect("the list of users");
        let own = format!("root:x:0:0:root:{}:/bin/sh\n", rdc.path("").display());
        fs::write(rdc.path("passwd"), own + &users).expect("it is written");
        Self {
            rdc,
            secrets,
            environment: Vec::new(),
        }
    }

    /// Sets a variable for the commands to come.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.rdc.path(name)
    }

    /// What `ssh` was started with so far.
    pub(crate) fn ssh_arguments(&self) -> String {
        fs::read_to_string(self.path("ssh.log")).expect("ssh was watched")
    }

    /// Creates a context with a key.
    pub(crate) fn context(&self, name: &str, key: &Path) {
        let key = key.to_str().expect("a plain path");
        self.rdc(&["context", "create-local", name, "--ssh-key", key]);
    }

    /// Adds a machine with just enough infra for a push; the scan of its keys has to work.
    pub(crate) fn declare(&self, context: &str, name: &str, way: &[&str], machine: &TestMachine) {
        let add = ["--context", context, "context", "add-machine", name];
        self.rdc(&[&add[..], way].concat());
        self.set_infra(context, name, machine);
    }

    /// Declares a machine's infra; it is the same for all names, so that a push changes nothing.
    pub(crate) fn set_infra(&self, context: &str, name: &str, machine: &TestMachine) {
        let set = ["--context", context, "context", "set-infra", name];
        let address = machine.env("ADDR");
        self.rdc(&[&set[..], &["--public-ipv4", address]].concat());
    }

    /// Runs a command that has to end well, and answers what it printed.
    #[track_caller]
    pub(crate) fn rdc(&self, words: &[&str]) -> String {
        self.rdc_with_input(words, "")
    }

    /// The same, with something on its standard input.
    #[track_caller]
    pub(crate) fn rdc_with_input(&self, words: &[&str], input: &str) -> String {
        self.run_with_input(words, input).done().stdout
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        self.run_with_input(words, "")
    }

    #[track_caller]
    fn run_with_input(&self, words: &[&str], input: &str) -> Answer {
        let mut command = assert_cmd::Command::from_std(self.command(words));
        let output = command.write_stdin(input).output().expect("rdc runs");
        self.answer(words, output)
    }

    /// What a command answered, which must not be the secret.
    #[track_caller]
    pub(crate) fn answer(&self, words: &[&str], output: std::process::Output) -> Answer {
        let answer = Answer::from(output);
        for secret in self.secrets {
            let told = answer.all().contains(secret);
            assert!(!told, "`rdc {}` told the secret", words.join(" "));
        }
        answer
    }

    /// A command, to be run.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let rdc = env!("CARGO_BIN_EXE_rdc");
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "slave", "sh", "-c"])
            .arg("mount --bind \"$0\" /etc/passwd && exec \"$@\"")
            .args([&self.path("passwd"), Path::new(rdc)])
            .args(words)
            .current_dir(self.path(""))
            .env_clear()
            .env("HOME", self.path(""))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("TMPDIR", self.path("tmp"))
            .env("PATH", self.programs())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn programs(&self) -> String {
        let usual = std::env::var("PATH").expect("a PATH");
        format!("{}:{usual}", self.path("bin").display())
    }
}
