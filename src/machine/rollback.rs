//! Back to a former generation, by the same transaction as a push.

use std::path::Path;
use std::time::Duration;

use super::generation::{self, Generation, Live};
use super::lock::{Lock, Purpose};
use super::plan;
use super::transaction::{self, Tell, Transaction};
use super::{diff, observe, preflight, refused};
use crate::bundle::{Failure, Report, Step};
use crate::layout;

/// Makes a former generation the live one: the given one, or the one before the live one.
pub(super) fn roll_back(
    to: Option<u32>,
    dry_run: bool,
    lock_wait: Duration,
    tell: Tell<'_>,
) -> Result<Report, Failure> {
    preflight::machine()?;
    let _lock = if dry_run {
        None
    } else {
        let lock = Lock::take(Purpose::Push, lock_wait)?;
        transaction::settle(tell)?;
        Some(lock)
    };
    let live =
        generation::live()?.ok_or_else(|| refused("nothing was ever pushed to this machine"))?;
    let to = target(to, &live)?;
    let wanted = Generation::read(&generation::folder(to))?;
    let observed = observe::observe(Some(&live))?;
    let mut report = Report {
        generation: Some(live.number),
        steps: plan::plan(&wanted, &observed, to),
        warnings: observe::warnings(&observed),
        ..Report::default()
    };
    // The files are there already, and were checked when they were pushed.
    report.steps.retain(|step| {
        !matches!(
            step,
            Step::Create { .. } | Step::Update { .. } | Step::Remove { .. } | Step::Check { .. }
        )
    });
    let before = live.generation.binds();
    let after = wanted.binds();
    report.opens = after.difference(&before).copied().collect();
    report.closes = before.difference(&after).copied().collect();
    report.diffs = diff::diffs(Some(&live.generation), &wanted, &observed);
    report.digest = diff::digest(&report.steps, &report.diffs)?;
    if dry_run || to == live.number {
        return Ok(report);
    }
    let restart: Vec<String> = report
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Restart { unit } => Some(unit.clone()),
            _ => None,
        })
        .collect();
    let renet = generation::folder(live.number).join(layout::RENET);
    Transaction::new(Some(live.number), to, false, &restart, &observed.units)
        .begin(Path::new(&renet))?
        .carry_out(tell)?;
    report.generation = generation::live_number()?;
    Ok(report)
}

fn target(to: Option<u32>, live: &Live) -> Result<u32, Failure> {
    let numbers = generation::numbers()?;
    let kept = || {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        format!("the machine keeps {}", numbers.join(", "))
    };
    match to {
        Some(number) if numbers.contains(&number) => Ok(number),
        Some(number) => {
            Err(refused(format!("there is no generation {number} on this machine")).hint(kept()))
        }
        None => numbers
            .iter()
            .copied()
            .rfind(|number| *number < live.number)
            .ok_or_else(|| {
                refused(format!(
                    "there is no generation before {}, which is the live one",
                    live.number
                ))
                .hint(kept())
            }),
    }
}
