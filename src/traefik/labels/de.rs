//! The serde `Deserializer` over the tree of labels. The model's types ask for what they are, and
//! the rules of Traefik's label reader answer: which node may be empty, what a list looks like,
//! which spellings a boolean has.

use serde::de::{self, DeserializeSeed, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::LabelError;
use super::dotted::DottedReader;
use super::fault::{Fault, valid_keys};
use super::parts::{CommaList, Entries, Fields, Items, SwitchParts};
use super::tree::Node;

/// Reads a whole tree.
pub(super) fn read<'a, T: Deserialize<'a>>(root: &Node<'a>) -> Result<T, LabelError> {
    let reader = Reader {
        node: root,
        place: Place::Field,
    };
    T::deserialize(reader).map_err(|fault| fault.into_error(root.label))
}

/// Whether an entry can be read as what it should be.
pub(super) fn probe<'a, T: Deserialize<'a>>(reader: Reader<'_, 'a>) -> Result<(), Fault> {
    T::deserialize(reader).map(drop)
}

/// Where a node stands, which decides whether it may be without fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A field of a struct: it needs fields of its own, or a value.
    Field,
    /// An entry of a map, or a struct that was switched on: it may have none.
    Entry,
    /// An element of a list, by its index.
    Item,
}

/// One node, to be read as whatever the model asks for.
#[derive(Clone, Copy)]
pub(super) struct Reader<'t, 'a> {
    pub(super) node: &'t Node<'a>,
    pub(super) place: Place,
}

impl<'t, 'a> Reader<'t, 'a> {
    /// Reads an entry of a map.
    pub(super) fn of_entry(node: &'t Node<'a>) -> Self {
        Self {
            node,
            place: Place::Entry,
        }
    }

    /// The value of a node that has no fields.
    fn scalar(self) -> Result<&'a str, Fault> {
        if let Some(child) = self.node.children.first() {
            let name = self.node.name;
            return Err(if child.is_item() {
                Fault::at(child, format!("`{name}` is one value and has no list"))
            } else {
                Fault::at(child, format!("`{name}` is one value and has no fields"))
            });
        }
        if self.place == Place::Item {
            return Err(
                Fault::at(self.node, "a list of plain values has no indices")
                    .hint("write one label with the values between commas"),
            );
        }
        Ok(self.node.value.unwrap_or_default())
    }

    /// A struct or a map without a single key, where it must have one.
    fn needs_fields(self, fields: &[&str]) -> Result<(), Fault> {
        if self.place == Place::Entry || !self.node.children.is_empty() {
            return Ok(());
        }
        let fault = Fault::at(
            self.node,
            format!("`{}` takes no value of its own", self.node.name),
        );
        Err(match fields {
            [] => fault.hint(format!("write `{}.<name>`", self.node.label)),
            fields => fault.hint(valid_keys(fields)),
        })
    }
}

impl<'de> Deserializer<'de> for Reader<'_, 'de> {
    type Error = Fault;

    /// What a plugin's configuration looks like is known to the plugin only.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.children.first() {
            None => visitor.visit_borrowed_str(self.node.value.unwrap_or_default()),
            Some(child) if child.is_item() => visitor.visit_seq(Items::of(self.node, Place::Entry)),
            Some(_) => visitor.visit_map(Entries::of(self.node)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar()? {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => visitor.visit_bool(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => visitor.visit_bool(false),
            other => Err(Fault::at(self.node, format!("`{other}` is not a boolean"))
                .hint("write true or false")),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.scalar()?;
        match text.parse() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => Err(Fault::at(
                self.node,
                format!("`{text}` is not a whole number"),
            )),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor
            .visit_borrowed_str(self.scalar()?)
            .map_err(|fault: Fault| fault.or_at(self.node))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    /// A node is there because a label set it, or something below it.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Some(child) = self.node.children.iter().find(|child| !child.is_item()) {
            let name = self.node.name;
            return Err(
                Fault::at(child, format!("`{name}` is a list and has no fields"))
                    .hint(format!("write `{name}[0]` or values between commas")),
            );
        }
        if !self.node.children.is_empty() {
            return visitor.visit_seq(Items::of(self.node, Place::Item));
        }
        visitor.visit_seq(CommaList::of(self.node))
    }

    /// A [`Switch`](crate::traefik::dynamic::Switch): whether it is on, then what it holds.
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let on = self
            .node
            .value
            .is_none_or(|value| value.is_empty() || value.eq_ignore_ascii_case("true"));
        visitor.visit_seq(SwitchParts::of(self.node, on))
    }

    /// A [`Dotted`](crate::traefik::dynamic::Dotted) map.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.needs_fields(&[])?;
        visitor.visit_newtype_struct(DottedReader(self.node))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.needs_fields(&[])?;
        if let Some(child) = self.node.children.iter().find(|child| child.is_item()) {
            return Err(Fault::at(
                child,
                format!("`{}` holds names and has no indices", self.node.name),
            ));
        }
        visitor.visit_map(Entries::of(self.node))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.needs_fields(fields)?;
        if self.place == Place::Item && self.node.value.is_some() {
            return Err(Fault::at(
                self.node,
                format!("`{}` takes no value of its own", self.node.name),
            )
            .hint(valid_keys(fields)));
        }
        visitor.visit_map(Fields::of(self.node, fields))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct tuple enum
        identifier ignored_any
    }
}

/// Reads the value that a key was asked for.
pub(super) fn value_of<'de, V: DeserializeSeed<'de>>(
    node: Option<&Node<'de>>,
    place: Place,
    seed: V,
) -> Result<V::Value, Fault> {
    let node = node.ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
    seed.deserialize(Reader { node, place })
        .map_err(|fault| fault.or_at(node))
}
