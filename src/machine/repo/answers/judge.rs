//! Decides whether a service answers, from the state of its container and the sockets that listen. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use crate::machine::repo::docker::{Container, Ports, Restarts};
use crate::machine::sockets::Listening;
use crate::repository::variable;

/// How long a container without ports has to run: one with wrong settings dies sooner.
const STEADY: Duration = Duration::from_secs(3);
/// The labels that name ports.
const SERVICE_PORT: &str = "rediacc.service_port";
const TCP_PORTS: &str = "rediacc.tcp_ports";
const UDP_PORTS: &str = "rediacc.udp_ports";

/// What was seen of a service at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'s> {
    pub(super) service: &'s str,
    pub(super) address: Ipv4Addr,
    pub(super) container: &'s Container,
    /// All listening sockets of the machine.
    pub(super) listening: &'s [Listening],
    /// The inode numbers of the sockets of the container's processes.
    pub(super) own: &'s BTreeSet<u64>,
    pub(super) now: SystemTime,
}

/// The verdict on a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers, or has done its work. Perhaps with a warning.
    Up(Option<String>),
    /// It may still come up. If it does not, this is the reason.
    Waiting(Problem),
    /// It will not come up, for this reason.
    Down(String),
}

/// Why a service did not answer in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It does not answer.
    Fault(String),
    /// It runs, and whether it should answer is unknown: a warning only.
    Doubt(String),
}

/// Judges a service.
pub(super) fn judge(seen: Seen<'_>) -> Verdict {
    let Container {
        state, restarts, ..
    } = seen.container;
    let fault = |text: String| Verdict::Waiting(Problem::Fault(text));
    match state.status.as_str() {
        "running" => {}
        "exited" | "dead" if state.exit_code == 0 && *restarts != Restarts::Always => {
            return Verdict::Up(None);
        }
        "exited" | "dead" if *restarts == Restarts::Never => {
            return Verdict::Down(format!("it ended with exit code {}", state.exit_code));
        }
        "exited" | "dead" | "restarting" => {
            return fault(format!(
                "it ended with exit code {}, and is restarted again and again",
                state.exit_code
            ));
        }
        "created" if !state.error.is_empty() => {
            return Verdict::Down(format!(
                "it could not be started: {}",
                in_a_line(&state.error)
            ));
        }
        "created" => return fault("its container was created, but not started".to_owned()),
        other => return fault(format!("its container is {other}")),
    }
    match state.health.as_deref() {
        Some("healthy") => Verdict::Up(None),
        Some("unhealthy") => fault(format!(
            "its health check fails: {}",
            in_a_line(&state.health_output)
        )),
        Some(_) => fault("its health check has not passed yet".to_owned()),
        None => by_ports(seen),
    }
    .with_restarts(seen.container.restart_count)
}

impl Verdict {
    /// Adds the number of restarts: a container that ends again and again is sometimes seen running.
    fn with_restarts(self, count: u64) -> Self {
        match self {
            Self::Waiting(Problem::Fault(text)) if count > 0 => Self::Waiting(Problem::Fault(
                format!("{text}, and it ended and was started again {count} times"),
            )),
            verdict => verdict,
        }
    }
}

/// Judges a container that runs and has no health check.
fn by_ports(seen: Seen<'_>) -> Verdict {
    let is_worker_by_now = || {
        let age = seen
            .container
            .state
            .started
            .map(|started| seen.now.duration_since(started));
        age.is_some_and(|age| age.unwrap_or_default() >= STEADY)
    };
    let steady = || match is_worker_by_now() {
        true => Verdict::Up(None),
        false => Verdict::Waiting(Problem::Fault("it does not run steadily".to_owned())),
    };
    // The sockets of a container with a network of its own cannot be seen from here.
    if !seen.container.is_on_host {
        return steady();
    }
    let declared = declared(seen.container);
    if declared != Ports::default() {
        return by_declared_ports(seen, &declared);
    }
    let listens = |at: IpAddr| {
        seen.listening
            .iter()
            .any(|socket| socket.address.ip() == at)
    };
    if listens(seen.address.into()) {
        return Verdict::Up(None);
    }
    if let Some(elsewhere) = seen.elsewhere(None) {
        return Verdict::Up(Some(elsewhere));
    }
    if seen.container.exposed == Ports::default() {
        return steady();
    }
    // The same image may be used for a worker, which listens nowhere.
    Verdict::Waiting(Problem::Doubt(format!(
        "nothing listens at {}, although its image exposes ports; that is fine for a worker",
        seen.address
    )))
}

