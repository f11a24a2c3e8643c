//! `renet repo resize`: grows a repository's image. Every step can be repeated, so that an interrupted or
//! failed resize is completed by the next one.

use clap::Args;

use super::image::{self, Size};
use super::lock::RepositoryLock;
use super::{delete, docker, engine, status, storage};
use crate::bundle::{Failure, RepositoryAnswer};
use crate::machine::refused;
use crate::machine::workstation::Workstation;
use crate::repository::{Entry, Record, RepositoryName};

/// The options of `renet repo resize`.
#[derive(Debug, Args)]
pub(super) struct Resize {
    /// The repository
    name: RepositoryName,
    /// The new size of its image
    #[arg(value_name = "BYTES")]
    bytes: u64,
}

impl Resize {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        workstation.secrets()?;
        let Self { name, bytes } = self;
        let _lock = RepositoryLock::take(&name, "resize")?;
        let mut entry = super::find(&name)?;
        delete::refuse_during_a_run("resize", &name, &entry)?;
        let image = entry.image(&name).zip(entry.image_bytes);
        let Some((image, recorded)) = image else {
            return Err(refused(format!(
                "cannot resize repository `{name}`: it is a plain folder, and may use the whole disk"
            ))
            .hint("only a repository that was created with `--size` can be resized"));
        };
        // After an interrupted resize, the file is longer than its recorded size.
        let now = image::bytes(&image)?;
        if bytes < recorded.max(now) {
            return Err(refused(format!(
                "cannot shrink repository `{name}` from {} to {}: the end of its image may be in \
                 use",
                Size(recorded.max(now)),
                Size(bytes)
            ))
            .hint("create a smaller repository, and move the files there"));
        }
        image::has_room(&entry.datastore, &name, bytes - now)?;
        grow(&name, &entry, bytes)?;
        Record::of_machine().edit(|registry| {
            if let Some(recorded) = registry.repositories.get_mut(&name) {
                recorded.image_bytes = Some(bytes);
            }
            Ok::<_, Failure>(())
        })?;
        entry.image_bytes = Some(bytes);
        Ok(RepositoryAnswer::Status(Box::new(status::whole(
            &name, &entry,
        ))))
    }
}

fn grow(name: &RepositoryName, entry: &Entry, bytes: u64) -> Result<(), Failure> {
    let image = entry.image(name).unwrap_or_default();
    let path = entry.path(name);
    if !storage::is_mounted(name, entry)? {
        return image::grow_unmounted(&image, bytes);
    }
    let Err(failure) = image::grow_mounted(&image, bytes, &path) else {
        return Ok(());
    };
    // Some kernels and virtual machines cannot grow a mounted file system. Without running containers,
    // it can be unmounted for a moment.
    let id = entry.network_id;
    let is_running = engine::is_running(id)?;
    if is_running && !docker::running(id)?.is_empty() {
        return Err(Failure {
            message: format!(
                "cannot grow the file system of `{name}` while it is used: {}",
                failure.message
            ),
            ..failure
        }
        .hint(format!(
            "take its services down with `rdc repo down {name} -m MACHINE`, and resize it again"
        )));
    }
    engine::pause(name, entry)?;
    storage::unmount(name, entry)?;
    let grown = image::grow_unmounted(&image, bytes);
    // Mount it again even if it did not grow.
    let back = if is_running {
        engine::start(name, entry)
    } else {
        storage::mount(name, entry)
    };
    grown.and(back)
}
