//! A run: the work of `up` or `down`, in a transient systemd unit, which survives a dropped connection.
//! It appends its output to a file, which the command that started it and those that join it follow.
//!
//! ```text
//! renet repo up ──► unit rediacc-run-ID: renet repo run ──► run.jsonl
//!       └── follows ◄─────────────────────────────────────────┘
//! ```
//!
//! The unit is the lock: while it runs, a command of the same kind joins it, and any other is refused.

mod follow;
mod place;
mod said;
mod unit;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;

use self::follow::Followed;
use self::place::{About, Place};
pub(super) use self::said::Said;
use super::lock::RepositoryLock;
use super::{down, find, up};
use crate::bundle::{Failure, FailureKind, Message, RepositoryAnswer, Run, Task};
use crate::machine::workstation::Workstation;
use crate::machine::{failure, refused};
use crate::network::NetworkId;
use crate::repository::{Entry, RepositoryName};

/// How long to wait for services, and then for their public addresses, by default, in seconds.
pub(super) const TIMEOUT_S: u64 = 15;

/// The work of a run: the options on the command line of its unit.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Work {
    /// What to do
    #[arg(long, value_enum)]
    pub(super) task: Task,
    /// Mount the repository and start its daemon, if necessary
    #[arg(long)]
    pub(super) mount: bool,
    /// Unmount the repository afterwards
    #[arg(long)]
    pub(super) unmount: bool,
    /// Stop after `prep`
    #[arg(long)]
    pub(super) prep_only: bool,
    /// Skip `prep`
    #[arg(long)]
    pub(super) no_prep: bool,
    /// Let services reach the machine
    #[arg(long = "unsafe")]
    pub(super) allows_unsafe: bool,
    /// How many seconds to wait for services, and then for their public addresses
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_S)]
    pub(super) timeout: u64,
}

impl Work {
    /// A task without any options.
    pub(super) fn of(task: Task) -> Self {
        Self {
            task,
            mount: false,
            unmount: false,
            prep_only: false,
            no_prep: false,
            allows_unsafe: false,
            timeout: TIMEOUT_S,
        }
    }

    /// The timeout of one stage: the services, then their public addresses.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The words after `renet repo run`.
    fn words(&self, name: &RepositoryName) -> Vec<String> {
        let Self {
            task,
            mount,
            unmount,
            prep_only,
            no_prep,
            allows_unsafe,
            timeout,
        } = self;
        let mut words = vec![
            name.to_string(),
            format!("--task={task}"),
            format!("--timeout={timeout}"),
        ];
        for (is_set, word) in [
            (mount, "--mount"),
            (unmount, "--unmount"),
            (prep_only, "--prep-only"),
            (no_prep, "--no-prep"),
            (allows_unsafe, "--unsafe"),
        ] {
            if *is_set {
                words.push(word.to_owned());
            }
        }
        words
    }

    fn about(&self) -> About {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        About {
            task: self.task,
            prep_only: self.prep_only,
            since: since.map_or(0, |since| since.as_secs()),
        }
    }
}

/// Who follows the output of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follower {
    /// Nobody.
    Nobody,
    /// An `rdc`, which cancels a run by `renet repo cancel`.
    Rdc,
    /// A user on the machine, whose Ctrl-C cancels the run.
    ByHand,
}

impl Follower {
    pub(super) fn of(workstation: Workstation, detached: bool) -> Self {
        match workstation {
            _ if detached => Self::Nobody,
            Workstation::Rdc => Self::Rdc,
            Workstation::ByHand => Self::ByHand,
        }
    }
}

/// Starts a run, or joins the one in progress, and follows it to its end. `check` runs before a new one
/// is started, and may refuse it.
pub(super) fn start_or_join(
    name: &RepositoryName,
    entry: &Entry,
    work: &Work,
    follower: Follower,
    check: impl FnOnce() -> Result<(), Failure>,
) -> Result<RepositoryAnswer, Failure> {
    let id = entry.network_id;
    let place = Place::of(id);
    let lock = place.lock()?;
    let under_way = under_way(id, &place)?;
    if let Some(about) = &under_way {
        check_joins(name, about, work)?;
    } else {
        // Under the lock, so that it is not deleted or resized meanwhile.
        let _lock = RepositoryLock::take(name, &format!("the start of `{}`", work.task))?;
        check()?;
        place.begin(&work.about())?;
    }
    // Watch before the start, so that nothing that the run prints is missed.
    let followed = match follower {
        Follower::Nobody => None,
        Follower::Rdc | Follower::ByHand => Some(Followed::open(id, &place)?),
    };
    if under_way.is_none() {
        unit::start(id, name, &work.words(name), &place.said())?;
    }
    drop(lock);
    match followed {
        Some(followed) => followed.until_it_ends(follower == Follower::ByHand),
        None => {
            let about = under_way.unwrap_or_else(|| work.about());
            Ok(RepositoryAnswer::Started(about.run(true, None)))
        }
    }
}

