//! Our units as systemd sees them: their state, since when, and how often they were started again.

use std::collections::BTreeMap;

use super::super::plan::UNITS;
use super::super::{observe, systemd};
use crate::bundle::{Failure, Unit};

const PROPERTIES: [&str; 3] = ["ActiveState", "StateChangeTimestamp", "NRestarts"];

pub(super) fn units() -> Result<Vec<Unit>, Failure> {
    let shown = systemd::show(&UNITS, &PROPERTIES)?;
    UNITS
        .into_iter()
        .zip(&shown)
        .map(|(name, properties)| Ok(unit(name, properties, observe::is_enabled(name)?)))
        .collect()
}

fn unit(name: &str, properties: &BTreeMap<String, String>, enabled: bool) -> Unit {
    let value = |key: &str| properties.get(key).map_or("", String::as_str);
    let state = match value("ActiveState") {
        "" => "unknown",
        state => state,
    };
    Unit {
        name: name.to_owned(),
        state: state.to_owned(),
        enabled,
        since: rfc3339(value("StateChangeTimestamp")),
        // Sockets have no such count.
        restarts: value("NRestarts").parse().unwrap_or(0),
    }
}

/// systemd's `Sun 2026-11-22 18:50:24 UTC` in RFC 3339; none where the unit never was anything.
fn rfc3339(shown: &str) -> Option<String> {
    let mut words = shown.split_whitespace().skip(1);
    let (date, time) = (words.next()?, words.next()?);
    (words.next() == Some("UTC")).then(|| format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_what_systemd_shows_of_it() {
        for (properties, state, since, restarts) in [
            (
                &[
                    ("ActiveState", "active"),
                    ("StateChangeTimestamp", "Sun 2026-11-22 18:50:24 UTC"),
                    ("NRestarts", "3"),
                ][..],
                "active",
                Some("2026-11-22T18:50:24Z"),
                3,
            ),
            (
                &[("ActiveState", "inactive"), ("StateChangeTimestamp", "")],
                "inactive",
                None,
                0,
            ),
            (
                &[("StateChangeTimestamp", "Sun 2026-11-22 18:50:24 CET")],
                "unknown",
                None,
                0,
            ),
        ] {
            let properties = properties.iter();
            let properties = properties
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            let expected = Unit {
                name: "a.service".to_owned(),
                state: state.to_owned(),
                enabled: true,
                since: since.map(str::to_owned),
                restarts,
            };
            assert_eq!(unit("a.service", &properties, true), expected);
        }
    }
}
