//! Text from outside as people are shown it. Labels, names and what an engine says come from whoever
//! runs the containers; none of it may draw on a terminal, or fill a log.

use std::fmt::Write as _;

/// The longest text that is shown, in characters.
pub(super) const LONGEST: usize = 200;
/// The longest hint: a list of keys is of no use without its end, and neither is a command.
pub(super) const LONGEST_HINT: usize = 500;

/// The text in one line of at most so many characters: what would draw, break a line or turn the
/// direction of writing is written as an escape, and what is too much is left out.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    for character in text.chars() {
        let start = line.len();
        if is_drawn(character) {
            line.push(character);
            length += 1;
        } else {
            write!(line, "{}", character.escape_unicode()).expect("text takes text");
            length += line.len() - start;
        }
        if length > longest {
            line.truncate(start);
            // The mark takes a place, too.
            while line.chars().count() >= longest {
                line.pop();
            }
            line.push('…');
            break;
        }
    }
    line
}

/// Whether a character shows itself, and does nothing to the others.
fn is_drawn(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{2028}' | '\u{2029}' // ends of lines
                | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' // directions
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}' // tags, which nobody sees
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_draw_is_escaped_and_what_is_too_much_left_out() {
        for (text, expected) in [
            ("plain `text`, é, 日本", "plain `text`, é, 日本"),
            ("a\nb\tc\r", "a\\u{a}b\\u{9}c\\u{d}"),
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("", ""),
        ] {
            assert_eq!(shown(text, LONGEST), expected);
        }
        assert_eq!(shown("abcde", 5), "abcde");
        assert_eq!(shown("abcdef", 5), "abcd…");
        assert_eq!(shown("ééééééé", 5), "éééé…");
        assert_eq!(shown("abc\u{1b}\u{1b}", 5), "abc…");
        for text in ["\u{0}".repeat(1_000_000), "x".repeat(1_000_000)] {
            assert!(shown(&text, LONGEST).chars().count() <= LONGEST);
        }
    }
}
