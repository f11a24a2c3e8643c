//! The machine's systemd, by its own command: units' states, starts and restarts, the journal.

use std::path::Path;
use std::process::Command;

use super::failed;
use crate::bundle::Failure;

/// What systemd says of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    /// It runs, or, for a socket, listens.
    pub(super) active: bool,
    /// It starts at boot.
    pub(super) enabled: bool,
}

/// Whether this machine is run by systemd.
pub(super) fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The states of units, in their order; one that does not exist is neither active nor enabled.
pub(super) fn states<const N: usize>(units: [&str; N]) -> Result<[UnitState; N], Failure> {
    let mut show = Command::new("systemctl");
    show.args(["show", "--property=ActiveState,UnitFileState", "--"])
        .args(units);
    let text = output(&mut show)?;
    // One paragraph a unit, in the order of the question.
    let mut paragraphs = text.split("\n\n");
    Ok(units.map(|_| {
        let lines = paragraphs.next().unwrap_or_default();
        UnitState {
            active: lines.lines().any(|line| line == "ActiveState=active"),
            enabled: lines.lines().any(|line| line == "UnitFileState=enabled"),
        }
    }))
}

/// Runs `systemctl` with a verb and its words.
pub(super) fn systemctl(words: &[&str]) -> Result<(), Failure> {
    output(Command::new("systemctl").arg("--quiet").args(words)).map(drop)
}

/// Makes the users that `/etc/sysusers.d` declares.
pub(super) fn make_users(conf: &Path) -> Result<(), Failure> {
    output(Command::new("systemd-sysusers").arg(conf)).map(drop)
}

/// The last lines that a unit logged.
pub(super) fn journal(unit: &str) -> Vec<String> {
    let mut command = Command::new("journalctl");
    command.args(["--unit", unit, "--lines=20", "--no-pager", "--output=cat"]);
    // The journal illustrates a failure: where it cannot be read, the failure stands alone.
    output(&mut command)
        .map(|text| text.lines().map(str::to_owned).collect())
        .unwrap_or_default()
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| failed(format!("cannot run {name}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!(
        "`{name} {}` failed: {}",
        words.join(" "),
        reason.trim()
    )))
}
