//! What people and monitors ask a running route server: `/metrics`, `/containers.json` and
//! `renet route-server explain`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{Behaviour, SimulatedContainer, SimulatedDaemon};

#[tokio::test]
async fn metrics_are_what_prometheus_reads_and_follow_what_happens() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let _hanging = SimulatedDaemon::start_as(&machine.socket(2880), &[], Behaviour::Fails);
    let server = machine.route_server().await;
    let mut traefik = server.connect().await;
    traefik.poll().await;
    let before = metrics(&server).await;

    daemon.run(SimulatedContainer::new("api"));
    traefik.poll().await;
    daemon.run(SimulatedContainer::new("bad").label("rediacc.network_id", "2944"));
    while server.metric("rediacc_rejections").await < 1.0 {
        // Polls are not woken by a rejection: there is nothing in it for Traefik.
        tokio::task::yield_now().await;
    }
    let after = metrics(&server).await;

    let changes = |name: &str, labels: &str| {
        let key = (name.to_owned(), labels.to_owned());
        (before[&key], after[&key])
    };
    for (name, labels, expected) in [
        (
            "rediacc_build_info",
            concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""),
            (1.0, 1.0),
        ),
        ("rediacc_routers", "protocol=\"http\"", (1.0, 2.0)),
        ("rediacc_routers", "protocol=\"tcp\"", (0.0, 0.0)),
        ("rediacc_services", "protocol=\"http\"", (1.0, 2.0)),
        ("rediacc_rejections", "", (0.0, 1.0)),
        ("rediacc_routes_version", "", (1.0, 2.0)),
        ("rediacc_daemons", "state=\"live\"", (1.0, 1.0)),
        ("rediacc_daemons", "state=\"unreachable\"", (1.0, 1.0)),
        ("rediacc_daemons", "state=\"gone\"", (0.0, 0.0)),
        ("rediacc_polls_total", "", (1.0, 2.0)),
        ("rediacc_lists_total", "", (1.0, 3.0)),
        ("rediacc_publication_delay_seconds_count", "", (1.0, 3.0)),
    ] {
        assert_eq!(changes(name, labels), expected, "{name} {labels}");
    }
    let (first, sum) = changes("rediacc_publication_delay_seconds_sum", "");
    assert!(sum > first, "{first} {sum}");
}

/// The samples by name and labels, if the text is all that the format asks for.
async fn metrics(server: &RouteServer) -> BTreeMap<(String, String), f64> {
    let answer = server.get("/metrics").await;
    let content_type = "content-type: text/plain; version=0.0.4; charset=utf-8\r\n";
    assert!(answer.head.contains(content_type), "{answer:?}");
    assert!(answer.body.ends_with('\n'));

    let mut samples = BTreeMap::new();
    let mut families: BTreeMap<String, String> = BTreeMap::new();
    let mut family = String::new();
    let mut lines = answer.body.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(!help.is_empty() && is_name(name), "{line}");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let (typed, kind) = kind.and_then(|line| line.split_once(' ')).expect("a type");
            assert_eq!(typed, name);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let before = families.insert(name.to_owned(), kind.to_owned());
            assert_eq!(before, None, "one family is in one place");
            family = name.to_owned();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').expect("closed")),
            None => (series, ""),
        };
        let suffix = name.strip_prefix(&family).expect("a sample of its family");
        match families[&family].as_str() {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        if let Some((label, quoted)) = labels.split_once('=') {
            assert!(
                is_name(label) && quoted.starts_with('"') && quoted.ends_with('"'),
                "{line}"
            );
        }
        let value: f64 = value.parse().expect("a number");
        let key = (name.to_owned(), labels.to_owned());
        assert_eq!(samples.insert(key, value), None, "{line} is there twice");
    }
    for (name, _) in families.iter().filter(|(_, kind)| *kind == "histogram") {
        check_histogram(name, &samples);
    }
    samples
}

