//! The storage of Traefik 1: one account and its certificates, without resolvers. Pure.
//!
//! ```text
//! {"Account": {…}, "Certificates": [{"Domain": {"Main": …, "SANs": […]}, "Certificate": BASE64, "Key": BASE64}]}
//! ```

use serde::Deserialize;

use super::schema::{Base64, Object};
use super::{STORE, Stored};

/// What only Traefik 1 has at the top: up to 1.4 the account's fields, later two of these.
const KEYS: [&str; 6] = [
    "Account",
    "Certificates",
    "ChallengeCerts",
    "DomainsCertificate",
    "HTTPChallenges",
    "TLSChallenges",
];

/// Whether Traefik 1 has such a key at the top.
pub(super) fn is_of_traefik_one(key: &str) -> bool {
    KEYS.contains(&key)
}

/// The certificates in a storage of Traefik 1; none where they cannot be read, as those of the
/// versions before 1.5.
pub(super) fn traefik_one(json: &[u8]) -> Vec<Stored> {
    let Ok(Object(storage)) = serde_json::from_slice::<Object<StorageOne>>(json) else {
        return Vec::new();
    };
    let entries = storage.certificates.unwrap_or_default().into_iter();
    entries
        .map(|Object(entry)| Stored {
            main: entry.domain.0.main,
            chain: entry.certificate.0,
            key: entry.key.0.into(),
            store: STORE.to_owned(),
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StorageOne {
    certificates: Option<Vec<Object<EntryOne>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryOne {
    domain: Object<DomainOne>,
    certificate: Base64,
    key: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DomainOne {
    main: String,
}
