//! What can be known before anything is changed. Everything that is wrong is said at once.

use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::generation::Generation;
use super::{refused, systemd};
use crate::bundle::{Bind, Bundle, Failure};
use crate::layout;

/// Checks the machine itself: it takes root, and systemd.
pub(super) fn machine() -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(refused("`renet infra apply` must run as root"));
    }
    if !systemd::is_running() {
        return Err(refused("this machine is not run by systemd")
            .hint("Traefik and the route server run as systemd units: use a machine that has it"));
    }
    Ok(())
}

/// Checks that Traefik can listen where it shall: it ends as a whole if one address is not there
/// or one port is taken.
pub(super) fn binds(bundle: &Bundle, current: Option<&Generation>) -> Result<(), Failure> {
    // What the running Traefik holds is not taken by somebody else.
    let held = current.map(Generation::binds).unwrap_or_default();
    let mut problems = Vec::new();
    let mut hints = Vec::new();
    for bind in bundle.binds.difference(&held) {
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
        return Ok(());
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

/// The Traefik to run: the pushed one, else the live generation's, else one on the machine. A dry
/// run has not uploaded the pushed one.
pub(super) fn traefik(
    bundle: &Bundle,
    current: Option<&Generation>,
    dry_run: bool,
) -> Result<PathBuf, Failure> {
    if let Some(pushed) = &bundle.traefik {
        return if dry_run || is_program(pushed) {
            Ok(pushed.clone())
        } else {
            Err(refused(format!(
                "the pushed Traefik is not at {}",
                pushed.display()
            )))
        };
    }
    let live = current
        .and_then(|current| current.link(layout::TRAEFIK))
        .map(Path::to_owned);
    let installed = ["/usr/local/bin/traefik", "/usr/bin/traefik"].map(PathBuf::from);
    live.into_iter()
        .chain(uploaded_traefiks())
        .chain(installed)
        .find(|path| is_program(path))
        .ok_or_else(|| {
            refused("there is no Traefik on this machine")
                .hint("bring one: `rdc context push-infra MACHINE --traefik-binary PATH`")
        })
}

/// The Traefiks of former pushes, the latest first.
fn uploaded_traefiks() -> Vec<PathBuf> {
    let folder = Path::new(layout::PROGRAMS).join(layout::TRAEFIK);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path().join(layout::TRAEFIK);
            Some((fs::metadata(&path).ok()?.modified().ok()?, path))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
