//! The values that have a bound: numbers, durations and texts, and lists and maps of them.

use std::collections::BTreeMap;

use super::bound::{Number, Span, Text};
use super::bounded::{Allowance, Bound, Field, Leaf, OutOfBounds, Path, below, few, is_name};
use super::{Dotted, Duration};

impl Leaf for i64 {
    type Bound = Number;

    fn within(
        &self,
        bound: &'static Number,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        bound
            .check(*self, allowance)
            .map_err(|reason| path.refuse(reason))
    }

    fn declare(bound: &'static Number, label: &str, fields: &mut Vec<Field>) {
        fields.push(Field {
            label: label.to_owned(),
            bound: Bound::Number(bound),
        });
    }
}

impl Leaf for Duration {
    type Bound = Span;

    fn within(
        &self,
        bound: &'static Span,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        bound
            .check(*self, allowance)
            .map_err(|reason| path.refuse(reason))
    }

    fn declare(bound: &'static Span, label: &str, fields: &mut Vec<Field>) {
        fields.push(Field {
            label: label.to_owned(),
            bound: Bound::Span(bound),
        });
    }
}

impl Leaf for String {
    type Bound = Text;

    fn within(
        &self,
        bound: &'static Text,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        // Compose writes an unset variable so: to Traefik, the field is not set.
        if self.is_empty() {
            return Ok(());
        }
        bound
            .check(self, allowance)
            .map_err(|reason| path.refuse(reason))
    }

    fn declare(bound: &'static Text, label: &str, fields: &mut Vec<Field>) {
        fields.push(Field {
            label: label.to_owned(),
            bound: Bound::Text(bound),
        });
    }
}

impl Leaf for Vec<String> {
    type Bound = Text;

    fn within(
        &self,
        bound: &'static Text,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        bound
            .check_list(self, allowance)
            .map_err(|(reason, hint)| OutOfBounds {
                hint: hint.map(str::to_owned),
                ..path.refuse(reason)
            })
    }

    fn declare(bound: &'static Text, label: &str, fields: &mut Vec<Field>) {
        fields.push(Field {
            label: label.to_owned(),
            bound: Bound::List(bound),
        });
    }
}

impl<L: Leaf> Leaf for Option<L> {
    type Bound = L::Bound;

    fn within(
        &self,
        bound: &'static L::Bound,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        match self {
            None => Ok(()),
            Some(value) => value.within(bound, path, allowance),
        }
    }

    fn declare(bound: &'static L::Bound, label: &str, fields: &mut Vec<Field>) {
        L::declare(bound, label, fields);
    }
}

/// A map of single values, whose keys are names.
impl<L: Leaf> Leaf for BTreeMap<String, L> {
    type Bound = L::Bound;

    fn within(
        &self,
        bound: &'static L::Bound,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        few(self.len(), path, allowance)?;
        self.iter().try_for_each(|(name, value)| {
            let path = path.entry(name);
            is_name(name, path, allowance)?;
            value.within(bound, path, allowance)
        })
    }

    fn declare(bound: &'static L::Bound, label: &str, fields: &mut Vec<Field>) {
        L::declare(bound, &below(label, "<name>"), fields);
    }
}

impl<L: Leaf> Leaf for Dotted<L> {
    type Bound = L::Bound;

    fn within(
        &self,
        bound: &'static L::Bound,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds> {
        self.0.within(bound, path, allowance)
    }

    fn declare(bound: &'static L::Bound, label: &str, fields: &mut Vec<Field>) {
        BTreeMap::<String, L>::declare(bound, label, fields);
    }
}
