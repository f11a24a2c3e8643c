//! firewalld, by what it answers over D-Bus: the rules as they are in force, whether or not they
//! are kept for the next boot.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use nix::ifaddrs::getifaddrs;
use serde_json::Value;

use super::{Closed, Door, Port, names_port, ports};

/// There where firewalld is installed, so that nobody else pays for the question.
const INSTALLED: [&str; 2] = [
    "/usr/share/dbus-1/system.d/FirewallD.conf",
    "/etc/dbus-1/system.d/FirewallD.conf",
];
const NAME: &str = "org.fedoraproject.FirewallD1";
const OBJECT: &str = "/org/fedoraproject/FirewallD1";
/// The policy that firewalld comes with: it is about nothing that Traefik serves.
const SHIPPED_POLICY: &str = "allow-host-ipv6";

/// The doors that firewalld does not open; none where it is not there or does not answer.
pub(super) fn closed(doors: &BTreeSet<Door>) -> Option<Closed> {
    if !INSTALLED.iter().any(|path| Path::new(path).exists()) {
        return None;
    }
    examine(doors, &interfaces(), &call)
}

/// A question: the interface, the method, and the one word that it may take.
type Ask<'a> = &'a dyn Fn(&str, &str, Option<&str>) -> Option<Value>;

/// Asks firewalld, and does not have it started for that. Answers the method's one value.
fn call(interface: &str, method: &str, word: Option<&str>) -> Option<Value> {
    let mut busctl = Command::new("busctl");
    busctl
        .args(["--auto-start=no", "--timeout=2", "--json=short", "call"])
        .args([NAME, OBJECT, &format!("{NAME}{interface}"), method]);
    if let Some(word) = word {
        busctl.args(["s", word]);
    }
    let output = busctl.output().ok()?;
    let mut answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(answer["data"][0].take())
}

/// The interfaces by their addresses.
fn interfaces() -> BTreeMap<IpAddr, String> {
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|found| {
        let address = found.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        let v6 = || address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip()));
        Some((v4.or_else(v6)?, found.interface_name))
    })
    .collect()
}

fn examine(
    doors: &BTreeSet<Door>,
    interfaces: &BTreeMap<IpAddr, String>,
    ask: Ask<'_>,
) -> Option<Closed> {
    let default = ask("", "getDefaultZone", None)?;
    let policies = ask(".policy", "getActivePolicies", None);
    let opens_by_policy = |(name, policy): (&String, &Value)| {
        name != SHIPPED_POLICY && texts(&policy["egress_zones"]).any(|zone| zone == "HOST")
    };
    // What a policy of somebody's own lets in is not told from here.
    if policies
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|policies| policies.iter().any(opens_by_policy))
    {
        return None;
    }
    let mut by_zone: BTreeMap<String, BTreeSet<Door>> = BTreeMap::new();
    for door in doors {
        let zone = interfaces
            .get(&door.address)
            .and_then(|name| ask(".zone", "getZoneOfInterface", Some(name)));
        // An interface in no zone is in the default one.
        let zone = zone.as_ref().and_then(Value::as_str).unwrap_or_default();
        let zone = if zone.is_empty() {
            default.as_str()?
        } else {
            zone
        };
        by_zone.entry(zone.to_owned()).or_default().insert(*door);
    }
    let mut closed = BTreeSet::new();
    let mut commands = Vec::new();
    for (name, mut doors) in by_zone {
        let zone = Zone {
            settings: ask(".zone", "getZoneSettings2", Some(&name))?,
            ask,
        };
        let open: BTreeSet<Port> = ports(&doors)
            .into_iter()
            .filter(|port| zone.opens(*port))
            .collect();
        doors.retain(|door| !open.contains(&door.port));
        if doors.is_empty() {
            continue;
        }
        let options = ports(&doors).into_iter();
        let options: String = options.map(|port| format!(" --add-port={port}")).collect();
        commands.push(format!("`firewall-cmd --zone={name}{options}`"));
        closed.append(&mut doors);
    }
    (!closed.is_empty()).then(|| Closed {
        firewall: "firewalld".to_owned(),
        doors: closed,
        remedy: format!(
            "{} and `firewall-cmd --runtime-to-permanent` open them",
            commands.join(", ")
        ),
    })
}

/// A zone of firewalld.
struct Zone<'a> {
    settings: Value,
    ask: Ask<'a>,
}

