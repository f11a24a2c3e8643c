//! Back to a former generation, by the same transaction as a push.

use std::time::Duration;

use super::generation::{self, Generation, Live};
use super::manifest::Manifest;
use super::traefik_program::is_program;
use super::transaction::{self, Tell, Transaction};
use super::{apply, check, disk, observe, plan, preflight, refused, token};
use crate::bundle::{Failure, Message, Report, Step};
use crate::layout;

/// How a rollback shall be done.
#[derive(Debug)]
pub(super) struct Options {
    /// The generation to go back to; none: the one before the live one.
    pub(super) to: Option<u32>,
    /// Report what would be done, and do nothing.
    pub(super) dry_run: bool,
    /// The digest of the plan that the operator saw: another one is refused.
    pub(super) approved: Option<String>,
    /// How long to wait for somebody else's push.
    pub(super) lock_wait: Duration,
}

/// Makes a former generation the live one: the given one, or the one before the live one.
pub(super) fn roll_back(options: &Options, tell: Tell<'_>) -> Result<Report, Failure> {
    preflight::machine()?;
    let _lock = transaction::lock(options.dry_run, options.lock_wait, tell)?;
    let live = generation::live()?.ok_or_else(|| {
        refused("nothing was pushed to this machine: there is nothing to go back to")
    })?;
    let to = target(options.to, &live)?;
    let mut report = Report {
        generation: Some(live.number),
        ..Report::default()
    };
    if to == live.number {
        return Ok(report);
    }
    disk::is_writable(layout::ETC)?;
    let folder = generation::folder(to);
    let wanted = Generation::read(&folder)?;
    let observed = observe::observe(Some(&live))?;
    // Before anything is stopped: a Traefik that cannot read its storage may not come up at all.
    let (mending, warnings) = preflight::storage_of(&wanted)?;
    let planned = steps(plan::plan(&wanted, &observed, to), to);
    report.steps = mending.with_restart(planned, &observed);
    report.warnings = warnings;
    report.warnings.extend(observe::warnings(&observed));
    report.warnings.extend(edits(to, &wanted)?);
    // What was edited in the live generation's folder stays there; what lies in the place of a link
    // does not.
    report.drift = observe::drift(Some(&live), &observed, &wanted);
    report
        .drift
        .retain(|path| !path.starts_with(layout::CURRENT));
    apply::compare(&mut report, &wanted, &observed)?;
    is_whole(to, &wanted)?;
    check::check(&wanted, &folder)?;
    if options.dry_run {
        return Ok(report);
    }
    if let Some(approved) = &options.approved {
        let hint = "run the command again to see the new plan";
        apply::is_approved(approved, &report, hint)?;
    }
    mending.carry_out()?;

    let mut restart = Vec::new();
    for step in &report.steps {
        match step {
            Step::Link { path } => {
                tell(&Message::Doing(step.clone()));
                apply::link(path)?;
            }
            // Of the files, the token's alone may have to be written.
            Step::Create { .. } | Step::Update { .. } => {
                tell(&Message::Doing(step.clone()));
                token::keep()?;
            }
            Step::Restart { unit } => restart.push(unit.clone()),
            // The transaction's part.
            _ => {}
        }
    }
    // The live generation's own program knows the transaction that it may have to bring to its end.
    let renet = generation::folder(live.number).join(layout::RENET);
    Transaction::new(Some(live.number), to, false, &restart, &observed.units)
        .begin(&renet)?
        .carry_out(tell)?;
    report.warnings.extend(mending.finish()?);
    report.generation = generation::live_number()?;
    Ok(report)
}

