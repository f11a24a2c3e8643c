//! How a bound is declared for each leaf of the model, and how a value is held against it.
//!
//! A field that is a number, a duration or text compiles only with a bound behind it (`object!`):
//! these types are a [`Leaf`], whose bound the field has to name, and no [`Branch`], which a field
//! without a bound has to be.

use super::bound::{Number, Span, Text};
use super::bounds;

/// How much a repository may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// So many times what the table says.
    Times(u32),
    /// Whatever it asks for, as long as Traefik can take it.
    Unbounded,
}

impl Allowance {
    /// The most there may be where the table says so much.
    pub fn most(self, bound: usize) -> usize {
        match self {
            Self::Times(factor) => bound.saturating_mul(factor as usize),
            Self::Unbounded => usize::MAX,
        }
    }
}

/// A value that Traefik cannot take, or that would cost others too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// The label's key, in lower case but for names.
    pub label: String,
    /// The value, the bound, and the reason for the bound.
    pub reason: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// A leaf of the model: its label, with `<name>` for what the labels' writer chooses.
#[derive(Clone, Debug)]
pub struct Field {
    /// The label's key.
    pub label: String,
    /// What its values are held against.
    pub bound: Bound,
}

/// What the values of a field are held against.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// A whole number.
    Number(&'static Number),
    /// A duration.
    Span(&'static Span),
    /// Text.
    Text(&'static Text),
    /// Texts between commas.
    List(&'static Text),
}

/// Where a value stands, from the root on. It is written out only where something is wrong.
#[derive(Clone, Copy)]
pub struct Path<'p> {
    above: Option<&'p Path<'p>>,
    name: &'p str,
    /// Whether the name is a field's, which labels write in lower case and without underscores.
    is_field: bool,
}

impl<'p> Path<'p> {
    /// The beginning, as `traefik.http.routers.app`.
    pub fn root(label: &'p str) -> Self {
        Self {
            above: None,
            name: label,
            is_field: false,
        }
    }

    /// A field below it.
    pub fn field(&'p self, name: &'p str) -> Self {
        Self {
            above: Some(self),
            name,
            is_field: true,
        }
    }

    pub(super) fn entry(&'p self, name: &'p str) -> Self {
        Self {
            above: Some(self),
            name,
            is_field: false,
        }
    }

    fn label(&self) -> String {
        let name = match self.is_field {
            true => field_name(self.name),
            false => self.name.to_owned(),
        };
        match self.above {
            None => name,
            Some(above) => below(&above.label(), &name),
        }
    }

    /// What is wrong here.
    pub fn refuse(&self, reason: impl Into<String>) -> OutOfBounds {
        OutOfBounds {
            label: self.label(),
            reason: reason.into(),
            hint: None,
        }
    }
}

/// A field as labels write it. They describe one of a load balancer's servers, under `server`.
fn field_name(name: &str) -> String {
    match name {
        "servers" => "server".to_owned(),
        name => name.replace('_', ""),
    }
}

pub(super) fn below(label: &str, name: &str) -> String {
    match label {
        "" => name.to_owned(),
        label if name.starts_with('[') => format!("{label}{name}"),
        label => format!("{label}.{name}"),
    }
}

/// A value that its field gives a bound.
pub trait Leaf {
    /// What kind of bound.
    type Bound: 'static;

    /// Holds it against its bound.
    fn within(
        &self,
        bound: &'static Self::Bound,
        path: Path<'_>,
        allowance: Allowance,
    ) -> Result<(), OutOfBounds>;

    /// Lists the field.
    fn declare(bound: &'static Self::Bound, label: &str, fields: &mut Vec<Field>);
}

/// A value that has no size of its own: a switch, or what consists of other values.
pub trait Branch {
    /// Holds what is below it against its bounds.
    fn within(&self, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds>;

    /// Lists the fields below it.
    fn declare(label: &str, fields: &mut Vec<Field>);
}

/// Lists a field of a struct: the name is the model's.
pub(super) fn declare_leaf<L: Leaf>(
    bound: &'static L::Bound,
    label: &str,
    name: &str,
    fields: &mut Vec<Field>,
) {
    L::declare(bound, &below(label, &field_name(name)), fields);
}

/// Lists what is below a field of a struct.
pub(super) fn declare_branch<B: Branch>(label: &str, name: &str, fields: &mut Vec<Field>) {
    B::declare(&below(label, &field_name(name)), fields);
}

/// Whether a name may be one: of an entry, of a header, of a plugin's field.
pub fn is_name(name: &str, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
    bounds::NAME
        .check(name, allowance)
        .map_err(|reason| path.refuse(reason))
}

pub(super) fn few(count: usize, path: Path<'_>, allowance: Allowance) -> Result<(), OutOfBounds> {
    let most = allowance.most(bounds::MOST_ELEMENTS);
    if count > most {
        return Err(path.refuse(format!("it has {count} entries, and {most} are the most")));
    }
    Ok(())
}
