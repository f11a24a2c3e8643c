//! A real machine through the settings that end-to-end tests with a Cloudflare token and both
//! address families do not see: HTTP-01, no certificates at all, IPv4 alone, IPv6 alone, and the
//! changes from one to the other.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::end_to_end::{Reply, curl_to, eventually, run_container, traefik_labels};
use crate::rdc::Rdc;
use crate::test_machine::TestMachine;

const APP: &str = "app-2816.example.test";
const OWN: &str = "own.example.test";
const WILDCARD: &str = "*.example.test";

#[test]
fn certificates_come_by_http_or_not_at_all_and_either_family_is_enough() {
    let operator = Operator::with_machine();
    let machine = &operator.machine;
    let (v4, v6) = (machine.env("ADDR"), machine.env("ADDR6"));

    operator.run_app();
    operator.run_labelled("own", OWN, 3);

    // Who asks for the certificate of this name comes by IPv6.
    operator.point("six.example.test", "AAAA", v6);
    operator.run_labelled("six", "six.example.test", 4);
    operator.push(&[
        &["--public-ipv4", v4, "--public-ipv6", v6][..],
        &["--base-domain", "example.test", "--default-ports", "off"],
        &["--cert-email", "admin@example.test"],
        &["--acme-ca-server", machine.env("ACME_DIRECTORY")],
    ]);
    operator.listens_on(&[v4, v6]);
    for host in [APP, OWN, "six.example.test"] {
        operator.answers_by_https(host, &[v4, v6]);
        operator.redirects(host, &[v4, v6]);
    }
    let names = BTreeSet::from([APP, OWN, "six.example.test"].map(str::to_owned));
    eventually("the stored certificates", || {
        (operator.certified() == names).then_some(())
    });
    operator.nothing_is_wrong();
    assert!(!operator.cloudflare_was_asked());

    let token = operator.rdc.path("token");
    fs::write(&token, "cf-token-of-a-test").expect("it is written");
    let token = token.to_str().expect("a plain path");
    operator.push(&[&["--cf-dns-token-file", token, "--unset", "public-ipv4"]]);
    operator.listens_on(&[v6]);
    eventually("the wildcard certificate", || {
        operator.certified().contains(WILDCARD).then_some(())
    });
    for host in [APP, OWN] {
        operator.answers_by_https(host, &[v6]);
        operator.redirects(host, &[v6]);
    }
    operator.nothing_is_wrong();
    assert_eq!(operator.entry_points("own-2816"), json!(["websecure-v6"]));
    assert!(operator.cloudflare_was_asked());

    operator.push(&[
        &["--unset", "cf-dns-token", "--unset", "cert-email"],
        &["--unset", "public-ipv6", "--public-ipv4", v4],
    ]);
    operator.listens_on(&[v4]);
    operator.serves_without_certificates(v4);

    // Below the wildcard, whose certificate is kept: this name needs one of its own.
    operator.point("deep.four.example.test", "A", v4);
    operator.run_labelled("four", "deep.four.example.test", 5);
    operator.push(&[&["--cert-email", "admin@example.test"]]);
    for host in [APP, OWN, "deep.four.example.test"] {
        operator.answers_by_https(host, &[v4]);
        operator.redirects(host, &[v4]);
    }
    operator.nothing_is_wrong();
    assert_eq!(operator.entry_points("own-2816"), json!(["websecure"]));
}

/// Somebody with a workstation, a machine and its domain.
struct Operator {
    rdc: Rdc,
    machine: TestMachine,
}

impl Operator {
    fn with_machine() -> Self {
        let machine = TestMachine::up("nocf", "2816");
        let rdc = Rdc::of(&machine, "root");
        Self { rdc, machine }
    }

    /// Changes the infra and pushes it.
    fn push(&self, changes: &[&[&str]]) {
        let set = ["context", "set-infra", "server-1"];
        self.rdc.run(&[&set[..], &changes.concat()].concat()).done();
        let push = ["context", "push-infra", "server-1", "--traefik-binary"];
        let traefik = [self.machine.env("TRAEFIK")];
        self.rdc.run(&[&push[..], &traefik].concat()).done();
    }

