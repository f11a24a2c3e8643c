//! Whether a path lies in the repository. Symlinks are followed: what counts is where they lead.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::finding::Finding;
use crate::layout;

/// The repository's folder, without symlinks.
#[derive(Clone, Copy, Debug)]
pub(in crate::compose) struct Folder<'a>(pub(in crate::compose) &'a Path);

impl Folder<'_> {
    /// What is wrong with a path that a service mounts.
    pub(super) fn check(self, key: &str, path: &str) -> Option<Finding> {
        let Some(real) = self.real(path) else {
            let problem = format!("cannot resolve the symlinks of {path}");
            return Some(Finding::unsafe_(key, problem));
        };
        if real.starts_with(self.private()) {
            let private = layout::REPOSITORY_PRIVATE;
            let problem =
                format!("{path} is in `{private}`, which belongs to the repository's engine");
            return Some(Finding::useless(
                key,
                problem,
                "a folder beside it, as `./data`",
            ));
        }
        if real.starts_with(self.0) {
            return None;
        }
        let leads = if real == Path::new(path) {
            String::new()
        } else {
            format!(", which leads to {}", real.display())
        };
        let is_socket = real.extension().is_some_and(|ending| ending == "sock");
        let finding = Finding::unsafe_(
            key,
            format!(
                "{path}{leads}, is outside the repository {}",
                self.0.display()
            ),
        );
        Some(if is_socket {
            Finding {
                problem: format!(
                    "{path} is a socket of the machine: it may give control of the machine"
                ),
                ..finding
            }
        } else {
            finding.instead("a folder of the repository, as `./data`")
        })
    }

    /// The same of a path that is given as a whole: in the repository's folder itself, the private
    /// one would be visible.
    pub(super) fn check_whole(self, key: &str, path: &str) -> Option<Finding> {
        if !self.is_root(path) {
            return self.check(key, path);
        }
        let private = layout::REPOSITORY_PRIVATE;
        let problem =
            format!("{path} has `{private}` in it, which belongs to the repository's engine");
        Some(Finding::useless(
            key,
            problem,
            "a folder of the repository, as `./data`",
        ))
    }

    /// Whether a path is the repository's folder itself, in which the private one lies.
    pub(in crate::compose) fn is_root(self, path: &str) -> bool {
        self.real(path).as_deref() == Some(self.0)
    }

    pub(in crate::compose) fn private(self) -> PathBuf {
        self.0.join(layout::REPOSITORY_PRIVATE)
    }

    /// An absolute path without symlinks. The part that does not exist is kept as it is.
    pub(in crate::compose) fn real(self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        if !path.is_absolute() {
            return None;
        }
        let mut missing: Vec<OsString> = Vec::new();
        for ancestor in path.ancestors() {
            match fs::canonicalize(ancestor) {
                Ok(mut real) => {
                    real.extend(missing.iter().rev());
                    return Some(real);
                }
                // The target of a dangling symlink may be created later.
                Err(_) if ancestor.is_symlink() => return None,
                Err(_) => match ancestor.components().next_back() {
                    Some(Component::Normal(name)) => missing.push(name.to_owned()),
                    _ => return None,
                },
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_counts_is_where_a_path_leads() {
        let outer = tempfile::tempdir().expect("a folder");
        let outer = fs::canonicalize(outer.path()).expect("a path");
        let root = outer.join("repo");
        fs::create_dir_all(root.join(".rediacc/docker")).expect("a folder");
        fs::create_dir_all(root.join("data")).expect("a folder");
        fs::create_dir_all(outer.join("repo2")).expect("a folder");
        symlink("/etc", root.join("out")).expect("a link");
        symlink(root.join("data"), outer.join("in")).expect("a link");
        symlink("/does/not/exist", root.join("dangling")).expect("a link");
        let path = |path: &str| outer.join(path).to_str().expect("text").to_owned();
        for (path, expected) in [
            (path("repo"), None),
            (path("repo/data"), None),
            (path("repo/new/deep"), None),
            (path("in"), None),
            (path("in/new"), None),
            (path("repo2"), Some(true)),
            (path("repo/../repo2"), Some(true)),
            (path("repo/out"), Some(true)),
            (path("repo/out/passwd"), Some(true)),
            (path("repo/out/new"), Some(true)),
            (path("repo/dangling"), Some(true)),
            (path("repo/new/../../x"), Some(true)),
            (path("repo/.rediacc"), Some(false)),
            (path("repo/.rediacc/docker/x"), Some(false)),
            ("/var/run/docker.sock".to_owned(), Some(true)),
            ("/".to_owned(), Some(true)),
            ("relative".to_owned(), Some(true)),
        ] {
            let found = Folder(&root).check("a.volumes", &path);
            let found = found.map(|finding| finding.is_unsafe);
            assert_eq!(found, expected, "{path}");
        }
    }
}
