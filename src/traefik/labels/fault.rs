//! What is wrong with a label, as the deserializer finds it.

use std::fmt;

use serde::de;

use super::LabelError;
use super::nearest::nearest;
use super::tree::Node;

/// What went wrong, at first perhaps without the label: serde's own complaints know of none.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) label: Option<String>,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn at(node: &Node<'_>, reason: impl Into<String>) -> Self {
        Self {
            label: Some(node.label.to_owned()),
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same as what is said of a label: of this one, if it was not said which.
    pub(super) fn into_error(self, label: &str) -> LabelError {
        LabelError {
            label: self.label.unwrap_or_else(|| label.to_owned()),
            reason: self.reason,
            hint: self.hint,
        }
    }

    pub(super) fn or_at(mut self, node: &Node<'_>) -> Self {
        self.label.get_or_insert_with(|| node.label.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self {
            label: None,
            reason: reason.to_string(),
            hint: None,
        }
    }
}
/// A key that the model does not have, with the nearest that it has.
pub(super) fn unknown_key(node: &Node<'_>, fields: &[&str]) -> Fault {
    let name = node.name;
    let fault = Fault::at(node, format!("there is no key `{name}`"));
    match nearest(name, fields) {
        Some(field) => fault.hint(format!("did you mean `{}`?", field.to_ascii_lowercase())),
        None => fault.hint(valid_keys(fields)),
    }
}

/// All keys that are valid at one place.
pub(super) fn valid_keys(fields: &[&str]) -> String {
    let keys: Vec<_> = fields
        .iter()
        .map(|field| field.to_ascii_lowercase())
        .collect();
    format!("valid keys here: {}", keys.join(", "))
}