impl Zone<'_> {
    fn opens(&self, port: Port) -> bool {
        let is_open = |key| pairs(self.setting(key)).any(|pair| is_port(pair, port));
        let of_services = || {
            texts(self.setting("services"))
                .chain(self.rules().filter_map(|rule| word(rule, "service name=")))
                .any(|service| self.has_port(service, port, 0))
        };
        self.setting("target") == "ACCEPT"
            || is_open("ports")
            // What is sent on elsewhere comes in.
            || is_open("forward_ports")
            || texts(self.setting("protocols")).any(|protocol| protocol == port.protocol)
            || self.rules().any(|rule| {
                let number = word(rule, "port port=").unwrap_or_default();
                names_port(number, port.number) && word(rule, " protocol=") == Some(port.protocol)
            })
            || of_services()
    }

    /// Whether a service, or one that it includes, has a port.
    fn has_port(&self, service: &str, port: Port, depth: usize) -> bool {
        // Services may include each other.
        const DEEPEST: usize = 3;
        let Some(settings) = (self.ask)("", "getServiceSettings2", Some(service)) else {
            return false;
        };
        pairs(&settings["ports"]["data"]).any(|pair| is_port(pair, port))
            || depth < DEEPEST
                && texts(&settings["includes"]["data"])
                    .any(|included| self.has_port(included, port, depth + 1))
    }

    fn setting(&self, key: &str) -> &Value {
        &self.settings[key]["data"]
    }

    /// The rich rules that let in: for whomever, at a port or by a service that they name.
    fn rules(&self) -> impl Iterator<Item = &str> {
        texts(self.setting("rules_str")).filter(|rule| rule.ends_with(" accept"))
    }
}

/// The texts of a list.
fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The first two texts of each element of a list: a port and its protocol.
fn pairs(list: &Value) -> impl Iterator<Item = (&str, &str)> {
    let elements = list.as_array().into_iter().flatten();
    elements.filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)))
}

fn is_port((numbers, protocol): (&str, &str), port: Port) -> bool {
    protocol == port.protocol && names_port(numbers, port.number)
}

/// The quoted word behind a key of a rich rule.
fn word<'a>(rule: &'a str, key: &str) -> Option<&'a str> {
    let (_, behind) = rule.split_once(key)?;
    behind.strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::tests::door;
    use super::*;

    /// What firewalld 1.3.3 on Debian 12 answered `busctl`, by question; the first zone has rules
    /// of all kinds, the others are as they come.
    const ANSWERS: &str = include_str!("testdata/firewalld.json");

    /// Examines doors at `192.0.2.80` on `eth0`, which is in a zone or in none.
    fn examine_in(zone: &str, doors: &[&str]) -> Option<Closed> {
        let mut answers: BTreeMap<String, Value> =
            serde_json::from_str(ANSWERS).expect("answers by question");
        let of_zone = serde_json::json!({ "data": [zone] });
        answers.insert("getZoneOfInterface eth0".to_owned(), of_zone);
        let answers = RefCell::new(answers);
        let ask = |_: &str, method: &str, word: Option<&str>| {
            let question = [method, word.unwrap_or_default()].join(" ");
            let answers = answers.borrow();
            Some(answers.get(question.trim())?["data"][0].clone())
        };
        let interfaces = BTreeMap::from([(door("1/tcp 192.0.2.80").address, "eth0".to_owned())]);
        let doors = doors.iter().map(|text| door(text)).collect();
        examine(&doors, &interfaces, &ask)
    }

    fn is_open(zone: &str, port: &str) -> bool {
        examine_in(zone, &[&format!("{port} 192.0.2.80")]).is_none()
    }

    #[test]
    fn a_zone_opens_what_its_ports_services_and_rules_name() {
        for (zone, port, expected) in [
            // A service, a range, a rich rule's service, its port for some, a port sent on.
            ("public", "443/tcp", true),
            ("public", "8003/tcp", true),
            ("public", "80/tcp", true),
            ("public", "2525/tcp", true),
            ("public", "8081/tcp", true),
            ("public", "8003/udp", false),
            ("public", "25/tcp", false),
            // No zone of its own is the default one, `public`.
            ("", "443/tcp", true),
            ("", "25/tcp", false),
            ("trusted", "25/tcp", true),
            ("drop", "443/tcp", false),
            ("block", "443/tcp", false),
            // By services that another one includes.
            ("included", "443/tcp", true),
            ("included", "25/tcp", false),
        ] {
            assert_eq!(is_open(zone, port), expected, "{zone} {port}");
        }
    }

    #[test]
    fn what_is_closed_is_told_with_the_zone_and_the_command() {
        let closed = examine_in("drop", &["80/tcp 192.0.2.80", "5353/udp 192.0.2.80"]);
        let closed = closed.expect("it is closed");
        assert_eq!(closed.doors.len(), 2);
        let remedy = "`firewall-cmd --zone=drop --add-port=80/tcp --add-port=5353/udp` and \
                      `firewall-cmd --runtime-to-permanent` open them";
        assert_eq!(closed.remedy, remedy);
    }

    #[test]
    fn nothing_is_said_of_a_firewall_that_does_not_answer() {
        let doors = BTreeSet::from([door("80/tcp 192.0.2.80")]);
        assert_eq!(examine(&doors, &BTreeMap::new(), &|_, _, _| None), None);
    }

    #[test]
    fn nothing_is_said_where_a_policy_of_somebodys_own_may_let_in() {
        let doors = BTreeSet::from([door("80/tcp 192.0.2.80")]);
        let ask = |_: &str, method: &str, _: Option<&str>| match method {
            "getActivePolicies" => Some(serde_json::json!({
                "mine": {"ingress_zones": ["ANY"], "egress_zones": ["HOST"]},
            })),
            "getDefaultZone" => Some(Value::from("public")),
            _ => Some(Value::Null),
        };
        assert_eq!(examine(&doors, &BTreeMap::new(), &ask), None);
    }
}
