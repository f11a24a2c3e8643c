//! What a certificate says of itself: its names, who issued it, and when it is valid. Pure.

use std::time::{Duration, SystemTime};

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name, parse_x509_pem};

/// The last second that four digits of a year can tell.
const LAST_S: i64 = 253_402_300_799;

/// The certificate itself, without the chain behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The host names that it is for.
    pub(super) names: Vec<String>,
    /// The common name of its subject.
    pub(super) common_name: String,
    /// Who issued it: `Let's Encrypt R11`; what is missing is left out.
    pub(super) issuer: String,
    /// Whether it was issued by nobody but itself.
    pub(super) is_self_signed: bool,
    /// From when it is valid, in seconds since 1970.
    pub(super) not_before: i64,
    /// Until when.
    pub(super) not_after: i64,
}

impl Leaf {
    /// Reads the first certificate of a chain in PEM.
    pub(super) fn from_pem(chain: &[u8]) -> Result<Self, String> {
        let (_, pem) = parse_x509_pem(chain).map_err(|error| format!("it is no PEM: {error}"))?;
        Self::from_der(&pem.contents)
    }

    /// Reads a certificate as TLS carries it.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| format!("it is no certificate: {error}"))?;
        let validity = certificate.validity();
        let subject = certificate.subject();
        Ok(Self {
            names: names(&certificate),
            common_name: common_name(subject).unwrap_or_default().to_owned(),
            issuer: issuer(certificate.issuer()),
            is_self_signed: subject.as_raw() == certificate.issuer().as_raw(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// Whether it is for a host, or for all hosts that a wildcard stands for.
    pub(super) fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| covers(name, host))
    }

    /// Whether it is valid at a moment.
    pub(super) fn is_valid_at(&self, now: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&seconds(now))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

fn issuer(name: &X509Name<'_>) -> String {
    let organisation = name
        .iter_organization()
        .next()
        .and_then(|attribute| attribute.as_str().ok());
    let words: Vec<&str> = organisation.into_iter().chain(common_name(name)).collect();
    words.join(" ")
}

fn common_name<'n>(name: &'n X509Name<'_>) -> Option<&'n str> {
    name.iter_common_name()
        .next()
        .and_then(|attribute| attribute.as_str().ok())
}

/// Whether a name of a certificate stands for a host: the same, or `*` for its first label.
pub(super) fn covers(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

/// A moment in seconds since 1970.
pub(super) fn seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().try_into().unwrap_or(LAST_S))
}

/// Seconds since 1970 as a moment that RFC 3339 can tell.
pub(super) fn moment(seconds: i64) -> SystemTime {
    let seconds = seconds.clamp(0, LAST_S).unsigned_abs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
pub(super) mod samples {
    /// For app.example.test and *.wild.example.test, from 2026-01-01 to 2026-04-01, issued by
    /// `O = Test Authority, CN = R1`.
    pub(in crate::machine) const PEM: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBYzCCAQqgAwIBAgIBATAKBggqhkjOPQQDAjAmMRcwFQYDVQQKDA5UZXN0IEF1\n\
dGhvcml0eTELMAkGA1UEAwwCUjEwHhcNMjYwMTAxMDAwMDAwWhcNMjYwNDAxMDAw\n\
MDAwWjAbMRkwFwYDVQQDDBBhcHAuZXhhbXBsZS50ZXN0MFkwEwYHKoZIzj0CAQYI\n\
KoZIzj0DAQcDQgAEfx38lNA/4UjXqH+GXzcfTXYHXS/O8idMckJzYamXGt7P3z/2\n\
LmBl18ZyOmW2EQD7Fb3brECsvmFi1Ke77umBhqM0MDIwMAYDVR0RBCkwJ4IQYXBw\n\
LmV4YW1wbGUudGVzdIITKi53aWxkLmV4YW1wbGUudGVzdDAKBggqhkjOPQQDAgNH\n\
ADBEAiAIDAOTiesi5EQUCCh177D9rEoRCuqml+1MX9ytuvF8ZQIgJTmVtYDRQMM0\n\
8WJ1umLykf9B5wuTCdhKqS3yu/MrXaw=\n\
-----END CERTIFICATE-----\n\
";

    /// Its last moment, in seconds since 1970.
    pub(in crate::machine) const END_S: u64 = 1_775_001_600;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_its_names_and_for_a_time() {
        let leaf = Leaf::from_pem(samples::PEM.as_bytes()).expect("a certificate");
        assert_eq!(leaf.names, ["app.example.test", "*.wild.example.test"]);
        assert_eq!(leaf.common_name, "app.example.test");
        assert_eq!(leaf.issuer, "Test Authority R1");
        assert!(!leaf.is_self_signed);
        for (host, expected) in [
            ("app.example.test", true),
            ("APP.example.test", true),
            ("a.wild.example.test", true),
            ("*.wild.example.test", true),
            ("a.b.wild.example.test", false),
            ("wild.example.test", false),
            ("*.example.test", false),
            ("example.test", false),
        ] {
            assert_eq!(leaf.covers(host), expected, "{host}");
        }
        let at = |second: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        for (second, expected) in [
            (0, false),
            (samples::END_S - 86_400, true),
            (samples::END_S, true),
            (samples::END_S + 1, false),
        ] {
            assert_eq!(leaf.is_valid_at(at(second)), expected, "{second}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        for text in ["", "text", &samples::PEM[..200]] {
            assert!(Leaf::from_pem(text.as_bytes()).is_err(), "{text}");
        }
    }
}
