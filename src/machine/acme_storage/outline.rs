//! The outline of a file: of what kind its parts are, before any of them is read. By it a storage of
//! another program is told from a damaged one. Pure.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Unusable, foreign};

/// What Traefik 2 and 3 keep of a certificate resolver.
const RESOLVER_KEYS: [&str; 2] = ["Account", "Certificates"];

/// How a file in PEM begins.
const PEM: &[u8] = b"-----BEGIN ";

/// One JSON value, without what is in it.
enum Kind {
    /// With its keys, in their order.
    Object(Vec<String>),
    Other(&'static str),
}

/// Refuses what is not an object of certificate resolvers.
pub(super) fn examine(json: &[u8]) -> Result<(), Unusable> {
    if json.trim_ascii_start().starts_with(PEM) {
        return Err(Unusable::Pem);
    }
    let outline: Outline = serde_json::from_slice(json).map_err(|error| Unusable::at(&error))?;
    let parts = match outline {
        Outline::Object(parts) => parts,
        Outline::Other(what) => return Err(Unusable::Whole(what)),
    };
    let stranger = parts.iter().find_map(|(_, kind)| kind.stranger());
    if stranger.is_some() && parts.iter().any(|(key, _)| foreign::is_of_traefik_one(key)) {
        return Err(Unusable::TraefikOne(foreign::traefik_one(json)));
    }
    if let Some(what) = stranger {
        return Err(Unusable::Resolver(what));
    }
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    let inner = parts.iter().map(|(_, kind)| kind.keys());
    if inner.chain([names]).any(has_one_twice) {
        return Err(Unusable::Twice);
    }
    Ok(())
}

fn has_one_twice(mut keys: Vec<&str>) -> bool {
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

impl Kind {
    fn keys(&self) -> Vec<&str> {
        match self {
            Self::Object(keys) => keys.iter().map(String::as_str).collect(),
            Self::Other(_) => Vec::new(),
        }
    }

    /// What it is, where it is not a resolver's. One without an account and certificates is.
    fn stranger(&self) -> Option<&'static str> {
        match self {
            Self::Other(what) => Some(what),
            Self::Object(keys) => {
                let is_known =
                    keys.is_empty() || keys.iter().any(|key| RESOLVER_KEYS.contains(&key.as_str()));
                (!is_known).then_some("another program's data")
            }
        }
    }
}

/// The whole file.
enum Outline {
    Object(Vec<(String, Kind)>),
    Other(&'static str),
}

/// Both levels are read the same way: they differ in what is kept of an object.
trait Level: Sized {
    type Part: for<'de> Deserialize<'de>;

    fn object(parts: Vec<(String, Self::Part)>) -> Self;
    fn other(what: &'static str) -> Self;
}

impl Level for Outline {
    type Part = Kind;

    fn object(parts: Vec<(String, Kind)>) -> Self {
        Self::Object(parts)
    }

    fn other(what: &'static str) -> Self {
        Self::Other(what)
    }
}

impl Level for Kind {
    type Part = IgnoredAny;

    fn object(parts: Vec<(String, IgnoredAny)>) -> Self {
        Self::Object(parts.into_iter().map(|(key, _)| key).collect())
    }

    fn other(what: &'static str) -> Self {
        Self::Other(what)
    }
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelVisitor(std::marker::PhantomData))
    }
}

struct LevelVisitor<L>(std::marker::PhantomData<L>);

impl<'de, L: Level> Visitor<'de> for LevelVisitor<L> {
    type Value = L;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<L, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = map.next_entry()? {
            parts.push(part);
        }
        Ok(L::object(parts))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<L, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(L::other("a list"))
    }

    fn visit_unit<E>(self) -> Result<L, E> {
        Ok(L::other("`null`"))
    }

    fn visit_str<E>(self, _: &str) -> Result<L, E> {
        Ok(L::other("a text"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<L, E> {
        Ok(L::other("`true` or `false`"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<L, E> {
        Ok(L::other("a number"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<L, E> {
        Ok(L::other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<L, E> {
        Ok(L::other("a number"))
    }
}
