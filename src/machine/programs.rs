//! The programs that pushes brought: those that no generation needs any more go, or they would fill
//! the disk in time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{files, generation};
use crate::bundle::Failure;
use crate::layout;

/// How long a program waits for the push that brings it: what is uploaded is of no generation yet.
const SPARED: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes the programs that are of no kept generation and did not come just now.
pub(super) fn prune() -> Result<(), Failure> {
    let mut needed = Vec::new();
    for number in generation::numbers()? {
        for name in [layout::RENET, layout::TRAEFIK] {
            needed.extend(files::read_link(&generation::folder(number).join(name))?);
        }
    }
    for name in [layout::RENET, layout::TRAEFIK] {
        for folder in folders(&Path::new(layout::PROGRAMS).join(name)) {
            let program = folder.join(name);
            if !needed.contains(&program) && is_old(&program) {
                files::delete(&folder)?;
            }
        }
    }
    Ok(())
}

/// The folders of a program, one a version; uploads that are under way are files.
fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

fn is_old(program: &Path) -> bool {
    let age = program
        .metadata()
        .and_then(|found| found.modified())
        .ok()
        .and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age > SPARED)
}
