//! URLs that Traefik connects to, read so strictly that no reader can understand another host:
//! a scheme, an IP address written out, perhaps a port. Names are refused, because what they lead
//! to is decided elsewhere and later; so are user information, escapes, and the short, decimal,
//! octal and hexadecimal spellings of addresses that some resolvers take.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The schemes of servers, with the port that each means where none is written.
pub(super) const SERVER: [(&str, u16); 3] = [("http", 80), ("https", 443), ("h2c", 80)];
/// Those of an authentication server.
pub(super) const AUTH: [(&str, u16); 2] = [("http", 80), ("https", 443)];

/// Where a URL leads, or what is wrong with it.
pub(super) fn destination(url: &str, schemes: &[(&str, u16)]) -> Result<SocketAddr, String> {
    let known = || {
        let names: Vec<_> = schemes.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("`{url}` does not begin with one of {}", known()));
    };
    let Some((_, default_port)) = schemes.iter().find(|(name, _)| *name == scheme) else {
        return Err(format!("`{scheme}` is not one of {}", known()));
    };
    if url.chars().any(char::is_control) {
        return Err(format!("{url:?} holds control characters"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    authority(&rest[..end], *default_port)
}

/// Where `host:port` leads, or what is wrong with it. The port must be there.
pub(super) fn endpoint(text: &str) -> Result<SocketAddr, String> {
    authority(text, 0).and_then(|address| match address.port() {
        0 => Err(format!("`{text}` has no port")),
        _ => Ok(address),
    })
}

fn authority(authority: &str, default_port: u16) -> Result<SocketAddr, String> {
    // The last colon outside brackets parts the port; an IPv6 address is always in brackets.
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => {
            (&authority[..at], Some(&authority[at + 1..]))
        }
        _ => (authority, None),
    };
    let port = match port {
        Some(text) => {
            port_number(text).ok_or_else(|| format!("`{text}` is not a port from 1 to 65535"))?
        }
        None => default_port,
    };
    let address = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
        None => host.parse::<Ipv4Addr>().map(IpAddr::V4).ok(),
    };
    let address = address.ok_or_else(|| format!("`{host}` is not an IP address, written out"))?;
    Ok(SocketAddr::new(address, port))
}

/// A port in digits alone: `+80` would parse as a number, too.
pub(super) fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits)?;
    (port > 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_its_address_and_port() {
        for (url, address) in [
            ("http://127.0.11.2", "127.0.11.2:80"),
            ("https://127.0.11.2/", "127.0.11.2:443"),
            ("h2c://127.0.11.2:50051", "127.0.11.2:50051"),
            ("http://10.0.0.5:8080/a@b:9?c=http://d#e", "10.0.0.5:8080"),
            ("http://[fd00::2]:8080/", "[fd00::2]:8080"),
            ("https://[fd00::2]", "[fd00::2]:443"),
            ("http://127.0.11.2?x", "127.0.11.2:80"),
        ] {
            let destination = destination(url, &SERVER).map(|address| address.to_string());
            assert_eq!(destination, Ok(address.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_is_no_url() {
        for url in [
            "",
            "http://",
            "http:///",
            "http://:80/",
            "HTTP://127.0.11.2",
            " http://127.0.11.2",
            "http://127.0.11.2:",
            "http://127.0.11.2:0",
            "http://127.0.11.2:+80",
            "http://127.0.11.2:65536",
            "http://127.0.11.2 :80",
            "http://127.0.11.2\\@127.0.0.1/",
            "http://127.0.11.02",
            "http://fd00::2",
            "http://[fd00::2",
            "http://fd00::2]",
            "http://[127.0.11.2]",
            "http://[fe80::1%25eth0]",
            "http://[fd00::2]x",
            "http://127.0.11.2/\r\nHost: x",
        ] {
            assert!(destination(url, &SERVER).is_err(), "{url:?}");
        }
    }
}