/// The run in progress. One that has sent its last message is not; its end is awaited.
fn under_way(id: NetworkId, place: &Place) -> Result<Option<About>, Failure> {
    if !unit::is_under_way(id)? {
        unit::forget(id)?;
        return Ok(None);
    }
    if place.last_message().is_some() {
        unit::stop(id)?;
        return Ok(None);
    }
    place.about()
}

fn check_joins(name: &RepositoryName, about: &About, work: &Work) -> Result<(), Failure> {
    let wanted = work.about();
    if (about.task, about.prep_only) == (wanted.task, wanted.prep_only) {
        return Ok(());
    }
    let options = if about.prep_only { " --prep-only" } else { "" };
    let message = format!(
        "a run of `{}{options}` is in progress in repository `{name}`",
        about.task
    );
    // Whoever joins it can also end it.
    let join = format!("rdc repo {}{options} {name} -m MACHINE", about.task);
    Err(failure(FailureKind::Locked, message).hint(format!(
        "try again when it has ended, which `rdc repo status {name} -m MACHINE` shows; or join it with \
         `{join}`, where Ctrl-C ends it"
    )))
}

/// The options of `renet repo cancel`.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The repository
    name: RepositoryName,
}

impl Cancel {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        let Self { name } = self;
        workstation.secrets()?;
        let id = find(&name)?.network_id;
        let place = Place::of(id);
        let _lock = place.lock()?;
        let Some(about) = under_way(id, &place)? else {
            return Err(
                refused(format!("no run is in progress in repository `{name}`")).hint(format!(
                    "`renet repo status {name}` shows how the last one ended"
                )),
            );
        };
        cancel(id, &place)?;
        // It may have ended by itself meanwhile.
        let end = place
            .last_message()
            .map_or(place::CANCELLED_END.to_owned(), |it| place::end(&it));
        Ok(RepositoryAnswer::Ended(about.run(false, Some(end))))
    }
}

/// Ends a run and all its processes.
fn cancel(id: NetworkId, place: &Place) -> Result<(), Failure> {
    place.note_cancelled()?;
    unit::stop(id)
}

/// The options of `renet repo run`.
#[derive(Debug, Args)]
pub(super) struct CarryOut {
    /// The repository
    name: RepositoryName,
    #[command(flatten)]
    work: Work,
}

impl CarryOut {
    /// Does the work, and writes all messages to standard output. The last one has the result; the
    /// exit code only tells whether it could be written.
    pub(super) fn run(self) -> ExitCode {
        let Self { name, work } = self;
        let mut said = Said::default();
        let done = find(&name).and_then(|entry| match work.task {
            Task::Up => up::carry_out(&name, &entry, &work, &mut said).map(RepositoryAnswer::Up),
            Task::Down => {
                down::carry_out(&name, &entry, &work, &mut said).map(RepositoryAnswer::Down)
            }
        });
        said.last(&match done {
            Ok(answer) => Message::Repository(Box::new(answer)),
            Err(failure) => Message::Failed(failure),
        })
    }
}

/// The run in progress, or else the last one since the boot.
pub(super) fn current(id: NetworkId) -> Result<Option<Run>, Failure> {
    let place = Place::of(id);
    let Some(about) = place.about()? else {
        return Ok(None);
    };
    // The unit first: if the run ends in between, its last message is in the file by then.
    let is_under_way = unit::is_under_way(id)?;
    let end = match place.last_message() {
        Some(message) => Some(place::end(&message)),
        None if is_under_way => None,
        None => Some(unit::end(id, &place)?),
    };
    Ok(Some(about.run(end.is_none(), end)))
}
