//! How a plan changes what the operator granted. Pure: it is told from the two generations, as the
//! files of the live one are now.

use std::collections::{BTreeMap, BTreeSet};

use super::generation::Generation;
use crate::bundle::{GrantChange, QuotaChange};
use crate::context::value::{Quota, RepositoryQuota};
use crate::layout;
use crate::ownership::{Grant, Repository, RepositoryGrants};

/// What changes for each repository, where anything does.
pub(super) fn changes(live: Option<&Generation>, wanted: &Generation) -> Vec<GrantChange> {
    let before = live.map(Granted::by).unwrap_or_default();
    let after = Granted::by(wanted);
    let repositories: BTreeSet<Repository> = [&before, &after]
        .into_iter()
        .flat_map(Granted::to)
        .collect();
    repositories
        .into_iter()
        .filter_map(|repository| {
            let nothing = BTreeSet::new();
            let had = before.grants.get(&repository).unwrap_or(&nothing);
            let has = after.grants.get(&repository).unwrap_or(&nothing);
            let quota = QuotaChange {
                before: before.quotas.get(&repository).copied(),
                after: after.quotas.get(&repository).copied(),
            };
            let change = GrantChange {
                repository,
                gets: has.difference(had).cloned().collect(),
                loses: had.difference(has).cloned().collect(),
                quota: (quota.before != quota.after).then_some(quota),
            };
            (!change.is_empty()).then_some(change)
        })
        .collect()
}

/// What one generation grants.
#[derive(Default)]
struct Granted {
    grants: BTreeMap<Repository, BTreeSet<Grant>>,
    quotas: BTreeMap<Repository, Quota>,
}

impl Granted {
    fn by(generation: &Generation) -> Self {
        let text = String::from_utf8_lossy(generation.file(layout::ROUTER_ENV).unwrap_or_default());
        // Somebody may have edited it: what cannot be understood grants nothing that can be told.
        let lists = words(&text, "REDIACC_OWNERS=").filter_map(|list| {
            let RepositoryGrants { repository, grants } = list.parse().ok()?;
            Some((repository, grants))
        });
        let quotas = words(&text, "REDIACC_QUOTAS=").filter_map(|quota| {
            let RepositoryQuota { repository, quota } = quota.parse().ok()?;
            Some((repository, quota?))
        });
        Self {
            grants: lists.collect(),
            quotas: quotas.collect(),
        }
    }

    fn to(&self) -> impl Iterator<Item = Repository> + '_ {
        self.grants.keys().chain(self.quotas.keys()).copied()
    }
}

/// The words of a variable in an environment file.
fn words<'a>(text: &'a str, variable: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim().strip_prefix(variable))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::context::Infra;
    use crate::render::{binds, render};

    fn generation(tables: &str) -> Generation {
        let infra = format!("public_ipv4 = '203.0.113.50'\n{tables}");
        let infra: Infra = toml_edit::de::from_str(&infra).expect("an infra");
        let binds = binds(&infra);
        let files = render(&infra, &binds, false).expect("it renders");
        let program = Path::new("/p");
        Generation::of(files, None, &binds, program, program).expect("a generation")
    }

    #[test]
    fn what_each_repository_gets_and_loses_is_told() {
        let full = "[owners]\n2816 = ['shop.example.com', 'tcp-25']\nhost = ['*']\n\
                    [quotas]\n2816 = 3\n";
        for (before, after, expected) in [
            (None, "", &[][..]),
            (Some(full), full, &[]),
            (
                None,
                full,
                &[
                    "2816 gets shop.example.com, tcp-25; its quota becomes 3 times the usual",
                    "host gets *",
                ],
            ),
            (
                Some(full),
                "[owners]\n2816 = ['shop.example.com', '10.0.0.0/24']\n[quotas]\n2816 = 4\n",
                &[
                    "2816 gets 10.0.0.0/24; it loses tcp-25; its quota becomes 4 times the usual",
                    "host loses *",
                ],
            ),
            (
                Some(full),
                "[owners]\n2816 = ['shop.example.com']\nhost = ['*']\n2880 = ['tcp-25']\n",
                &[
                    "2816 loses tcp-25; its quota becomes the usual",
                    "2880 gets tcp-25",
                ],
            ),
        ] {
            let before = before.map(generation);
            let told: Vec<String> = changes(before.as_ref(), &generation(after))
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(told, expected, "to {after}");
        }
    }
}
