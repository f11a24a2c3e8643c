//! Who may keep a connection when there are more than there may be. A new one is always accepted,
//! since it may be Traefik's; what goes is the one of a stranger that has been idle the longest. One
//! that has shown that it is Traefik's has a place that no stranger can take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::activity::{Activity, Phase};
use super::limits::Limits;
use crate::route_server::metrics::Metrics;

/// All connections.
#[derive(Clone)]
pub(super) struct Admission(Arc<Shared>);

struct Shared {
    limits: Limits,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// By age.
    connections: BTreeMap<u64, Entry>,
}

struct Entry {
    class: Class,
    activity: Arc<Activity>,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Stranger,
    Traefik,
}

/// One connection's entry, which goes with it.
pub(super) struct Place {
    number: u64,
    admission: Admission,
}

impl Admission {
    pub(super) fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Shared {
            limits,
            metrics,
            open: Mutex::default(),
        }))
    }

    /// Makes room for one more, if need be at the expense of a stranger.
    pub(super) fn make_room(&self) {
        let mut open = self.lock();
        if open.count(Class::Stranger) < self.0.limits.strangers {
            return;
        }
        let strangers = open.of(Class::Stranger);
        let phases = strangers.map(|(number, entry)| (*number, entry.activity.phase()));
        if let Some(number) = victim(phases) {
            open.close(number);
            self.0.metrics.closed_for_room();
            self.note(&open);
        }
    }

    /// Closes a stranger's connection, be it new, because descriptors are needed.
    pub(super) fn close_one(&self) {
        let mut open = self.lock();
        let oldest = open.of(Class::Stranger).next().map(|(number, _)| *number);
        if let Some(number) = oldest {
            open.close(number);
            self.0.metrics.closed_for_room();
            self.note(&open);
        }
    }

    /// Takes in a connection, which a task of its own serves.
    pub(super) fn admit(&self, serve: impl FnOnce(Arc<Activity>, Place) -> AbortHandle) {
        // Held until the task is noted: it may end at once.
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        let activity = Arc::new(Activity::new());
        let place = Place {
            number,
            admission: self.clone(),
        };
        let entry = Entry {
            class: Class::Stranger,
            task: serve(activity.clone(), place),
            activity,
        };
        open.connections.insert(number, entry);
        self.note(&open);
    }

    fn reserve(&self, number: u64) {
        let mut open = self.lock();
        let class = open.connections.get(&number).map(|entry| entry.class);
        if class != Some(Class::Stranger) {
            return;
        }
        if open.count(Class::Traefik) >= self.0.limits.reserved {
            // A Traefik that was restarted often has left these behind.
            let idle = open.of(Class::Traefik).find_map(|(number, entry)| {
                matches!(entry.activity.phase(), Phase::Idle(_)).then_some(*number)
            });
            let Some(idle) = idle else {
                return;
            };
            open.close(idle);
            self.0.metrics.closed_for_room();
        }
        if let Some(entry) = open.connections.get_mut(&number) {
            entry.class = Class::Traefik;
        }
        self.note(&open);
    }

    fn leave(&self, number: u64) {
        let mut open = self.lock();
        open.connections.remove(&number);
        self.note(&open);
    }

    fn note(&self, open: &Open) {
        self.0.metrics.connections(open.connections.len());
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn of(&self, class: Class) -> impl Iterator<Item = (&u64, &Entry)> {
        let all = self.connections.iter();
        all.filter(move |(_, entry)| entry.class == class)
    }

    fn count(&self, class: Class) -> usize {
        self.of(class).count()
    }

    fn close(&mut self, number: u64) {
        if let Some(entry) = self.connections.remove(&number) {
            entry.task.abort();
        }
    }
}

impl Place {
    /// From here on it counts as Traefik's, if there is room for one more of those.
    pub(super) fn reserve(&self) {
        self.admission.reserve(self.number);
    }

    /// It is closed because its client has had its time.
    pub(super) fn is_late(&self) {
        self.admission.0.metrics.closed_late();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.leave(self.number);
    }
}

/// Who has to go, of connections by age: the one that has been without a whole request for the
/// longest, else the one that takes the longest to read, else the one that waits the longest for its
/// answer.
fn victim(phases: impl Iterator<Item = (u64, Phase)>) -> Option<u64> {
    let rank = |phase| match phase {
        Phase::New(since) | Phase::Asking(since) | Phase::Idle(since) => (0, since),
        Phase::Sending(since) => (1, since),
        Phase::Answering(since) => (2, since),
    };
    let first = phases.min_by_key(|(number, phase)| (rank(*phase), *number));
    first.map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn the_one_goes_that_has_asked_for_nothing_for_the_longest() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        for (phases, expected) in [
            (vec![], None),
            (
                vec![
                    Phase::Idle(at(300)),
                    Phase::New(at(200)),
                    Phase::Asking(at(400)),
                ],
                Some(1),
            ),
            (
                vec![
                    Phase::Answering(at(0)),
                    Phase::Sending(at(1)),
                    Phase::Idle(at(999)),
                ],
                Some(2),
            ),
            (
                vec![Phase::Answering(at(0)), Phase::Sending(at(900))],
                Some(1),
            ),
            (
                vec![Phase::Answering(at(500)), Phase::Answering(at(400))],
                Some(1),
            ),
        ] {
            let numbered = (0..).zip(phases.iter().copied());
            assert_eq!(victim(numbered), expected, "{phases:?}");
        }
    }

    #[tokio::test]
    async fn strangers_cannot_take_the_places_that_are_reserved() {
        let limits = Limits {
            strangers: 3,
            reserved: 2,
        };
        let admission = Admission::new(limits, Arc::default());
        let come = || {
            let mut taken = None;
            admission.admit(|activity, place| {
                activity.asked();
                activity.answered();
                taken = Some((place.number, place));
                tokio::spawn(std::future::pending::<()>()).abort_handle()
            });
            taken.expect("it is served")
        };
        let is_open = |number: u64| admission.lock().connections.contains_key(&number);
        let traefik = come();
        traefik.1.reserve();
        let strangers: Vec<_> = (0..3).map(|_| come()).collect();
        admission.make_room();
        assert!(!is_open(strangers[0].0) && is_open(strangers[1].0) && is_open(traefik.0));
        // Whoever shows later that it is Traefik leaves its place to strangers.
        strangers[1].1.reserve();
        let more: Vec<_> = (0..2).map(|_| come()).collect();
        admission.make_room();
        assert!(!is_open(strangers[2].0) && is_open(strangers[1].0));
        // There is no third place of Traefik's while both are in use.
        more[0].1.reserve();
        assert_eq!(admission.lock().count(Class::Traefik), 2);
        assert!(is_open(traefik.0) && is_open(more[0].0));
        drop(traefik);
        more[0].1.reserve();
        assert_eq!(admission.lock().count(Class::Traefik), 2);
    }
}
