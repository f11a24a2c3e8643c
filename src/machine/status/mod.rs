//! `renet infra status`: looks at everything that a push made, and changes nothing. What cannot be
//! seen is told with its reason, beside what can.

mod certificates;
mod units;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::generation::{self, Live};
use super::plan::{self, Place};
use super::route_server::Routes;
use super::{
    acme_storage, disk, failed, firewall, https, observe, preflight, route_server, sockets,
    transaction,
};
use crate::bundle::{Certificate, Failure, Https, Installed, Kept, Listening, Part, Status};
use crate::layout;

/// Looks at everything once.
pub(super) fn status() -> Result<Status, Failure> {
    preflight::machine()?;
    let live = generation::live();
    let known = live.as_ref().ok().and_then(Option::as_ref);
    let routes = route_server::routes();
    let names = routes.as_ref().ok().map(Routes::names);
    // Before the rest: it may wait for a certificate that is on its way, which is stored then.
    let https = part(routes.map(|routes| https(&routes, known)));
    Ok(Status {
        generation: part(generation::live_number()),
        kept: part(kept()),
        transaction: part(transaction::unfinished()),
        drift: part(drift(known)),
        renet: part(program(known, layout::RENET, "--version")),
        traefik: part(program(known, layout::TRAEFIK, "version")),
        units: part(units::units()),
        entrypoints: part(entrypoints(known)),
        route_server: part(route_server::ask()),
        certificates: part(certificates(names.as_ref())),
        https,
        obstacles: part(disk::obstacles()),
        firewall: Part::Known(firewall(known)),
    })
}

fn part<T>(seen: Result<T, Failure>) -> Part<T> {
    match seen {
        Ok(seen) => Part::Known(seen),
        Err(failure) => Part::Unknown {
            error: failure.message,
        },
    }
}

fn kept() -> Result<Vec<Kept>, Failure> {
    let kept = |number| Kept {
        number,
        pushed: pushed(&generation::folder(number)),
    };
    Ok(generation::numbers()?.into_iter().map(kept).collect())
}

/// When a generation was written: an edit changes the folder's time, but not the manifest's.
fn pushed(folder: &Path) -> Option<String> {
    let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    let moment = written(&folder.join(super::manifest::MANIFEST)).or_else(|_| written(folder));
    moment.ok().map(rfc3339)
}

/// The parts that are not as they were pushed, the links that were replaced or removed, and a token
/// that does not let Traefik in, or others too.
fn drift(live: Option<&Live>) -> Result<Vec<PathBuf>, Failure> {
    let Some(live) = live else {
        return Ok(Vec::new());
    };
    let now = &live.generation;
    let edited = live.manifest.iter().flat_map(|manifest| {
        let names = manifest.edited(now).into_iter();
        names.map(|name| Path::new(layout::CURRENT).join(name))
    });
    let observed = observe::observe(Some(live))?;
    let replaced = plan::links().into_iter().filter_map(|(path, name)| {
        let is_edited = match observed.places.get(&path)? {
            Place::File(content) => now.file(name) != Some(content),
            Place::Vacant => now.get(name).is_some(),
            Place::Linked | Place::Foreign => false,
        };
        is_edited.then_some(path)
    });
    let token = plan::is_token_off(now, observed.token).then(|| layout::ROUTE_SERVER_TOKEN.into());
    Ok(edited.chain(replaced).chain(token).collect())
}

fn program(live: Option<&Live>, name: &str, question: &str) -> Result<Installed, Failure> {
    let path = live
        .and_then(|live| live.generation.link(name))
        .ok_or_else(|| failed("there is no live generation"))?;
    Ok(Installed {
        path: path.to_owned(),
        version: part(version(path, question)),
    })
}

/// A program's version, as it says it itself: `renet 0.1.0`, or Traefik's line `Version: 3.7.15`.
fn version(program: &Path, question: &str) -> Result<String, Failure> {
    let output = Command::new(program)
        .arg(question)
        .env_clear()
        .output()
        .map_err(|error| failed(format!("cannot run {}: {error}", program.display())))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    match text.split_whitespace().find(is_version) {
        Some(version) if output.status.success() => Ok(version.to_owned()),
        _ => Err(failed(format!(
            "{} does not tell its version",
            program.display()
        ))),
    }
}

/// What a firewall keeps from what the live generation serves.
fn firewall(live: Option<&Live>) -> Vec<String> {
    let binds = live.map(|live| live.generation.binds());
    firewall::warnings(&binds.unwrap_or_default())
}

fn entrypoints(live: Option<&Live>) -> Result<Vec<Listening>, Failure> {
    let binds = live.map(|live| live.generation.binds()).unwrap_or_default();
    let listening = sockets::listening()?;
    let seen = |bind: crate::bundle::Bind| Listening {
        name: bind.entrypoint,
        address: bind.socket(),
        listens: listening.iter().any(|socket| socket.is_of(bind)),
    };
    Ok(binds.into_iter().map(seen).collect())
}

fn certificates(routes: Option<&BTreeSet<String>>) -> Result<Vec<Certificate>, Failure> {
    let Some(opened) = acme_storage::open(layout::ACME_STORAGE)? else {
        return Ok(Vec::new());
    };
    let cannot = |why| {
        failed(format!(
            "Traefik's storage of certificates cannot be read: {why}"
        ))
    };
    if !opened.is_file() {
        return Err(cannot(format!("{} is not a file", layout::ACME_STORAGE)));
    }
    let storage = opened
        .storage(layout::ACME_STORAGE)?
        .map_err(|unusable| cannot(format!("{} {unusable}", layout::ACME_STORAGE)))?;
    Ok(certificates::certificates(
        &storage,
        routes,
        SystemTime::now(),
    ))
}

fn https(routes: &Routes, live: Option<&Live>) -> Https {
    match live {
        Some(live) => https::look(&routes.secure_names(), &live.generation),
        None => Https::default(),
    }
}

/// A moment as the wire has it.
fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}
