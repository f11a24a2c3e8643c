//! Findings: what a project may not have, and what to write instead.

use std::fmt::Write as _;

use crate::compose::refusal::Refusal;

/// One thing that a project may not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::compose) struct Finding {
    /// Where it stands, as `webapp.ports`.
    pub(in crate::compose) key: String,
    pub(super) problem: String,
    /// What to write instead.
    pub(super) instead: Option<String>,
    /// Whether the operator may allow it.
    pub(super) is_unsafe: bool,
}

impl Finding {
    /// Something that cannot work here.
    pub(super) fn useless(
        key: impl Into<String>,
        problem: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
            instead: Some(instead.into()),
            is_unsafe: false,
        }
    }

    /// Something by which a service could reach the machine.
    pub(super) fn unsafe_(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
            instead: None,
            is_unsafe: true,
        }
    }

    pub(super) fn instead(self, instead: impl Into<String>) -> Self {
        Self {
            instead: Some(instead.into()),
            ..self
        }
    }
}

/// All findings as one error; none without findings.
pub(in crate::compose) fn refuse(
    findings: Vec<Finding>,
    allows_unsafe: bool,
) -> Result<(), Refusal> {
    let findings: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| !(finding.is_unsafe && allows_unsafe))
        .collect();
    if findings.is_empty() {
        return Ok(());
    }
    let mut message = "cannot run these services in a repository".to_owned();
    for finding in &findings {
        let Finding {
            key,
            problem,
            instead,
            ..
        } = finding;
        // It never fails on a string.
        let _ = write!(message, "\n  {key}: {problem}");
        if let Some(instead) = instead {
            let _ = write!(message, "\n    instead: {instead}");
        }
    }
    let refusal = Refusal::new(message);
    if findings.iter().any(|finding| finding.is_unsafe) {
        return Err(refusal.hint(
            "if you trust this repository with the machine, `renet compose --unsafe -- …` allows what \
             reaches the machine, and remembers it; `--safe` takes that back",
        ));
    }
    Err(refusal)
}
