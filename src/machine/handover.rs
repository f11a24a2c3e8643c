//! A restart of Traefik that no request notices: a second one serves meanwhile.
//!
//! ```text
//!   former   ═ serves ═╗═ connections move ═╗ ends
//!   standby  starts ─► ╚═ serves ═══════════╪══════════════╗═ connections move ═╗ ends
//!   new                                     ╚ starts ──► ══╚═ serves ═══════════╪═══ …
//! ```
//!
//! Both have the same entry points, and `renet proxy` has new connections go to the right one of
//! them. The standby is also the proof that the new Traefik comes up: until it serves, the former
//! one is not touched.
//!
//! Both have the same `acme.json` for that time. It is read once, at a start, and each writes it
//! whole when it has obtained a certificate; if the two obtain different ones at once, the one that
//! is missing in the file is obtained again after the next start.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::generation::{self, Live};
use super::{connections, failed, files, standby, systemd};
use crate::bundle::{Bind, Failure};
use crate::layout;
use crate::marks::Marks;

/// How long a Traefik may take from its start until it serves: the route server may wait for a
/// daemon that hangs, and Traefik asks it again only after some seconds then.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long connections may take to move. Clients that keep asking get a new one within the time
/// that Traefik lets them keep one; the others would stay for ever.
const MOVE_LIMIT: Duration = Duration::from_secs(layout::KEEP_ALIVE_MAX_S + 5);
/// How long a connection may be on its way: one that was begun before the switch may take that long
/// until it shows among those that are open.
const HANDSHAKE: Duration = Duration::from_secs(1);
/// How long between two looks. No event tells.
const INTERVAL: Duration = Duration::from_millis(50);

/// Restarts Traefik with what is in the live generation; systemd has read its units.
pub(super) fn restart_proxy() -> Result<(), Failure> {
    let live = generation::live()?;
    let (main, standby) = (Marks::PROXY, Marks::STANDBY);
    let plain = || systemd::start("restart", layout::PROXY_SERVICE);
    let Some(Live {
        number, generation, ..
    }) = live
    else {
        return plain();
    };
    let unit = generation.file(layout::PROXY_SERVICE).unwrap_or_default();
    let unit = String::from_utf8_lossy(unit);
    if !standby::can_stand_by(&unit) {
        // A generation of an older version. systemd removes the marks' folder with the unit that
        // names it, which the one that starts now is not: they would speak for a Traefik that
        // shares nothing.
        if standby.serves() {
            systemd::stop_now(layout::STANDBY_SERVICE)?;
        }
        plain()?;
        return files::delete(&main.folder());
    }
    if !main.serves() && !standby.serves() {
        // The one that runs would not share its entry points, or no Traefik serves at all.
        return plain();
    }
    if main.serves() {
        let addresses = generation.binds().into_iter().map(Bind::socket).collect();
        // A push that was cut off may have come as far as this.
        let has_taken_over = standby.serves() && !standby.is_settled();
        if !has_taken_over {
            if standby.serves() {
                // Of the push before, and not yet over.
                let_connections_move(layout::STANDBY_SERVICE, &addresses)?;
                systemd::stop_now(layout::STANDBY_SERVICE)?;
            }
            start_standby(&unit, &generation::folder(number))?;
        }
        let_connections_move(layout::PROXY_SERVICE, &addresses)?;
    }
    plain()?;
    await_serving(main).map_err(|()| Failure {
        journal: systemd::journal(layout::PROXY_SERVICE),
        ..failed(format!(
            "{} came up, and did not get the routes",
            layout::PROXY_SERVICE
        ))
    })?;
    // It is done: where systemd cannot be told to wait, it does not.
    systemd::stop_after(layout::STANDBY_SERVICE, MOVE_LIMIT)
        .or_else(|_| systemd::stop_now(layout::STANDBY_SERVICE))
}

/// Starts the standby and waits until it serves. Where it does not, nothing has happened.
fn start_standby(unit: &str, generation: &Path) -> Result<(), Failure> {
    let name = layout::STANDBY_SERVICE;
    let path = Path::new(layout::RUNTIME_UNIT_DIR).join(name);
    let unit = standby::unit(unit, generation, &drop_ins()?);
    files::write(&path, unit.as_bytes(), 0o644)?;
    systemd::systemctl(&["daemon-reload"])?;
    let started = systemd::systemctl(&["start", name]);
    if started.is_ok() && await_serving(Marks::STANDBY).is_ok() {
        return Ok(());
    }
    let failure = Failure {
        journal: systemd::journal(name),
        ..failed(format!(
            "{} was left as it runs: the new Traefik did not come up with the routes beside it",
            layout::PROXY_SERVICE
        ))
    };
    systemd::stop_now(name)?;
    Err(failure.hint(format!(
        "`journalctl --unit {name}` on the machine shows more"
    )))
}

/// What the operator added to Traefik's unit.
fn drop_ins() -> Result<Vec<String>, Failure> {
    let own = format!("{}.d", layout::PROXY_SERVICE);
    systemd::property(layout::PROXY_SERVICE, "DropInPaths")?
        .split_whitespace()
        .map(Path::new)
        // Those for all services hold for the standby too.
        .filter(|path| path.parent().is_some_and(|folder| folder.ends_with(&own)))
        .map(read_text)
        .collect()
}

/// Waits until a Traefik that gets no new connections has none at these addresses any more, or for
/// as long as one waits.
fn let_connections_move(unit: &str, addresses: &BTreeSet<SocketAddr>) -> Result<(), Failure> {
    let pid = systemd::property(unit, "MainPID")?;
    let begun = Instant::now();
    thread::sleep(HANDSHAKE);
    while begun.elapsed() < MOVE_LIMIT && connections::open(&pid, addresses)? > 0 {
        thread::sleep(INTERVAL);
    }
    Ok(())
}

/// Waits until a Traefik that was started serves; fails where it ends before that.
fn await_serving(marks: Marks) -> Result<(), ()> {
    let deadline = Instant::now() + PATIENCE;
    while !marks.serves() {
        if Instant::now() >= deadline || !marks.folder().exists() {
            return Err(());
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let content =
        files::read(path)?.ok_or_else(|| failed(format!("there is no file {}", path.display())))?;
    String::from_utf8(content).map_err(|_| failed(format!("{} is not text", path.display())))
}
