//! The transient systemd unit of a run: a control group that outlives its starter and ends as a whole.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::place::{CANCELLED_END, Place};
use crate::bundle::Failure;
use crate::machine::repo::{children, own_program};
use crate::machine::{failed, systemd};
use crate::network::NetworkId;
use crate::repository::RepositoryName;

/// How long systemd may take to start a unit.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the processes of a run may take to end after SIGTERM, in seconds.
const GRACE_S: u64 = 10;

fn name(id: NetworkId) -> String {
    format!("rediacc-run-{id}.service")
}

/// Starts a run, whose standard output is appended to a file.
pub(super) fn start(
    id: NetworkId,
    repository: &RepositoryName,
    words: &[String],
    said: &Path,
) -> Result<(), Failure> {
    let renet = own_program()?;
    let mut run = Command::new("systemd-run");
    run.args(["--quiet", "--service-type=exec"])
        .arg(format!("--unit={}", name(id)))
        .arg(format!(
            "--description=Rediacc: a run of repository {repository}"
        ))
        .arg(format!(
            "--property=StandardOutput=append:{}",
            said.display()
        ))
        .arg("--property=StandardError=journal")
        // All its processes get SIGTERM, then SIGKILL: none outlives the run.
        .arg("--property=KillMode=control-group")
        .arg(format!("--property=TimeoutStopSec={GRACE_S}"))
        // If memory runs out, one program fails, and the run reports which.
        .arg("--property=OOMPolicy=continue")
        .arg("--")
        .arg(renet)
        .args(["repo", "run"])
        .args(words);
    let started = children::output(&mut run, PATIENCE)?;
    if started.is_success {
        return Ok(());
    }
    Err(failed(format!(
        "systemd cannot start {}: {}",
        name(id),
        started.complaint()
    )))
}

/// Whether the unit is running or starting.
pub(super) fn is_under_way(id: NetworkId) -> Result<bool, Failure> {
    let state = systemd::property(&name(id), "ActiveState")?;
    match state.as_str() {
        "active" | "activating" | "reloading" => Ok(true),
        "deactivating" => {
            stop(id)?;
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Whether the unit exists; it does while it is ending.
pub(super) fn is_there(id: NetworkId) -> Result<bool, Failure> {
    let state = systemd::property(&name(id), "ActiveState")?;
    Ok(!matches!(state.as_str(), "inactive" | "failed" | ""))
}

/// Whether the program of the run itself runs.
pub(super) fn has_main_process(id: NetworkId) -> Result<bool, Failure> {
    let pid = systemd::property(&name(id), "MainPID")?;
    Ok(!matches!(pid.as_str(), "" | "0"))
}

/// Stops the unit, and waits until all its processes have ended.
pub(super) fn stop(id: NetworkId) -> Result<(), Failure> {
    match systemd::systemctl(&["stop", &name(id)]) {
        // It may have just ended by itself, and then no longer exists.
        Err(failure) if is_there(id)? => Err(failure),
        _ => Ok(()),
    }
}

/// Resets a failed unit: systemd would refuse a new one of the same name.
pub(super) fn forget(id: NetworkId) -> Result<(), Failure> {
    if systemd::property(&name(id), "ActiveState")? == "failed" {
        systemd::systemctl(&["reset-failed", &name(id)])?;
    }
    Ok(())
}

/// How a run ended that left no last message.
pub(super) fn end(id: NetworkId, place: &Place) -> Result<String, Failure> {
    if place.is_cancelled() {
        return Ok(CANCELLED_END.to_owned());
    }
    let shown = systemd::show(&[&name(id)], &["Result", "ExecMainStatus"])?;
    let properties = shown.into_iter().next().unwrap_or_default();
    let property = |name: &str| properties.get(name).map_or("", String::as_str);
    Ok(match property("Result") {
        "oom-kill" => "the kernel killed it because memory ran out".to_owned(),
        "signal" | "core-dump" => {
            format!("it was killed by signal {}", property("ExecMainStatus"))
        }
        "exit-code" => format!("it ended with exit code {}", property("ExecMainStatus")),
        // A unit that was stopped no longer exists.
        _ => "it was stopped by systemd".to_owned(),
    })
}

/// The last lines of the unit's journal.
pub(super) fn journal(id: NetworkId) -> Vec<String> {
    systemd::journal(&name(id))
}
