//! The siege: one victim with HTTPS, an automatic route, TCP, UDP and a rate limit, and an attacker
//! that starts every class of attack at once and redeploys at random. Requests to the victim go on
//! throughout, through the real Traefik.
//!
//! `SIEGE_SECONDS=180 tests/run siege` is the long form; the short one is part of every run.
//! `SIEGE_CLASSES=c3,h3` names the classes of label sets to use, to find which of them is at fault. What is
//! asserted holds on any machine; how much slower requests get is printed, for quiet and attack
//! alternate on the same machine.

mod attacker;
mod backends;
mod flows;
mod labels;
mod machine;
mod site;
mod strangers;

use std::time::{Duration, Instant};

use self::attacker::Attacker;
use self::flows::{Flows, Tally};
use self::site::Site;
use self::strangers::Strangers;

/// How long the short form lasts.
const SHORT: Duration = Duration::from_secs(20);
/// How long one phase of quiet or of attack lasts.
const PHASE: Duration = Duration::from_secs(5);
/// How long the victim rests between two redeployments: each makes Traefik build everything anew.
const BETWEEN_CHANGES: Duration = Duration::from_millis(1500);
/// What Traefik logs where it cannot read a document.
const DOCUMENT_REJECTED: &str = "cannot decode configuration data";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_victim_of_a_siege_does_not_notice_it() {
    let mut site = Site::up().await;
    let attacker = Attacker::new(&site);
    let mut quiet = Vec::new();
    let mut attacked = Vec::new();
    let (mut routers, mut refused) = Default::default();

    let begun = Instant::now();
    while begun.elapsed() < length() {
        quiet.push(phase(&mut site).await);

        let strangers = Strangers::come(site.route_server_address());
        let attack = attacker.attack(&site);
        attacked.push(phase(&mut site).await);
        (routers, refused) = site.of_the_attacker().await;
        let deployments = attack.end().await;
        let leaked = strangers.leave().await;
        assert!(deployments > 0);
        assert!(!leaked, "an open path tells the victim's secret");
    }

    println!(
        "figure: of the attacker's, {routers} routers are served in the end, and there are {} \
         rejections",
        refused.values().sum::<usize>()
    );
    if std::env::var_os("SIEGE_CLASSES").is_some() {
        println!("{refused:#?}");
    }
    let quiet = Tally::sum(quiet);
    let attacked = Tally::sum(attacked);
    println!("figure: quiet: {quiet}");
    println!("figure: under attack: {attacked}");
    println!("figure: {}", attacked.compared_with(&quiet));
    assert_eq!(quiet.faults(), Vec::<String>::new(), "without any attack");
    assert!(site.traefik.runs(), "Traefik has ended");
    let rejected: Vec<_> = site.traefik.errors();
    let rejected: Vec<_> = rejected
        .iter()
        .map(ToString::to_string)
        .filter(|line| line.contains(DOCUMENT_REJECTED))
        .collect();
    assert_eq!(rejected, Vec::<String>::new(), "Traefik refused a document");
    assert_eq!(attacked.faults(), Vec::<String>::new(), "under attack");
    attacked.changes_are_in_time(&quiet);
}

/// How long a siege lasts.
fn length() -> Duration {
    let seconds = std::env::var("SIEGE_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("whole seconds"));
    seconds.map_or(SHORT, Duration::from_secs)
}

/// Requests of all kinds for a while, and meanwhile one redeployment of the victim after another.
async fn phase(site: &mut Site) -> Tally {
    let flows = Flows::start(site.entrypoints);
    let begun = Instant::now();
    let mut changes = Vec::new();
    while begun.elapsed() < PHASE {
        changes.push(site.redeploy().await);
        tokio::time::sleep(BETWEEN_CHANGES).await;
    }
    flows.end(changes)
}
