//! Whether what was started really serves: now, and still some seconds later.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::plan::UNITS;
use super::systemd::{self, UnitState};
use super::{failed, generation, sockets};
use crate::bundle::{Bind, Failure};
use crate::layout;
use crate::loopback::{self, Patience};

/// How long everything may take from its start to its first answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it has to stay as it is: a program that dies of its new settings does so by then.
const STEADY: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER: Patience = Patience {
    connect: Duration::from_secs(1),
    read: Duration::from_secs(2),
};
/// How long between two questions.
const INTERVAL: Duration = Duration::from_millis(25);

/// Waits until both services answer and every entry point listens, and then until it has stayed
/// so. What does not is named, with the end of its journal.
pub(super) fn wait() -> Result<(), Failure> {
    let live = generation::live()?;
    let binds = live.map(|live| live.generation.binds()).unwrap_or_default();
    let deadline = Instant::now() + PATIENCE;
    let first = loop {
        match look(&binds) {
            Ok(states) => break states,
            Err(problem) if Instant::now() >= deadline => return Err(problem.failure(PATIENCE)),
            Err(_) => thread::sleep(INTERVAL),
        }
    };
    // There is no event for "nothing happened": the time itself is what is waited for.
    thread::sleep(STEADY);
    let second = look(&binds).map_err(|problem| problem.failure(STEADY))?;
    for (unit, (before, now)) in UNITS.into_iter().zip(first.iter().zip(&second)) {
        if before.invocation != now.invocation {
            let again = Problem::new(unit, "ended and was started again");
            return Err(again.failure(STEADY));
        }
    }
    Ok(())
}

/// What is not as it should be, and which unit's journal may tell why.
struct Problem {
    unit: &'static str,
    what: String,
}

impl Problem {
    fn new(unit: &'static str, what: impl Into<String>) -> Self {
        Self {
            unit,
            what: what.into(),
        }
    }

    fn failure(self, after: Duration) -> Failure {
        let Self { unit, what } = self;
        let mut failure = failed(format!(
            "{unit} {what}, {} s after its start",
            after.as_secs()
        ))
        .hint(format!(
            "`journalctl --unit {unit}` on the machine shows more"
        ));
        failure.journal = systemd::journal(unit);
        failure
    }
}

/// Looks at everything once.
fn look(binds: &BTreeSet<Bind>) -> Result<[UnitState; 3], Problem> {
    let unknown = |failure: Failure| Problem::new(layout::PROXY_SERVICE, failure.message);
    let states = systemd::states(UNITS).map_err(unknown)?;
    for (unit, state) in UNITS.into_iter().zip(&states) {
        if !state.active {
            return Err(Problem::new(unit, "does not run"));
        }
    }
    for (unit, at, path) in [
        (layout::ROUTER_SERVICE, layout::ROUTE_SERVER, "/health"),
        (layout::PROXY_SERVICE, layout::TRAEFIK_PING, "/ping"),
    ] {
        let answer = match loopback::status(at, path, ANSWER) {
            Ok(status) if status.contains(" 200 ") => continue,
            Ok(status) => status,
            Err(error) => error.to_string(),
        };
        let what = format!("does not answer 200 at http://{at}{path} ({answer})");
        return Err(Problem::new(unit, what));
    }
    let listening = sockets::listening().map_err(unknown)?;
    for bind in binds {
        if !listening.iter().any(|socket| socket.is_of(*bind)) {
            let what = format!("does not listen on {bind}");
            return Err(Problem::new(layout::PROXY_SERVICE, what));
        }
    }
    Ok(states)
}
