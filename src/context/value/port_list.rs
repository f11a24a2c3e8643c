//! The ports that the operator lists beside the preconfigured ones.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidValue;
use crate::layout;

/// A set of ports, shown as a comma list with ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "Vec<u16>")]
pub struct PortList(BTreeSet<u16>);

impl PortList {
    /// The ports, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }

    /// Whether no port is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for PortList {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut ports = BTreeSet::new();
        for item in text.split(',') {
            let (first, last) = match item.split_once('-') {
                Some((first, last)) => (port(first, item)?, port(last, item)?),
                None => (port(item, item)?, port(item, item)?),
            };
            if first > last {
                return Err(invalid(format!("`{}` runs backwards", item.trim())));
            }
            if let Some((taken, by)) = TAKEN
                .iter()
                .find(|(taken, _)| (first..=last).contains(taken))
            {
                return Err(invalid(if first == last {
                    format!("port {taken} is taken by {by}")
                } else {
                    format!("`{}` holds port {taken}, taken by {by}", item.trim())
                }));
            }
            ports.extend(first..=last);
        }
        Ok(Self(ports))
    }
}

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if(|next| last.checked_add(1) == Some(*next)) {
                last = next;
            }
            // Two neighbours read better as two ports than as a range.
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                1 => write!(f, "{separator}{first},{last}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

impl From<PortList> for Vec<u16> {
    fn from(list: PortList) -> Self {
        list.iter().collect()
    }
}

/// The ways in which a list may be written in a file: `"25,143"`, or `[25, "10000-10010"]`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected ports, as [25, 143, \"10000-10010\"]")]
enum Spelling {
    Text(String),
    Items(Vec<Item>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Port(i64),
    Text(String),
}

impl TryFrom<Spelling> for PortList {
    type Error = InvalidValue;

    fn try_from(spelling: Spelling) -> Result<Self, InvalidValue> {
        let text = match spelling {
            Spelling::Text(text) => text,
            Spelling::Items(items) if items.is_empty() => return Ok(Self::default()),
            Spelling::Items(items) => {
                let items = items.into_iter().map(|item| match item {
                    Item::Port(port) => port.to_string(),
                    Item::Text(text) => text,
                });
                items.collect::<Vec<_>>().join(",")
            }
        };
        text.parse()
    }
}

const TAKEN: [(u16, &str); 4] = [
    (80, "the entry point `web`"),
    (443, "the entry point `websecure`"),
    (layout::ROUTE_SERVER.port(), "the route server"),
    (layout::TRAEFIK_PING.port(), "Traefik's ping"),
];

fn port(text: &str, item: &str) -> Result<u16, InvalidValue> {
    let text = text.trim();
    // `+25` parses as a number, but is nothing that anybody means.
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port != 0 && plain => Ok(port),
        _ => Err(invalid(format!("`{}` is not a port", item.trim()))),
    }
}

fn invalid(problem: String) -> InvalidValue {
    InvalidValue::new(
        problem,
        "ports from 1 to 65535 and ranges, but 80, 443, 7111 and 7112, as 25,143,10000-10010",
    )
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_list_is_sorted_and_holds_each_port_once() {
        check::parses::<PortList>(&[
            ("25,143,465,587,993", "25,143,465,587,993"),
            (" 993, 25 ,25", "25,993"),
            ("10000-10010,10005-10012", "10000-10012"),
            ("25,26", "25,26"),
            ("25-27", "25-27"),
            ("1,65533-65535", "1,65533-65535"),
        ]);
    }

    #[test]
    fn what_cannot_be_a_listed_port_is_refused() {
        check::refuses::<PortList>(&[
            ("", "`` is not a port"),
            ("25,", "`` is not a port"),
            ("0", "`0` is not a port"),
            ("65536", "not a port"),
            ("+25", "not a port"),
            ("smtp", "not a port"),
            ("25-", "`25-` is not a port"),
            ("1-2-3", "not a port"),
            ("20-10", "backwards"),
            ("80", "port 80 is taken by the entry point `web`"),
            ("25,443", "websecure"),
            ("7111", "the route server"),
            ("7112", "ping"),
            ("7000-8000", "`7000-8000` holds port 7111"),
        ]);
    }
}