    /// Gives a name an address of its own in the DNS: of the other family it then has none.
    fn point(&self, name: &str, kind: &str, address: &str) {
        let api = self.machine.env("CLOUDFLARE_BASE_URL");
        let ask = |words: &[&str]| -> Value {
            let login = ["curl", "-s", "-H", "Authorization: Bearer a-person"];
            let answer = self.machine.run(&[&login[..], words].concat());
            let answer: Value = serde_json::from_str(&answer).expect(&answer);
            assert_eq!(answer["success"], true, "{answer}");
            answer
        };
        let zones = ask(&[&format!("{api}/zones")]);
        let zone = zones["result"][0]["id"].as_str().expect("the zone");
        let record = json!({"type": kind, "name": name, "content": address}).to_string();
        ask(&["-d", &record, &format!("{api}/zones/{zone}/dns_records")]);
    }

    /// A service that says nothing of Traefik.
    fn run_app(&self) {
        let port = "rediacc.service_port=8080".to_owned();
        self.run("app", APP, 2, vec![port]);
    }

    /// A service with the labels that the page gives.
    fn run_labelled(&self, name: &str, host: &str, slot: u8) {
        let mut labels = traefik_labels(&[
            &format!("http.routers.{name}.rule=Host(`{host}`)"),
            &format!("http.routers.{name}.entrypoints=websecure,websecure-v6"),
            &format!("http.routers.{name}.tls.certresolver=letsencrypt"),
            &format!("http.services.{name}.loadbalancer.server.port=8080"),
        ]);
        labels.push("traefik.enable=true".to_owned());
        self.run(name, host, slot, labels);
    }

    fn run(&self, name: &str, host: &str, slot: u8, mut labels: Vec<String>) {
        let ip = format!("127.0.11.{slot}");
        labels.extend([
            "rediacc.network_id=2816".to_owned(),
            format!("rediacc.service_name={name}"),
            format!("rediacc.service_ip={ip}"),
        ]);
        let serve = format!("echo {host} >/www/index.html; exec httpd -f -p {ip}:8080 -h /www");
        let words = ["busybox", "sh", "-c", &serve];
        run_container(&self.machine, 2816, name, &labels, &words);
    }

    /// Each page holds its own address.
    fn answers_by_https(&self, host: &str, addresses: &[&str]) {
        for address in addresses {
            let url = format!("https://{host}/");
            let (reply, took) = eventually(&url, || {
                curl_to(&self.machine, address, &url, &[]).filter(Reply::is_ok)
            });
            assert_eq!(reply.body.trim(), host);
            println!(
                "figure: {url} answered on {address} with a valid certificate after {took:.2?}"
            );
        }
    }

    fn redirects(&self, host: &str, addresses: &[&str]) {
        for address in addresses {
            let url = format!("http://{host}/path");
            let reply = curl_to(&self.machine, address, &url, &[]).expect("an answer on port 80");
            let to = format!("Location: https://{host}/path");
            assert!(reply.head.contains(&to), "{address}: {}", reply.head);
        }
    }

