//! ufw, by the files that it keeps its rules in. It reads them itself before each of its commands:
//! every rule stands there as a line that begins with `### tuple ###`.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::process::Command;

use super::{Closed, Door, Port, names_port, ports};

const SWITCH: &str = "/etc/ufw/ufw.conf";
const DEFAULTS: &str = "/etc/default/ufw";
/// What the operator may add by hand beside the rules, and the rules, of IPv4 and IPv6.
const RULES: [(&str, &str); 2] = [
    ("/etc/ufw/before.rules", "/etc/ufw/user.rules"),
    ("/etc/ufw/before6.rules", "/etc/ufw/user6.rules"),
];

/// The doors that ufw does not open; none where it is not there or not active.
pub(super) fn closed(doors: &BTreeSet<Door>) -> Option<Closed> {
    // What cannot be read has no rule, and a machine without ufw has none of the files.
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if setting(&text(SWITCH), "ENABLED") != Some("yes") {
        return None;
    }
    let [v4, v6] = RULES.map(|(before, user)| rules(&text(before), &text(user)));
    let defaults = text(DEFAULTS);
    let ufw = Ufw {
        v4,
        v6,
        opens_all: setting(&defaults, "DEFAULT_INPUT_POLICY") == Some("ACCEPT"),
        has_ipv6: setting(&defaults, "IPV6") == Some("yes"),
    };
    let closed = ufw.closed(doors)?;
    // Enabled, it may have failed to start all the same.
    is_active().then_some(closed)
}

/// Asked only where there is something to tell: it takes a while.
fn is_active() -> bool {
    let output = Command::new("ufw")
        .arg("status")
        .env("LC_ALL", "C")
        .output();
    output.map_or(true, |output| {
        !output.stdout.starts_with(b"Status: inactive")
    })
}

/// What ufw is set to.
#[derive(Debug)]
struct Ufw {
    v4: Vec<Rule>,
    v6: Vec<Rule>,
    /// What no rule is about comes in.
    opens_all: bool,
    /// Without it ufw drops all of IPv6.
    has_ipv6: bool,
}

impl Ufw {
    fn closed(&self, doors: &BTreeSet<Door>) -> Option<Closed> {
        let closed: BTreeSet<Door> = doors
            .iter()
            .filter(|door| !self.opens(door))
            .copied()
            .collect();
        if closed.is_empty() {
            return None;
        }
        let of_ipv6 = |door: &Door| door.address.is_ipv6();
        let remedy = if !self.has_ipv6 && closed.iter().all(of_ipv6) {
            format!("`IPV6=yes` in {DEFAULTS} and `ufw reload` open IPv6")
        } else {
            remedy(&ports(&closed))
        };
        Some(Closed {
            firewall: "ufw".to_owned(),
            doors: closed,
            remedy,
        })
    }

    fn opens(&self, door: &Door) -> bool {
        let rules = match door.address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) if self.has_ipv6 => &self.v6,
            IpAddr::V6(_) => return false,
        };
        // The first one that is about a packet decides.
        rules
            .iter()
            .find_map(|rule| rule.judges(door))
            .unwrap_or(self.opens_all)
    }
}

fn remedy(ports: &BTreeSet<Port>) -> String {
    let commands: Vec<String> = ["tcp", "udp"]
        .into_iter()
        .filter_map(|protocol| {
            let numbers: Vec<String> = ports
                .iter()
                .filter(|port| port.protocol == protocol)
                .map(|port| port.number.to_string())
                .collect();
            (!numbers.is_empty()).then(|| format!("`ufw allow {}/{protocol}`", numbers.join(",")))
        })
        .collect();
    let verb = if commands.len() == 1 { "opens" } else { "open" };
    format!("{} {verb} them", commands.join(" and "))
}

/// A rule about what comes in.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    allows: bool,
    /// `tcp`, `udp` or `any`; others are about no door.
    protocol: String,
    /// Ports, or `any`.
    ports: String,
    /// Where it comes in: an address, a network, or everything.
    to: String,
    /// Whether it is about everybody, and not about some addresses or one interface alone.
    is_for_all: bool,
}

