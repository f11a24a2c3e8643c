//! The workstation that a `renet infra` answers: what is told to it, and what it sends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use super::refused;
use crate::bundle::{Failure, Hello, Message, PROTOCOL, Secrets};
use crate::stdout;

/// Whoever asked for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workstation {
    /// An `rdc` of our protocol.
    Rdc,
    /// Somebody on the machine, who sends nothing.
    ByHand,
}

impl Workstation {
    /// Greets an `rdc` that speaks a protocol; by hand, nobody names one.
    pub(super) fn greet(protocol: Option<u32>) -> Result<Self, Failure> {
        let Some(theirs) = protocol else {
            return Ok(Self::ByHand);
        };
        let own = Hello::own();
        tell(&Message::Hello(own.clone()));
        if theirs == PROTOCOL {
            return Ok(Self::Rdc);
        }
        let failure = refused(format!(
            "the `rdc` that asks speaks protocol {theirs}, and the `renet` on the machine ({}) speaks \
             {PROTOCOL}",
            own.version
        ));
        Err(failure.hint(if theirs < PROTOCOL {
            "a newer `rdc` was here: use that one"
        } else {
            "`rdc context push-infra MACHINE` brings the `renet` of this `rdc`"
        }))
    }

    /// What the workstation sends once it was greeted. It also tells that somebody still waits for
    /// the answer: where it does not come, nothing may be changed.
    pub(super) fn secrets(self) -> Result<Secrets, Failure> {
        if self == Self::ByHand {
            return Ok(Secrets::default());
        }
        let mut text = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut text)
            .map_err(|error| refused(format!("standard input cannot be read: {error}")))?;
        // The error's text is left out: it could quote the token.
        serde_json::from_slice(&text).map_err(|error| {
            refused(format!(
                "what `rdc` sends on standard input did not arrive (line {}, column {}): nothing was \
                 changed",
                error.line(),
                error.column()
            ))
            .hint("run it again")
        })
    }
}

/// Says one message to the workstation. A reader that went away must not stop a push in the
/// middle: the machine's state is what counts, and the next push reports it.
pub(super) fn tell(message: &Message) {
    if let Ok(line) = serde_json::to_string(message) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}

/// Says the last message. Who does not get it must not take the rest for a whole answer.
pub(super) fn answer(message: &Message) -> ExitCode {
    let line = serde_json::to_string(message).map_err(io::Error::from);
    match line.and_then(|line| stdout::write(&format!("{line}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
