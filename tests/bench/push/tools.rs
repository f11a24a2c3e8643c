//! What keeps the proxy in place on a machine, as commands: our push, Ansible and pyinfra; and the
//! bare `ssh` that none of them can be faster than.
//!
//! All of them log in as root with the same key, know the same host key, and open a connection of
//! their own: nothing is left open from one run to the next.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::subject::{Ports, Subject};
use crate::test_machine::stdout_of;

/// Who keeps a machine as it has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Rdc,
    /// With what makes it fast.
    TunedAnsible,
    /// With its defaults.
    PlainAnsible,
    Pyinfra,
}

/// A workstation, with all tools on it and the files that they bring.
pub(crate) struct Workstation {
    folder: TempDir,
    /// Of Ansible's and pyinfra's programs.
    programs: PathBuf,
}

impl Tool {
    /// As the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rdc => "rdc",
            Self::TunedAnsible => "Ansible, tuned",
            Self::PlainAnsible => "Ansible as it comes",
            Self::Pyinfra => "pyinfra",
        }
    }

    /// The machine that it keeps: the name in the context, and the folder of its files.
    pub(crate) fn machine(self) -> &'static str {
        match self {
            Self::Rdc => "rdc",
            Self::TunedAnsible | Self::PlainAnsible => "ansible",
            Self::Pyinfra => "pyinfra",
        }
    }
}

impl Workstation {
    /// Installs what is not there.
    pub(crate) fn new() -> io::Result<Self> {
        let programs = stdout_of(Command::new(setup()).stderr(Stdio::inherit()));
        let workstation = Self {
            folder: tempfile::Builder::new().prefix("push-bench-").tempdir()?,
            programs: programs.trim().into(),
        };
        // It stands for a configuration without anything in it.
        fs::write(workstation.path("plain.cfg"), "")?;
        Ok(workstation)
    }

    /// Declares a machine to `rdc`, and renders its files for both lists of ports.
    pub(crate) fn declare(&self, name: &str, subject: &Subject) -> io::Result<()> {
        let machine = &subject.machine;
        let (address, key) = (subject.address(), machine.env("SSH_KEY"));
        if !self.path("config").exists() {
            self.rdc(&["context", "create-local", "default", "--ssh-key", key]);
        }
        let login = ["--ip", address, "--user", "root"];
        self.rdc(&[&["context", "add-machine", name][..], &login].concat());
        let infra = ["--public-ipv4", address, "--base-domain", "example.test"];
        self.rdc(&[&["context", "set-infra", name][..], &infra].concat());
        for ports in Ports::BOTH {
            self.set_ports(name, ports);
            let folder = self.files(name, ports);
            let out = folder
                .to_str()
                .ok_or_else(|| io::Error::other("no UTF-8"))?;
            self.rdc(&["context", "render-infra", name, "--out", out]);
            let entrypoints = entrypoints(&fs::read_to_string(folder.join("traefik.yml"))?);
            fs::write(folder.join("binds.json"), entrypoints)?;
        }
        self.set_ports(name, subject.ports);

        let known_hosts = machine.env("KNOWN_HOSTS");
        let ansible = format!(
            "machine ansible_host={address} ansible_user=root ansible_ssh_private_key_file={key} \
             ansible_ssh_common_args='-o UserKnownHostsFile={known_hosts}'\n"
        );
        fs::write(self.path(&format!("{name}.ini")), ansible)?;
        let pyinfra = format!(
            "hosts = [({address:?}, {{'ssh_user': 'root', 'ssh_key': {key:?}, \
             'ssh_known_hosts_file': {known_hosts:?}, 'ssh_strict_host_key_checking': 'yes'}})]\n"
        );
        fs::write(self.path(&format!("{name}_inventory.py")), pyinfra)
    }

    /// Says which ports the next push shall open.
    pub(crate) fn set_ports(&self, name: &str, ports: Ports) {
        let ports = ports.list();
        self.rdc(&["context", "set-infra", name, "--tcp-ports", &ports]);
    }

    /// The first push, which brings the programs.
    pub(crate) fn first_push(&self, subject: &Subject) {
        let traefik = subject.machine.env("TRAEFIK");
        self.rdc(&[
            "context",
            "push-infra",
            Tool::Rdc.machine(),
            "--traefik-binary",
            traefik,
        ]);
    }

