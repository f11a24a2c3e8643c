//! Waits until every service of a repository answers. The daemon tells of the containers, and the kernel
//! of the sockets that listen: no service gets a connection for this.

mod judge;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use self::judge::{Problem, Seen, Verdict, judge};
use super::docker::{self, Container};
use super::services::{name_of, slot_names};
use crate::bundle::Failure;
use crate::machine::sockets::{self, Listening};
use crate::network::NetworkId;
use crate::repository::Slots;

/// The time between two looks: the kernel has no event for a socket that begins to listen.
const INTERVAL: Duration = Duration::from_millis(150);

/// One container of a service.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// The service's name; that of a replica ends with its number, as `web.2`.
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) container: Container,
}

/// How a service came up.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) service: Service,
    /// The TCP ports on which something listens at its address.
    pub(super) ports: Vec<u16>,
    /// Why it does not answer.
    pub(super) problem: Option<String>,
    /// A warning for a service that answers.
    pub(super) note: Option<String>,
}

/// The services of a repository that have containers, in the order of their slots.
pub(super) fn services(id: NetworkId, slots: &Slots) -> Result<Vec<Service>, Failure> {
    let names = slot_names(id, slots);
    let mut services: Vec<Service> = docker::containers(id)?
        .into_iter()
        .filter(|container| !container.is_one_off())
        .filter_map(|container| {
            let address = container
                .address()
                .filter(|address| id.contains(*address))?;
            Some(Service {
                name: name_of(&container, &names)?.to_owned(),
                address,
                container,
            })
        })
        .collect();
    services.sort_by(|a, b| (a.address, &a.container.name).cmp(&(b.address, &b.container.name)));
    Ok(services)
}

/// Waits until every service answers, or its time is up.
pub(super) fn wait(
    id: NetworkId,
    slots: &Slots,
    patience: Duration,
) -> Result<Vec<Answer>, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        let is_late = Instant::now() >= deadline;
        let looked = look(id, slots)?;
        let is_decided = |(_, verdict): &(Answer, Verdict)| !matches!(verdict, Verdict::Waiting(_));
        if is_late || looked.iter().all(is_decided) {
            return Ok(looked
                .into_iter()
                .map(|(answer, verdict)| answer.with(verdict))
                .collect());
        }
        thread::sleep(INTERVAL);
    }
}

/// Looks once more at services that answered, and reports those that have ended since.
pub(super) fn look_again(id: NetworkId, answers: &mut [Answer]) -> Result<(), Failure> {
    let containers = docker::containers(id)?;
    for answer in answers.iter_mut().filter(|answer| answer.problem.is_none()) {
        let before = &answer.service.container;
        let now = containers
            .iter()
            .find(|container| container.id == before.id);
        answer.problem = match now {
            None => Some("its container is gone".to_owned()),
            Some(now) if now.restart_count > before.restart_count => Some(format!(
                "it ended after it had answered, and was started again {} times",
                now.restart_count
            )),
            Some(now) if before.state.status == "running" && now.state.status != "running" => {
                match judge(seen(answer, now, &[], &BTreeSet::new())) {
                    Verdict::Up(_) => None,
                    Verdict::Waiting(Problem::Fault(text) | Problem::Doubt(text))
                    | Verdict::Down(text) => Some(text),
                }
            }
            Some(_) => None,
        };
    }
    Ok(())
}

fn look(id: NetworkId, slots: &Slots) -> Result<Vec<(Answer, Verdict)>, Failure> {
    let services = services(id, slots)?;
    let listening = sockets::listening()?;
    let groups = control_groups();
    let looked = services.into_iter().map(|service| {
        let own = own_sockets(&service.container, &groups);
        let mut ports = ports(&listening, service.address);
        // What listens at every address does so at the service's, too.
        let everywhere = listening.iter().filter(|socket| {
            let is_tcp = !socket.is_udp && socket.address.ip().is_unspecified();
            is_tcp && own.contains(&socket.inode)
        });
        ports.extend(everywhere.map(|socket| socket.address.port()));
        ports.sort_unstable();
        ports.dedup();
        let answer = Answer {
            ports,
            service,
            problem: None,
            note: None,
        };
        let container = &answer.service.container;
        let verdict = judge(seen(&answer, container, &listening, &own));
        (answer, verdict)
    });
    Ok(looked.collect())
}

fn seen<'s>(
    answer: &'s Answer,
    container: &'s Container,
    listening: &'s [Listening],
    own: &'s BTreeSet<u64>,
) -> Seen<'s> {
    Seen {
        service: &answer.service.name,
        address: answer.service.address,
        container,
        listening,
        own,
        now: SystemTime::now(),
    }
}

/// The TCP ports on which something listens at an address.
pub(super) fn ports(listening: &[Listening], at: Ipv4Addr) -> Vec<u16> {
    let own = listening
        .iter()
        .filter(|socket| !socket.is_udp && socket.address.ip().to_canonical() == IpAddr::V4(at));
    let ports: BTreeSet<u16> = own.map(|socket| socket.address.port()).collect();
    ports.into_iter().collect()
}

/// The control groups of all processes, as the kernel lists them, by the processes' numbers.
fn control_groups() -> Vec<(u32, String)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        // One that has ended in between has no sockets.
        .filter_map(|pid| Some((pid, fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)))
        .collect()
}

/// The sockets of a container's processes, by the kernel's numbers: those of the processes whose
/// control group has its id.
fn own_sockets(container: &Container, groups: &[(u32, String)]) -> BTreeSet<u64> {
    let own = groups
        .iter()
        .filter(|(_, groups)| groups.contains(&container.id));
    own.flat_map(|(pid, _)| sockets::of_process(pid)).collect()
}

impl Answer {
    fn with(mut self, verdict: Verdict) -> Self {
        match verdict {
            Verdict::Up(note) => self.note = note,
            Verdict::Waiting(Problem::Doubt(note)) => self.note = Some(note),
            Verdict::Waiting(Problem::Fault(problem)) | Verdict::Down(problem) => {
                self.problem = Some(problem);
            }
        }
        self
    }
}
