//! `rdc context add-machine`: declares a machine, and trusts its host keys.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;

use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::interruptible;
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::context::value::{Host, HostKey, InvalidValue, MachineName, SshAlias, UserName};
use crate::context::{Context, Machine, Reach};
use crate::remote::{ScanError, scan_host_keys};

use super::scan_keys::fingerprints;

#[derive(clap::Args, Debug)]
pub(crate) struct AddMachine {
    /// The machine's name in the context
    #[arg(value_name = "MACHINE")]
    name: MachineName,
    /// Its address, or a name that this workstation resolves
    #[arg(long, value_name = "ADDR", required_unless_present_any = ["ssh_config_host", "local"])]
    #[arg(value_parser = host)]
    ip: Option<Host>,
    /// Who logs in: root, or a user with password-less sudo
    #[arg(long, value_name = "USER", required_unless_present_any = ["ssh_config_host", "local"])]
    user: Option<UserName>,
    /// The port of its SSH server [default: 22, or what ~/.ssh/config says]
    #[arg(long, value_parser = RangedU64ValueParser::<u16>::new().range(1..))]
    port: Option<u16>,
    /// The folder on the machine that holds the repositories
    #[arg(long, value_name = "PATH", default_value = Machine::DATASTORE)]
    #[arg(value_parser = absolute_path)]
    datastore: PathBuf,
    /// Connect to this `Host` of ~/.ssh/config; the options here win over what stands there
    #[arg(long, value_name = "HOST")]
    ssh_config_host: Option<SshAlias>,
    /// The machine is this workstation: use no SSH
    #[arg(long, conflicts_with = "ssh_config_host")]
    local: bool,
    /// Trust the host key with this fingerprint, and no other
    #[arg(long, value_name = "SHA256:…", value_parser = fingerprint)]
    host_key_fingerprint: Option<String>,
    /// Do not read the host keys now: the machine is not up yet
    #[arg(long, conflicts_with = "host_key_fingerprint")]
    no_scan: bool,
}

impl AddMachine {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self {
            name,
            ip,
            user,
            port,
            datastore,
            ssh_config_host,
            local,
            host_key_fingerprint,
            no_scan,
        } = self;
        let mut machine = Machine {
            reach: reach(local, ssh_config_host, ip, user, port)?,
            datastore,
            host_keys: Vec::new(),
            infra: None,
        };
        // Looked at before the scan, which takes seconds; and again when it is written.
        refuse_known(&session.load()?, &name)?;
        if !no_scan {
            machine.host_keys = scan(session, &name, &machine.reach, host_key_fingerprint)?;
        }
        session.edit(|context| {
            refuse_known(context, &name)?;
            context.machines.insert(name.clone(), machine.clone());
            Ok(())
        })?;
        let fingerprints: Vec<String> =
            machine.host_keys.iter().map(HostKey::fingerprint).collect();
        let answer = serde_json::json!({
            "name": name, "machine": machine, "fingerprints": fingerprints,
        });
        session.output.result(&answer, || {
            format!("added {name} ({}) to {}", machine.reach, session.context)
        });
        session
            .output
            .note(&if machine.host_keys.is_empty() && !local {
                format!(
                    "no host key is trusted yet: run `rdc context scan-keys {name}` before a push"
                )
            } else {
                format!("next: `rdc context set-infra {name}`")
            });
        Ok(Exit::Done)
    }
}

fn reach(
    local: bool,
    alias: Option<SshAlias>,
    host: Option<Host>,
    user: Option<UserName>,
    port: Option<u16>,
) -> Result<Reach, Failure> {
    match (alias, host, user) {
        _ if local => Ok(Reach::Local),
        (Some(alias), host, user) => Ok(Reach::SshConfig {
            alias,
            host,
            user,
            port,
        }),
        (None, Some(host), Some(user)) => Ok(Reach::Ssh {
            host,
            user,
            port: port.unwrap_or(Reach::SSH_PORT),
        }),
        (None, ..) => Err(Failure::new(Exit::Invalid, "the machine has no way to it")
            .hint("give --ip and --user, or --ssh-config-host, or --local")),
    }
}

fn refuse_known(context: &Context, name: &MachineName) -> Result<(), Failure> {
    if context.machines.contains_key(name) {
        return Err(Failure::new(
            Exit::Invalid,
            format!(
                "there is a machine `{name}` already in the context `{}`",
                context.name
            ),
        )
        .hint(format!(
            "run `rdc context remove-machine {name}` first, or choose another name"
        )));
    }
    Ok(())
}

/// Reads the host keys and lets the operator trust them.
fn scan(
    session: &Session,
    name: &MachineName,
    reach: &Reach,
    expected: Option<String>,
) -> Result<Vec<HostKey>, Failure> {
    let asked = reach.clone();
    let scanned = interruptible(move || scan_host_keys(&asked))?;
    let mut keys = scanned.map_err(|error| match error {
        ScanError::Unreachable { .. } => Failure::from(error).hint(
            "check the address, and that SSH listens there; --no-scan declares the machine all the same",
        ),
        _ => error.into(),
    })?;
    if keys.is_empty() {
        return Ok(keys);
    }
    let shown = fingerprints(&keys);
    if let Some(expected) = expected {
        keys.retain(|key| key.fingerprint() == expected);
        if keys.is_empty() {
            return Err(Failure::new(
                Exit::Refused,
                format!("no host key of {name} has the fingerprint {expected}; it has\n{shown}"),
            )
            .hint("make sure that it is the machine you mean"));
        }
        return Ok(keys);
    }
    session
        .output
        .note(&format!("host keys of {name}:\n{shown}"));
    if prompt::can_ask(session) && !prompt::confirm("trust these keys from now on?", false)? {
        return Err(Failure::new(Exit::Refused, "nothing was stored").hint(
            "compare them with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine",
        ));
    }
    Ok(keys)
}

/// What is in a context already may lack its interface; nobody adds such a machine any more.
fn host(text: &str) -> Result<Host, InvalidValue> {
    let host: Host = text.parse()?;
    if host.lacks_interface() {
        return Err(InvalidValue::new(
            format!(
                "`{host}` is a link-local address, which may be there on each link: give it with \
                 the interface of this workstation, as {host}%eth0"
            ),
            "an address with its interface",
        ));
    }
    Ok(host)
}

fn absolute_path(text: &str) -> Result<PathBuf, InvalidValue> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(InvalidValue::new(
            format!("`{text}` is not an absolute path"),
            "an absolute path on the machine",
        ))
    }
}

fn fingerprint(text: &str) -> Result<String, InvalidValue> {
    // Some tools pad the base64 text, OpenSSH does not.
    let text = text.trim().trim_end_matches('=');
    match text.strip_prefix("SHA256:") {
        Some(digest) if digest.len() == 43 => Ok(text.to_owned()),
        _ => Err(InvalidValue::new(
            format!("`{text}` is not a SHA256 fingerprint"),
            "a fingerprint as `ssh-keygen -l` shows it, SHA256:…",
        )),
    }
}
