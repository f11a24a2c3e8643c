//! What `renet compose` costs beside `docker compose`, on a real machine with a real engine: `up -d`
//! of services that run already, which is the fastest of all that is asked often, so that the least
//! is hidden in the engine's work. Both get the same model: the bare client reads what
//! `renet compose -- config` printed.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use crate::figures::{Row, Samples, Verdict, digits, paired_ratio};
use crate::test_machine::TestMachine;

/// The wrapper's own work may cost a tenth.
const MOST: f64 = 1.1;
const NETWORK_ID: u32 = 2816;

const PROJECT: &str = "
services:
  webapp:
    image: busybox
    command: httpd -f -p ${WEBAPP_IP}:3000 -h /www
    environment: {DATABASE: \"${DATABASE_IP}:5432\"}
    labels: [\"traefik.enable=true\", \"traefik.http.routers.webapp.rule=Host(`app.example.test`)\"]
    depends_on: [database]
  database:
    image: busybox
    command: httpd -f -p ${DATABASE_IP}:5432 -h /www
    volumes: [\"./data:/data\"]
";

/// Boots a machine, and takes it down again.
pub(crate) fn beside_docker_compose(runs: usize) -> io::Result<Row> {
    let machine = TestMachine::with_daemons("benchcompose", &NETWORK_ID.to_string());
    let install = "cat >/usr/local/bin/renet && chmod 755 /usr/local/bin/renet";
    let renet = File::open(env!("CARGO_BIN_EXE_renet"))?;
    let mut install = machine.command(&["sh", "-c", install]);
    install.stdin(Stdio::from(renet)).status()?;
    let folder = "/mnt/rediacc/shop";
    let write = format!("mkdir -p {folder} && cat >{folder}/compose.yml");
    machine.run_with_input(&["sh", "-c", &write], PROJECT);

    // On the machine itself, and by turns. The first pair finds nothing in the page cache, and does
    // not count.
    let script = format!(
        "cd {folder}
         export REPOSITORY_NETWORK_ID={NETWORK_ID} PATH=/usr/local/bin:/usr/bin:/bin HOME=/root
         export DOCKER_HOST=unix:///var/run/rediacc/docker-{NETWORK_ID}.sock
         set -e
         renet compose -- up -d 2>/dev/null
         renet compose -- config >/tmp/resolved.yml
         bare() {{ docker compose -f /tmp/resolved.yml --project-directory . up -d 2>/dev/null; }}
         ours() {{ renet compose -- up -d 2>/dev/null; }}
         bare
         for run in $(seq 0 {runs}); do
           start=${{EPOCHREALTIME/./}}; ours; middle=${{EPOCHREALTIME/./}}; bare; end=${{EPOCHREALTIME/./}}
           echo $((middle - start)) $((end - middle))
         done"
    );
    let printed = machine.run(&["bash", "-c", &script]);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for line in printed.lines().skip(1) {
        let mut times = line.split(' ').filter_map(|text| text.parse().ok());
        ours.extend(times.next().map(Duration::from_micros));
        bare.extend(times.next().map(Duration::from_micros));
    }
    let ratio = paired_ratio(&ours, &bare);
    let (ours, bare) = (Samples::of_durations(&ours), Samples::of_durations(&bare));
    Ok(Row {
        measure: format!("`renet compose -- up -d` where all runs already, ms; pairs: {runs}"),
        ours: ours.spread(),
        beside: format!("`docker compose up -d`: {}", bare.spread()),
        ratio: format!("{} ×", digits(ratio)),
        target: format!("≤ {MOST} ×"),
        verdict: Verdict::met_if(ratio <= MOST),
    })
}
