//! Tables of rules by key, and how they are applied.

use serde_json::Value;

use super::finding::Finding;
use super::folder::Folder;
use crate::compose::model::Object;

/// The rule for a key.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Allowed: it affects only the container, or Compose itself.
    Free,
    /// Refused unless the operator allows it: it reaches the machine, for this reason.
    Unsafe(&'static str),
    /// Decided by the value.
    Checked(Check),
}

/// Checks a value.
pub(super) type Check = fn(&Spot<'_>, &Value) -> Vec<Finding>;

/// The place of a value in the model.
pub(super) struct Spot<'a> {
    /// The key, as `webapp.volumes`.
    pub(super) key: String,
    /// The service, if it is in one.
    pub(super) service: &'a str,
    pub(super) folder: Folder<'a>,
}

impl Spot<'_> {
    /// What is wrong with a path at this place.
    pub(super) fn path(&self, path: &str) -> Vec<Finding> {
        self.folder.check(&self.key, path).into_iter().collect()
    }

    /// The same of a path that is given as a whole.
    pub(super) fn whole_path(&self, path: &str) -> Vec<Finding> {
        let finding = self.folder.check_whole(&self.key, path);
        finding.into_iter().collect()
    }

    pub(super) fn refused(&self, problem: impl Into<String>) -> Vec<Finding> {
        vec![Finding::unsafe_(&self.key, problem)]
    }
}

/// A table: keys and their rules.
pub(super) type Table = [(&'static str, Rule)];

/// Applies a table to an object; `place` is what its keys are named after.
pub(super) fn apply(
    table: &Table,
    place: &str,
    service: &str,
    object: &Object,
    folder: Folder<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, value) in object {
        if says_nothing(value) || key.starts_with("x-") {
            continue;
        }
        let spot = Spot {
            key: format!("{place}.{key}"),
            service,
            folder,
        };
        match table.iter().find(|(known, _)| known == key) {
            Some((_, Rule::Free)) => {}
            Some((_, Rule::Unsafe(reason))) => findings.push(Finding::unsafe_(spot.key, *reason)),
            Some((_, Rule::Checked(check))) => findings.extend(check(&spot, value)),
            None => findings.push(Finding::unsafe_(
                spot.key,
                "this `renet` does not know this key, which could reach the machine",
            )),
        }
    }
    findings
}

/// Whether a value means the same as an absent key: Compose prints some of those.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// The texts in a list.
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The objects in a list.
pub(super) fn objects(value: &Value) -> impl Iterator<Item = &Object> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// A text of an object.
pub(super) fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
