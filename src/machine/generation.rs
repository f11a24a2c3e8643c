//! What the machine keeps of one push: a numbered folder of files and of links to programs. It is
//! written whole or not at all, and never changed afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::manifest::Manifest;
use super::{failed, files};
use crate::bundle::{Bind, Failure, Token};
use crate::layout;

/// The name of the folder in which a generation is written.
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
    /// The generation with these rendered files, with the entry points and the programs that the
    /// machine has for it.
    pub(super) fn of(
        files: BTreeMap<String, String>,
        token: Option<&Token>,
        binds: &BTreeSet<Bind>,
        renet: &Path,
        traefik: &Path,
    ) -> Result<Self, Failure> {
        let mut entries: BTreeMap<_, _> = files
            .into_iter()
            .map(|(name, content)| (name, Entry::File(content.into_bytes())))
            .collect();
        if let Some(token) = token {
            let token = token.0.expose_secret().as_bytes().to_vec();
            entries.insert(layout::CF_DNS_TOKEN.into(), Entry::File(token));
        }
        let binds = lines(binds)
            .map_err(|error| failed(format!("cannot write {}: {error}", layout::BINDS)))?;
        entries.insert(layout::BINDS.into(), Entry::File(binds.into_bytes()));
        entries.insert(layout::RENET.into(), Entry::Link(renet.to_owned()));
        entries.insert(layout::TRAEFIK.into(), Entry::Link(traefik.to_owned()));
        Ok(Self(entries))
    }

    /// Reads a generation's folder; hidden names are marks, not parts.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
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

    /// Its parts, by their names.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(name, entry)| (name.as_str(), entry))
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

    /// Whether its Traefik obtains certificates, and reads those that it has.
    pub(super) fn uses_acme(&self) -> bool {
        let config = self.file(layout::TRAEFIK_YML).unwrap_or_default();
        let mut lines = config.split(|byte| *byte == b'\n');
        lines.any(|line| line.starts_with(b"certificatesResolvers:"))
    }

    /// Whether its Traefik needs the token to get routes.
    pub(super) fn uses_token(&self) -> bool {
        let config = self.file(layout::TRAEFIK_YML).unwrap_or_default();
        String::from_utf8_lossy(config).contains(layout::TOKEN_PLACEHOLDER)
    }

    /// What its Traefik listens on; nothing where that is not known.
    pub(super) fn binds(&self) -> BTreeSet<Bind> {
        self.file(layout::BINDS)
            .and_then(|json| serde_json::from_slice(json).ok())
            .unwrap_or_default()
    }
}

/// The entry points as JSON, one a line, so that a difference shows which.
fn lines(binds: &BTreeSet<Bind>) -> Result<String, serde_json::Error> {
    let lines: Vec<String> = binds
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

/// The live generation.
pub(super) struct Live {
    /// Its number.
    pub(super) number: u32,
    /// Its parts, as they are now.
    pub(super) generation: Generation,
    /// What was pushed, by which edits are told; none where that was not noted.
    pub(super) manifest: Option<Manifest>,
}

/// The live generation; none on a machine without a push.
pub(super) fn live() -> Result<Option<Live>, Failure> {
    let Some(number) = live_number()? else {
        return Ok(None);
    };
    let folder = folder(number);
    if !folder.is_dir() {
        // The folder was removed by hand: the push that follows writes a new one.
        return Ok(None);
    }
    Ok(Some(Live {
        number,
        generation: Generation::read(&folder)?,
        manifest: Manifest::read(&folder)?,
    }))
}

/// The number of the live generation, by the link alone.
pub(super) fn live_number() -> Result<Option<u32>, Failure> {
    let Some(target) = files::read_link(Path::new(layout::CURRENT))? else {
        return Ok(None);
    };
    let number = target
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(failed(format!(
            "{} points to {}, which is no generation",
            layout::CURRENT,
            target.display()
        ))),
    }
}

/// The folder of a generation.
pub(super) fn folder(number: u32) -> PathBuf {
    Path::new(layout::GENERATIONS).join(number.to_string())
}

/// The number of the next generation: one more than the highest that is there.
pub(super) fn next_number() -> Result<u32, Failure> {
    Ok(numbers()?.last().map_or(1, |last| last + 1))
}

/// Writes a generation where it can be checked and is not live; returns its folder.
pub(super) fn stage(generation: &Generation) -> Result<PathBuf, Failure> {
    let folder = staging();
    // What a killed push left.
    files::delete(&folder)?;
    files::make_dir(&folder)?;
    let write = || {
        for (name, entry) in &generation.0 {
            let path = folder.join(name);
            match entry {
                Entry::Link(target) => files::link(&path, target)?,
                Entry::File(content) => files::write(&path, content, mode(name))?,
            }
        }
        Manifest::of(generation).write(&folder)
    };
    write().inspect_err(|_| {
        // Where the disk is full, the half that was written makes it no better.
        let _ = discard_staged();
    })?;
    Ok(folder)
}

/// Removes what was staged and did not become a generation.
pub(super) fn discard_staged() -> Result<(), Failure> {
    files::delete(&staging())
}

/// Where a generation is written before it has a number.
pub(super) fn staging() -> PathBuf {
    Path::new(layout::GENERATIONS).join(STAGING)
}

fn mode(name: &str) -> u32 {
    if name == layout::CF_DNS_TOKEN {
        0o600
    } else {
        0o644
    }
}

/// Gives the staged generation its number. It is not live yet.
pub(super) fn keep_staged(number: u32) -> Result<(), Failure> {
    let folder = folder(number);
    let rename = || {
        fs::rename(staging(), &folder)?;
        files::sync_dir(Path::new(layout::GENERATIONS))
    };
    rename().map_err(|error| failed(format!("cannot write {}: {error}", folder.display())))
}

/// Makes a generation the live one by one rename.
pub(super) fn switch(number: u32) -> Result<(), Failure> {
    files::link(Path::new(layout::CURRENT), &link_target(number))
}

/// Where `current` points when a generation is the live one.
pub(super) fn link_target(number: u32) -> PathBuf {
    Path::new("generations").join(number.to_string())
}

/// Removes a generation that did not come up.
pub(super) fn discard(number: u32) -> Result<(), Failure> {
    files::delete(&folder(number))
}

/// Removes the oldest generations, but never the live one.
pub(super) fn prune(live: u32) -> Result<(), Failure> {
    for old in numbers()?.into_iter().rev().skip(KEPT) {
        if old != live {
            discard(old)?;
        }
    }
    Ok(())
}

/// The numbers of the generations that are there, ascending.
pub(super) fn numbers() -> Result<Vec<u32>, Failure> {
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
