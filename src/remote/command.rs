//! A shell script as one command line that any login shell hands to `sh`: words in one place
//! quoted, and the script's own output told from what the login printed before it.
//!
//! Nothing is run here.

use std::fmt::Write as _;
use std::io;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader, copy_buf,
};

/// The line that the script begins with, on both its outputs. What stands before it was printed
/// by the login: a `.bashrc` that greets, or a shell that lets nobody do anything.
const BEGIN: &str = "rdc-begins";

/// How long a line of a login may be, in bytes; what follows is taken for another line.
const LONGEST_LINE: u64 = 64 * 1024;

/// The command line of a script with words of its own, which says on both outputs that it begins.
pub(super) fn line(script: &str, words: &[&str]) -> String {
    // The empty line ends what somebody printed without an end.
    let head = format!("printf '\\n{BEGIN}\\n'; printf '\\n{BEGIN}\\n' >&2; ");
    quoted(&head, script, words)
}

/// The same without these words, for people.
pub(super) fn plain_line(script: &str, words: &[&str]) -> String {
    quoted("", script, words)
}

/// Inside single quotes, fish reads a backslash, and csh an exclamation mark and a line's end: `sh`
/// gets them as octal numbers.
fn quoted(head: &str, script: &str, words: &[&str]) -> String {
    let words: String = words
        .iter()
        .map(|word| format!(" '{}'", word.replace('\'', "'\\''")))
        .collect();
    let whole = format!("{head}set --{words}\n{script}");
    let mut line = "sh -c 'eval \"$(printf %b \"$1\")\"' sh '".to_owned();
    for byte in whole.bytes() {
        if matches!(byte, b' '..=b'~') && !b"'\\!".contains(&byte) {
            line.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(line, "\\0{byte:03o}");
        }
    }
    line.push('\'');
    line
}

/// Copies an output without what the login printed before the script began. Answers whether it did
/// begin, and else what the login said.
pub(super) async fn own_output(
    from: impl AsyncRead + Unpin,
    into: &mut (impl AsyncWrite + Unpin),
) -> io::Result<Preamble> {
    let mut from = BufReader::new(from);
    let mut preamble = Preamble::default();
    let mut line = Vec::new();
    while !preamble.ended() {
        line.clear();
        let count = (&mut from)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await?;
        if count == 0 {
            return Ok(preamble);
        }
        preamble.is_over(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
    }
    copy_buf(&mut from, into).await?;
    Ok(preamble)
}

/// What came before the script's beginning, and whether that was seen.
#[derive(Debug, Default)]
pub(super) struct Preamble {
    ended: bool,
    said: Vec<String>,
}

impl Preamble {
    /// How many lines of a login's own are kept.
    const KEPT: usize = 20;

    /// Takes the next line of an output; answers whether it is the script's own.
    pub(super) fn is_over(&mut self, line: &str) -> bool {
        if self.ended {
            return true;
        }
        if line == BEGIN {
            self.ended = true;
        } else if self.said.len() < Self::KEPT && !line.trim().is_empty() {
            self.said.push(line.trim().to_owned());
        }
        false
    }

    /// Whether the script began.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// What the login said, in one line.
    pub(super) fn said(&self) -> String {
        self.said.join(" ")
    }
}

/// What a login said that ended before the script began, on both outputs, in one line.
pub(super) fn said(preamble: &Preamble, stderr: &str) -> String {
    let said = format!("{} {stderr}", preamble.said());
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A script's standard error without what the login said.
pub(super) fn own_stderr(text: &str) -> &str {
    let own = text.split_once(&format!("{BEGIN}\n"));
    own.map_or(text, |(_login, own)| own).trim()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_command_line_has_nothing_that_a_login_shell_reads() {
        let line = line("echo \"it's \\\\ here!\"\necho ünd", &["a b", "it's", ""]);
        let quoted: Vec<&str> = line.split('\'').collect();
        assert_eq!(quoted.len(), 5, "a quote inside the quotes: {line}");
        let script = quoted[3];
        assert!(script.is_ascii() && !script.contains(['!', '\n']), "{line}");
    }

    #[test]
    fn sh_gets_the_script_and_its_words_as_they_were() {
        let script = "for word; do echo \"<$word>\"; done\nprintf '%s\\n' 'it'\\''s! \\n ü %s'; echo err >&2";
        let words = ["a b", "it's", "", "$HOME", "back\\slash", "-x"];
        let output = Command::new("sh")
            .args(["-c", &line(script, &words)])
            .output()
            .expect("sh runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let mut preamble = Preamble::default();
        let own: Vec<&str> = text.lines().filter(|line| preamble.is_over(line)).collect();
        let expected = [
            "<a b>",
            "<it's>",
            "<>",
            "<$HOME>",
            "<back\\slash>",
            "<-x>",
            "it's! \\n ü %s",
        ];
        assert_eq!(own, expected);
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(own_stderr(&stderr), "err");
    }

    #[tokio::test]
    async fn a_raw_output_begins_behind_what_the_login_prints() {
        for (output, own, said) in [
            (
                "Welcome!\n> \nrdc-begins\nraw\0\nrdc-begins\nend",
                "raw\0\nrdc-begins\nend",
                "Welcome! >",
            ),
            ("\nrdc-begins\n", "", ""),
            ("This account is closed.\n", "", "This account is closed."),
            ("", "", ""),
        ] {
            let mut copied = Vec::new();
            let preamble = own_output(output.as_bytes(), &mut copied)
                .await
                .expect("it is read");
            assert_eq!(copied, own.as_bytes(), "{output}");
            assert_eq!(preamble.said(), said);
            assert_eq!(preamble.ended(), output.contains("rdc-begins"));
        }
    }

    #[test]
    fn what_a_login_prints_is_no_output_of_the_script() {
        let mut preamble = Preamble::default();
        let lines = ["Welcome!", "", "{\"done\": 1}", "rdc-begins", "rdc-begins"];
        let own: Vec<bool> = lines.iter().map(|line| preamble.is_over(line)).collect();
        assert_eq!(own, [false, false, false, false, true]);
        assert_eq!(preamble.said(), "Welcome! {\"done\": 1}");
        assert_eq!(
            own_stderr("tput: no terminal\n\nrdc-begins\nsudo: no\n"),
            "sudo: no"
        );
        assert_eq!(own_stderr("nothing began\n"), "nothing began");
    }
}
