//! A push: what is on the machine becomes what the bundle says.

use std::path::Path;
use std::time::Duration;

use super::generation::{self, Generation, Live};
use super::plan::{self, Observed};
use super::transaction::{self, Tell, Transaction};
use super::workstation::Workstation;
use super::{
    Ending, check, diff, drops, failed, files, firewall, grants, https, observe, preflight,
    refused, token, traefik_program,
};
use crate::bundle::{Bundle, Diff, Failure, Message, Report, Step};
use crate::layout;
use crate::render::render;

/// How a push shall be done.
#[derive(Debug)]
pub(super) struct Options {
    /// Report what would be done, and do nothing.
    pub(super) dry_run: bool,
    /// Report how the files change.
    pub(super) diff: bool,
    /// The digest of the plan that the operator saw: another one is refused.
    pub(super) approved: Option<String>,
    /// Whether files that somebody edited on the machine may be overwritten.
    pub(super) overwrite: bool,
    /// How long to wait for somebody else's push.
    pub(super) lock_wait: Duration,
}

/// Brings the machine to the bundle, telling each step before it is done. The secrets are asked for
/// as late as can be: they are on their way while the machine is looked at.
pub(super) fn apply(
    bundle: &Bundle,
    workstation: Workstation,
    options: &Options,
    tell: Tell<'_>,
) -> Result<Report, Ending> {
    let clock = bundle.sent_at.and_then(preflight::Clock::beside);
    preflight::machine()?;
    let _lock = transaction::lock(options.dry_run, options.lock_wait, tell)?;
    let live = generation::live()?;
    let current = live.as_ref().map(|live| &live.generation);
    let observed = observe::observe(live.as_ref())?;
    let traefik = traefik_program::choose(&bundle.traefik, current, options.dry_run);
    let examined = preflight::examine(bundle, &observed, clock, traefik.as_ref().err())?;
    let traefik = match traefik {
        Err(Ending::Lacking(lacking)) if options.dry_run => {
            let path = traefik_program::release_path(&lacking.traefik);
            tell(&Message::Lacking(lacking));
            path
        }
        traefik => traefik?,
    };
    let secrets = workstation.secrets()?;
    let token = secrets.cf_dns_token.as_ref();
    let files = render(&bundle.infra, &examined.binds, token.is_some())
        .map_err(|error| failed(error.to_string()))?;
    let wanted = Generation::of(files, token, &examined.binds, &bundle.renet, &traefik)?;

    let next = generation::next_number()?;
    let mut report = Report {
        generation: live.as_ref().map(|live| live.number),
        steps: examined
            .mending
            .with_restart(plan::plan(&wanted, &observed, next), &observed),
        drift: observe::drift(live.as_ref(), &observed, &wanted),
        warnings: examined.warnings.clone(),
        ..Report::default()
    };
    report.warnings.extend(observe::warnings(&observed));
    if let Some(live) = current.filter(|_| plan::leaves_traefik_alone(&report.steps, &observed)) {
        report.warnings.extend(https::warning(live));
    }
    report.warnings.extend(firewall::warnings(&examined.binds));
    if report.steps.is_empty() {
        return Ok(report);
    }
    let diffs = compare(&mut report, &wanted, &observed)?;
    if options.diff {
        report.diffs = diffs;
    }
    if options.dry_run {
        return Ok(report);
    }

    may_change(options, &report)?;
    examined.mending.carry_out()?;
    let work = Work {
        wanted: &wanted,
        live: live.as_ref(),
        observed: &observed,
        renet: &bundle.renet,
    };
    work.carry_out(&report.steps, tell)?;
    report.warnings.extend(examined.mending.finish()?);
    report.generation = generation::live_number()?;
    Ok(report)
}

