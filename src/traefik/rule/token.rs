//! The text of a rule as tokens of Go, as far as rules are made of them.

use std::fmt;

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: String,
    /// What would be right.
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn at(at: usize, reason: impl Into<String>) -> Self {
        Self {
            at,
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    Text(String),
    Not,
    And,
    Or,
    Open,
    Close,
    Comma,
    /// The end of a line behind something that could end an expression: Go reads a `;` there.
    LineEnd,
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Text(_) => f.write_str("a quoted text"),
            Self::Not => f.write_str("`!`"),
            Self::And => f.write_str("`&&`"),
            Self::Or => f.write_str("`||`"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::LineEnd => f.write_str("the end of a line"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// The tokens of Go that rules are made of.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
    /// Whether the last token may end an expression, so that the line may end it.
    may_end: bool,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let mark = text.len() - text.trim_start_matches('\u{feff}').len();
        Self {
            text,
            at: mark.min('\u{feff}'.len_utf8()),
            may_end: false,
        }
    }

    /// Where the token ends that was read last.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next token, and where it begins.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'t>), Fault> {
        if self.skip_blanks()? && self.may_end {
            self.may_end = false;
            return Ok((self.at, Token::LineEnd));
        }
        let start = self.at;
        let token = self.token(start)?;
        self.may_end = matches!(token, Token::Word(_) | Token::Text(_) | Token::Close);
        Ok((start, token))
    }

    /// Whether a line ended among the white space and the comments.
    fn skip_blanks(&mut self) -> Result<bool, Fault> {
        let mut line_ended = false;
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            let blank = &rest[..rest.len() - trimmed.len()];
            line_ended |= blank.contains('\n');
            self.at += blank.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
                line_ended = true;
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let length = comment
                    .find("*/")
                    .ok_or_else(|| Fault::at(self.at, "a comment has no end"))?;
                line_ended |= comment[..length].contains('\n');
                self.at += length + 4;
            } else {
                return Ok(line_ended);
            }
        }
    }

    fn token(&mut self, start: usize) -> Result<Token<'t>, Fault> {
        let rest = &self.text[start..];
        let signs = [
            ("!", Token::Not),
            ("&&", Token::And),
            ("||", Token::Or),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
        ];
        for (sign, token) in signs {
            if rest.starts_with(sign) {
                self.at += sign.len();
                return Ok(token);
            }
        }
        match rest.chars().next() {
            None => Ok(Token::End),
            Some('`') => self.raw_text(start),
            Some('"') => self.escaped_text(start),
            Some('a'..='z' | 'A'..='Z' | '_') => {
                let is_part = |character: char| character.is_alphanumeric() || character == '_';
                let length = rest.find(|character| !is_part(character));
                let word = &rest[..length.unwrap_or(rest.len())];
                self.at += word.len();
                Ok(Token::Word(word))
            }
            Some(other) => Err(Fault::at(start, format!("{other:?} has no meaning"))),
        }
    }

    fn raw_text(&mut self, start: usize) -> Result<Token<'t>, Fault> {
        let rest = &self.text[start + 1..];
        let length = rest.find('`').ok_or_else(|| endless(start))?;
        self.at = start + 1 + length + 1;
        // Go leaves carriage returns out.
        Ok(Token::Text(rest[..length].replace('\r', "")))
    }

    fn escaped_text(&mut self, start: usize) -> Result<Token<'t>, Fault> {
        let mut bytes = Vec::new();
        self.at = start + 1;
        loop {
            let rest = &self.text[self.at..];
            match rest.chars().next() {
                None | Some('\n') => return Err(endless(start)),
                Some('"') => {
                    self.at += 1;
                    return match String::from_utf8(bytes) {
                        Ok(text) => Ok(Token::Text(text)),
                        // No request has such bytes, and no regular expression may.
                        Err(_) => Err(Fault::at(start, "its escapes make bytes that are no text")),
                    };
                }
                Some('\\') => {
                    self.at += 1 + unescape(&rest[1..], &mut bytes)
                        .ok_or_else(|| Fault::at(self.at, "this escape has no meaning"))?;
                }
                Some(other) => {
                    bytes.extend_from_slice(&rest.as_bytes()[..other.len_utf8()]);
                    self.at += other.len_utf8();
                }
            }
        }
    }
}

fn endless(start: usize) -> Fault {
    Fault::at(start, "the quoted text has no end")
}

/// Adds what an escape of Go stands for, and tells the length of what is behind its backslash.
fn unescape(rest: &str, bytes: &mut Vec<u8>) -> Option<usize> {
    let kind = *rest.as_bytes().first()?;
    let number = |start: usize, digits: usize, radix: u32| {
        let digits = rest.get(start..start + digits)?;
        let is_digit = |character: char| character.is_digit(radix);
        digits
            .chars()
            .all(is_digit)
            .then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let mut character = |length: usize, code: u32| {
        let mut utf8 = [0; 4];
        bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes());
        Some(length)
    };
    match kind {
        b'a' => character(1, 0x07),
        b'b' => character(1, 0x08),
        b'f' => character(1, 0x0c),
        b'n' => character(1, 0x0a),
        b'r' => character(1, 0x0d),
        b't' => character(1, 0x09),
        b'v' => character(1, 0x0b),
        b'"' | b'\\' => character(1, kind.into()),
        b'u' => character(5, number(1, 4, 16)?),
        b'U' => character(9, number(1, 8, 16)?),
        b'x' => {
            bytes.push(u8::try_from(number(1, 2, 16)?).ok()?);
            Some(3)
        }
        b'0'..=b'7' => {
            bytes.push(u8::try_from(number(0, 3, 8)?).ok()?);
            Some(3)
        }
        _ => None,
    }
}
