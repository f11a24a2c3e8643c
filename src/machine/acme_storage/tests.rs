//! What Traefik 3.7.15 does with a file was tried with each of these: `accepted` ones it uses whole.

use super::*;
use crate::machine::x509::samples::PEM;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::{Duration, SystemTime};

const SECRET: &str = "s3cret";

fn entry() -> String {
    let (chain, key) = (STANDARD.encode(PEM), STANDARD.encode(SECRET));
    format!(
        r#"{{"domain": {{"main": "app.example.test", "sans": ["x"]}}, "certificate": "{chain}",
            "key": "{key}", "Store": "default"}}"#
    )
}

fn resolver(account: &str, certificates: &str) -> String {
    format!(r#"{{"letsencrypt": {{"Account": {account}, "Certificates": {certificates}}}}}"#)
}

fn account() -> String {
    let key = STANDARD.encode(SECRET);
    format!(
        r#"{{"Email": "a@example.test", "Registration": {{"body": {{"status": "valid"}},
            "uri": "https://ca.test/1"}}, "PrivateKey": "{key}", "KeyType": "4096"}}"#
    )
}

fn traefik_one(certificates: &str) -> String {
    format!(
        r#"{{"Account": {}, "Certificates": {certificates}, "HTTPChallenges": {{}},
            "TLSChallenges": {{}}}}"#,
        account()
    )
}

fn entry_one() -> String {
    let (chain, key) = (STANDARD.encode(PEM), STANDARD.encode(SECRET));
    format!(
        r#"{{"Domain": {{"Main": "app.example.test", "SANs": null}}, "Certificate": "{chain}",
            "Key": "{key}"}}"#
    )
}

