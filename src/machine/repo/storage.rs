//! Where a repository is stored: in a folder of the datastore, or in an image that is mounted there.
//!
//! Only root can enter the folder of all repositories. A repository in it is open to all users, because
//! a service that mounts it may run as any user; other users of the machine cannot get there.

use std::fs;
use std::path::{Path, PathBuf};

use super::{image, install, mounts, units};
use crate::bundle::Failure;
use crate::layout;
use crate::machine::{failed, files, refused, systemd};
use crate::repository::{Entry, RepositoryName};

/// The path of the datastore without symlinks, because a mount unit must not have any. It is created
/// if it does not exist.
pub(super) fn datastore(path: &Path) -> Result<PathBuf, Failure> {
    is_plain(path)?;
    files::make_dir(path)?;
    let real = path.canonicalize().map_err(|error| {
        failed(format!(
            "cannot use the datastore {}: {error}",
            path.display()
        ))
    })?;
    is_plain(&real)?;
    Ok(real)
}

/// Refuses a path with characters that are special in units or in Compose files.
fn is_plain(path: &Path) -> Result<(), Failure> {
    let text = path.to_str().unwrap_or_default();
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@');
    if path.is_absolute() && path.parent().is_some() && text.chars().all(is_plain) {
        return Ok(());
    }
    Err(refused(format!(
        "cannot use {path:?} as a datastore: it has to be an absolute path of letters, digits and \
         `. _ - + @`"
    ))
    .hint("choose another folder as the machine's datastore"))
}

/// Refuses to create a repository over files that exist already without being recorded.
pub(super) fn is_free(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let places = [Some(entry.path(name)), entry.image(name)];
    let there = places
        .into_iter()
        .flatten()
        .find(|path| path.symlink_metadata().is_ok());
    match there {
        None => Ok(()),
        Some(path) => Err(refused(format!(
            "cannot create repository `{name}`: {} exists already, and belongs to no \
             repository of this machine",
            path.display()
        ))
        .hint("move it away, or choose another name")),
    }
}

/// Creates the folder or the image, unless an earlier attempt did.
pub(super) fn create(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    make_private(&entry.datastore.join("repositories"))?;
    if let (Some(path), Some(bytes)) = (entry.image(name), entry.image_bytes) {
        make_private(&entry.datastore.join("images"))?;
        if !path.exists() {
            image::make(&path, bytes)?;
        }
    }
    files::make_dir(&entry.path(name))?;
    mount(name, entry)?;
    if entry.image_bytes.is_some() {
        image::tidy(&entry.path(name));
    }
    Ok(())
}

/// Whether the repository's files are there: an image is mounted, or the folder exists.
pub(super) fn is_mounted(name: &RepositoryName, entry: &Entry) -> Result<bool, Failure> {
    let path = entry.path(name);
    if entry.image_bytes.is_some() {
        Ok(mounts::at(&path)?.is_some())
    } else {
        Ok(is_folder(&path))
    }
}

/// Mounts the image, if it is one and not mounted yet.
pub(super) fn mount(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let path = entry.path(name);
    if let Some((unit, text)) = units::own_mount(name, entry) {
        if !entry.image(name).is_some_and(|image| image.is_file()) {
            return Err(missing(name, &entry.image(name).unwrap_or_default()));
        }
        files::make_dir(&path)?;
        install::write(&[(unit, text)])?;
        if mounts::at(&path)?.is_none() {
            systemd::start("start", &units::mount(&path))?;
        }
    }
    if !is_folder(&path) {
        return Err(missing(name, &path));
    }
    let private = path.join(layout::REPOSITORY_PRIVATE);
    make_private(&private)?;
    if is_folder(&private) {
        return Ok(());
    }
    // A service could have put a symlink there, and the daemon would write to its target.
    Err(refused(format!("{} is not a folder", private.display()))
        .hint("restore the folder on the machine, then run the same command again"))
}

fn missing(name: &RepositoryName, path: &Path) -> Failure {
    refused(format!(
        "the files of repository `{name}` are missing: {} does not exist",
        path.display()
    ))
    .hint(format!(
        "mount the datastore on the machine if it is a disk of its own; `rdc repo delete {name} -m \
         MACHINE` gives the repository up"
    ))
}

