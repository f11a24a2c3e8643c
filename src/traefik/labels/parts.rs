//! What a node is made of: the fields of a struct, the entries of a map, the elements of a list,
//! the two sides of a switch.

use serde::de::value::{BoolDeserializer, BorrowedStrDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::de::{Place, value_of};
use super::fault::{Fault, unknown_key};
use super::tree::Node;

/// The fields of a struct, by their names in any case.
pub(super) struct Fields<'t, 'a> {
    children: std::slice::Iter<'t, Node<'a>>,
    current: Option<&'t Node<'a>>,
    fields: &'static [&'static str],
}

impl<'t, 'a> Fields<'t, 'a> {
    pub(super) fn of(node: &'t Node<'a>, fields: &'static [&'static str]) -> Self {
        Self {
            children: node.children.iter(),
            current: None,
            fields,
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(child) = self.children.next() else {
            return Ok(None);
        };
        self.current = Some(child);
        let field = self
            .fields
            .iter()
            .find(|field| field.eq_ignore_ascii_case(child.name))
            .ok_or_else(|| unknown_key(child, self.fields))?;
        seed.deserialize(BorrowedStrDeserializer::new(field))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        value_of(self.current, Place::Field, seed)
    }
}

/// The entries of a map, by their names as written.
pub(super) struct Entries<'t, 'a> {
    children: std::slice::Iter<'t, Node<'a>>,
    current: Option<&'t Node<'a>>,
}

impl<'t, 'a> Entries<'t, 'a> {
    pub(super) fn of(node: &'t Node<'a>) -> Self {
        Self {
            children: node.children.iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.children.next();
        self.current
            .map(|child| seed.deserialize(BorrowedStrDeserializer::new(child.name)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        value_of(self.current, Place::Entry, seed)
    }
}

/// The elements of a list of structs, or of a plugin's list.
pub(super) struct Items<'t, 'a> {
    children: std::slice::Iter<'t, Node<'a>>,
    place: Place,
}

impl<'t, 'a> Items<'t, 'a> {
    pub(super) fn of(node: &'t Node<'a>, place: Place) -> Self {
        Self {
            children: node.children.iter(),
            place,
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.children
            .next()
            .map(|child| value_of(Some(child), self.place, seed))
            .transpose()
    }
}

/// `a, b,c`: split at commas and trimmed; empty items stay, an empty value has none.
pub(super) struct CommaList<'t, 'a> {
    node: &'t Node<'a>,
    rest: Option<&'a str>,
}

impl<'t, 'a> CommaList<'t, 'a> {
    pub(super) fn of(node: &'t Node<'a>) -> Self {
        Self {
            node,
            rest: node.value.filter(|value| !value.is_empty()),
        }
    }
}

impl<'de> SeqAccess<'de> for CommaList<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(rest) = self.rest else {
            return Ok(None);
        };
        let (item, rest) = match rest.split_once(',') {
            Some((item, rest)) => (item, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        let item = Item {
            node: self.node,
            text: item.trim(),
        };
        seed.deserialize(item).map(Some)
    }
}

/// One element of a comma list.
struct Item<'t, 'a> {
    node: &'t Node<'a>,
    text: &'a str,
}

impl<'de> Deserializer<'de> for Item<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor
            .visit_borrowed_str(self.text)
            .map_err(|fault: Fault| fault.or_at(self.node))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Fault> {
        let name = self.node.name;
        Err(
            Fault::at(self.node, format!("`{name}` takes no value of its own")).hint(format!(
                "write `{}[0].{}`",
                self.node.label,
                fields.first().unwrap_or(&"<name>")
            )),
        )
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The two elements of a switch.
pub(super) struct SwitchParts<'t, 'a> {
    node: &'t Node<'a>,
    on: Option<bool>,
}

impl<'t, 'a> SwitchParts<'t, 'a> {
    pub(super) fn of(node: &'t Node<'a>, on: bool) -> Self {
        Self { node, on: Some(on) }
    }
}

impl<'de> SeqAccess<'de> for SwitchParts<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        match self.on.take() {
            Some(on) => {
                let on: BoolDeserializer<Fault> = on.into_deserializer();
                seed.deserialize(on).map(Some)
            }
            None => value_of(Some(self.node), Place::Entry, seed).map(Some),
        }
    }
}
