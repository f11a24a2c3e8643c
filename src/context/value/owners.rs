//! What the operator grants to the repositories of one machine, and which grants cannot stand side
//! by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BaseDomain, InvalidValue, PortList};
use crate::network::NetworkId;
use crate::ownership::{Grant, Grants, HostName, InvalidGrant, Repository, RepositoryGrants};

/// How long all grants of a machine may be as one text, in bytes. A push carries them in one
/// argument and the route server gets them in one variable: Linux allows 128 KiB for either, and
/// as JSON they take more.
const LONGEST: usize = 48 * 1024;

/// What a list looks like, for whoever gave another one.
const VALID: &str = "ID=LIST, as 2816=shop.example.com,tcp-25";

/// The grants of one machine. Each repository in it has at least one, and whatever only one
/// repository can own is granted to one only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Grants", into = "Grants")]
pub struct Owners(Grants);

impl Owners {
    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The repositories, ascending, and what each was granted.
    pub fn iter(&self) -> impl Iterator<Item = (Repository, &BTreeSet<Grant>)> {
        self.0
            .iter()
            .map(|(repository, grants)| (*repository, grants))
    }

    /// Each repository with its grants in the spelling of the option.
    pub fn lists(&self) -> impl Iterator<Item = RepositoryGrants> + '_ {
        self.iter().map(|(repository, grants)| RepositoryGrants {
            repository,
            grants: grants.clone(),
        })
    }

    /// These grants with the lists of some repositories replaced; an empty list takes all back.
    pub fn with(self, lists: Vec<RepositoryGrants>) -> Result<Self, InvalidValue> {
        let Self(mut grants) = self;
        for list in lists {
            grants.insert(list.repository, list.grants);
        }
        grants.try_into()
    }

    /// The hosts that several repositories share, each serving some paths.
    pub fn shared_hosts(&self) -> BTreeMap<&HostName, Vec<Repository>> {
        let mut owners: BTreeMap<&HostName, Vec<Repository>> = BTreeMap::new();
        for (repository, grants) in self.iter() {
            for grant in grants {
                if let Grant::Name(host) = grant {
                    owners.entry(host).or_default().push(repository);
                }
            }
        }
        owners.retain(|_, owners| owners.len() > 1);
        owners
    }

    /// Refuses what would take automatic names from the repositories that they belong to.
    pub fn check_below(&self, base_domain: &BaseDomain) -> Result<(), InvalidValue> {
        let Ok(base) = base_domain.as_str().parse::<HostName>() else {
            return Ok(());
        };
        for (repository, grants) in self.iter() {
            for grant in grants {
                let problem = match grant {
                    Grant::Wildcard(domain) if *domain == base => format!(
                        "`{grant}` cannot be granted, to {repository} or any other: automatic \
                         names such as web-2816.{base} match it, and each of them belongs to the \
                         repository with its id"
                    ),
                    Grant::Name(host) => match automatic_owner(host, &base) {
                        Some(id) if Repository::from(id) != repository => format!(
                            "`{host}` cannot be granted to {repository}: it is an automatic name \
                             of {id}"
                        ),
                        _ => continue,
                    },
                    _ => continue,
                };
                return Err(InvalidValue::new(
                    problem,
                    "the names themselves, and no automatic name of another repository",
                ));
            }
        }
        Ok(())
    }
}

impl TryFrom<Grants> for Owners {
    type Error = InvalidValue;

    fn try_from(mut grants: Grants) -> Result<Self, InvalidValue> {
        grants.retain(|_, of_one| !of_one.is_empty());
        let mut exclusive: BTreeMap<&Grant, Repository> = BTreeMap::new();
        for (repository, of_one) in &grants {
            for grant in of_one {
                if let Grant::Port(listener) = grant {
                    is_free(grant, listener.port())?;
                }
                if !has_one_owner(grant) {
                    continue;
                }
                if let Some(other) = exclusive.insert(grant, *repository) {
                    return Err(InvalidValue::new(
                        format!("`{grant}` is granted to {other} and to {repository}"),
                        "each port, *.domain and * to one repository; several can share one host \
                         by its name",
                    ));
                }
            }
        }
        let owners = Self(grants);
        let length = owners.to_string().len();
        if length > LONGEST {
            return Err(InvalidValue::new(
                format!("the grants are {length} bytes long, and {LONGEST} is the most"),
                "*.domain instead of many names below it",
            ));
        }
        Ok(owners)
    }
}

impl From<Owners> for Grants {
    fn from(owners: Owners) -> Self {
        owners.0
    }
}

/// One list behind the other with a space between them, as the route server reads them.
impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, list) in self.lists().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{list}")?;
        }
        Ok(())
    }
}

impl From<InvalidGrant> for InvalidValue {
    fn from(error: InvalidGrant) -> Self {
        Self::new(error.to_string(), VALID)
    }
}

/// Whether only one repository can own it. A host can be shared by path, and addresses can be
/// reached by several.
fn has_one_owner(grant: &Grant) -> bool {
    match grant {
        Grant::Wildcard(_) | Grant::CatchAll | Grant::Port(_) => true,
        Grant::Name(_) | Grant::Network(_) => false,
    }
}

