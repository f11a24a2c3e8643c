//! Text of others as it may be shown: what moves a cursor, ends a line or hides another character is
//! written out. A leaf: whoever prints or logs what a label, a daemon or a stranger says uses it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest text of others that is shown as a part of something else, in characters.
pub(crate) const LONGEST_SHOWN: usize = 200;

/// The text in one line, with every character visible.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_visible(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    Cow::Owned(shown)
}

/// The same in so many characters at most: the end of what is longer is left out.
pub(crate) fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    // No more than that many characters are looked at: a hostile text may be megabytes long.
    let is_short = text.chars().take(longest.saturating_add(1)).count() <= longest;
    if is_short && text.chars().all(is_visible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut length = 0;
    for character in text.chars() {
        let start = shown.len();
        if is_visible(character) {
            shown.push(character);
            length += 1;
        } else {
            shown.extend(character.escape_default());
            length += shown.len() - start;
        }
        if length > longest {
            shown.truncate(start);
            // The mark takes a place, too.
            while shown.chars().count() >= longest {
                shown.pop();
            }
            shown.push('…');
            break;
        }
    }
    Cow::Owned(shown)
}

/// JSON of the same meaning without any such character. JSON itself escapes only those below U+0020,
/// and they stand in its strings alone.
pub(crate) fn json(text: String) -> String {
    // Line ends and spaces of JSON itself are the only control characters outside its strings.
    let is_plain = |character: char| is_visible(character) || matches!(character, '\n' | '\t');
    if text.chars().all(is_plain) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 64);
    let mut units = [0; 2];
    for character in text.chars() {
        if is_plain(character) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            // Writing to a string never fails.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// Whether a character shows itself and does nothing else.
fn is_visible(character: char) -> bool {
    let is_invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        // Widths of zero, marks of direction, ends of lines, overrides of direction.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    !character.is_control() && !is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_acts_on_a_terminal_is_written_out() {
        for (text, shown) in [
            (
                "plain, with `quotes` and ünïcode",
                "plain, with `quotes` and ünïcode",
            ),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("one\u{2028}two", "one\\u{2028}two"),
            ("\u{200b}\u{feff}", "\\u{200b}\\u{feff}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn what_is_long_loses_its_end() {
        for (text, shown) in [
            ("12345", "12345"),
            ("123456", "1234…"),
            ("ééééé", "ééééé"),
            ("éééééé", "éééé…"),
            ("\n\n\n", "\\n\\n…"),
            ("abc\u{1b}\u{1b}", "abc…"),
        ] {
            assert_eq!(shortened(text, 5), shown);
        }
        for text in ["\0".repeat(1_000_000), "x".repeat(1_000_000)] {
            assert!(shortened(&text, 200).chars().count() <= 200);
        }
    }

    #[test]
    fn json_keeps_its_meaning() {
        for text in ["a", "\u{9b}2J", "\u{7f}\u{202e}x\u{e0001}", "\u{1b}\n"] {
            let escaped = json(serde_json::to_string(&[text]).expect("JSON"));
            let read: Vec<String> = serde_json::from_str(&escaped).expect("JSON");
            assert_eq!(read, [text]);
            assert!(escaped.chars().all(is_visible), "{escaped:?}");
        }
    }
}
