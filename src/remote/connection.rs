//! Opens a connection: one `ssh` that logs in and then waits in the background for work.
//!
//! It is the operator's own program with the operator's configuration; the command line overrides
//! only what a push depends on.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::error::{self, ConnectCause, RemoteError, refusal};
use super::way::{Way, WayError, destination, ssh};
use super::{host_keys, key};
use crate::context::value::HostKey;
use crate::context::{Machine, Reach};

/// What holds for each connection, whatever the operator's configuration says. No key but the
/// context's is trusted; nothing is asked; a connection that says nothing for 12 s is lost; and
/// what a `Host` has for people at a terminal stays away.
const OPTIONS: [&str; 16] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "VerifyHostKeyDNS=no",
    "NoHostAuthenticationForLocalhost=no",
    "UpdateHostKeys=no",
    "ServerAliveInterval=4",
    "ServerAliveCountMax=3",
    // What is read from the log stands there at this level.
    "LogLevel=VERBOSE",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "ForwardAgent=no",
    "ForwardX11=no",
    // If we are killed before we can close it.
    "ControlPersist=60s",
    "ConnectionAttempts=1",
];

/// The name of the control socket in the folder of a connection, as the client library knows it.
const CONTROL_SOCKET: &str = "master";

/// How long to wait before a machine that hung up is asked again, each time: an `sshd` that has
/// `MaxStartups` logins under way hangs up on more of them, and each takes a fraction of a second.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// Connects to a machine, or says which layer refused. Answers the connection's folder, with the
/// control socket in it.
pub(super) async fn open(
    name: &str,
    machine: &Machine,
    key: &Path,
) -> Result<TempDir, RemoteError> {
    for pause in PAUSES {
        match attempt(name, machine, key).await {
            Err(error) if error.is_busy() => {
                tracing::debug!("{name}: {error}; it is asked again");
                tokio::time::sleep(pause + jitter(pause)).await;
            }
            ended => return ended,
        }
    }
    attempt(name, machine, key).await
}

/// Something between nothing and a pause, so that those who were hung up on together do not come
/// back together.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(random as f64 / u64::MAX as f64)
}

async fn attempt(name: &str, machine: &Machine, key: &Path) -> Result<TempDir, RemoteError> {
    let started = Instant::now();
    let local = |error| RemoteError::Local {
        name: name.to_owned(),
        error,
    };
    let reach = machine.reach.clone();
    let way = in_background(move || Way::of(&reach))
        .await
        .map_err(local)??;
    let folder = tempfile::Builder::new()
        .prefix("rdc-")
        .tempdir()
        .map_err(local)?;
    let (log, beside) = (log(folder.path()), beside(folder.path()));
    let mut ssh = command(&way, machine, key, &folder).map_err(local)?;
    let patience = way.patience();
    tracing::debug!(
        "{name}: ssh to {way}; key {}; at most {} s for an answer, {} s for the login",
        key.display(),
        way.timeout.as_secs(),
        patience.as_secs()
    );
    tracing::debug!("{name}: {:?}", ssh.as_std());

    // It goes to the background once it is logged in; before, it ends with us.
    let ended = tokio::time::timeout(patience, ssh.kill_on_drop(true).status()).await;
    let (logged, beside) = (read(&log), read(&beside));
    for line in logged.lines().filter(|line| !line.trim().is_empty()) {
        tracing::debug!("{name}: ssh: {}", line.trim());
    }
    let (mut cause, detail) = match ended {
        Ok(Ok(status)) if status.success() => {
            tracing::debug!("{name}: connected in {:.2?}", started.elapsed());
            return Ok(folder);
        }
        Ok(Ok(_)) => refusal(&logged, &beside, &way),
        Ok(Err(error)) => {
            return Err(WayError::Program {
                program: "ssh".to_owned(),
                error,
            }
            .into());
        }
        Err(_) => {
            let seconds = patience.as_secs();
            let silent = format!("it did not let us in within {seconds} s");
            let noticed = error::noticed("", &beside);
            match way.proxy {
                Some(proxy) => (
                    ConnectCause::Between(proxy),
                    noticed.map_or(silent.clone(), |said| {
                        format!("{silent}; on the way, {said}")
                    }),
                ),
                None => (ConnectCause::Unreachable, silent),
            }
        }
    };
    if cause == ConnectCause::Login {
        let key = key.to_owned();
        let found = in_background(move || (key::problem(&key, &logged, &way), key));
        if let (Some(problem), path) = found.await.map_err(local)? {
            cause = ConnectCause::Key { path, problem };
        }
    }
    // `ssh` shows a key of a known type that changed, and none of another type.
    if cause == (ConnectCause::HostKey { shown: Vec::new() }) {
        let reach = machine.reach.clone();
        let found = in_background(move || host_keys::scan(&reach)).await;
        let keys = found.map_err(local)?.unwrap_or_default();
        let shown = keys.iter().map(HostKey::summary).collect();
        cause = ConnectCause::HostKey { shown };
    }
    Err(RemoteError::Connect {
        name: name.to_owned(),
        cause,
        detail,
    })
}

