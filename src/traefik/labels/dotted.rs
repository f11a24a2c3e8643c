//! Maps whose keys may hold dots: the tree was grown at every dot, and is put together again here.

use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::de::{Place, value_of};
use super::fault::Fault;
use super::tree::Node;

/// A map whose keys may hold dots: every value below it, under the rest of its path.
pub(super) struct DottedReader<'t, 'a>(pub(super) &'t Node<'a>);

impl<'de> Deserializer<'de> for DottedReader<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let mut entries = Vec::new();
        for child in &self.0.children {
            flatten(child, "", &mut entries)?;
        }
        visitor.visit_map(DottedEntries {
            entries: entries.into_iter(),
            current: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

fn flatten<'t, 'a>(
    node: &'t Node<'a>,
    path: &str,
    entries: &mut Vec<(String, &'t Node<'a>, &'a str)>,
) -> Result<(), Fault> {
    if node.is_item() {
        return Err(Fault::at(node, "it holds names and has no indices"));
    }
    let path = match path {
        "" => node.name.to_owned(),
        _ => format!("{path}.{}", node.name),
    };
    for child in &node.children {
        flatten(child, &path, entries)?;
    }
    if let Some(value) = node.value {
        entries.push((path, node, value));
    }
    Ok(())
}

struct DottedEntries<'t, 'a> {
    entries: std::vec::IntoIter<(String, &'t Node<'a>, &'a str)>,
    current: Option<(&'t Node<'a>, &'a str)>,
}

impl<'de> MapAccess<'de> for DottedEntries<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((path, node, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.current = Some((node, value));
        seed.deserialize(path.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (node, value) = self
            .current
            .ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        // The node without what lies below it, which has entries of its own.
        let leaf = Node {
            name: node.name,
            label: node.label,
            value: Some(value),
            children: Vec::new(),
        };
        value_of(Some(&leaf), Place::Entry, seed)
    }
}
