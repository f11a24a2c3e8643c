//! Certificates on a real machine: each name that is served by HTTPS has one, or is told with the
//! reason; and a storage that Traefik cannot use is neither used nor lost.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::end_to_end::{eventually, run_container, traefik_labels};
use crate::rdc::{Answer, Rdc};
use crate::test_machine::{TestMachine, stdout_of};

const ACME: &str = "/var/lib/rediacc/proxy/acme.json";
const OFFERED: &str = "/var/lib/rediacc/proxy/acme-import.json";
/// A name whose zone is nobody's here.
const FOREIGN: &str = "www.other.invalid";

#[test]
fn every_name_has_a_certificate_or_a_reason_and_no_storage_is_lost() {
    let operated = Operated::up();
    operated.push(&["--tcp-ports", "2525"]).done();
    a_name_with_a_certificate_is_well(&operated);
    a_name_without_one_is_an_error_with_traefiks_reason(&operated);
    a_push_that_changes_nothing_tells_what_will_try_again(&operated);
    a_name_without_a_resolver_is_told_until_it_has_a_certificate_of_its_own(&operated);
    operated.push(&["--tcp-ports", "2525,2526"]).done();
    what_traefik_cannot_use_is_refused_before_anything_is_stopped(&operated);
    certificates_of_traefik_one_are_imported(&operated);
    certificates_of_another_resolver_are_imported(&operated);
    what_was_broken_all_the_time_does_not_block_the_next_push(&operated);
}

fn a_name_with_a_certificate_is_well(operated: &Operated) {
    // It has no labels of its own: the base domain's certificate is for it.
    operated.run("app", 2, &["rediacc.service_port=8080".to_owned()]);
    let (status, _) = eventually("a certificate", || {
        let status = operated.look();
        (status["status"]["https"]["valid"] == 1).then_some(status)
    });
    assert_eq!(status["problems"], json!([]));
    assert_eq!(status["well"], true);
    operated.rdc(&["status-infra", "server-1"]).done();
}

fn a_name_without_one_is_an_error_with_traefiks_reason(operated: &Operated) {
    operated.run_labelled("foreign", 3, FOREIGN, &["tls.certresolver=letsencrypt"]);
    let problem = operated.eventually_told(FOREIGN, "error");
    for part in [
        "has no valid certificate: Traefik's own one is served",
        "Traefik failed to obtain one at 2",
        "could not find zone",
    ] {
        let message = problem["message"].as_str().expect("a message");
        assert!(message.contains(part), "no `{part}` in {message}");
    }
    let hint = problem["hint"].as_str().expect("a hint");
    assert!(hint.contains("systemctl restart rediacc-proxy"), "{hint}");
    let told = operated.rdc(&["status-infra", "server-1"]).code(1);
    assert!(
        told.stdout
            .contains("1 with a valid certificate, 1 without"),
        "{}",
        told.stdout
    );
}

fn a_push_that_changes_nothing_tells_what_will_try_again(operated: &Operated) {
    let push = operated.push(&[]).done();
    assert!(push.stdout.contains("nothing changed"), "{}", push.stdout);
    let warning = format!("no valid certificate is served for {FOREIGN}, and this push does not");
    assert!(push.stderr.contains(&warning), "{}", push.stderr);
    operated.machine.docker(2816, &["rm", "--force", "foreign"]);
    eventually("a push without a warning", || {
        let push = operated.push(&[]).done();
        (!push.stderr.contains("no valid certificate")).then_some(())
    });
}

