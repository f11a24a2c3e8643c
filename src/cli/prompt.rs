//! Questions to the operator, on a terminal only.

use std::io::{self, IsTerminal as _};

use dialoguer::Confirm;
use dialoguer::console::Term;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::failure::{Exit, Failure};
use super::interrupt::{ON_ITS_WAY, changed_nothing, runtime, unless_interrupted};
use super::session::Session;

/// Whether somebody sits there who can see a question and answer it.
pub(crate) fn can_ask(session: &Session) -> bool {
    !session.output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no.
pub(crate) fn confirm(question: &str, default: bool) -> Result<bool, Failure> {
    answered(yes_or_no(question, default))
}

/// The same while other work goes on.
pub(crate) async fn confirm_meanwhile(question: &str, default: bool) -> Result<bool, Failure> {
    answer_to(yes_or_no(question, default)).await
}

fn yes_or_no(
    question: &str,
    default: bool,
) -> impl FnOnce() -> dialoguer::Result<bool> + Send + 'static {
    let question = question.to_owned();
    move || {
        Confirm::new()
            .with_prompt(question)
            .default(default)
            .interact()
    }
}

/// The answer to a question.
pub(crate) fn answered<T: Send + 'static>(
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let runtime = runtime()?;
    let answer = runtime.block_on(answer_to(question));
    // Where it was broken off, the question still waits for a key.
    runtime.shutdown_background();
    answer
}

/// Waits for the answer to a question, or until it is broken off. The library makes a signal of
/// Ctrl-C, and has the cursor hidden or the echo off meanwhile: it is not to be what ends us.
async fn answer_to<T: Send + 'static>(
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let before = tcgetattr(io::stdin()).ok();
    // Asked from inside, once somebody listens.
    let answer = unless_interrupted(async { tokio::task::spawn_blocking(question).await }).await;
    if let Some(Ok(Ok(answer))) = answer {
        return Ok(answer);
    }
    if answer.is_none() {
        // The question may be about to set the terminal, which is to be set back after that.
        tokio::time::sleep(ON_ITS_WAY).await;
    }
    // What cannot be mended on a terminal stays there.
    let _ = Term::stderr().show_cursor();
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
    let _ = Term::stderr().write_line("");
    Err(match answer {
        Some(Ok(Err(error))) => broken_off(&error),
        Some(Err(error)) => Failure::caused(Exit::Failed, &error),
        _ => changed_nothing(),
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
fn broken_off(error: &dialoguer::Error) -> Failure {
    match error {
        dialoguer::Error::IO(error) if error.kind() == io::ErrorKind::Interrupted => {
            changed_nothing()
        }
        dialoguer::Error::IO(error) => Failure::caused(Exit::Failed, error),
    }
}
