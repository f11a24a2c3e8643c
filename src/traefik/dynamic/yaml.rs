//! The document as YAML that Traefik's reader takes for what it is.
//!
//! Written here and not by a YAML library, because libraries leave unquoted whatever *they* read
//! as text: `2024-01-01` as the value of one header is a time to Traefik, which then rejects the
//! whole document, and `1_000` becomes 1000. Here only plain words are without quotes. serde_json
//! walks the model, and its quoted strings are YAML's too.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// Words that a YAML reader may take for something other than text.
const NOT_TEXT: [&str; 12] = [
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity",
];

/// The longest key that stands before its colon as it is, in bytes. YAML's readers look no further
/// than 1,024 characters for the colon, and reject the document; a longer key is marked as one.
const LONGEST_PLAIN_KEY: usize = 512;

/// Serializes in YAML's block style.
pub(super) fn to_yaml(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = to_yaml_below(value, 0)?;
    // What stands at the top has no key before it to be parted from.
    Ok(text.trim_ascii_start().to_owned() + "\n")
}

/// Serializes what stands below a key at some depth: each line begins with a line end.
pub(super) fn to_yaml_below(
    value: &impl Serialize,
    depth: usize,
) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    let block = Block {
        depth,
        ..Block::default()
    };
    value.serialize(&mut Serializer::with_formatter(&mut bytes, block))?;
    String::from_utf8(bytes)
        .map_err(|error| serde_json::Error::io(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// Where the writer is.
#[derive(Default)]
struct Block {
    depth: usize,
    /// Whether the innermost map or list has got anything.
    filled: bool,
    /// Whether the next key stands behind the dash of its list, and not on a line of its own.
    after_dash: bool,
    is_key: bool,
    /// The string that is being written, escaped.
    text: Vec<u8>,
    escaped: bool,
}

impl Block {
    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        for _ in 1..self.depth {
            writer.write_all(b"  ")?;
        }
        Ok(())
    }

    /// Goes to where the next key or dash stands: behind the dash of its list, or on a new line.
    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if std::mem::take(&mut self.after_dash) {
            writer.write_all(b" ")
        } else {
            self.line(writer)
        }
    }

    fn open(&mut self) {
        self.depth += 1;
        self.filled = false;
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, empty: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if !self.filled {
            writer.write_all(empty)?;
        }
        self.after_dash = false;
        self.filled = true;
        Ok(())
    }

    fn scalar<W: ?Sized + Write>(&mut self, writer: &mut W, text: &[u8]) -> io::Result<()> {
        if !self.is_key {
            writer.write_all(b" ")?;
        }
        writer.write_all(text)
    }

    fn is_plain(&self) -> bool {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !self.escaped
            && self.text.first().is_some_and(u8::is_ascii_alphabetic)
            && self.text.iter().all(plain)
            && !NOT_TEXT
                .iter()
                .any(|word| word.as_bytes().eq_ignore_ascii_case(&self.text))
    }
}

