//! Which addresses Traefik can listen on: the declared ones where the machine has them, and behind
//! NAT the one that the default route goes out from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

use super::findings::Findings;
use crate::bundle::Bind;
use crate::context::Infra;
use crate::render::binds;

/// A root name server's addresses: the way to it is the default route. Nothing is sent there.
const FAR_V4: Ipv4Addr = Ipv4Addr::new(198, 41, 0, 4);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30);

/// The kernel's table of IPv6 addresses, and its flags (`IFA_F_…` in rtnetlink(7)).
const IF_INET6: &str = "/proc/net/if_inet6";
const TEMPORARY: u32 = 0x01;
const DUPLICATE: u32 = 0x08;
const TENTATIVE: u32 = 0x40;

/// The declared entry points, each at an address that this machine has; those of an address that
/// nothing stands in for are left out.
pub(super) fn settle(infra: &Infra, findings: &mut Findings) -> BTreeSet<Bind> {
    let wanted = binds(infra);
    let explicit = [
        infra.bind_ipv4.map(IpAddr::V4),
        infra.bind_ipv6.map(IpAddr::V6),
    ];
    let declared: BTreeSet<IpAddr> = wanted.iter().map(|bind| bind.address).collect();
    let mut taken = BTreeMap::new();
    for declared in declared {
        match choose(declared, explicit.contains(&Some(declared)), &Kernel) {
            Ok(address) => {
                if address != declared {
                    findings.note(format!(
                        "{declared} is not on an interface of this machine: Traefik listens on \
                         {address}, the source address of the default route"
                    ));
                }
                taken.insert(declared, address);
            }
            Err(Fault { problem, hint }) => findings.problem(problem, hint),
        }
    }
    wanted
        .into_iter()
        .filter_map(|bind| {
            let address = *taken.get(&bind.address)?;
            Some(Bind { address, ..bind })
        })
        .collect()
}

/// Why there is nothing to listen on, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    problem: String,
    hint: String,
}

/// What the kernel knows of addresses.
trait Interfaces {
    /// Whether a program can listen there.
    fn has(&self, address: IpAddr) -> bool;
    /// The address from which packets leave by the default route of the same family.
    fn source(&self, family_of: IpAddr) -> Option<IpAddr>;
    /// Whether there is IPv6 at all.
    fn has_ipv6(&self) -> bool;
    /// The flags of an IPv6 address; none where no interface has it.
    fn flags(&self, address: IpAddr) -> Option<u32>;
}

/// The address to listen on for a declared one.
fn choose(
    declared: IpAddr,
    is_explicit: bool,
    interfaces: &dyn Interfaces,
) -> Result<IpAddr, Fault> {
    if interfaces.has(declared) {
        return Ok(declared);
    }
    let fault = |problem: String, hint: String| Err(Fault { problem, hint });
    let family = if declared.is_ipv4() { "ipv4" } else { "ipv6" };
    let field = if is_explicit { "bind" } else { "public" };
    if declared.is_ipv6() && !interfaces.has_ipv6() {
        return fault(
            format!("{declared} is declared, but IPv6 is disabled on this machine"),
            format!(
                "`sysctl --all --pattern disable_ipv6` on the machine shows where; do without IPv6 \
                 by `rdc context set-infra MACHINE --unset {field}-ipv6`"
            ),
        );
    }
    match interfaces.flags(declared) {
        Some(flags) if flags & DUPLICATE != 0 => {
            return fault(
                format!("{declared} is not usable: another host on the network has it too"),
                "`ip -6 address show dadfailed` on the machine shows it; one of the two has to go"
                    .to_owned(),
            );
        }
        Some(flags) if flags & TENTATIVE != 0 => {
            return fault(
                format!("{declared} is not usable yet: the machine still looks who else has it"),
                "push again in some seconds".to_owned(),
            );
        }
        _ => {}
    }
    if is_explicit {
        return fault(
            format!("{declared} is not an address of this machine"),
            format!(
                "`ip address` on the machine shows which it has: choose one with `rdc context \
                 set-infra MACHINE --bind-{family} ADDRESS`"
            ),
        );
    }
    let not_here = format!("{declared} is not on an interface of this machine");
    let hint =
        format!("say what to listen on: `rdc context set-infra MACHINE --bind-{family} ADDRESS`");
    match interfaces.source(declared) {
        None => fault(
            format!("{not_here}, and there is no default route whose address could stand in"),
            hint,
        ),
        Some(source) if interfaces.flags(source).unwrap_or(0) & TEMPORARY != 0 => fault(
            format!("{not_here}, and {source}, which the default route uses, is a temporary one"),
            hint,
        ),
        Some(source) => Ok(source),
    }
}

/// The kernel of this machine.
struct Kernel;