#[test]
fn what_traefik_uses_whole_is_accepted() {
    let with = |entry: &str| resolver(&account(), &format!("[{entry}]"));
    for (json, count) in [
        (String::new(), 0),
        ("{}".to_owned(), 0),
        (r#"{"letsencrypt": {}}"#.to_owned(), 0),
        (resolver("null", "null"), 0),
        (resolver("{}", "[]"), 0),
        (with(&entry()), 1),
        (with(&format!("{}, {}", entry(), entry())), 2),
        (with(&entry().replace(r#"["x"]"#, "null")), 1),
        (with(&entry().replace("\"domain\"", "\"other\"")), 1),
        (with(&entry().replace("LS0t", "LS0\\nt")), 1),
        // Without a value it is no certificate, and Traefik forgets the entry.
        (with("{}"), 0),
        // What a later version may add.
        (
            with(&entry().replace("\"Store\"", "\"New\": 1, \"Store\"")),
            1,
        ),
        // What the first versions of Traefik 2 had beside them.
        (
            r#"{"le": {"Account": null, "Certificates": null, "HTTPChallenges": {}}}"#.to_owned(),
            0,
        ),
    ] {
        let storage = Storage::parse(json.as_bytes());
        let storage = storage.unwrap_or_else(|error| panic!("{json} {error}"));
        assert_eq!(storage.certificates().count(), count, "{json}");
        assert!(!format!("{storage:?}").contains(SECRET));
    }
}

#[test]
fn what_traefik_would_not_use_is_refused_with_the_reason_and_without_its_secrets() {
    let with = |entry: &str| resolver(&account(), &format!("[{entry}]"));
    let good = with(&entry());
    let deep = format!("{}1{}", r#"{"x":"#.repeat(500), "}".repeat(500));
    for (json, reason) in [
        // Traefik ends at its start.
        ("null", "holds `null`, and not"),
        (
            r#"{"letsencrypt": null}"#,
            "holds `null` where a resolver's",
        ),
        (r#"{"letsencrypt": {}, "x": null}"#, "holds `null` where"),
        (&with("null"), "is damaged (line"),
        (&traefik_one("null"), "is of Traefik 1,"),
        // It runs without certificates.
        (" ", "is damaged (line"),
        ("[]", "holds a list, and not"),
        (r#""s3cret""#, "holds a text, and not"),
        ("1", "holds a number, and not"),
        ("true", "holds `true` or `false`, and not"),
        ("s3cret", "is damaged (line"),
        (&good[..good.len() / 2], "is damaged (line"),
        (&format!("{good}x"), "is damaged (line"),
        (&format!("\u{feff}{good}"), "is damaged (line"),
        (r#"{"letsencrypt": []}"#, "holds a list where a resolver's"),
        (r#"{"letsencrypt": "s3cret"}"#, "holds a text where a"),
        (&resolver("[]", "[]"), "is damaged (line"),
        (&resolver(r#"{"Email": 1}"#, "[]"), "is damaged (line"),
        (
            &resolver(r#"{"PrivateKey": "s3cret!"}"#, "[]"),
            "is damaged",
        ),
        (&resolver(r#"{"Registration": []}"#, "[]"), "is damaged"),
        (&resolver("null", "{}"), "is damaged (line"),
        (&with("[]"), "is damaged (line"),
        (&with(r#"{"certificate": "s3cret!"}"#), "is damaged (line"),
        (&with(r#"{"domain": "s3cret"}"#), "is damaged (line"),
        (&with(r#"{"Store": 1}"#), "is damaged (line"),
        (&traefik_one("[]"), "is of Traefik 1,"),
        (
            r#"{"Email": "", "DomainsCertificate": {"Certs": []}}"#,
            "is of Traefik 1,",
        ),
        // It reads nothing out of them, and overwrites them.
        (r#"{"Account": {"Email": "s3cret"}}"#, "is of Traefik 1,"),
        (
            r#"{"apps": {"http": {}}}"#,
            "holds another program's data where",
        ),
        (
            r#"{"letsencrypt": {}, "letsencrypt": {}}"#,
            "has the same key twice",
        ),
        (
            r#"{"x": {"Account": null, "Account": null}}"#,
            "has the same key twice",
        ),
        // Others' formats.
        (PEM, "is a certificate or key in PEM"),
        (
            r#"{"domain": "a", "certUrl": "https://ca.test"}"#,
            "holds a text where",
        ),
        (&deep, "holds another program's data where"),
    ] {
        let reason_found = Storage::parse(json.as_bytes()).expect_err(json);
        let text = reason_found.to_string();
        assert!(text.starts_with(reason), "{json}: {text}");
        assert!(!text.contains(SECRET), "{text}");
        assert!(!format!("{reason_found:?}").contains(SECRET));
    }
}

#[test]
fn a_file_that_is_far_too_large_is_not_read_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("acme.json");
    let file = File::create(&path).expect("a file");
    file.set_len(1 << 40).expect("a sparse file");
    let path = path.to_str().expect("a plain path");
    let opened = open(path).expect("it opens").expect("it is there");
    let storage = opened.storage(path).expect("it is read");
    assert!(matches!(storage, Err(Unusable::TooLarge(bytes)) if bytes == 1 << 40));
}

#[test]
fn the_certificates_of_traefik_one_are_read() {
    for (certificates, count) in [
        (format!("[{}, {}]", entry_one(), entry_one()), 2),
        ("null".to_owned(), 0),
        (r#"[{"Domain": "x"}]"#.to_owned(), 0),
    ] {
        let Err(Unusable::TraefikOne(stored)) =
            Storage::parse(traefik_one(&certificates).as_bytes())
        else {
            panic!("{certificates}");
        };
        assert_eq!(stored.len(), count, "{certificates}");
        for one in stored {
            assert_eq!(one.main, "app.example.test");
            assert_eq!(one.chain, PEM.as_bytes());
        }
    }
}

#[test]
fn a_certificate_without_its_key_is_not_worth_importing() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(crate::machine::x509::samples::END_S);
    let offered = Storage::parse(resolver("null", &format!("[{}]", entry())).as_bytes());
    let offered = offered.expect("a storage");
    let offered = offered.certificates().map(|(_, stored)| stored);
    assert_eq!(importable(offered, &Storage::default(), now).len(), 0);
}

#[test]
fn a_merge_changes_nothing_but_the_certificates() {
    let json = r#"{"le": {"Account": null, "Certificates": null}, "letsencrypt": {"Account": {"Email": "a"}}}"#;
    let merged = merged(json.as_bytes(), &[]).expect("a storage");
    let merged: serde_json::Value = serde_json::from_slice(&merged).expect("JSON");
    let expected = serde_json::json!({
        "le": { "Account": null, "Certificates": null },
        "letsencrypt": { "Account": { "Email": "a" }, "Certificates": [] },
    });
    assert_eq!(merged, expected);
}
