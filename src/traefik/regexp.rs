//! Whether Go compiles a regular expression: the syntax of its package `regexp`, which is neither
//! Perl's nor that of Rust's crates. Only validity is decided here; nothing is ever matched.
//!
//! A port of the rules of Go's parser, tested against the real Traefik. It must refuse nothing that
//! Go accepts: that would take down a site which works.

mod escape;
mod property;
mod repeat;

use escape::Input;
use repeat::{Cost, Count};

/// Why Go does not compile a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRegexp(String);

impl InvalidRegexp {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Whether Go's `regexp.Compile` accepts a pattern. Takes time and memory in proportion to the
/// pattern, and no depth of the stack.
pub fn check(pattern: &str) -> Result<(), InvalidRegexp> {
    let mut parser = Parser::default();
    let mut input = Input::of(pattern);
    while !input.is_empty() {
        parser.step(&mut input)?;
    }
    parser.end()
}

/// A group that is open: the alternatives before the one that is being read, and that one.
#[derive(Default)]
struct Group {
    captures: bool,
    alternatives: Vec<Cost>,
    sequence: Vec<Cost>,
}

impl Group {
    fn cost(mut self) -> Cost {
        self.alternatives.push(Cost::of_all(&self.sequence));
        let cost = Cost::of_any(&self.alternatives);
        if self.captures { cost.captured() } else { cost }
    }
}

#[derive(Default)]
struct Parser {
    /// The innermost group, and those around it.
    current: Group,
    around: Vec<Group>,
    /// Whether what was read last is a repetition, which cannot be repeated as it stands.
    after_repetition: bool,
}

impl Parser {
    fn step(&mut self, input: &mut Input<'_>) -> Result<(), InvalidRegexp> {
        let after_repetition = std::mem::take(&mut self.after_repetition);
        let Some(first) = input.peek() else {
            return Ok(());
        };
        match first {
            '(' => self.open(input)?,
            ')' => {
                input.next();
                self.close()?;
            }
            '|' => {
                input.next();
                let alternative = Cost::of_all(&std::mem::take(&mut self.current.sequence));
                self.current.alternatives.push(alternative);
            }
            '[' => {
                input.class()?;
                self.current.sequence.push(Cost::ONE);
            }
            '*' | '+' | '?' => {
                input.next();
                let count = match first {
                    '*' => Count::STAR,
                    '+' => Count::PLUS,
                    _ => Count::OPTIONAL,
                };
                self.repeat(count, after_repetition, input)?;
            }
            '{' => match Count::read(input) {
                Some(count) => self.repeat(count?, after_repetition, input)?,
                None => self.literal(input),
            },
            '\\' => self.escape(input)?,
            _ => self.literal(input),
        }
        Ok(())
    }

    fn literal(&mut self, input: &mut Input<'_>) {
        input.next();
        self.current.sequence.push(Cost::ONE);
    }

    fn open(&mut self, input: &mut Input<'_>) -> Result<(), InvalidRegexp> {
        let captures = match input.group()? {
            Opened::Captures => true,
            Opened::Groups => false,
            // `(?i)` opens nothing.
            Opened::Nothing => return Ok(()),
        };
        let inner = Group {
            captures,
            ..Group::default()
        };
        self.around
            .push(std::mem::replace(&mut self.current, inner));
        Ok(())
    }

    fn close(&mut self) -> Result<(), InvalidRegexp> {
        let around = self.around.pop();
        let around = around.ok_or_else(|| InvalidRegexp::new("a `)` closes nothing"))?;
        let inner = std::mem::replace(&mut self.current, around);
        let cost = inner.cost().checked()?;
        self.current.sequence.push(cost);
        Ok(())
    }

    fn repeat(
        &mut self,
        count: Count,
        after_repetition: bool,
        input: &mut Input<'_>,
    ) -> Result<(), InvalidRegexp> {
        // Not greedy.
        input.skip('?');
        if after_repetition {
            return Err(InvalidRegexp::new(
                "a repetition is repeated, as in `a**`: put the inner one between `(?:` and `)`",
            ));
        }
        let repeated = self.current.sequence.pop();
        let repeated =
            repeated.ok_or_else(|| InvalidRegexp::new("a repetition repeats nothing"))?;
        let cost = repeated.repeated(count)?.checked()?;
        self.current.sequence.push(cost);
        self.after_repetition = true;
        Ok(())
    }

    fn escape(&mut self, input: &mut Input<'_>) -> Result<(), InvalidRegexp> {
        match input.peek_second() {
            Some('A' | 'b' | 'B' | 'z') => {
                input.next();
                input.next();
                self.current.sequence.push(Cost::ONE);
            }
            Some('Q') => {
                let literal = input.quoted();
                let costs = literal.chars().map(|_| Cost::ONE);
                self.current.sequence.extend(costs);
            }
            _ => {
                if !input.class_escape()? {
                    input.escape()?;
                }
                self.current.sequence.push(Cost::ONE);
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), InvalidRegexp> {
        if !self.around.is_empty() {
            return Err(InvalidRegexp::new("a `(` is not closed"));
        }
        self.current.cost().checked().map(|_| ())
    }
}

/// What a `(` opens.
enum Opened {
    /// A group that captures.
    Captures,
    /// A group that does not.
    Groups,
    /// No group: flags for what follows.
    Nothing,
}

#[cfg(test)]
mod tests;
