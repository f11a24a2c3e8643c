//! Questions to the operator, on a terminal only.

use std::io::{self, IsTerminal as _};

use dialoguer::Confirm;
use dialoguer::console::Term;

use super::failure::{Exit, Failure};
use super::session::Session;

/// Whether somebody sits there who can see a question and answer it.
pub(crate) fn can_ask(session: &Session) -> bool {
    !session.output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no.
pub(crate) fn confirm(question: &str, default: bool) -> Result<bool, Failure> {
    let answer = Confirm::new()
        .with_prompt(question)
        .default(default)
        .interact();
    answer.map_err(|error| {
        // The library hides the cursor while it asks, and leaves it hidden when it is broken off.
        let _ = Term::stderr().show_cursor();
        broken_off(&error)
    })
}

/// Asks before something is lost; where nobody can answer, `option` has to say yes.
pub(crate) fn confirm_or(
    session: &Session,
    given: bool,
    option: &str,
    question: &str,
) -> Result<(), Failure> {
    if given {
        return Ok(());
    }
    if !can_ask(session) {
        return Err(Failure::new(
            Exit::Invalid,
            format!("cannot ask off a terminal: {question}"),
        )
        .hint(format!("give {option} to say yes")));
    }
    if confirm(question, false)? {
        Ok(())
    } else {
        Err(Failure::new(Exit::Refused, "nothing was changed"))
    }
}

/// A question that got no answer.
pub(crate) fn broken_off(error: &dialoguer::Error) -> Failure {
    match error {
        dialoguer::Error::IO(error) if error.kind() == io::ErrorKind::Interrupted => {
            Failure::new(Exit::Interrupted, "interrupted: nothing was changed")
        }
        dialoguer::Error::IO(error) => Failure::caused(Exit::Failed, error),
    }
}
