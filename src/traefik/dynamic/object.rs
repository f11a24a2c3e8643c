//! How a struct of the model is declared: its fields, and nothing else.

use std::collections::BTreeMap;

/// Whether there is nothing to write. Traefik rejects a whole document for an empty map or struct
/// at the wrong place, so a struct whose fields are all unset counts as unset too.
pub trait Unset {
    /// Whether writing this would write nothing.
    fn unset(&self) -> bool;
}

impl<T: Unset> Unset for Option<T> {
    fn unset(&self) -> bool {
        self.as_ref().is_none_or(Unset::unset)
    }
}

impl<T: Unset> Unset for Box<T> {
    fn unset(&self) -> bool {
        T::unset(self)
    }
}

impl<T> Unset for Vec<T> {
    fn unset(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Unset for BTreeMap<K, V> {
    fn unset(&self) -> bool {
        self.is_empty()
    }
}

/// A value that somebody set is written, whatever it is: `false`, 0 and the empty text included.
macro_rules! always_written {
    ($($type:ty),*) => {$(
        impl Unset for $type {
            fn unset(&self) -> bool {
                false
            }
        }
    )*};
}

always_written!(bool, i64, String, super::Duration);

/// Declares structs of the model: public fields, Traefik's spelling, nothing unset written. A field
/// of plain values names its bound: `average: Option<i64> => bounds::RATE`.
macro_rules! object {
    ($($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty $(=> $bound:expr)?,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[allow(missing_docs, reason = "the fields are Traefik's, and its reference explains them")]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(skip_serializing_if = "crate::traefik::dynamic::Unset::unset")]
                pub $field: $type,
            )*
        }

        impl crate::traefik::dynamic::Unset for $name {
            fn unset(&self) -> bool {
                use crate::traefik::dynamic::Unset;
                let Self { $($field),* } = self;
                true $(&& Unset::unset($field))*
            }
        }

        impl crate::traefik::dynamic::Branch for $name {
            fn within(
                &self,
                path: crate::traefik::dynamic::Path<'_>,
                allowance: crate::traefik::dynamic::Allowance,
            ) -> Result<(), crate::traefik::dynamic::OutOfBounds> {
                let Self { $($field),* } = self;
                $($crate::traefik::dynamic::object::within!($field, path.field(stringify!($field)), allowance $(, $bound)?);)*
                Ok(())
            }

            fn declare(label: &str, fields: &mut Vec<crate::traefik::dynamic::Field>) {
                $($crate::traefik::dynamic::object::declare!($type, label, stringify!($field), fields $(, $bound)?);)*
            }
        }
    )*};
}

/// Holds one field against its bound, or against those below it.
macro_rules! within {
    ($field:ident, $path:expr, $allowance:ident) => {
        crate::traefik::dynamic::Branch::within($field, $path, $allowance)?
    };
    ($field:ident, $path:expr, $allowance:ident, $bound:expr) => {
        crate::traefik::dynamic::Leaf::within($field, &$bound, $path, $allowance)?
    };
}

/// Lists one field, or those below it.
macro_rules! declare {
    ($type:ty, $label:ident, $name:expr, $fields:ident) => {
        crate::traefik::dynamic::bounded::declare_branch::<$type>($label, $name, $fields)
    };
    ($type:ty, $label:ident, $name:expr, $fields:ident, $bound:expr) => {
        crate::traefik::dynamic::bounded::declare_leaf::<$type>(&$bound, $label, $name, $fields)
    };
}

pub(crate) use {declare, object, within};