impl Rule {
    /// Whether it lets in at a door, where it is about it. What lets only some in at this very port
    /// is meant so; what is about some of all visitors says nothing of the others.
    fn judges(&self, door: &Door) -> Option<bool> {
        let Door { port, address } = door;
        let is_named = names_port(&self.ports, port.number);
        let is_about = ["any", port.protocol].contains(&self.protocol.as_str())
            && (self.ports == "any" || is_named)
            && covers(&self.to, *address);
        let is_meant = self.allows && is_named;
        (is_about && (self.is_for_all || is_meant)).then_some(self.allows)
    }
}

/// The rules about what comes in, in the order in which they count.
fn rules(before: &str, user: &str) -> Vec<Rule> {
    let before = before.lines().filter_map(by_hand);
    let user = user
        .lines()
        .filter_map(|line| tuple(line.strip_prefix("### tuple ### ")?));
    before.chain(user).collect()
}

/// A rule of ufw's: `allow_log tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 WWW%20Full - in comment=68`.
fn tuple(text: &str) -> Option<Rule> {
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| !word.starts_with("comment="))
        .collect();
    let [action, protocol, ports, to, from_ports, from, ..] = words.as_slice() else {
        return None;
    };
    // The oldest rules name no direction: they are about what comes in.
    let direction = match words.len() {
        7 | 9 => words.last().copied().unwrap_or_default(),
        _ => "in",
    };
    // Forwarded packets do not come to Traefik.
    if !direction.starts_with("in") || action.starts_with("route:") || *from_ports != "any" {
        return None;
    }
    let action = action.split('_').next().unwrap_or_default();
    Some(Rule {
        allows: ["allow", "limit"].contains(&action),
        protocol: (*protocol).to_owned(),
        ports: (*ports).to_owned(),
        to: (*to).to_owned(),
        is_for_all: is_everything(from) && direction == "in",
    })
}

/// A rule that somebody wrote in the language of iptables, where it opens ports.
fn by_hand(line: &str) -> Option<Rule> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let behind = |options: &[&str]| {
        let at = words.iter().position(|word| options.contains(word))?;
        words.get(at + 1).copied()
    };
    let chain = behind(&["-A", "-I"])?;
    let is_ours = ["ufw-before-input", "ufw6-before-input"].contains(&chain);
    if !is_ours || behind(&["-j"]) != Some("ACCEPT") || behind(&["-d", "--sport"]).is_some() {
        return None;
    }
    Some(Rule {
        allows: true,
        protocol: behind(&["-p"]).unwrap_or("any").to_owned(),
        ports: behind(&["--dport", "--dports"])?.to_owned(),
        to: "0.0.0.0/0".to_owned(),
        is_for_all: true,
    })
}

fn is_everything(network: &str) -> bool {
    ["0.0.0.0/0", "::/0", "any"].contains(&network)
}

/// Whether an address is in a network.
fn covers(network: &str, address: IpAddr) -> bool {
    if is_everything(network) {
        return true;
    }
    let (first, bits) = network.split_once('/').unwrap_or((network, "128"));
    let (Ok(first), Ok(bits)) = (first.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            let free = 32u32.saturating_sub(bits);
            let network = |ip: std::net::Ipv4Addr| ip.to_bits().checked_shr(free).unwrap_or(0);
            network(first) == network(address)
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            let free = 128u32.saturating_sub(bits);
            let network = |ip: std::net::Ipv6Addr| ip.to_bits().checked_shr(free).unwrap_or(0);
            network(first) == network(address)
        }
        _ => false,
    }
}

