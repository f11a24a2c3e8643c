//! The certificates in Traefik's storage: whose they are and until when. Pure.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::super::acme_storage::{Storage, Stored};
use super::super::x509::{covers, moment, seconds};
use super::rfc3339;
use crate::bundle::{Certificate, CertificateContent, Part};

const DAY_S: i64 = 86_400;

/// The certificates in the storage, those that end first at the head. `routes` are the names that
/// the routes of containers ask for, where they are known.
pub(super) fn certificates(
    storage: &Storage,
    routes: Option<&BTreeSet<String>>,
    now: SystemTime,
) -> Vec<Certificate> {
    let now = seconds(now);
    let mut certificates: Vec<Certificate> = storage
        .certificates()
        .map(|(resolver, stored)| certificate(resolver, stored, routes, now))
        .collect();
    certificates.sort_by_key(|certificate| {
        let days = certificate.content.known().map(|content| content.days_left);
        (days, certificate.main.clone())
    });
    certificates
}

fn certificate(
    resolver: &str,
    stored: &Stored,
    routes: Option<&BTreeSet<String>>,
    now: i64,
) -> Certificate {
    let main = stored.main.clone();
    let content = match content(stored, now) {
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

fn content(stored: &Stored, now: i64) -> Result<CertificateContent, String> {
    let leaf = stored.leaf()?;
    Ok(CertificateContent {
        not_before: rfc3339(moment(leaf.not_before)),
        not_after: rfc3339(moment(leaf.not_after)),
        lifetime_days: (leaf.not_after - leaf.not_before).div_euclid(DAY_S),
        days_left: (leaf.not_after - now).div_euclid(DAY_S),
        names: leaf.names,
        issuer: leaf.issuer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::super::super::x509::samples::{END_S, PEM};

    fn storage(certificate: &str) -> String {
        let certificate = STANDARD.encode(certificate);
        format!(
            r#"{{"letsencrypt": {{
                "Account": {{"Email": "admin@example.test", "PrivateKey": "c2VjcmV0"}},
                "Certificates": [{{
                    "domain": {{"main": "app.example.test", "sans": ["x"]}},
                    "certificate": "{certificate}", "key": "c2VjcmV0", "Store": "default"
                }}]
            }}}}"#
        )
    }

    fn read(json: &str, routes: Option<&[&str]>, now_s: u64) -> Vec<Certificate> {
        let routes: Option<BTreeSet<String>> =
            routes.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now_s);
        let storage = Storage::parse(json.as_bytes()).expect("a storage");
        certificates(&storage, routes.as_ref(), now)
    }

    #[test]
    fn a_certificate_tells_whose_it_is_by_whom_and_until_when() {
        let found = read(&storage(PEM), None, END_S - 86_400 * 10);
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
            (END_S - 86_400, 1),
            (END_S - 86_399, 0),
            (END_S, 0),
            (END_S + 1, -1),
        ] {
            let found = read(&storage(PEM), None, now_s);
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
            let found = read(&storage(PEM), Some(&[host]), END_S);
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
            assert_eq!(read(json, None, END_S), Vec::new(), "{json}");
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_told_beside_the_others() {
        for certificate in ["text", &PEM[..200]] {
            let found = read(&storage(certificate), None, END_S);
            assert_eq!(found[0].main, "app.example.test");
            assert_eq!(found[0].content.known(), None, "{certificate}");
        }
    }
}
