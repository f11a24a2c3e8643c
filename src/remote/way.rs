//! What the operator's `ssh` makes of a machine: its configuration files decide, as they do when
//! it is typed by hand.

use std::fmt;
use std::io;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::error::Proxy;
use crate::context::Reach;

/// How long a machine may be silent while it is connected to, unless `ConnectTimeout` says so.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// What the login may take on top, for each host on the way.
const LOGIN_TIME: Duration = Duration::from_secs(2);

/// Where `ssh` would connect to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: String,
    /// What lies in between, if anything does.
    pub(super) proxy: Option<Proxy>,
    /// How long a host may be silent.
    pub(super) timeout: Duration,
    /// The agent's socket, where the configuration names one.
    pub(super) agent: Option<String>,
    /// Whether a command would add to the trusted host keys.
    pub(super) known_hosts_command: bool,
}

impl Way {
    /// Asks `ssh`; a plain address may have an entry in its configuration too.
    pub(super) fn of(reach: &Reach) -> Result<Self, WayError> {
        let output = output_of(ssh(reach).arg("-G").arg("--").arg(destination(reach)))?;
        if !output.status.success() {
            let said = last_line(&output.stderr).unwrap_or_default();
            return Err(WayError::Configuration {
                destination: destination(reach).to_owned(),
                why: said,
            });
        }
        Ok(Self::read(
            destination(reach),
            &String::from_utf8_lossy(&output.stdout),
        ))
    }

    /// What `ssh -G` printed: a keyword and its value a line.
    fn read(destination: &str, text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(name, value)| *name == key && *value != "none")
                .map(|(_, value)| value.to_owned())
        };
        let seconds = value("connecttimeout").and_then(|text| text.parse().ok());
        Self {
            user: value("user").unwrap_or_default(),
            host: value("hostname").unwrap_or_else(|| destination.to_owned()),
            port: value("port").unwrap_or_else(|| Reach::SSH_PORT.to_string()),
            proxy: value("proxyjump")
                .map(|_| Proxy::Jump)
                .or(value("proxycommand").map(|_| Proxy::Command)),
            timeout: seconds.map_or(CONNECT_TIMEOUT, Duration::from_secs),
            agent: value("identityagent").filter(|agent| agent != "SSH_AUTH_SOCK"),
            known_hosts_command: value("knownhostscommand").is_some(),
        }
    }

    /// How long it may take until the machine has let us in. `ssh`'s own time-out begins anew
    /// behind a jump host.
    pub(super) fn patience(&self) -> Duration {
        let hosts = if self.proxy.is_some() { 2 } else { 1 };
        (self.timeout + LOGIN_TIME) * hosts
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user, host, port, ..
        } = self;
        let through = match self.proxy {
            Some(Proxy::Jump) => ", through another host",
            Some(Proxy::Command) => ", through a program",
            None => "",
        };
        write!(f, "{user}@{host} port {port}{through}")
    }
}

/// Who logs in to a machine: what the context says, or else the configuration of `ssh`.
pub fn login_user(reach: &Reach) -> Option<String> {
    match reach {
        Reach::Local => None,
        Reach::Ssh { user, .. }
        | Reach::SshConfig {
            user: Some(user), ..
        } => Some(user.to_string()),
        Reach::SshConfig { user: None, .. } => Way::of(reach).ok().map(|way| way.user),
    }
}

/// The port of a machine's own SSH server, behind whatever hosts lie in between: what the context
/// says, or else the configuration of `ssh`. None where nothing goes over SSH.
pub fn login_port(reach: &Reach) -> Option<u16> {
    match reach {
        Reach::Local => None,
        Reach::Ssh { port, .. }
        | Reach::SshConfig {
            port: Some(port), ..
        } => Some(*port),
        Reach::SshConfig { port: None, .. } => {
            let way = Way::of(reach).ok();
            let port = way.and_then(|way| way.port.parse().ok());
            Some(port.unwrap_or(Reach::SSH_PORT))
        }
    }
}

/// Why it cannot be said how `ssh` would connect.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
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
}

/// `ssh` with what the context says of the way; the destination comes last. An option of the
/// command line wins over the configuration, and does not reach a jump host.
pub(super) fn ssh(reach: &Reach) -> Command {
    let (host, user, port) = match reach {
        Reach::Local => (None, None, None),
        Reach::Ssh { user, port, .. } => (None, Some(user), Some(*port)),
        Reach::SshConfig {
            host, user, port, ..
        } => (host.as_ref(), user.as_ref(), *port),
    };
    let mut ssh = Command::new("ssh");
    if let Some(host) = host {
        // `ssh` replaces what follows a `%`, as that of `fe80::1%eth0`.
        let host = host.as_str().replace('%', "%%");
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

pub(super) fn destination(reach: &Reach) -> &str {
    match reach {
        Reach::Local => "localhost",
        Reach::Ssh { host, .. } => host.as_str(),
        Reach::SshConfig { alias, .. } => alias.as_str(),
    }
}

/// Runs a program of the OpenSSH client to its end.
pub(super) fn output_of(command: &mut Command) -> Result<Output, WayError> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| WayError::Program {
            program: command.get_program().to_string_lossy().into_owned(),
            error,
        })
}

/// The last thing that a program complained about.
pub(super) fn last_line(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty() && !line.starts_with('#'))
        .map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_what_ssh_says_of_it() {
        let plain = "user root\nhostname 203.0.113.50\nport 22\nconnecttimeout none\n\
                     proxycommand none\n";
        let way = Way::read("server-1", plain);
        assert_eq!(way.to_string(), "root@203.0.113.50 port 22");
        assert_eq!(way.patience(), Duration::from_secs(10));
        assert_eq!(way.agent, None);
        assert!(!way.known_hosts_command);

        let own = "user ann\nhostname 10.0.0.1\nport 2222\nconnecttimeout 3\nproxyjump gate\n\
                   identityagent /run/agent\nknownhostscommand /bin/keys\n";
        let way = Way::read("server-1", own);
        assert_eq!(
            way.to_string(),
            "ann@10.0.0.1 port 2222, through another host"
        );
        assert_eq!(way.patience(), Duration::from_secs(10));
        assert_eq!(way.agent.as_deref(), Some("/run/agent"));
        assert!(way.known_hosts_command);
    }
}
