//! Finds the Rediaccfiles of a repository: at its root and in its first-level folders, with the name in
//! any case. Hidden folders are skipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::bundle::Failure;
use crate::compose;
use crate::machine::{failed, refused};

/// The name of the file, in lower case.
const NAME: &str = "rediaccfile";

/// One Rediaccfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine::repo) struct Rediaccfile {
    /// The name of its folder in the repository; none for the root.
    pub(in crate::machine::repo) folder: Option<String>,
    /// Its absolute path.
    pub(in crate::machine::repo) path: PathBuf,
}

impl Rediaccfile {
    /// Its path in the repository.
    pub(in crate::machine::repo) fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        match &self.folder {
            Some(folder) => format!("{folder}/{file}"),
            None => file.into_owned(),
        }
    }
}

/// What a repository has for `up` and `down`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::machine::repo) struct Found {
    /// The Rediaccfiles: the root's first, then those of the folders, A–Z.
    pub(in crate::machine::repo) rediaccfiles: Vec<Rediaccfile>,
    /// The folders that Compose finds a file in, the root's first.
    pub(in crate::machine::repo) projects: Vec<PathBuf>,
}

/// Looks for the Rediaccfiles of a repository.
pub(in crate::machine::repo) fn find(root: &Path) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut folders: Vec<(String, PathBuf)> = Vec::new();
    for path in entries(root)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') {
            folders.push((name.into_owned(), path));
        }
    }
    folders.sort_by_cached_key(|(name, _)| (name.to_lowercase(), name.clone()));
    look_at(root, None, &mut found)?;
    for (name, path) in folders {
        look_at(&path, Some(name), &mut found)?;
    }
    Ok(found)
}

fn look_at(path: &Path, folder: Option<String>, found: &mut Found) -> Result<(), Failure> {
    let mut files = Vec::new();
    for path in entries(path)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.to_lowercase() == NAME && path.is_file() {
            files.push(path.clone());
        }
    }
    files.sort();
    match files.as_slice() {
        [] => {}
        [file] => found.rediaccfiles.push(Rediaccfile {
            folder,
            path: file.clone(),
        }),
        [one, other, ..] => {
            return Err(refused(format!(
                "two Rediaccfiles in one folder: {} and {}",
                one.display(),
                other.display()
            ))
            .hint("remove one of them, or put the functions of both into one"));
        }
    }
    if compose::are_files_in(path) {
        found.projects.push(path.to_owned());
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    };
    read().map_err(|error| failed(format!("cannot read {}: {error}", folder.display())))
}

impl Found {
    /// The Rediaccfiles; if there are none, a failure that shows what to write.
    pub(in crate::machine::repo) fn rediaccfiles(
        &self,
        root: &Path,
    ) -> Result<&[Rediaccfile], Failure> {
        if !self.rediaccfiles.is_empty() {
            return Ok(&self.rediaccfiles);
        }
        let Some(project) = self.projects.first() else {
            return Err(refused(format!(
                "there is no Rediaccfile in {} or its folders: nothing to bring up",
                root.display()
            ))
            .hint("copy your files with `rdc repo up NAME -m MACHINE --source DIR`"));
        };
        Err(refused(format!(
            "there is a Compose file in {}, and no Rediaccfile that starts it",
            project.display()
        ))
        .hint(format!(
            "write {}:\n\n{}",
            project.join("Rediaccfile").display(),
            include_str!("../../../../templates/Rediaccfile").trim_end()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, "").expect("it is written");
        }
        root
    }

    fn names(files: &[&str]) -> Result<Vec<String>, String> {
        let root = repository(files);
        let found = find(root.path()).map_err(|failure| failure.message)?;
        Ok(found.rediaccfiles.iter().map(Rediaccfile::name).collect())
    }

    #[test]
    fn rediaccfiles_are_found_at_the_root_and_one_folder_below_in_order() {
        for (files, expected) in [
            (&["Rediaccfile"][..], &["Rediaccfile"][..]),
            (&["REDIACCFILE"], &["REDIACCFILE"]),
            (
                &[
                    "web/rediaccfile",
                    "Api/Rediaccfile",
                    "Rediaccfile",
                    "db/RediaccFile",
                ],
                &[
                    "Rediaccfile",
                    "Api/Rediaccfile",
                    "db/RediaccFile",
                    "web/rediaccfile",
                ],
            ),
            (
                &[".git/Rediaccfile", "a/b/Rediaccfile", "Rediaccfile.bak"],
                &[],
            ),
            (&["Rediaccfile/x", "web/Rediaccfile"], &["web/Rediaccfile"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(names(files), Ok(expected), "{files:?}");
        }
    }

    #[test]
    fn two_rediaccfiles_in_one_folder_are_refused() {
        let message = names(&["a/Rediaccfile", "a/rediaccfile"]).expect_err("two");
        assert!(message.contains("a/Rediaccfile and "), "{message}");
    }

    #[test]
    fn without_a_rediaccfile_it_is_said_what_to_write() {
        for (files, message, hint) in [
            (
                &["web/compose.yaml"][..],
                "no Rediaccfile that starts it",
                "web/Rediaccfile:\n\n#!",
            ),
            (
                &["docker-compose.yml", "web/compose.yml"],
                "no Rediaccfile that",
                "renet compose -- up -d",
            ),
            (
                &["web/index.html"],
                "there is no Rediaccfile in ",
                "--source",
            ),
        ] {
            let root = repository(files);
            let found = find(root.path()).expect("it is read");
            let failure = found.rediaccfiles(root.path()).expect_err("none");
            assert!(failure.message.contains(message), "{files:?}: {failure:?}");
            let said = failure.hint.expect("a hint");
            assert!(said.contains(hint), "{files:?}: {said}");
        }
    }
}