/// Refuses a port that can never be a repository's.
fn is_free(grant: &Grant, port: u16) -> Result<(), InvalidValue> {
    match port.to_string().parse::<PortList>() {
        Ok(_) => Ok(()),
        Err(error) => Err(InvalidValue::new(
            format!("`{grant}` cannot be granted: {error}"),
            error.valid(),
        )),
    }
}

/// The repository that a name belongs to by itself: `{service}-{id}.{base domain}`.
fn automatic_owner(host: &HostName, base: &HostName) -> Option<NetworkId> {
    if !host.is_directly_below(base) {
        return None;
    }
    let (label, _) = host.as_str().split_once('.')?;
    let (_, id) = label.rsplit_once('-')?;
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(lists: &[&str]) -> Result<Owners, InvalidValue> {
        let lists = lists.iter().map(|list| list.parse().expect(list)).collect();
        Owners::default().with(lists)
    }

    #[test]
    fn a_list_replaces_the_one_of_its_repository_alone() {
        let stored = owners(&["2816=a.example,tcp-25", "host=b.example"]).expect("grants");
        for (lists, expected) in [
            (&[][..], "2816=a.example,tcp-25 host=b.example"),
            (&["2816=c.example"], "2816=c.example host=b.example"),
            (&["2816="], "host=b.example"),
            (&["2816=", "host=", "2880="], ""),
            // A port goes from one to the other in one call.
            (
                &["2816=a.example", "2880=tcp-25"],
                "2816=a.example 2880=tcp-25 host=b.example",
            ),
        ] {
            let lists = lists.iter().map(|list| list.parse().expect(list)).collect();
            let changed = stored.clone().with(lists).expect("they go together");
            assert_eq!(changed.to_string(), expected);
        }
    }

    #[test]
    fn what_has_one_owner_is_granted_once() {
        for (lists, both) in [
            (
                ["2816=*", "2880=a.example,*"],
                "`*` is granted to 2816 and to 2880",
            ),
            (
                ["2816=tcp-25", "host=tcp-25"],
                "`tcp-25` is granted to 2816 and to host",
            ),
            (["2816=udp-53", "2880=udp-53"], "`udp-53`"),
            (
                ["2816=*.Example.org", "2880=*.example.org"],
                "`*.example.org`",
            ),
        ] {
            let error = owners(&lists).expect_err("they cannot both have it");
            assert!(error.to_string().contains(both), "{error}");
        }
        for lists in [
            ["2816=a.example", "2880=a.example"],
            ["2816=10.0.0.0/24", "2880=10.0.0.0/8"],
            [
                "2816=*.example.org",
                "2880=*.sub.example.org,shop.example.org",
            ],
            ["2816=tcp-53", "2880=udp-53"],
            ["2816=*", "2880=*.example.org"],
        ] {
            owners(&lists).unwrap_or_else(|error| panic!("{lists:?}: {error}"));
        }
    }

    #[test]
    fn a_port_that_is_not_a_repositorys_is_not_granted() {
        for (list, said) in [
            (
                "2816=tcp-443",
                "port 443 is taken by the entry point `websecure`",
            ),
            ("2816=udp-80", "`udp-80` cannot be granted"),
            ("2816=tcp-7111", "the route server"),
        ] {
            let error = owners(&[list]).expect_err(list);
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn automatic_names_stay_with_their_repository() {
        let base: BaseDomain = "example.com".parse().expect("a domain");
        for (list, refused) in [
            ("2816=*.example.com", Some("to 2816 or any other")),
            (
                "2816=web-2880.example.com",
                Some("an automatic name of 2880"),
            ),
            (
                "host=web-2880.example.com",
                Some("an automatic name of 2880"),
            ),
            ("2816=-2880.example.com", Some("an automatic name of 2880")),
            ("2816=web-2816.example.com", None),
            // No id, another domain, another level.
            ("2816=web-2817.example.com,web-02880.example.com", None),
            ("2816=web-2880.example.org,a.web-2880.example.com", None),
            ("2816=*.sub.example.com,example.com,*", None),
        ] {
            let checked = owners(&[list]).expect(list).check_below(&base);
            let error = checked.err().map(|error| error.to_string());
            match refused {
                None => assert_eq!(error, None, "{list}"),
                Some(said) => assert!(error.is_some_and(|it| it.contains(said)), "{list}"),
            }
        }
    }

    #[test]
    fn shared_hosts_are_those_of_several() {
        let owners = owners(&["2816=a.example,b.example", "2880=a.example"]).expect("grants");
        let shared: Vec<String> = owners
            .shared_hosts()
            .into_iter()
            .map(|(host, owners)| format!("{host} {owners:?}"))
            .collect();
        assert_eq!(shared.len(), 1, "{shared:?}");
        assert!(shared[0].starts_with("a.example "), "{shared:?}");
    }

    #[test]
    fn more_than_a_push_can_carry_is_refused() {
        let names: Vec<String> = (0..4000).map(|n| format!("{n}.shop.example.com")).collect();
        let list = format!("2816={}", names.join(","));
        let error = owners(&[&list]).expect_err("it is too long");
        assert!(error.to_string().contains("bytes long"), "{error}");
    }
}
