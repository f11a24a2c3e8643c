//! Rules of routers, read as Traefik 3 reads them, so that two spellings of one rule can be told
//! to be the same, and a rule that Traefik would disable is known before it is served.
//!
//! A rule is an expression of Go: calls of matchers, `!`, `&&`, `||`, parentheses, comments, and
//! Go's rule of where a line may end. `parse` decides about that form, and `check` about the
//! matchers: which there are for a protocol, and which arguments they take. A rule that passes both
//! is one that Traefik does not disable, and one that does not is one that it does: a test asks the
//! real one. Refusals of our own are the bounds, a nesting that is deeper than anybody writes, and
//! escapes that make bytes that are no text.

mod bounds;
mod hosts;
mod matchers;
mod parser;
mod spelling;
mod token;

#[cfg(test)]
mod tests;

use std::fmt;

pub use bounds::Bounds;
pub use hosts::RuleHosts;
use matchers::Call;
pub use matchers::Protocol;
use parser::Parser;
use token::Fault;

/// A rule that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Expression, Written);

/// Why a rule was not understood, or is not one that Traefik serves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at position {position} of the rule")]
pub struct RuleError {
    /// Where in the rule: the number of characters before it, and one.
    pub position: usize,
    /// What is wrong there.
    pub reason: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// A rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    text: String,
    /// The text with names in the spelling that Traefik takes, where it is another one.
    served: Option<String>,
    calls: Vec<Call>,
    notes: Vec<String>,
}

impl Rule {
    /// Reads a rule within the bounds that every repository has.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        Self::parse_within(text, &Bounds::OF_A_REPOSITORY)
    }

    /// Reads a rule of somebody whom the operator trusts, or one that was let through already.
    pub fn parse_unbounded(text: &str) -> Result<Self, RuleError> {
        Self::parse_within(text, &Bounds::NONE)
    }

    /// Reads a rule within bounds.
    pub fn parse_within(text: &str, bounds: &Bounds) -> Result<Self, RuleError> {
        let read = bounds
            .length(text)
            .and_then(|()| Parser::of(text, bounds)?.whole());
        let parsed = read.map_err(|fault| fault.of(text))?;
        Ok(Self(
            parsed.expression,
            Written {
                served: parsed.spellings.applied_to(text),
                text: text.to_owned(),
                notes: parsed.spellings.notes(),
                calls: parsed.calls,
            },
        ))
    }

    /// Whether Traefik serves a router with this rule: if not, it shows it as disabled.
    pub fn check(&self, protocol: Protocol, has_tls: bool) -> Result<(), RuleError> {
        let Written { text, calls, .. } = &self.1;
        for call in calls {
            call.check(protocol).map_err(|fault| fault.of(text))?;
        }
        match (protocol, has_tls) {
            (Protocol::Tcp, false) => matchers::without_tls(calls).map_err(|fault| fault.of(text)),
            _ => Ok(()),
        }
    }

    /// The text to serve: as it was written, but for the names of hosts with letters that Traefik
    /// does not take.
    pub fn served_text(&self) -> &str {
        let Written { text, served, .. } = &self.1;
        served.as_ref().unwrap_or(text)
    }

    /// What somebody should know who wrote the rule, though it is served: names in another spelling,
    /// and what Traefik 2 understood otherwise.
    pub fn notes(&self) -> &[String] {
        &self.1.notes
    }

    /// A text that all spellings of this rule have in common: whatever the white space, the
    /// quotes, the case of matchers and of hosts, the order and repetition of operands, needless
    /// parentheses, and whether a negation stands before or behind the parenthesis.
    pub fn normal_form(&self) -> String {
        self.0.to_string()
    }

    /// The hosts that are named exactly, as `HostName` spells them, ordered, each once. Those that
    /// are excluded (`!Host(…)`) are not among them; `*` of `HostSNI` is.
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts = Vec::new();
        self.0.hosts(&mut hosts);
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

impl Fault {
    fn of(self, text: &str) -> RuleError {
        let Self { at, reason, hint } = self;
        RuleError {
            position: text.get(..at).unwrap_or(text).chars().count() + 1,
            reason,
            hint,
        }
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
                name: "Host" | "HostSNI",
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
