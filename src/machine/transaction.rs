//! From the swap to the end: either the new generation runs, or the former one again.
//!
//! A mark on the disk says that a swap is under way, and between which generations. Whoever finds
//! it with nobody at work brings the transaction to its end: a guard that systemd runs apart from
//! the push, a unit at boot, or the next push.
//!
//! ```text
//! begin ─► switch ─► restart what changed ─► probe ─► end
//!                          └─ failed ─► turn back ─► switch ─► restart ─► probe ─► end
//! ```

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::generation::Generation;
use super::lock::{Lock, Purpose};
use super::plan::{self, INSTALLED, UNITS};
use super::systemd::{self, UnitState};
use super::{failed, files, generation, handover, observe, probe, programs, token};
use crate::bundle::{Failure, FailureKind, Message, Step, Unfinished};
use crate::layout;

/// There when a transaction goes back.
const BACK: &str = "/etc/rediacc/.transaction-back";
/// What `current` was before the swap: to go back takes one rename, and no room on the disk.
const FORMER: &str = "/etc/rediacc/.former";

/// Who hears what is being done.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&Message);

/// A swap that is under way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Transaction {
    /// The generation that ran before; none on a machine's first push.
    from: Option<u32>,
    /// The generation that shall run.
    to: u32,
    /// Whether the transaction made it: then it goes again if it does not come up.
    is_new: bool,
    /// The units that have to start anew, and which start of each was the one before.
    restart: BTreeMap<String, String>,
}

/// A transaction that this process works on. The kernel tells the guard when it dies.
#[derive(Debug)]
pub(super) struct Begun {
    transaction: Transaction,
    _mark: File,
}

impl Transaction {
    /// A swap to a generation, after which these units start anew.
    pub(super) fn new(
        from: Option<u32>,
        to: u32,
        is_new: bool,
        restart: &[String],
        states: &[UnitState; 3],
    ) -> Self {
        let restart = UNITS
            .iter()
            .zip(states)
            .filter(|(unit, _)| restart.iter().any(|name| name == *unit))
            .map(|(unit, state)| ((*unit).to_owned(), state.invocation.clone()))
            .collect();
        Self {
            from,
            to,
            is_new,
            restart,
        }
    }

    /// Notes on the disk that the swap is under way, and has systemd keep a guard, which takes
    /// over where this process ends before the transaction does.
    pub(super) fn begin(self, renet: &Path) -> Result<Begun, Failure> {
        let json = serde_json::to_vec(&self)
            .map_err(|error| failed(format!("cannot note the transaction: {error}")))?;
        if let Some(number) = self.from {
            files::link(Path::new(FORMER), &generation::link_target(number))?;
        }
        files::write(mark(), &json, 0o600)?;
        let begun = self.held()?;
        let unit = format!("rediacc-guard-{}", std::process::id());
        match systemd::run_apart(&unit, renet, &["infra", "settle"]) {
            Ok(()) => Ok(begun),
            Err(failure) => Err(begun.give_up(failure)),
        }
    }

    fn held(self) -> Result<Begun, Failure> {
        let cannot =
            |error: io::Error| failed(format!("cannot lock {}: {error}", layout::TRANSACTION));
        let file = File::open(mark()).map_err(cannot)?;
        file.lock().map_err(cannot)?;
        Ok(Begun {
            transaction: self,
            _mark: file,
        })
    }

    /// The transaction that was left on the disk, if there is one.
    fn left() -> Result<Option<Self>, Failure> {
        let Some(json) = files::read(mark())? else {
            return Ok(None);
        };
        serde_json::from_slice(&json).map(Some).map_err(|error| {
            failed(format!("cannot read {}: {error}", layout::TRANSACTION)).hint(
                "remove it on the machine and push again: the push makes everything as it should be",
            )
        })
    }
}

/// Waits until nobody works on the transaction any more. Answers at once where there is none.
pub(super) fn await_nobody() -> Result<(), Failure> {
    match File::open(mark()) {
        Ok(file) => file
            .lock()
            .map_err(|error| failed(format!("cannot lock {}: {error}", layout::TRANSACTION))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(format!(
            "cannot open {}: {error}",
            layout::TRANSACTION
        ))),
    }
}

/// Takes the machine's lock for a change, and brings to its end what somebody left. A dry run
/// changes nothing, and waits for nobody.
pub(super) fn lock(
    dry_run: bool,
    patience: Duration,
    tell: Tell<'_>,
) -> Result<Option<Lock>, Failure> {
    if dry_run {
        return Ok(None);
    }
    let lock = Lock::take(Purpose::Push, patience)?;
    match settle(tell) {
        Err(failure) if is_pending() => Err(failure),
        // What did not come up is for this change to mend.
        Ok(_) | Err(_) => Ok(Some(lock)),
    }
}

