//! Why nothing could be done on a machine, read from what `ssh` says.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::way::{Way, WayError};

/// Why nothing could be done on a machine.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The workstation's own part failed.
    #[error("cannot prepare the connection to machine `{name}`")]
    Local {
        /// The machine.
        name: String,
        /// What failed.
        #[source]
        error: io::Error,
    },
    /// `ssh` is not there, or refuses its configuration.
    #[error(transparent)]
    Way(#[from] WayError),
    /// It could not be reached, or did not let us in.
    #[error("cannot connect to machine `{name}`: {detail}")]
    Connect {
        /// The machine.
        name: String,
        /// Which layer refused.
        cause: ConnectCause,
        /// What `ssh` said.
        detail: String,
    },
    /// It let us in, but did not run the command.
    #[error("the login on machine `{name}` {problem}")]
    NoCommand {
        /// The machine.
        name: String,
        /// What it does instead.
        problem: LoginProblem,
    },
    /// The connection broke.
    #[error("the connection to machine `{name}` was lost: {detail}")]
    Lost {
        /// The machine.
        name: String,
        /// What was noticed.
        detail: String,
    },
}

impl RemoteError {
    /// Whether somebody hung up before any login, which may pass: the machine's `sshd`, or that of a
    /// jump host.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Connect { cause, detail, .. } => match cause {
                ConnectCause::HungUp => true,
                ConnectCause::Between(_) => detail.contains(HUNG_UP),
                _ => false,
            },
            _ => false,
        }
    }
}

/// How `ssh` says that somebody hung up.
const HUNG_UP: &str = "kex_exchange_identification";

/// What a login does that does not run the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginProblem {
    /// It ends: the user's shell runs no commands.
    Refuses {
        /// What it said.
        said: String,
    },
    /// A login script starts another program, which reads our input as its own.
    TakesOver {
        /// What that program said.
        said: String,
    },
    /// A login script reads standard input, and the command only runs afterwards.
    ReadsInput,
    /// It does nothing that could be seen.
    Silent {
        /// For how many seconds.
        seconds: u64,
    },
}

impl fmt::Display for LoginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuses { said } if said.is_empty() => {
                f.write_str("runs no commands, and does not say why")
            }
            Self::Refuses { said } => write!(f, "runs no commands: {said}"),
            Self::TakesOver { said } => {
                f.write_str("starts another program in the command's place")?;
                if said.is_empty() {
                    Ok(())
                } else {
                    write!(f, ", which says: {said}")
                }
            }
            Self::ReadsInput => f.write_str(
                "does not run commands: one of its login scripts waits for standard input",
            ),
            Self::Silent { seconds } => {
                write!(f, "did not run a command within {seconds} s")
            }
        }
    }
}

/// What stands between the workstation and a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// A jump host (`ProxyJump`), which an `ssh` of its own logs in to.
    Jump,
    /// A program (`ProxyCommand`).
    Command,
}

/// Which layer refused a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectCause {
    /// Nobody answers at the address.
    Unreachable,
    /// Somebody answers, and hangs up before any key or login: an `sshd` that shuts this address out
    /// for a while after failed logins (`PerSourcePenalties` of sshd_config(5), on by default since
    /// OpenSSH 9.8) or has too many logins under way (`MaxStartups`), or no `sshd` at all.
    HungUp,
    /// What lies in between does not let us through.
    Between(Proxy),
    /// The host key is not one of the context's.
    HostKey {
        /// The keys that it shows: a fingerprint and a type each.
        shown: Vec<String>,
    },
    /// The login was refused.
    Login,
    /// The login was refused, and the context's key could not be offered.
    Key {
        /// The key.
        path: PathBuf,
        /// What is wrong with it.
        problem: KeyProblem,
    },
}

/// What keeps `ssh` from a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyProblem {
    /// There is no such file, or it cannot be read.
    Missing,
    /// It is the public half, and no agent holds the private one.
    Public,
    /// It wants a passphrase, and no agent holds it.
    Locked,
    /// Others can read it, so that `ssh` does not take it.
    Exposed,
}

