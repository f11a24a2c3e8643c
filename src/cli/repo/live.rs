//! Shows the output of a run, line by line, with the name of its folder as a prefix. It goes to standard
//! error, because standard output is for results.

use crate::bundle::{LineSource, RunLine, Step};
use crate::cli::output::{Output, Paint};
use crate::cli::work::progress::Progress;
use crate::printable::printable;
use crate::push::Observer;
use crate::release;
use crate::repository::RepositoryName;

/// Prints the lines of a run.
pub(super) struct Live<'a> {
    output: &'a Output,
    progress: &'a Progress<'a>,
    /// The folders that printed so far; each has a colour. `None` is the repository itself.
    speakers: Vec<String>,
}

impl<'a> Live<'a> {
    pub(super) fn new(
        output: &'a Output,
        progress: &'a Progress<'a>,
        repository: &RepositoryName,
    ) -> Self {
        Self {
            output,
            progress,
            speakers: vec![repository.to_string()],
        }
    }

    /// The colour of a folder, or of the repository itself.
    fn number(&mut self, folder: Option<&str>) -> usize {
        let Some(folder) = folder else {
            return 0;
        };
        let folders = self.speakers.iter().skip(1);
        let known = folders.clone().position(|speaker| speaker == folder);
        match known {
            Some(at) => at + 1,
            None => {
                self.speakers.push(folder.to_owned());
                self.speakers.len() - 1
            }
        }
    }
}

impl Observer for Live<'_> {
    fn step(&mut self, _: &Step) {}

    fn resumed(&mut self, _: u64) {}

    fn sent(&mut self, _: u64) {}

    fn line(&mut self, line: &RunLine) {
        let text = shown(&line.text);
        if line.source == LineSource::Step {
            self.progress.doing(&text);
        }
        let number = self.number(line.folder.as_deref());
        let prefix = format!("{} |", printable(&self.speakers[number]));
        let prefix = self.output.paint_stderr(Paint::Among(number), &prefix);
        let text = match line.source {
            LineSource::Step => self.output.paint_stderr(Paint::Dim, &text),
            LineSource::Stdout | LineSource::Stderr => text,
        };
        let output = self.output;
        self.progress
            .print(|| output.note(&format!("{prefix} {text}")));
    }
}

impl release::Observer for Live<'_> {
    fn downloading(&mut self, _: &str, _: Option<u64>) {}

    fn received(&mut self, _: u64) {}
}

/// A line made safe to show: without what a carriage return overwrote, and without control characters.
fn shown(text: &str) -> String {
    let text = text.trim_end_matches('\r');
    let last = text.rsplit('\r').next().unwrap_or_default();
    printable(&without_colours(last).replace('\t', "        ")).into_owned()
}

/// The text without colour codes, which some programs print even into a pipe.
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, code)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let parameters = code.trim_start_matches(|c: char| c.is_ascii_digit() || ";?:".contains(c));
        rest = parameters
            .strip_prefix(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(parameters);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_moves_no_cursor() {
        for (text, expected) in [
            ("plain ü", "plain ü"),
            ("\u{1b}[32mok\u{1b}[0m", "ok"),
            ("10 %\r50 %\rdone\r", "done"),
            ("\u{1b}[2K\u{1b}[1Aup", "up"),
            ("a\tb", "a        b"),
            ("bell\u{7}", "bell\\u{7}"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
