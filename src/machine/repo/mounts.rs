//! Lists and removes mounts, and names the processes that keep a mount busy. Source of the format:
//! proc_pid_mountinfo(5).

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::tool;
use crate::bundle::Failure;
use crate::machine::failed;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) path: PathBuf,
    /// What is mounted, such as `/dev/loop0`.
    pub(super) source: PathBuf,
}

/// The mount at a path; the topmost one if there are several.
pub(super) fn at(path: &Path) -> Result<Option<Mount>, Failure> {
    Ok(all()?.into_iter().rfind(|mount| mount.path == path))
}

/// The mounts below a path, but not at it: the latest first, in which order they can be unmounted.
pub(super) fn below(path: &Path) -> Result<Vec<Mount>, Failure> {
    let mut found = all()?;
    found.retain(|mount| mount.path != path && mount.path.starts_with(path));
    found.reverse();
    Ok(found)
}

/// Unmounts everything below a path.
pub(super) fn clear_below(path: &Path) -> Result<(), Failure> {
    for mount in below(path)? {
        unmount(&mount.path)?;
    }
    Ok(())
}

fn unmount(path: &Path) -> Result<(), Failure> {
    tool::run("umount", [Path::new("--"), path])
        .map(drop)
        .map_err(|failure| busy(path, &failure.message))
}

/// The failure to unmount a path, with the processes that use it, if they can be found.
pub(super) fn busy(path: &Path, reason: &str) -> Failure {
    let holders = holders(path);
    let message = format!("cannot unmount {}: {reason}", path.display());
    if holders.is_empty() {
        return failed(message).hint(format!(
            "`findmnt --submounts {}` on the machine shows what is mounted there",
            path.display()
        ));
    }
    failed(format!("{message}; it is used by {}", holders.join(", ")))
        .hint("stop what uses it, then run the same command again")
}

/// The processes with an open file or their working directory below a path.
fn holders(path: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = Vec::new();
    for process in processes {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let folder = process.path();
        let links = ["cwd", "root", "exe"].map(|link| folder.join(link));
        let open = fs::read_dir(folder.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|fd| fd.path());
        let holds = |link: PathBuf| fs::read_link(link).is_ok_and(|at| at.starts_with(path));
        if links.into_iter().chain(open).any(holds) {
            let command = fs::read_to_string(folder.join("comm")).unwrap_or_default();
            found.push(format!("{} (process {pid})", command.trim()));
        }
    }
    found
}

fn all() -> Result<Vec<Mount>, Failure> {
    let text = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| failed(format!("cannot read the list of mounts: {error}")))?;
    Ok(text.lines().filter_map(mount_in).collect())
}

/// The mount that a line of `mountinfo` describes.
fn mount_in(line: &str) -> Option<Mount> {
    let path = line.split(' ').nth(4)?;
    // After the dash come type, source and options; before it, the number of fields varies.
    let (_, rest) = line.split_once(" - ")?;
    let source = rest.split(' ').nth(1)?;
    Some(Mount {
        path: unescape(path),
        source: unescape(source),
    })
}

/// Decodes the octal escapes of the kernel, such as `\040` for a space.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let byte = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_has_a_place_and_a_source() {
        for (line, expected) in [
            (
                "36 35 7:0 / /mnt/app rw,noatime shared:1 - ext4 /dev/loop0 rw",
                Some(("/mnt/app", "/dev/loop0")),
            ),
            (
                "36 35 0:4 net:[402] /run/a\\040b rw - nsfs nsfs rw",
                Some(("/run/a b", "nsfs")),
            ),
            ("36 35 7:0 / /mnt/app rw", None),
            ("", None),
        ] {
            let expected = expected.map(|(path, source)| Mount {
                path: path.into(),
                source: source.into(),
            });
            assert_eq!(mount_in(line), expected, "{line}");
        }
    }
}
