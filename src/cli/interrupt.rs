//! What an operator sends to have `rdc` stop: Ctrl-C, and the end of a session or of a job. Whoever
//! hears it leaves nothing behind; a process that it just ended would leave its connections, its
//! folder, and a terminal without an echo.

use std::time::Duration;

use futures_util::future::{pending, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinError;

use super::failure::{Exit, Failure};

/// How long what another process or thread is about to do may still be on its way: a terminal sends
/// a Ctrl-C to us and to the program that it ends, in any order.
pub(crate) const ON_ITS_WAY: Duration = Duration::from_millis(100);
/// How long work may take to notice that nobody waits for it any more.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Waits until somebody wants `rdc` to stop. From the first call on, that alone does not end it.
pub(crate) async fn interrupted() {
    let mut signals = listen();
    if signals.is_empty() {
        return pending().await;
    }
    select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
}

/// Waits for work, or until it is broken off: then there is no answer. The work begins when that can
/// be heard, and not before.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = interrupted() => None,
        done = work => Some(done),
    }
}

/// The same end, a moment later where it is a failure: by then a Ctrl-C has come, if it was one.
pub(crate) async fn settled<T, E>(end: Result<T, E>) -> Result<T, E> {
    if end.is_err() {
        tokio::time::sleep(ON_ITS_WAY).await;
    }
    end
}

/// Has the signals come to us for as long as the process lives.
fn listen() -> Vec<Signal> {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !outlives_its_session() {
        kinds.push(SignalKind::hangup());
    }
    kinds
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect()
}

/// Whether `nohup` or the like had us ignore the end of the session; where that cannot be told, it
/// is taken to be so.
fn outlives_its_session() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangups(&status)
}

fn ignores_hangups(status: &str) -> bool {
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is that of signal 1.
    ignored.is_none_or(|mask| mask & 1 != 0)
}

/// Waits for work that blocks, or until it is broken off.
pub(crate) fn interruptible<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<Result<T, E>, Failure> {
    let runtime = runtime()?;
    let done = runtime.block_on(unless_interrupted(async {
        let end = tokio::task::spawn_blocking(work).await;
        Ok::<_, JoinError>(settled(end?).await)
    }));
    runtime.shutdown_timeout(LAST_WORDS);
    match done {
        Some(done) => done.map_err(|error| Failure::caused(Exit::Failed, &error)),
        None => Err(changed_nothing()),
    }
}

/// The failure of what was broken off before it did anything.
pub(crate) fn changed_nothing() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted: nothing was changed")
}

/// A runtime of this very thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot start the runtime: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_session_is_heard_unless_it_is_to_be_ignored() {
        for (status, expected) in [
            ("Name:\trdc\nSigIgn:\t0000000000000000\n", false),
            ("Name:\trdc\nSigIgn:\t0000000000001001\n", true),
            ("Name:\trdc\nSigIgn:\t0000000000001000\n", false),
            ("", true),
        ] {
            assert_eq!(ignores_hangups(status), expected, "{status}");
        }
    }
}
