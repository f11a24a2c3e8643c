//! What an event costs: until its bytes are served, and in requests to the daemon.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::figures::{Row, Samples, Verdict, digits};
use crate::program::Program;
use crate::world::World;

const MOST_MS_P99: f64 = 50.0;
/// Between a poll and the event: longer than it takes until the poll is held.
const PAUSE: Duration = Duration::from_millis(30);
/// A daemon that was not asked for so long is not being asked because of an event any more.
const QUIET: Duration = Duration::from_secs(1);
/// The first of the ports that containers are moved to: no container has had it.
const FIRST_PORT: u16 = 10_000;

/// From an event to the last byte of the answer that shows it, to a client that polls as Traefik's
/// HTTP provider does. The new list is rendered before; the debounce is part of it.
pub(crate) fn to_new_bytes(world: &mut World, renet: &Program, events: usize) -> io::Result<Row> {
    let mut poll = renet.connect()?;
    poll.get("/routes.yaml")?;
    let mut latencies = Vec::with_capacity(events);
    for event in 0..events {
        let port = FIRST_PORT + event as u16;
        let change = world.change(event, event * 7, port);
        poll.send("GET", "/routes.yaml")?;
        thread::sleep(PAUSE);
        let started = Instant::now();
        world.engine(event).apply(&change);
        let answer = poll.answer()?;
        latencies.push(started.elapsed());
        let shown = format!(":{port}");
        let mut windows = answer.body.windows(shown.len());
        if !windows.any(|window| window == shown.as_bytes()) {
            return Err(io::Error::other(format!(
                "the answer does not show {shown}"
            )));
        }
    }
    let latencies = Samples::of_durations(&latencies);
    let p99 = latencies.percentile(99.0);
    Ok(Row {
        measure: format!(
            "event to new bytes served, ms; containers: {}, events: {events}",
            world.containers()
        ),
        ours: format!(
            "p50 {}, p99 {} (at most {})",
            digits(latencies.median()),
            digits(p99),
            digits(latencies.percentile(100.0))
        ),
        beside: String::new(),
        ratio: String::new(),
        target: format!("p99 ≤ {MOST_MS_P99}"),
        verdict: Verdict::met_if(p99 <= MOST_MS_P99),
    })
}

/// How often the first daemon is asked because of one event, for several events far apart, by
/// whoever has subscribed to it.
pub(crate) fn requests(world: &mut World, events: usize) -> Samples {
    let mut counts = Vec::with_capacity(events);
    for event in 0..events {
        let change = world.change(0, event, FIRST_PORT + event as u16);
        let engine = world.engine(0);
        await_quiet(world);
        let before = engine.requests();
        let applied = Instant::now();
        engine.apply(&change);
        thread::sleep(QUIET.saturating_sub(applied.elapsed()));
        await_quiet(world);
        counts.push((engine.requests() - before) as f64);
    }
    Samples::new(counts)
}

fn await_quiet(world: &World) {
    loop {
        let quiet = world.engine(0).last_request().elapsed();
        if quiet >= QUIET {
            return;
        }
        thread::sleep(QUIET - quiet);
    }
}
