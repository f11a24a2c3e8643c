//! `rdc` and `renet`: services in isolated Docker daemons, reachable from the internet.
//!
//! The crate's map, in reading order. An arrow reads "may use":
//!
//! ```text
//!   cli ─► push ─► render ─► context ─► traefik          (rdc, on the workstation)
//!            ├───► remote
//!            └───► release ─► context
//!   cli ─► sync ◄─ machine                               (a folder's way to a repository)
//!   route_server ─► traefik, repository                  (renet, on the machine)
//!   machine ─► render ─► context ─► traefik
//!            └► compose ─► repository                    (renet repo, renet compose)
//!   proxy ─► traefik
//! ```
//!
//! `causes`, `host_name`, `loopback`, `marks`, `network`, `layout`, `printable` and `stdout` are leaves;
//! `repository` and `sync` hold what both sides share of repositories; `ownership` says what the
//! operator grants to whom, on both sides; `bundle`, which names `context`, is the wire between the two
//! programs. `traefik`, `ownership`, `render`, `push::plan`,
//! `route_server::routes`, `route_server::ownership`, `route_server::ports` and `route_server::index`
//! are pure: no tokio, no files, no clock, no environment. Only `remote` starts `ssh`; only `release`
//! asks the internet; only `route_server::docker` opens a Docker socket.
//! `tests/it/architecture.rs` asserts these directions.

// These panic where what they print cannot be written: `stdout`, or `writeln!`, does not.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod causes;

mod loopback;

mod marks;

pub mod host_name;

pub mod network;

mod printable;

pub mod stdout;

pub mod traefik;

pub mod ownership;

pub mod repository;

pub mod compose;

pub mod sync;

pub mod context;

pub mod bundle;

pub mod layout;

pub mod render;

pub mod remote;

pub mod release;

pub mod push;

pub mod machine;

pub mod proxy;

pub mod route_server;

pub mod cli;