/// The steps of a plan that are a rollback's: the generation's files are there already, so that none
/// of them is written; the swap and the probe are due even where the two generations are the same in all parts.
fn steps(planned: Vec<Step>, to: u32) -> Vec<Step> {
    let (first, rest): (Vec<Step>, Vec<Step>) = planned
        .into_iter()
        .filter(|step| match step {
            Step::Create { file } | Step::Update { file } => file == layout::ROUTE_SERVER_TOKEN,
            Step::Link { .. } | Step::Enable { .. } | Step::Start { .. } | Step::Restart { .. } => {
                true
            }
            _ => false,
        })
        .partition(|step| {
            matches!(
                step,
                Step::Link { .. } | Step::Create { .. } | Step::Update { .. }
            )
        });
    let switch = Step::Switch { generation: to };
    first
        .into_iter()
        .chain([switch])
        .chain(rest)
        .chain([Step::Probe])
        .collect()
}

/// Whether a generation can still run: somebody may have removed programs that only it needs, or
/// parts of it.
fn is_whole(number: u32, wanted: &Generation) -> Result<(), Failure> {
    let mut missing: Vec<String> = [layout::RENET, layout::TRAEFIK]
        .into_iter()
        .filter_map(|name| match wanted.link(name) {
            Some(program) if is_program(program) => None,
            Some(program) => Some(format!(
                "the `{name}` of generation {number} is gone from the machine: there is no program \
                 {}",
                program.display()
            )),
            None => Some(format!("generation {number} names no `{name}`")),
        })
        .collect();
    if let Some(manifest) = Manifest::read(&generation::folder(number))? {
        let parts = manifest.missing(wanted).into_iter();
        let parts = parts.filter(|part| ![layout::RENET, layout::TRAEFIK].contains(part));
        missing.extend(parts.map(|part| format!("{part} of generation {number} is gone")));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(refused(missing.join("\n")).hint(format!(
        "nothing was changed; go back to another one with `--to` ({}), or push what is declared: \
         `rdc context push-infra MACHINE`",
        kept(&generation::numbers()?)
    )))
}

/// That a generation is not any more what was pushed.
fn edits(number: u32, wanted: &Generation) -> Result<Vec<String>, Failure> {
    let Some(manifest) = Manifest::read(&generation::folder(number))? else {
        return Ok(Vec::new());
    };
    let edited = manifest.edited(wanted);
    if edited.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "generation {number} was edited on the machine since it was pushed: {}",
        edited.join(", ")
    )])
}

fn target(to: Option<u32>, live: &Live) -> Result<u32, Failure> {
    let numbers = generation::numbers()?;
    match to {
        Some(number) if numbers.contains(&number) => Ok(number),
        Some(number) => Err(
            refused(format!("there is no generation {number} on this machine"))
                .hint(kept(&numbers)),
        ),
        None => numbers
            .iter()
            .copied()
            .rfind(|number| *number < live.number)
            .ok_or_else(|| {
                refused(format!(
                    "there is no generation before {}, which is the live one",
                    live.number
                ))
                .hint(kept(&numbers))
            }),
    }
}

fn kept(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("the machine keeps {}", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_writes_no_file_and_always_switches() {
        let unit = |unit: &str| unit.to_owned();
        let file = || "a".to_owned();
        let link = Step::Link { path: "/l".into() };
        let start = Step::Start { unit: unit("s") };
        let switch = Step::Switch { generation: 3 };
        let restart = Step::Restart { unit: unit("s") };
        let token = Step::Create {
            file: layout::ROUTE_SERVER_TOKEN.to_owned(),
        };
        for (planned, expected) in [
            (
                vec![
                    Step::Update { file: file() },
                    Step::Check { file: file() },
                    link.clone(),
                    switch.clone(),
                    start.clone(),
                    Step::Probe,
                ],
                vec![link, switch.clone(), start, Step::Probe],
            ),
            (
                vec![
                    Step::Create { file: file() },
                    token.clone(),
                    restart.clone(),
                    Step::Probe,
                ],
                vec![token, switch.clone(), restart, Step::Probe],
            ),
            (Vec::new(), vec![switch, Step::Probe]),
        ] {
            assert_eq!(steps(planned, 3), expected);
        }
    }
}
