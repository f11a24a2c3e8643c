//! What can be known before anything is changed. Everything that is wrong is said at once: a
//! problem a line, and for each what to do.
//!
//! ```text
//! addresses ─► ports ─► binds        what Traefik will listen on
//! clock, disk, systemd               what a push and its services need
//! acme_storage                       what is mended and imported on the way
//! ```

mod acme_storage;
mod addresses;
mod clock;
mod findings;
mod holder;
mod ports;
mod way_in;

use std::collections::BTreeSet;
use std::fs;

use super::generation::Generation;
use super::plan::{self, Observed};
use super::{Ending, disk, failed, refused, systemd};
use crate::bundle::{Bind, Bundle, Failure, Obstacle, Step};
use crate::layout;

pub(super) use clock::Clock;

pub(super) use acme_storage::Mending;
use findings::Findings;

/// The first systemd that hands a service the token as a credential. An older one ignores the
/// setting, and Traefik would get no certificates.
const OLDEST_SYSTEMD: u32 = 247;

/// What the machine has to offer for what was declared.
#[derive(Debug)]
pub(super) struct Examined {
    /// What Traefik can listen on.
    pub(super) binds: BTreeSet<Bind>,
    /// What the operator should know although a push will work.
    pub(super) warnings: Vec<String>,
    /// What is done to Traefik's storage on the way.
    pub(super) mending: Mending,
}

impl Mending {
    /// The steps of a plan, with what it takes until Traefik knows that its storage was mended:
    /// it looks at it at its start only.
    pub(super) fn with_restart(&self, mut steps: Vec<Step>, observed: &Observed<'_>) -> Vec<Step> {
        let unit = layout::PROXY_SERVICE.to_owned();
        let restart = Step::Restart { unit };
        let is_running = is_active(observed, layout::PROXY_SERVICE);
        if self.is_empty() || !is_running || steps.contains(&restart) {
            return steps;
        }
        let is_probed = steps.last() == Some(&Step::Probe);
        steps.truncate(steps.len() - usize::from(is_probed));
        steps.extend([restart, Step::Probe]);
        steps
    }
}

/// Checks what it takes to look at anything at all: root, and systemd.
pub(super) fn machine() -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(refused("`renet infra` must run as root"));
    }
    if !systemd::is_running() {
        return Err(refused("this machine is not run by systemd")
            .hint("Traefik and the route server run as systemd units: use a machine that has it"));
    }
    Ok(())
}

/// Looks at Traefik's storage for a generation that is there already; the warnings are about what
/// will be mended.
pub(super) fn storage_of(generation: &Generation) -> Result<(Mending, Vec<String>), Failure> {
    if !generation.uses_acme() {
        return Ok((Mending::default(), Vec::new()));
    }
    let mut findings = Findings::default();
    let mending = acme_storage::examine(proxy_user()?, &mut findings)?;
    Ok((mending, findings.warnings_or_refusal()?))
}

/// Looks for everything that would make a push fail, and settles what Traefik will listen on. What
/// is wrong with the Traefik that was chosen is said along with it.
pub(super) fn examine(
    bundle: &Bundle,
    observed: &Observed<'_>,
    clock: Option<Clock>,
    traefik: Option<&Ending>,
) -> Result<Examined, Failure> {
    let infra = &bundle.infra;
    let mut findings = Findings::default();
    let user = proxy_user()?;
    let has_proxy = is_active(observed, layout::PROXY_SERVICE);
    // A Traefik that runs has everything that its generation names: it ends where one fails.
    let current = observed.current.filter(|_| has_proxy);
    let running = ports::Running {
        binds: current.map(Generation::binds).unwrap_or_default(),
        proxy: has_proxy,
        router: is_active(observed, layout::ROUTER_SOCKET),
        user: user.map(|user| user.uid),
    };
    let wanted = addresses::settle(infra, &mut findings);
    let binds = ports::examine(infra, wanted, &running, &mut findings)?;
    if observed.current.is_none() {
        systemd_version(&mut findings)?;
    }
    let uses_acme = infra.cert_email.is_some();
    if let Some(clock) = clock {
        clock.examine(uses_acme, &mut findings);
    }
    for Obstacle { problem, hint } in disk::obstacles_to(bundle)? {
        findings.problem(problem, hint);
    }
    let mending = if uses_acme {
        acme_storage::examine(user, &mut findings)?
    } else {
        Mending::default()
    };
    if let Some(Ending::Failed(failure)) = traefik {
        findings.failure(failure);
    }
    let warnings = findings.warnings_or_refusal()?;
    Ok(Examined {
        binds,
        warnings,
        mending,
    })
}

fn is_active(observed: &Observed<'_>, name: &str) -> bool {
    plan::UNITS
        .iter()
        .zip(&observed.units)
        .any(|(unit, state)| *unit == name && state.active)
}

/// Only asked before the first push: it starts a process, and a systemd does not grow older.
fn systemd_version(findings: &mut Findings) -> Result<(), Failure> {
    let version = systemd::version()?;
    if version < OLDEST_SYSTEMD {
        findings.problem(
            format!(
                "this machine's systemd is version {version}, and the units need \
                 {OLDEST_SYSTEMD} or later"
            ),
            "Debian 11, Ubuntu 22.04, RHEL 9 and what is newer have it",
        );
    }
    Ok(())
}

/// The user that Traefik runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProxyUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The user that Traefik runs as; none before the first push.
pub(super) fn proxy_user() -> Result<Option<ProxyUser>, Failure> {
    const PASSWD: &str = "/etc/passwd";
    let text = fs::read_to_string(PASSWD)
        .map_err(|error| failed(format!("cannot read {PASSWD}: {error}")))?;
    Ok(text.lines().find_map(|line| {
        let words: Vec<&str> = line.split(':').collect();
        (*words.first()? == layout::PROXY_USER).then_some(())?;
        Some(ProxyUser {
            uid: words.get(2)?.parse().ok()?,
            gid: words.get(3)?.parse().ok()?,
        })
    }))
}