/// Unmounts the image, if it is one. The daemon must have stopped.
pub(super) fn unmount(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let path = entry.path(name);
    if entry.image_bytes.is_none() || mounts::at(&path)?.is_none() {
        return Ok(());
    }
    let unit = units::mount(&path);
    let stopped = systemd::systemctl(&["stop", &unit]);
    if mounts::at(&path)?.is_none() {
        // The unit may have failed earlier: only the mount itself tells whether this stop worked.
        return Ok(());
    }
    let reason = stopped.err().map(|failure| failure.message);
    Err(mounts::busy(
        &path,
        reason.as_deref().unwrap_or("it is mounted more than once"),
    ))
}

/// Refuses to remove what does not belong only to the repository: the target of a symlink, or what
/// somebody mounted in it.
pub(super) fn is_removable(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let path = entry.path(name);
    let refuse = |what: String, hint: String| {
        Err(refused(format!("cannot delete repository `{name}`: {what}")).hint(hint))
    };
    if path.is_symlink() {
        let target = fs::read_link(&path).unwrap_or_default();
        return refuse(
            format!("{} is a symlink to {}", path.display(), target.display()),
            format!(
                "remove the link with `rm {}` on the machine, then delete the repository again",
                path.display()
            ),
        );
    }
    // The mounts of the repository's own daemon are removed with it.
    let private = path.join(layout::REPOSITORY_PRIVATE);
    let mut foreign: Vec<PathBuf> = mounts::below(&path)?
        .into_iter()
        .map(|mount| mount.path)
        .filter(|path| !path.starts_with(&private))
        .collect();
    if entry.image_bytes.is_none() && mounts::at(&path)?.is_some() {
        foreign.push(path.clone());
    }
    match foreign.first() {
        None => Ok(()),
        Some(found) => refuse(
            format!("{} is a mount of something else", found.display()),
            format!(
                "unmount it with `umount {}` on the machine, then delete the repository again",
                found.display()
            ),
        ),
    }
}

/// Removes the folder or the image and everything in it. The daemon must have stopped.
pub(super) fn remove(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    is_removable(name, entry)?;
    let path = entry.path(name);
    mounts::clear_below(&path)?;
    let Some((unit, _)) = units::own_mount(name, entry) else {
        return files::delete(&path);
    };
    unmount(name, entry)?;
    install::remove(&[unit])?;
    if let Some(image) = entry.image(name) {
        image::remove(&image)?;
    }
    // Without the mount, the folder is empty, or contains files that are not the repository's.
    match fs::remove_dir(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed(format!("cannot remove {}: {error}", path.display()))
                .hint("check what is in it, then delete the repository again"))
        }
        _ => Ok(()),
    }
}

/// Whether a path is a folder, and not a symlink to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Creates a folder that only root can enter; an existing one keeps its mode.
fn make_private(path: &Path) -> Result<(), Failure> {
    files::make_dir_with_mode(path, 0o700)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datastore_is_a_path_that_nothing_reads_otherwise() {
        for (path, is_good) in [
            ("/mnt/rediacc", true),
            ("/srv/data.1/a-b_c+d@e", true),
            ("mnt/rediacc", false),
            ("/", false),
            ("/mnt/my data", false),
            ("/mnt/a:b", false),
            ("/mnt/%i", false),
            ("/mnt/$HOME", false),
            ("/mnt/ä", false),
            ("", false),
        ] {
            assert_eq!(is_plain(Path::new(path)).is_ok(), is_good, "{path}");
        }
    }

    #[test]
    fn what_a_symlink_leads_to_is_not_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        let elsewhere = root.join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        fs::create_dir(root.join("repositories")).expect("a folder");
        let entry = Entry {
            network_id: crate::network::NetworkId::try_from(2816).expect("a network id"),
            datastore: root,
            image_bytes: None,
            started: false,
            up: false,
            allows_unsafe: false,
            limits: crate::repository::Limits::default(),
            phase: crate::repository::Phase::Deleting,
        };
        let name: RepositoryName = "app".parse().expect("a name");
        std::os::unix::fs::symlink(&elsewhere, entry.path(&name)).expect("a link");
        let failure = remove(&name, &entry).expect_err("it is refused");
        assert!(failure.message.contains("is a symlink to"), "{failure:?}");
        assert!(elsewhere.is_dir());
        fs::remove_file(entry.path(&name)).expect("it is a link");
        remove(&name, &entry).expect("there is nothing left to remove");
    }
}
