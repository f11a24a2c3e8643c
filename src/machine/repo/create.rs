//! `renet repo create`: creates a repository with its id, its files and its daemon. It is recorded first,
//! so that two creations never get the same id, and marked as being created until its daemon answers. An
//! interrupted creation is undone by the next one, or by `delete`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::image::{self, Size};
use super::lock::RepositoryLock;
use super::{delete, engine, requirements, status, storage};
use crate::bundle::{Failure, RepositoryAnswer};
use crate::layout;
use crate::machine::refused;
use crate::machine::workstation::Workstation;
use crate::network::NetworkId;
use crate::repository::{Entry, Limits, Phase, Record, Registry, RepositoryName};

/// The options of `renet repo create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The repository
    name: RepositoryName,
    /// The folder that holds this machine's repositories
    #[arg(long, value_name = "FOLDER", default_value = layout::DATASTORE)]
    datastore: PathBuf,
    /// Store it in an image of this many bytes [default: a plain folder]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(Limits::LEAST_IMAGE_BYTES..))]
    size: Option<u64>,
    /// Limit the memory of its daemon and services together
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(Limits::LEAST_MEMORY_BYTES..))]
    memory: Option<u64>,
    /// Limit the number of their processes and threads together
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(Limits::LEAST_TASKS..))]
    tasks: Option<u64>,
    /// Let its services reach the machine
    #[arg(long)]
    r#unsafe: bool,
    /// If it exists already, answer with its status
    #[arg(long)]
    if_missing: bool,
}

impl Create {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        workstation.secrets()?;
        let name = &self.name;
        let _lock = RepositoryLock::take(name, "create")?;
        let recorded = Record::of_machine().read()?.repositories.remove(name);
        match recorded {
            Some(entry) if entry.phase == Phase::Whole => return self.existing(&entry),
            // An interrupted creation: its remains may have another size.
            Some(entry) => delete::delete(name, &entry)?,
            None => {}
        }
        requirements::check(self.size.is_some())?;
        let entry = self.record()?;
        if let Err(failure) = create(name, &entry) {
            return Err(undo(name, &entry, failure));
        }
        Ok(answer(name, &super::find(name)?))
    }

    /// The answer if a repository of this name exists.
    fn existing(&self, entry: &Entry) -> Result<RepositoryAnswer, Failure> {
        let name = &self.name;
        if !self.if_missing {
            return Err(refused(format!(
                "repository `{name}` exists already on this machine (network {})",
                entry.network_id
            ))
            .hint(format!(
                "bring it up with `rdc repo up {name} -m MACHINE --mount`, or choose another name"
            )));
        }
        match (self.size, entry.image_bytes) {
            (Some(size), Some(bytes)) if size != bytes => Err(refused(format!(
                "repository `{name}` has an image of {}, not {}",
                Size(bytes),
                Size(size)
            ))
            .hint(format!("`rdc repo resize {name} SIZE -m MACHINE` grows it"))),
            (Some(_), None) => Err(refused(format!(
                "repository `{name}` is a plain folder, which has no size"
            ))
            .hint("omit --size, or create another repository")),
            _ => Ok(answer(name, entry)),
        }
    }

    /// Allocates the next id and records the repository, after all checks that can be made beforehand.
    fn record(&self) -> Result<Entry, Failure> {
        let name = &self.name;
        let datastore = storage::datastore(&self.datastore)?;
        if let Some(bytes) = self.size {
            image::has_room(&datastore, name, bytes)?;
        }
        let taken = ids_of_daemons();
        Record::of_machine().edit(|registry: &mut Registry| {
            let network_id = registry.take_id(&taken).map_err(|error| {
                refused(error.to_string())
                    .hint("`rdc repo delete NAME -m MACHINE` frees the id of a repository")
            })?;
            let entry = Entry {
                network_id,
                datastore,
                image_bytes: self.size,
                started: false,
                up: false,
                allows_unsafe: self.r#unsafe,
                limits: Limits {
                    memory_bytes: self.memory,
                    tasks: self.tasks,
                },
                phase: Phase::Creating,
            };
            storage::is_free(name, &entry)?;
            registry.repositories.insert(name.clone(), entry.clone());
            Ok(entry)
        })
    }
}

fn answer(name: &RepositoryName, entry: &Entry) -> RepositoryAnswer {
    RepositoryAnswer::Status(Box::new(status::whole(name, entry)))
}

fn create(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    storage::create(name, entry)?;
    engine::start(name, entry)?;
    Record::of_machine().edit(|registry| {
        if let Some(recorded) = registry.repositories.get_mut(name) {
            recorded.phase = Phase::Whole;
        }
        Ok(())
    })
}

/// Removes what a failed creation made. If that fails too, the failure says what is left.
fn undo(name: &RepositoryName, entry: &Entry, failure: Failure) -> Failure {
    match delete::delete(name, entry) {
        Ok(()) => failure,
        Err(second) => {
            let message = format!(
                "{}\nwhat was created so far is still there: {}",
                failure.message, second.message
            );
            let hint = format!("`rdc repo delete {name} -m MACHINE` removes it");
            Failure { message, ..failure }.hint(hint)
        }
    }
}

/// The ids of daemons that may not be recorded: those with a socket or a unit.
fn ids_of_daemons() -> BTreeSet<NetworkId> {
    let names = |folder: &str| {
        let entries = fs::read_dir(Path::new(folder));
        let entries = entries.into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    };
    let sockets = names(layout::SOCKET_DIR);
    let units = names(layout::UNIT_DIR);
    sockets
        .chain(units)
        .filter_map(|name| id_in(&name))
        .collect()
}

/// The id in the name of a socket or of a drop-in's folder.
fn id_in(name: &str) -> Option<NetworkId> {
    let unit = || {
        let rest = name.strip_prefix("rediacc-docker@")?;
        rest.strip_suffix(".service.d")?.parse().ok()
    };
    NetworkId::of_socket_name(name).or_else(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_nobody_recorded_keeps_its_id() {
        for (name, expected) in [
            ("docker-2816.sock", Some(2816)),
            ("rediacc-docker@6336.service.d", Some(6336)),
            ("rediacc-docker@.service", None),
            ("docker-17.sock", None),
            ("docker.sock", None),
            ("engine-2816", None),
        ] {
            assert_eq!(id_in(name).map(u32::from), expected, "{name}");
        }
    }
}
