//! A machine's SSH host keys, read from the machine. The way is that of the system's `ssh`, its
//! configuration file included; nobody logs in here.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::Command;
use std::time::Duration;

use super::connection::with_path;
use super::error::{ConnectCause, Proxy, refusal};
use super::way::{Way, WayError, destination, last_line, output_of, ssh};
use crate::context::Reach;
use crate::context::value::HostKey;

/// How long finding out why may take on top.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads the host keys of a machine. A local one has none.
pub fn scan(reach: &Reach) -> Result<Vec<HostKey>, ScanError> {
    if *reach == Reach::Local {
        return Ok(Vec::new());
    }
    let way = Way::of(reach)?;
    if way.proxy.is_some() {
        key_of_a_connection(reach, &way)
    } else {
        keys_of_a_scan(&way)
    }
}

/// Why there are no host keys.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The machine does not show any.
    #[error("cannot reach {}: {why}", socket(host, port))]
    Unreachable {
        /// The address that `ssh` would connect to.
        host: String,
        /// The port.
        port: String,
        /// What went wrong.
        why: String,
    },
    /// The host in between, a jump host or a proxy, does not let us through.
    #[error("cannot get to {}: {why}", socket(host, port))]
    Between {
        /// The address that `ssh` would connect to.
        host: String,
        /// The port.
        port: String,
        /// What is in between.
        proxy: Proxy,
        /// What went wrong.
        why: String,
    },
    /// It cannot be said how `ssh` would connect.
    #[error(transparent)]
    Way(#[from] WayError),
    /// There is no room for a temporary file.
    #[error("cannot make a temporary folder")]
    Folder(#[source] io::Error),
}

/// A host with its port; an IPv6 address has colons of its own.
fn socket(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// All keys of a machine that is reached directly.
fn keys_of_a_scan(way: &Way) -> Result<Vec<HostKey>, ScanError> {
    let seconds = way.timeout.as_secs().to_string();
    let mut keyscan = Command::new("ssh-keyscan");
    keyscan
        .args(["-T", &seconds, "-p", &way.port, "--"])
        .arg(&way.host);
    let output = output_of(&mut keyscan)?;
    let keys = keys_of(&output.stdout);
    if keys.is_empty() {
        // A scan is mostly silent about what went wrong.
        let why = last_line(&output.stderr)
            .or_else(|| why_not(way))
            .unwrap_or_else(|| format!("it shows no host key within {seconds} s"));
        let Way { host, port, .. } = way.clone();
        return Err(ScanError::Unreachable { host, port, why });
    }
    Ok(keys)
}

/// Why no connection comes up, where it does not.
fn why_not(way: &Way) -> Option<String> {
    let port = way.port.parse().ok()?;
    let mut addresses = match (way.host.as_str(), port).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return Some(error.to_string()),
    };
    let error = addresses
        .find_map(|address| TcpStream::connect_timeout(&address, REFUSAL_TIMEOUT).err())?;
    if error.kind() == io::ErrorKind::TimedOut {
        return Some(format!("no answer within {} s", way.timeout.as_secs()));
    }
    Some(error.to_string())
}

/// The one key that `ssh` takes from a machine behind another, where a scan does not get to.
/// The connection ends before anybody logs in.
fn key_of_a_connection(reach: &Reach, way: &Way) -> Result<Vec<HostKey>, ScanError> {
    let folder = tempfile::tempdir().map_err(ScanError::Folder)?;
    let (known_hosts, log) = (folder.path().join("known_hosts"), folder.path().join("log"));
    let mut ssh = ssh(reach);
    ssh.arg("-E").arg(&log);
    ssh.arg("-o")
        .arg(with_path("UserKnownHostsFile", &known_hosts));
    ssh.arg("-o")
        .arg(format!("ConnectTimeout={}", way.timeout.as_secs()));
    for option in [
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=accept-new",
        "HashKnownHosts=no",
        "UpdateHostKeys=no",
        "PreferredAuthentications=none",
        "BatchMode=yes",
        "LogLevel=VERBOSE",
        "ControlMaster=no",
        "ControlPath=none",
    ] {
        ssh.args(["-o", option]);
    }
    let output = output_of(ssh.arg("--").arg(destination(reach)))?;
    // Where no connection came up, there is no file, and so no key.
    let read = |path| std::fs::read(path).unwrap_or_default();
    let keys = keys_of(&read(&known_hosts));
    if keys.is_empty() {
        let (log, beside) = (read(&log), output.stderr);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (cause, why) = refusal(&text(&log), &text(&beside), way);
        let Way { host, port, .. } = way.clone();
        return Err(match cause {
            ConnectCause::Between(proxy) => ScanError::Between {
                host,
                port,
                proxy,
                why,
            },
            _ => ScanError::Unreachable { host, port, why },
        });
    }
    Ok(keys)
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
