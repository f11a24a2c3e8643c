//! One program from its start to its end: how long it took, and how much memory it had.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a program's memory. What it has at its very end may be missed.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// Runs a program that has to succeed, and answers how long that took.
pub(crate) fn time(command: &mut Command) -> io::Result<Duration> {
    let mut said = said_to(command)?;
    let started = Instant::now();
    let status = command.status()?;
    let took = started.elapsed();
    succeeded(command, status, &mut said)?;
    Ok(took)
}

/// Runs a program that has to succeed, and answers the most memory that its own process had, in
/// MiB: not that of `ssh` or others that it starts.
pub(crate) fn peak_memory(command: &mut Command) -> io::Result<f64> {
    let mut said = said_to(command)?;
    let mut child = command.spawn()?;
    let mut peak = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak = memory_so_far(&child).unwrap_or(peak);
        thread::sleep(LOOK_INTERVAL);
    };
    succeeded(command, status, &mut said)?;
    Ok(peak)
}

/// Lets a program write to a file. A pipe would be held open by what it leaves in the background,
/// such as Ansible's connections.
fn said_to(command: &mut Command) -> io::Result<File> {
    let said = tempfile::tempfile()?;
    command
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?);
    Ok(said)
}

fn succeeded(command: &Command, status: ExitStatus, said: &mut File) -> io::Result<()> {
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    said.rewind()?;
    said.read_to_string(&mut text)?;
    let program = command.get_program().display();
    Err(io::Error::other(format!("{program}: {status}\n{text}")))
}

/// The most that a process had until now; nothing once it is gone.
fn memory_so_far(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}
