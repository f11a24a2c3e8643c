//! Tokens → expression: what a rule is, and which words it may use.

use super::matchers::{self, Call, Matcher};
use super::spelling::Spellings;
use super::token::{Fault, Token, Tokens};
use super::{Bounds, Expression};
use crate::host_name::HostName;

/// The deepest nesting of parentheses and negations. The depth of the stack is that of the rule.
pub(super) const DEEPEST: usize = 128;

/// What a text comes to.
pub(super) struct Parsed {
    pub(super) expression: Expression,
    /// In the order in which they are written.
    pub(super) calls: Vec<Call>,
    pub(super) spellings: Spellings,
}

/// Recursive descent. `token` is the next one, which begins at `start`.
pub(super) struct Parser<'t> {
    tokens: Tokens<'t>,
    token: Token<'t>,
    start: usize,
    depth: usize,
    bounds: &'t Bounds,
    /// Whether an odd number of `!` stands before what is read.
    negated: bool,
    regexps: usize,
    calls: Vec<Call>,
    spellings: Spellings,
}

impl<'t> Parser<'t> {
    pub(super) fn of(text: &'t str, bounds: &'t Bounds) -> Result<Self, Fault> {
        let mut parser = Self {
            tokens: Tokens::of(text),
            token: Token::End,
            start: 0,
            depth: 0,
            bounds,
            negated: false,
            regexps: 0,
            calls: Vec::new(),
            spellings: Spellings::default(),
        };
        parser.advance()?;
        Ok(parser)
    }

    pub(super) fn whole(mut self) -> Result<Parsed, Fault> {
        let expression = self.any()?;
        if self.token == Token::LineEnd {
            self.advance()?;
        }
        match self.token {
            Token::End => Ok(Parsed {
                expression,
                calls: self.calls,
                spellings: self.spellings,
            }),
            _ => Err(self.expected("`&&`, `||` or the end")),
        }
    }

    fn any(&mut self) -> Result<Expression, Fault> {
        let mut operands = vec![self.all()?];
        while self.token == Token::Or {
            self.advance()?;
            operands.push(self.all()?);
        }
        Ok(Expression::any(operands))
    }

    fn all(&mut self) -> Result<Expression, Fault> {
        let mut operands = vec![self.operand()?];
        while self.token == Token::And {
            self.advance()?;
            operands.push(self.operand()?);
        }
        Ok(Expression::all(operands))
    }

    fn operand(&mut self) -> Result<Expression, Fault> {
        match self.token {
            Token::Not => {
                self.negated = !self.negated;
                let operand = self.nested(Self::operand)?;
                self.negated = !self.negated;
                Ok(operand.negate())
            }
            Token::Open => {
                let inner = self.nested(Self::any)?;
                if self.token != Token::Close {
                    return Err(self.expected("`)`"));
                }
                self.advance()?;
                Ok(inner)
            }
            Token::Word(word) => self.call(word),
            _ => Err(self.expected("a matcher")),
        }
    }

    /// What stands behind the token that opens it.
    fn nested(
        &mut self,
        inner: fn(&mut Self) -> Result<Expression, Fault>,
    ) -> Result<Expression, Fault> {
        if self.depth == DEEPEST {
            return Err(self.fault(format!(
                "more than {DEEPEST} parentheses and `!` are nested"
            )));
        }
        self.depth += 1;
        self.advance()?;
        let expression = inner(self)?;
        self.depth -= 1;
        Ok(expression)
    }

    fn call(&mut self, word: &str) -> Result<Expression, Fault> {
        let at = self.start;
        let matcher = matchers::called(word).map_err(|fault| Fault { at, ..fault })?;
        self.bounds.matchers(self.calls.len() + 1, at)?;
        self.advance()?;
        if self.token != Token::Open {
            return Err(self.expected(&format!("`(` behind `{word}`")));
        }
        self.advance()?;
        let mut arguments = Vec::new();
        while self.token != Token::Close {
            let Token::Text(text) = &mut self.token else {
                return Err(self.expected("a text between ` or \""));
            };
            if text.is_empty() {
                return Err(self.fault(format!("an argument of `{word}` is empty")));
            }
            let text = std::mem::take(text);
            arguments.push(self.argument(matcher, text)?);
            self.advance()?;
            match self.token {
                Token::Comma => self.advance()?,
                Token::Close => {}
                _ => return Err(self.expected("`,` or `)`")),
            }
        }
        if arguments.is_empty() {
            return Err(self.fault(format!("`{word}` has no argument")));
        }
        self.advance()?;
        if let Some(pattern) = matcher.pattern(&arguments) {
            self.regexps += 1;
            self.bounds.regexp(self.regexps, pattern, at)?;
        }
        let call = Call {
            at,
            matcher,
            arguments: arguments.clone(),
            negated: self.negated,
        };
        self.spellings.note(&call);
        self.calls.push(call);
        Ok(Expression::Matcher {
            negated: false,
            name: matcher.name,
            arguments: canonical(matcher.name, arguments),
        })
    }

    /// An argument as Traefik is to have it; the text that it stands in is still the token.
    fn argument(&mut self, matcher: &Matcher, text: String) -> Result<String, Fault> {
        if !matcher.names_a_host() || text.is_ascii() {
            return Ok(text);
        }
        match host_name(&text) {
            Some(name) => {
                let place = self.start..self.tokens.position();
                self.spellings.replace(place, &text, &name);
                Ok(name)
            }
            None => Err(self.fault(format!("{text:?} is not a host name"))),
        }
    }

    fn advance(&mut self) -> Result<(), Fault> {
        (self.start, self.token) = self.tokens.next()?;
        Ok(())
    }

    fn expected(&self, what: &str) -> Fault {
        self.fault(format!("expected {what}, found {}", self.token))
    }

    fn fault(&self, reason: String) -> Fault {
        Fault::at(self.start, reason)
    }
}

/// A name in the one spelling that hosts have; a wildcard is none, and keeps its `*`.
fn host_name(text: &str) -> Option<String> {
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    let name: HostName = name.parse().ok()?;
    Some(format!("{wildcard}{name}"))
}

/// Arguments in the one spelling that they are compared in: hosts have no case and no last dot,
/// methods and the names of headers have no case.
fn canonical(name: &'static str, mut arguments: Vec<String>) -> Vec<String> {
    match name {
        "Host" | "HostSNI" => {
            for host in &mut arguments {
                // What is no name matches by its letters alone.
                *host = host_name(host).unwrap_or_else(|| {
                    let lower = host.to_ascii_lowercase();
                    lower
                        .strip_suffix('.')
                        .filter(|rest| !rest.is_empty())
                        .unwrap_or(&lower)
                        .to_owned()
                });
            }
        }
        "Method" => arguments
            .iter_mut()
            .for_each(|method| method.make_ascii_uppercase()),
        "Header" | "HeaderRegexp" => arguments
            .iter_mut()
            .take(1)
            .for_each(|header| header.make_ascii_lowercase()),
        _ => {}
    }
    arguments
}