/// What refused a connection, by what the connecting `ssh` logged and what processes that it
/// started, as one for a jump host, said beside it.
pub(super) fn refusal(log: &str, beside: &str, way: &Way) -> (ConnectCause, String) {
    let logged = Text::of(log);
    let beside = Text::of(beside);
    let Way { host, port, .. } = way;
    if logged.has(&["Host key verification failed", "host key is known for"]) {
        let detail = "it shows a host key that the context does not trust".to_owned();
        return (
            ConnectCause::HostKey {
                shown: shown_key(log).into_iter().collect(),
            },
            detail,
        );
    }
    if logged.has(&["Permission denied", "Too many authentication failures"]) {
        return (
            ConnectCause::Login,
            logged.last().trim_end_matches('.').to_owned(),
        );
    }
    // Whatever else went wrong did so before the machine's own sshd had a say.
    if let Some(proxy) = way.proxy {
        let said = if beside.is_empty() { logged } else { beside };
        return (ConnectCause::Between(proxy), format!("on the way, {said}"));
    }
    if logged.has(&[HUNG_UP]) {
        return (ConnectCause::HungUp, logged.last());
    }
    let detail = if logged.has(&["timed out"]) {
        let seconds = way.timeout.as_secs();
        format!("{host} port {port} did not answer within {seconds} s")
    } else {
        logged.last()
    };
    (ConnectCause::Unreachable, detail)
}

/// The key of the warning that a host key changed.
fn shown_key(log: &str) -> Option<String> {
    let (_, after) = log.split_once("The fingerprint for the ")?;
    let (kind, after) = after.split_once(" key sent by")?;
    let key = after
        .split_whitespace()
        .find(|word| word.starts_with("SHA256:"))?;
    Some(format!("{}  {kind}", key.trim_end_matches('.')))
}

/// The last thing that a connection's `ssh` noticed, and what lies in between, by what they
/// logged; none where they noticed nothing.
pub(super) fn noticed(log: &str, beside: &str) -> Option<String> {
    let (logged, beside) = (Text::of(log), Text::of(beside));
    match (logged.is_empty(), beside.is_empty()) {
        (true, true) => None,
        (false, true) => Some(logged.last()),
        (true, false) => Some(beside.to_string()),
        (false, false) => Some(format!("{}; on the way, {beside}", logged.last())),
    }
}

/// How lines of `ssh` begin that give no reason for anything: what it does when all is well, its
/// statistics at the end of a connection, what it says for debugging, and the frame of a warning.
const NO_REASONS: [&str; 9] = [
    "@",
    "Authenticated to",
    "Bytes per second:",
    "OpenSSH_",
    "Transferred:",
    "Warning: Identity file",
    "Warning: Permanently added",
    "Exit request sent",
    "debug",
];

/// What `ssh` said that matters, line by line.
struct Text(Vec<String>);

