//! A machine's SSH host keys, read from the machine. The way is that of the system's `ssh`, its
//! configuration file included; nobody logs in here.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::context::Reach;
use crate::context::value::HostKey;

/// How long a machine may be silent.
const TIMEOUT_SECONDS: &str = "8";

/// How long finding out why may take on top.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads the host keys of a machine. A local one has none.
pub fn scan(reach: &Reach) -> Result<Vec<HostKey>, ScanError> {
    if *reach == Reach::Local {
        return Ok(Vec::new());
    }
    let way = Way::of(reach)?;
    let (keys, said) = if way.through_another {
        way.keys_of_a_connection(reach)?
    } else {
        way.keys_of_a_scan()?
    };
    if keys.is_empty() {
        // A scan is mostly silent about what went wrong.
        let why = said
            .or_else(|| way.refusal())
            .unwrap_or_else(|| "it shows none".to_owned());
        return Err(ScanError::Unreachable {
            host: way.host,
            port: way.port,
            why,
        });
    }
    Ok(keys)
}

/// Why there are no host keys.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The machine does not show any.
    #[error("cannot reach {host}:{port}: {why}")]
    Unreachable {
        /// The address that `ssh` would connect to.
        host: String,
        /// The port.
        port: String,
        /// What went wrong.
        why: String,
    },
    /// `ssh` refuses its own configuration.
    #[error("ssh refuses its configuration for {destination}: {why}")]
    Configuration {
        /// What `ssh` was asked for.
        destination: String,
        /// What it said.
        why: String,
    },
    /// A program of the OpenSSH client cannot be run.
    #[error("cannot run `{program}`")]
    Program {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// There is no room for a temporary file.
    #[error("cannot make a temporary folder")]
    Folder(#[source] io::Error),
}

/// Where `ssh` would connect to.
struct Way {
    host: String,
    port: String,
    /// Whether a jump host or a proxy command lies in between.
    through_another: bool,
}

impl Way {
    /// Asks `ssh` what its configuration makes of a machine: a plain address may have an entry too.
    fn of(reach: &Reach) -> Result<Self, ScanError> {
        let output = run(ssh(reach).arg("-G"), destination(reach))?;
        if !output.status.success() {
            let said = last_line(&output.stderr).unwrap_or_default();
            return Err(ScanError::Configuration {
                destination: destination(reach).to_owned(),
                why: said,
            });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.to_owned())
        };
        let proxy = |key: &str| value(key).is_some_and(|value| value != "none");
        Ok(Self {
            host: value("hostname").unwrap_or_else(|| destination(reach).to_owned()),
            port: value("port").unwrap_or_else(|| Reach::SSH_PORT.to_string()),
            through_another: proxy("proxyjump") || proxy("proxycommand"),
        })
    }

    /// Why no connection comes up, where it does not.
    fn refusal(&self) -> Option<String> {
        let port = self.port.parse().ok()?;
        let mut addresses = match (self.host.as_str(), port).to_socket_addrs() {
            Ok(addresses) => addresses,
            Err(error) => return Some(error.to_string()),
        };
        addresses
            .find_map(|address| TcpStream::connect_timeout(&address, REFUSAL_TIMEOUT).err())
            .map(|error| error.to_string())
    }

    /// All keys of a machine that is reached directly.
    fn keys_of_a_scan(&self) -> Result<(Vec<HostKey>, Option<String>), ScanError> {
        let mut keyscan = Command::new("ssh-keyscan");
        keyscan.args(["-T", TIMEOUT_SECONDS, "-p", &self.port]);
        let output = run(&mut keyscan, &self.host)?;
        Ok((keys_of(&output.stdout), last_line(&output.stderr)))
    }

    /// The one key that `ssh` takes from a machine behind another, where a scan does not get to.
    /// The connection ends before anybody logs in.
    fn keys_of_a_connection(
        &self,
        reach: &Reach,
    ) -> Result<(Vec<HostKey>, Option<String>), ScanError> {
        let folder = tempfile::tempdir().map_err(ScanError::Folder)?;
        let known_hosts = folder.path().join("known_hosts");
        let mut ssh = ssh(reach);
        ssh.arg("-o")
            .arg(format!("UserKnownHostsFile=\"{}\"", known_hosts.display()))
            .arg("-o")
            .arg(format!("ConnectTimeout={TIMEOUT_SECONDS}"));
        for option in [
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=accept-new",
            "HashKnownHosts=no",
            "UpdateHostKeys=no",
            "PreferredAuthentications=none",
            "BatchMode=yes",
            "ControlMaster=no",
            "ControlPath=none",
        ] {
            ssh.args(["-o", option]);
        }
        let output = run(&mut ssh, destination(reach))?;
        // Where no connection came up, there is no file, and so no key.
        let lines = std::fs::read(&known_hosts).unwrap_or_default();
        Ok((keys_of(&lines), last_line(&output.stderr)))
    }
}

/// `ssh` with what the context says of the way; the destination comes last.
fn ssh(reach: &Reach) -> Command {
    let (host, user, port) = match reach {
        Reach::Local => (None, None, None),
        Reach::Ssh { user, port, .. } => (None, Some(user), Some(*port)),
        Reach::SshConfig {
            host, user, port, ..
        } => (host.as_ref(), user.as_ref(), *port),
    };
    let mut ssh = Command::new("ssh");
    if let Some(host) = host {
        ssh.arg("-o").arg(format!("HostName={host}"));
    }
    if let Some(user) = user {
        ssh.args(["-l", user.as_str()]);
    }
    if let Some(port) = port {
        ssh.args(["-p", &port.to_string()]);
    }
    ssh
}

fn destination(reach: &Reach) -> &str {
    match reach {
        Reach::Local => "localhost",
        Reach::Ssh { host, .. } => host.as_str(),
        Reach::SshConfig { alias, .. } => alias.as_str(),
    }
}

fn run(command: &mut Command, destination: &str) -> Result<Output, ScanError> {
    command.arg("--").arg(destination).stdin(Stdio::null());
    command.output().map_err(|error| ScanError::Program {
        program: command.get_program().to_string_lossy().into_owned(),
        error,
    })
}

/// The keys of lines as `known_hosts` has them, in order.
fn keys_of(lines: &[u8]) -> Vec<HostKey> {
    let mut keys: Vec<HostKey> = String::from_utf8_lossy(lines)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(_host, key)| key.parse().ok())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The last thing that a program complained about.
fn last_line(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty() && !line.starts_with('#'))
        .map(ToOwned::to_owned)
}
