//! `renet route-server explain`: what a container gives, which label made which part, and why
//! something is missing; or who answers a host. All of it from the running server's endpoints.

mod ask;
mod container;
mod host;
mod parts;
mod prose;
mod seen;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

pub(super) use self::ask::Server;
use self::container::ContainerAnswer;
use self::host::HostAnswer;
use self::seen::Seen;
use crate::printable::printable;
use crate::{layout, stdout};

/// The arguments of `renet route-server explain`.
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// A container or service by its name, or a host name as it stands in a browser
    #[arg(value_name = "CONTAINER|HOST")]
    pub subject: String,

    /// The running route server
    #[arg(long, value_name = "URL", default_value_t = format!("http://{}", layout::ROUTE_SERVER))]
    pub url: String,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What there is to say of a name.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Explanation {
    /// The containers of this name, or those behind the host.
    containers: Vec<ContainerAnswer>,
    /// Who answers, where a host was asked for.
    host: Option<HostAnswer>,
}

/// Runs the command. Of what nothing is known, the error names the next command.
pub fn run(explain: &Explain) -> anyhow::Result<()> {
    let Explain { subject, url, json } = explain;
    let server: Server = url.parse()?;
    // It is repeated in what is said, and may come from wherever it was copied.
    let subject = &*printable(subject);
    let seen = seen::look(&server, subject)?;
    let Some(explanation) = explanation(subject, &seen) else {
        bail!("{}", unknown(subject, &seen));
    };
    let text = if *json {
        serde_json::to_string_pretty(&explanation)? + "\n"
    } else {
        prose::text(&explanation)
    };
    stdout::write(&text)?;
    Ok(())
}

/// A container's name comes first: hosts have dots, and names seldom do.
fn explanation(subject: &str, seen: &Seen) -> Option<Explanation> {
    let containers = container::answers(&seen.containers, seen);
    let host = match containers.is_empty() {
        true => host::answer(&host::name(subject), seen),
        false => None,
    };
    if containers.is_empty() && host.is_none() {
        return None;
    }
    Some(Explanation { containers, host })
}

fn unknown(subject: &str, seen: &Seen) -> String {
    let silent: Vec<_> = seen.health.silent().collect();
    let mut text = if subject.contains('.') {
        format!("no router answers `{subject}`, and no container is called so")
    } else {
        format!("no daemon has a container or service `{subject}`")
    };
    for daemon in &silent {
        text += &format!("; {}", daemon.silence());
    }
    let hint = match (silent.first(), host::nearest(subject, seen)) {
        (Some(daemon), _) => format!(
            "run `docker --host unix://{} ps` to see whether the daemon answers",
            daemon.socket
        ),
        (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (None, None) => format!(
            "run `curl -s {}/containers.json` to see all that are known",
            seen.url
        ),
    };
    format!("{text}\nhint: {hint}")
}

#[cfg(test)]
mod tests;
