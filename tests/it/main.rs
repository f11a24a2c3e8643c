//! The tests that are not beside their code, one binary: on the built programs, and on real
//! machines.

mod architecture;
mod cli;
mod context;
mod context_infra;
mod daemons_end_to_end;
mod end_to_end;
mod properties;
mod push;
mod rdc;
mod real_traefik;
mod render;
mod route_server;
mod route_server_faults;
mod route_server_ports;
mod route_server_process;
mod route_server_questions;
mod simulated_daemon;
mod test_machine;
mod traefik_accepts;
mod traefik_provider;
mod transaction;
mod without_cloudflare;
