//! Whether there is room for what a push writes, and whether it can be written at all.

use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

use super::findings::Findings;
use crate::bundle::{Bundle, Failure};
use crate::layout;
use crate::machine::{failed, refused};

/// What is written to one place.
struct Need {
    path: &'static str,
    what: &'static str,
    bytes: u64,
    files: u64,
}

const MIB: u64 = 1024 * 1024;

/// A generation is some tens of KiB, and beside it lies the one that it is staged in. What the
/// services keep grows with the sites: a few KiB for each certificate.
const NEEDS: [Need; 2] = [
    Need {
        path: layout::GENERATIONS,
        what: "a new generation",
        bytes: MIB,
        files: 64,
    },
    Need {
        path: layout::ROUTER_STATE_DIR,
        what: "certificates and the route server's state",
        bytes: 16 * MIB,
        files: 64,
    },
];

/// Refuses a place that cannot be written to.
pub(super) fn is_writable(path: &str) -> Result<(), Failure> {
    if is_read_only(&file_system(path)?) {
        return Err(refused(read_only(path)).hint(remount(path)));
    }
    Ok(())
}

/// Looks for what has no room, and for what cannot be written to.
pub(super) fn examine(bundle: &Bundle, findings: &mut Findings) -> Result<(), Failure> {
    for need in NEEDS {
        let system = file_system(need.path)?;
        if is_read_only(&system) {
            findings.problem(read_only(need.path), remount(need.path));
        } else if let Some(lack) = lack(&need, &system) {
            let path = need.path;
            findings.problem(
                format!("there is no room for {} in {path}: {lack}", need.what),
                format!("`df -h {path}` and `df -i {path}` on the machine show what is used"),
            );
        }
    }
    // These are written once, and may be read-only afterwards.
    let link = Path::new(layout::RENET_LINK);
    for (is_there, path) in [
        (bundle.renet.exists(), layout::PROGRAMS),
        (link.symlink_metadata().is_ok(), layout::RENET_LINK),
    ] {
        if !is_there && is_read_only(&file_system(path)?) {
            findings.problem(read_only(path), remount(path));
        }
    }
    Ok(())
}

/// The file system that a path is on, or would be on.
fn file_system(path: &str) -> Result<StatVfs, Failure> {
    let path = Path::new(path);
    let there = path.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("/"));
    statvfs(there).map_err(|error| {
        failed(format!(
            "cannot look at the file system of {}: {error}",
            there.display()
        ))
    })
}

fn is_read_only(system: &StatVfs) -> bool {
    system.f_flag.contains(StatVfsMountFlags::RDONLY)
}

fn read_only(path: &str) -> String {
    format!("{path} is on a read-only file system")
}

fn remount(path: &str) -> String {
    format!("`findmnt --target {path}` on the machine shows which: make it writable")
}

/// What is not enough; none where it is.
fn lack(need: &Need, system: &StatVfs) -> Option<String> {
    // `f_bavail` is without what is kept for root: Traefik is not root.
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if free < need.bytes {
        let mib = |bytes: u64| bytes as f64 / MIB as f64;
        return Some(format!(
            "it needs {:.0} MiB, and {:.1} MiB are free",
            mib(need.bytes),
            mib(free)
        ));
    }
    // A file system that makes them on demand, as btrfs, tells none at all.
    let counts_files = system.f_files > 0;
    (counts_files && system.f_favail < need.files).then(|| {
        format!(
            "it needs {} inodes, and {} are free",
            need.files, system.f_favail
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(free: u64, files: u64, free_files: u64) -> StatVfs {
        StatVfs {
            f_bsize: 4096,
            f_frsize: 1024,
            f_blocks: 1 << 40,
            f_bfree: 1 << 40,
            f_bavail: free / 1024,
            f_files: files,
            f_ffree: files,
            f_favail: free_files,
            f_fsid: 0,
            f_flag: StatVfsMountFlags::empty(),
            f_namemax: 255,
        }
    }

    #[test]
    fn too_little_room_is_told_with_what_is_needed_and_free() {
        let need = &NEEDS[0];
        for (system, expected) in [
            (system(MIB, 1000, 1000), None),
            (system(1 << 40, 0, 0), None),
            (
                system(MIB / 2, 1000, 1000),
                Some("it needs 1 MiB, and 0.5 MiB are free"),
            ),
            (
                system(1 << 40, 1000, 3),
                Some("it needs 64 inodes, and 3 are free"),
            ),
        ] {
            assert_eq!(lack(need, &system).as_deref(), expected);
        }
    }
}
