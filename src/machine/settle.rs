//! `renet infra settle`: the guard of a transaction, and what the machine does after a reboot that
//! came in the middle of one.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use super::lock::{Lock, Purpose};
use super::transaction;
use crate::bundle::{Failure, Message};

/// How long a push that came in between may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until nobody works on the transaction, and brings it to its end if that was not done.
/// What happens goes to the journal.
pub(super) fn run() -> ExitCode {
    match settle() {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(generation)) => {
            tell(&format_args!(
                "a push was cut off; generation {generation} runs now"
            ));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            tell(&format_args!("error: {}", failure.message));
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn settle() -> Result<Option<u32>, Failure> {
    transaction::await_nobody()?;
    if !transaction::is_pending() {
        return Ok(None);
    }
    let _lock = Lock::take(Purpose::Settle, PATIENCE)?;
    transaction::settle(&mut |message| {
        if let Message::Doing(step) = message {
            tell(step);
        }
    })
}

/// Says something to the journal. One that is restarting must not stop the work in the middle.
fn tell(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
