//! Has the new Traefik read its new static configuration before anything is swapped.

use std::path::Path;
use std::process::Command;

use super::generation::Generation;
use super::{disk, refused};
use crate::bundle::{Failure, Obstacle};
use crate::layout;

/// Has the Traefik that will run it parse the configuration of a generation that is not live, in
/// its folder: the health check does so, strictly, and opens no port. It says in text, not by its
/// exit code, what it thought.
pub(super) fn check(generation: &Generation, folder: &Path) -> Result<(), Failure> {
    let traefik = generation
        .link(layout::TRAEFIK)
        .unwrap_or(Path::new(layout::TRAEFIK));
    let config = folder.join(layout::TRAEFIK_YML);
    let output = Command::new(traefik)
        .arg("healthcheck")
        .arg(format!("--configFile={}", config.display()))
        .env_clear()
        .output()
        .map_err(|error| match disk::no_program_runs() {
            Some(Obstacle { problem, hint }) => refused(problem).hint(hint),
            None => refused(format!("cannot run {}: {error}", traefik.display())),
        })?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let was_read = output.status.success()
        || [
            "OK: ",
            "Error calling healthcheck",
            "Bad healthcheck status",
        ]
        .iter()
        .any(|start| stdout.starts_with(start));
    if was_read {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let reason = stderr
        .lines()
        .chain(stdout.lines())
        .rfind(|line| !line.is_empty());
    Err(refused(format!(
        "{} refuses the new {}: {}",
        traefik.display(),
        layout::TRAEFIK_YML,
        reason.unwrap_or("it says nothing")
    ))
    .hint("nothing was changed; rdc's templates are for Traefik 3.7.12 and later"))
}