/// A setting of a file that a shell reads: `NAME=value` or `NAME="value"`.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    values
        .map(|value| value.trim().trim_matches(['"', '\'']))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::super::tests::door;
    use super::*;

    /// Files of ufw 0.36.2 on Debian 12, after the commands that each rule's line tells.
    const BEFORE: &str = include_str!("testdata/before.rules");
    const USER: &str = include_str!("testdata/user.rules");
    const USER6: &str = include_str!("testdata/user6.rules");

    fn ufw() -> Ufw {
        Ufw {
            v4: rules(BEFORE, USER),
            v6: rules("", USER6),
            opens_all: false,
            has_ipv6: true,
        }
    }

    #[test]
    fn a_door_is_open_where_the_first_rule_about_it_says_so() {
        let ufw = ufw();
        for (text, expected) in [
            ("22/tcp 192.0.2.80", true),
            ("22/tcp 2001:db8::80", true),
            ("22/udp 192.0.2.80", false),
            // From a network alone, but for this very port: that is meant.
            ("443/tcp 192.0.2.80", true),
            // `WWW Full`, an application's ports.
            ("443/tcp 2001:db8::80", true),
            ("80/tcp 192.0.2.80", true),
            // On one interface, at one address, in one network.
            ("8443/tcp 192.0.2.80", true),
            ("2525/tcp 192.0.2.80", true),
            ("2525/tcp 192.0.2.81", false),
            ("2526/tcp 192.0.2.81", true),
            ("2526/tcp 192.0.3.81", false),
            ("2525/tcp 2001:db8::80", false),
            // Limited, in a range, in a list, of both protocols, logged.
            ("5433/tcp 192.0.2.80", true),
            ("6003/tcp 192.0.2.80", true),
            ("143/tcp 192.0.2.80", true),
            ("5353/tcp 192.0.2.80", true),
            ("5353/udp 192.0.2.80", true),
            ("8022/tcp 192.0.2.80", true),
            // Denied, going out, forwarded, from a port, and nothing at all; a network that may
            // come in anywhere opens none of them to others.
            ("9999/tcp 192.0.2.80", false),
            ("9092/udp 192.0.2.80", false),
            ("8080/tcp 192.0.2.80", false),
            ("25/tcp 192.0.2.80", false),
            ("67/udp 192.0.2.80", false),
            ("5000/tcp 192.0.2.80", false),
        ] {
            assert_eq!(ufw.opens(&door(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_by_hand_opens_too_and_the_rules_that_ufw_comes_with_open_nothing() {
        let shipped = rules(BEFORE, "");
        assert_eq!(shipped, []);
        let line = "-A ufw-before-input -p tcp -m multiport --dports 80,443 -j ACCEPT\n";
        let ufw = Ufw {
            v4: rules(line, ""),
            ..ufw()
        };
        assert!(ufw.opens(&door("443/tcp 192.0.2.80")));
        assert!(!ufw.opens(&door("2525/tcp 192.0.2.80")));
    }

    #[test]
    fn what_is_closed_is_told_with_the_commands_that_open_it() {
        let doors = |texts: &[&str]| texts.iter().map(|text| door(text)).collect::<BTreeSet<_>>();
        let nothing = || Ufw {
            v4: Vec::new(),
            v6: Vec::new(),
            opens_all: false,
            has_ipv6: true,
        };
        let web = doors(&["80/tcp 192.0.2.80", "443/tcp 192.0.2.80", "80/tcp fd00::5"]);
        let remedy = |ufw: &Ufw, doors| ufw.closed(doors).map(|closed| closed.remedy);
        let command = "`ufw allow 80,443/tcp` opens them";
        assert_eq!(remedy(&nothing(), &web).as_deref(), Some(command));
        let both = doors(&["25/tcp 192.0.2.80", "5000/udp 192.0.2.80"]);
        let commands = "`ufw allow 25/tcp` and `ufw allow 5000/udp` open them";
        assert_eq!(remedy(&nothing(), &both).as_deref(), Some(commands));
        assert_eq!(remedy(&ufw(), &web), None);
        let lax = Ufw {
            opens_all: true,
            ..nothing()
        };
        assert_eq!(remedy(&lax, &web), None);
        let without_ipv6 = Ufw {
            has_ipv6: false,
            ..ufw()
        };
        let setting = "`IPV6=yes` in /etc/default/ufw and `ufw reload` open IPv6";
        assert_eq!(remedy(&without_ipv6, &web).as_deref(), Some(setting));
    }

    #[test]
    fn settings_are_read_as_a_shell_reads_them() {
        let text = "# ENABLED=no\nIPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nENABLED=yes\n";
        assert_eq!(setting(text, "ENABLED"), Some("yes"));
        assert_eq!(setting(text, "DEFAULT_INPUT_POLICY"), Some("DROP"));
        assert_eq!(setting(text, "IPV6"), Some("yes"));
        assert_eq!(setting(text, "DEFAULT"), None);
    }
}
