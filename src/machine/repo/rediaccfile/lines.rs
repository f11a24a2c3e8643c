//! Splits the output of a Rediaccfile into lines that are safe to show: of limited length, and without
//! control characters. Pure.

use crate::printable::printable;

/// The longest line that is kept complete, in bytes.
const LONGEST_BYTES: usize = 8 * 1024;
/// The distance of tab stops, in columns.
const TAB: usize = 8;

/// Splits a stream of chunks into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// Whether the current line is longer than that.
    is_cut: bool,
    /// Whether a carriage return came: what follows overwrites the line.
    returned: bool,
}

impl Lines {
    /// Takes the next chunk, and passes on the lines that it completes.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(String)) {
        for &byte in bytes {
            match byte {
                b'\n' => found(self.take()),
                b'\r' => self.returned = true,
                byte => {
                    if std::mem::take(&mut self.returned) {
                        self.line.clear();
                        self.is_cut = false;
                    }
                    if self.line.len() < LONGEST_BYTES {
                        self.line.push(byte);
                    } else {
                        self.is_cut = true;
                    }
                }
            }
        }
    }

    /// Passes on the last line, if it has no newline.
    pub(super) fn finish(&mut self, found: &mut dyn FnMut(String)) {
        if !self.line.is_empty() {
            found(self.take());
        }
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut shown = printable(&without_tabs(&text)).into_owned();
        if std::mem::take(&mut self.is_cut) {
            shown.push('…');
        }
        self.returned = false;
        shown
    }
}

/// The lines of a whole text.
pub(in crate::machine::repo) fn shown_lines(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = Lines::default();
    lines.push(text, &mut |line| found.push(line));
    lines.finish(&mut |line| found.push(line));
    found
}

/// Replaces tabs by spaces, so that columns stay aligned behind a prefix.
fn without_tabs(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        let width = if c == '\t' { TAB - column % TAB } else { 1 };
        if c == '\t' {
            plain.extend(std::iter::repeat_n(' ', width));
        } else {
            plain.push(c);
        }
        column += width;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.push(piece, &mut |line| found.push(line));
        }
        lines.finish(&mut |line| found.push(line));
        found
    }

    #[test]
    fn output_is_split_where_its_lines_end_and_shown_without_harm() {
        for (pieces, expected) in [
            (&[&b"a\nb\n"[..]][..], &["a", "b"][..]),
            (&[b"a", b"b\n\nc"], &["ab", "", "c"]),
            (&[b"a\r\nb\r", b"\n"], &["a", "b"]),
            (&[b"10 %\r50 %\r", b"100 %\n"], &["100 %"]),
            (&[b"50 %\r"], &["50 %"]),
            (&[b"\xff\xc3", b"\xa9\n"], &["\u{fffd}é"]),
            (
                &[b"a\tb\n12345678\tc\n"],
                &["a       b", "12345678        c"],
            ),
            (&[b"\x1b[2J\x07\n"], &["\\u{1b}[2J\\u{7}"]),
            (&[b""], &[]),
        ] {
            assert_eq!(lines(pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_cut() {
        let long = vec![b'x'; 3 * LONGEST_BYTES];
        let found = lines(&[&long, &long, b"\nnext\n"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].chars().count(), LONGEST_BYTES + 1);
        assert!(found[0].ends_with('…'));
        assert_eq!(found[1], "next");
    }
}
