//! The certificates in Traefik's storage: whose they are and until when. The private keys beside
//! them are not even read. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use x509_parser::prelude::{GeneralName, X509Certificate, X509Name, parse_x509_pem};

use super::super::failed;
use super::rfc3339;
use crate::bundle::{Certificate, CertificateContent, Failure, Part};

const DAY_S: i64 = 86_400;
/// The last second that four digits of a year can tell.
const LAST_S: i64 = 253_402_300_799;

/// What Traefik keeps of one certificate resolver. The account and the keys have no field here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resolver {
    certificates: Option<Vec<Stored>>,
}

#[derive(Deserialize)]
struct Stored {
    domain: Domain,
    /// The chain in PEM, in base64.
    certificate: String,
}

#[derive(Deserialize)]
struct Domain {
    main: String,
}

/// The certificates in `acme.json`, those that end first at the head. `routes` are the names that
/// the routes of containers ask for, where they are known.
pub(super) fn certificates(
    json: &[u8],
    routes: Option<&BTreeSet<String>>,
    now: SystemTime,
) -> Result<Vec<Certificate>, Failure> {
    if json.is_empty() {
        // Traefik makes the file before it has anything for it.
        return Ok(Vec::new());
    }
    // The error's text is left out: it could quote a key.
    let resolvers: BTreeMap<String, Resolver> = serde_json::from_slice(json).map_err(|error| {
        failed(format!(
            "Traefik's storage of certificates cannot be read (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let now = seconds(now);
    let mut certificates: Vec<Certificate> = resolvers
        .into_iter()
        .flat_map(|(name, resolver)| {
            let stored = resolver.certificates.unwrap_or_default().into_iter();
            stored.map(move |stored| certificate(&name, stored, routes, now))
        })
        .collect();
    certificates.sort_by_key(|certificate| {
        let days = certificate.content.known().map(|content| content.days_left);
        (days, certificate.main.clone())
    });
    Ok(certificates)
}

fn certificate(
    resolver: &str,
    stored: Stored,
    routes: Option<&BTreeSet<String>>,
    now: i64,
) -> Certificate {
    let main = stored.domain.main;
    let content = match content(&stored.certificate, now) {
        Ok(content) => Part::Known(content),
        Err(error) => Part::Unknown { error },
    };
    let names = content.known().map(|content| content.names.as_slice());
    let names = names.unwrap_or(std::slice::from_ref(&main));
    let is_routed = |routes: &BTreeSet<String>| {
        let mut hosts = routes.iter();
        hosts.any(|host| names.iter().any(|name| covers(name, host)))
    };
    Certificate {
        resolver: resolver.to_owned(),
        routed: routes.map(is_routed),
        main,
        content,
    }
}

fn content(base64: &str, now: i64) -> Result<CertificateContent, String> {
    let pem = STANDARD
        .decode(base64)
        .map_err(|error| format!("it is not in base64: {error}"))?;
    // The chain begins with the certificate itself.
    let (_, pem) = parse_x509_pem(&pem).map_err(|error| format!("it is no PEM: {error}"))?;
    let certificate = pem
        .parse_x509()
        .map_err(|error| format!("it is no certificate: {error}"))?;
    let validity = certificate.validity();
    let not_before = validity.not_before.timestamp();
    let not_after = validity.not_after.timestamp();
    Ok(CertificateContent {
        names: names(&certificate),
        issuer: issuer(certificate.issuer()),
        not_before: rfc3339(moment(not_before)),
        not_after: rfc3339(moment(not_after)),
        lifetime_days: (not_after - not_before).div_euclid(DAY_S),
        days_left: (not_after - now).div_euclid(DAY_S),
    })
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

/// `Let's Encrypt R11`; what is missing is left out.
fn issuer(name: &X509Name<'_>) -> String {
    let organisation = name.iter_organization().next();
    let common_name = name.iter_common_name().next();
    let words: Vec<&str> = organisation
        .into_iter()
        .chain(common_name)
        .filter_map(|attribute| attribute.as_str().ok())
        .collect();
    words.join(" ")
}

/// Whether a name of a certificate stands for a host: the same, or `*` for its first label.
fn covers(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

fn seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().try_into().unwrap_or(LAST_S))
}

fn moment(seconds: i64) -> SystemTime {
    let seconds = seconds.clamp(0, LAST_S).unsigned_abs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For app.example.test and *.wild.example.test, from 2026-01-01 to 2026-04-01, issued by
    /// `O = Test Authority, CN = R1`.
    const PEM: &str = "\
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

    const APRIL_S: u64 = 1_775_001_600;

    fn storage(certificate: &str) -> String {
        let certificate = STANDARD.encode(certificate);
        format!(
            r#"{{"letsencrypt": {{
                "Account": {{"Email": "admin@example.test", "PrivateKey": "s3cret"}},
                "Certificates": [{{
                    "domain": {{"main": "app.example.test", "sans": ["x"]}},
                    "certificate": "{certificate}", "key": "s3cret", "Store": "default"
                }}]
            }}}}"#
        )
    }

    fn read(json: &str, routes: Option<&[&str]>, now_s: u64) -> Result<Vec<Certificate>, String> {
        let routes: Option<BTreeSet<String>> =
            routes.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now_s);
        certificates(json.as_bytes(), routes.as_ref(), now).map_err(|failure| failure.message)
    }

    #[test]
    fn a_certificate_tells_whose_it_is_by_whom_and_until_when() {
        let found = read(&storage(PEM), None, APRIL_S - 86_400 * 10).expect("certificates");
        let expected = Certificate {
            resolver: "letsencrypt".to_owned(),
            main: "app.example.test".to_owned(),
            content: Part::Known(CertificateContent {
                names: vec!["app.example.test".into(), "*.wild.example.test".into()],
                issuer: "Test Authority R1".to_owned(),
                not_before: "2026-01-01T00:00:00Z".to_owned(),
                not_after: "2026-04-01T00:00:00Z".to_owned(),
                lifetime_days: 90,
                days_left: 10,
            }),
            routed: None,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn only_whole_days_are_left() {
        for (now_s, expected) in [
            (APRIL_S - 86_400, 1),
            (APRIL_S - 86_399, 0),
            (APRIL_S, 0),
            (APRIL_S + 1, -1),
        ] {
            let found = read(&storage(PEM), None, now_s).expect("certificates");
            let content = found[0].content.known().expect("a certificate");
            assert_eq!(content.days_left, expected, "at {now_s}");
        }
    }

    #[test]
    fn a_route_uses_a_certificate_by_one_of_its_names() {
        for (host, expected) in [
            ("app.example.test", true),
            ("a.wild.example.test", true),
            ("a.b.wild.example.test", false),
            ("wild.example.test", false),
            ("example.test", false),
        ] {
            let found = read(&storage(PEM), Some(&[host]), APRIL_S).expect("certificates");
            assert_eq!(found[0].routed, Some(expected), "{host}");
        }
    }

    #[test]
    fn a_storage_without_certificates_has_none() {
        for json in [
            "",
            "{}",
            r#"{"letsencrypt": {"Account": null, "Certificates": null}}"#,
        ] {
            assert_eq!(read(json, None, APRIL_S), Ok(Vec::new()), "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_without_quoting_it() {
        for json in [
            "{",
            r#"{"letsencrypt": "s3cret"}"#,
            r#"{"letsencrypt": {"Certificates": "s3cret"}}"#,
        ] {
            let error = read(json, None, APRIL_S).expect_err("an error");
            assert!(error.contains("cannot be read (line 1"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        let truncated = &PEM[..200];
        for certificate in ["", "text", truncated] {
            let found = read(&storage(certificate), None, APRIL_S).expect("the others");
            assert_eq!(found[0].main, "app.example.test");
            assert_eq!(found[0].content.known(), None, "{certificate}");
        }
    }
}
