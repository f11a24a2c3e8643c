//! What can be known before anything is changed. Everything that is wrong is said at once.

use std::collections::BTreeSet;
use std::io;
use std::net::{TcpListener, UdpSocket};

use super::generation::Generation;
use super::{refused, systemd};
use crate::bundle::{Bind, Bundle, Failure};
use crate::render::binds;

/// What the machine has to offer for what was declared.
#[derive(Debug)]
pub(super) struct Examined {
    /// What Traefik can listen on.
    pub(super) binds: BTreeSet<Bind>,
    /// What the operator should know although a push will work.
    pub(super) warnings: Vec<String>,
}

/// Checks the machine itself: it takes root, and systemd.
pub(super) fn machine() -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(refused("`renet infra` must run as root"));
    }
    if !systemd::is_running() {
        return Err(refused("this machine is not run by systemd")
            .hint("Traefik and the route server run as systemd units: use a machine that has it"));
    }
    Ok(())
}

/// Looks for everything that would make a push fail, and settles what Traefik will listen on: it
/// ends as a whole if one address is not there or one port is taken.
pub(super) fn examine(bundle: &Bundle, live: Option<&Generation>) -> Result<Examined, Failure> {
    let binds = binds(&bundle.infra);
    // What the running Traefik holds is not taken by somebody else.
    let held = live.map(Generation::binds).unwrap_or_default();
    let mut problems = Vec::new();
    let mut hints = Vec::new();
    for bind in binds.difference(&held) {
        let Err(error) = try_bind(*bind) else {
            continue;
        };
        let (problem, hint) = match error.kind() {
            io::ErrorKind::AddrNotAvailable => (
                format!("{} is not an address of this machine", bind.address),
                "behind NAT, say what to listen on: `rdc context set-infra MACHINE --bind-ipv4 \
                 ADDRESS` (or `--bind-ipv6`)",
            ),
            io::ErrorKind::AddrInUse => (
                format!("{bind} is in use by another program"),
                "`ss -ltnup` on the machine shows which; stop it, or leave out the preconfigured \
                 ports with `rdc context set-infra MACHINE --default-ports off`",
            ),
            _ => (format!("{bind} cannot be listened on: {error}"), ""),
        };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
        if !hint.is_empty() && !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    if problems.is_empty() {
        return Ok(Examined {
            binds,
            warnings: Vec::new(),
        });
    }
    let failure = refused(problems.join("\n"));
    Err(if hints.is_empty() {
        failure
    } else {
        failure.hint(hints.join("\n"))
    })
}

fn try_bind(bind: Bind) -> io::Result<()> {
    if bind.entrypoint.listener.is_udp() {
        UdpSocket::bind(bind.socket()).map(drop)
    } else {
        TcpListener::bind(bind.socket()).map(drop)
    }
}
