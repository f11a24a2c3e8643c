//! What all commands that work on machines share: choosing the machines, asking one, showing progress,
//! and reporting failures.

pub(crate) mod call;
pub(crate) mod fleet;
pub(crate) mod programs;
pub(crate) mod progress;
pub(crate) mod remote_failure;
