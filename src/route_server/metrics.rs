//! `/metrics`: what is counted, and how Prometheus reads it (text format 0.0.4). Pure but for the
//! counters, which only go up.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::publish::{DaemonState, DaemonStatus, Publication};
use super::routes::Severity;
use super::routes::document::Counts;

/// What a scraper is told that the answer is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of the histogram's buckets, in milliseconds: around the target of 50 ms, and
/// up to where a daemon hangs.
const BUCKETS_MS: [u64; 10] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// All states of a daemon: one that none is in is 0, not missing.
const STATES: [(DaemonState, &str); 4] = [
    (DaemonState::Connecting, "connecting"),
    (DaemonState::Live, "live"),
    (DaemonState::Unreachable, "unreachable"),
    (DaemonState::Gone, "gone"),
];

/// What is counted while the server runs.
#[derive(Debug, Default)]
pub struct Metrics {
    polls: AtomicU64,
    lists: AtomicU64,
    /// How many publications fell into each bucket alone; the last one has no bound.
    publications: [AtomicU64; BUCKETS_MS.len() + 1],
    delay_us: AtomicU64,
    connections: AtomicU64,
    closed_for_room: AtomicU64,
    closed_late: AtomicU64,
}

impl Metrics {
    /// Somebody asked for `/routes.yaml`.
    pub fn polled(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
    }

    /// A daemon gave a list of its containers.
    pub fn listed(&self) {
        self.lists.fetch_add(1, Ordering::Relaxed);
    }

    /// So many connections are open.
    pub fn connections(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.connections.store(count, Ordering::Relaxed);
    }

    /// A connection was closed in favour of another one.
    pub fn closed_for_room(&self) {
        self.closed_for_room.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was closed because nothing came on it for too long, or too slowly.
    pub fn closed_late(&self) {
        self.closed_late.fetch_add(1, Ordering::Relaxed);
    }

    /// A change was published, so long after it was noticed.
    pub fn published(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MS.partition_point(|bound| bound * 1_000 < micros);
        self.publications[bucket].fetch_add(1, Ordering::Relaxed);
        self.delay_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// The whole answer. Of what is not complete yet, nothing is said.
    pub fn render(&self, published: Option<&Publication>, daemons: &[DaemonStatus]) -> String {
        let mut text = Text::default();
        text.family(
            "rediacc_build_info",
            "gauge",
            "The version of the route server.",
        );
        let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
        text.sample("rediacc_build_info", version, 1);
        if let Some(published) = published {
            self.render_routes(&mut text, published);
        }

        text.family(
            "rediacc_daemons",
            "gauge",
            "Docker daemons by how they answer.",
        );
        for (state, name) in STATES {
            let count = daemons
                .iter()
                .filter(|daemon| daemon.state == state)
                .count();
            text.sample("rediacc_daemons", &format!("state=\"{name}\""), count);
        }
        for (name, help, counter) in [
            (
                "rediacc_polls_total",
                "Requests for /routes.yaml.",
                &self.polls,
            ),
            (
                "rediacc_lists_total",
                "Lists of containers that daemons gave.",
                &self.lists,
            ),
        ] {
            text.family(name, "counter", help);
            text.sample(name, "", counter.load(Ordering::Relaxed));
        }
        self.render_connections(&mut text);
        self.render_delays(&mut text);
        text.0
    }

    fn render_routes(&self, text: &mut Text, published: &Publication) {
        let summary = &published.summary;
        for (name, help, counts) in [
            (
                "rediacc_routers",
                "Routers that are served.",
                summary.routers,
            ),
            (
                "rediacc_services",
                "Services that are served.",
                summary.services,
            ),
        ] {
            text.family(name, "gauge", help);
            let Counts { http, tcp, udp } = counts;
            for (protocol, count) in [("http", http), ("tcp", tcp), ("udp", udp)] {
                text.sample(name, &format!("protocol=\"{protocol}\""), count);
            }
        }
        text.family(
            "rediacc_rejections",
            "gauge",
            "Containers and labels that could not be used.",
        );
        text.sample("rediacc_rejections", "", summary.count(Severity::Rejection));
        text.family(
            "rediacc_routes_version",
            "gauge",
            "Goes up by one with each other /routes.yaml, from 1 at the start.",
        );
        text.sample("rediacc_routes_version", "", published.version);
    }

    fn render_connections(&self, text: &mut Text) {
        let name = "rediacc_connections";
        text.family(name, "gauge", "Connections to these endpoints.");
        text.sample(name, "", self.connections.load(Ordering::Relaxed));
        let name = "rediacc_connections_closed_total";
        text.family(
            name,
            "counter",
            "Connections that were closed for others' sake, or because their clients were late.",
        );
        for (reason, counter) in [("room", &self.closed_for_room), ("late", &self.closed_late)] {
            let label = format!("reason=\"{reason}\"");
            text.sample(name, &label, counter.load(Ordering::Relaxed));
        }
    }

    fn render_delays(&self, text: &mut Text) {
        let name = "rediacc_publication_delay_seconds";
        text.family(
            name,
            "histogram",
            "From the first event of a change, or the list that showed it, to its publication.",
        );
        let mut below = 0;
        for (bucket, count) in self.publications.iter().enumerate() {
            below += count.load(Ordering::Relaxed);
            let bound = match BUCKETS_MS.get(bucket) {
                Some(bound) => (*bound as f64 / 1e3).to_string(),
                None => "+Inf".to_owned(),
            };
            text.sample(&format!("{name}_bucket"), &format!("le=\"{bound}\""), below);
        }
        let seconds = self.delay_us.load(Ordering::Relaxed) as f64 / 1e6;
        text.sample(&format!("{name}_sum"), "", seconds);
        text.sample(&format!("{name}_count"), "", below);
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writing to a text never fails.
    fn sample(&mut self, name: &str, labels: &str, value: impl fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            _ => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_their_bounds_belong_to_them() {
        let metrics = Metrics::default();
        for micros in [0, 10_000, 10_001, 10_000_000, 10_000_001] {
            metrics.published(Duration::from_micros(micros));
        }
        let text = metrics.render(None, &[]);
        let delays: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("rediacc_publication_delay_seconds_"))
            .collect();
        assert_eq!(
            delays,
            [
                "bucket{le=\"0.01\"} 2",
                "bucket{le=\"0.025\"} 3",
                "bucket{le=\"0.05\"} 3",
                "bucket{le=\"0.1\"} 3",
                "bucket{le=\"0.25\"} 3",
                "bucket{le=\"0.5\"} 3",
                "bucket{le=\"1\"} 3",
                "bucket{le=\"2.5\"} 3",
                "bucket{le=\"5\"} 3",
                "bucket{le=\"10\"} 4",
                "bucket{le=\"+Inf\"} 5",
                "sum 20.020002",
                "count 5",
            ]
        );
    }

    #[test]
    fn nothing_is_said_of_routes_that_are_not_complete() {
        let text = Metrics::default().render(None, &[]);
        assert!(!text.contains("rediacc_routers"), "{text}");
        assert!(
            text.contains("rediacc_daemons{state=\"live\"} 0\n"),
            "{text}"
        );
    }
}
