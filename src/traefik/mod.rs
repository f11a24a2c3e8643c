//! Traefik's vocabulary: entry points, certificate resolvers, the dynamic configuration's model, and
//! labels → model.
//!
//! Pure: nothing here does I/O, and nothing here knows of Docker or of a machine.

pub mod dynamic;
pub mod entrypoint;
pub mod labels;
pub mod regexp;
pub mod resolver;
pub mod rule;
