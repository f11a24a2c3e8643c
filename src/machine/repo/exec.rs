//! `renet repo exec`: runs a command in a service's container. It executes `docker exec` in its own
//! place, so that streams, signals, exit code and terminal are the command's own.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::process::{ExitCode, Stdio};

use clap::Args;
use serde_json::json;

use super::{docker, find, services};
use crate::bundle::Failure;
use crate::machine::{failed, refused};
use crate::repository::RepositoryName;

/// The options of `renet repo exec`.
#[derive(Debug, Args)]
pub(super) struct Exec {
    /// The repository
    name: RepositoryName,
    /// The service, or a replica such as `web.2`
    service: String,
    /// Print one JSON object with the output and the exit code of the command
    #[arg(long)]
    json: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Exec {
    /// Executes the command in place of this process; returns only if that fails.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Self {
            name,
            service,
            json,
            command,
        } = self;
        let entry = find(&name)?;
        let chosen = services::chosen(&name, &entry, Some(&service))?;
        let mut running = chosen.iter().filter(|(_, it)| it.state.status == "running");
        let Some((_, container)) = running.next() else {
            return Err(refused(format!(
                "service `{service}` of repository `{name}` is not running"
            ))
            .hint(format!(
                "`rdc repo logs {name} {service} -m MACHINE` may show why"
            )));
        };
        let mut docker = docker::command(entry.network_id);
        docker.args(["exec", "--interactive"]);
        if !json && io::stdin().is_terminal() && io::stdout().is_terminal() {
            docker.arg("--tty");
        }
        docker.arg(&container.id).args(command);
        let cannot = |error| failed(format!("cannot run docker: {error}"));
        if !json {
            return Err(cannot(docker.exec()));
        }
        let output = docker.stdin(Stdio::inherit()).output().map_err(cannot)?;
        // A docker that a signal ended has no exit code. For the command, docker returns 128 plus the signal.
        let code = output.status.code().unwrap_or(1);
        let answer = json!({
            "repository": name,
            "service": service,
            "exit_code": code,
            "stdout": String::from_utf8_lossy(&output.stdout),
            "stderr": String::from_utf8_lossy(&output.stderr),
        });
        crate::stdout::write(&format!("{answer}\n")).map_err(cannot)?;
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
    }
}
