//! By which processes and ports somebody is in this machine now: what they hold must never be
//! stopped. Found by what is there, not by names: the parents of this process, the connection that
//! one of them has from outside, and whatever on this machine passes that connection on.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;

use super::holder::{Holder, Home, holders};
use crate::bundle::Failure;
use crate::machine::sockets::{self, Connection};

/// The way in of whoever runs this process.
#[derive(Debug, Default)]
pub(super) struct WayIn {
    processes: BTreeSet<u32>,
    homes: Vec<Home>,
    ports: BTreeSet<u16>,
}

impl WayIn {
    /// Looks for it. It asks for the open files of some processes: to be done only where a port is
    /// in use.
    pub(super) fn find() -> Result<Self, Failure> {
        let own = parents(std::process::id());
        let of_parents: BTreeSet<u64> = own.iter().flat_map(sockets::of_process).collect();
        let open = sockets::open_connections()?;
        let (ports, forwarders) = carriers(&open, &of_parents);
        let mut way = Self {
            ports,
            ..Self::default()
        };
        let forwarders = holders(&forwarders).into_values().flat_map(|holder| {
            // One that listens may have another one do the work.
            let parents = parents(holder.process);
            parents.into_iter().chain([holder.process])
        });
        // All processes are systemd's children: it is no way in by that.
        for process in own.into_iter().chain(forwarders).filter(|id| *id != 1) {
            way.processes.insert(process);
            way.homes.push(Holder::of(process).home);
        }
        way.homes.retain(|home| *home != Home::Nowhere);
        Ok(way)
    }

    /// Whether a socket is a part of it, by its TCP port or by who has it.
    pub(super) fn is_through(&self, tcp_port: Option<u16>, holder: Option<&Holder>) -> bool {
        tcp_port.is_some_and(|port| self.ports.contains(&port))
            || holder.is_some_and(|holder| {
                self.processes.contains(&holder.process) || self.homes.contains(&holder.home)
            })
    }
}

/// The ports at which connections of some processes came in, and the sockets of those that pass them
/// on: such a connection comes from this machine itself.
fn carriers(open: &BTreeSet<Connection>, inodes: &BTreeSet<u64>) -> (BTreeSet<u16>, BTreeSet<u64>) {
    let (mut ports, mut forwarders) = (BTreeSet::new(), BTreeSet::new());
    for own in open.iter().filter(|open| inodes.contains(&open.inode)) {
        ports.insert(own.local.port());
        // A socket for both families writes IPv4 addresses as IPv6 ones.
        let is_same = |a: SocketAddr, b: SocketAddr| {
            a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
        };
        let other_end = |other: &&Connection| {
            is_same(other.local, own.remote) && is_same(other.remote, own.local)
        };
        forwarders.extend(open.iter().find(other_end).map(|other| other.inode));
    }
    (ports, forwarders)
}

/// The parents of a process, up to the first of all.
fn parents(mut process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    while let Some(parent) = parent(process).filter(|parent| *parent != 0) {
        found.push(parent);
        process = parent;
    }
    found
}

fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix("PPid:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(local: &str, remote: &str, inode: u64) -> Connection {
        Connection {
            local: local.parse().expect("an address"),
            remote: remote.parse().expect("an address"),
            inode,
        }
    }

    #[test]
    fn a_connection_leads_to_its_port_and_to_whoever_passes_it_on() {
        let direct = connection("10.0.0.5:22", "192.0.2.1:50000", 1);
        let inner = connection("127.0.0.1:22", "127.0.0.1:40000", 2);
        let outer = connection("127.0.0.1:40000", "127.0.0.1:22", 3);
        let other = connection("10.0.0.5:443", "192.0.2.1:50001", 4);
        let mapped = connection("[::ffff:127.0.0.1]:22", "[::ffff:127.0.0.1]:40001", 5);
        let beside = connection("127.0.0.1:40001", "127.0.0.1:22", 6);
        let open = BTreeSet::from([direct, inner, outer, other, mapped, beside]);
        for (own, ports, forwarders) in [
            (1, &[22][..], &[][..]),
            (2, &[22], &[3]),
            (4, &[443], &[]),
            (5, &[22], &[6]),
            (7, &[], &[]),
        ] {
            let found = carriers(&open, &BTreeSet::from([own]));
            let expected = (
                ports.iter().copied().collect(),
                forwarders.iter().copied().collect(),
            );
            assert_eq!(found, expected, "{own}");
        }
    }

    #[test]
    fn what_has_a_part_in_it_is_known_by_its_port_its_process_or_its_home() {
        let way = WayIn {
            processes: BTreeSet::from([812]),
            homes: vec![Home::Service("ssh.service".to_owned())],
            ports: BTreeSet::from([22]),
        };
        let holder = |process, home| Holder {
            process,
            name: "x".to_owned(),
            home,
        };
        let service = |unit: &str| Home::Service(unit.to_owned());
        for (port, holder, expected) in [
            (Some(22), None, true),
            (Some(22), Some(holder(1, Home::Nowhere)), true),
            (Some(2222), Some(holder(812, Home::Nowhere)), true),
            (Some(2222), Some(holder(900, service("ssh.service"))), true),
            (
                Some(2222),
                Some(holder(900, service("nginx.service"))),
                false,
            ),
            (Some(2222), None, false),
            // Of UDP.
            (None, Some(holder(900, service("ssh.service"))), true),
            (None, None, false),
        ] {
            assert_eq!(
                way.is_through(port, holder.as_ref()),
                expected,
                "{holder:?}"
            );
        }
    }

    #[test]
    fn the_first_of_all_processes_is_a_parent_of_this_one() {
        assert_eq!(parents(std::process::id()).last(), Some(&1));
    }
}
