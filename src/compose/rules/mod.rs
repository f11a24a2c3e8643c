//! What the services of a repository may do: a table for each part of Compose's model, with a rule for
//! every key. A key that no table knows is refused, because it could reach the machine.
//!
//! Two kinds of things are refused: what cannot work with host networking, always; and what reaches the
//! machine, unless the operator allows it. Nothing in the project's files can allow it.
//!
//! Source: the schema of the Compose specification, as Compose 2.40 has it.

mod build;
mod finding;
mod folder;
mod line;
mod project;
mod service;
mod table;

pub(super) use finding::{Finding, refuse};
pub(super) use folder::Folder;
pub(super) use line::check as check_line;

use super::model::Model;

/// All findings for a project.
pub(super) fn check(model: &Model, folder: Folder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, service) in model.services() {
        findings.extend(service::check(name, service, folder));
    }
    findings.extend(project::check(model, folder));
    findings
}
