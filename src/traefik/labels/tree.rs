//! Labels as a tree: `a.b[0].c=x` is the value `x` under `a`, `b`, `[0]`, `c`.

use std::collections::{BTreeMap, HashMap};

use super::{LabelError, ROOT};

/// The most labels of one container that are looked at. Traefik's whole reference has 282; a
/// container with many more is an attack on whoever reads them.
const MOST_LABELS: usize = 4_096;

/// The deepest key. Traefik's own end at ten; plugins and dotted header names may go further.
const DEEPEST_KEY: usize = 64;

/// A key, what was set for it, and the keys below it.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// The last part of its path, as written, or `[n]`.
    pub(super) name: &'a str,
    /// The first label that mentions it.
    pub(super) label: &'a str,
    /// What a label set it to.
    pub(super) value: Option<&'a str>,
    /// In the byte order of the labels that brought them in: `[10]` is before `[2]`, as in
    /// Traefik.
    pub(super) children: Vec<Node<'a>>,
}

/// A node with so many children looks them up by an index: with thousands of them, to compare each
/// with each would take seconds.
const INDEXED: usize = 16;

impl<'a> Node<'a> {
    /// Whether it is an element of a list.
    pub(super) fn is_item(&self) -> bool {
        self.name.starts_with('[')
    }

    /// The child of a name in any case.
    pub(super) fn find(&self, name: &str) -> Option<&Node<'a>> {
        self.children
            .iter()
            .find(|child| child.name.eq_ignore_ascii_case(name))
    }

    /// The child of a name in any case, to be changed.
    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut Node<'a>> {
        self.children
            .iter_mut()
            .find(|child| child.name.eq_ignore_ascii_case(name))
    }
}

/// A node while the tree grows.
struct Sprout<'a> {
    name: &'a str,
    label: &'a str,
    value: Option<&'a str>,
    children: Vec<Sprout<'a>>,
    /// Where children are, by their names in lower case; used once there are many.
    index: HashMap<String, usize>,
}

impl<'a> Sprout<'a> {
    fn new(name: &'a str, label: &'a str) -> Self {
        Self {
            name,
            label,
            value: None,
            children: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// The child of a name in any case: two keys that differ only in case are one.
    fn child(&mut self, name: &'a str, label: &'a str) -> &mut Self {
        let index = match self.position(name) {
            Some(index) => index,
            None => {
                self.children.push(Self::new(name, label));
                if !self.index.is_empty() {
                    let index = self.children.len() - 1;
                    self.index.insert(name.to_ascii_lowercase(), index);
                }
                self.children.len() - 1
            }
        };
        &mut self.children[index]
    }

    fn position(&mut self, name: &str) -> Option<usize> {
        // The labels are in order, so that the last child is the likeliest.
        let is_it = |child: &Self| child.name.eq_ignore_ascii_case(name);
        if self.children.last().is_some_and(is_it) {
            return Some(self.children.len() - 1);
        }
        if self.children.len() < INDEXED {
            return self.children.iter().rposition(is_it);
        }
        if self.index.is_empty() {
            let children = self.children.iter().enumerate();
            self.index = children
                .map(|(index, child)| (child.name.to_ascii_lowercase(), index))
                .collect();
        }
        self.index.get(&name.to_ascii_lowercase()).copied()
    }

    fn grown(self) -> Node<'a> {
        Node {
            name: self.name,
            label: self.label,
            value: self.value,
            children: self.children.into_iter().map(Self::grown).collect(),
        }
    }
}

/// The tree of the labels that begin with one of the prefixes; nothing if none does.
pub(super) fn grow<'a>(
    labels: &'a BTreeMap<String, String>,
    prefixes: &[&str],
) -> Result<Option<Node<'a>>, LabelError> {
    let mut root = Sprout::new(ROOT, ROOT);
    let wanted = labels
        .iter()
        .filter(|(label, _)| prefixes.iter().any(|prefix| begins_with(label, prefix)));
    for (count, (label, value)) in wanted.enumerate() {
        if count == MOST_LABELS {
            return Err(invalid(
                label,
                format!("there are more than {MOST_LABELS} labels of Traefik on this container"),
            ));
        }
        add(&mut root, label, value)?;
    }
    Ok((!root.children.is_empty()).then(|| root.grown()))
}

fn add<'a>(root: &mut Sprout<'a>, label: &'a str, value: &'a str) -> Result<(), LabelError> {
    let mut node = root;
    for (depth, part) in label.split('.').enumerate() {
        if depth == 0 {
            if part != ROOT {
                return Err(LabelError {
                    hint: Some(format!("write `{ROOT}` in lower case")),
                    ..invalid(label, format!("it begins with `{part}`"))
                });
            }
            continue;
        }
        if depth == DEEPEST_KEY {
            return Err(invalid(
                label,
                format!("it has more than {DEEPEST_KEY} parts"),
            ));
        }
        if part.is_empty() {
            return Err(invalid(label, "it has an empty part between two dots"));
        }
        let (name, index) = match (part.find('['), part.ends_with(']')) {
            (Some(0), _) => {
                return Err(invalid(
                    label,
                    format!("`{part}` has no name before its `[`"),
                ));
            }
            (Some(bracket), true) => (&part[..bracket], Some(&part[bracket..])),
            (None, true) => {
                return Err(invalid(
                    label,
                    format!("`{part}` has a `]` without its `[`"),
                ));
            }
            (_, false) => (part, None),
        };
        node = node.child(name, label);
        if let Some(index) = index {
            let digits = &index[1..index.len() - 1];
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(invalid(
                    label,
                    format!("`{index}` is not an index such as [0]"),
                ));
            }
            node = node.child(index, label);
        }
    }
    node.value = Some(value);
    Ok(())
}

/// Whether a label has a prefix, in any case.
pub(super) fn begins_with(label: &str, prefix: &str) -> bool {
    label
        .as_bytes()
        .get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

fn invalid(label: &str, reason: impl Into<String>) -> LabelError {
    LabelError {
        label: label.to_owned(),
        reason: reason.into(),
        hint: None,
    }
}