impl Interfaces for Kernel {
    fn has(&self, address: IpAddr) -> bool {
        match UdpSocket::bind((address, 0)) {
            Ok(_) => true,
            // AFNOSUPPORT: a kernel without the family.
            Err(error) => !matches!(
                error
                    .raw_os_error()
                    .map(rustix::io::Errno::from_raw_os_error),
                Some(rustix::io::Errno::ADDRNOTAVAIL | rustix::io::Errno::AFNOSUPPORT)
            ),
        }
    }

    fn source(&self, family_of: IpAddr) -> Option<IpAddr> {
        let (any, far): (IpAddr, IpAddr) = if family_of.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED.into(), FAR_V4.into())
        } else {
            (Ipv6Addr::UNSPECIFIED.into(), FAR_V6.into())
        };
        let source = || -> io::Result<IpAddr> {
            let socket = UdpSocket::bind((any, 0))?;
            // Connecting a UDP socket chooses the route, and sends nothing.
            socket.connect((far, 53))?;
            Ok(socket.local_addr()?.ip())
        };
        source().ok()
    }

    fn has_ipv6(&self) -> bool {
        let switch = fs::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6");
        Path::new(IF_INET6).exists() && !switch.is_ok_and(|text| text.trim() == "1")
    }

    fn flags(&self, address: IpAddr) -> Option<u32> {
        let IpAddr::V6(address) = address else {
            return None;
        };
        flags(&fs::read_to_string(IF_INET6).ok()?, address)
    }
}

/// An address's flags in the kernel's table: address, index, prefix, scope, flags, interface.
fn flags(table: &str, address: Ipv6Addr) -> Option<u32> {
    let name = format!("{:032x}", u128::from(address));
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (*words.first()? == name).then_some(())?;
        u32::from_str_radix(words.get(4)?, 16).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with 10.0.0.5 and 2001:db8::5, and what else a case gives it.
    struct Machine {
        source: Option<&'static str>,
        has_ipv6: bool,
        table: &'static str,
    }

    impl Interfaces for Machine {
        fn has(&self, address: IpAddr) -> bool {
            address == ip("10.0.0.5") || (self.has_ipv6 && address == ip("2001:db8::5"))
        }

        fn source(&self, _: IpAddr) -> Option<IpAddr> {
            self.source.map(ip)
        }

        fn has_ipv6(&self) -> bool {
            self.has_ipv6
        }

        fn flags(&self, address: IpAddr) -> Option<u32> {
            match address {
                IpAddr::V4(_) => None,
                IpAddr::V6(address) => flags(self.table, address),
            }
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const PLAIN: Machine = Machine {
        source: None,
        has_ipv6: true,
        table: "",
    };

    #[test]
    fn an_address_is_there_or_stood_in_for_or_a_problem() {
        let behind = |source| Machine {
            source: Some(source),
            ..PLAIN
        };
        let with_table = |table| Machine { table, ..PLAIN };
        let no_ipv6 = Machine {
            has_ipv6: false,
            ..PLAIN
        };
        for (declared, is_explicit, machine, expected) in [
            ("10.0.0.5", false, PLAIN, Ok("10.0.0.5")),
            ("10.0.0.5", true, PLAIN, Ok("10.0.0.5")),
            ("2001:db8::5", false, PLAIN, Ok("2001:db8::5")),
            ("203.0.113.50", false, behind("10.0.0.5"), Ok("10.0.0.5")),
            (
                "203.0.113.50",
                true,
                behind("10.0.0.5"),
                Err("is not an address of this machine"),
            ),
            ("203.0.113.50", false, PLAIN, Err("no default route")),
            ("2001:db8::5", false, no_ipv6, Err("IPv6 is disabled")),
            (
                "2001:db8::6",
                true,
                with_table("20010db8000000000000000000000006 02 40 00 40 eth0\n"),
                Err("is not usable yet"),
            ),
            (
                "2001:db8::6",
                false,
                with_table("20010db8000000000000000000000006 02 40 00 48 eth0\n"),
                Err("another host"),
            ),
            (
                "2001:db8::7",
                false,
                Machine {
                    table: "20010db8000000000000000000000008 02 40 00 01 eth0\n",
                    ..behind("2001:db8::8")
                },
                Err("is a temporary one"),
            ),
            (
                "2001:db8::7",
                false,
                Machine {
                    table: "20010db8000000000000000000000009 02 40 00 01 eth0\n",
                    ..behind("2001:db8::8")
                },
                Ok("2001:db8::8"),
            ),
        ] {
            match (choose(ip(declared), is_explicit, &machine), expected) {
                (Ok(address), Ok(expected)) => assert_eq!(address, ip(expected), "{declared}"),
                (Err(fault), Err(expected)) => {
                    assert!(fault.problem.contains(expected), "{fault:?}");
                    assert!(fault.problem.contains(declared), "{fault:?}");
                    assert!(!fault.hint.is_empty(), "{fault:?}");
                }
                (answer, expected) => panic!("{declared}: {answer:?}, not {expected:?}"),
            }
        }
    }
}
