//! Finds the command of a Rediaccfile that failed, from the records of its driver
//! (templates/rediaccfile.bash) and from the messages of bash itself. Pure.

use crate::printable::{LONGEST_SHOWN, shortened};

/// One record of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: Kind,
    /// The depth in subshells.
    depth: u32,
    code: i32,
    /// How many commands the pipeline had.
    commands: u32,
    file: String,
    line: Option<u32>,
    command: String,
}

/// The event that a record reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The function exists and is about to be called.
    Begins,
    /// A command failed; it may be one whose failure does not matter.
    Failed,
    /// The shell ends.
    Ended,
}

/// Where a function failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as bash names it; none if bash did not name it.
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) command: Option<String>,
    /// Whether the whole line is shown instead of the command, which is only a part of a pipeline.
    pub(super) wants_line: bool,
}

impl Told {
    /// Parses one record, without the NUL at its end.
    pub(super) fn parse(record: &str) -> Option<Self> {
        let mut fields = record.split('\u{1f}');
        let kind = match fields.next()? {
            "begins" => Kind::Begins,
            "failed" => Kind::Failed,
            "ended" => Kind::Ended,
            _ => return None,
        };
        Some(Self {
            kind,
            depth: fields.next()?.parse().ok()?,
            code: fields.next()?.parse().ok()?,
            commands: fields.next()?.parse().ok()?,
            file: fields.next()?.to_owned(),
            line: fields.next()?.parse().ok(),
            command: fields.next()?.to_owned(),
        })
    }
}

/// Where a function failed. `code` is its exit code; `complaints` are its last lines on standard error.
pub(super) fn place(told: &[Told], code: i32, complaints: &[String]) -> Place {
    let told: Vec<&Told> = told
        .iter()
        .filter(|told| told.kind != Kind::Begins)
        .collect();
    let ended = told.iter().rposition(|told| told.kind == Kind::Ended);
    let before = &told[..ended.unwrap_or(told.len())];
    // The last failure is the one that ended the shell. A failure in a subshell comes before that of
    // the command around the subshell, and says more.
    if let Some((last, earlier)) = before.split_last()
        && last.depth == 0
        && last.code == code
    {
        let inner = earlier
            .iter()
            .rev()
            .take_while(|told| told.depth > 0 && told.code == code)
            .last();
        return inner.unwrap_or(last).place();
    }
    // For an unset variable, a wrong expansion and a syntax error, bash names the line only on standard
    // error.
    let said = complaints.iter().rev().find_map(|line| complaint(line));
    let ended = ended.map(|at| told[at]);
    match (said, ended) {
        (Some((file, line, what)), ended) => Place {
            file: Some(file),
            line: Some(line),
            command: match ended {
                Some(ended) if !what.starts_with("syntax error") && ended.is_of_the_file() => {
                    Some(ended.shown())
                }
                _ => Some(shortened(&what, LONGEST_SHOWN).into_owned()),
            },
            wants_line: false,
        },
        // Bash was killed, or the script replaced the traps.
        (None, _) => Place::default(),
    }
}

impl Told {
    fn place(&self) -> Place {
        Place {
            file: Some(self.file.clone()),
            line: self.line,
            command: Some(self.shown()),
            wants_line: self.commands > 1 || self.command.starts_with("return"),
        }
    }

    /// Whether it names a file, rather than the driver.
    fn is_of_the_file(&self) -> bool {
        !self.file.is_empty() && self.file != "environment"
    }

    /// The command's first line.
    fn shown(&self) -> String {
        let line = self.command.lines().next().unwrap_or_default();
        shortened(line, LONGEST_SHOWN).into_owned()
    }
}

/// Parses a message of bash: `./Rediaccfile: line 5: NOPE: unbound variable`.
fn complaint(line: &str) -> Option<(String, u32, String)> {
    let (file, rest) = line.split_once(": line ")?;
    let (number, what) = rest.split_once(": ")?;
    Some((file.to_owned(), number.parse().ok()?, what.to_owned()))
}
