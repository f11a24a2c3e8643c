//! The values that consist of others, which have the bounds.

use std::collections::BTreeMap;

use super::bounded::{Allowance, Branch, Field, Leaf, OutOfBounds, Path, below, few, is_name};
use super::{PluginValue, Servers, Switch, bounds};

impl Branch for bool {
    fn within(&self, _: Path<'_>, _: Allowance) -> Result<(), OutOfBounds> {
        Ok(())
    }

    fn declare(_: &str, _: &mut Vec<Field>) {}
}

impl<B: Branch> Branch for Option<B> {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        match self {
            None => Ok(()),
            Some(value) => value.within(path, allowance),
        }
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        B::declare(label, fields);
    }
}

impl<B: Branch> Branch for Box<B> {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        B::within(self, path, allowance)
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        B::declare(label, fields);
    }
}

impl<B: Branch> Branch for Switch<B> {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        match self {
            Self::Off => Ok(()),
            Self::On(value) => value.within(path, allowance),
        }
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        B::declare(label, fields);
    }
}

impl<B: Branch> Branch for Vec<B> {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        few(self.len(), path, allowance)?;
        self.iter().enumerate().try_for_each(|(index, value)| {
            value.within(path.entry(&format!("[{index}]")), allowance)
        })
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        B::declare(&below(label, "[0]"), fields);
    }
}

/// One is the container's own; what replicas add is bounded by their number.
impl<B: Branch> Branch for Servers<B> {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        self.iter()
            .try_for_each(|server| server.within(path, allowance))
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        B::declare(label, fields);
    }
}

impl<B: Branch> Branch for BTreeMap<String, B> {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        few(self.len(), path, allowance)?;
        self.iter().try_for_each(|(name, value)| {
            let path = path.entry(name);
            is_name(name, path, allowance)?;
            value.within(path, allowance)
        })
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        B::declare(&below(label, "<name>"), fields);
    }
}

impl Branch for PluginValue {
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
        match self {
            Self::Text(text) => text.within(&bounds::TEXT, path, allowance),
            Self::List(items) => items.within(path, allowance),
            Self::Map(fields) => fields.within(path, allowance),
        }
    }

    fn declare(label: &str, fields: &mut Vec<Field>) {
        String::declare(&bounds::TEXT, label, fields);
    }
}
