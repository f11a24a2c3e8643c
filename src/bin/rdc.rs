//! The program `rdc`: runs what the command line asks for.

use std::process::ExitCode;

fn main() -> ExitCode {
    rediacc::cli::run(std::env::args_os())
}
