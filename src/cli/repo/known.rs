//! The names of repositories and services for completions, as machines last listed them, so that TAB
//! does not wait for a machine. They are kept in `$XDG_CACHE_HOME/rediacc/repositories.json`. It is a
//! cache: nothing depends on it, and no problem with it is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bundle::{RepositoryAnswer, RepositoryStatus};
use crate::context::value::{ContextName, MachineName};

/// The file of known names.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// None if there is no home folder for a cache.
    path: Option<PathBuf>,
}

/// The services of each repository.
type Repositories = BTreeMap<String, BTreeSet<String>>;

/// The names by context and machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Names(BTreeMap<String, BTreeMap<String, Repositories>>);

impl Known {
    /// The cache of the user who runs `rdc`.
    pub(crate) fn of_user() -> Self {
        let base = etcetera::choose_base_strategy().ok();
        let path = base.map(|base| {
            use etcetera::BaseStrategy as _;
            base.cache_dir().join("rediacc").join("repositories.json")
        });
        Self { path }
    }

    /// The repositories of a machine, or of all machines of a context.
    pub(crate) fn repositories(&self, context: &str, machine: Option<&str>) -> BTreeSet<String> {
        let names = self.read();
        let machines = names.0.get(context).into_iter().flatten();
        machines
            .filter(|(name, _)| machine.is_none_or(|machine| machine == *name))
            .flat_map(|(_, repositories)| repositories.keys().cloned())
            .collect()
    }

    /// The services of a repository.
    pub(crate) fn services(
        &self,
        context: &str,
        machine: Option<&str>,
        repository: &str,
    ) -> BTreeSet<String> {
        let names = self.read();
        let machines = names.0.get(context).into_iter().flatten();
        machines
            .filter(|(name, _)| machine.is_none_or(|machine| machine == *name))
            .filter_map(|(_, repositories)| repositories.get(repository))
            .flatten()
            .filter(|name| is_plain(name))
            .cloned()
            .collect()
    }

    /// Adds the names in an answer of a machine.
    pub(crate) fn learn(
        &self,
        context: &ContextName,
        machine: &MachineName,
        answer: &RepositoryAnswer,
    ) {
        let services = |status: &RepositoryStatus| {
            let names = status.services.iter().map(|service| service.name.clone());
            (status.name.to_string(), names.collect())
        };
        match answer {
            RepositoryAnswer::List(all) => self.change(context, machine, |repositories| {
                *repositories = all.iter().map(services).collect();
            }),
            RepositoryAnswer::Status(status) => self.change(context, machine, |repositories| {
                repositories.extend([services(status)]);
            }),
            // These answers do not name their repository; the caller does.
            RepositoryAnswer::Up(_)
            | RepositoryAnswer::Down(_)
            | RepositoryAnswer::Started(_)
            | RepositoryAnswer::Ended(_)
            | RepositoryAnswer::Deleted { .. }
            | RepositoryAnswer::Wanted(_)
            | RepositoryAnswer::Synced(_) => {}
        }
    }

    /// Adds the services that came up.
    pub(crate) fn learn_services<'a>(
        &self,
        context: &ContextName,
        machine: &MachineName,
        repository: &str,
        services: impl Iterator<Item = &'a str>,
    ) {
        self.change(context, machine, |repositories| {
            let known = repositories.entry(repository.to_owned()).or_default();
            known.extend(services.map(str::to_owned));
        });
    }

    /// Forgets a repository that was deleted.
    pub(crate) fn forget(&self, context: &ContextName, machine: &MachineName, repository: &str) {
        self.change(context, machine, |repositories| {
            repositories.remove(repository);
        });
    }

    fn read(&self) -> Names {
        let text = self.path.as_ref().and_then(|path| fs::read(path).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    fn change(
        &self,
        context: &ContextName,
        machine: &MachineName,
        change: impl FnOnce(&mut Repositories),
    ) {
        let before = self.read();
        let mut names = before.clone();
        let machines = names.0.entry(context.to_string()).or_default();
        change(machines.entry(machine.to_string()).or_default());
        if names != before {
            // If the file cannot be written, a name is not completed: that is no reason to fail.
            let _ = self.write(&names);
        }
    }

    fn write(&self, names: &Names) -> Option<()> {
        let path = self.path.as_ref()?;
        let folder = path.parent()?;
        fs::create_dir_all(folder).ok()?;
        let mut file = tempfile::NamedTempFile::new_in(folder).ok()?;
        file.write_all(&serde_json::to_vec(names).ok()?).ok()?;
        file.persist(path).ok()?;
        Some(())
    }
}

/// Whether a name, which a machine chose, is a word in every shell.
fn is_plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_by_context_and_machine_and_a_broken_file_knows_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/repositories.json");
        let known = Known {
            path: Some(path.clone()),
        };
        let context: ContextName = "default".parse().expect("a context");
        let machine = |name: &str| name.parse::<MachineName>().expect("a machine");
        known.learn_services(
            &context,
            &machine("a"),
            "app",
            ["web", "db", "$(reboot)"].into_iter(),
        );
        known.learn_services(&context, &machine("b"), "shop", ["web"].into_iter());
        let repositories = |context: &str, machine: Option<&str>| {
            known
                .repositories(context, machine)
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(repositories("default", None), "app shop");
        assert_eq!(repositories("default", Some("b")), "shop");
        assert_eq!(repositories("other", None), "");
        let services = known.services("default", None, "app");
        assert_eq!(services, ["db", "web"].map(str::to_owned).into());
        known.learn(&context, &machine("a"), &RepositoryAnswer::List(Vec::new()));
        assert_eq!(repositories("default", None), "shop");
        known.forget(&context, &machine("b"), "shop");
        assert_eq!(repositories("default", None), "");
        fs::write(&path, "{").expect("it is written");
        assert_eq!(repositories("default", None), "");
        known.learn_services(&context, &machine("a"), "app", [].into_iter());
        assert_eq!(repositories("default", None), "app");
    }
}
