//! Repetitions, and what they may come to: Go bounds how often, how deep and how much.

use super::InvalidRegexp;
use super::escape::Input;

/// The most repetitions, those of nested ones multiplied.
const MOST: u32 = 1000;
/// The deepest nesting of what Go makes of a pattern.
const DEEPEST: u32 = 1000;
/// The most instructions: 128 MiB of 40 bytes each.
const LARGEST: u64 = (128 << 20) / 40;

/// How often something is repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    at_least: u32,
    at_most: Option<u32>,
    /// Whether it is written in braces, whose numbers are bounded.
    counted: bool,
}

impl Count {
    pub(super) const STAR: Self = Self::of(0, None);
    pub(super) const PLUS: Self = Self::of(1, None);
    pub(super) const OPTIONAL: Self = Self::of(0, Some(1));

    const fn of(at_least: u32, at_most: Option<u32>) -> Self {
        Self {
            at_least,
            at_most,
            counted: false,
        }
    }

    /// What braces say; none if they are no repetition, and so stand for themselves.
    pub(super) fn read(input: &mut Input<'_>) -> Option<Result<Self, InvalidRegexp>> {
        let (inside, rest) = input.rest().strip_prefix('{')?.split_once('}')?;
        let (at_least, at_most) = match inside.split_once(',') {
            None => {
                let exactly = number(inside)?;
                (exactly, Some(exactly))
            }
            Some((at_least, "")) => (number(at_least)?, None),
            Some((at_least, at_most)) => (number(at_least)?, Some(number(at_most)?)),
        };
        input.set_rest(rest);
        let is_valid =
            at_least <= MOST && at_most.is_none_or(|most| at_least <= most && most <= MOST);
        Some(if is_valid {
            Ok(Self {
                at_least,
                at_most,
                counted: true,
            })
        } else {
            Err(InvalidRegexp::new(format!(
                "`{{{inside}}}` does not count from few to many, up to {MOST}"
            )))
        })
    }
}

/// Digits without a leading zero. What is too large for any count is too large for this one.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || text.len() > 1 && text.starts_with('0') {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// What a part of a pattern comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// How often its innermost part is repeated, by all counts around it.
    repeats: u32,
    depth: u32,
    size: u64,
}

impl Cost {
    /// One character, one class, one empty match.
    pub(super) const ONE: Self = Self {
        repeats: 1,
        depth: 1,
        size: 1,
    };

    /// One after the other. Characters in a row are one text to Go.
    pub(super) fn of_all(parts: &[Self]) -> Self {
        Self::joined(parts, 0)
    }

    /// One or the other.
    pub(super) fn of_any(parts: &[Self]) -> Self {
        Self::joined(parts, parts.len() as u64 - 1)
    }

    fn joined(parts: &[Self], more: u64) -> Self {
        match parts {
            [] => Self::ONE,
            [only] => *only,
            _ => {
                let deepest = parts.iter().map(|part| part.depth).max();
                Self {
                    repeats: parts.iter().map(|part| part.repeats).max().unwrap_or(1),
                    // A row of characters is no deeper than one.
                    depth: deepest.map_or(1, |depth| depth + u32::from(depth > 1)),
                    size: parts
                        .iter()
                        .fold(more, |sum, part| sum.saturating_add(part.size)),
                }
            }
        }
    }

    pub(super) fn captured(self) -> Self {
        Self {
            depth: self.depth + 1,
            size: self.size.saturating_add(2),
            ..self
        }
    }

    pub(super) fn repeated(self, count: Count) -> Result<Self, InvalidRegexp> {
        let Count {
            at_least,
            at_most,
            counted,
        } = count;
        let depth = self.depth + 1;
        if !counted {
            return Ok(Self {
                depth,
                size: self.size.saturating_add(2),
                ..self
            });
        }
        let times = at_most.unwrap_or(at_least);
        let repeats = match at_most {
            Some(0) => 0,
            _ => self.repeats.saturating_mul(times.max(1)),
        };
        if times >= 2 && repeats > MOST {
            return Err(InvalidRegexp::new(format!(
                "nested repetitions come to more than {MOST}"
            )));
        }
        let copies = self.size.saturating_mul(times.into());
        let size = match at_most {
            Some(most) => copies.saturating_add((most - at_least).into()),
            None => copies.max(self.size).saturating_add(2),
        };
        Ok(Self {
            repeats,
            depth,
            size: size.max(1),
        })
    }

    /// Itself, if Go would not find it too large.
    pub(super) fn checked(self) -> Result<Self, InvalidRegexp> {
        if self.depth > DEEPEST {
            return Err(InvalidRegexp::new(format!(
                "it is nested deeper than {DEEPEST}"
            )));
        }
        if self.size > LARGEST {
            return Err(InvalidRegexp::new("it comes to more than Go compiles"));
        }
        Ok(self)
    }
}
