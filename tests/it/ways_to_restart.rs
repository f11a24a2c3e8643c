//! The ways to restart Traefik compared: a push that adds a port, under load.
//!
//! `cargo test --test it the_ways -- --ignored --nocapture` prints the README's table.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::Value;

use crate::load::{Load, Outcome};
use crate::zero_downtime::{PROXY, Site};

#[test]
#[ignore = "a measurement: it takes some minutes"]
fn the_ways_to_restart_traefik_compared() {
    let site = Site::up("ways");
    let mut table = String::from(
        "| way | push | new connections: failed / all | kept: failed / all | TCP: failed / all | longest request |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut failed_by_hand_over = 0;
    for (place, way) in [Way::Plain, Way::SocketActivation, Way::HandOver]
        .into_iter()
        .enumerate()
    {
        way.prepare(&site);
        let loads = site.loads();
        let begun = Instant::now();
        site.push_with_port(3000 + u16::try_from(place).expect("few ways"));
        let took = begun.elapsed();
        site.standby_is_over();
        let outcomes = loads.map(Load::end);
        let cells: Vec<String> = outcomes.iter().map(Outcome::to_string).collect();
        let longest = outcomes.iter().map(|outcome| outcome.longest);
        let longest = longest.fold(0.0, f64::max);
        writeln!(
            table,
            "| {} | {:.1} s | {} | {longest:.2} s |",
            way.name(),
            took.as_secs_f64(),
            cells.join(" | ")
        )
        .expect("a string");
        if matches!(way, Way::HandOver) {
            failed_by_hand_over = outcomes.iter().map(|outcome| outcome.failed).sum();
        }
    }
    println!("{table}");
    assert_eq!(failed_by_hand_over, 0);
}

/// How a Traefik is restarted.
#[derive(Clone, Copy)]
enum Way {
    /// `systemctl restart`, and Traefik opens its entry points itself.
    Plain,
    /// The same with sockets that systemd holds.
    SocketActivation,
    /// What a push does.
    HandOver,
}

/// The drop-in of the ways that are not ours, and the sockets' names.
const DROP_IN: &str = "/etc/systemd/system/rediacc-proxy.service.d/way.conf";
const PLAIN: &str = "[Service]\nExecStart=\n\
                     ExecStartPre=/bin/sh -c 'sed s/@route-server-token@/$$(cat \
                     /var/lib/rediacc/token)/ /etc/rediacc/current/traefik.yml \
                     >/run/rediacc-proxy/traefik.yml'\n\
                     ExecStart=/etc/rediacc/current/traefik \
                     --configFile=/run/rediacc-proxy/traefik.yml\n";

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain restart",
            Self::SocketActivation => "systemd holds the sockets",
            Self::HandOver => "hand-over",
        }
    }

    fn prepare(self, site: &Site) {
        let machine = &site.machine;
        let script = format!(
            "systemctl stop {PROXY} 'way-*.socket'; rm -f {DROP_IN} /run/systemd/system/way-*; \
             mkdir -p $(dirname {DROP_IN})"
        );
        machine.run(&["sh", "-c", &script]);
        let write = |path: &str, text: &str| {
            machine.run_with_input(&["sh", "-c", &format!("cat >{path}")], text);
        };
        match self {
            Self::HandOver => {}
            Self::Plain => write(DROP_IN, PLAIN),
            Self::SocketActivation => {
                let binds = machine.run(&["cat", "/etc/rediacc/current/binds.json"]);
                let binds: Vec<Value> = serde_json::from_str(&binds).expect("JSON");
                let mut sockets = Vec::new();
                for bind in &binds {
                    let (name, unit) = socket_unit(bind);
                    write(&format!("/run/systemd/system/{name}"), &unit);
                    sockets.push(name);
                }
                let sockets = sockets.join(" ");
                write(
                    DROP_IN,
                    &format!("[Unit]\nRequires={sockets}\n{PLAIN}Sockets={sockets}\n"),
                );
            }
        }
        machine.run(&["systemctl", "daemon-reload"]);
        machine.run(&["systemctl", "start", PROXY]);
        site.answers();
    }
}

/// A socket unit for an entry point, by name.
fn socket_unit(bind: &Value) -> (String, String) {
    let name = bind["entrypoint"].as_str().expect("a name");
    let address = bind["address"].as_str().expect("an address");
    let address = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let kind = if name.starts_with("udp") {
        "ListenDatagram"
    } else {
        "ListenStream"
    };
    let port = match name.trim_end_matches("-v6") {
        "web" => "80",
        "websecure" => "443",
        other => other.rsplit('-').next().expect("a port"),
    };
    let unit = format!(
        "[Socket]\n{kind}={address}:{port}\nFileDescriptorName={name}\nService={PROXY}\n\
         BindIPv6Only=ipv6-only\nNoDelay=yes\n"
    );
    (format!("way-{name}.socket"), unit)
}
