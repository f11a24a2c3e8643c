//! What both sides of a sync share: the manifest of a folder, and the format in which its contents are
//! sent.
//!
//! ```text
//! rdc                                            renet repo sync NAME
//!  folder ─► manifest ── shipment, no contents ──► compares, answers what it lacks, if anything
//!            manifest ── shipment, contents ─────► writes, deletes, records
//! ```
//!
//! A received path is checked when it is parsed; the type `SyncPath` is the proof.

mod folder;
mod manifest;
mod path;
mod shipment;

pub use folder::{Folder, FolderError, IGNORE_FILE};
pub use manifest::{Content, Hashing, Item, Manifest};
pub use path::{InvalidPath, SyncPath};
pub use shipment::{Shipment, ShipmentError, send};