impl Text {
    fn of(text: &str) -> Self {
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let is_reason = |line: &String| {
            !line.is_empty() && !NO_REASONS.iter().any(|start| line.starts_with(start))
        };
        Self(lines.filter(is_reason).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, signs: &[&str]) -> bool {
        self.0
            .iter()
            .any(|line| signs.iter().any(|sign| line.contains(sign)))
    }

    fn last(&self) -> String {
        match self.0.last() {
            Some(line) => line.strip_prefix("ssh: ").unwrap_or(line).to_owned(),
            None => "ssh does not say why".to_owned(),
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_ssh_says_tells_which_layer_refused() {
        let direct = Way {
            user: "root".to_owned(),
            host: "10.0.0.9".to_owned(),
            port: "22".to_owned(),
            proxy: None,
            timeout: Duration::from_secs(8),
            agent: None,
            known_hosts_command: false,
        };
        let jump = Way {
            proxy: Some(Proxy::Jump),
            ..direct.clone()
        };
        let command = Way {
            proxy: Some(Proxy::Command),
            ..direct.clone()
        };
        let unreachable = ConnectCause::Unreachable;
        let changed = "@@@@\r\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\n\
             The fingerprint for the ED25519 key sent by the remote host is\nSHA256:abc.\r\n\
             Host key verification failed.\r\n";
        let shown = |keys: &[&str]| ConnectCause::HostKey {
            shown: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let untrusted = "it shows a host key that the context does not trust";
        for (way, log, beside, cause, detail) in [
            (
                &direct,
                "ssh: connect to host 10.0.0.9 port 22: Connection refused\r\n",
                "",
                &unreachable,
                "connect to host 10.0.0.9 port 22: Connection refused",
            ),
            (
                &direct,
                "Connection timed out during banner exchange\r\n\
                 Connection to 10.0.0.9 port 22 timed out\r\n",
                "",
                &unreachable,
                "10.0.0.9 port 22 did not answer within 8 s",
            ),
            (
                &direct,
                "kex_exchange_identification: read: Connection reset by peer\r\n\
                 Connection reset by 10.0.0.9 port 22\r\n",
                "",
                &ConnectCause::HungUp,
                "Connection reset by 10.0.0.9 port 22",
            ),
            (&direct, "", "", &unreachable, "ssh does not say why"),
            (
                &direct,
                changed,
                "",
                &shown(&["SHA256:abc  ED25519"]),
                untrusted,
            ),
            (
                &direct,
                "No ECDSA host key is known for 10.0.0.9 and you have requested strict checking.\n\
                 Host key verification failed.\n",
                "",
                &shown(&[]),
                untrusted,
            ),
            (
                &direct,
                "root@10.0.0.9: Permission denied (publickey).\r\n",
                "",
                &ConnectCause::Login,
                "root@10.0.0.9: Permission denied (publickey)",
            ),
            (
                &jump,
                "Connection closed by UNKNOWN port 65535\r\n",
                "No ED25519 host key is known for gate.\nHost key verification failed.\n",
                &ConnectCause::Between(Proxy::Jump),
                "on the way, No ED25519 host key is known for gate.; Host key verification failed.",
            ),
            (
                &jump,
                "root@10.0.0.9: Permission denied (publickey).\r\n",
                "Authorised use only\n",
                &ConnectCause::Login,
                "root@10.0.0.9: Permission denied (publickey)",
            ),
            (
                &command,
                "OpenSSH_9.2p1 Debian-2+deb12u6\ndebug1: Executing proxy command: exec tunnel\n\
                 kex_exchange_identification: Connection closed by remote host\r\n\
                 Connection closed by UNKNOWN port 65535\r\n",
                "debug1: x\nERROR: your session has expired: run tunnel login\n",
                &ConnectCause::Between(Proxy::Command),
                "on the way, ERROR: your session has expired: run tunnel login",
            ),
            (
                &command,
                "Connection timed out during banner exchange\r\n",
                "",
                &ConnectCause::Between(Proxy::Command),
                "on the way, Connection timed out during banner exchange",
            ),
        ] {
            let expected = (cause.clone(), detail.to_owned());
            assert_eq!(refusal(log, beside, way), expected, "{log}");
        }
    }

    #[test]
    fn what_was_noticed_of_a_lost_connection_is_a_reason_and_no_statistics() {
        let statistics = "Transferred: sent 3428, received 3408 bytes, in 0.2 seconds\n\
             Bytes per second: sent 16828.4, received 16730.2\n";
        let closed = "Connection to 10.0.0.9 closed by remote host.\r\n";
        let login = "Authenticated to 10.0.0.9 ([10.0.0.9]:22) using \"publickey\".\r\n";
        for (log, beside, expected) in [
            (format!("{login}{statistics}"), "", None),
            (
                format!("{login}{closed}{statistics}"),
                "",
                Some("Connection to 10.0.0.9 closed by remote host."),
            ),
            (
                format!(
                    "{login}debug1: channel 2: free\n{closed}{statistics}debug1: Exit status -1\n"
                ),
                "tunnel: the lease ended\n",
                Some(
                    "Connection to 10.0.0.9 closed by remote host.; on the way, tunnel: the lease ended",
                ),
            ),
            (
                statistics.to_owned(),
                "tunnel: the lease ended\n",
                Some("tunnel: the lease ended"),
            ),
        ] {
            assert_eq!(noticed(&log, beside).as_deref(), expected, "{log}");
        }
    }
}
