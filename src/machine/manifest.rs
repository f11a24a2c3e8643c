//! What was pushed, beside what lies there now: the difference is somebody's edit.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::generation::{Entry, Generation};
use super::{failed, files};
use crate::bundle::Failure;

/// The manifest's name in a generation. It is hidden: a mark, not a part.
pub(super) const MANIFEST: &str = ".manifest";

/// The digests of a generation's parts, as they were pushed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest(BTreeMap<String, String>);

impl Manifest {
    /// The manifest of a generation.
    pub(super) fn of(generation: &Generation) -> Self {
        let parts = generation.parts();
        Self(
            parts
                .map(|(name, entry)| (name.to_owned(), digest(entry)))
                .collect(),
        )
    }

    /// Reads the manifest in a generation's folder; none where it was not noted or is not to be
    /// understood.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let text = files::read(&folder.join(MANIFEST))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Writes the manifest into a generation's folder: for root alone, as a digest of the token is in it.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let json = serde_json::to_vec(self)
            .map_err(|error| failed(format!("cannot write {MANIFEST}: {error}")))?;
        files::write(&folder.join(MANIFEST), &json, 0o600)
    }

    /// The parts that are not as they were pushed: edited, removed, or put beside them.
    pub(super) fn edited(&self, now: &Generation) -> Vec<String> {
        let Self(pushed) = self;
        let Self(now) = Self::of(now);
        let changed = now
            .iter()
            .filter(|(name, digest)| pushed.get(*name) != Some(digest));
        let gone = pushed.iter().filter(|(name, _)| !now.contains_key(*name));
        changed.chain(gone).map(|(name, _)| name.clone()).collect()
    }

    /// The parts that were pushed and are not there any more.
    pub(super) fn missing(&self, now: &Generation) -> Vec<&str> {
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| now.get(name).is_none()).collect()
    }
}

fn digest(entry: &Entry) -> String {
    let (kind, content) = match entry {
        Entry::File(content) => ("file", content.as_slice()),
        Entry::Link(target) => ("link", target.as_os_str().as_encoded_bytes()),
    };
    let hash = Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(content)
        .finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn generation(files: &[(&str, &str)]) -> Generation {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let program = Path::new("/usr/lib/rediacc/renet/1/renet");
        Generation::of(files, None, &BTreeSet::new(), program, program).expect("a generation")
    }

    #[test]
    fn an_edit_is_told_whatever_it_is() {
        let pushed = Manifest::of(&generation(&[("a", "1"), ("b", "2")]));
        for (now, expected) in [
            (&[("a", "1"), ("b", "2")][..], &[][..]),
            (&[("a", "1"), ("b", "3")], &["b"]),
            (&[("a", "1")], &["b"]),
            (&[("a", "1"), ("b", "2"), ("c", "")], &["c"]),
        ] {
            assert_eq!(pushed.edited(&generation(now)), expected);
        }
        assert_eq!(pushed.missing(&generation(&[("b", "3"), ("c", "")])), ["a"]);
    }
}
