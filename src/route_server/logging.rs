//! What the route server says, on stderr: to the journal, or to a terminal. Much of it quotes labels
//! and daemons, which are strangers' text: no value leaves here that is not printable and short.

use std::env;
use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::SystemTime;

use crate::printable::shortened;

/// How long one value of a line may be, and what the line says.
const LONGEST_VALUE: usize = 512;

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
        .fmt_fields(fields())
        .with_writer(stderr);
    // The journal has the time of each line already. It fails if the process logs already.
    let _ = if env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().try_init()
    } else {
        log.with_timer(SystemTime).try_init()
    };
}

/// Each value in one line, without anything that a terminal acts on.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(|writer: &mut Writer<'_>, field, value| {
        let value = format!("{value:?}");
        let value = shortened(&value, LONGEST_VALUE);
        match field.name() {
            "message" => write!(writer, "{value}"),
            name => write!(writer, "{name}={value}"),
        }
    })
    .delimited(" ")
}
