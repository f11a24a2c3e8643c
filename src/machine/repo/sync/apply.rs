//! Applies a plan. Each file is put into place by a rename, so that it is always complete; an interrupted
//! sync is completed by the next one.

use std::io;
use std::path::{Path, PathBuf};

use super::plan::{Delete, InTheWay, Plan, Step};
use super::receive::Received;
use super::record::Record;
use super::tree::{Found, Tree};
use super::unusable;
use crate::bundle::{Failure, SyncReport};
use crate::machine::failed;
use crate::sync::{Item, SyncPath};

/// Where files are kept that a file of the source replaced, although no sync had brought them.
const OVERWRITTEN: &str = ".rediacc/overwritten";
/// Where a link is created before it is renamed into place.
const NEW_LINK: &str = ".rediacc/new-link";

pub(super) fn apply(
    tree: &Tree,
    plan: Plan,
    received: &Received<'_>,
    before: &Record,
) -> Result<SyncReport, Failure> {
    let Plan {
        deletes,
        steps,
        warnings,
    } = plan;
    let mut report = SyncReport {
        warnings,
        ..SyncReport::default()
    };
    let keep = |error: io::Error| unusable(&error);
    let mut record = before.clone();
    record.intend(tree, received.manifest()).map_err(keep)?;
    let writes = |step: &Step| matches!(step, Step::Write(_));
    if record != *before && steps.values().any(writes) {
        record.write(tree).map_err(keep)?;
        // Flush before the renames, so that files are complete even after a power failure.
        tree.flush().map_err(keep)?;
    }
    for (path, delete) in deletes {
        let deleted = match delete {
            Delete::File => tree.remove(&path).map(|()| true),
            Delete::Folder => tree.remove_folder(&path).map(|_| false),
            Delete::Forget => Ok(false),
        };
        report.deleted += usize::from(deleted.map_err(|error| cannot("delete", &path, &error))?);
        record.forget(&path);
    }
    for (path, step) in &steps {
        let item = &received.manifest().items()[path];
        let is_folder = matches!(item, Item::Folder { .. });
        let stamp = match step {
            Step::Leave => {
                report.unchanged += 1;
                continue;
            }
            Step::Keep(stamp) => {
                report.unchanged += usize::from(!is_folder);
                // A folder that existed before is not recorded as brought.
                if is_folder {
                    continue;
                }
                *stamp
            }
            Step::SetMode | Step::Write(_) => {
                let written = carry_out(tree, path, item, *step, received);
                let stamp = written.map_err(|error| cannot("write", path, &error))?;
                report.written += usize::from(!is_folder);
                stamp
            }
        };
        record.note(path, item, stamp);
    }
    if record != *before {
        record.write(tree).map_err(keep)?;
    }
    if steps
        .values()
        .any(|step| *step == Step::Write(InTheWay::Foreign))
    {
        report.warnings.push(format!(
            "the replaced files were kept in {OVERWRITTEN} of the repository"
        ));
    }
    Ok(report)
}

/// Applies the step of one item. Returns the stamp of a file.
fn carry_out(
    tree: &Tree,
    path: &SyncPath,
    item: &Item,
    step: Step,
    received: &Received<'_>,
) -> io::Result<Option<super::tree::Stamp>> {
    match step {
        Step::Write(InTheWay::Foreign) => {
            let aside = PathBuf::from(OVERWRITTEN).join(path);
            tree.make_folders(aside.parent().unwrap_or(Path::new(OVERWRITTEN)))?;
            if tree.look(&aside)? == Some(Found::Folder) {
                // That of an earlier sync, when the path was a folder's.
                return Err(io::Error::other(format!(
                    "{} is in the way",
                    aside.display()
                )));
            }
            tree.rename(path, &aside)?;
        }
        Step::Write(InTheWay::Folder) if !tree.remove_folder(path)? => {
            return Err(io::Error::other(
                "it is a folder with files that no sync brought",
            ));
        }
        _ => {}
    }
    match item {
        Item::Folder { mode } => {
            // What an earlier sync brought as a file.
            if tree.look(path)?.is_some() {
                tree.remove(path)?;
            }
            tree.make_folder(path, *mode)?;
            return Ok(None);
        }
        Item::Link { target } => {
            if tree.look(NEW_LINK)?.is_some() {
                tree.remove(NEW_LINK)?;
            }
            tree.make_link(NEW_LINK, target)?;
            tree.rename(NEW_LINK, path)?;
            return Ok(None);
        }
        Item::File { mode, .. } => match (step, received.content(path)) {
            (Step::Write(_), Some(staged)) => {
                tree.set_mode(staged, *mode)?;
                tree.rename(staged, path)?;
            }
            _ => tree.set_mode(path, *mode)?,
        },
    }
    Ok(match tree.look(path)? {
        Some(Found::File(stamp)) => Some(stamp),
        _ => None,
    })
}

fn cannot(action: &str, path: &SyncPath, error: &io::Error) -> Failure {
    failed(format!(
        "cannot {action} `{path}` in the repository: {error}"
    ))
    .hint("sync again to complete it")
}