    /// Logs in and does nothing, with the options that `rdc` gives to `ssh`.
    pub(crate) fn ssh(&self, subject: &Subject) -> Command {
        let known_hosts = subject.machine.env("KNOWN_HOSTS");
        let mut ssh = self.command(Path::new("ssh"));
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "ControlMaster=no",
            "ControlPath=none",
            &format!("UserKnownHostsFile={known_hosts}"),
        ] {
            ssh.args(["-o", option]);
        }
        ssh.args([
            "-i",
            subject.machine.env("SSH_KEY"),
            "-l",
            "root",
            "-p",
            "22",
        ])
        .args(["--", subject.address(), "true"]);
        ssh
    }

    /// Brings a machine to a list of ports, which for a push `set_ports` has to have said.
    pub(crate) fn run(&self, tool: Tool, ports: Ports) -> Command {
        let machine = tool.machine();
        let wanted = format!("wanted={}", self.files(machine, ports).display());
        match tool {
            Tool::Rdc => {
                let mut rdc = self.command(Path::new(env!("CARGO_BIN_EXE_rdc")));
                rdc.args(["--quiet", "context", "push-infra", machine]);
                rdc
            }
            Tool::TunedAnsible => self.ansible(&source("ansible/tuned.cfg"), &wanted),
            Tool::PlainAnsible => self.ansible(&self.path("plain.cfg"), &wanted),
            Tool::Pyinfra => {
                let mut pyinfra = self.command(&self.programs.join("pyinfra"));
                pyinfra
                    .args(["--yes", "--data", &wanted])
                    .arg(self.path(&format!("{machine}_inventory.py")))
                    .arg(source("pyinfra/deploy.py"));
                pyinfra
            }
        }
    }

    fn ansible(&self, configuration: &Path, wanted: &str) -> Command {
        let mut ansible = self.command(&self.programs.join("ansible-playbook"));
        ansible
            .env("ANSIBLE_CONFIG", configuration)
            .env("ANSIBLE_HOME", self.path("ansible-home"))
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", self.path("control"))
            .args(["--extra-vars", wanted, "--inventory"])
            .arg(self.path(&format!("{}.ini", Tool::TunedAnsible.machine())))
            .arg(source("ansible/play.yml"));
        ansible
    }

    /// Closes what Ansible leaves open for a minute, so that each run pays for its connection, as
    /// one does that comes now and then.
    pub(crate) fn close_connections(&self) -> io::Result<()> {
        let sockets = match fs::read_dir(self.path("control")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            sockets => sockets?,
        };
        for socket in sockets {
            let socket = socket?;
            if !socket.file_type()?.is_socket() {
                continue;
            }
            let path = format!("ControlPath={}", socket.path().display());
            let mut ssh = self.command(Path::new("ssh"));
            // It says so on standard error, and fails if the connection has just gone by itself.
            ssh.args(["-o", &path, "-O", "exit", "machine"])
                .stderr(Stdio::null())
                .status()?;
        }
        Ok(())
    }

    fn rdc(&self, words: &[&str]) {
        stdout_of(
            self.command(Path::new(env!("CARGO_BIN_EXE_rdc")))
                .args(words),
        );
    }

    /// A command that knows nothing of the person who measures.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("LC_ALL", "C.UTF-8");
        command
    }

    fn files(&self, machine: &str, ports: Ports) -> PathBuf {
        self.path("files").join(machine).join(ports.folder())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Puts on a machine what Ansible needs there.
pub(crate) fn install_python(subject: &Subject) {
    let mut setup = Command::new(setup());
    let setup = setup.args(["python", subject.machine.env("NAME")]);
    stdout_of(setup);
}

fn setup() -> PathBuf {
    source("setup")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bench/push")
        .join(name)
}

/// The entry points of a static configuration, as the program that opens them for Traefik reads
/// them: what a machine makes for itself in a push.
fn entrypoints(config: &str) -> String {
    let lines: Vec<&str> = config.lines().collect();
    let entries = lines.windows(2).filter_map(|pair| {
        let name = pair[0].strip_prefix("  ")?.strip_suffix(':')?;
        let address = pair[1].strip_prefix("    address: \"")?.strip_suffix('"')?;
        let (host, _) = address
            .strip_suffix("/udp")
            .unwrap_or(address)
            .rsplit_once(':')?;
        let is_ours = name != "ping";
        is_ours.then(|| format!("{{\"entrypoint\":\"{name}\",\"address\":\"{host}\"}}"))
    });
    format!("[\n{}\n]\n", entries.collect::<Vec<_>>().join(",\n"))
}
