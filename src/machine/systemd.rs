//! The machine's systemd, by its own command: units' states, starts and restarts, the journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{disk, failed, refused};
use crate::bundle::{Failure, Obstacle};

/// What systemd says of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    /// It runs, or, for a socket, listens.
    pub(super) active: bool,
    /// Which start of it this is; another one after each restart, whoever asked for it.
    pub(super) invocation: String,
}

/// Whether this machine is run by systemd.
pub(super) fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Its version, as 252.
pub(super) fn version() -> Result<u32, Failure> {
    let text = output(Command::new("systemctl").arg("--version"))?;
    version_in(&text).ok_or_else(|| failed("cannot tell the version of this machine's systemd"))
}

/// The version in what `systemctl --version` says: `systemd 252 (252.38-1~deb12u1)`.
fn version_in(text: &str) -> Option<u32> {
    let word = text.split_whitespace().nth(1)?;
    let digits = word.find(|c: char| !c.is_ascii_digit());
    word[..digits.unwrap_or(word.len())].parse().ok()
}

/// The states of units, in their order; one that does not exist is not active.
pub(super) fn states<const N: usize>(units: [&str; N]) -> Result<[UnitState; N], Failure> {
    let mut shown = show(&units, &["ActiveState", "InvocationID"])?.into_iter();
    Ok(units.map(|_| {
        let mut properties = shown.next().unwrap_or_default();
        UnitState {
            active: properties
                .get("ActiveState")
                .is_some_and(|state| state == "active"),
            invocation: properties.remove("InvocationID").unwrap_or_default(),
        }
    }))
}

/// Some properties of units, in the units' order; moments are in UTC.
pub(super) fn show(
    units: &[&str],
    properties: &[&str],
) -> Result<Vec<BTreeMap<String, String>>, Failure> {
    let mut show = Command::new("systemctl");
    show.env("TZ", "UTC")
        .env("LC_ALL", "C")
        .arg("show")
        .arg(format!("--property={}", properties.join(",")))
        .arg("--")
        .args(units);
    let text = output(&mut show)?;
    // One paragraph a unit, in the order of the question.
    let mut paragraphs = text.split("\n\n");
    let shown = |_: &&str| {
        let lines = paragraphs.next().unwrap_or_default().lines();
        lines
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    };
    Ok(units.iter().map(shown).collect())
}

/// Runs a program apart from us: systemd starts it, and it outlives us.
pub(super) fn run_apart(unit: &str, program: &Path, words: &[&str]) -> Result<(), Failure> {
    let mut run = Command::new("systemd-run");
    run.args(["--quiet", "--collect", "--no-block", "--unit", unit])
        .arg(program)
        .args(words);
    output(&mut run).map(drop).map_err(|failure| {
        // systemd says that there is no such unit where it could not write it.
        match disk::without_room_in_run() {
            Some(Obstacle { problem, hint }) => {
                refused(format!("systemd cannot start {unit}: {problem}")).hint(hint)
            }
            None => failure,
        }
    })
}

/// Runs `systemctl` with a verb and its words.
pub(super) fn systemctl(words: &[&str]) -> Result<(), Failure> {
    output(Command::new("systemctl").arg("--quiet").args(words)).map(drop)
}

/// Has systemd start or restart a unit; the end of its journal tells why it did not come up.
pub(super) fn start(verb: &str, unit: &str) -> Result<(), Failure> {
    systemctl(&[verb, unit]).map_err(|_| {
        let mut failure = failed(format!("{unit} did not come up")).hint(format!(
            "`systemctl status {unit}` on the machine shows more"
        ));
        failure.journal = journal(unit);
        failure
    })
}

/// What systemd says of one property of a unit.
pub(super) fn property(unit: &str, name: &str) -> Result<String, Failure> {
    let shown = show(&[unit], &[name])?;
    let value = shown
        .into_iter()
        .find_map(|mut properties| properties.remove(name));
    Ok(value.unwrap_or_default())
}

/// Has systemd stop a unit after a time, whatever becomes of this process.
pub(super) fn stop_after(unit: &str, delay: Duration) -> Result<(), Failure> {
    let mut run = Command::new("systemd-run");
    run.args(["--quiet", "--collect", "--unit", &stopper(unit)])
        .args(["--on-active", &format!("{}s", delay.as_secs())])
        .args(["--timer-property=AccuracySec=100ms"])
        .args(["systemctl", "stop", unit]);
    output(&mut run).map(drop)
}

/// Stops a unit now, if it runs, and not once more later.
pub(super) fn stop_now(unit: &str) -> Result<(), Failure> {
    // A pattern stands for the units that there are: it is no error that there is no timer.
    systemctl(&["stop", &format!("{}.tim[e]r", stopper(unit)), unit])?;
    // How it ended is told by whoever stops it; one that had not failed is no error here.
    let _ = systemctl(&["reset-failed", unit]);
    Ok(())
}

/// What stops a unit later.
fn stopper(unit: &str) -> String {
    format!("{}-end", unit.trim_end_matches(".service"))
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

/// What one run of a unit logged, the latest line first; empty where that cannot be told.
pub(super) fn journal_of_run(unit: &str, invocation: &str, lines: usize) -> String {
    let mut command = Command::new("journalctl");
    command
        .args(["--no-pager", "--output=cat", "--reverse"])
        .args(["--unit", unit, &format!("--lines={lines}")])
        .arg(format!("_SYSTEMD_INVOCATION_ID={invocation}"));
    output(&mut command).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_first_number() {
        for (text, expected) in [
            ("systemd 252 (252.38-1~deb12u1)\n+PAM +AUDIT", Some(252)),
            ("systemd 245 (245.4-4ubuntu3.24)\n", Some(245)),
            ("systemd 256.7 (256.7-1-arch)\n", Some(256)),
            ("systemd 257~rc2 (257~rc2-3)\n", Some(257)),
            ("systemd", None),
            ("", None),
        ] {
            assert_eq!(version_in(text), expected, "{text}");
        }
    }
}
