//! The format of Traefik 2 and 3, as the types that Traefik reads it into. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{Storage, Stored, Unusable};

/// Reads a file whose outline is that of a storage.
pub(super) fn storage(json: &[u8]) -> Result<Storage, Unusable> {
    let resolvers: BTreeMap<String, Object<Resolver>> =
        serde_json::from_slice(json).map_err(|error| Unusable::at(&error))?;
    let stored = |Object(resolver): Object<Resolver>| {
        let entries = resolver.certificates.unwrap_or_default().into_iter();
        entries.filter_map(|Object(entry)| entry.stored()).collect()
    };
    let resolvers = resolvers.into_iter();
    Ok(Storage(
        resolvers
            .map(|(name, resolver)| (name, stored(resolver)))
            .collect(),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resolver {
    #[serde(rename = "Account")]
    _account: Option<Object<Account>>,
    certificates: Option<Vec<Object<Entry>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    #[serde(rename = "Email")]
    _email: Option<String>,
    #[serde(rename = "Registration")]
    _registration: Option<Object<Registration>>,
    #[serde(rename = "PrivateKey")]
    _private_key: Option<Base64>,
}

#[derive(Deserialize)]
struct Registration {
    #[serde(rename = "body")]
    _body: Option<Object<Anything>>,
    #[serde(rename = "uri")]
    _uri: Option<String>,
}

/// Any object.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|IgnoredAny| Self)
    }
}

#[derive(Deserialize)]
struct Entry {
    domain: Option<Object<Domain>>,
    certificate: Option<Base64>,
    key: Option<Base64>,
    #[serde(rename = "Store")]
    store: Option<String>,
}

impl Entry {
    /// The certificate; none where there is no value, which Traefik forgets at its start.
    fn stored(self) -> Option<Stored> {
        let domain = self.domain.map(|Object(domain)| domain);
        let (Base64(chain), Base64(key)) = (self.certificate?, self.key?);
        (!chain.is_empty() && !key.is_empty()).then(|| Stored {
            main: domain.and_then(|domain| domain.main).unwrap_or_default(),
            chain,
            key: key.into(),
            store: self.store.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct Domain {
    main: Option<String>,
    #[serde(rename = "sans")]
    _sans: Option<Vec<String>>,
}

/// An object, where serde would take a list of the fields as well.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// Bytes in base64, as Go reads them: line breaks do not count.
pub(super) struct Base64(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = text.replace(['\r', '\n'], "");
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_| D::Error::custom("it is not in base64"))
    }
}
