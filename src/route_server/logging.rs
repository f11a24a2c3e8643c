//! What the route server says, on stderr: to the journal, or to a terminal.

use std::env;
use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// Starts logging. `RUST_LOG` says how much, `info` by default.
pub fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(stderr().is_terminal())
        // It would be told of on standard error, and end the program where that fails too.
        .log_internal_errors(false)
        .with_writer(stderr);
    // The journal has the time of each line already. It fails if the process logs already.
    let _ = if env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().try_init()
    } else {
        log.with_timer(SystemTime).try_init()
    };
}
