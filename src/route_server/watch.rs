//! One daemon, followed for as long as its socket is there: subscribe, list, and list again after
//! each event. Reports what it sees; what becomes of it is decided elsewhere.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::container::{Condition, Container};
use super::docker::{ContainerEvent, Engine, EngineError, EventKind, Memory};
use super::throttle::{LISTS, Throttle};

/// How long events are gathered before one list answers for all of them. Counted from the first,
/// so that no event waits longer than this; and from the last list for a `start`, which on a quiet
/// daemon waits for nothing.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// The safety net under the events: at least this often.
const RELIST: Duration = Duration::from_secs(60);
/// What the first attempt may take. Short, because with it a daemon of which nothing is known
/// keeps the first complete answer waiting.
pub(super) const FIRST_ATTEMPT: Duration = Duration::from_secs(5);
/// What a later attempt or list may take: an engine under load gets its chance.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The waits between attempts: the first one, and where doubling ends.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often a daemon that has nothing to tell is asked whether it is there, at least, and what
/// its answer may take. One that hangs sends no events, and would pass for alive until the relist.
const PING: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// The most containers that may be dying at once; of any more, the next list tells.
const MOST_DYING: usize = 1 << 12;
/// How often, and from which delay on, a list is repeated that contradicts a `die`.
const DYING_RELISTS: u32 = 6;
const DYING_DELAY: Duration = Duration::from_millis(50);

/// What was seen of a daemon.
#[derive(Debug)]
pub enum Report {
    /// All its containers.
    Listed {
        /// Ordered by id.
        containers: Vec<Container>,
        /// The first event that they may follow from; without one, when they were asked for.
        noticed: Instant,
    },
    /// It could not be asked, or no longer.
    Failed(String),
}

/// Who saw it: a watch that was replaced may still have a report under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The daemon's socket.
    pub socket: Arc<Path>,
    /// Which watch on it.
    pub number: u64,
}

/// Where reports go. When it is full, the daemon is asked for nothing more until there is room.
pub type Reports = mpsc::Sender<(Watch, Report)>;

/// Follows the daemon behind a socket, and never ends.
pub async fn watch(watch: Watch, reports: Reports) {
    let reporter = Reporter { watch, reports };
    let socket = &*reporter.watch.socket;
    let mut memory = Memory::default();
    // Beyond a session, or a daemon that ends them would be asked without an end.
    let mut pace = Throttle::new(LISTS);
    let mut limit = FIRST_ATTEMPT;
    let mut back_off = BACK_OFF.0;
    loop {
        let deadline = Instant::now() + limit;
        let error = match Session::open(socket, deadline).await {
            Ok(mut session) => {
                let error = session
                    .follow(deadline, &mut memory, &mut pace, &reporter)
                    .await;
                if session.has_listed {
                    back_off = BACK_OFF.0;
                }
                error
            }
            Err(error) => error,
        };
        reporter.send(Report::Failed(error.to_string())).await;
        limit = ATTEMPT;
        sleep(jittered(back_off)).await;
        back_off = (back_off * 2).min(BACK_OFF.1);
    }
}

struct Reporter {
    watch: Watch,
    reports: Reports,
}

impl Reporter {
    async fn send(&self, report: Report) {
        // It fails when nobody wants to know any more, which is when the program ends.
        let _ = self.reports.send((self.watch.clone(), report)).await;
    }
}

/// A daemon that answers, and its events.
struct Session {
    engine: Engine,
    events: BoxStream<'static, Result<ContainerEvent, EngineError>>,
    news: News,
    has_listed: bool,
}

