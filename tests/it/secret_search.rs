//! Searches a machine and a workstation for a secret: it may lie in files for their owner alone,
//! and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::test_machine::TestMachine;
use crate::workstation::Workstation;

/// Where files of a machine may come to hold a secret, core dumps included.
const PLACES: &str = "/etc /usr/lib/rediacc /usr/local /var/lib /var/tmp /var/log /var/spool /run \
                      /dev/shm /tmp /root /home";

/// Searches a machine's files, processes and journal.
pub(crate) fn on_machine(secret: &str, machine: &TestMachine) {
    let found = files(secret, machine);
    assert!(
        found
            .iter()
            .any(|(_, path)| path.ends_with("/cf-dns-token")),
        "the search finds nothing: {found:?}"
    );
    let open: Vec<_> = found.iter().filter(|(access, _)| is_open(access)).collect();
    assert!(open.is_empty(), "others can read the secret: {open:?}");
    for what in [
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null",
        "journalctl --no-pager --output=export",
    ] {
        // On standard input, or the search would find itself.
        let count = format!("exec 3<&0; {what} | grep -caF -f /dev/fd/3 || true");
        let count = machine.run_with_input(&["sh", "-c", &count], secret);
        assert_eq!(count.trim(), "0", "the secret is in: {what}");
    }
}

/// Whether others than root and the owner may read a file with this mode and group. Where systemd
/// lets one user in by an access list, the mode's group bits are that list's, and the group is root.
fn is_open(access: &str) -> bool {
    let (mode, group) = access.split_once(' ').expect("a mode and a group");
    let mode = u32::from_str_radix(mode, 8).expect("an octal number");
    mode & 0o007 != 0 || (mode & 0o070 != 0 && group != "root")
}

/// The files of a machine that hold a secret, with their modes and groups.
pub(crate) fn files(secret: &str, machine: &TestMachine) -> Vec<(String, String)> {
    let script = format!("grep -rlZaF -f - {PLACES} 2>/dev/null | xargs -0r stat -c '%a %G\t%n'");
    let found = machine.run_with_input(&["sh", "-c", &script], secret);
    let pair = |line: &str| {
        let (access, path) = line.split_once('\t')?;
        Some((access.to_owned(), path.to_owned()))
    };
    found.lines().filter_map(pair).collect()
}

/// Searches a workstation's files, and what its `ssh` was started with.
pub(crate) fn on_workstation(secret: &str, workstation: &Workstation) {
    let ssh = workstation.ssh_arguments();
    assert!(
        !ssh.is_empty() && !ssh.contains(secret),
        "the secret is in an argument of ssh"
    );
    for file in files_below(&workstation.path("")) {
        let text = fs::read(&file).expect("a readable file");
        if holds(&text, secret) {
            let mode = fs::metadata(&file).expect("its mode").permissions().mode();
            let file = file.display();
            assert_eq!(mode & 0o077, 0, "others can read the secret in {file}");
        }
    }
}

/// Whether bytes hold a secret.
pub(crate) fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}
