//! Whether a poll lets Traefik obtain certificates. While two Traefiks serve the same entry points,
//! neither should: an authority that asks for a proof over HTTP may meet the one that knows nothing
//! of it, and does not ask again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::layout;
use crate::marks::Marks;

/// How long a Traefik may take until new connections come to it. Below its `pollTimeout` of 10 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long between two looks. No event tells.
const INTERVAL: Duration = Duration::from_millis(50);

/// What a poll asks for, by the query of its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certificates {
    /// Whatever the routes ask for.
    Now,
    /// None at first; what the routes ask for once new connections come to the one who asks.
    Later,
    /// None at all.
    Never,
}

impl Certificates {
    /// What a query asks for; one that is none of ours asks for nothing special.
    pub(super) fn of(query: Option<&str>) -> Self {
        match query {
            Some(query) if query == layout::CERTIFICATES_LATER => Self::Later,
            Some(query) if query == layout::CERTIFICATES_NEVER => Self::Never,
            _ => Self::Now,
        }
    }
}

/// What one connection has been answered.
#[derive(Debug, Default)]
pub(super) struct Deferral {
    /// Whether its last answer left certificates for later.
    pub(super) pending: AtomicBool,
}

impl Deferral {
    /// Waits until new connections come to the Traefik that asks, or for as long as one waits.
    pub(super) async fn end(&self) {
        let begun = Instant::now();
        while !Marks::PROXY.serves() && begun.elapsed() < PATIENCE {
            sleep(INTERVAL).await;
        }
        self.pending.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_words_ask_for_something_special() {
        for (query, expected) in [
            (None, Certificates::Now),
            (Some(""), Certificates::Now),
            (Some("certificates=later"), Certificates::Later),
            (Some("certificates=never"), Certificates::Never),
            (Some("certificates=other"), Certificates::Now),
        ] {
            assert_eq!(Certificates::of(query), expected, "{query:?}");
        }
    }
}
