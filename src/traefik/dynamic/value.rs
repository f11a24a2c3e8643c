//! The shapes of values that plain serde types do not have. How a label spells each of them is
//! the matter of `traefik::labels`: it recognises them by how they ask to be deserialized.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Unset;

/// A struct that may be empty: `tls`, `compress`. Turned on it is written, be it as `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch<T> {
    /// Absent, or turned off by a label.
    #[default]
    Off,
    /// Turned on, with what is set in it.
    On(T),
}

impl<T> Switch<T> {
    /// What is set in it, if it is on.
    pub fn on(&self) -> Option<&T> {
        match self {
            Self::Off => None,
            Self::On(inner) => Some(inner),
        }
    }

    /// What is set in it, if it is on, to be changed.
    pub fn on_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Off => None,
            Self::On(inner) => Some(inner),
        }
    }
}

impl<T> Unset for Switch<T> {
    fn unset(&self) -> bool {
        matches!(self, Self::Off)
    }
}

impl<T: Serialize> Serialize for Switch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_none(),
            Self::On(inner) => inner.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Two elements: whether it is on, then what it holds. The second is read in either case,
        // so that a wrong key below a switch that is off is still found.
        deserializer.deserialize_tuple_struct("Switch", 2, SwitchVisitor(PhantomData))
    }
}

struct SwitchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SwitchVisitor<T> {
    type Value = Switch<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a switch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Switch<T>, A::Error> {
        let on = parts.next_element::<bool>()?;
        let inner = parts.next_element::<T>()?;
        match (on, inner) {
            (Some(true), Some(inner)) => Ok(Switch::On(inner)),
            (Some(false), _) => Ok(Switch::Off),
            _ => Err(de::Error::invalid_length(0, &self)),
        }
    }
}

/// A map whose keys may hold dots, as header names may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Dotted<V>(pub BTreeMap<String, V>);

impl<V> Default for Dotted<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> Unset for Dotted<V> {
    fn unset(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Dotted<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DottedVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for DottedVisitor<V> {
            type Value = Dotted<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Dotted<V>, D::Error> {
                BTreeMap::deserialize(deserializer).map(Dotted)
            }
        }

        deserializer.deserialize_newtype_struct("Dotted", DottedVisitor(PhantomData))
    }
}

/// The servers of a load balancer. Labels describe one, the container's own, under `server`. An
/// empty list is written: Traefik then answers 503, where without the key it answers 500.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Servers<S>(pub Vec<S>);

impl<S> Default for Servers<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S> Unset for Servers<S> {
    fn unset(&self) -> bool {
        false
    }
}

impl<S> Deref for Servers<S> {
    type Target = Vec<S>;

    fn deref(&self) -> &Vec<S> {
        &self.0
    }
}

impl<S> DerefMut for Servers<S> {
    fn deref_mut(&mut self) -> &mut Vec<S> {
        &mut self.0
    }
}

impl<'de, S: Deserialize<'de>> Deserialize<'de> for Servers<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        S::deserialize(deserializer).map(|server| Self(vec![server]))
    }
}

/// A value of a plugin's configuration: labels have no types, so the leaves are text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PluginValue {
    /// A leaf.
    Text(String),
    /// `[0]`, `[1]` …
    List(Vec<PluginValue>),
    /// Named fields.
    Map(BTreeMap<String, PluginValue>),
}
