//! Reads and writes the text of `.rediacc.json`. Pure. Errors have line and column. Source of the format:
//! the conventions of rediacc, `{"services": {NAME: {"slot": N}}}`.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::slots::{Service, Slots, Unknown};
use super::variable::variable;
use crate::network::NetworkId;

impl FromStr for Slots {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let slots = deserializer.deserialize_map(FileVisitor)?;
        deserializer.end()?;
        Ok(slots)
    }
}

/// The file's text.
impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\n")?;
        for (key, value) in &self.before {
            writeln!(f, "  {}: {value},", quoted(key))?;
        }
        f.write_str("  \"services\": {")?;
        for (index, service) in self.services.iter().enumerate() {
            f.write_str(if index == 0 { "\n" } else { ",\n" })?;
            write!(f, "    {}: {{", quoted(&service.name))?;
            let slot = service
                .slot
                .map(|slot| ("slot".to_owned(), slot.to_string()));
            let unknown = service
                .unknown
                .iter()
                .map(|(key, value)| (key.clone(), value.get().to_owned()));
            let mut separator = "";
            for (key, value) in slot.into_iter().chain(unknown) {
                write!(f, "{separator}{}: {value}", quoted(&key))?;
                separator = ", ";
            }
            f.write_char('}')?;
        }
        f.write_str(if self.services.is_empty() {
            "}"
        } else {
            "\n  }"
        })?;
        for (key, value) in &self.after {
            write!(f, ",\n  {}: {value}", quoted(key))?;
        }
        f.write_str("\n}\n")
    }
}

fn quoted(text: &str) -> serde_json::Value {
    serde_json::Value::from(text)
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = Slots;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `services`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slots, A::Error> {
        let mut slots = Slots::default();
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "services" {
                slots.services = map.next_value_seed(ServicesVisitor)?;
            } else if seen.contains("services") {
                slots.after.push((key.clone(), map.next_value()?));
            } else {
                slots.before.push((key.clone(), map.next_value()?));
            }
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("`{key}` is there twice")));
            }
        }
        Ok(slots)
    }
}

struct ServicesVisitor;

impl<'de> DeserializeSeed<'de> for ServicesVisitor {
    type Value = Vec<Service>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Service>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ServicesVisitor {
    type Value = Vec<Service>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of services")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Service>, A::Error> {
        let mut services: Vec<Service> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let fault = if !is_service_name(&name) {
                Some(format!("{name:?} is not the name of a service"))
            } else {
                services.iter().find_map(|other| {
                    if other.name == name {
                        Some(format!("service `{name}` is there twice"))
                    } else if variable(&other.name) == variable(&name) {
                        let variable = variable(&name);
                        let both = format!("`{}` and `{name}`", other.name);
                        Some(format!("{both} have the same variable {variable}"))
                    } else {
                        None
                    }
                })
            };
            if let Some(fault) = fault {
                return Err(A::Error::custom(fault));
            }
            let service = map.next_value_seed(ServiceVisitor {
                name,
                others: &services,
            })?;
            services.push(service);
        }
        Ok(services)
    }
}

struct ServiceVisitor<'a> {
    name: String,
    others: &'a [Service],
}

impl<'de> DeserializeSeed<'de> for ServiceVisitor<'_> {
    type Value = Service;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Service, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ServiceVisitor<'_> {
    type Value = Service;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object as `{{\"slot\": 0}}` for `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Service, A::Error> {
        let Self { name, others } = self;
        let (mut slot, mut unknown): (Option<u8>, Vec<Unknown>) = (None, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            if slot.is_some() && key == "slot" || unknown.iter().any(|(known, _)| *known == key) {
                map.next_value::<IgnoredAny>()?;
                let fault = format!("`{key}` of `{name}` is there twice");
                return Err(A::Error::custom(fault));
            }
            if key == "slot" {
                slot = Some(map.next_value_seed(SlotVisitor)?);
            } else {
                unknown.push((key, map.next_value()?));
            }
            let holder = others
                .iter()
                .find(|other| slot.is_some() && other.slot == slot);
            if let (Some(slot), Some(holder)) = (slot, holder) {
                let fault = format!("slot {slot} of `{name}` is `{}`'s", holder.name);
                return Err(A::Error::custom(fault));
            }
        }
        Ok(Service {
            name,
            slot,
            unknown,
        })
    }
}

struct SlotVisitor;

impl<'de> DeserializeSeed<'de> for SlotVisitor {
    type Value = u8;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<u8, D::Error> {
        from.deserialize_u64(self)
    }
}

impl Visitor<'_> for SlotVisitor {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a slot from 0 to {}", NetworkId::SLOTS - 1)
    }

    fn visit_u64<E: serde::de::Error>(self, slot: u64) -> Result<u8, E> {
        let found = u8::try_from(slot).ok();
        found
            .filter(|slot| *slot < NetworkId::SLOTS)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(slot), &self))
    }
}

/// As Compose has it.
fn is_service_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(text: &str) -> Slots {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_not_ours_keeps_its_text_and_its_place() {
        let text = r#"{
  "version": 1,
  "services": {
    "b": {"slot": 3, "owner": {"name": "x",   "n": 1.0e2}},
    "a": {"slot": 1}
  },
  "zeta": [1,
    2],
  "alpha": null
}
"#;
        let mut found = slots(text);
        assert_eq!(found.to_string(), text);
        assert_eq!(found.assign(&["new".to_owned()]), Ok(true));
        let expected = text.replace(
            r#""a": {"slot": 1}"#,
            "\"a\": {\"slot\": 1},\n    \"new\": {\"slot\": 0}",
        );
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn a_fault_is_named_with_its_line_and_column() {
        for (text, expected) in [
            (
                "{\n \"services\": {,}}",
                "key must be a string at line 2 column 15",
            ),
            ("", "EOF while parsing a value at line 1 column 0"),
            (
                "[]",
                "expected an object with `services` at line 1 column 0",
            ),
            ("{}x", "trailing characters at line 1 column 3"),
            (
                "{\"services\": []}",
                "expected an object of services at line 1 column 1",
            ),
            ("{\"services\": {\n\"a\": 3}}", "for `a` at line 2 column 6"),
            (
                "{\"services\": {\n\"a\": {\"slot\": \"1\"}}}",
                "expected a slot from 0 to 60 at line 2",
            ),
            (
                "{\"services\": {\n\"a\": {\"slot\": 61}}}",
                "integer `61`, expected a slot from 0 to 60 at line 2",
            ),
            (
                "{\"services\": {\n\"a\": {\"slot\": -1}}}",
                "expected a slot from 0 to 60 at line 2",
            ),
            (
                "{\"services\": {\"a\": {\"slot\": 1},\n\"b\": {\"slot\": 1}}}",
                "slot 1 of `b` is `a`'s at line 2",
            ),
            (
                "{\"services\": {\"a\": {\"slot\": 1},\n\"a\": {}}}",
                "service `a` is there twice at line 2",
            ),
            (
                "{\"services\": {\"a-b\": {},\n\"a_b\": {}}}",
                "have the same variable A_B_IP at line 2",
            ),
            (
                "{\"services\": {\"a b\": {}}}",
                "\"a b\" is not the name of a service at line 1",
            ),
            (
                "{\"services\": {},\n\"services\": {}}",
                "`services` is there twice at line 2",
            ),
        ] {
            let fault = text.parse::<Slots>().expect_err(text).to_string();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }
}
