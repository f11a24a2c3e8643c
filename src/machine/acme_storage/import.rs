//! Certificates of another storage that are worth having in Traefik's own. Pure.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{STORE, Storage, Stored, Unusable};
use crate::layout;
use crate::machine::x509::Leaf;

/// A certificate that will be added, with its names.
#[derive(Debug)]
pub(in crate::machine) struct Import {
    stored: Stored,
    leaf: Leaf,
}

impl Import {
    /// The names of the certificate.
    pub(in crate::machine) fn names(&self) -> &[String] {
        &self.leaf.names
    }

    /// Whether a storage has a certificate for all its names.
    pub(in crate::machine) fn is_in(&self, storage: &Storage, now: SystemTime) -> bool {
        let own: Vec<Leaf> = usable(storage, now).collect();
        is_covered(&self.leaf, &own)
    }
}

/// Those among some certificates that are valid, have their key, and are for a name that Traefik has
/// no valid certificate for. Of several for the same names it is the one that lasts longest.
pub(in crate::machine) fn importable<'s>(
    offered: impl Iterator<Item = &'s Stored>,
    current: &Storage,
    now: SystemTime,
) -> Vec<Import> {
    let mut valid: Vec<Import> = offered
        .filter_map(|stored| {
            let leaf = stored.leaf().ok()?;
            let is_good = leaf.is_valid_at(now) && !leaf.names.is_empty() && has_its_key(stored);
            is_good.then(|| Import {
                stored: stored.clone(),
                leaf,
            })
        })
        .collect();
    valid.sort_by_key(|import| std::cmp::Reverse(import.leaf.not_after));
    let mut own: Vec<Leaf> = usable(current, now).collect();
    valid.retain(|import| {
        let is_new = !is_covered(&import.leaf, &own);
        if is_new {
            own.push(import.leaf.clone());
        }
        is_new
    });
    valid
}

/// A storage with certificates added; everything else in it stays.
pub(in crate::machine) fn merged(json: &[u8], imports: &[Import]) -> Result<Vec<u8>, Unusable> {
    Storage::parse(json)?;
    let damaged = |error: serde_json::Error| Unusable::at(&error);
    let mut storage: Map<String, Value> = match json {
        [] => Map::new(),
        json => serde_json::from_slice(json).map_err(damaged)?,
    };
    let resolver = storage
        .entry(layout::CERT_RESOLVER)
        .or_insert_with(|| json!({ "Account": null }));
    let certificates = &mut resolver["Certificates"];
    let mut all = certificates.as_array().cloned().unwrap_or_default();
    all.extend(imports.iter().map(entry));
    *certificates = all.into();
    serde_json::to_vec_pretty(&storage).map_err(damaged)
}

fn entry(import: &Import) -> Value {
    let Stored {
        main, chain, key, ..
    } = &import.stored;
    let names = &import.leaf.names;
    // Its main name is how Traefik asks for the next one: it has to be one of its names.
    let main = names.iter().find(|name| *name == main).unwrap_or(&names[0]);
    let sans: Vec<&String> = names.iter().filter(|name| *name != main).collect();
    json!({
        "domain": if sans.is_empty() { json!({ "main": main }) } else { json!({ "main": main, "sans": sans }) },
        "certificate": STANDARD.encode(chain),
        "key": STANDARD.encode(key.expose_secret()),
        "Store": STORE,
    })
}

fn usable(storage: &Storage, now: SystemTime) -> impl Iterator<Item = Leaf> {
    storage
        .used()
        .filter_map(|stored| stored.leaf().ok())
        .filter(move |leaf| leaf.is_valid_at(now))
}

fn is_covered(leaf: &Leaf, own: &[Leaf]) -> bool {
    let mut names = leaf.names.iter();
    names.all(|name| own.iter().any(|own| own.covers(name)))
}

/// Whether the key is the certificate's, and one that can be used.
fn has_its_key(stored: &Stored) -> bool {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&stored.chain).collect();
    let key = PrivateKeyDer::from_pem_slice(stored.key.expose_secret());
    let (Ok(chain), Ok(key)) = (chain, key) else {
        return false;
    };
    any_supported_type(&key).is_ok_and(|key| CertifiedKey::new(chain, key).keys_match().is_ok())
}