/// Whether there is a transaction that did not come to its end.
pub(super) fn is_pending() -> bool {
    mark().exists()
}

/// The transaction that did not come to its end, for people to know of it.
pub(super) fn unfinished() -> Result<Option<Unfinished>, Failure> {
    let Some(Transaction { from, to, .. }) = Transaction::left()? else {
        return Ok(None);
    };
    // Who works on it holds it. One that ended in this moment is as good as none.
    Ok(File::open(mark()).ok().map(|mark| Unfinished {
        from,
        to,
        at_work: matches!(mark.try_lock_shared(), Err(TryLockError::WouldBlock)),
    }))
}

/// Brings a transaction to its end that somebody left; the lock is ours. Answers which generation
/// runs now, or nothing if there was none to settle.
pub(super) fn settle(tell: Tell<'_>) -> Result<Option<u32>, Failure> {
    let Some(transaction) = Transaction::left()? else {
        return Ok(None);
    };
    let begun = transaction.held()?;
    let Transaction { from, to, .. } = begun.transaction;
    let live = generation::live_number()?;
    let goes_back = Path::new(BACK).exists();
    if live != Some(to) && !goes_back {
        // The swap did not happen: nothing was changed.
        begun.end(from)?;
        return Ok(from);
    }
    if goes_back {
        begun.go_back()?;
        return Ok(from);
    }
    match begun.go_on(tell) {
        Ok(()) => Ok(Some(to)),
        Err(failure) if failure.kind == FailureKind::RolledBack => Ok(from),
        Err(failure) => Err(failure),
    }
}

impl Begun {
    /// Makes the new generation the live one, starts what has to start anew, and sees it through;
    /// what does not come up is taken back.
    pub(super) fn carry_out(self, tell: Tell<'_>) -> Result<(), Failure> {
        tell(&Message::Doing(Step::Switch {
            generation: self.transaction.to,
        }));
        match generation::switch(self.transaction.to) {
            Ok(()) => self.go_on(tell),
            Err(failure) => Err(self.give_up(failure)),
        }
    }

    /// Ends a transaction before its swap: nothing was changed.
    fn give_up(self, failure: Failure) -> Failure {
        let from = self.transaction.from;
        // What stays behind is harmless, and the next push takes it away.
        let _ = self.end(from);
        failure
    }

    fn go_on(self, tell: Tell<'_>) -> Result<(), Failure> {
        let to = self.transaction.to;
        match self.start_anew(tell) {
            Ok(()) => self.end(Some(to)),
            Err(failure) => Err(self.turn_back(failure)),
        }
    }

    fn start_anew(&self, tell: Tell<'_>) -> Result<(), Failure> {
        bring_up(
            self.transaction.from,
            |unit, state| self.transaction.restart.get(unit) == Some(&state.invocation),
            AtFailure::Stop,
            tell,
        )
    }

    /// Goes back to the former generation because of a failure, and says how that went.
    fn turn_back(self, failure: Failure) -> Failure {
        let from = self.transaction.from;
        match self.go_back() {
            Ok(()) => Failure {
                kind: FailureKind::RolledBack,
                message: match from {
                    Some(number) => {
                        format!("{}; generation {number} runs again", failure.message)
                    }
                    None => format!("{}; everything is as it was before", failure.message),
                },
                ..failure
            },
            Err(second) => Failure {
                message: match from {
                    Some(number) if generation::live_number() == Ok(Some(number)) => format!(
                        "{}; generation {number} is the live one again, and does not come up \
                         either: {}",
                        failure.message, second.message
                    ),
                    _ => format!(
                        "{}; going back failed too: {}",
                        failure.message, second.message
                    ),
                },
                ..failure
            },
        }
    }

    fn go_back(self) -> Result<(), Failure> {
        // Without it, on a full disk, whoever found us killed would try the new generation again.
        let _ = files::write(Path::new(BACK), b"", 0o600);
        let Transaction { from, .. } = self.transaction;
        let came_up = match from {
            Some(number) => {
                if generation::live_number()? != Some(number) {
                    files::rename(Path::new(FORMER), Path::new(layout::CURRENT))?;
                }
                bring_up(
                    Some(self.transaction.to),
                    |unit, state| {
                        let before = self.transaction.restart.get(unit);
                        before.is_some_and(|before| *before != state.invocation)
                    },
                    AtFailure::GoOn,
                    &mut |_| {},
                )
            }
            None => {
                clear()?;
                Ok(())
            }
        };
        // It is over even where the former generation does not come up: nothing else can be gone back
        // to, systemd goes on starting it, and a push that could mend it must not be kept from that.
        self.end(from)?;
        came_up
    }

