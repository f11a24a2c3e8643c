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

/// Parses the IPv6 address of one host: neither a wildcard, nor loopback, nor a group, nor an
/// IPv4 address in disguise.
pub fn host_ipv6(text: &str) -> Result<Ipv6Addr, InvalidValue> {
    const VALID: &str = "one global IPv6 address of the machine, as 2001:db8::1";
    let text = text.trim();
    let refuse = |what: &str| Err(InvalidValue::new(format!("`{text}` {what}"), VALID));
    let Ok(address) = text.parse::<Ipv6Addr>() else {
        return refuse(match text.parse::<Ipv4Addr>() {
            Ok(_) => "is an IPv4 address",
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
        refuse("is a link-local address")
    } else {
        Ok(address)
    }
}

/// Where SSH goes: an IP address, or a name that the workstation resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);

text_value!(Host);

impl FromStr for Host {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const VALID: &str = "an IP address or a host name, as 203.0.113.50 or server-1.example.com";
        let text = text.trim();
        let refuse = |what: &str| Err(InvalidValue::new(format!("`{text}` {what}"), VALID));
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
        for good in ["2001:db8::1", " fd00::2 "] {
            assert!(host_ipv6(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("203.0.113.50", "is an IPv4 address"),
            ("[2001:db8::1]", "not an IPv6"),
            ("::", "wildcard"),
            ("::1", "loopback"),
            ("ff02::1", "multicast"),
            ("::ffff:203.0.113.50", "written as IPv6"),
            ("fe80::1", "link-local"),
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
        ]);
    }
}
