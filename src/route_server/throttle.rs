//! How often a repository may have the routes published: a token bucket each, so that one that
//! flaps delays nobody's changes but its own. Pure: the time comes in.
//!
//! Each publication costs everybody something: Traefik builds all routers anew, and its rate
//! limiters forget what they counted.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How many publications a quiet repository may have at once: a redeploy of some twenty services.
const BURST: u32 = 40;
/// How often a busy one may have one.
const REFILL: Duration = Duration::from_secs(2);

/// The buckets, by repository.
#[derive(Debug)]
pub struct Throttle<K>(BTreeMap<K, Bucket>);

/// Full when `filled` is not later than now: each token that is missing is a refill's time more.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    filled: Instant,
}

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Throttle<K> {
    /// Takes a token if there is one; else tells when there will be.
    pub fn take(&mut self, whose: &K, now: Instant) -> Result<(), Instant> {
        // Those that are full again are like new.
        self.0.retain(|_, bucket| bucket.filled > now);
        let bucket = self.0.get(whose).copied();
        let filled = bucket.map_or(now, |bucket| bucket.filled.max(now)) + REFILL;
        let earliest = filled - REFILL * BURST;
        if earliest > now {
            return Err(earliest);
        }
        self.0.insert(whose.clone(), Bucket { filled });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_flaps_waits_and_nobody_else_does() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        for _ in 0..BURST {
            assert_eq!(throttle.take(&1, start), Ok(()));
        }
        assert_eq!(throttle.take(&1, start), Err(start + REFILL));
        assert_eq!(throttle.take(&2, start), Ok(()));
        assert_eq!(throttle.take(&1, start + REFILL), Ok(()));
        assert_eq!(throttle.take(&1, start + REFILL), Err(start + 2 * REFILL));
        // A day later it is as if nothing had been.
        let later = start + Duration::from_secs(24 * 3600);
        for _ in 0..BURST {
            assert_eq!(throttle.take(&1, later), Ok(()));
        }
        assert!(throttle.take(&1, later).is_err());
    }
}
