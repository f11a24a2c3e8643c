//! What the operator declared: contexts, machines, and a machine's infra.
//!
//! Every value is a validated type of `value`; nothing past this module re-checks a `String`.
//! `store` reads and writes the context files, `token` resolves a token's reference, `place` looks
//! where a path leads: the only three that do I/O. Nothing here prints, asks, or reaches a machine.

mod file;
mod infra;
mod keys;
pub mod place;
pub mod store;
pub mod token;
pub mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use infra::Infra;
pub use keys::{Meant, UnknownKey};
use value::{ContextName, Host, HostKey, InvalidValue, MachineName, SshAlias, UserName};

/// Everything that was declared under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Context {
    /// The context's name, which is its file's.
    pub name: ContextName,
    /// The private key that SSH logs in with.
    pub ssh_key: PathBuf,
    /// The `renet` to upload, where not the one beside `rdc`.
    pub renet_path: Option<PathBuf>,
    /// The machines, by their names.
    pub machines: BTreeMap<MachineName, Machine>,
}

/// One machine: the way to it, and what is declared of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MachineFields", into = "MachineFields")]
pub struct Machine {
    /// The way to it.
    pub reach: Reach,
    /// The folder on the machine that holds the repositories.
    pub datastore: PathBuf,
    /// The host keys that the operator trusts. Empty where none was scanned yet.
    pub host_keys: Vec<HostKey>,
    /// What `set-infra` declared.
    pub infra: Option<Infra>,
}

impl Machine {
    /// Where the repositories lie, unless said otherwise.
    pub const DATASTORE: &str = "/mnt/rediacc";
}

/// The way to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The machine is this very workstation: nothing goes over SSH.
    Local,
    /// SSH to an address or name.
    Ssh {
        /// The address or name.
        host: Host,
        /// Who logs in.
        user: UserName,
        /// The SSH server's port.
        port: u16,
    },
    /// SSH to a `Host` of `~/.ssh/config`; what is given here wins over what stands there.
    SshConfig {
        /// The `Host`.
        alias: SshAlias,
        /// `HostName`, where given.
        host: Option<Host>,
        /// `User`, where given.
        user: Option<UserName>,
        /// `Port`, where given.
        port: Option<u16>,
    },
}

impl Reach {
    /// The SSH server's port, unless said otherwise.
    pub const SSH_PORT: u16 = 22;
}

/// The way as people write it: `root@203.0.113.50`, with the port where it is not the usual one.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, host, port) = match self {
            Self::Local => return f.write_str("local"),
            Self::Ssh { host, user, port } => (Some(user), host.as_str(), Some(*port)),
            Self::SshConfig {
                alias, user, port, ..
            } => (user.as_ref(), alias.as_str(), *port),
        };
        if let Some(user) = user {
            write!(f, "{user}@")?;
        }
        match port.filter(|port| *port != Self::SSH_PORT) {
            // An IPv6 address has colons of its own.
            Some(port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Some(port) => write!(f, "{host}:{port}"),
            None => f.write_str(host),
        }
    }
}

/// A machine as a file and a JSON answer have it: flat, in the words of `add-machine`'s options.
#[derive(Clone, Serialize, Deserialize)]
struct MachineFields {
    ip: Option<Host>,
    user: Option<UserName>,
    port: Option<u16>,
    ssh_config_host: Option<SshAlias>,
    #[serde(default)]
    local: bool,
    #[serde(default = "default_datastore")]
    datastore: PathBuf,
    #[serde(default)]
    host_keys: Vec<HostKey>,
    infra: Option<Infra>,
}

impl TryFrom<MachineFields> for Machine {
    type Error = InvalidValue;

    fn try_from(fields: MachineFields) -> Result<Self, InvalidValue> {
        let MachineFields {
            ip,
            user,
            port,
            ssh_config_host,
            local,
            datastore,
            host_keys,
            infra,
        } = fields;
        if port == Some(0) {
            return Err(InvalidValue::new("port 0 is no port", "a port, as 22"));
        }
        let reach = match (local, ssh_config_host, ip, user) {
            (true, ..) => Reach::Local,
            (false, Some(alias), host, user) => Reach::SshConfig {
                alias,
                host,
                user,
                port,
            },
            (false, None, Some(host), Some(user)) => Reach::Ssh {
                host,
                user,
                port: port.unwrap_or(Reach::SSH_PORT),
            },
            (false, None, ..) => {
                return Err(InvalidValue::new(
                    "the machine has no way to it",
                    "`ip` and `user`, or `ssh_config_host`, or `local = true`",
                ));
            }
        };
        Ok(Self {
            reach,
            datastore,
            host_keys,
            infra,
        })
    }
}

impl From<Machine> for MachineFields {
    fn from(machine: Machine) -> Self {
        let Machine {
            reach,
            datastore,
            host_keys,
            infra,
        } = machine;
        let local = reach == Reach::Local;
        let (ssh_config_host, ip, user, port) = match reach {
            Reach::Local => (None, None, None, None),
            Reach::Ssh { host, user, port } => (None, Some(host), Some(user), Some(port)),
            Reach::SshConfig {
                alias,
                host,
                user,
                port,
            } => (Some(alias), host, user, port),
        };
        Self {
            ip,
            user,
            port,
            ssh_config_host,
            local,
            datastore,
            host_keys,
            infra,
        }
    }
}

fn default_datastore() -> PathBuf {
    Machine::DATASTORE.into()
}
