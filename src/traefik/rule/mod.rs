//! Rules of routers, read as Traefik 3 reads them, so that two spellings of one rule can be told
//! to be the same.
//!
//! A rule is an expression of Go: calls of matchers, `!`, `&&`, `||`, parentheses, comments, and
//! Go's rule of where a line may end. Every rule that is refused here for its form is refused by
//! Traefik, too (a test asks the real one); the reverse does not hold, since arguments such as
//! regular expressions are not looked into, and the matchers of the older rule syntax are known
//! beside those of the newer. One refusal is our own: a rule nested deeper than anybody writes.

mod hosts;
mod parser;
mod token;

#[cfg(test)]
mod tests;

use std::fmt;

pub use hosts::RuleHosts;
use parser::Parser;
use token::Fault;

/// A rule that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Expression);

/// Why a rule was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at position {position} of the rule")]
pub struct RuleError {
    /// Where in the rule: the number of characters before it, and one.
    pub position: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Rule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let read = Parser::of(text).and_then(Parser::whole);
        read.map(Self).map_err(|Fault { at, reason }| RuleError {
            position: text[..at].chars().count() + 1,
            reason,
        })
    }

    /// A text that all spellings of this rule have in common: whatever the white space, the
    /// quotes, the case of matchers and of hosts, the order and repetition of operands, needless
    /// parentheses, and whether a negation stands before or behind the parenthesis.
    pub fn normal_form(&self) -> String {
        self.0.to_string()
    }

    /// The hosts that are named exactly, in lower case, ordered, each once. Those that are excluded
    /// (`!Host(…)`) are not among them; `*` of `HostSNI` is.
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts = Vec::new();
        self.0.hosts(&mut hosts);
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// Normal by construction: negations stand at the matchers, as in Traefik; no operand is of the
/// kind of its parent; operands are ordered, and each is there once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Expression {
    Matcher {
        name: &'static str,
        arguments: Vec<String>,
        negated: bool,
    },
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

impl Expression {
    fn all(operands: Vec<Self>) -> Self {
        let flat = operands.into_iter().flat_map(|operand| match operand {
            Self::All(operands) => operands,
            other => vec![other],
        });
        joined(flat.collect(), Self::All)
    }

    fn any(operands: Vec<Self>) -> Self {
        let flat = operands.into_iter().flat_map(|operand| match operand {
            Self::Any(operands) => operands,
            other => vec![other],
        });
        joined(flat.collect(), Self::Any)
    }

    fn negate(self) -> Self {
        let each = |operands: Vec<Self>| operands.into_iter().map(Self::negate).collect();
        match self {
            Self::Matcher {
                name,
                arguments,
                negated,
            } => Self::Matcher {
                name,
                arguments,
                negated: !negated,
            },
            Self::All(operands) => Self::any(each(operands)),
            Self::Any(operands) => Self::all(each(operands)),
        }
    }

    fn hosts<'r>(&'r self, hosts: &mut Vec<&'r str>) {
        match self {
            Self::Matcher {
                name: "Host" | "HostHeader" | "HostSNI",
                arguments,
                negated: false,
            } => hosts.extend(arguments.iter().map(String::as_str)),
            Self::Matcher { .. } => {}
            Self::All(operands) | Self::Any(operands) => {
                for operand in operands {
                    operand.hosts(hosts);
                }
            }
        }
    }
}

fn joined(mut operands: Vec<Expression>, kind: fn(Vec<Expression>) -> Expression) -> Expression {
    operands.sort();
    operands.dedup();
    match operands.len() {
        1 => operands.remove(0),
        _ => kind(operands),
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matcher {
                name,
                arguments,
                negated,
            } => {
                let arguments: Vec<_> = arguments.iter().map(|text| quoted(text)).collect();
                let not = if *negated { "!" } else { "" };
                write!(f, "{not}{name}({})", arguments.join(", "))
            }
            Self::All(operands) => {
                for (index, operand) in operands.iter().enumerate() {
                    let and = if index > 0 { " && " } else { "" };
                    match operand {
                        Self::Any(_) => write!(f, "{and}({operand})")?,
                        _ => write!(f, "{and}{operand}")?,
                    }
                }
                Ok(())
            }
            Self::Any(operands) => {
                for (index, operand) in operands.iter().enumerate() {
                    let or = if index > 0 { " || " } else { "" };
                    write!(f, "{or}{operand}")?;
                }
                Ok(())
            }
        }
    }
}

/// An argument between back quotes, or where it cannot stand there, as a string of Go.
fn quoted(text: &str) -> String {
    if !text.contains(['`', '\r']) {
        return format!("`{text}`");
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\r' => quoted.push_str("\\r"),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
