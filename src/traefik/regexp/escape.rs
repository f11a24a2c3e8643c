//! What is read character by character: groups' beginnings, classes, escapes.

use super::property;
use super::{InvalidRegexp, Opened};

/// The classes that have a name between `[:` and `:]`.
const NAMED_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The part of a pattern that is not read yet.
pub(super) struct Input<'p>(&'p str);

impl<'p> Input<'p> {
    pub(super) fn of(pattern: &'p str) -> Self {
        Self(pattern)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(&self) -> &'p str {
        self.0
    }

    pub(super) fn set_rest(&mut self, rest: &'p str) {
        self.0 = rest;
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    pub(super) fn peek_second(&self) -> Option<char> {
        self.0.chars().nth(1)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut rest = self.0.chars();
        let next = rest.next();
        self.0 = rest.as_str();
        next
    }

    /// Goes past a character, if it is the next one.
    pub(super) fn skip(&mut self, character: char) -> bool {
        let rest = self.0.strip_prefix(character);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// `\Q…\E`, or to the end.
    pub(super) fn quoted(&mut self) -> &'p str {
        let literal = &self.0[2..];
        let (literal, rest) = literal.split_once("\\E").unwrap_or((literal, ""));
        self.0 = rest;
        literal
    }

    /// A `(`, and what stands behind it before the group begins.
    pub(super) fn group(&mut self) -> Result<Opened, InvalidRegexp> {
        let Some(rest) = self.0.strip_prefix("(?") else {
            self.next();
            return Ok(Opened::Captures);
        };
        // What is too short to hold a name is read as flags, as Go does.
        let named = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<'));
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
            return match named.split_once('>') {
                Some((name, rest)) if !name.is_empty() && name.chars().all(is_plain) => {
                    self.0 = rest;
                    Ok(Opened::Captures)
                }
                _ if rest.starts_with("<=") || rest.starts_with("<!") => {
                    Err(InvalidRegexp::new("Go has no look-behind"))
                }
                _ => Err(InvalidRegexp::new(
                    "the name of a group is not made of letters, digits and `_` between `<` and `>`",
                )),
            };
        }
        self.0 = rest;
        self.flags()
    }

    fn flags(&mut self) -> Result<Opened, InvalidRegexp> {
        let is_look_ahead = self.0.starts_with(['=', '!']);
        let (mut is_negative, mut has_flag) = (false, false);
        while let Some(flag) = self.next() {
            match flag {
                'i' | 'm' | 's' | 'U' => has_flag = true,
                '-' if !is_negative => (is_negative, has_flag) = (true, false),
                ':' if !is_negative || has_flag => return Ok(Opened::Groups),
                ')' if !is_negative || has_flag => return Ok(Opened::Nothing),
                _ => break,
            }
        }
        Err(InvalidRegexp::new(match is_look_ahead {
            true => "Go has no look-ahead",
            false => "what stands behind `(?` is none of Go's flags",
        }))
    }

    /// `[…]`.
    pub(super) fn class(&mut self) -> Result<(), InvalidRegexp> {
        self.next();
        self.skip('^');
        let mut is_first = true;
        // A `]` that comes first is one of the class.
        while is_first || !self.0.starts_with(']') {
            is_first = false;
            if !self.named_class()? && !self.class_escape()? {
                self.range()?;
            }
        }
        self.next();
        Ok(())
    }

    fn range(&mut self) -> Result<(), InvalidRegexp> {
        let low = self.class_character()?;
        let is_range = self.0.starts_with('-') && !self.0.starts_with("-]") && self.0.len() >= 2;
        if !is_range {
            return Ok(());
        }
        self.next();
        let high = self.class_character()?;
        if high < low {
            return Err(InvalidRegexp::new(
                "a range of characters ends before it begins",
            ));
        }
        Ok(())
    }

    fn class_character(&mut self) -> Result<u32, InvalidRegexp> {
        match self.peek() {
            None => Err(InvalidRegexp::new("a `[` is not closed")),
            Some('\\') => self.escape(),
            Some(character) => {
                self.next();
                Ok(character.into())
            }
        }
    }

    /// `[:alnum:]` within a class, if there is something of the kind.
    fn named_class(&mut self) -> Result<bool, InvalidRegexp> {
        let named = self.0.strip_prefix("[:");
        let Some((name, rest)) = named.and_then(|named| named.split_once(":]")) else {
            return Ok(false);
        };
        let positive = name.strip_prefix('^').unwrap_or(name);
        if !NAMED_CLASSES.contains(&positive) {
            return Err(InvalidRegexp::new(format!(
                "there is no class `[:{name}:]`"
            )));
        }
        self.0 = rest;
        Ok(true)
    }

    /// `\d` and `\pL`, if there is something of the kind.
    pub(super) fn class_escape(&mut self) -> Result<bool, InvalidRegexp> {
        let Some(escape) = self.0.strip_prefix('\\') else {
            return Ok(false);
        };
        let mut behind = escape.chars();
        match behind.next() {
            Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => {
                self.0 = behind.as_str();
                Ok(true)
            }
            Some('p' | 'P') => {
                self.0 = property::read(behind.as_str())?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A backslash, and the one character that it stands for with what is behind it.
    pub(super) fn escape(&mut self) -> Result<u32, InvalidRegexp> {
        self.next();
        let kind = self.next();
        let kind = kind.ok_or_else(|| InvalidRegexp::new("it ends with a backslash"))?;
        let invalid = |reason: &str| Err(InvalidRegexp::new(format!("`\\{kind}` {reason}")));
        match kind {
            '1'..='7' if !self.0.starts_with(|next| matches!(next, '0'..='7')) => {
                invalid("refers back to a group, which Go cannot do")
            }
            '0'..='7' => {
                let mut code = u32::from(kind) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit @ '0'..='7') = self.peek() else {
                        break;
                    };
                    self.next();
                    code = code * 8 + (u32::from(digit) - u32::from('0'));
                }
                Ok(code)
            }
            'x' => match self.hexadecimal() {
                Some(code) => Ok(code),
                None => invalid("is not followed by two hexadecimal digits, or by `{…}`"),
            },
            'a' => Ok(0x07),
            'f' => Ok(0x0c),
            'n' => Ok(0x0a),
            'r' => Ok(0x0d),
            't' => Ok(0x09),
            'v' => Ok(0x0b),
            _ if kind.is_ascii() && !kind.is_ascii_alphanumeric() => Ok(kind.into()),
            _ => invalid("has no meaning to Go"),
        }
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let (digits, rest) = match self.0.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => (self.0.get(..2)?, &self.0[2..]),
        };
        let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_whole {
            return None;
        }
        self.0 = rest;
        // Leading zeros may be many.
        let digits = digits.trim_start_matches('0');
        let code = match digits {
            "" => 0,
            digits => u32::from_str_radix(digits, 16).ok()?,
        };
        (code <= u32::from(char::MAX)).then_some(code)
    }
}