fn by_declared_ports(seen: Seen<'_>, declared: &Ports) -> Verdict {
    let tcp = declared.tcp.iter().map(|port| (false, *port));
    let udp = declared.udp.iter().map(|port| (true, *port));
    let mut note = None;
    for (is_udp, port) in tcp.chain(udp) {
        let at = SocketAddr::from((seen.address, port));
        let is_own = seen
            .listening
            .iter()
            .any(|socket| socket.is_udp == is_udp && socket.address == at);
        if is_own {
            continue;
        }
        let elsewhere = seen.elsewhere(Some((is_udp, port)));
        let is_everywhere = seen.own_sockets().any(|socket| socket.blocks(is_udp, at));
        if is_everywhere {
            // It answers, but also at the machine's public addresses.
            note = note.or(elsewhere);
            continue;
        }
        let protocol = if is_udp { "/udp" } else { "" };
        return Verdict::Waiting(Problem::Fault(
            elsewhere.unwrap_or_else(|| format!("nothing listens at {at}{protocol}")),
        ));
    }
    Verdict::Up(note)
}

impl<'s> Seen<'s> {
    /// The listening sockets of the container's own processes.
    fn own_sockets(self) -> impl Iterator<Item = &'s Listening> {
        let own = self.own;
        self.listening
            .iter()
            .filter(move |socket| own.contains(&socket.inode))
    }

    /// The problem that it listens at a wrong address, on one port or on any.
    fn elsewhere(self, on: Option<(bool, u16)>) -> Option<String> {
        let is_wrong = |socket: &&Listening| {
            let is_meant = on.is_none_or(|on| on == (socket.is_udp, socket.address.port()));
            // Without a declared port, a UDP socket may be that of a client.
            is_meant && (on.is_some() || !socket.is_udp) && socket.address.ip() != self.address
        };
        let socket = self.own_sockets().find(is_wrong)?;
        let what = if socket.address.ip().is_unspecified() {
            ", which is at every address of this machine"
        } else {
            ""
        };
        Some(format!(
            "it listens on {}{what}: bind it to ${{{}}}",
            socket.address,
            variable(self.service)
        ))
    }
}

/// The ports that a container's labels name.
fn declared(container: &Container) -> Ports {
    let mut ports = Ports::default();
    let list = |text: &str| -> Vec<u16> {
        text.split(',')
            .filter_map(|port| port.trim().parse().ok())
            .collect()
    };
    for (label, value) in &container.labels {
        let label = label.to_ascii_lowercase();
        let is_server_port = label.starts_with("traefik.")
            && label.contains(".services.")
            && label.ends_with(".loadbalancer.server.port");
        if label == UDP_PORTS || (is_server_port && label.starts_with("traefik.udp.")) {
            ports.udp.extend(list(value));
        } else if is_server_port || label == SERVICE_PORT || label == TCP_PORTS {
            ports.tcp.extend(list(value));
        }
    }
    ports
}

