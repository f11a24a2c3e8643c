//! Addresses: those that a machine answers on, and the one that SSH goes to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BaseDomain, InvalidValue, text_value};

/// Parses the IPv4 address of one host: neither a wildcard, nor loopback, nor a group.
pub fn host_ipv4(text: &str) -> Result<Ipv4Addr, InvalidValue> {
    const VALID: &str = "one IPv4 address of the machine, as 203.0.113.50";
    let text = text.trim();
    let refuse = |what: &str| Err(InvalidValue::new(format!("`{text}` {what}"), VALID));
    let Ok(address) = text.parse::<Ipv4Addr>() else {
        return refuse(match text.parse::<Ipv6Addr>() {
            Ok(_) => "is an IPv6 address",
            Err(_) => "is not an IPv4 address",
        });
    };
    match address.octets() {
        [0, ..] => refuse("is no address of a host: a wildcard would take every other one's ports"),
        [127, ..] => refuse("is a loopback address, which belongs to the containers"),
        [169, 254, ..] => refuse("is a link-local address"),
        [224..=239, ..] => refuse("is a multicast address"),
        [255, 255, 255, 255] => refuse("is the broadcast address"),
        [240..=255, ..] => refuse("is a reserved address"),
        _ => Ok(address),
    }
}

/// Parses the IPv6 address of one host, with brackets or without: neither a wildcard, nor loopback,
/// nor a group, nor an IPv4 address in disguise.
pub fn host_ipv6(text: &str) -> Result<Ipv6Addr, InvalidValue> {
    const VALID: &str = "one global IPv6 address of the machine, as 2001:db8::1";
    let text = text.trim();
    let refuse = |what: &str| Err(InvalidValue::new(format!("`{text}` {what}"), VALID));
    let inner = without_brackets(text);
    // Its interface is part of a link-local address, which is refused with it or without.
    let (plain, interface) = match inner.split_once('%') {
        Some((plain, interface)) => (plain, Some(interface)),
        None => (inner, None),
    };
    let Ok(address) = plain.parse::<Ipv6Addr>() else {
        return refuse(match inner.parse::<Ipv4Addr>() {
            Ok(_) => "is an IPv4 address",
            Err(_) if text.starts_with('[') && text.contains("]:") => {
                "holds a port: what is opened is said by --tcp-ports and --udp-ports"
            }
            Err(_) => "is not an IPv6 address",
        });
    };
    if address.is_unspecified() {
        refuse("is no address of a host: a wildcard would take every other one's ports")
    } else if address.is_loopback() {
        refuse("is the loopback address")
    } else if address.is_multicast() {
        refuse("is a multicast address")
    } else if address.to_ipv4_mapped().is_some() {
        refuse("is an IPv4 address written as IPv6")
    } else if address.is_unicast_link_local() {
        refuse("is a link-local address: nobody beyond the machine's own link could reach it")
    } else if interface.is_some() {
        refuse("names an interface, which only a link-local address has")
    } else {
        Ok(address)
    }
}

/// An IPv6 address as it stands in URLs, without its brackets.
fn without_brackets(text: &str) -> &str {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    // Around anything else they are a mistake.
    inner.filter(|inner| inner.contains(':')).unwrap_or(text)
}

/// A link-local address with its interface, as `fe80::1%eth0`: without one, the system cannot tell
/// which link is meant. None where there is no `%`.
fn scoped(text: &str) -> Option<Result<String, &'static str>> {
    // Linux's own limit.
    const INTERFACE_BYTES: usize = 15;
    let (address, interface) = text.split_once('%')?;
    Some(match address.parse::<Ipv6Addr>() {
        Ok(address) if address.is_unicast_link_local() => {
            let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            let is_name = !interface.is_empty()
                && !interface.starts_with('-')
                && interface.len() <= INTERFACE_BYTES
                && interface.bytes().all(is_letter);
            match is_name {
                true => Ok(format!("{address}%{interface}")),
                false => Err("names no interface behind its `%`"),
            }
        }
        Ok(_) => Err("names an interface, which only a link-local address has"),
        Err(_) => Err("is not an IPv6 address"),
    })
}

/// Where SSH goes: an IP address, or a name that the workstation resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);

text_value!(Host);

