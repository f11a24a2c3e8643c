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

always_written!(bool, i64, String, super::Connections, super::Duration);

/// Declares structs of the model: public fields, Traefik's spelling, nothing unset written.
macro_rules! object {
    ($($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
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
    )*};
}

pub(crate) use object;
