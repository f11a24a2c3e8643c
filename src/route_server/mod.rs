//! `renet route-server`: discover → watch → index → routes → serve.

pub mod container;
pub mod routes;
