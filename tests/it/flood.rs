//! A repository that asks for twenty times as many routers as it may have, beside one that asks for
//! one: the other's change is live within a second, and the route server's memory stays within what
//! the README states.

use std::time::{Duration, Instant};

use crate::route_server::Machine;
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

/// How many containers ask, and for how many routers each: as many labels as one may have.
const CONTAINERS: usize = 5;
const ROUTERS: usize = 4_000;
/// What the issue asks for: a change of another repository is live within a second.
const LIVE: Duration = Duration::from_secs(1);
/// The most memory, in MiB, that the README states.
const MOST_MEMORY_MIB: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_routers_of_one_repository_delay_no_others_change() {
    let machine = Machine::new();
    let flood = SimulatedDaemon::start(&machine.socket(2816), &[]);
    let victim = SimulatedDaemon::start(&machine.socket(2880), &[]);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;

    let containers: Vec<_> = (0..CONTAINERS).map(|n| flooding(n, "8080")).collect();
    flood.deploy(&containers);
    traefik
        .poll_until(|routes| routes.contains("r0x0-2816"))
        .await;
    let health = server.get_json("/health").await;
    assert_eq!(health["routers"]["http"], 1_000, "{health}");

    let mut taken = Vec::new();
    for change in 0..5 {
        // Both at once.
        let port = (9_000 + change).to_string();
        flood.run(flooding(0, &port));
        let begun = Instant::now();
        victim.run(
            SimulatedContainer::new("web")
                .label("rediacc.service_ip", "127.0.11.66")
                .label("rediacc.service_port", &port),
        );
        let server = format!("127.0.11.66:{port}");
        traefik.poll_until(|routes| routes.contains(&server)).await;
        taken.push(begun.elapsed());
    }
    taken.sort_unstable();
    println!("figure: live after {taken:?}");
    // Other tests run beside this one.
    assert!(taken[2] < LIVE, "{taken:?}");
    let peak = server.most_memory() >> 20;
    println!("figure: peak memory {peak} MiB");
    assert!(peak < MOST_MEMORY_MIB, "{peak} MiB");
}

fn flooding(number: usize, port: &str) -> SimulatedContainer {
    let container = SimulatedContainer::new(&format!("flood-{number}"))
        .label("traefik.enable", "true")
        .label("traefik.http.services.s.loadbalancer.server.port", port);
    (0..ROUTERS).fold(container, |one, n| {
        let rule = format!("traefik.http.routers.r{number}x{n}.rule");
        one.label(&rule, &format!("Host(`r{number}x{n}.example`)"))
    })
}
