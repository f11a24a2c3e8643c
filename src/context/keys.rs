//! The keys of a context's text that mean nothing: most of them are known ones with a slip in them,
//! and what they say is not heard.
//!
//! Pure. Which keys there are is asked of the types that the text is parsed into. A value is never
//! looked at: that of a misspelt `cf_dns_token` is a token.

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor, value};
use serde::forward_to_deserialize_any;
use toml_edit::{Document, Item, Key, TableLike};

use super::file::Fields;
use super::{Infra, Machine};
use crate::traefik::labels::nearest;

/// A key that means nothing where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The line, from 1.
    pub line: usize,
    /// The key, as it is written.
    pub key: String,
    /// The table that it stands in, as `machines.server-1`; none at the top.
    pub table: Option<String>,
    /// What may have been meant.
    pub meant: Option<Meant>,
}

/// What an unknown key may have been meant to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// Another key of the same table.
    Key(&'static str),
    /// The same key in another table, as `machines.server-1.infra`.
    Table(String),
}

/// The unknown keys of a text, in its order. Of a text that is no TOML there are none: it is
/// refused by whoever parses it.
pub(super) fn unknown(text: &str) -> Vec<UnknownKey> {
    let Ok(document) = Document::parse(text) else {
        return Vec::new();
    };
    let mut found = Found {
        text,
        unknown: Vec::new(),
    };
    found.look_at_top(document.as_table());
    found.unknown.sort_by_key(|key| key.line);
    found.unknown
}

struct Found<'a> {
    text: &'a str,
    unknown: Vec<UnknownKey>,
}

impl Found<'_> {
    fn look_at_top(&mut self, top: &dyn TableLike) {
        self.look::<Fields>(top, None, &[]);
        let machines = top.get("machines").and_then(Item::as_table_like);
        for (name, machine) in machines.into_iter().flat_map(TableLike::iter) {
            let Some(machine) = machine.as_table_like() else {
                continue;
            };
            let path = format!("machines.{}", Key::new(name));
            let infra_path = format!("{path}.infra");
            self.look::<Machine>(machine, Some(&path), &[(&infra_path, keys::<Infra>())]);
            if let Some(infra) = machine.get("infra").and_then(Item::as_table_like) {
                self.look::<Infra>(infra, Some(&infra_path), &[(&path, keys::<Machine>())]);
            }
        }
    }

    /// Looks at a table that a type is parsed from, beside others where its keys may belong.
    fn look<T: DeserializeOwned>(
        &mut self,
        table: &dyn TableLike,
        path: Option<&str>,
        others: &[(&str, &[&str])],
    ) {
        let known = keys::<T>();
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(key)) {
            let span = table.key(key).and_then(Key::span);
            let before = &self.text[..span.map_or(0, |span| span.start)];
            let elsewhere = others.iter().find(|(_, keys)| keys.contains(&key));
            self.unknown.push(UnknownKey {
                line: before.matches('\n').count() + 1,
                key: key.to_owned(),
                table: path.map(ToOwned::to_owned),
                meant: match elsewhere {
                    Some((path, _)) => Some(Meant::Table((*path).to_owned())),
                    None => nearest(key, known).map(Meant::Key),
                },
            });
        }
    }
}

/// The keys of the table that a type is parsed from, as the type itself asks for them.
fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // It hears what it is asked for, and gives nothing.
    let _ = T::deserialize(Listener(&mut keys));
    keys
}

struct Listener<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, value::Error> {
        *self.0 = fields;
        Err(value::Error::custom("the keys are all that was wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("there are no keys"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::{Context, Reach};
    use super::*;

    const TEXT: &str = r#"# my servers
ssh_key = "/k"
flavour = "mint"
renet_pth = "/r"

[machines.b]
ip = "203.0.113.50"
user = "root"
prot = 2222
base_domain = "example.com"

[machines.b.infra]
base_domian = "example.com"
cf-dns-token = "s3cret"
user = "ann"

[machines."a.1"]
local = true
infra = { auto_route = false, "bind_ipv4" = "10.0.0.1" }

[machine.c]
local = true
"#;

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_what_was_meant() {
        let told: Vec<String> = unknown(TEXT)
            .into_iter()
            .map(|unknown| {
                let UnknownKey {
                    line,
                    key,
                    table,
                    meant,
                } = unknown;
                let table = table.unwrap_or_default();
                let meant = match meant {
                    None => String::new(),
                    Some(Meant::Key(key)) => key.to_owned(),
                    Some(Meant::Table(table)) => format!("[{table}]"),
                };
                format!("{line} [{table}] {key} -> {meant}")
            })
            .collect();
        assert_eq!(
            told,
            [
                "3 [] flavour -> ",
                "4 [] renet_pth -> renet_path",
                "9 [machines.b] prot -> port",
                "10 [machines.b] base_domain -> [machines.b.infra]",
                "13 [machines.b.infra] base_domian -> base_domain",
                "14 [machines.b.infra] cf-dns-token -> cf_dns_token",
                "15 [machines.b.infra] user -> [machines.b]",
                "19 [machines.\"a.1\".infra] auto_route -> auto_routes",
                "21 [] machine -> machines",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_has_no_keys() {
        assert_eq!(unknown("ssh_key = \nx = 1"), []);
    }

    #[test]
    fn every_table_that_is_written_is_looked_at() {
        // With a slip in each of its keys, no key of a written context is known any more: a table
        // that is not looked at would keep its own to itself.
        let machine = Machine {
            reach: Reach::Ssh {
                host: "203.0.113.50".parse().expect("a host"),
                user: "root".parse().expect("a user"),
                port: 2222,
            },
            datastore: "/d".into(),
            host_keys: Vec::new(),
            infra: Some(Infra {
                tcp_ports: "25".parse().expect("ports"),
                auto_routes: false,
                ..Infra::default()
            }),
        };
        let context = Context {
            name: "default".parse().expect("a name"),
            ssh_key: "/k".into(),
            renet_path: Some("/r".into()),
            machines: [("a".parse().expect("a name"), machine)].into(),
        };
        let text = file::create(&context).expect("it is written");
        assert_eq!(unknown(&text), []);
        let is_key = |line: &&str| line.contains(" = ");
        let slips: String = text
            .lines()
            .map(|line| match is_key(&line) {
                true => format!("x{line}\n"),
                false => format!("{line}\n"),
            })
            .collect();
        let lines = text.lines().filter(is_key).count();
        assert_eq!(unknown(&slips).len(), lines, "{slips}");
    }
}