/// The `ssh` that logs in. Its complaints go to a log; those of processes that it starts go to a
/// file beside.
fn command(
    way: &Way,
    machine: &Machine,
    key: &Path,
    folder: &TempDir,
) -> io::Result<tokio::process::Command> {
    let known_hosts = folder.path().join("known_hosts");
    let trusted: String = machine
        .host_keys
        .iter()
        // The machine is every host in this file: `ssh` may know it by an address, a name or an
        // alias, and whichever it is, no other key will do. A jump host is not affected, since
        // it is reached by an `ssh` of its own, with the usual files.
        .map(|key| format!("* {key}\n"))
        .collect();
    std::fs::write(&known_hosts, trusted)?;
    let beside = std::fs::File::create(beside(folder.path()))?;

    let mut ssh = ssh(&machine.reach);
    if way.proxy.is_some() {
        // Without it, an `ssh` that goes to the background throws away what a proxy says.
        ssh.arg("-v");
    }
    ssh.args(["-M", "-f", "-N", "-S"])
        .arg(folder.path().join(CONTROL_SOCKET))
        .arg("-E")
        .arg(log(folder.path()));
    for option in OPTIONS {
        ssh.args(["-o", option]);
    }
    ssh.arg("-o")
        .arg(with_path("UserKnownHostsFile", &known_hosts));
    ssh.arg("-o").arg(with_path("IdentityFile", key));
    // An alias logs in as it does by hand: by the agent's keys too.
    if matches!(machine.reach, Reach::Ssh { .. }) {
        ssh.args(["-o", "IdentitiesOnly=yes"]);
    }
    let seconds = way.timeout.as_secs();
    ssh.arg("-o").arg(format!("ConnectTimeout={seconds}"));
    // Older versions do not know the option, and nor do they have it set.
    if way.known_hosts_command {
        ssh.args(["-o", "KnownHostsCommand=none"]);
    }
    ssh.arg("--")
        .arg(destination(&machine.reach))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(beside);
    Ok(ssh.into())
}

/// An `ssh` that runs a command line over the connection of a folder with our own streams. Where that
/// connection is gone, it fails instead of making another one.
pub(super) fn through(folder: &Path, command: &str, terminal: bool) -> tokio::process::Command {
    let mut ssh = tokio::process::Command::new("ssh");
    ssh.args(["-F", "none", "-S"])
        .arg(folder.join(CONTROL_SOCKET))
        .args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"])
        .args(["-o", "LogLevel=QUIET", "-e", "none"])
        .arg(if terminal { "-tt" } else { "-T" })
        // The name does not matter: the connection is there.
        .args(["--", "machine", command]);
    ssh
}

/// An option that names a file, which may have spaces, or the `%` of a token that `ssh` replaces.
pub(super) fn with_path(option: &str, path: &Path) -> OsString {
    let path = path.to_string_lossy().replace('%', "%%");
    format!("{option}=\"{path}\"").into()
}

/// What waits for a program, where other machines' work goes on.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)
}

/// What was noticed of a connection that is up, or was.
pub(super) fn noticed(folder: &Path) -> Option<String> {
    error::noticed(&read(&log(folder)), &read(&beside(folder)))
}

/// What the processes say that the `ssh` of a connection starts, in the connection's folder.
fn beside(folder: &Path) -> PathBuf {
    folder.join("beside")
}

/// What the `ssh` of a connection logs, in the connection's folder.
fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// A file of a connection; where `ssh` did not come to write it, it says nothing.
fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
