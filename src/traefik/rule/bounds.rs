//! How much a rule may cost. Traefik asks the rules of a port one after the other, so that each
//! request of anybody pays for all that stand before its own.

use super::token::Fault;

/// What a rule may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Its bytes.
    bytes: usize,
    /// Its matchers.
    matchers: usize,
    /// Its regular expressions, and the bytes of each.
    regexps: usize,
    regexp_bytes: usize,
}

impl Bounds {
    /// What every repository may write. With a thousand regular expressions, everybody's requests
    /// take seconds.
    pub const OF_A_REPOSITORY: Self = Self {
        bytes: 4096,
        matchers: 32,
        regexps: 8,
        regexp_bytes: 256,
    };

    /// None, for whom the operator trusts.
    pub const NONE: Self = Self {
        bytes: usize::MAX,
        matchers: usize::MAX,
        regexps: usize::MAX,
        regexp_bytes: usize::MAX,
    };

    /// Judged before anything is read.
    pub(super) fn length(&self, text: &str) -> Result<(), Fault> {
        within(text.len(), self.bytes, "bytes in the rule", self.bytes)
    }

    pub(super) fn matchers(&self, count: usize, at: usize) -> Result<(), Fault> {
        within(count, self.matchers, "matchers in the rule", at)
    }

    /// Judges the latest of so many.
    pub(super) fn regexp(&self, count: usize, pattern: &str, at: usize) -> Result<(), Fault> {
        within(count, self.regexps, "regular expressions in the rule", at)?;
        within(
            pattern.len(),
            self.regexp_bytes,
            "bytes in a regular expression",
            at,
        )
    }
}

fn within(count: usize, most: usize, what: &str, at: usize) -> Result<(), Fault> {
    if count <= most {
        return Ok(());
    }
    Err(Fault::at(
        at,
        format!("there are more than {most} {what}, which is the most"),
    )
    .hint("make several routers of it, each with a rule of its own"))
}
