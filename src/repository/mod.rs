//! What `renet repo`, `renet compose` and `rdc repo` share: the names of repositories, the machine's
//! record of them, and the slots and addresses of their services.
//! `registry`, `slots` and `slots_text` hold
//! the formats and are pure; `record` and `slots_file` read and write the files under their locks.

pub mod daemon;
mod locked_file;
mod name;
mod record;
mod registry;
mod slots;
mod slots_file;
mod slots_text;
mod variable;

pub use locked_file::FileError;
pub use name::{InvalidRepositoryName, RepositoryName};
pub use record::Record;
pub use registry::{Entry, Limits, NoFreeId, Phase, Registry};
pub use slots::{AssignError, Slots};
pub use slots_file::SlotsError;
pub use variable::{variable, variables};
