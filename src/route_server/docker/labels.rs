//! The labels of a container in the list: those that routes are made of, as far as they are of a
//! size that somebody writes. The others would only cost memory, here, on disk and in logs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::printable::{LONGEST_SHOWN, shortened};
use crate::repository::daemon::ONE_OFF;
use crate::route_server::container::Oversized;

/// Whose labels are kept.
const ROOTS: [&str; 2] = ["traefik.", "rediacc."];
const OF_COMPOSE: [&str; 3] = [
    "com.docker.compose.project",
    "com.docker.compose.service",
    ONE_OFF,
];

/// The labels that were kept.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) kept: BTreeMap<String, String>,
    /// Why none were.
    pub(super) oversized: Option<Oversized>,
}

/// In any case, and behind blanks: whoever writes `Traefik.enable` is to hear that it is an error.
pub(super) fn is_ours(label: &str) -> bool {
    let label = label.trim_start();
    ROOTS.iter().any(|root| {
        let head = label.as_bytes().get(..root.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(root.as_bytes()))
    })
}

/// Text that is copied only where it is kept.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Relevant;
        impl<'de> Visitor<'de> for Relevant {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels, or null")
            }

            fn visit_unit<E>(self) -> Result<Labels, E> {
                Ok(Labels::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Labels::default();
                let mut bytes = 0;
                while let Some((Text(label), Text(value))) = map.next_entry()? {
                    if !is_ours(&label) && !OF_COMPOSE.contains(&&*label) {
                        continue;
                    }
                    let size = label.len() + value.len();
                    bytes += size;
                    if size > Oversized::MOST_OF_ONE {
                        labels.oversized.get_or_insert_with(|| Oversized::Label {
                            label: shortened(&label, LONGEST_SHOWN).into_owned(),
                            bytes: size,
                        });
                    }
                    if bytes <= Oversized::MOST_OF_ALL && labels.oversized.is_none() {
                        labels.kept.insert(label.into_owned(), value.into_owned());
                    }
                }
                if bytes > Oversized::MOST_OF_ALL {
                    labels
                        .oversized
                        .get_or_insert(Oversized::Together { bytes });
                }
                if labels.oversized.is_some() {
                    labels.kept.clear();
                }
                Ok(labels)
            }
        }
        deserializer.deserialize_any(Relevant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(labels: &serde_json::Value) -> Labels {
        serde_json::from_str(&labels.to_string()).expect("labels")
    }

    #[test]
    fn only_what_routes_are_made_of_is_kept() {
        let labels = read(&json!({
            "traefik.enable": "true",
            " traefik.enable": "true",
            "Traefik.Enable": "true",
            "rediacc.service_name": "\u{e9}\n",
            "com.docker.compose.service": "web",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.config-hash": "1f",
            "traefikx": "1",
            "maintainer": "x".repeat(Oversized::MOST_OF_ALL),
        }));
        assert_eq!(labels.oversized, None);
        let kept: Vec<_> = labels.kept.keys().collect();
        assert_eq!(
            kept,
            [
                " traefik.enable",
                "Traefik.Enable",
                "com.docker.compose.oneoff",
                "com.docker.compose.service",
                "rediacc.service_name",
                "traefik.enable",
            ]
        );
        assert_eq!(labels.kept["rediacc.service_name"], "\u{e9}\n");
    }

    #[test]
    fn of_labels_that_are_too_large_nothing_is_kept_but_which_and_how_large() {
        let most = Oversized::MOST_OF_ONE - "traefik.a".len();
        let labels = read(&json!({"traefik.a": "x".repeat(most)}));
        assert_eq!((labels.kept.len(), labels.oversized), (1, None));

        let labels = read(&json!({"traefik.a": "x".repeat(most + 1), "traefik.enable": "1"}));
        let expected = Oversized::Label {
            label: "traefik.a".to_owned(),
            bytes: Oversized::MOST_OF_ONE + 1,
        };
        assert_eq!((labels.kept.len(), labels.oversized), (0, Some(expected)));

        let long = format!("traefik.\u{1b}{}", "x".repeat(1 << 20));
        let labels = read(&json!({ long: "" }));
        let Some(Oversized::Label { label, .. }) = labels.oversized else {
            panic!("{labels:?}");
        };
        assert!(label.starts_with("traefik.\\u{1b}xx"), "{label}");
        assert!(label.chars().count() <= LONGEST_SHOWN);

        let labels: serde_json::Map<_, _> = (0..40)
            .map(|number| (format!("traefik.{number}"), "x".repeat(7000).into()))
            .collect();
        let labels = read(&labels.into());
        assert_eq!(labels.kept.len(), 0);
        assert!(matches!(labels.oversized, Some(Oversized::Together { .. })));
    }
}
