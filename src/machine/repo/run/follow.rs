//! Follows the messages of a run from the beginning of its file to the last one, and passes them on to
//! standard output. inotify announces new messages and the end, so nothing is polled.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::pending;
use inotify::{EventMask, EventStream, Inotify, WatchMask};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::place::{self, Place};
use super::unit;
use crate::bundle::{Failure, Message, RepositoryAnswer};
use crate::machine::failed;
use crate::network::NetworkId;

/// How long systemd may take to notice the end of a run and to kill its remaining processes.
const ENDING: Duration = Duration::from_secs(20);
/// The time between two questions to systemd: it does not announce that it forgets a unit.
const INTERVAL: Duration = Duration::from_millis(50);
/// The size of the buffer for events, in bytes.
const EVENT_BYTES: usize = 1024;

/// A run whose output is followed.
pub(super) struct Followed {
    id: NetworkId,
    place: Place,
    file: File,
    watch: Inotify,
}

/// How the following ends.
enum Ended {
    /// With the run's last message.
    Said(Box<Message>),
    /// The run was killed.
    Killed,
    /// Nobody reads what is passed on.
    Unheard,
}

impl Followed {
    /// Opens the file of messages, and watches it.
    pub(super) fn open(id: NetworkId, place: &Place) -> Result<Self, Failure> {
        let path = place.said();
        let open = || -> io::Result<(File, Inotify)> {
            let watch = Inotify::init()?;
            watch
                .watches()
                .add(&path, WatchMask::MODIFY | WatchMask::CLOSE_WRITE)?;
            Ok((File::open(&path)?, watch))
        };
        let (file, watch) = open().map_err(|error| cannot(place, &error))?;
        Ok(Self {
            id,
            place: place.clone(),
            file,
            watch,
        })
    }

    /// Passes on everything until the run has ended. With `ends_with_us`, an interruption of this process
    /// cancels the run; otherwise it only ends the following.
    pub(super) fn until_it_ends(self, ends_with_us: bool) -> Result<RepositoryAnswer, Failure> {
        let Self {
            id,
            place,
            file,
            watch,
        } = self;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| cannot(&place, &error))?;
        let ended = runtime.block_on(async {
            let events = watch.into_event_stream([0; EVENT_BYTES])?;
            let interrupts = if ends_with_us {
                interrupts()?
            } else {
                Vec::new()
            };
            follow(id, &place, Passing::new(file), events, interrupts).await
        });
        match ended.map_err(|error| cannot(&place, &error))? {
            Ended::Said(message) => match *message {
                Message::Repository(answer) => Ok(*answer),
                Message::Failed(failure) => Err(failure),
                _ => Err(failed("the last message of the run is not a result")),
            },
            Ended::Unheard => Err(failed(
                "the reader of the output is gone; the run continues",
            )),
            Ended::Killed => Err(killed(id, &place)),
        }
    }
}

async fn follow(
    id: NetworkId,
    place: &Place,
    mut passing: Passing,
    mut events: EventStream<[u8; EVENT_BYTES]>,
    mut interrupts: Vec<Signal>,
) -> io::Result<Ended> {
    let mut reader = reader_gone();
    // Its end may have come before the watch.
    let mut has_ended = !unit::has_main_process(id).map_err(other)?;
    loop {
        match passing.pass_on()? {
            Passed::Last(message) => return Ok(Ended::Said(message)),
            Passed::Unheard => return Ok(Ended::Unheard),
            Passed::More => {}
        }
        if has_ended {
            until_unit_ends(id).await?;
            // It may have sent its last message in between.
            return Ok(match passing.pass_on()? {
                Passed::Last(message) => Ended::Said(message),
                Passed::Unheard => Ended::Unheard,
                Passed::More => Ended::Killed,
            });
        }
        tokio::select! {
            event = events.next() => match event {
                // Only the run has the file open. The kernel closes it even if the run is killed.
                Some(event) => has_ended = event?.mask.contains(EventMask::CLOSE_WRITE),
                None => has_ended = true,
            },
            () = gone(&mut reader) => return Ok(Ended::Unheard),
            () = interrupted(&mut interrupts) => {
                let place = place.clone();
                let cancelled = tokio::task::spawn_blocking(move || super::cancel(id, &place));
                cancelled.await?.map_err(other)?;
                has_ended = true;
            }
        }
    }
}

/// Waits until systemd has noticed the end of the run, since systemd knows the reason.
async fn until_unit_ends(id: NetworkId) -> io::Result<()> {
    let deadline = Instant::now() + ENDING;
    while unit::is_there(id).map_err(other)? && Instant::now() < deadline {
        sleep(INTERVAL).await;
    }
    Ok(())
}

fn other(failure: Failure) -> io::Error {
    io::Error::other(failure.message)
}

/// The signals that interrupt a command. A hang-up is not among them: the run survives its terminal.
fn interrupts() -> io::Result<Vec<Signal>> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    kinds.into_iter().map(signal).collect()
}

async fn interrupted(interrupts: &mut [Signal]) {
    if interrupts.is_empty() {
        return pending().await;
    }
    let signals = interrupts.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures_util::future::select_all(signals).await;
}

/// Resolves when the reader of standard output is gone; never if it is a file.
fn reader_gone() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    // It ends with the process.
    thread::spawn(move || {
        let output = io::stdout();
        loop {
            // No events are requested: the kernel always reports that the reader has gone.
            let mut reader = [PollFd::new(&output, PollFlags::empty())];
            match poll(&mut reader, None) {
                Err(Errno::INTR) => {}
                Err(_) => return,
                Ok(_) => {
                    let _ = tell.send(());
                    return;
                }
            }
        }
    });
    told
}

/// Waits until the reader is gone; for ever if that cannot be detected.
async fn gone(reader: &mut oneshot::Receiver<()>) {
    if reader.await.is_err() {
        pending::<()>().await;
    }
}

/// Passes on lines as they come.
struct Passing {
    file: File,
    /// The incomplete last line.
    line: Vec<u8>,
}

/// How far it came.
enum Passed {
    More,
    Last(Box<Message>),
    Unheard,
}

impl Passing {
    fn new(file: File) -> Self {
        Self {
            file,
            line: Vec::new(),
        }
    }

    /// Passes on all complete lines, except the last message.
    fn pass_on(&mut self) -> io::Result<Passed> {
        let mut chunk = [0; 64 * 1024];
        loop {
            let count = self.file.read(&mut chunk)?;
            if count == 0 {
                return Ok(Passed::More);
            }
            self.line.extend_from_slice(&chunk[..count]);
            while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let rest = self.line.split_off(end + 1);
                let line = std::mem::replace(&mut self.line, rest);
                if let Some(message) = place::last(&line) {
                    return Ok(Passed::Last(Box::new(message)));
                }
                let mut output = io::stdout().lock();
                if output
                    .write_all(&line)
                    .and_then(|()| output.flush())
                    .is_err()
                {
                    return Ok(Passed::Unheard);
                }
            }
        }
    }
}

fn killed(id: NetworkId, place: &Place) -> Failure {
    let end = unit::end(id, place).unwrap_or_else(|failure| failure.message);
    let mut failure = failed(format!("the run ended unexpectedly: {end}"))
        .hint("services that it started may still be running");
    if !place.is_cancelled() {
        failure.journal = unit::journal(id);
    }
    failure
}

fn cannot(place: &Place, error: &io::Error) -> Failure {
    failed(format!("cannot follow {}: {error}", place.said().display()))
}
