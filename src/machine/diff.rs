//! How a push changes the files, for people to read. Pure.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use similar::TextDiff;

use super::failed;
use super::generation::{Entry, Generation};
use super::plan::{self, Observed, Place};
use crate::bundle::{Diff, Failure, Step};
use crate::layout;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The changes of all files, in the unified format; of the token only that it changes.
pub(super) fn diffs(
    current: Option<&Generation>,
    wanted: &Generation,
    observed: &Observed<'_>,
) -> Vec<Diff> {
    let secrets = secrets(current, wanted);
    let names: BTreeSet<&str> = current
        .into_iter()
        .flat_map(Generation::names)
        .chain(wanted.names())
        .collect();
    let in_generation = names.into_iter().filter_map(|name| {
        let before = current.and_then(|current| current.get(name));
        change(name, before, wanted.get(name), &secrets)
    });
    let replaced = plan::links().into_iter().filter_map(|(path, name)| {
        let Some(Place::File(content)) = observed.places.get(&path) else {
            return None;
        };
        let before = Entry::File(content.clone());
        let path = path.display().to_string();
        change(&path, Some(&before), wanted.get(name), &secrets)
    });
    in_generation.chain(replaced).collect()
}

/// Names a plan by its content: the same steps and the same changes are the same plan.
pub(super) fn digest(steps: &[Step], diffs: &[Diff]) -> Result<String, Failure> {
    let json = serde_json::to_vec(&(steps, diffs))
        .map_err(|error| failed(format!("cannot name the plan: {error}")))?;
    let hash = Sha256::digest(json);
    Ok(hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn change(
    name: &str,
    before: Option<&Entry>,
    after: Option<&Entry>,
    secrets: &[String],
) -> Option<Diff> {
    if before == after {
        return None;
    }
    let unified = if name == layout::CF_DNS_TOKEN {
        let line = |sign: &str, entry: Option<&Entry>| {
            entry.map_or(String::new(), |_| format!("{sign}{MASK}\n"))
        };
        format!("{}{}", line("-", before), line("+", after))
    } else {
        unified(name, &text(before), &text(after))
    };
    Some(Diff {
        file: name.to_owned(),
        unified: masked(unified, secrets),
    })
}

fn unified(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

fn text(entry: Option<&Entry>) -> String {
    match entry {
        None => String::new(),
        Some(Entry::File(content)) => String::from_utf8_lossy(content).into_owned(),
        Some(Entry::Link(target)) => format!("-> {}\n", target.display()),
    }
}

/// The tokens of both sides: somebody may have written one into another file by hand.
fn secrets(current: Option<&Generation>, wanted: &Generation) -> Vec<String> {
    current
        .into_iter()
        .chain([wanted])
        .filter_map(|generation| generation.file(layout::CF_DNS_TOKEN))
        .map(|token| String::from_utf8_lossy(token).trim().to_owned())
        .filter(|token| !token.is_empty())
        .collect()
}

fn masked(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .fold(text, |text, secret| text.replace(secret.as_str(), MASK))
}