fn a_name_without_a_resolver_is_told_until_it_has_a_certificate_of_its_own(operated: &Operated) {
    let name = "own.example.org";
    operated.run_labelled("own", 4, name, &["tls=true"]);
    let problem = operated.eventually_told(name, "error");
    let message = problem["message"].as_str().expect("a message");
    assert!(
        message.contains("names a certificate resolver"),
        "{message}"
    );

    let (certificate, key) = operated.certificate_for(name);
    let folder = "/etc/rediacc/traefik.d";
    for (file, content) in [
        ("own.pem", certificate.as_str()),
        ("own.key", key.as_str()),
        (
            "own.yml",
            "tls:\n  certificates:\n    - certFile: /etc/rediacc/traefik.d/own.pem\n      \
             keyFile: /etc/rediacc/traefik.d/own.key\n",
        ),
    ] {
        operated.put(&format!("{folder}/{file}"), content);
    }
    // It is nobody's authority that vouches for it.
    operated.eventually_told(name, "warning");
    operated.rdc(&["status-infra", "server-1"]).done();
    operated.machine.docker(2816, &["rm", "--force", "own"]);
}

fn what_traefik_cannot_use_is_refused_before_anything_is_stopped(operated: &Operated) {
    operated.shell(&format!("mv {ACME} {ACME}.kept"));
    let before = operated.starts();
    for (content, problem, aside) in [
        ("null", "holds `null`", "acme.json.foreign"),
        (r#"{"letsencrypt": null}"#, "holds `null` where", ".foreign"),
        (r#"{"letsencrypt": []}"#, "holds a list where", ".foreign"),
        (r#"{"key": {"s3cret": 1}}"#, "another program's", ".foreign"),
        (
            r#"{"Account": {"Email": "s3cret"}}"#,
            "Traefik 1",
            ".traefik-1",
        ),
        (r#"{"letsencrypt": "s3cret"#, "is damaged", ".damaged"),
    ] {
        operated.put(ACME, content);
        for words in [
            &["push-infra", "server-1"][..],
            &["push-infra", "server-1", "--dry-run"],
            &["rollback-infra", "server-1"],
        ] {
            let answer = operated.rdc(words).code(6);
            for part in [problem, aside] {
                assert!(answer.stderr.contains(part), "{}", answer.stderr);
            }
            assert!(!answer.all().contains("s3cret"), "{}", answer.all());
        }
        assert_eq!(operated.shell(&format!("cat {ACME}")), content);
        let told = operated.look()["problems"].to_string();
        assert!(told.contains(problem), "no `{problem}` in {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    assert_eq!(operated.starts(), before);
    operated.shell(&format!("mv {ACME}.kept {ACME}"));
    operated.rdc(&["rollback-infra", "server-1"]).done();
    operated.rdc(&["push-infra", "server-1"]).done();
}

fn certificates_of_traefik_one_are_imported(operated: &Operated) {
    let name = "imported.example.org";
    let (certificate, key) = operated.certificate_for(name);
    let (_, other_key) = operated.certificate_for("lost.example.org");
    let entry = |name: &str, key: &str| {
        json!({
            "Domain": { "Main": name, "SANs": null },
            "Certificate": base64(&certificate),
            "Key": base64(key),
        })
    };
    let storage = json!({
        "Account": { "Email": "a@example.org", "PrivateKey": base64("s3cret") },
        "Certificates": [entry(name, &key), entry("lost.example.org", &other_key)],
        "HTTPChallenges": {},
        "TLSChallenges": {},
    });
    operated.shell(&format!("cp --preserve {ACME} {ACME}.kept"));
    operated.put(ACME, &storage.to_string());
    let refused = operated.rdc(&["push-infra", "server-1"]).code(6);
    let command = format!("mv {ACME} {OFFERED}");
    assert!(refused.stderr.contains(&command), "{}", refused.stderr);
    assert!(refused.stderr.contains(name), "{}", refused.stderr);

    operated.shell(&format!("{command} && mv {ACME}.kept {ACME}"));
    operated.run_labelled("imported", 5, name, &["tls.certresolver=letsencrypt"]);
    let plan = operated
        .rdc(&["push-infra", "server-1", "--dry-run"])
        .done();
    assert!(
        plan.stdout.contains("restart  rediacc-proxy"),
        "{}",
        plan.stdout
    );
    let push = operated.rdc(&["push-infra", "server-1"]).done();
    assert!(
        push.stderr.contains("imports certificates"),
        "{}",
        push.stderr
    );
    assert_eq!(operated.served(name), pem_body(&certificate));
    // What was there before is still there, and what was imported is kept.
    assert_eq!(operated.look()["status"]["https"]["valid"], 1);
    let kept = operated.shell("cat /var/lib/rediacc/proxy/acme-imported-1.json");
    assert_eq!(serde_json::from_str::<Value>(&kept).expect("JSON"), storage);
    let mode = operated.shell(&format!("stat --format '%a %U' {ACME}"));
    assert_eq!(mode, "600 rediacc-proxy\n");
    operated.nothing_changes();
}

fn certificates_of_another_resolver_are_imported(operated: &Operated) {
    let name = "resolver.example.org";
    let (certificate, key) = operated.certificate_for(name);
    let read = || -> Value {
        serde_json::from_str(&operated.shell(&format!("cat {ACME}"))).expect("JSON")
    };
    let mut storage = read();
    storage["le"] = json!({
        "Account": null,
        "Certificates": [{
            "domain": { "main": name },
            "certificate": base64(&certificate),
            "key": base64(&key),
            "Store": "default",
        }],
    });
    operated.put(ACME, &storage.to_string());
    let warned = operated.rdc(&["push-infra", "server-1"]).done();
    let command = format!("cp --preserve {ACME} {OFFERED}");
    assert!(warned.stderr.contains(&command), "{}", warned.stderr);
    operated.shell(&command);
    operated.rdc(&["push-infra", "server-1"]).done();
    operated.run_labelled("resolver", 6, name, &["tls.certresolver=letsencrypt"]);
    eventually("the imported certificate", || {
        (operated.served(name) == pem_body(&certificate)).then_some(())
    });
    assert_eq!(read()["le"], storage["le"]);
    operated.nothing_changes();
}

/// Traefik did not run before the push, and does not come up with either generation.
fn what_was_broken_all_the_time_does_not_block_the_next_push(operated: &Operated) {
    let drop_in = "/etc/systemd/system/rediacc-proxy.service.d/broken.conf";
    operated.put(drop_in, "[Service]\nExecStartPre=/bin/false\nRestart=no\n");
    operated.shell("systemctl daemon-reload; systemctl stop rediacc-proxy rediacc-proxy-standby");
    let push = operated.push(&["--tcp-ports", "2525"]).code(1);
    assert!(
        push.stderr
            .contains("is the live one again, and does not come up either"),
        "{}",
        push.stderr
    );
    assert_eq!(
        operated.shell("find /etc/rediacc -name '.transaction*'"),
        ""
    );
    operated.shell(&format!("rm {drop_in}; systemctl daemon-reload"));
    operated.push(&[]).done();
}

/// A machine, and the workstation of its operator.
struct Operated {
    machine: TestMachine,
    rdc: Rdc,
}

impl Operated {
    fn up() -> Self {
        let machine = TestMachine::up("cert", "2816");
        let rdc = Rdc::of(&machine, "operator");
        let operated = Self { machine, rdc };
        let infra = [
            "--public-ipv4",
            operated.machine.env("ADDR"),
            "--base-domain",
            "example.test",
            "--cert-email",
            "admin@example.test",
            "--acme-ca-server",
            operated.machine.env("ACME_DIRECTORY"),
            "--cf-dns-token",
            "cmd:echo token",
        ];
        operated.set(&infra);
        operated
    }

    fn rdc(&self, words: &[&str]) -> Answer {
        self.rdc.run(&[&["context"], words].concat())
    }

    fn set(&self, infra: &[&str]) {
        self.rdc(&[&["set-infra", "server-1"], infra].concat())
            .done();
    }

    /// Declares something, if there is anything to declare, and pushes.
    fn push(&self, infra: &[&str]) -> Answer {
        if !infra.is_empty() {
            self.set(infra);
        }
        let traefik = ["--traefik-binary", self.machine.env("TRAEFIK")];
        self.rdc(&[&["push-infra", "server-1"], &traefik[..]].concat())
    }

    fn nothing_changes(&self) {
        let push = self.rdc(&["push-infra", "server-1"]).done();
        assert!(push.stdout.contains("nothing changed"), "{}", push.all());
    }

    /// What the machine says of itself, whether all is well or not.
    fn look(&self) -> Value {
        let answer = self
            .rdc
            .run(&["--json", "context", "status-infra", "server-1"]);
        answer.json()
    }

    /// Waits for a problem of a name.
    fn eventually_told(&self, name: &str, severity: &str) -> Value {
        let (problem, _) = eventually(name, || {
            let status = self.look();
            let mut problems = status["problems"].as_array()?.iter();
            let is_it = |problem: &&Value| {
                let message = problem["message"].as_str().unwrap_or_default();
                problem["severity"] == severity && message.contains(name)
            };
            problems.find(is_it).cloned()
        });
        problem
    }

    fn run(&self, name: &str, slot: u8, labels: &[String]) {
        let ip = format!("127.0.11.{slot}");
        let mut all = vec![
            "rediacc.network_id=2816".to_owned(),
            format!("rediacc.service_name={name}"),
            format!("rediacc.service_ip={ip}"),
        ];
        all.extend_from_slice(labels);
        let serve = format!("exec httpd -f -p {ip}:8080 -h /www");
        let words = ["busybox", "sh", "-c", &serve];
        run_container(&self.machine, 2816, name, &all, &words);
    }

    fn run_labelled(&self, name: &str, slot: u8, host: &str, router: &[&str]) {
        let own = |label: &&str| format!("http.routers.{name}.{label}");
        let mut labels = vec![
            format!("http.routers.{name}.rule=Host(`{host}`)"),
            format!("http.routers.{name}.entrypoints=websecure"),
            format!("http.services.{name}.loadbalancer.server.port=8080"),
        ];
        labels.extend(router.iter().map(own));
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let mut labels = traefik_labels(&labels);
        labels.push("traefik.enable=true".to_owned());
        self.run(name, slot, &labels);
    }

    fn shell(&self, script: &str) -> String {
        self.machine.run(&["sh", "-c", script])
    }

    fn put(&self, path: &str, content: &str) {
        let write = format!("cat >{path}");
        self.machine.run_with_input(&["sh", "-c", &write], content);
    }

    /// Which start of Traefik this is.
    fn starts(&self) -> String {
        self.shell("systemctl show --property=InvocationID rediacc-proxy rediacc-proxy-standby")
    }

    /// A certificate by nobody's authority, and its key, in PEM.
    fn certificate_for(&self, name: &str) -> (String, String) {
        let (key, certificate) = (self.rdc.path("own.key"), self.rdc.path("own.pem"));
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "60"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", &format!("/CN={name}")])
            .args(["-addext", &format!("subjectAltName=DNS:{name}")])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        stdout_of(&mut openssl);
        let read = |path| fs::read_to_string(path).expect("it was written");
        (read(certificate), read(key))
    }

    /// The certificate that is served for a name, in PEM without its frame.
    fn served(&self, name: &str) -> String {
        let at = format!("{}:443", self.machine.env("ADDR"));
        let mut openssl = Command::new("openssl");
        openssl
            .args(["s_client", "-connect", &at, "-servername", name])
            .stdin(std::process::Stdio::null());
        pem_body(&stdout_of(&mut openssl))
    }
}

/// The first certificate in a text, without its frame.
fn pem_body(text: &str) -> String {
    let (_, rest) = text
        .split_once("-----BEGIN CERTIFICATE-----")
        .expect("a certificate");
    let (body, _) = rest.split_once("-----END").expect("its end");
    body.split_whitespace().collect()
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
