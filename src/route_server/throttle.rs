//! How often something may be done for somebody: a token bucket each, so that one that flaps delays
//! nobody's changes but its own. Pure: the time comes in.
//!
//! It bounds how often a repository may have the routes published, and how often a daemon is asked
//! for its list. Each publication costs everybody something: Traefik builds all routers anew, which delays
//! requests, and its rate limiters forget what they counted. One of a repository with many routers
//! costs more tokens: it is what makes the next one expensive.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How fast something may be done.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many tokens a bucket holds.
    pub burst: u32,
    /// How long it takes until there is one more.
    pub refill: Duration,
}

/// That of publications: at once, a redeploy of some fifteen services, each of which goes and comes.
pub const PUBLICATIONS: Pace = Pace {
    burst: 30,
    refill: Duration::from_secs(2),
};
/// That of lists: nobody is published more often, however often something happens.
pub const LISTS: Pace = Pace {
    burst: 60,
    refill: Duration::from_millis(500),
};
/// How many routers make a publication cost one token more.
const ROUTERS_PER_TOKEN: usize = 150;

/// The buckets, by whose they are.
#[derive(Debug)]
pub struct Throttle<K> {
    pace: Pace,
    buckets: BTreeMap<K, Bucket>,
}

/// Full when `filled` is not later than now: each token that is missing is a refill's time more.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    filled: Instant,
}

impl<K: Ord + Clone> Throttle<K> {
    /// All buckets are full.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            buckets: BTreeMap::new(),
        }
    }

    /// Takes the tokens for a repository with so many routers, if they are there; else tells when
    /// they will be.
    pub fn take(&mut self, whose: &K, routers: usize, now: Instant) -> Result<(), Instant> {
        // Those that are full again are like new.
        self.buckets.retain(|_, bucket| bucket.filled > now);
        let bucket = self.buckets.get(whose).copied();
        let Pace { burst, refill } = self.pace;
        let tokens = u32::try_from(routers / ROUTERS_PER_TOKEN).unwrap_or(burst);
        let filled = bucket.map_or(now, |bucket| bucket.filled.max(now));
        let filled = filled + refill * tokens.saturating_add(1).min(burst);
        let earliest = filled - refill * burst;
        if earliest > now {
            return Err(earliest);
        }
        self.buckets.insert(whose.clone(), Bucket { filled });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_flaps_waits_and_nobody_else_does() {
        let start = Instant::now();
        let mut throttle = Throttle::new(PUBLICATIONS);
        for _ in 0..PUBLICATIONS.burst {
            assert_eq!(throttle.take(&1, 0, start), Ok(()));
        }
        assert_eq!(
            throttle.take(&1, 0, start),
            Err(start + PUBLICATIONS.refill)
        );
        assert_eq!(throttle.take(&2, 0, start), Ok(()));
        assert_eq!(throttle.take(&1, 0, start + PUBLICATIONS.refill), Ok(()));
        assert_eq!(
            throttle.take(&1, 0, start + PUBLICATIONS.refill),
            Err(start + 2 * PUBLICATIONS.refill)
        );
        // A day later it is as if nothing had been.
        let later = start + Duration::from_secs(24 * 3600);
        for _ in 0..PUBLICATIONS.burst {
            assert_eq!(throttle.take(&1, 0, later), Ok(()));
        }
        assert!(throttle.take(&1, 0, later).is_err());
    }

    #[test]
    fn who_has_many_routers_waits_sooner() {
        let start = Instant::now();
        let mut throttle = Throttle::new(PUBLICATIONS);
        let mut count = 0;
        while throttle.take(&1, 1_000, start).is_ok() {
            count += 1;
        }
        assert_eq!(count, 4);
        // Even the largest gets its turn.
        let mut throttle = Throttle::new(PUBLICATIONS);
        assert_eq!(throttle.take(&1, usize::MAX, start), Ok(()));
    }
}
