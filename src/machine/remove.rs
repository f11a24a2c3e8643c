//! `renet infra remove`: takes away what pushes put on the machine, this very program last. What
//! pushes did not make stays: the repositories and their daemons always, certificates and the
//! operator's own files until they are asked for too. The proxy's user stays, as systemd advises:
//! its number could come back as somebody else's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::{self, Lock, Purpose};
use super::plan::{self, INSTALLED, Place, UNITS};
use super::transaction::{self, Tell};
use super::{disk, files, generation, observe, preflight, systemd};
use crate::bundle::{Failure, Message, Report, Step};
use crate::layout;

/// In this order: the socket takes its service along, and nobody starts that again.
const STOPPING: [&str; 4] = [
    layout::STANDBY_SERVICE,
    layout::PROXY_SERVICE,
    layout::ROUTER_SOCKET,
    layout::ROUTER_SERVICE,
];

/// Takes everything away; with `purge` also certificates and the operator's own files.
pub(super) fn remove(
    purge: bool,
    dry_run: bool,
    lock_wait: Duration,
    tell: Tell<'_>,
) -> Result<Report, Failure> {
    preflight::machine()?;
    let report = look(purge)?;
    if report.steps.is_empty() {
        return Ok(report);
    }
    disk::is_writable(layout::ETC)?;
    if dry_run {
        return Ok(report);
    }
    let _lock = Lock::take(Purpose::Push, lock_wait)?;
    // Somebody's push may have ended while we waited for the lock.
    let report = look(purge)?;
    for step in &report.steps {
        tell(&Message::Doing(step.clone()));
        match step {
            Step::Stop { unit } => systemd::systemctl(&["stop", unit])?,
            Step::Delete { path } => files::delete(path)?,
            _ => {}
        }
    }
    systemd::systemctl(&["daemon-reload"])?;
    // A unit that had failed would stay in systemd's lists; one that had not is no error here.
    let _ = systemd::systemctl(&[&["reset-failed"][..], &STOPPING].concat());
    tidy();
    Ok(Report {
        generation: None,
        ..report
    })
}

/// What there is to take away.
fn look(purge: bool) -> Result<Report, Failure> {
    let found = Found::look()?;
    let (steps, kept) = found.plan(purge);
    // Where the live generation cannot be told, removing is all the more welcome.
    let live = generation::live().ok().flatten();
    let binds = live.as_ref().map(|live| live.generation.binds());
    Ok(Report {
        generation: live.map(|live| live.number),
        closes: binds.into_iter().flatten().collect(),
        steps,
        kept,
        ..Report::default()
    })
}

/// What was found of ours.
struct Found {
    /// The units that run, or try to.
    running: BTreeSet<&'static str>,
    /// The paths that are there, of all that could be.
    paths: BTreeSet<PathBuf>,
}

impl Found {
    fn look() -> Result<Self, Failure> {
        let shown = systemd::show(&STOPPING, &["ActiveState"])?;
        let is_running = |state: Option<&String>| {
            state.is_some_and(|state| !["inactive", "failed"].contains(&state.as_str()))
        };
        let running = STOPPING
            .into_iter()
            .zip(&shown)
            .filter(|(_, properties)| is_running(properties.get("ActiveState")))
            .map(|(unit, _)| unit)
            .collect();
        let places = observe::observe(None)?.places;
        let is_ours = |path: &PathBuf| match places.get(path) {
            Some(place) => matches!(place, Place::Linked | Place::File(_)),
            None => is_there(path),
        };
        let all = own().into_iter().chain(spared()).chain(programs());
        let paths = all.filter(is_ours).collect();
        Ok(Self { running, paths })
    }

    /// The steps, in order, and what stays.
    fn plan(&self, purge: bool) -> (Vec<Step>, Vec<PathBuf>) {
        let stop = STOPPING
            .into_iter()
            .filter(|unit| self.running.contains(unit))
            .map(|unit| Step::Stop { unit: unit.into() });
        let is_there = |path: &PathBuf| self.paths.contains(path);
        let spared: Vec<PathBuf> = spared().into_iter().filter(is_there).collect();
        let (also, kept) = if purge {
            (spared, Vec::new())
        } else {
            (Vec::new(), spared)
        };
        let own = own().into_iter().filter(is_there);
        let programs = programs().into_iter().filter(is_there);
        let delete = own
            .chain(also)
            .chain(programs)
            .map(|path| Step::Delete { path });
        (stop.chain(delete).collect(), kept)
    }
}

