//! Whether there is room for what a push writes, whether it can be written, and whether what it
//! brings can run there.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

use super::{failed, refused};
use crate::bundle::{Bundle, Failure, Obstacle, TraefikSource};
use crate::layout;

const MIB: u64 = 1024 * 1024;
/// Where systemd keeps the units that are started apart from a push, and sockets and marks lie.
const RUN: &str = "/run/systemd";
/// Traefik 3.7 has some 180 MiB.
const TRAEFIK_BYTES: u64 = 190 * MIB;

/// What is written to one place.
struct Need {
    path: &'static str,
    what: &'static str,
    bytes: u64,
    files: u64,
}

/// What each push writes. A generation is some tens of KiB, and beside it lies the one that it is
/// staged in. What the services keep grows with the sites: a few KiB for each certificate.
const NEEDS: [Need; 3] = [
    Need {
        path: layout::ETC,
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
    Need {
        path: RUN,
        what: "systemd's units and sockets",
        bytes: MIB / 2,
        files: 32,
    },
];

/// Refuses a place that cannot be written to.
pub(super) fn is_writable(path: &str) -> Result<(), Failure> {
    if is_read_only(&file_system(path)?) {
        let Obstacle { problem, hint } = read_only(path);
        return Err(refused(problem).hint(hint));
    }
    Ok(())
}

/// What would keep systemd from starting a unit of ours.
pub(super) fn without_room_in_run() -> Option<Obstacle> {
    let need = NEEDS.iter().find(|need| need.path == RUN)?;
    obstacle(need, &file_system(RUN).ok()?)
}

/// What would keep any push from working, and from starting what it brought.
pub(super) fn obstacles() -> Result<Vec<Obstacle>, Failure> {
    let mut found = Found::default();
    for need in &NEEDS {
        found.add(need)?;
    }
    found.obstacles.extend(no_program_runs());
    Ok(found.obstacles)
}

/// What would keep any program that was brought from running.
pub(super) fn no_program_runs() -> Option<Obstacle> {
    let path = layout::PROGRAMS;
    let flags = file_system(path).ok()?.f_flag;
    flags
        .contains(StatVfsMountFlags::NOEXEC)
        .then(|| no_exec(path))
}

/// What would keep this push from working.
pub(super) fn obstacles_to(bundle: &Bundle) -> Result<Vec<Obstacle>, Failure> {
    let mut found = Found::default();
    for need in &NEEDS {
        found.add(need)?;
    }
    // These are written once, and may be read-only afterwards.
    for (folder, name) in [
        (layout::UNIT_DIR, layout::PROXY_SERVICE),
        (layout::SYSUSERS_DIR, "rediacc.conf"),
        ("/usr/local/bin", layout::RENET),
    ] {
        if Path::new(folder).join(name).symlink_metadata().is_err() {
            found.add(&Need {
                path: folder,
                what: "a link to what is pushed",
                bytes: 0,
                files: 0,
            })?;
        }
    }
    let bytes = upload_bytes(bundle);
    if bytes > 0 {
        found.add(&Need {
            path: layout::PROGRAMS,
            what: "the programs",
            bytes,
            files: 16,
        })?;
    }
    found.obstacles.extend(no_program_runs());
    Ok(found.obstacles)
}

/// What was found so far. A file system that is read-only is told once.
#[derive(Default)]
struct Found {
    obstacles: Vec<Obstacle>,
    read_only: BTreeSet<u64>,
}

impl Found {
    fn add(&mut self, need: &Need) -> Result<(), Failure> {
        let system = file_system(need.path)?;
        if !is_read_only(&system) || self.read_only.insert(system.f_fsid) {
            self.obstacles.extend(obstacle(need, &system));
        }
        Ok(())
    }
}

/// About how much a push has still to upload.
fn upload_bytes(bundle: &Bundle) -> u64 {
    let renet = if bundle.renet.exists() {
        0
    } else {
        // The program that is brought is the one that runs.
        std::fs::metadata("/proc/self/exe").map_or(0, |own| own.len())
    };
    let traefik = match &bundle.traefik {
        TraefikSource::Brought(path) if !path.exists() => TRAEFIK_BYTES,
        // A release is uploaded once it is known that the machine has none.
        TraefikSource::Brought(_) | TraefikSource::Release { .. } => 0,
    };
    renet + traefik
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

fn read_only(path: &str) -> Obstacle {
    Obstacle {
        problem: format!("{path} is on a read-only file system"),
        hint: format!(
            "`findmnt --target {path}` on the machine shows which, and `dmesg` whether its disk \
             failed: make it writable"
        ),
    }
}

fn no_exec(path: &str) -> Obstacle {
    Obstacle {
        problem: format!(
            "{path} is on a file system that is mounted noexec: no program can run there"
        ),
        hint: format!(
            "`mount -o remount,exec $(findmnt --noheadings --output TARGET --target {path})` on the \
             machine allows it until it boots again, and its line in /etc/fstab for good"
        ),
    }
}

fn obstacle(need: &Need, system: &StatVfs) -> Option<Obstacle> {
    let path = need.path;
    if is_read_only(system) {
        return Some(read_only(path));
    }
    let lack = lack(need, system)?;
    Some(Obstacle {
        problem: format!("there is no room for {} in {path}: {lack}", need.what),
        hint: format!("`df -h {path}` and `df -i {path}` on the machine show what is used"),
    })
}

/// What is not enough.
enum Lack {
    Bytes { needed: u64, free: u64 },
    Files { needed: u64, free: u64 },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / MIB as f64;
        match *self {
            Self::Bytes { needed, free } => {
                // Half a MiB must not read as none.
                let digits = usize::from(needed < MIB);
                let (needed, free) = (mib(needed), mib(free));
                write!(
                    f,
                    "it needs {needed:.digits$} MiB, and {free:.1} MiB are free"
                )
            }
            Self::Files { needed, free } => {
                write!(f, "it needs {needed} inodes, and {free} are free")
            }
        }
    }
}

/// What is not enough; none where it is.
fn lack(need: &Need, system: &StatVfs) -> Option<Lack> {
    // `f_bavail` is without what is kept for root: Traefik is not root.
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if free < need.bytes {
        return Some(Lack::Bytes {
            needed: need.bytes,
            free,
        });
    }
    // A file system that makes them on demand, as btrfs, tells none at all.
    let counts_files = system.f_files > 0;
    (counts_files && system.f_favail < need.files).then_some(Lack::Files {
        needed: need.files,
        free: system.f_favail,
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
        let (generation, run) = (&NEEDS[0], &NEEDS[2]);
        for (need, system, expected) in [
            (generation, system(MIB, 1000, 1000), None),
            (generation, system(1 << 40, 0, 0), None),
            (
                generation,
                system(MIB / 2, 1000, 1000),
                Some("it needs 1 MiB, and 0.5 MiB are free"),
            ),
            (
                generation,
                system(1 << 40, 1000, 3),
                Some("it needs 64 inodes, and 3 are free"),
            ),
            (
                run,
                system(0, 1000, 1000),
                Some("it needs 0.5 MiB, and 0.0 MiB are free"),
            ),
        ] {
            let found = lack(need, &system).map(|lack| lack.to_string());
            assert_eq!(found.as_deref(), expected);
        }
    }
}
