//! What is served in another spelling than it was written in, and what its author should know.

use std::ops::Range;

use super::matchers::Call;

/// The changes to a text, in their order, and remarks on it.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    replaced: Vec<(Range<usize>, String)>,
    notes: Vec<String>,
}

impl Spellings {
    /// A name stands in a place of the text, and is served in ASCII.
    pub(super) fn replace(&mut self, place: Range<usize>, written: &str, name: &str) {
        self.replaced.push((place, format!("`{name}`")));
        self.notes.push(format!(
            "Traefik takes names in ASCII only: {written:?} is served as `{name}`"
        ));
    }

    /// Remarks on what Traefik 3 accepts and never matches as its author expects.
    pub(super) fn note(&mut self, call: &Call) {
        let name = call.matcher.name;
        match (name, &call.arguments[..]) {
            ("Query", [only]) if only.contains('=') => {
                let (key, value) = only.split_once('=').unwrap_or_default();
                self.notes.push(format!(
                    "to Traefik 3, `{only}` is the name of a parameter: \
                     it writes Query(`{key}`, `{value}`)"
                ));
            }
            ("Host" | "HostRegexp" | "HostSNIRegexp" | "Path" | "PathPrefix", [only])
                if has_placeholder(only) =>
            {
                self.notes.push(format!(
                    "to Traefik 3, the braces of `{only}` are no placeholder: it has \
                     HostRegexp and PathRegexp with regular expressions"
                ));
            }
            _ => {}
        }
    }

    /// The text with its changes; none if it has none.
    pub(super) fn applied_to(&self, text: &str) -> Option<String> {
        if self.replaced.is_empty() {
            return None;
        }
        let mut whole = String::with_capacity(text.len());
        let mut at = 0;
        for (place, name) in &self.replaced {
            whole.push_str(&text[at..place.start]);
            whole.push_str(name);
            at = place.end;
        }
        whole.push_str(&text[at..]);
        Some(whole)
    }

    pub(super) fn notes(self) -> Vec<String> {
        self.notes
    }
}

/// `{name}` or `{name:pattern}`, as Traefik 2 had them.
fn has_placeholder(text: &str) -> bool {
    text.split('{').skip(1).any(|behind| {
        let end = behind.find(|character: char| !character.is_ascii_alphanumeric());
        end.is_some_and(|end| {
            behind.starts_with(|first: char| first.is_ascii_alphabetic())
                && behind[end..].starts_with(['}', ':'])
        })
    })
}
