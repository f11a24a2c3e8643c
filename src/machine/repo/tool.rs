//! Runs programs of the system to their end. What they print on standard error becomes the message of
//! the failure.

use std::ffi::OsStr;
use std::process::Command;

use crate::bundle::Failure;
use crate::machine::failed;

/// Runs a program, and returns its standard output. Fails unless it exits with 0.
pub(super) fn run<W: AsRef<OsStr>>(
    program: &str,
    words: impl IntoIterator<Item = W>,
) -> Result<String, Failure> {
    output(program, Command::new(program).args(words))
}

/// Runs the docker client against a daemon, for at most some seconds, because a daemon may hang.
pub(super) fn docker(
    socket: &std::path::Path,
    seconds: u32,
    words: &[&str],
) -> Result<String, Failure> {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=2s", &format!("{seconds}s"), "docker"])
        .arg("--host")
        .arg(format!("unix://{}", socket.display()))
        .args(words);
    output("docker", &mut command)
}

fn output(program: &str, command: &mut Command) -> Result<String, Failure> {
    let output = command
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| failed(format!("cannot run {program}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    Err(failed(match (said.is_empty(), output.status.code()) {
        // The exit codes of `timeout` for a program that it ended.
        (_, Some(124 | 137)) => format!("{program} does not answer in time"),
        (true, _) => format!("{program} failed: {}", output.status),
        (false, _) => format!("{program} failed: {said}"),
    }))
}
