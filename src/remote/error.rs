//! Why nothing could be done on a machine, read from what `ssh` says.

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
    /// It let us in, but the user's shell does not run commands.
    #[error("the login on machine `{name}` runs no commands: {said}")]
    NoShell {
        /// The machine.
        name: String,
        /// What the login said instead.
        said: String,
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

/// Which layer refused a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectCause {
    /// Nobody answers at the address.
    Unreachable,
    /// Somebody answers, and hangs up before any key or login: an `sshd` that shuts this address out
    /// for a while after failed logins (`PerSourcePenalties` of sshd_config(5), on by default since
    /// OpenSSH 9.8) or has too many logins under way (`MaxStartups`), or no `sshd` at all.
    HungUp,
    /// The host in between, a jump host or a proxy, does not let us through.
    Between,
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
    // A proxy's end has no address of its own.
    let of_proxy = ["UNKNOWN port", "banner exchange", "closed by remote host"];
    if way.through_another && logged.has(&of_proxy) {
        let said = if beside.is_empty() { logged } else { beside };
        return (ConnectCause::Between, format!("on the way, {said}"));
    }
    if logged.has(&["Permission denied", "Too many authentication failures"]) {
        return (
            ConnectCause::Login,
            logged.last().trim_end_matches('.').to_owned(),
        );
    }
    if logged.has(&["kex_exchange_identification"]) {
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

/// What `ssh` said that matters, line by line.
struct Text(Vec<String>);

impl Text {
    fn of(text: &str) -> Self {
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let noise = [
            "Warning: Permanently added",
            "Authenticated to",
            "Warning: Identity file",
        ];
        Self(
            lines
                .filter(|line| !line.is_empty() && !noise.iter().any(|n| line.starts_with(n)))
                .collect(),
        )
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
            through_another: false,
            timeout: Duration::from_secs(8),
            agent: None,
            known_hosts_command: false,
        };
        let jump = Way {
            through_another: true,
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
                &ConnectCause::Between,
                "on the way, No ED25519 host key is known for gate.; Host key verification failed.",
            ),
            (
                &jump,
                "root@10.0.0.9: Permission denied (publickey).\r\n",
                "Authorised use only\n",
                &ConnectCause::Login,
                "root@10.0.0.9: Permission denied (publickey)",
            ),
        ] {
            let expected = (cause.clone(), detail.to_owned());
            assert_eq!(refusal(log, beside, way), expected, "{log}");
        }
    }
}