/// What events told of which no list has told yet.
#[derive(Default)]
struct News {
    /// Containers that are said to have died. Engines announce that before their own list shows
    /// it, by as much as it takes to dismantle the container: engine 20.10 by some 40 ms, and by
    /// 112 ms at most of 24 times. A `start` is listed by the time that it is announced.
    dying: BTreeSet<String>,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Session {
    async fn open(socket: &Path, deadline: Instant) -> Result<Self, EngineError> {
        // Before anything is asked: from here on, whatever happens is replayed.
        let since = SystemTime::now();
        let engine = Engine::connect(socket, deadline).await?;
        Ok(Self {
            events: engine.events(since),
            engine,
            news: News::default(),
            has_listed: false,
        })
    }

    /// Lists at once and after each event, until something fails.
    async fn follow(
        &mut self,
        mut deadline: Instant,
        memory: &mut Memory,
        pace: &mut Throttle<()>,
        reporter: &Reporter,
    ) -> EngineError {
        let mut dying_relists = 0;
        loop {
            while let Err(earliest) = pace.take(&(), 0, Instant::now()) {
                if let Err(error) = self.rest(earliest).await {
                    return error;
                }
                deadline = Instant::now() + ATTEMPT;
            }
            let noticed = self.news.since.take().unwrap_or_else(Instant::now);
            let (containers, meanwhile) = match self.list(memory, deadline).await {
                Ok(answer) => answer,
                Err(error) => return error,
            };
            let is_running = |id: &String| {
                containers.iter().any(|container| {
                    container.id == *id && container.condition != Condition::NotRunning
                })
            };
            self.news.dying.retain(is_running);
            if !self.news.dying.is_empty() {
                // What this list does not show yet was noticed no later.
                self.news.since = Some(noticed);
            }
            self.has_listed = true;
            let listed = Report::Listed {
                containers,
                noticed,
            };
            reporter.send(listed).await;

            let wait = match meanwhile {
                Meanwhile::StreamFailed(error) => return error,
                Meanwhile::Events => DEBOUNCE,
                Meanwhile::Nothing
                    if self.news.dying.is_empty() || dying_relists == DYING_RELISTS =>
                {
                    self.news = News::default();
                    // Daemons that were first listed together are not listed together again.
                    jittered(RELIST)
                }
                Meanwhile::Nothing => {
                    dying_relists += 1;
                    DYING_DELAY * 2_u32.pow(dying_relists - 1)
                }
            };
            match self.wait(wait).await {
                Ok(true) => dying_relists = 0,
                Ok(false) => {}
                Err(error) => return error,
            }
            deadline = Instant::now() + ATTEMPT;
        }
    }

    /// Waits for the time to list again, and returns whether that is because of an event.
    async fn wait(&mut self, wait: Duration) -> Result<bool, EngineError> {
        let Self {
            engine,
            events,
            news,
            has_listed: _,
        } = self;
        let mut silence = std::pin::pin!(silence(engine));
        let listed = Instant::now();
        let mut due = listed + wait;
        let mut has_event = false;
        loop {
            tokio::select! {
                event = events.next() => {
                    let now = Instant::now();
                    due = due.min(match news.note(event)? {
                        // It is listed already: only bursts have to wait, or each of a hundred
                        // containers that start together would cost a list.
                        EventKind::Start => now.max(listed + DEBOUNCE),
                        EventKind::Die | EventKind::Other => now + DEBOUNCE,
                    });
                    has_event = true;
                }
                error = &mut silence => return Err(error),
                () = sleep_until(due) => return Ok(has_event),
            }
        }
    }

    /// Takes events in until a moment, and asks for nothing.
    async fn rest(&mut self, until: Instant) -> Result<(), EngineError> {
        let Self {
            engine,
            events,
            news,
            has_listed: _,
        } = self;
        let mut silence = std::pin::pin!(silence(engine));
        loop {
            tokio::select! {
                event = events.next() => {
                    news.note(event)?;
                }
                error = &mut silence => return Err(error),
                () = sleep_until(until) => return Ok(()),
            }
        }
    }

    /// One list, and what came of the events meanwhile. They are taken in while the list is under
    /// way, because engines drop subscribers that do not read; and a stream that fails does not
    /// cost the list, or an engine that always ends it would never be listed.
    async fn list(
        &mut self,
        memory: &mut Memory,
        deadline: Instant,
    ) -> Result<(Vec<Container>, Meanwhile), EngineError> {
        let mut list = std::pin::pin!(self.engine.list(memory, deadline));
        let mut meanwhile = Meanwhile::Nothing;
        loop {
            tokio::select! {
                answer = &mut list => return Ok((answer?, meanwhile)),
                event = self.events.next(), if !matches!(meanwhile, Meanwhile::StreamFailed(_)) => {
                    meanwhile = match self.news.note(event) {
                        Ok(_) => Meanwhile::Events,
                        Err(error) => Meanwhile::StreamFailed(error),
                    };
                }
            }
        }
    }
}

/// What came of the events during a list.
enum Meanwhile {
    Nothing,
    /// The list may not show yet what they announced.
    Events,
    StreamFailed(EngineError),
}

impl News {
    fn note(
        &mut self,
        event: Option<Result<ContainerEvent, EngineError>>,
    ) -> Result<EventKind, EngineError> {
        let ContainerEvent { id, kind } = event.unwrap_or(Err(EngineError::EventsClosed))?;
        self.since.get_or_insert_with(Instant::now);
        match kind {
            EventKind::Die if self.dying.len() < MOST_DYING => self.dying.insert(id),
            EventKind::Die => false,
            EventKind::Start => self.dying.remove(&id),
            EventKind::Other => false,
        };
        Ok(kind)
    }
}

/// Asks a daemon again and again whether it is there, until it does not answer.
async fn silence(engine: &Engine) -> EngineError {
    loop {
        sleep(jittered(PING)).await;
        if let Err(error) = engine.ping(Instant::now() + PING_TIMEOUT).await {
            return error;
        }
    }
}

/// Somewhere between half of the wait and all of it, so that a hundred daemons that went together
/// are not asked together.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 512;
    wait.mul_f64(0.5 + random as f64 / 1024.0)
}
