//! Follows a run on a machine to its end. Ctrl-C cancels the run there; a second Ctrl-C leaves it running.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use super::exchange::Exchange;
use super::live::Live;
use crate::bundle::RepositoryAnswer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::{interrupted, settled, unless_interrupted};
use crate::cli::work::call::Connection;
use crate::cli::work::fleet::{self, Stopped};
use crate::cli::work::progress::Display;
use crate::cli::work::remote_failure::After;
use crate::context::value::MachineName;
use crate::repository::RepositoryName;

/// How long a run may take to end once it was cancelled.
const CANCEL_PATIENCE: Duration = Duration::from_secs(20);

/// Runs `renet repo VERB` over a connection of its own, after what `prepare` does over it, and follows it
/// to its end. Answers with what was prepared, and what the run came to.
pub(super) fn run<T>(
    exchange: &Exchange<'_>,
    name: &RepositoryName,
    verb: &'static str,
    options: Vec<String>,
    prepare: impl AsyncFnOnce(&Connection<'_>) -> Result<T, Stopped>,
) -> Result<(T, RepositoryAnswer), Failure> {
    let machine = exchange.machine;
    // Nothing runs yet.
    let after = Cell::new(After::Again);
    let display = Display::new(&exchange.session.output);
    let ended = fleet::block_on(async {
        let connected = unless_interrupted(exchange.caller.connect(&display)).await;
        let connection = connected.unwrap_or(Err(Stopped::Interrupted))?;
        let ended = async {
            let prepared = async { settled(prepare(&connection).await).await };
            let Some(prepared) = unless_interrupted(prepared).await else {
                let failure = Failure::new(Exit::Interrupted, "interrupted: nothing was run");
                return Err(failure.hint("run it again").into());
            };
            let prepared = prepared?;
            // What begins now survives the connection.
            after.set(After::Run {
                repository: name,
                verb,
            });
            let followed = follow(exchange, &connection, name, verb, options).await?;
            Ok((prepared, followed))
        };
        let ended = ended.await;
        connection.close(ended.is_ok()).await;
        ended
    })?;
    display.clear();
    match exchange.caller.end_of(after.get(), ended)? {
        (prepared, Followed::Ended(answer)) => Ok((prepared, answer)),
        (_, Followed::Cancelled) => Err(cancelled(name, machine)),
        (_, Followed::Left) => Err(left(name, machine, verb)),
    }
}

/// How following a run ended.
enum Followed {
    /// The run ended.
    Ended(RepositoryAnswer),
    /// The operator cancelled it.
    Cancelled,
    /// The operator stopped watching, and the run continues.
    Left,
}

/// Starts `renet repo VERB` over an open connection, and follows it.
async fn follow(
    exchange: &Exchange<'_>,
    connection: &Connection<'_>,
    name: &RepositoryName,
    verb: &str,
    options: Vec<String>,
) -> Result<Followed, Stopped> {
    let output = &exchange.session.output;
    let mut live = Live::new(output, &connection.progress, name);
    let none = tokio::io::empty();
    let run = exchange.tell(&connection.remote, verb, options, none, &mut live);
    let mut run = pin!(run);
    tokio::select! {
        biased;
        () = interrupted() => {}
        answer = &mut run => return Ok(Followed::Ended(answer?)),
    }
    let note = format!(
        "stopping the run on {}; press Ctrl-C again to leave it running",
        exchange.machine
    );
    connection.progress.print(|| output.note(&note));
    let cancel = async {
        let mut live = Live::new(output, &connection.progress, name);
        let options = vec![name.to_string()];
        let none = tokio::io::empty();
        let cancelled = exchange
            .tell(&connection.remote, "cancel", options, none, &mut live)
            .await;
        // The run sends its last message when it ends.
        cancelled.map(|_| ())
    };
    let both = async { tokio::join!(cancel, run) };
    tokio::select! {
        biased;
        () = interrupted() => Ok(Followed::Left),
        ended = tokio::time::timeout(CANCEL_PATIENCE, both) => match ended {
            Ok((Ok(()), _)) => Ok(Followed::Cancelled),
            // It ended by itself before it could be cancelled.
            Ok((Err(_), Ok(answer))) => Ok(Followed::Ended(answer)),
            Ok((Err(error), Err(_))) => Err(error),
            Err(_) => Ok(Followed::Left),
        },
    }
}

/// The failure of a command whose run the operator cancelled.
fn cancelled(name: &RepositoryName, machine: &MachineName) -> Failure {
    Failure::new(
        Exit::Interrupted,
        format!("interrupted: the run of {name} on {machine} was cancelled"),
    )
    .hint(format!(
        "`rdc repo status {name} -m {machine}` shows how it was left"
    ))
}

/// The failure of a command that the operator left while its run continues.
fn left(name: &RepositoryName, machine: &MachineName, verb: &'static str) -> Failure {
    Failure::new(
        Exit::Interrupted,
        format!("interrupted: the run of {name} continues on {machine}"),
    )
    .hint(goes_on(name, machine, verb))
}

/// The hint for a run that continues.
pub(super) fn goes_on(
    repository: &RepositoryName,
    machine: &MachineName,
    verb: &'static str,
) -> String {
    After::Run { repository, verb }.hint(&[machine.as_str()])
}
