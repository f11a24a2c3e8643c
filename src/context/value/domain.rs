//! The values that hold a domain: the base domain, the ACME account's e-mail address, and the
//! ACME directory.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, text_value};

/// A DNS domain: lower case, punycode, at least two labels, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseDomain(String);

text_value!(BaseDomain);

impl FromStr for BaseDomain {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let refuse = |what: &str| {
            Err(InvalidValue::new(
                format!("`{text}` {what}"),
                "a domain with at least two labels, as example.com",
            ))
        };
        if text.contains("://") {
            return refuse("is a URL, not a domain");
        }
        if text.contains('/') {
            return refuse("has a path");
        }
        if text.contains('*') {
            return refuse("is a wildcard: give the domain itself, `*.` is understood");
        }
        if text.parse::<IpAddr>().is_ok() {
            return refuse("is an IP address, not a domain");
        }
        if text.contains(':') {
            return refuse("has a port");
        }
        let domain = text.strip_suffix('.').unwrap_or(text);
        let Ok(domain) = idna::domain_to_ascii_strict(domain) else {
            return refuse("is not a domain");
        };
        match domain.rsplit_once('.') {
            None => refuse("has one label only"),
            Some((_, last)) if last.bytes().all(|b| b.is_ascii_digit()) => {
                refuse("does not end in a top-level domain")
            }
            Some(_) => Ok(Self(domain)),
        }
    }
}

/// An e-mail address, lower case, its domain in punycode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertEmail(String);

text_value!(CertEmail);

impl FromStr for CertEmail {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let invalid = |what: &str| {
            InvalidValue::new(
                format!("`{text}` {what}"),
                "an e-mail address, as admin@example.com",
            )
        };
        let (local, domain) = text
            .split_once('@')
            .ok_or_else(|| invalid("is not an e-mail address: it has no `@`"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
        let dots_stand_alone = local.split('.').all(|part| !part.is_empty());
        if local.len() > 64 || !local.chars().all(plain) || !dots_stand_alone {
            return Err(invalid(
                "is not an e-mail address: the part before `@` is wrong",
            ));
        }
        let domain: BaseDomain = domain
            .parse()
            .map_err(|_| invalid("is not an e-mail address: the part after `@` is no domain"))?;
        Ok(Self(format!("{}@{domain}", local.to_lowercase())))
    }
}

/// The https URL of an ACME directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AcmeCaServer(String);

text_value!(AcmeCaServer);

impl AcmeCaServer {
    /// Let's Encrypt's staging directory: its certificates are not trusted, its limits are wide.
    pub fn staging() -> Self {
        Self("https://acme-staging-v02.api.letsencrypt.org/directory".to_owned())
    }
}

impl FromStr for AcmeCaServer {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let refuse = |what: &str| {
            Err(InvalidValue::new(
                format!("`{text}` {what}"),
                "the https URL of an ACME directory, as https://acme.example.com/directory",
            ))
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("is not a URL");
        };
        if !scheme.eq_ignore_ascii_case("https") {
            return refuse("is not an https URL");
        }
        if rest.contains(|c: char| !c.is_ascii_graphic() || "\"\\<>#`".contains(c)) {
            return refuse("is not a URL");
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return refuse("holds a user name");
        }
        let authority = authority.to_lowercase();
        if !is_host_with_port(&authority) {
            return refuse("has no valid host");
        }
        Ok(Self(format!("https://{authority}{path}")))
    }
}

/// Whether a text is `host`, `host:port`, `[v6]` or `[v6]:port`.
fn is_host_with_port(authority: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        return address.parse::<Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    idna::domain_to_ascii_strict(host).is_ok() && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_domain_is_normalised() {
        check::parses::<BaseDomain>(&[
            (" Example.COM ", "example.com"),
            ("example.com.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.Example.", "xn--bcher-kva.example"),
            ("a-b.c.example.co.uk", "a-b.c.example.co.uk"),
        ]);
    }

    #[test]
    fn what_is_not_a_domain_is_refused_with_its_reason() {
        check::refuses::<BaseDomain>(&[
            ("", "not a domain"),
            ("localhost", "one label"),
            ("https://example.com", "URL"),
            ("example.com/x", "path"),
            ("example.com:443", "port"),
            ("*.example.com", "wildcard"),
            ("203.0.113.50", "IP address"),
            ("2001:db8::1", "IP address"),
            ("1.2.3", "top-level"),
            ("exa mple.com", "not a domain"),
            ("-a.example.com", "not a domain"),
            ("a..example.com", "not a domain"),
            ("example.com..", "not a domain"),
            ("exam`ple.com", "not a domain"),
            ("a_b.example.com", "not a domain"),
        ]);
        let label = "a".repeat(64);
        check::refuses::<BaseDomain>(&[(&format!("{label}.example.com"), "not a domain")]);
    }

    #[test]
    fn an_email_address_is_normalised() {
        check::parses::<CertEmail>(&[
            (" Admin@Example.COM ", "admin@example.com"),
            ("a.b+c@bücher.example", "a.b+c@xn--bcher-kva.example"),
        ]);
        check::refuses::<CertEmail>(&[
            ("", "no `@`"),
            ("admin", "no `@`"),
            ("@example.com", "before"),
            ("a b@example.com", "before"),
            (".a@example.com", "before"),
            ("a@b@example.com", "after"),
            ("admin@localhost", "after"),
            ("admin@", "after"),
        ]);
    }

    #[test]
    fn an_acme_directory_is_an_https_url() {
        check::parses::<AcmeCaServer>(&[
            (
                " HTTPS://ACME.example.com/Dir ",
                "https://acme.example.com/Dir",
            ),
            ("https://localhost:14000/dir", "https://localhost:14000/dir"),
            ("https://10.99.0.1:14000/dir", "https://10.99.0.1:14000/dir"),
            ("https://[::1]:14000/dir", "https://[::1]:14000/dir"),
        ]);
        check::refuses::<AcmeCaServer>(&[
            ("", "not a URL"),
            ("acme.example.com", "not a URL"),
            ("http://acme.example.com/", "not an https URL"),
            ("https://", "host"),
            ("https:///dir", "host"),
            ("https://a:b@example.com/", "user name"),
            ("https://example.com:0/", "host"),
            ("https://example.com:x/", "host"),
            ("https://exa mple.com/", "not a URL"),
            ("https://example.com/\"", "not a URL"),
        ]);
        let staging = AcmeCaServer::staging();
        assert_eq!(staging.as_str().parse(), Ok(staging));
    }
}
