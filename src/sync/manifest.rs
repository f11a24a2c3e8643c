//! The manifest of a folder: every file, link and folder by its path, with its permissions and the
//! SHA-256 of its content.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::SyncPath;

/// All items of a folder, each folder before its contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<SyncPath, Item>",
    into = "BTreeMap<SyncPath, Item>"
)]
pub struct Manifest(BTreeMap<SyncPath, Item>);

/// One item of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Item {
    /// A folder.
    Folder {
        /// Its permissions: the lower nine bits of a mode.
        mode: u32,
    },
    /// A file.
    File {
        /// Its permissions.
        mode: u32,
        /// Its size, in bytes.
        bytes: u64,
        /// Its content.
        sha256: Content,
    },
    /// A symbolic link, which is never followed.
    Link {
        /// Its target.
        target: String,
    },
}

impl Manifest {
    /// All items by path, each folder before its contents.
    pub fn items(&self) -> &BTreeMap<SyncPath, Item> {
        &self.0
    }
}

impl TryFrom<BTreeMap<SyncPath, Item>> for Manifest {
    type Error = NoFolder;

    fn try_from(items: BTreeMap<SyncPath, Item>) -> Result<Self, NoFolder> {
        let lies_in_folder = |path: &SyncPath| {
            path.parent()
                .is_none_or(|parent| matches!(items.get(&parent), Some(Item::Folder { .. })))
        };
        match items.keys().find(|path| !lies_in_folder(path)) {
            Some(path) => Err(NoFolder(path.clone())),
            None => Ok(Self(items)),
        }
    }
}

impl From<Manifest> for BTreeMap<SyncPath, Item> {
    fn from(manifest: Manifest) -> Self {
        manifest.0
    }
}

/// A manifest has an item below something that is not a folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not in a folder of the manifest")]
pub struct NoFolder(SyncPath);

/// The content of a file, by its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Content([u8; 32]);

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Content {
    type Err = InvalidContent;

    fn from_str(text: &str) -> Result<Self, InvalidContent> {
        let mut sum = [0; 32];
        if text.len() != 2 * sum.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidContent);
        }
        for (byte, at) in sum.iter_mut().zip((0..text.len()).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| InvalidContent)?;
        }
        Ok(Self(sum))
    }
}

impl TryFrom<String> for Content {
    type Error = InvalidContent;

    fn try_from(text: String) -> Result<Self, InvalidContent> {
        text.parse()
    }
}

impl From<Content> for String {
    fn from(content: Content) -> String {
        content.to_string()
    }
}

/// The text is not a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in hexadecimal")]
pub struct InvalidContent;

/// Computes the SHA-256 of a content, chunk by chunk.
#[derive(Default)]
pub struct Hashing(Sha256);

impl Hashing {
    /// Adds the next chunk.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The content of all chunks.
    pub fn content(self) -> Content {
        Content(self.0.finalize().into())
    }
}

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_only_if_all_lies_in_folders() {
        let content = Hashing::default().content();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(content.to_string(), empty);
        let file = format!(r#"{{"kind":"file","mode":420,"bytes":0,"sha256":"{empty}"}}"#);
        let folder = r#"{"kind":"folder","mode":493}"#;
        let link = r#"{"kind":"link","target":"/etc"}"#;
        for (text, is_valid) in [
            ("{}".to_owned(), true),
            (format!(r#"{{"a":{folder},"a/b":{file}}}"#), true),
            (format!(r#"{{"a/b":{file}}}"#), false),
            (format!(r#"{{"a":{file},"a/b":{file}}}"#), false),
            (format!(r#"{{"a":{link},"a/b":{file}}}"#), false),
            (format!(r#"{{"../b":{file}}}"#), false),
            (
                r#"{"a":{"kind":"file","mode":420,"bytes":0,"sha256":"x"}}"#.to_owned(),
                false,
            ),
        ] {
            assert_eq!(
                serde_json::from_str::<Manifest>(&text).is_ok(),
                is_valid,
                "{text}"
            );
        }
    }
}
