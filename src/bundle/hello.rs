//! Which protocol is spoken, and how each side tells the other.

use serde::{Deserialize, Serialize};

/// The version of the protocol. It is one more whenever the messages, or what `renet infra` takes,
/// change so that the other side of another build would not understand them.
pub const PROTOCOL: u32 = 2;

/// The first message of each answer. It stays the same in every protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol that this `renet` speaks.
    pub protocol: u32,
    /// Its version, for people.
    pub version: String,
}

impl Hello {
    /// This build's.
    pub fn own() -> Self {
        Self {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
