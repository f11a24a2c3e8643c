//! What a look at the machine found: problems, what to do about them, and what is only worth knowing.

use super::refused;
use crate::bundle::Failure;

/// Everything that was found, in the order in which it was.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<String>,
    hints: Vec<String>,
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    /// Notes what would make the push fail, and what to do about it.
    pub(super) fn problem(&mut self, problem: impl Into<String>, hint: impl Into<String>) {
        add(&mut self.problems, problem.into());
        add(&mut self.hints, hint.into());
    }

    /// Notes what was found to be wrong elsewhere.
    pub(super) fn failure(&mut self, failure: &Failure) {
        add(&mut self.problems, failure.message.clone());
        if let Some(hint) = &failure.hint {
            add(&mut self.hints, hint.clone());
        }
    }

    /// Notes what the operator should know although a push will work.
    pub(super) fn warning(&mut self, warning: impl Into<String>) {
        add(&mut self.warnings, warning.into());
    }

    /// Notes what the operator should know in any case: other problems are not to be understood
    /// without it.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        add(&mut self.notes, note.into());
    }

    /// The notes and warnings, or, where there is a problem, all problems as one refusal.
    pub(super) fn warnings_or_refusal(self) -> Result<Vec<String>, Failure> {
        let Self {
            problems,
            mut hints,
            mut notes,
            warnings,
        } = self;
        if problems.is_empty() {
            notes.extend(warnings);
            return Ok(notes);
        }
        hints.extend(notes);
        let failure = refused(problems.join("\n"));
        Err(if hints.is_empty() {
            failure
        } else {
            failure.hint(hints.join("\n"))
        })
    }
}

/// One problem often shows in several places; once is enough.
fn add(lines: &mut Vec<String>, line: String) {
    if !line.is_empty() && !lines.contains(&line) {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_make_one_refusal_and_nothing_is_said_twice() {
        let mut findings = Findings::default();
        findings.problem("web is in use", "stop nginx");
        findings.warning("tcp-3306 is left out");
        findings.note("Traefik listens on 10.0.0.5");
        findings.problem("websecure is in use", "stop nginx");
        findings.problem("web is in use", "stop nginx");
        let failure = findings.warnings_or_refusal().expect_err("a refusal");
        assert_eq!(failure.message, "web is in use\nwebsecure is in use");
        let hint = "stop nginx\nTraefik listens on 10.0.0.5";
        assert_eq!(failure.hint.as_deref(), Some(hint));
    }

    #[test]
    fn warnings_and_notes_alone_refuse_nothing() {
        let mut findings = Findings::default();
        findings.warning("tcp-3306 is left out");
        findings.note("Traefik listens on 10.0.0.5");
        let warnings = findings.warnings_or_refusal().expect("no refusal");
        let expected = ["Traefik listens on 10.0.0.5", "tcp-3306 is left out"];
        assert_eq!(warnings, expected);
    }
}