    /// Takes the mark away. From here on a generation runs for good.
    fn end(self, live: Option<u32>) -> Result<(), Failure> {
        let Transaction { to, is_new, .. } = self.transaction;
        if is_new && live != Some(to) {
            generation::discard(to)?;
        }
        generation::discard_staged()?;
        // In this order: a mark alone is brought to its end again, the others alone mean nothing.
        for path in marks() {
            files::delete(path)?;
        }
        if let Some(live) = live {
            // What stays behind is harmless, and the next push takes it away.
            let _ = generation::prune(live).and_then(|()| programs::prune());
        }
        Ok(())
    }
}

/// What becomes of the other units where one does not come up.
#[derive(Clone, Copy, Debug)]
enum AtFailure {
    /// They stay as they are: all go back.
    Stop,
    /// They are brought up: there is nothing else to go back to.
    GoOn,
}

/// Has systemd read the live generation's units, starts those that do not run and those that
/// `is_due` names, and waits until everything answers.
fn bring_up(
    former: Option<u32>,
    is_due: impl Fn(&str, &UnitState) -> bool,
    at_failure: AtFailure,
    tell: Tell<'_>,
) -> Result<(), Failure> {
    systemd::systemctl(&["daemon-reload"])?;
    let users = Path::new(layout::SYSUSERS_DIR).join("rediacc.conf");
    systemd::make_users(&users)?;
    token::give_to_proxy()?;
    for unit in INSTALLED {
        if !observe::is_enabled(unit)? {
            let (link, target) = plan::boot_link(unit);
            tell(&Message::Doing(Step::Enable { unit: unit.into() }));
            if let Some(folder) = link.parent() {
                files::make_dir(folder)?;
            }
            files::link(&link, &target)?;
        }
    }
    let states = systemd::states(UNITS)?;
    let mut came_up = Ok(());
    let former = former.map(generation::folder);
    let former = former.and_then(|folder| Generation::read(&folder).ok());
    let order = match generation::live()? {
        Some(live) => plan::order(former.as_ref(), &live.generation, &states),
        None => UNITS,
    };
    for unit in order {
        let Some(state) = UNITS.iter().position(|name| *name == unit) else {
            continue;
        };
        let state = &states[state];
        let unit = unit.to_owned();
        let started = if is_due(&unit, state) && state.active {
            tell(&Message::Doing(Step::Restart { unit: unit.clone() }));
            restart(&unit)
        } else if !state.active {
            tell(&Message::Doing(Step::Start { unit: unit.clone() }));
            systemd::start("start", &unit)
        } else {
            Ok(())
        };
        match at_failure {
            AtFailure::Stop => started?,
            AtFailure::GoOn => came_up = came_up.and(started),
        }
    }
    came_up?;
    tell(&Message::Doing(Step::Probe));
    probe::wait()
}

fn restart(unit: &str) -> Result<(), Failure> {
    if unit == layout::PROXY_SERVICE {
        return handover::restart_proxy();
    }
    if unit == layout::ROUTER_SOCKET {
        // systemd refuses to open a socket while its service has the former one.
        systemd::systemctl(&["stop", layout::ROUTER_SERVICE])?;
    }
    systemd::start("restart", unit)
}

/// Starts units of the live generation anew, without a swap: their files had been replaced.
pub(super) fn start_again(units: &[String], tell: Tell<'_>) -> Result<(), Failure> {
    let is_due = |unit: &str, _: &UnitState| units.iter().any(|name| name == unit);
    bring_up(None, is_due, AtFailure::Stop, tell)
}

/// Makes the machine what it was before its first push: nothing of ours runs or starts at boot.
/// Programs, certificates and the operator's own files stay.
pub(super) fn clear() -> Result<(), Failure> {
    // It is there only for some seconds after a push.
    let _ = systemd::stop_now(layout::STANDBY_SERVICE);
    for unit in UNITS.into_iter().rev() {
        // A unit that was never loaded cannot be stopped, and need not be.
        let _ = systemd::systemctl(&["stop", unit]);
    }
    for unit in INSTALLED {
        files::delete(&plan::boot_link(unit).0)?;
    }
    for (path, name) in plan::links() {
        if files::read_link(&path)? == Some(plan::link_target(name)) {
            files::delete(&path)?;
        }
    }
    for path in [layout::CURRENT, layout::ROUTE_SERVER_TOKEN] {
        files::delete(Path::new(path))?;
    }
    systemd::systemctl(&["daemon-reload"])
}

/// What a transaction keeps on the disk, its mark first.
pub(super) fn marks() -> [&'static Path; 3] {
    [mark(), Path::new(BACK), Path::new(FORMER)]
}

fn mark() -> &'static Path {
    Path::new(layout::TRANSACTION)
}
