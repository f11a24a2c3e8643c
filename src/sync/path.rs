//! The path of a synced file in its repository.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::layout;

/// A path below a repository's root: relative, in one spelling, and not in the repository's
/// private folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SyncPath(String);

impl SyncPath {
    /// The longest path, in bytes: that of Linux.
    const LONGEST: usize = 4095;
    /// The longest name in it, in bytes.
    const LONGEST_NAME: usize = 255;

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of its parent folder; none at the root.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(parent.to_owned()))
    }

    /// Whether it is the file of slots, which belongs to the machine once it exists.
    pub fn is_slots(&self) -> bool {
        self.0 == layout::SLOTS
    }
}

impl AsRef<Path> for SyncPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for SyncPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SyncPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let is_name =
            |name: &str| !matches!(name, "" | "." | "..") && name.len() <= Self::LONGEST_NAME;
        let is_valid = text.len() <= Self::LONGEST
            && !text.contains('\0')
            && text.split('/').all(is_name)
            && text.split('/').next() != Some(layout::REPOSITORY_PRIVATE);
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPath(text.to_owned()))
        }
    }
}

impl TryFrom<String> for SyncPath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        text.parse()
    }
}

impl From<SyncPath> for String {
    fn from(path: SyncPath) -> String {
        path.0
    }
}

/// The text is not a path below a repository's root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path of a file that can be synced")]
pub struct InvalidPath(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_root_and_outside_the_private_folder_are_synced() {
        let long = "x".repeat(256);
        for (text, is_valid) in [
            ("docker-compose.yml", true),
            (".env", true),
            ("a/b c/ü", true),
            (".rediacc.json", true),
            (".rediaccignore", true),
            ("web/.rediacc/x", true),
            ("", false),
            ("/etc/passwd", false),
            ("../x", false),
            ("a/../../x", false),
            ("a/..", false),
            ("./a", false),
            ("a//b", false),
            ("a/", false),
            ("a\0b", false),
            (".rediacc", false),
            (".rediacc/synced.json", false),
            (long.as_str(), false),
        ] {
            assert_eq!(text.parse::<SyncPath>().is_ok(), is_valid, "{text:?}");
        }
    }
}