/// Buckets ascend in their bounds and counts, and the last one has no bound and counts all.
fn check_histogram(name: &str, samples: &BTreeMap<(String, String), f64>) {
    let bucket = format!("{name}_bucket");
    let bound = |labels: &str| -> f64 {
        let bound = labels
            .strip_prefix("le=\"")
            .and_then(|rest| rest.strip_suffix('"'));
        bound.and_then(|bound| bound.parse().ok()).expect("a bound")
    };
    let mut buckets: Vec<(f64, f64)> = samples
        .iter()
        .filter(|((other, _), _)| *other == bucket)
        .map(|((_, labels), count)| (bound(labels), *count))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(
        buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
        "{buckets:?}"
    );
    let count = samples[&(format!("{name}_count"), String::new())];
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)));
    assert!(samples.contains_key(&(format!("{name}_sum"), String::new())));
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[tokio::test]
async fn containers_are_listed_without_the_values_of_secret_labels() {
    let machine = Machine::new();
    let users = "traefik.http.middlewares.login.basicauth.users";
    let web = SimulatedContainer::new("web").label(users, "me:$apr1$secret");
    let api = SimulatedContainer::new("api");
    let _daemon = SimulatedDaemon::start(&machine.socket(2816), &[web, api]);
    let server = machine.route_server().await;
    server.get("/routes.yaml").await;

    let all = server.get_json("/containers.json").await;
    assert_eq!(all["containers"].as_array().map(Vec::len), Some(2), "{all}");
    assert!(!all.to_string().contains("secret"), "{all}");
    let web = server.get_json("/containers.json?name=web").await;
    assert_eq!(web["containers"].as_array().map(Vec::len), Some(1), "{web}");
    assert_eq!(
        web["containers"][0]["labels"]["rediacc.service_ip"],
        "127.0.11.2"
    );
    assert_eq!(web["containers"][0]["labels"][users], "***");
    let none = server.get_json("/containers.json?name=none").await;
    assert_eq!(none, json!({"containers": []}));
}

#[tokio::test]
async fn explain_tells_what_a_container_gives_and_who_answers_a_host() {
    let machine = Machine::new();
    let _one = machine.daemon(2816, "web");
    let _other = machine.daemon(2880, "web");
    let server = machine.route_server().await;
    server.get("/routes.yaml").await;

    let (code, text, _) = explain(&machine, &server, &["web"]).await;
    assert_eq!(code, 0);
    for part in [
        "container web, repository 2816, running",
        "http auto route web-2816: http://web-2816.example.test/",
        "container web, repository 2880, running",
        "by rediacc.service_ip",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }

    let (code, text, _) = explain(&machine, &server, &["http://web-2880.example.test/x"]).await;
    assert_eq!(code, 0);
    assert!(
        text.contains("web-2880") && !text.contains("web-2816"),
        "{text}"
    );

    let (code, text, _) = explain(&machine, &server, &["web", "--json"]).await;
    assert_eq!(code, 0);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["containers"][0]["routers"][0]["name"], "web-2816");
}

#[tokio::test]
async fn explain_fails_with_the_next_command_where_nothing_is_known() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let mut server = machine.route_server().await;
    server.get("/routes.yaml").await;

    let (code, _, error) = explain(&machine, &server, &["wep"]).await;
    assert_eq!(code, 1);
    assert_eq!(
        error,
        "error: no daemon has a container or service `wep`\nhint: did you mean `web`?\n"
    );
    let (code, _, error) = explain(&machine, &server, &["unlike-any-other"]).await;
    assert_eq!(code, 1);
    assert!(
        error.contains("/containers.json` to see all that are known"),
        "{error}"
    );

    daemon.behave(Behaviour::Fails);
    daemon.close_event_streams();
    server.logged("daemon does not answer", 1).await;
    let (code, _, error) = explain(&machine, &server, &["db"]).await;
    assert_eq!(code, 1);
    assert!(
        error.contains("docker-2816.sock is unreachable since 20"),
        "{error}"
    );

    server.signal("TERM");
    server.ended().await;
    let (code, _, error) = explain(&machine, &server, &["web"]).await;
    assert_eq!(code, 1);
    assert!(
        error.contains("cannot ask the route server") && error.contains("hint: run `systemctl"),
        "{error}"
    );
}

/// The exit code, and what was printed on both outputs.
async fn explain(machine: &Machine, server: &RouteServer, words: &[&str]) -> (i32, String, String) {
    let mut command = machine.renet();
    command
        .arg("explain")
        .args(words)
        .args(["--url", &server.url()]);
    let output = command.output().await.expect("renet");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("an exit code");
    (code, text(output.stdout), text(output.stderr))
}
