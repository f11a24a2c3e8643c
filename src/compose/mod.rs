//! `renet compose`: runs Docker Compose for a repository's daemon. It gives services their addresses
//! and labels, and then executes Compose in its own place, so that signals, exit code, terminal and
//! streams are Compose's own.
//!
//! ```text
//! words ─► line ─► place ─► slots ─► program: `config` ─► model ─► replicas ─► rules ─► additions ─► program: exec
//! ```
//!
//! Compose reads the files; nothing here knows their format, only the model that Compose makes of them.
//! Commands that act on existing containers, such as `down`, get only the addresses, so that they work
//! even if the files are broken.

mod additions;
mod commands;
mod files;
mod line;
mod model;
mod place;
mod program;
mod refusal;
mod replicas;
mod resolve;
mod rules;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use additions::Additions;
use commands::{FILE, Need};
pub use files::are_in as are_files_in;
use line::{Line, Part};
use place::Place;
use program::{Compose, Variables};
pub use refusal::Refusal;
use resolve::{Failure, Resolved};
use rules::Folder;

use crate::network::NetworkId;
use crate::repository::{Slots, variables};

/// The options of `renet compose`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  renet compose -- up -d
  renet compose -- config                     what Compose gets
  renet compose --network-id 2816 -- ps")]
pub struct Arguments {
    /// The repository's network id [default: $REPOSITORY_NETWORK_ID, else that of the repository that
    /// contains the project]
    #[arg(long, value_name = "ID")]
    network_id: Option<NetworkId>,
    /// The project's folder, in which Compose runs
    #[arg(long, value_name = "DIR", default_value = ".")]
    project_dir: PathBuf,
    /// From now on, allow services of this repository to reach the machine: privileged containers,
    /// devices, mounts from outside the repository
    #[arg(long, conflicts_with = "safe")]
    r#unsafe: bool,
    /// From now on, refuse that again
    #[arg(long)]
    safe: bool,
    /// The arguments of `docker compose`
    #[arg(last = true, value_name = "ARGS")]
    words: Vec<String>,
}

/// Executes Compose in place of this process; returns only if that fails, or nothing is to be run.
pub fn run(arguments: &Arguments) -> ExitCode {
    match compose(arguments) {
        Ok(code) => code,
        Err(Failure::Refusal(refusal)) => {
            say(refusal.to_string().as_bytes());
            say(b"\n");
            ExitCode::FAILURE
        }
        Err(Failure::Said(said)) => {
            say(&said.stderr);
            let code = said.code.and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.unwrap_or(1))
        }
    }
}

/// Assigns a slot to every service of the project in `project_dir`, if that has a compose file. Returns
/// all slots of the repository; fails if Compose cannot read the project, or no slot is free.
pub fn assign_slots(root: &Path, project_dir: &Path, id: NetworkId) -> Result<Slots, Refusal> {
    if !files::are_in(project_dir) {
        return Ok(Slots::read(root)?);
    }
    let place = Place::known(id, root, project_dir)?;
    let line = Line::parse(&["config".to_owned()]);
    match resolve::resolve(&Compose::find()?, &place, &line) {
        Ok(resolved) => Ok(resolved.slots),
        Err(Failure::Refusal(refusal)) => Err(refusal),
        Err(Failure::Said(said)) => {
            let said = String::from_utf8_lossy(&said.stderr);
            let message = format!(
                "Compose cannot read {}: {}",
                project_dir.display(),
                said.trim()
            );
            Err(Refusal::new(message))
        }
    }
}

fn compose(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments {
        network_id,
        project_dir,
        r#unsafe,
        safe,
        words,
    } = arguments;
    let line = Line::parse(words);
    let is_about_safety = words.is_empty() && (*r#unsafe || *safe);
    if line.need() == Need::Nothing && !is_about_safety {
        let compose = Compose::find()?;
        return Err(compose
            .become_as_asked(None, words, &Variables::new())
            .into());
    }
    let mut place = Place::find(*network_id, project_dir)?;
    if *r#unsafe || *safe {
        remember(&mut place, *r#unsafe)?;
    }
    if is_about_safety {
        return Ok(ExitCode::SUCCESS);
    }
    let compose = Compose::find()?;
    let folder = Folder(&place.root);
    let mut findings = rules::check_line(&line, &place.project_dir, folder);
    if line.need() == Need::Environment {
        rules::refuse(std::mem::take(&mut findings), place.allows_unsafe)?;
        let slots = Slots::read(&place.root)?;
        if !replicas::are_in(&slots) {
            let variables = variables(&slots, place.id);
            return Err(compose
                .become_as_asked(Some(&place), words, &variables)
                .into());
        }
    }

    let (line, _input) = with_standard_input(line, &place)?;
    let resolved = match resolve::resolve(&compose, &place, &line) {
        // Existing containers can be stopped even if the files are broken.
        Err(_) if line.need() == Need::Environment => {
            let variables = variables(&Slots::read(&place.root)?, place.id);
            let words = line.words();
            return Err(compose
                .become_as_asked(Some(&place), &words, &variables)
                .into());
        }
        resolved => resolved?,
    };
    let Resolved {
        mut model,
        slots,
        replicas,
        warnings,
    } = resolved;
    say(&warnings);
    if line.need() == Need::Model {
        findings.extend(rules::check(&model, folder));
        rules::refuse(findings, place.allows_unsafe)?;
    }
    let additions = Additions {
        id: place.id,
        name: place.name.as_ref(),
        slots: &slots,
        replicas: &replicas,
        folder,
    };
    for note in additions.add_to(&mut model) {
        if line.need() == Need::Model {
            say(format!("note: {note}\n").as_bytes());
        }
    }
    let variables = variables(&slots, place.id);
    let line = replicas.in_line(&line);
    Err(compose
        .become_with(&place, &line, &model, &variables)
        .into())
}

/// Replaces `-f -` by a file in memory: standard input can be read only once, and Compose is started
/// several times. The caller keeps the file open.
fn with_standard_input(mut line: Line, place: &Place) -> Result<(Line, Option<File>), Refusal> {
    if !line.globals(FILE).any(|file| file == "-") {
        return Ok((line, None));
    }
    let mut text = Vec::new();
    let read = io::stdin().read_to_end(&mut text);
    let (file, path) = read
        .and_then(|_| program::in_memory(&text))
        .map_err(|error| Refusal::new(format!("cannot read standard input: {error}")))?;
    let folder = files::project_directory(place, &line);
    for part in &mut line.global {
        if let Part::Option(name, Some(value)) = part
            && FILE.contains(&name.as_str())
            && value == "-"
        {
            value.clone_from(&path);
        }
    }
    let folder = folder.to_string_lossy().into_owned();
    let option = Part::Option("--project-directory".to_owned(), Some(folder));
    line.global.push(option);
    Ok((line, Some(file)))
}

/// Stores the operator's choice, and prints a note if it is new.
fn remember(place: &mut Place, allows: bool) -> Result<(), Refusal> {
    if !place.allow_unsafe(allows)? {
        return Ok(());
    }
    let id = place.id;
    let note = if allows {
        format!(
            "note: services of this repository may reach the machine from now on; `renet compose \
             --network-id {id} --safe` takes that back\n"
        )
    } else {
        "note: services of this repository may not reach the machine any more; those that run stay \
         as they are until `up` makes them anew\n"
            .to_owned()
    };
    say(note.as_bytes());
    Ok(())
}

/// Prints to standard error. If that fails, the exit code alone has to tell.
fn say(text: &[u8]) {
    let _ = io::stderr().write_all(text);
}