impl Formatter for Block {
    fn write_bool<W: ?Sized + Write>(&mut self, writer: &mut W, value: bool) -> io::Result<()> {
        self.scalar(writer, if value { b"true" } else { b"false" })
    }

    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.scalar(writer, value.to_string().as_bytes())
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.scalar(writer, value.to_string().as_bytes())
    }

    fn begin_string<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.text.clear();
        self.escaped = false;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        _writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.text.extend_from_slice(fragment.as_bytes());
            return Ok(());
        }
        for character in fragment.chars() {
            // JSON lets these stand as they are, YAML does not.
            let printable = !character.is_control()
                && !matches!(
                    character,
                    '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
                );
            if printable {
                let mut utf8 = [0; 4];
                self.text
                    .extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            } else {
                self.escaped = true;
                write!(self.text, "\\u{:04x}", u32::from(character))?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        _writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.escaped = true;
        match escape {
            CharEscape::Quote => self.text.extend_from_slice(b"\\\""),
            CharEscape::ReverseSolidus => self.text.extend_from_slice(b"\\\\"),
            CharEscape::Solidus => self.text.push(b'/'),
            CharEscape::Backspace => self.text.extend_from_slice(b"\\b"),
            CharEscape::FormFeed => self.text.extend_from_slice(b"\\f"),
            CharEscape::LineFeed => self.text.extend_from_slice(b"\\n"),
            CharEscape::CarriageReturn => self.text.extend_from_slice(b"\\r"),
            CharEscape::Tab => self.text.extend_from_slice(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(self.text, "\\u{byte:04x}")?,
        }
        Ok(())
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if !self.is_plain() {
            self.text.insert(0, b'"');
            self.text.push(b'"');
        }
        let text = std::mem::take(&mut self.text);
        if self.is_key && text.len() > LONGEST_PLAIN_KEY {
            writer.write_all(b"? ")?;
            self.scalar(writer, &text)?;
            self.line(writer)?;
        } else {
            self.scalar(writer, &text)?;
        }
        self.text = text;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.open();
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b" {}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        _first: bool,
    ) -> io::Result<()> {
        self.begin(writer)?;
        self.is_key = true;
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.is_key = false;
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b":")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.open();
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b" []")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        _first: bool,
    ) -> io::Result<()> {
        self.begin(writer)?;
        writer.write_all(b"-")?;
        self.after_dash = true;
        Ok(())
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.after_dash = false;
        self.filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(value: &Value, expected: &str) {
        let yaml = to_yaml(value).expect("plain data");
        assert_eq!(yaml, expected);
        let back: Value = serde_yaml::from_str(&yaml).expect("yaml");
        assert_eq!(&back, value);
    }

    #[test]
    fn maps_and_lists_are_nested_by_indentation() {
        check(
            &json!({"a": {"b": [{"c": 1, "d": ["x", "y"]}, {"c": -2}], "e": {}}, "f": []}),
            "a:\n  b:\n    - c: 1\n      d:\n        - x\n        - \"y\"\n    - c: -2\n  e: {}\nf: []\n",
        );
        check(&json!([["a"], [], {}, true]), "- - a\n- []\n- {}\n- true\n");
        check(&json!({}), "{}\n");
    }

    #[test]
    fn only_plain_words_are_without_quotes() {
        for plain in ["web", "myapp-2816", "X-Header_1"] {
            check(&json!({ plain: plain }), &format!("{plain}: {plain}\n"));
        }
        for quoted in [
            "",
            "2024-01-01",
            "1_000",
            "010",
            "1e3",
            "12:30:45",
            "yes",
            "NULL",
            "~",
            "=",
            "<<",
            "-",
            "Host(`a`)",
            "a b",
            "a: b",
            "a #b",
            " a",
            "é",
            "10s",
            ".nan",
            "on",
        ] {
            check(&json!({ "k": quoted }), &format!("k: \"{quoted}\"\n"));
        }
    }

    #[test]
    fn a_key_of_any_length_is_read_as_one() {
        let (long, longer) = ("k".repeat(513), "ä \"".repeat(700));
        check(&json!({ &long: 1 }), &format!("? {long}\n: 1\n"));
        let quoted = longer.replace('"', "\\\"");
        check(
            &json!({"a": [{ &longer: {"b": 1}, "c": 2 }]}),
            &format!("a:\n  - c: 2\n    ? \"{quoted}\"\n    :\n      b: 1\n"),
        );
    }

    #[test]
    fn what_yaml_does_not_print_is_escaped() {
        check(
            &json!({"k": "a\"\\\n\t\r\u{0}\u{1b}\u{7f}\u{85}\u{2028}\u{feff}😀"}),
            "k: \"a\\\"\\\\\\n\\t\\r\\u0000\\u001b\\u007f\\u0085\\u2028\\ufeff😀\"\n",
        );
    }
}