/// What pushes made, in the order in which it goes: first what would bring a transaction to its
/// end, then what starts units, and only then what they run by.
fn own() -> Vec<PathBuf> {
    let marks = transaction::marks().map(Path::to_owned);
    let at_boot = INSTALLED.into_iter().map(|unit| plan::boot_link(unit).0);
    let standby = Path::new(layout::RUNTIME_UNIT_DIR).join(layout::STANDBY_SERVICE);
    let kept = [
        layout::CURRENT,
        layout::GENERATIONS,
        layout::ROUTER_STATE_DIR,
        layout::ROUTE_SERVER_TOKEN,
    ];
    marks
        .into_iter()
        .chain(at_boot)
        .chain([standby])
        .chain(plan::links().into_keys())
        .chain(kept.map(PathBuf::from))
        .collect()
}

/// What pushes did not make, or nobody could make again: the operator's own, and certificates.
fn spared() -> Vec<PathBuf> {
    let drop_ins = UNITS
        .into_iter()
        .map(|unit| Path::new(layout::UNIT_DIR).join(format!("{unit}.d")));
    drop_ins
        .chain([PathBuf::from(layout::DYNAMIC_DIR), certificates()])
        .collect()
}

/// The uploaded programs; `renet` is the last, because it is what works here.
fn programs() -> Vec<PathBuf> {
    [layout::TRAEFIK, layout::RENET]
        .map(|name| Path::new(layout::PROGRAMS).join(name))
        .into()
}

/// The folder of Traefik's storage.
fn certificates() -> PathBuf {
    let storage = Path::new(layout::ACME_STORAGE);
    storage.parent().unwrap_or(storage).to_owned()
}

/// Whether something is at a path; a folder with nothing in it is nothing.
fn is_there(path: &PathBuf) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// Takes away the lock, and the folders that have become empty. One in which somebody else has
/// something stays, and that is no failure.
fn tidy() {
    let _ = fs::remove_file(lock::path());
    let state = certificates();
    let folders = [
        Path::new(layout::GENERATIONS),
        Path::new(layout::DYNAMIC_DIR),
        Path::new(layout::ETC),
        Path::new(layout::ROUTER_STATE_DIR),
        &state,
        state.parent().unwrap_or(&state),
        Path::new(layout::PROGRAMS),
    ];
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(running: &[&'static str], paths: &[&str], purge: bool, steps: &[&str], kept: &[&str]) {
        let found = Found {
            running: running.iter().copied().collect(),
            paths: paths.iter().map(PathBuf::from).collect(),
        };
        let (planned, left) = found.plan(purge);
        let words = |step: &Step| {
            let text = step.to_string();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(planned.iter().map(words).collect::<Vec<_>>(), steps);
        let left: Vec<&Path> = left.iter().map(PathBuf::as_path).collect();
        assert_eq!(left, kept.iter().map(Path::new).collect::<Vec<_>>());
    }

    const ALL: [&str; 8] = [
        "/usr/lib/rediacc/renet",
        "/usr/lib/rediacc/traefik",
        "/etc/rediacc/generations",
        "/etc/rediacc/current",
        "/etc/rediacc/.transaction",
        "/etc/rediacc/traefik.d",
        "/etc/systemd/system/rediacc-router.service.d",
        "/var/lib/rediacc/proxy",
    ];

    #[test]
    fn what_pushes_did_not_make_stays() {
        check(
            &[layout::ROUTER_SERVICE, layout::PROXY_SERVICE],
            &ALL,
            false,
            &[
                "stop rediacc-proxy.service",
                "stop rediacc-router.service",
                "delete /etc/rediacc/.transaction",
                "delete /etc/rediacc/current",
                "delete /etc/rediacc/generations",
                "delete /usr/lib/rediacc/traefik",
                "delete /usr/lib/rediacc/renet",
            ],
            &[
                "/etc/systemd/system/rediacc-router.service.d",
                "/etc/rediacc/traefik.d",
                "/var/lib/rediacc/proxy",
            ],
        );
    }

    #[test]
    fn a_purge_takes_all_and_the_program_that_does_it_last() {
        check(
            &[],
            &ALL,
            true,
            &[
                "delete /etc/rediacc/.transaction",
                "delete /etc/rediacc/current",
                "delete /etc/rediacc/generations",
                "delete /etc/systemd/system/rediacc-router.service.d",
                "delete /etc/rediacc/traefik.d",
                "delete /var/lib/rediacc/proxy",
                "delete /usr/lib/rediacc/traefik",
                "delete /usr/lib/rediacc/renet",
            ],
            &[],
        );
    }

    #[test]
    fn where_nothing_is_left_there_is_nothing_to_do() {
        check(&[], &[], true, &[], &[]);
        let certificates = ["/var/lib/rediacc/proxy"];
        check(&[], &certificates, false, &[], &certificates);
    }

    #[test]
    fn nothing_of_the_repositories_is_ever_touched() {
        let all = own().into_iter().chain(spared()).chain(programs());
        let sockets = ["/var/run/rediacc", "/run/rediacc"];
        for path in all {
            let is_theirs = sockets.iter().any(|folder| path.starts_with(folder));
            assert!(!is_theirs, "{}", path.display());
        }
    }
}