/// Tells in a report how the entry points change with the steps that are in it and what goes, and
/// names the plan. Answers how the files change.
pub(super) fn compare(
    report: &mut Report,
    wanted: &Generation,
    observed: &Observed<'_>,
) -> Result<Vec<Diff>, Failure> {
    let current = observed.current;
    let before = current.map(Generation::binds).unwrap_or_default();
    let after = wanted.binds();
    report.opens = after.difference(&before).copied().collect();
    report.closes = before.difference(&after).copied().collect();
    report.drops = current.map_or_else(Vec::new, |current| drops::drops(current, wanted));
    report.grants = grants::changes(current, wanted);
    let diffs = diff::diffs(current, wanted, observed);
    report.digest = diff::digest(&report.steps, &diffs)?;
    Ok(diffs)
}

/// Whether the plan is the one that the operator saw.
pub(super) fn is_approved(approved: &str, report: &Report, hint: &str) -> Result<(), Failure> {
    if approved == report.digest {
        return Ok(());
    }
    Err(refused("the machine changed after the plan was shown: nothing was done").hint(hint))
}

/// Whether the plan is the one that was approved, and overwrites nothing that somebody may miss.
fn may_change(options: &Options, report: &Report) -> Result<(), Failure> {
    if let Some(approved) = &options.approved {
        return is_approved(approved, report, "push again to see the new plan");
    }
    if report.drift.is_empty() || options.overwrite {
        return Ok(());
    }
    let files: Vec<String> = report
        .drift
        .iter()
        .map(|path| format!("{} was edited on the machine", path.display()))
        .collect();
    Err(refused(files.join("\n")).hint(
        "`rdc context push-infra MACHINE --dry-run --diff` shows the edits; `--yes` overwrites them",
    ))
}

/// A plan on its way.
struct Work<'a> {
    wanted: &'a Generation,
    live: Option<&'a Live>,
    observed: &'a Observed<'a>,
    renet: &'a Path,
}

impl Work<'_> {
    fn carry_out(&self, steps: &[Step], tell: Tell<'_>) -> Result<(), Failure> {
        let mut switch = None;
        let mut restart = Vec::new();
        let mut is_staged = false;
        for step in steps {
            match step {
                // Before the swap: whatever Traefik starts after that reads it.
                Step::Create { file } | Step::Update { file }
                    if file == layout::ROUTE_SERVER_TOKEN =>
                {
                    tell(&Message::Doing(step.clone()));
                    token::keep()?;
                }
                Step::Create { .. } | Step::Update { .. } | Step::Remove { .. } => {
                    tell(&Message::Doing(step.clone()));
                    // All files of a generation are written at once, at the first one's turn.
                    if !is_staged {
                        generation::stage(self.wanted)?;
                        is_staged = true;
                    }
                }
                Step::Check { .. } => {
                    tell(&Message::Doing(step.clone()));
                    check::check(self.wanted, &generation::staging())
                        .inspect_err(|_| drop(generation::discard_staged()))?;
                }
                Step::Link { path } => {
                    tell(&Message::Doing(step.clone()));
                    link(path)?;
                }
                Step::Switch { generation } => switch = Some(*generation),
                Step::Restart { unit } => restart.push(unit.clone()),
                // The transaction's part, which sees for itself what is due.
                Step::Enable { .. } | Step::Start { .. } | Step::Probe => {}
                // The workstation's part, and another command's.
                Step::Download { .. }
                | Step::Upload { .. }
                | Step::Stop { .. }
                | Step::Delete { .. } => {}
            }
        }
        let Some(number) = switch else {
            return transaction::start_again(&restart, tell);
        };
        files::make_dir(Path::new(layout::DYNAMIC_DIR))?;
        generation::keep_staged(number)?;
        let from = self.live.map(|live| live.number);
        Transaction::new(from, number, true, &restart, &self.observed.units)
            .begin(self.renet)?
            .carry_out(tell)
    }
}

/// Points a path that systemd or people read to its part of the live generation.
pub(super) fn link(path: &Path) -> Result<(), Failure> {
    let links = plan::links();
    let Some(name) = links.get(path) else {
        return Err(failed(format!("{} is not a link of ours", path.display())));
    };
    if let Some(folder) = path.parent() {
        files::make_dir(folder)?;
    }
    files::link(path, &plan::link_target(name))
}
