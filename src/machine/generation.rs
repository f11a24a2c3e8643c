//! What the machine keeps of one push: a numbered folder of files and of links to programs. It is
//! written whole or not at all, and never changed afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::{failed, files};
use crate::bundle::{Bind, Bundle, Failure};
use crate::layout;

/// Which entry points a generation opens, for the next push's preflight.
const BINDS: &str = "binds.json";
/// A generation's mark that the units run it: without it, a push was cut off.
const APPLIED: &str = ".applied";
/// Where a generation is written before it has a number.
const STAGING: &str = ".staging";
/// How many generations are kept, the live one included.
const KEPT: usize = 10;

/// What a generation consists of, by the names in its folder. No Debug: one of them is a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Generation(BTreeMap<String, Entry>);

/// One thing in a generation.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file; the token's is for root alone.
    File(Vec<u8>),
    /// A link to a program.
    Link(PathBuf),
}

impl Generation {
    /// The generation that a bundle asks for.
    pub(super) fn of(bundle: &Bundle, traefik: &Path) -> Result<Self, Failure> {
        let text = |text: &str| Entry::File(text.as_bytes().to_vec());
        let mut entries: BTreeMap<_, _> = bundle
            .files
            .iter()
            .map(|(name, content)| (name.clone(), text(content)))
            .collect();
        if let Some(token) = &bundle.cf_dns_token {
            entries.insert(layout::CF_DNS_TOKEN.into(), text(token.0.expose_secret()));
        }
        let binds = serde_json::to_vec(&bundle.binds)
            .map_err(|error| failed(format!("cannot write {BINDS}: {error}")))?;
        entries.insert(BINDS.into(), Entry::File(binds));
        entries.insert(layout::RENET.into(), Entry::Link(bundle.renet.clone()));
        entries.insert(layout::TRAEFIK.into(), Entry::Link(traefik.to_owned()));
        Ok(Self(entries))
    }

    /// Reads a generation's folder; hidden names are marks, not parts.
    fn read(folder: &Path) -> Result<Self, Failure> {
        let cannot = |error| failed(format!("cannot read {}: {error}", folder.display()));
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let entry = match files::read_link(&path)? {
                Some(target) => Entry::Link(target),
                None => Entry::File(files::read(&path)?.unwrap_or_default()),
            };
            entries.insert(name.to_owned(), entry);
        }
        Ok(Self(entries))
    }

    /// The names of its parts.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// One of its parts.
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// The content of one of its files.
    pub(super) fn file(&self, name: &str) -> Option<&[u8]> {
        match self.get(name)? {
            Entry::File(content) => Some(content),
            Entry::Link(_) => None,
        }
    }

    /// Where one of its links points.
    pub(super) fn link(&self, name: &str) -> Option<&Path> {
        match self.get(name)? {
            Entry::Link(target) => Some(target),
            Entry::File(_) => None,
        }
    }

    /// What its Traefik listens on; nothing where that is not known.
    pub(super) fn binds(&self) -> BTreeSet<Bind> {
        self.file(BINDS)
            .and_then(|json| serde_json::from_slice(json).ok())
            .unwrap_or_default()
    }
}

/// The live generation.
pub(super) struct Live {
    /// Its number.
    pub(super) number: u32,
    /// Its parts.
    pub(super) generation: Generation,
    /// Whether the push that made it got to its end.
    pub(super) applied: bool,
}

/// The live generation; none on a machine without a push.
pub(super) fn live() -> Result<Option<Live>, Failure> {
    let Some(target) = files::read_link(Path::new(layout::CURRENT))? else {
        return Ok(None);
    };
    let folder = Path::new(layout::ETC).join(&target);
    let number = target
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    let Some(number) = number else {
        return Err(failed(format!(
            "{} points to {}, which is no generation",
            layout::CURRENT,
            target.display()
        )));
    };
    if !folder.is_dir() {
        // The folder was removed by hand: the push that follows writes a new one.
        return Ok(None);
    }
    let applied = folder.join(APPLIED).exists();
    Ok(Some(Live {
        number,
        generation: Generation::read(&folder)?,
        applied,
    }))
}

/// The number of the next generation: one more than the highest that is there.
pub(super) fn next_number() -> Result<u32, Failure> {
    Ok(numbers()?.last().map_or(1, |last| last + 1))
}

/// Writes a generation where it can be checked and is not live; returns its folder.
pub(super) fn stage(generation: &Generation) -> Result<PathBuf, Failure> {
    let folder = Path::new(layout::GENERATIONS).join(STAGING);
    // What a killed push left.
    remove(&folder)?;
    files::make_dir(&folder)?;
    for (name, entry) in &generation.0 {
        let path = folder.join(name);
        match entry {
            Entry::Link(target) => files::link(&path, target)?,
            Entry::File(content) => {
                let mode = if name == layout::CF_DNS_TOKEN {
                    0o600
                } else {
                    0o644
                };
                files::write(&path, content, mode)?;
            }
        }
    }
    Ok(folder)
}

/// Gives the staged generation its number, and makes it the live one by one rename.
pub(super) fn switch(staged: &Path, number: u32) -> Result<(), Failure> {
    let folder = Path::new(layout::GENERATIONS).join(number.to_string());
    let rename = || {
        fs::rename(staged, &folder)?;
        files::sync_dir(Path::new(layout::GENERATIONS))
    };
    rename().map_err(|error| failed(format!("cannot write {}: {error}", folder.display())))?;
    let target = Path::new("generations").join(number.to_string());
    files::link(Path::new(layout::CURRENT), &target)
}

/// Marks the live generation as the one that the units run, and removes the oldest ones.
pub(super) fn mark_applied(number: u32) -> Result<(), Failure> {
    let generations = Path::new(layout::GENERATIONS);
    files::write(
        &generations.join(number.to_string()).join(APPLIED),
        b"",
        0o644,
    )?;
    let numbers = numbers()?;
    for old in numbers.iter().rev().skip(KEPT) {
        remove(&generations.join(old.to_string()))?;
    }
    Ok(())
}

/// The numbers of the generations that are there, ascending.
fn numbers() -> Result<Vec<u32>, Failure> {
    let folder = Path::new(layout::GENERATIONS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)
        .map_err(|error| failed(format!("cannot read {}: {error}", folder.display())))?;
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(format!(
            "cannot remove {}: {error}",
            folder.display()
        ))),
        _ => Ok(()),
    }
}
