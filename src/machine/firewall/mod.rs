//! The machine's firewall: whether it lets anybody reach what Traefik listens on. Traefik cannot
//! tell, since whatever asks it on the machine itself gets an answer.
//!
//! ufw and firewalld are read, and only read. Their own commands take a tenth of a second and more,
//! each time; ufw's files and firewalld's D-Bus interface take next to nothing. Rules that somebody
//! made otherwise (nftables, a provider's firewall) cannot be judged from here, so that nothing is
//! said of them. What is found is worth a warning, no more: a closed port may be meant to be closed.

mod firewalld;
mod ufw;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::bundle::Bind;
use crate::layout;
use crate::traefik::entrypoint::Listener;

/// What the operator should know of the firewall: the entry points that it does not open. Those
/// that are preconfigured are left out, as nobody has said that they are to be reached.
pub(super) fn warnings(binds: &BTreeSet<Bind>) -> Vec<String> {
    let doors: BTreeSet<Door> = binds
        .iter()
        .filter(|bind| !is_preconfigured(bind.entrypoint.listener))
        .map(Door::of)
        .collect();
    if doors.is_empty() {
        return Vec::new();
    }
    [ufw::closed(&doors), firewalld::closed(&doors)]
        .into_iter()
        .flatten()
        .map(|closed| closed.warning(&doors))
        .collect()
}

fn is_preconfigured(listener: Listener) -> bool {
    let (first, last) = layout::DYNAMIC_PORTS;
    match listener {
        Listener::Web | Listener::WebSecure => false,
        Listener::Tcp(port) => {
            layout::DEFAULT_TCP_PORTS.contains(&port) || (first..=last).contains(&port)
        }
        Listener::Udp(port) => layout::DEFAULT_UDP_PORTS.contains(&port),
    }
}

/// Where Traefik listens, as a firewall sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Door {
    port: Port,
    address: IpAddr,
}

impl Door {
    fn of(bind: &Bind) -> Self {
        let listener = bind.entrypoint.listener;
        Self {
            port: Port {
                number: listener.port(),
                protocol: if listener.is_udp() { "udp" } else { "tcp" },
            },
            address: bind.address,
        }
    }
}

/// A port of a protocol; it reads as both firewalls write it: `443/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Port {
    number: u16,
    protocol: &'static str,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

/// What a firewall does not open.
#[derive(Debug, PartialEq, Eq)]
struct Closed {
    /// Which firewall, and which part of it: `ufw`.
    firewall: String,
    /// Not empty.
    doors: BTreeSet<Door>,
    /// What opens them.
    remedy: String,
}

impl Closed {
    fn warning(&self, all: &BTreeSet<Door>) -> String {
        let Self {
            firewall,
            doors,
            remedy,
        } = self;
        let ports: Vec<String> = families(doors)
            .into_iter()
            .map(|(port, closed)| {
                // A port that is closed for one of two families is open for somebody.
                match closed.as_slice() {
                    [family] if families(all)[&port].len() > 1 => format!("{port} over {family}"),
                    _ => port.to_string(),
                }
            })
            .collect();
        format!(
            "{firewall} is active and has no rule that opens {} for visitors: {remedy}",
            ports.join(", ")
        )
    }
}

/// The ports of doors, and the address families of each.
fn families(doors: &BTreeSet<Door>) -> BTreeMap<Port, Vec<&'static str>> {
    let mut families: BTreeMap<Port, Vec<&'static str>> = BTreeMap::new();
    for Door { port, address } in doors {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let known = families.entry(*port).or_default();
        if !known.contains(&family) {
            known.push(family);
        }
    }
    families
}

/// The ports of doors, each once.
fn ports(doors: &BTreeSet<Door>) -> BTreeSet<Port> {
    doors.iter().map(|door| door.port).collect()
}

/// Whether a port is among those of a text: `80`, `80,443`, `6000:6007`, and firewalld's `6000-6007`.
fn names_port(text: &str, number: u16) -> bool {
    text.split(',').any(|part| {
        let (first, last) = part.split_once([':', '-']).unwrap_or((part, part));
        let bounds = (first.parse::<u16>(), last.parse::<u16>());
        matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A door as tests write it: `443/tcp 10.0.0.5`.
    pub(super) fn door(text: &str) -> Door {
        let (port, address) = text.split_once(' ').expect("an address");
        let (number, protocol) = port.split_once('/').expect("a protocol");
        Door {
            port: Port {
                number: number.parse().expect("a port"),
                protocol: if protocol == "udp" { "udp" } else { "tcp" },
            },
            address: address.parse().expect("an address"),
        }
    }

    #[test]
    fn a_port_that_is_closed_for_one_family_is_told_with_it() {
        let all =
            BTreeSet::from(["80/tcp 10.0.0.5", "80/tcp fd00::5", "443/tcp 10.0.0.5"].map(door));
        let warning = |closed: &[&str]| {
            let closed = Closed {
                firewall: "ufw".to_owned(),
                doors: closed.iter().map(|text| door(text)).collect(),
                remedy: "`it` opens them".to_owned(),
            };
            closed.warning(&all)
        };
        let both = warning(&["80/tcp 10.0.0.5", "80/tcp fd00::5", "443/tcp 10.0.0.5"]);
        let expected = "ufw is active and has no rule that opens 80/tcp, 443/tcp for visitors: `it` \
                        opens them";
        assert_eq!(both, expected);
        assert!(warning(&["80/tcp fd00::5"]).contains(" opens 80/tcp over IPv6 for visitors: "));
    }

    #[test]
    fn nobody_has_asked_for_the_preconfigured_ports() {
        for (listener, expected) in [
            (Listener::Web, false),
            (Listener::WebSecure, false),
            (Listener::Tcp(25), false),
            (Listener::Udp(5353), false),
            (Listener::Tcp(3306), true),
            (Listener::Tcp(10_003), true),
            (Listener::Udp(53), true),
        ] {
            assert_eq!(is_preconfigured(listener), expected, "{listener:?}");
        }
    }

    #[test]
    fn ports_are_named_one_by_one_in_lists_and_in_ranges() {
        for (text, number, expected) in [
            ("80", 80, true),
            ("80", 8080, false),
            ("80,443", 443, true),
            ("6000:6007", 6007, true),
            ("6000-6007", 6008, false),
            ("any", 80, false),
            ("", 80, false),
        ] {
            assert_eq!(names_port(text, number), expected, "{text} {number}");
        }
    }
}