impl Host {
    /// Whether it is a link-local address without its interface, which nobody can connect to.
    pub fn lacks_interface(&self) -> bool {
        let address = self.0.parse::<Ipv6Addr>();
        address.is_ok_and(|address| address.is_unicast_link_local())
    }
}

impl FromStr for Host {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const VALID: &str = "an IP address or a host name, as 203.0.113.50 or server-1.example.com";
        let given = text.trim();
        let refuse = |what: &str| Err(InvalidValue::new(format!("`{given}` {what}"), VALID));
        if given.starts_with('[') && given.contains("]:") {
            return refuse("holds a port, which is given by --port");
        }
        let text = without_brackets(given);
        match scoped(text) {
            Some(Ok(address)) => return Ok(Self(address)),
            Some(Err(why)) => return refuse(why),
            None => {}
        }
        match text.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || address.is_multicast() => {
                return refuse("is no address of a host");
            }
            Ok(address) => return Ok(Self(address.to_string())),
            Err(_) => {}
        }
        // All digits and dots, but not an address: a typing mistake, never a name.
        if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return refuse("is not an IP address");
        }
        // A host name has a domain's letters, but one label is enough on a local network.
        match format!("{text}.x").parse::<BaseDomain>() {
            Ok(name) => Ok(Self(name.as_str().trim_end_matches(".x").to_owned())),
            Err(_) => refuse("is not a host name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn an_ipv4_address_is_that_of_one_host() {
        for good in ["203.0.113.50", " 10.99.0.2 ", "192.168.1.1"] {
            assert!(host_ipv4(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("999.1.1.1", "`999.1.1.1` is not an IPv4 address"),
            ("", "not an IPv4"),
            ("1.2.3", "not an IPv4"),
            ("203.0.113.050", "not an IPv4"),
            ("2001:db8::1", "is an IPv6 address"),
            ("0.0.0.0", "wildcard"),
            ("127.0.0.1", "loopback"),
            ("169.254.1.1", "link-local"),
            ("224.0.0.1", "multicast"),
            ("250.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
        ] {
            let error = host_ipv4(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn an_ipv6_address_is_that_of_one_host() {
        for good in [
            "2001:db8::1",
            " fd00::2 ",
            "[2001:db8::1]",
            " [2001:DB8::1] ",
        ] {
            assert!(host_ipv6(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("203.0.113.50", "is an IPv4 address"),
            ("[2001:db8::1", "not an IPv6"),
            ("[2001:db8::1]:443", "holds a port"),
            ("[203.0.113.50]", "not an IPv6"),
            ("2001:db8::1%eth0", "names an interface"),
            ("::", "wildcard"),
            ("::1", "loopback"),
            ("ff02::1", "multicast"),
            ("::ffff:203.0.113.50", "written as IPv6"),
            ("fe80::1", "link-local address: nobody beyond"),
            ("fe80::1%eth0", "link-local address: nobody beyond"),
            ("[fe80::1%eth0]", "link-local address: nobody beyond"),
        ] {
            let error = host_ipv6(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn ssh_goes_to_an_address_or_a_name() {
        check::parses::<Host>(&[
            ("203.0.113.50", "203.0.113.50"),
            ("127.0.0.1", "127.0.0.1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("FE80::1%eth0", "fe80::1%eth0"),
            ("[fe80::1%br-lan.100]", "fe80::1%br-lan.100"),
            ("fe80::1%3", "fe80::1%3"),
            (" Server-1 ", "server-1"),
            ("server-1.example.com", "server-1.example.com"),
        ]);
        check::refuses::<Host>(&[
            ("", "``"),
            ("0.0.0.0", "no address of a host"),
            ("999.1.1.1", "not an IP address"),
            ("-oProxyCommand=x", "not a host name"),
            ("a b", "not a host name"),
            ("a@b", "not a host name"),
            ("[server-1]", "not a host name"),
            ("[2001:db8::1]:22", "--port"),
            ("fe80::1%", "names no interface"),
            ("fe80::1%-x", "names no interface"),
            ("fe80::1%a b", "names no interface"),
            ("fe80::1%$(id)", "names no interface"),
            ("2001:db8::1%eth0", "names an interface"),
            ("a%eth0", "not an IPv6 address"),
        ]);
    }
}