    /// Without a resolver: what asks for nothing else is served on port 80, and what asks for HTTPS
    /// has it, with a certificate that nobody vouches for.
    fn serves_without_certificates(&self, address: &str) {
        let ask = |url: &str, options: &[&str]| curl_to(&self.machine, address, url, options);
        let plain = format!("http://{APP}/");
        let (reply, _) = eventually(&plain, || ask(&plain, &[]).filter(Reply::is_ok));
        assert_eq!(reply.body.trim(), APP);

        let own = format!("https://{OWN}/");
        let (reply, _) = eventually(&own, || ask(&own, &["--insecure"]).filter(Reply::is_ok));
        assert_eq!(reply.body.trim(), OWN);
        assert!(ask(&own, &[]).is_none(), "there was a valid certificate");
        let reply = ask(&format!("http://{OWN}/"), &[]).expect("an answer on port 80");
        assert_eq!(reply.status, 404, "{}", reply.head);

        // Traefik takes new routes, the labels' resolver is among none of them.
        self.machine.docker(2816, &["stop", "--time", "0", "app"]);
        eventually("the stopped container's 404", || {
            ask(&plain, &[]).filter(|reply| reply.status == 404)
        });
        self.machine.docker(2816, &["start", "app"]);
        eventually(&plain, || ask(&plain, &[]).filter(Reply::is_ok));
        assert_eq!(self.errors_of_traefik(), Vec::<String>::new());
        let rejections = &self.routes()["rejections"];
        let own = rejections.as_array().expect("a list").iter();
        let own: Vec<_> = own.filter(|one| one["container"] == "own").collect();
        let label = "traefik.http.routers.own.tls.certresolver";
        assert!(
            matches!(own[..], [one] if one["label"] == label),
            "{rejections}"
        );
    }

    /// Neither the route server nor Traefik has anything to say.
    fn nothing_is_wrong(&self) {
        assert_eq!(self.routes()["rejections"], json!([]));
        assert_eq!(self.errors_of_traefik(), Vec::<String>::new());
    }

    fn routes(&self) -> Value {
        let url = "http://127.0.0.1:7111/routes.json";
        serde_json::from_str(&self.machine.run(&["curl", "-s", url])).expect("JSON")
    }

    fn entry_points(&self, router: &str) -> Value {
        self.routes()["http"]["routers"][router]["entryPoints"].clone()
    }

    /// What the Traefik that runs now has logged as errors.
    fn errors_of_traefik(&self) -> Vec<String> {
        let script = "journalctl --no-pager --output=cat --unit=rediacc-proxy.service \
                      _SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value \
                      rediacc-proxy.service)";
        let journal = self.machine.run(&["sh", "-c", script]);
        assert!(
            journal.contains("Starting provider"),
            "no journal: {journal}"
        );
        let errors = journal.lines().filter(|line| line.contains("ERR"));
        errors.map(str::to_owned).collect()
    }

    /// Exactly these addresses accept connections on the ports of the web.
    fn listens_on(&self, addresses: &[&str]) {
        let sockets = self.machine.run(&["ss", "-Hltn"]);
        let local = sockets
            .lines()
            .filter_map(|line| line.split_whitespace().nth(3))
            .filter(|local| [":80", ":443"].iter().any(|port| local.ends_with(port)));
        let expected = addresses.iter().flat_map(|address| {
            let host = match address.contains(':') {
                true => format!("[{address}]"),
                false => (*address).to_owned(),
            };
            [80, 443].map(|port| format!("{host}:{port}"))
        });
        assert_eq!(
            local.map(str::to_owned).collect::<BTreeSet<_>>(),
            expected.collect()
        );
    }

    /// The names on the certificates that were obtained.
    fn certified(&self) -> BTreeSet<String> {
        let stored = self
            .machine
            .run(&["cat", "/var/lib/rediacc/proxy/acme.json"]);
        let Ok(stored) = serde_json::from_str::<Value>(&stored) else {
            // Traefik is writing it.
            return BTreeSet::new();
        };
        let certificates = stored["letsencrypt"]["Certificates"].as_array();
        let domains = certificates.into_iter().flatten().map(|one| &one["domain"]);
        domains
            .flat_map(|domain| {
                let sans = domain["sans"].as_array().into_iter().flatten();
                std::iter::once(&domain["main"]).chain(sans)
            })
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    }

    /// Whether a DNS-01 challenge was put into the zone.
    fn cloudflare_was_asked(&self) -> bool {
        let log = fs::read_to_string(self.machine.env("CLOUDFLARE_LOG")).expect("the log");
        assert!(log.contains(" AAAA six."), "the log is not the stand-in's");
        log.contains(" TXT _acme-challenge.")
    }
}
