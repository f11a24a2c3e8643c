//! Ends the processes of a repository: all in the cgroup of its slice, so that none is missed, whoever
//! started it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::units;
use crate::bundle::Failure;
use crate::machine::failed;
use crate::network::NetworkId;

/// How long a killed process may take to end: it may be waiting for a disk.
const DEATH: Duration = Duration::from_secs(10);

/// Ends the containers: the first process of each gets the container's stop signal, and what is left
/// after a while is killed.
pub(super) fn end_containers(
    id: NetworkId,
    grace_seconds: u32,
    stop_signal: impl Fn(&str) -> Signal,
) -> Result<(), Failure> {
    let Some(slice) = slice(id) else {
        return Ok(());
    };
    let scopes = scopes(&slice);
    let mut asked = Vec::new();
    for (container, scope) in &scopes {
        let first = processes(scope).into_iter().filter(|pid| is_first(*pid));
        for pid in first {
            asked.extend(send(pid, stop_signal(container))?);
        }
    }
    await_end(&asked, Duration::from_secs(grace_seconds.into()))?;
    kill(|| scopes.values().flat_map(|scope| processes(scope)).collect())
}

/// The signal of a name, as images and Compose files write it.
pub(super) fn signal_named(name: &str) -> Option<Signal> {
    let name = name.strip_prefix("SIG").unwrap_or(name);
    Some(match name {
        "TERM" | "15" => Signal::TERM,
        "INT" | "2" => Signal::INT,
        "QUIT" | "3" => Signal::QUIT,
        "HUP" | "1" => Signal::HUP,
        "KILL" | "9" => Signal::KILL,
        "USR1" | "10" => Signal::USR1,
        "USR2" | "12" => Signal::USR2,
        "WINCH" | "28" => Signal::WINCH,
        _ => return None,
    })
}

/// Kills whatever is left in the slice.
pub(super) fn end_all(id: NetworkId) -> Result<(), Failure> {
    match slice(id) {
        None => Ok(()),
        Some(slice) => kill(|| processes(&slice)),
    }
}

/// Kills until nothing is left: a process may start another one meanwhile.
fn kill(left: impl Fn() -> Vec<Pid>) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let pids = left();
        let Some(pid) = pids.first() else {
            return Ok(());
        };
        if begin.elapsed() > DEATH {
            return Err(failed(format!(
                "cannot end process {} of the repository",
                pid.as_raw_nonzero()
            ))
            .hint(
                "`dmesg` on the machine may show what it waits for; then run the same command again",
            ));
        }
        let mut killed = Vec::new();
        for pid in pids {
            killed.extend(send(pid, Signal::KILL)?);
        }
        await_end(&killed, DEATH)?;
    }
}

/// Sends a signal to a process. Returns its pidfd, which stays valid even if the process id is reused;
/// none if it has ended.
fn send(pid: Pid, signal: Signal) -> Result<Option<OwnedFd>, Failure> {
    let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|process| {
        pidfd_send_signal(&process, signal)?;
        Ok(process)
    });
    match sent {
        Ok(process) => Ok(Some(process)),
        Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(cannot(error)),
    }
}

/// Waits until processes have ended, or the time is up.
fn await_end(processes: &[OwnedFd], patience: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    for process in processes {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(process, PollFlags::IN)], left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(cannot(error)),
        }
    }
    Ok(())
}

fn cannot(error: Errno) -> Failure {
    failed(format!("cannot end a process: {}", io::Error::from(error)))
}

/// The cgroup of a repository's slice, in the hierarchy of systemd; none if it does not exist.
fn slice(id: NetworkId) -> Option<PathBuf> {
    let slice = Path::new("rediacc.slice").join(units::slice(id));
    // cgroup v2, the hybrid hierarchy, and v1.
    ["", "unified", "systemd"]
        .map(|hierarchy| Path::new("/sys/fs/cgroup").join(hierarchy).join(&slice))
        .into_iter()
        .find(|path| path.is_dir())
}

/// The cgroups of the containers in a slice, by container id.
fn scopes(slice: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(slice).into_iter().flatten().flatten();
    let container = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let id = name.strip_prefix("docker-")?.strip_suffix(".scope")?;
        Some((id.to_owned(), path))
    };
    entries
        .filter_map(|entry| container(entry.path()))
        .collect()
}

/// All processes in a cgroup, and in those below.
fn processes(cgroup: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let own = text
        .lines()
        .filter_map(|line| line.parse().ok().and_then(Pid::from_raw));
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let below = folders.flat_map(|entry| processes(&entry.path()));
    own.chain(below).collect()
}

/// Whether a process is the first one of a container.
fn is_first(pid: Pid) -> bool {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    fs::read_to_string(path).is_ok_and(|status| is_first_in(&status))
}

/// Whether the last id in `NSpid`, the one in its own namespace, is 1. Source: proc_pid_status(5).
fn is_first_in(status: &str) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.and_then(|numbers| numbers.split_whitespace().last()) == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_of_a_container_is_its_number_one() {
        for (status, expected) in [
            ("Name:\thttpd\nNSpid:\t4711\t1\nNSsid:\t1\n", true),
            ("Name:\thttpd\nNSpid:\t4711\t17\n", false),
            ("Name:\tsystemd\nNSpid:\t11\n", false),
            ("Name:\thttpd\n", false),
        ] {
            assert_eq!(is_first_in(status), expected, "{status}");
        }
    }
}