fn in_a_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    crate::printable::shortened(&line, crate::printable::LONGEST_SHOWN).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::repo::docker::State;

    const LABEL: &str = "traefik.http.services.web.loadbalancer.server.port";

    /// A running container of the service `web` without a health check.
    fn running(labels: &[(&str, &str)], exposed: &[u16], seconds: u64) -> Container {
        let labels = labels.iter();
        Container {
            labels: labels
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            state: State {
                status: "running".to_owned(),
                started: Some(now() - Duration::from_secs(seconds)),
                ..State::default()
            },
            is_on_host: true,
            exposed: Ports {
                tcp: exposed.iter().copied().collect(),
                udp: BTreeSet::new(),
            },
            ..Container::default()
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    /// Sockets as `127.0.11.2:3000`, of UDP with `/udp` behind it; the container's own have a `*`.
    fn verdict(container: &Container, sockets: &[&str]) -> Verdict {
        let mut own = BTreeSet::new();
        let listening: Vec<Listening> = sockets
            .iter()
            .zip(1..)
            .map(|(text, inode)| {
                let text = match text.strip_suffix('*') {
                    Some(text) => {
                        own.insert(inode);
                        text
                    }
                    None => text,
                };
                let (address, is_udp) = match text.strip_suffix("/udp") {
                    Some(address) => (address, true),
                    None => (text, false),
                };
                Listening {
                    is_udp,
                    address: address.parse().expect("an address"),
                    user: 0,
                    inode,
                }
            })
            .collect();
        judge(Seen {
            service: "web",
            address: [127, 0, 11, 2].into(),
            container,
            listening: &listening,
            own: &own,
            now: now(),
        })
    }

    fn words(verdict: Verdict) -> String {
        match verdict {
            Verdict::Up(None) => "up".to_owned(),
            Verdict::Up(Some(note)) => format!("up, {note}"),
            Verdict::Waiting(Problem::Fault(text)) => format!("waiting: {text}"),
            Verdict::Waiting(Problem::Doubt(text)) => format!("doubt: {text}"),
            Verdict::Down(text) => format!("down: {text}"),
        }
    }

    #[test]
    fn a_service_answers_when_its_declared_ports_listen_at_its_address() {
        for (labels, sockets, expected) in [
            (&[(LABEL, "3000")][..], &["127.0.11.2:3000"][..], "up"),
            (
                &[(LABEL, "3000")],
                &[],
                "waiting: nothing listens at 127.0.11.2:3000",
            ),
            (
                &[(LABEL, "3000")],
                &["127.0.11.2:3001*", "127.0.0.1:3000"],
                "waiting: nothing listens at 127.0.11.2:3000",
            ),
            (
                &[(LABEL, "3000")],
                &["127.0.0.1:3000*"],
                "waiting: it listens on 127.0.0.1:3000: bind it to ${WEB_IP}",
            ),
            (
                &[(LABEL, "3000")],
                &["[::]:3000*"],
                "up, it listens on [::]:3000, which is at every address of this machine: bind it to \
                 ${WEB_IP}",
            ),
            (
                &[(LABEL, "3000")],
                &["0.0.0.0:3000"],
                "waiting: nothing listens at 127.0.11.2:3000",
            ),
            (
                &[
                    ("rediacc.tcp_ports", "25, 993"),
                    ("rediacc.service_port", "80"),
                ],
                &["127.0.11.2:25", "127.0.11.2:80"],
                "waiting: nothing listens at 127.0.11.2:993",
            ),
            (
                &[("traefik.udp.services.d.loadbalancer.server.port", "53")],
                &["127.0.11.2:53"],
                "waiting: nothing listens at 127.0.11.2:53/udp",
            ),
            (&[("rediacc.udp_ports", "53")], &["127.0.11.2:53/udp"], "up"),
        ] {
            let container = running(labels, &[9], 60);
            assert_eq!(
                words(verdict(&container, sockets)),
                expected,
                "{labels:?} {sockets:?}"
            );
        }
    }

    #[test]
    fn without_declared_ports_anything_that_listens_will_do_or_a_while_without_an_end() {
        for (exposed, seconds, sockets, expected) in [
            (&[][..], 0, &["127.0.11.2:5432"][..], "up"),
            (&[5432], 0, &["127.0.11.2:5433"], "up"),
            (&[], 2, &[], "waiting: it does not run steadily"),
            (&[], 3, &[], "up"),
            (
                &[80],
                60,
                &["127.0.11.3:80"],
                "doubt: nothing listens at 127.0.11.2, although its image exposes ports; that is fine \
                 for a worker",
            ),
            (
                &[],
                0,
                &["10.0.0.1:80*"],
                "up, it listens on 10.0.0.1:80: bind it to ${WEB_IP}",
            ),
        ] {
            let container = running(&[], exposed, seconds);
            assert_eq!(
                words(verdict(&container, sockets)),
                expected,
                "{exposed:?} {sockets:?}"
            );
        }
        let mut container = running(&[], &[], 1);
        container.restart_count = 4;
        assert_eq!(
            words(verdict(&container, &[])),
            "waiting: it does not run steadily, and it ended and was started again 4 times"
        );
        let mut container = running(&[(LABEL, "80")], &[], 60);
        container.is_on_host = false;
        assert_eq!(words(verdict(&container, &[])), "up");
    }

    #[test]
    fn a_health_check_decides_alone() {
        for (health, expected) in [
            ("healthy", "up"),
            ("starting", "waiting: its health check has not passed yet"),
            ("unhealthy", "waiting: its health check fails: no answer"),
        ] {
            let mut container = running(&[(LABEL, "3000")], &[], 60);
            container.state.health = Some(health.to_owned());
            container.state.health_output = "no\nanswer\n".to_owned();
            assert_eq!(words(verdict(&container, &[])), expected);
        }
    }

    #[test]
    fn a_container_that_has_ended_is_done_or_at_fault() {
        for (status, code, restarts, expected) in [
            ("exited", 0, Restarts::Never, "up"),
            ("exited", 0, Restarts::OnFailure, "up"),
            (
                "exited",
                0,
                Restarts::Always,
                "waiting: it ended with exit code 0, and is restarted again and again",
            ),
            (
                "exited",
                2,
                Restarts::Never,
                "down: it ended with exit code 2",
            ),
            (
                "restarting",
                2,
                Restarts::OnFailure,
                "waiting: it ended with exit code 2, and is restarted again and again",
            ),
            (
                "paused",
                0,
                Restarts::Never,
                "waiting: its container is paused",
            ),
            (
                "created",
                0,
                Restarts::Never,
                "waiting: its container was created, but not started",
            ),
        ] {
            let mut container = running(&[], &[], 60);
            container.state.status = status.to_owned();
            container.state.exit_code = code;
            container.restarts = restarts;
            assert_eq!(
                words(verdict(&container, &["127.0.11.2:80"])),
                expected,
                "{status} {code}"
            );
        }
        let mut container = running(&[], &[], 60);
        container.state.status = "created".to_owned();
        container.state.error = "no such\nprogram".to_owned();
        let expected = "down: it could not be started: no such program";
        assert_eq!(words(verdict(&container, &[])), expected);
    }
}
