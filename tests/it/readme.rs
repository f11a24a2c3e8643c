//! Every command of the README, as printed and in its order: those for the workstation on one, those
//! for the server on a real machine at the address that the README names.
//!
//! A block of commands says in its first line where it is run: `sh` on the workstation, `sh server` on
//! the server, `sh clone` by somebody who works on this project; the last ones are run by `.ci/run`, or
//! take hours. A block of another language is a file, whose path stands before it in backquotes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::test_machine::{Place, TestMachine, stdout_of};

/// The address and the zone that the README's commands name.
const PLACE: Place = Place {
    address: "203.0.113.50",
    zone: "example.com",
};

#[test]
fn every_command_of_the_readme_works_as_printed() {
    let text = fs::read_to_string(root().join("README.md")).expect("the README");
    let machine = TestMachine::at("readme", PLACE);
    machine.images();
    let reader = Reader::new(&machine);
    let mut ran = 0;
    for block in blocks(&text) {
        match block.kind.as_str() {
            "sh" => reader.on_workstation(&block.text),
            "sh server" => reader.on_server(&block.text),
            "sh clone" => continue,
            "yaml" | "bash" => reader.write(block.file.as_deref(), &block.text),
            "" => continue,
            other => panic!("a block of the unknown kind `{other}`"),
        }
        ran += 1;
    }
    assert!(ran >= 10, "only {ran} blocks were found");
}

#[test]
fn what_the_readme_runs_in_a_clone_is_there() {
    let text = fs::read_to_string(root().join("README.md")).expect("the README");
    for block in blocks(&text).filter(|block| block.kind == "sh clone") {
        for line in block.text.lines() {
            let mut words = line.split_whitespace();
            let program = words.find(|word| !word.contains('='));
            let program = root().join(program.expect("a command"));
            let mode = program.metadata().map(|found| found.permissions().mode());
            assert!(mode.is_ok_and(|mode| mode & 0o111 != 0), "{line}");
        }
    }
}

/// A block between fences.
struct Block {
    /// What stands behind the opening fence.
    kind: String,
    /// The last path in backquotes before it.
    file: Option<String>,
    text: String,
}

fn blocks(text: &str) -> impl Iterator<Item = Block> + '_ {
    // Prose and blocks take turns.
    let mut parts = text.split("\n```");
    let mut prose = parts.next().unwrap_or_default();
    std::iter::from_fn(move || {
        let block = parts.next()?;
        let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
        let file = prose
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|quoted| quoted.contains('/') && !quoted.contains(' '))
            .last();
        let block = Block {
            kind: kind.to_owned(),
            file: file.map(str::to_owned),
            text: text.to_owned() + "\n",
        };
        prose = parts.next().unwrap_or_default();
        Some(block)
    })
}

/// Somebody who follows the README, with a home of their own.
struct Reader<'a> {
    machine: &'a TestMachine,
    home: tempfile::TempDir,
}

impl<'a> Reader<'a> {
    fn new(machine: &'a TestMachine) -> Self {
        let home = tempfile::tempdir().expect("a home");
        let reader = Self { machine, home };
        let ssh = reader.path(".ssh");
        fs::create_dir(&ssh).expect("a folder");
        fs::copy(machine.env("SSH_KEY"), ssh.join("id_ed25519")).expect("a key");
        fs::write(reader.path("cloudflare-token"), "a-token\n").expect("a token");
        reader.have_release();
        reader
    }

    /// The release of Traefik that a push brings, as if it had been downloaded before.
    fn have_release(&self) {
        let setup = root().join("tests/setup");
        let traefik = stdout_of(Command::new(setup).arg("traefik"));
        let traefik = Path::new(traefik.trim());
        let version = traefik.ancestors().find_map(|folder| {
            let name = folder.file_name()?.to_str()?;
            name.strip_prefix("traefik-")
        });
        let version = version.expect("a version");
        let release = format!("{version}-{}", std::env::consts::ARCH);
        let cache = self.path(".cache/rediacc/traefik").join(release);
        fs::create_dir_all(&cache).expect("a folder");
        fs::copy(traefik, cache.join("traefik")).expect("a release");
        let sum = stdout_of(Command::new("sha256sum").arg(traefik));
        let sum = sum.split(' ').next().expect("a sum");
        fs::write(cache.join("sha256"), sum).expect("it is written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs commands on the workstation, in the home, which is where the README's folders are.
    fn on_workstation(&self, commands: &str) {
        // The only thing that the README cannot know: there is no Let's Encrypt here.
        if commands.contains("push-infra") {
            let directory = self.machine.env("ACME_DIRECTORY");
            let set = format!("rdc context set-infra server-1 --acme-ca-server {directory}\n");
            self.run(&set);
        }
        if commands.starts_with("cargo ") {
            return self.install(commands);
        }
        self.run(commands);
    }

    fn run(&self, commands: &str) {
        let script = format!("set -euo pipefail\n{commands}");
        let mut command = self.machine.exec_command(&["bash", "-c", &script]);
        command
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("PATH", self.programs())
            .env("CURL_CA_BUNDLE", self.machine.env("CA_CERT"))
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME");
        finish(&mut command, commands);
    }

    /// Builds and installs the programs in a clone, as quickly as that goes: without optimising.
    fn install(&self, commands: &str) {
        let cache = stdout_of(Command::new(root().join("tests/setup")).arg("cache"));
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", commands])
            .current_dir(root())
            .stdin(Stdio::null())
            .env("CARGO_INSTALL_ROOT", self.path(".cargo"))
            .env("CARGO_TARGET_DIR", Path::new(cache.trim()).join("install"))
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        finish(&mut command, commands);
        for program in ["rdc", "renet"] {
            assert!(self.path(".cargo/bin").join(program).exists(), "{program}");
        }
    }

    fn programs(&self) -> String {
        let usual = std::env::var("PATH").expect("a PATH");
        format!("{}:{usual}", self.path(".cargo/bin").display())
    }

    fn on_server(&self, commands: &str) {
        let script = format!("set -eu\n{commands}");
        finish(&mut self.machine.command(&["sh", "-c", &script]), commands);
    }

    fn write(&self, file: Option<&str>, text: &str) {
        let path = self.path(file.expect("the file of a block is named before it"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it is written");
    }
}

#[track_caller]
fn finish(command: &mut Command, commands: &str) {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    println!("$ {commands}{said}");
    assert!(
        output.status.success(),
        "{commands}: {}\n{said}{complained}",
        output.status
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
