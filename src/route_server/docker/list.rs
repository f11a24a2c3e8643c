//! The list of containers. It is read one container at a time: one that is in a state that nobody
//! has heard of, or made of something else, costs itself. Only what routes depend on is kept, and
//! of that no more than there can be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tracing::warn;

use super::client::Most;
use super::labels::Labels;
use crate::printable::{LONGEST_SHOWN, shortened};

/// A list of ten thousand containers has some 20 MB.
pub(super) const MOST: Most = Most {
    what: "list",
    bytes: 64 << 20,
};

/// The most containers of one engine. A thousand are many.
const MOST_CONTAINERS: usize = 1 << 16;
/// The most that are remembered of those that cannot be read.
const MOST_FAULTS: usize = 100;
/// The longest id. Engines have 64 hexadecimal digits.
pub(super) const LONGEST_ID: usize = 128;
/// The most names of a container, most of them other containers' links to it.
const MOST_NAMES: usize = 256;
/// The most ports of a container: each may be published on several addresses.
const MOST_PORTS: usize = 1 << 18;
/// The most networks of a container.
const MOST_NETWORKS: usize = 256;

/// One container of the list. What an engine has no answer for, it omits or says null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) names: First<String, MOST_NAMES>,
    #[serde(rename = "ImageID")]
    pub(super) image_id: Option<String>,
    pub(super) created: Option<i64>,
    #[serde(default)]
    pub(super) ports: First<Port, MOST_PORTS>,
    #[serde(default)]
    pub(super) labels: Labels,
    pub(super) state: Option<String>,
    pub(super) status: Option<String>,
    pub(super) health: Option<Health>,
    pub(super) host_config: Option<HostConfig>,
    pub(super) network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Port {
    pub(super) private_port: u16,
    #[serde(rename = "Type")]
    pub(super) protocol: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Health {
    pub(super) status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    pub(super) network_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    #[serde(default)]
    pub(super) networks: Networks,
}

#[derive(Debug, Deserialize)]
pub(super) struct Network {
    #[serde(rename = "IPAddress")]
    pub(super) ip_address: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    pub(super) global_ipv6_address: Option<String>,
}

/// A container's networks, ordered by name.
#[derive(Debug, Default)]
pub(super) struct Networks(pub(super) BTreeMap<String, Option<Network>>);

/// The first `MOST` of a list; the rest is passed over.
#[derive(Debug)]
pub(super) struct First<T, const MOST: usize>(pub(super) Vec<T>);

impl<T, const MOST: usize> Default for First<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The containers that could not be read, as far as that was said already.
#[derive(Default)]
pub(super) struct Unreadable(BTreeSet<String>);

/// The containers of a list.
pub(super) fn read(
    body: &[u8],
    unreadable: &mut Unreadable,
) -> Result<Vec<Summary>, serde_json::Error> {
    let Entries { summaries, faults } = serde_json::from_slice(body)?;
    for fault in faults.difference(&unreadable.0) {
        warn!("a container cannot be read and has no routes: {fault}");
    }
    unreadable.0 = faults;
    Ok(summaries)
}

struct Entries {
    summaries: Vec<Summary>,
    faults: BTreeSet<String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of containers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
                let mut entries = Entries {
                    summaries: Vec::new(),
                    faults: BTreeSet::new(),
                };
                let mut count = 0;
                while let Some(entry) = list.next_element::<&RawValue>()? {
                    count += 1;
                    if count > MOST_CONTAINERS {
                        return Err(de::Error::custom(format!(
                            "there are more than {MOST_CONTAINERS} containers"
                        )));
                    }
                    match serde_json::from_str(entry.get()) {
                        Ok(summary) => entries.summaries.push(summary),
                        Err(error) if entries.faults.len() < MOST_FAULTS => {
                            let fault = fault(&error, entry.get());
                            entries.faults.insert(fault);
                        }
                        Err(_) => {}
                    }
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_seq(All)
    }
}

/// What is wrong, and how the container begins.
fn fault(error: &serde_json::Error, entry: &str) -> String {
    let beginning: String = entry.chars().take(100).collect();
    shortened(&format!("{error}: {beginning}"), LONGEST_SHOWN).into_owned()
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_plain) {
        Ok(id)
    } else {
        Err(de::Error::custom("its id is none"))
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for First<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = First<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or null")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(First::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut first = Vec::new();
                while first.len() < MOST {
                    match list.next_element()? {
                        Some(item) => first.push(item),
                        None => return Ok(First(first)),
                    }
                }
                while list.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }
        deserializer.deserialize_any(Items(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;
        impl<'de> Visitor<'de> for Named {
            type Value = Networks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("networks by name, or null")
            }

            fn visit_unit<E>(self) -> Result<Networks, E> {
                Ok(Networks::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Networks, A::Error> {
                let mut networks = BTreeMap::new();
                while networks.len() < MOST_NETWORKS {
                    match map.next_entry()? {
                        Some((name, network)) => networks.insert(name, network),
                        None => return Ok(Networks(networks)),
                    };
                }
                while map
                    .next_entry::<de::IgnoredAny, de::IgnoredAny>()?
                    .is_some()
                {}
                Ok(Networks(networks))
            }
        }
        deserializer.deserialize_any(Named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_cannot_be_read_costs_itself() {
        let long = format!("{{\"Id\": \"{}\"}}", "1".repeat(1000));
        let body = format!(
            r#"[
            {{"Id": "good", "State": "running"}},
            {{"Id": 1}},
            {{"Id": "\u001b[2J"}},
            {{"Id": ""}},
            null,
            {long},
            {{"Id": "odd", "State": "configured", "Ports": [{{"PrivatePort": 1, "Type": "quic"}}],
             "Labels": null, "NetworkSettings": {{"Networks": {{"a": null}}}}, "Unheard": {{}}}},
            {{"Id": "empty", "Names": null, "Ports": null, "NetworkSettings": {{"Networks": null}}}}
        ]"#
        );
        let mut unreadable = Unreadable::default();
        let summaries = read(body.as_bytes(), &mut unreadable).expect("a list");
        let ids: Vec<_> = summaries.iter().map(|summary| &summary.id).collect();
        assert_eq!(ids, ["good", "odd", "empty"]);
        assert_eq!(unreadable.0.len(), 5);
        for fault in &unreadable.0 {
            assert!(fault.chars().count() <= LONGEST_SHOWN, "{fault}");
            assert!(!fault.chars().any(char::is_control), "{fault}");
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for body in [&b""[..], b"{}", b"[{\"Id\": \"", b"\0garbage"] {
            assert!(read(body, &mut Unreadable::default()).is_err());
        }
    }

    #[test]
    fn no_list_takes_more_memory_than_it_has_containers() {
        let many = format!("[{}1]", "1,".repeat(MOST_CONTAINERS));
        let error = read(many.as_bytes(), &mut Unreadable::default()).expect_err("too many");
        assert!(error.to_string().contains("more than 65536"), "{error}");

        let faults: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
        let mut unreadable = Unreadable::default();
        read(
            format!("[{}]", faults.join(",")).as_bytes(),
            &mut unreadable,
        )
        .expect("a list");
        assert_eq!(unreadable.0.len(), MOST_FAULTS);

        let names = vec!["\"/a\""; MOST_NAMES + 1000].join(",");
        let body = format!("[{{\"Id\": \"a\", \"Names\": [{names}]}}]");
        let summaries = read(body.as_bytes(), &mut unreadable).expect("a list");
        assert_eq!(summaries[0].names.0.len(), MOST_NAMES);
    }
}
