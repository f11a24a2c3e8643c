//! Runs programs of the system to their end. What they print on standard error becomes the message of
//! the failure.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::bundle::Failure;
use crate::machine::failed;

/// Runs a program, and returns its standard output. Fails unless it exits with 0.
pub(super) fn run<W: AsRef<OsStr>>(
    program: &str,
    words: impl IntoIterator<Item = W>,
) -> Result<String, Failure> {
    let output = Command::new(program)
        .args(words)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("cannot run {program}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(match said.trim() {
        "" => format!("{program} failed: {}", output.status),
        said => format!("{program} failed: {said}"),
    }))
}
