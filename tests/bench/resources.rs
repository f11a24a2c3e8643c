//! Memory, and the processor's time when nothing happens.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::figures::{Row, Samples, Verdict, digits};
use crate::http::Client;
use crate::program::{Memory, Program};

const MOST_MIB_OF_FEW: f64 = 12.0;
const MOST_MIB_OF_MANY: f64 = 64.0;
/// As many as a small server has.
pub(crate) const FEW_CONTAINERS: usize = 50;
const MOST_PERCENT_OF_A_CORE: f64 = 0.1;
/// What a program may still be doing when it has given its first answer, such as writing state.
const SETTLING: Duration = Duration::from_secs(2);

/// Memory after all that was done to the programs so far.
pub(crate) fn memory(
    renet: &Program,
    traefik: Option<Memory>,
    containers: usize,
    after: &str,
) -> io::Result<Row> {
    thread::sleep(SETTLING);
    let Memory { now, peak } = renet.memory()?;
    let limit = if containers <= FEW_CONTAINERS {
        MOST_MIB_OF_FEW
    } else {
        MOST_MIB_OF_MANY
    };
    let beside = traefik.map(|traefik| {
        let (now, peak) = (digits(traefik.now), digits(traefik.peak));
        format!("Traefik: {now} (peak {peak})")
    });
    let ratio = traefik.map(|traefik| format!("{} ×", digits(now / traefik.now)));
    Ok(Row {
        measure: format!("resident memory {after}, MiB; containers: {containers}"),
        ours: format!("{} (peak {})", digits(now), digits(peak)),
        beside: beside.unwrap_or_default(),
        ratio: ratio.unwrap_or_default(),
        target: format!("≤ {limit}"),
        verdict: Verdict::met_if(now <= limit),
    })
}

/// The memory of a program that has come to rest.
pub(crate) fn settled(program: &Program) -> io::Result<Memory> {
    thread::sleep(SETTLING);
    program.memory()
}

/// Per cent of a core in some windows of time in which nothing happens.
pub(crate) fn idle(program: &Program, windows: usize, window: Duration) -> io::Result<Samples> {
    thread::sleep(SETTLING);
    let mut percent = Vec::with_capacity(windows);
    for _ in 0..windows {
        let (started, before) = (Instant::now(), program.processor_time()?);
        thread::sleep(window);
        let spent = program.processor_time()?.saturating_sub(before);
        percent.push(100.0 * spent.as_secs_f64() / started.elapsed().as_secs_f64());
    }
    Ok(Samples::new(percent))
}

/// The line about windows without events.
pub(crate) fn idle_row(measure: String, ours: &Samples, traefik: Option<&Samples>) -> Row {
    // A program may sleep through a whole window.
    let ratio = traefik
        .map(|traefik| ours.median() / traefik.median())
        .filter(|ratio| ratio.is_finite());
    Row {
        measure,
        ours: ours.spread(),
        beside: traefik.map_or_else(String::new, |traefik| {
            format!("Traefik: {}", traefik.spread())
        }),
        ratio: ratio.map_or_else(String::new, |ratio| format!("{} ×", digits(ratio))),
        target: format!("< {MOST_PERCENT_OF_A_CORE}"),
        verdict: Verdict::met_if(ours.median() < MOST_PERCENT_OF_A_CORE),
    }
}

/// A client that polls as Traefik's HTTP provider does: on one connection, again 100 ms after
/// each answer.
pub(crate) struct Poller {
    is_stopped: Arc<AtomicBool>,
}

impl Poller {
    pub(crate) fn start(mut connection: Client<TcpStream>) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stop = is_stopped.clone();
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && connection.get("/routes.yaml").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        });
        Self { is_stopped }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}
