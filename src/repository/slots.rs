//! The slots of a repository's services. Pure: `slots_text` has the text of `.rediacc.json`, and
//! `slots_file` the file.
//!
//! An assigned slot stays, even if its service is removed. Unknown keys of the file keep their text and
//! their place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::variable::variable;
use crate::network::NetworkId;

/// A repository's services with their slots.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    pub(super) services: Vec<Service>,
    /// The unknown keys before and after `services`.
    pub(super) before: Vec<Unknown>,
    pub(super) after: Vec<Unknown>,
}

/// A service in the file.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) slot: Option<u8>,
    pub(super) unknown: Vec<Unknown>,
}

/// An unknown key, with the text of its value.
pub(super) type Unknown = (String, Box<RawValue>);

impl Slots {
    /// The services that have a slot, in the slots' order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u8)> {
        let by_slot: BTreeMap<u8, &str> = self
            .services
            .iter()
            .filter_map(|service| Some((service.slot?, service.name.as_str())))
            .collect();
        by_slot.into_iter().map(|(slot, name)| (name, slot))
    }

    /// The slot of a service.
    pub fn slot(&self, service: &str) -> Option<u8> {
        let found = self.services.iter().find(|known| known.name == service);
        found.and_then(|service| service.slot)
    }

    /// Assigns a slot to each of these services that has none: the lowest free one, in their order.
    /// Returns whether anything changed. If it fails, nothing did.
    pub fn assign(&mut self, services: &[String]) -> Result<bool, AssignError> {
        self.check_variables(services)?;
        let new: Vec<&String> = services
            .iter()
            .filter(|name| self.slot(name).is_none())
            .collect();
        let taken: BTreeSet<u8> = self.iter().map(|(_, slot)| slot).collect();
        let free: Vec<u8> = (0..NetworkId::SLOTS)
            .filter(|slot| !taken.contains(slot))
            .collect();
        if new.len() > free.len() {
            return Err(AssignError::Full {
                services: services.len(),
                without: new[free.len()].clone(),
                unused: self
                    .iter()
                    .filter(|(name, _)| !services.iter().any(|service| service == name))
                    .map(|(name, _)| name.to_owned())
                    .collect(),
            });
        }
        for (name, slot) in new.iter().zip(free) {
            match self.services.iter_mut().find(|known| known.name == **name) {
                Some(known) => known.slot = Some(slot),
                None => self.services.push(Service {
                    name: (*name).clone(),
                    slot: Some(slot),
                    unknown: Vec::new(),
                }),
            }
        }
        Ok(!new.is_empty())
    }

    /// Refuses two services with the same variable.
    fn check_variables(&self, services: &[String]) -> Result<(), AssignError> {
        let known = self.services.iter().map(|service| &service.name);
        let mut by_variable: BTreeMap<String, &str> = BTreeMap::new();
        for name in services.iter().chain(known) {
            match by_variable.insert(variable(name), name) {
                Some(other) if other != name => {
                    return Err(AssignError::SameVariable {
                        variable: variable(name),
                        services: [other.to_owned(), name.clone()],
                        gone: (!services.contains(name)).then(|| name.clone()),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why services cannot get slots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    /// All slots are assigned.
    #[error(
        "service `{without}` gets no address: a repository has {} slots, all are assigned, and this \
         project has {services} services",
        NetworkId::SLOTS
    )]
    Full {
        /// How many services the project has.
        services: usize,
        /// The first service for which there is no slot.
        without: String,
        /// Services that have a slot and are not in this project.
        unused: Vec<String>,
    },
    /// Two services have the same variable.
    #[error("services `{}` and `{}` have the same variable {variable}", services[0], services[1])]
    SameVariable {
        /// The variable.
        variable: String,
        /// The services.
        services: [String; 2],
        /// The one that is not in this project any more, but still has a slot.
        gone: Option<String>,
    },
}

impl AssignError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Full { unused, .. } if unused.is_empty() => {
                "move some services into another repository".to_owned()
            }
            Self::Full { unused, .. } => format!(
                "remove from .rediacc.json what is not needed any more: these have a slot, but are not in \
                 this project: {}",
                unused.join(", ")
            ),
            Self::SameVariable {
                gone: Some(gone), ..
            } => format!("remove `{gone}` from .rediacc.json if it is not needed any more"),
            Self::SameVariable { services, .. } => format!("rename `{}`", services[1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(text: &str) -> Slots {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    fn pairs(slots: &Slots) -> Vec<(&str, u8)> {
        slots.iter().collect()
    }

    #[test]
    fn new_services_get_the_lowest_free_slots_and_known_ones_keep_theirs() {
        for (text, services, expected) in [
            ("{}", &["b", "a"][..], &[("b", 0), ("a", 1)][..]),
            // One that is away keeps its slot, and has it when it comes back.
            (
                r#"{"services": {"a": {"slot": 1}, "away": {"slot": 0}}}"#,
                &["a", "c"],
                &[("away", 0), ("a", 1), ("c", 2)],
            ),
            (
                r#"{"services": {"z": {"slot": 60}, "y": {}}}"#,
                &["y", "z"],
                &[("y", 0), ("z", 60)],
            ),
        ] {
            let mut found = slots(text);
            assert_eq!(found.assign(&names(services.iter().copied())), Ok(true));
            assert_eq!(pairs(&found), expected, "{text}");
            assert_eq!(found.assign(&names(services.iter().copied())), Ok(false));
            let again = slots(&found.to_string());
            assert_eq!(pairs(&again), expected, "what is written is read alike");
        }
    }

    #[test]
    fn the_62nd_service_is_refused_and_nothing_changes() {
        let all: Vec<String> = (0..61).map(|index| format!("s{index:02}")).collect();
        let mut found = Slots::default();
        assert_eq!(found.assign(&all), Ok(true));
        assert_eq!(found.iter().last(), Some(("s60", 60)));

        let mut more = all[2..].to_vec();
        more.extend(names(["x", "y", "z"]));
        let before = found.to_string();
        let refused = found.assign(&more).expect_err("there is no slot");
        assert_eq!(found.to_string(), before);
        let unused = vec!["s00".to_owned(), "s01".to_owned()];
        let expected = AssignError::Full {
            services: 62,
            without: "x".to_owned(),
            unused,
        };
        assert_eq!(refused, expected);
        assert!(refused.hint().contains("s00, s01"), "{}", refused.hint());
    }

    #[test]
    fn two_services_with_one_variable_are_refused_by_both_names() {
        for (text, services, both, hint) in [
            ("{}", &["a-b", "a_b"][..], ["a-b", "a_b"], "rename `a_b`"),
            ("{}", &["web.2", "web_2"], ["web.2", "web_2"], "rename"),
            ("{}", &["Web", "web"], ["Web", "web"], "rename"),
            (
                r#"{"services": {"a_b": {"slot": 0}}}"#,
                &["a-b"],
                ["a-b", "a_b"],
                "remove `a_b` from .rediacc.json",
            ),
        ] {
            let refused = slots(text).assign(&names(services.iter().copied()));
            let refused = refused.expect_err("they collide");
            let message = refused.to_string();
            for name in both {
                assert!(message.contains(&format!("`{name}`")), "{message}");
            }
            assert!(refused.hint().contains(hint), "{}", refused.hint());
        }
    }
}
