//! Tokens → expression: what a rule is, and which words it may use.

use super::Expression;
use super::token::{Fault, Token, Tokens};

/// What the matchers are called, in either rule syntax, of HTTP and of TCP.
const MATCHERS: [&str; 17] = [
    "ALPN",
    "ClientIP",
    "Header",
    "HeaderRegexp",
    "Headers",
    "HeadersRegexp",
    "Host",
    "HostHeader",
    "HostRegexp",
    "HostSNI",
    "HostSNIRegexp",
    "Method",
    "Path",
    "PathPrefix",
    "PathRegexp",
    "Query",
    "QueryRegexp",
];

/// The deepest nesting of parentheses and negations. The depth of the stack is that of the rule.
pub(super) const DEEPEST: usize = 128;

/// Recursive descent. `token` is the next one, which begins at `start`.
pub(super) struct Parser<'t> {
    tokens: Tokens<'t>,
    token: Token<'t>,
    start: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn of(text: &'t str) -> Result<Self, Fault> {
        let mut parser = Self {
            tokens: Tokens::of(text),
            token: Token::End,
            start: 0,
            depth: 0,
        };
        parser.advance()?;
        Ok(parser)
    }

    pub(super) fn whole(mut self) -> Result<Expression, Fault> {
        let expression = self.any()?;
        if self.token == Token::LineEnd {
            self.advance()?;
        }
        match self.token {
            Token::End => Ok(expression),
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
                let operand = self.nested(Self::operand)?;
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
        let name =
            matcher(word).ok_or_else(|| self.fault(format!("there is no matcher `{word}`")))?;
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
            arguments.push(std::mem::take(text));
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
        Ok(Expression::Matcher {
            negated: false,
            name,
            arguments: canonical(name, arguments),
        })
    }

    fn advance(&mut self) -> Result<(), Fault> {
        (self.start, self.token) = self.tokens.next()?;
        Ok(())
    }

    fn expected(&self, what: &str) -> Fault {
        self.fault(format!("expected {what}, found {}", self.token))
    }

    fn fault(&self, reason: String) -> Fault {
        Fault {
            at: self.start,
            reason,
        }
    }
}

/// The name of a matcher in the four spellings that Traefik knows: its own, lower case, upper
/// case, and with one capital.
fn matcher(word: &str) -> Option<&'static str> {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    let name = MATCHERS
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(word))?;
    let is_known = word == name
        || word == name.to_ascii_lowercase()
        || word == name.to_ascii_uppercase()
        || word == capital(name);
    is_known.then_some(name)
}

/// Arguments in the one spelling that they are compared in: hosts have no case and no last dot,
/// methods and the names of headers have no case.
fn canonical(name: &'static str, mut arguments: Vec<String>) -> Vec<String> {
    match name {
        "Host" | "HostHeader" | "HostSNI" => {
            for host in &mut arguments {
                host.make_ascii_lowercase();
                if host.len() > 1 && host.ends_with('.') {
                    host.pop();
                }
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
