//! From nothing to all routes: beside a client that only reads the same lists, and beside Traefik.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::figures::{Row, Samples, Verdict, digits, paired_ratio};
use crate::world::World;

const MOST_TIMES_THE_BARE_CLIENT: f64 = 2.0;
const LEAST_TIMES_FASTER_THAN_TRAEFIK: f64 = 10.0;

/// Beside a bare client on the same daemons, by turns.
pub(crate) fn beside_a_bare_client(world: &World, runs: usize) -> io::Result<Row> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        bare.push(bare_client(world)?);
        ours.push(renet(world)?);
    }
    let ratio = paired_ratio(&ours, &bare);
    Ok(Row {
        measure: measure(world),
        ours: Samples::of_durations(&ours).spread(),
        beside: format!("a bare client: {}", Samples::of_durations(&bare).spread()),
        ratio: format!("{} ×", digits(ratio)),
        target: format!("≤ {MOST_TIMES_THE_BARE_CLIENT} ×"),
        verdict: Verdict::met_if(ratio <= MOST_TIMES_THE_BARE_CLIENT),
    })
}

/// Beside Traefik's provider on the same daemon, by turns. Traefik's time is taken twice: when its
/// provider has asked its last question, which is before it can know its routes, and when all
/// routers are there. The target is judged by the first, which flatters Traefik: setting routers
/// up is its work with every provider.
pub(crate) fn beside_traefik(world: &World, binary: &Path, runs: usize) -> io::Result<[Row; 2]> {
    let (mut ours, mut asked, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let started = Instant::now();
        let traefik = world.traefik(binary)?;
        traefik.await_routers(world.containers() as u64)?;
        ready.push(started.elapsed());
        asked.push(world.engine(0).last_request() - started);
        drop(traefik);
        ours.push(renet(world)?);
    }
    let row = |until: &str, traefik: &[Duration]| {
        let times = 1.0 / paired_ratio(&ours, traefik);
        let traefik = Samples::of_durations(traefik);
        Row {
            measure: measure(world),
            ours: Samples::of_durations(&ours).spread(),
            beside: format!("Traefik {until}: {}", traefik.spread()),
            ratio: format!("{} × faster", digits(times)),
            target: format!("≥ {LEAST_TIMES_FASTER_THAN_TRAEFIK} × faster"),
            verdict: Verdict::met_if(times >= LEAST_TIMES_FASTER_THAN_TRAEFIK),
        }
    };
    Ok([
        row("to its last inspect", &asked),
        Row {
            target: String::new(),
            verdict: Verdict::NoTarget,
            ..row("until its routers are there", &ready)
        },
    ])
}

fn measure(world: &World) -> String {
    let (daemons, containers) = (world.sockets().len(), world.containers());
    format!(
        "cold start to the first complete answer, ms; daemons: {daemons}, containers: {containers}"
    )
}

/// From the start of the process to the last byte of its first complete answer.
fn renet(world: &World) -> io::Result<Duration> {
    let started = Instant::now();
    let renet = world.renet()?;
    let answer = renet.connect()?.get("/routes.yaml")?;
    let took = started.elapsed();
    let routers = count(&answer.body, b"Host(");
    if answer.status != 200 || routers != world.containers() {
        let error = format!("status {}, {routers} routers", answer.status);
        return Err(io::Error::other(error));
    }
    Ok(took)
}

/// From the start of the process to its end.
fn bare_client(world: &World) -> io::Result<Duration> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(crate::BARE_CLIENT).args(world.sockets());
    let started = Instant::now();
    let output = command.output()?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    if said.trim() != world.containers().to_string() {
        return Err(io::Error::other(format!("the bare client: {output:?}")));
    }
    Ok(took)
}

fn count(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len())
        .filter(|window| window == &word)
        .count()
}
