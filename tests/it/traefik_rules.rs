//! Rules, judged here and by the real Traefik: what passes here is never disabled there, and what
//! is refused here is. One document holds them all, and the API says what became of each.

use std::collections::BTreeSet;

use rediacc::traefik::rule::{Protocol, Rule, RuleError};
use serde_json::{Value, json};

use crate::traefik_accepts::Served;

/// Whose router a rule is on, as the files of rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Router {
    Http,
    Tcp,
    TcpWithTls,
}

const ROUTERS: [Router; 3] = [Router::Http, Router::Tcp, Router::TcpWithTls];

const RULES: &str = include_str!("../../src/traefik/rule/testdata/rules.txt");
const VALID_REGEXPS: &str = include_str!("../../src/traefik/regexp/testdata/valid.txt");
const INVALID_REGEXPS: &str = include_str!("../../src/traefik/regexp/testdata/invalid.txt");

/// What matchers are asked for: names, paths, methods, networks, patterns, and what is none of them.
const ARGUMENTS: [&str; 34] = [
    "a.example",
    "A.Example.",
    "müller.example",
    "*",
    "*.a.example",
    "*.müller.example",
    "a.*.example",
    "*a",
    "a b",
    "a_b",
    "a:80",
    "[::1]",
    "::1",
    "/",
    "/a",
    "a/b",
    "é",
    "/é",
    "GET",
    "get",
    "10.0.0.1",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0",
    "fe80::/10",
    "fe80::1%lo",
    "h2",
    "acme-tls/1",
    "^a+$",
    "(",
    "a**",
    "(?=a)",
    "q=1",
    ".",
];

/// Every matcher of either syntax, and one that there is not.
const MATCHERS: [&str; 19] = [
    "ALPN",
    "ClientIP",
    "Header",
    "HeaderRegexp",
    "Headers",
    "HeadersRegexp",
    "Host",
    "HostHeader",
    "HostRegexp",
    "HostSNI",
    "HostSNIRegexp",
    "Method",
    "Path",
    "PathPrefix",
    "PathRegexp",
    "Query",
    "QueryRegexp",
    "hostsni",
    "Hosts",
];

#[tokio::test]
async fn traefik_and_the_route_server_judge_each_rule_alike() {
    let mut rules: BTreeSet<(Router, String)> = RULES.lines().map(written).collect();
    let of_all = |rule: &str| ROUTERS.map(|router| (router, rule.to_owned()));
    for matcher in MATCHERS {
        rules.extend(of_all(&format!("{matcher}()")));
        for one in ARGUMENTS {
            rules.extend(of_all(&format!("{matcher}(`{one}`)")));
            rules.extend(of_all(&format!("{matcher}(`X-A`, `{one}`)")));
        }
        rules.extend(of_all(&format!("{matcher}(`/a`, `b`, `c`)")));
    }
    for names in ["HostSNI(`a`)", "HostSNI(`*`)", "ALPN(`h2`)"] {
        for other in ["HostSNI(`b`)", "HostSNI(`*`)", "ClientIP(`::1`)"] {
            for rule in [
                format!("{names} && {other}"),
                format!("{names} || !{other}"),
                format!("!{names} || {other}"),
                format!("!({names} || !{other})"),
                format!("!(!({names}) && ({other}))"),
            ] {
                rules.extend(of_all(&rule));
            }
        }
    }
    for rule in [
        "Host(`a.example`)",
        "Host(`a.example`) && (Path(`/a`) || !Method(`GET`))",
        "HostRegexp(`^a\\d$`) || Header(`X`, \"1\")",
        "!(ClientIP(`10.0.0.0/8`) && Query(`q`, `1`))",
        "PathPrefix(\"/\\x61\\u0062\\143\\n\") /* c */ && // d\n HOST(`b`)\n",
    ] {
        rules.extend(slips(rule).into_iter().map(|rule| (Router::Http, rule)));
    }
    for rule in [
        "HostSNI(`*`)",
        "HostSNI(`a`) && !ALPN(`h2`) || ClientIP(`10.0.0.1`)",
    ] {
        let slips = slips(rule).into_iter();
        rules.extend(slips.map(|rule| (Router::TcpWithTls, rule)));
    }
    let judged = judge(rules).await;
    let Judged { served, refused } = judged;
    assert!(served > 300 && refused > 1000, "{served}, {refused}");
    println!("{served} rules are served by both, {refused} are refused by both");
}

#[tokio::test]
async fn go_and_the_route_server_judge_each_pattern_alike() {
    let listed = || VALID_REGEXPS.lines().chain(INVALID_REGEXPS.lines());
    let mut patterns: BTreeSet<String> = listed().map(str::to_owned).collect();
    // Traefik compiles all of them before it shows any.
    for pattern in listed().filter(|pattern| pattern.len() < 16) {
        patterns.extend(slips_of_a_pattern(pattern));
    }
    // A back quote ends the text that it stands in, and an empty one is refused for that.
    patterns.retain(|pattern| !pattern.is_empty() && !pattern.contains(['`', '\r']));
    let rule = |pattern: &String| (Router::Http, format!("HeaderRegexp(`X`, `{pattern}`)"));
    let judged = judge(patterns.iter().map(rule).collect()).await;
    let Judged { served, refused } = judged;
    assert!(served > 1000 && refused > 1000, "{served}, {refused}");
    println!("{served} patterns are compiled by both, {refused} are refused by both");
}

/// A line of the file.
fn written(line: &str) -> (Router, String) {
    let mut words = line.splitn(3, ' ');
    let router = match words.next() {
        Some("http") => Router::Http,
        Some("tcp") => Router::Tcp,
        Some("tls") => Router::TcpWithTls,
        other => panic!("no router {other:?}"),
    };
    (router, words.nth(1).expect("a rule").to_owned())
}

/// How many rules both serve, and how many both refuse.
struct Judged {
    served: usize,
    refused: usize,
}

/// Asks both. What is refused here is given to Traefik as it is, and what passes as it is served.
async fn judge(rules: BTreeSet<(Router, String)>) -> Judged {
    let service = json!({"noop": {"loadBalancer": {"servers": []}}});
    // A map that is empty would cost the document.
    let mut document = json!({"http": {"services": service}});
    if rules.iter().any(|(router, _)| *router != Router::Http) {
        document["tcp"] = json!({"services": service});
    }
    let mut judgements = Vec::new();
    for (index, (router, rule)) in rules.into_iter().enumerate() {
        let (protocol, has_tls) = match router {
            Router::Http => (Protocol::Http, false),
            Router::Tcp => (Protocol::Tcp, false),
            Router::TcpWithTls => (Protocol::Tcp, true),
        };
        let parsed = Rule::parse(&rule);
        let judged = parsed.and_then(|rule| {
            rule.check(protocol, has_tls)?;
            Ok(rule.served_text().to_owned())
        });
        let section = if router == Router::Http {
            "http"
        } else {
            "tcp"
        };
        let mut entry = json!({
            "rule": judged.as_ref().unwrap_or(&rule),
            "service": "noop",
            "entryPoints": ["web"],
        });
        if has_tls {
            entry["tls"] = json!({});
        }
        document[section]["routers"][format!("r{index}")] = entry;
        judgements.push((router, rule, judged));
    }
    document["http"]["routers"]["last"] =
        json!({"rule": "Host(`last`)", "service": "noop", "entryPoints": ["web"]});
    let served = Served::of([document.to_string()]).await;
    let traefik = served.traefik();
    traefik.has("http/routers/last@http").await;
    let raw = traefik.api("rawdata").await;

    let mut faults = Vec::new();
    let mut both = Judged {
        served: 0,
        refused: 0,
    };
    for (index, (router, rule, judged)) in judgements.into_iter().enumerate() {
        let kind = match router {
            Router::Http => "routers",
            Router::Tcp | Router::TcpWithTls => "tcpRouters",
        };
        let shown = &raw[kind][format!("r{index}@http")];
        let is_served = shown["status"] == "enabled" && shown["error"] == Value::Null;
        if is_served != judged.is_ok() && !is_ours(judged.as_ref().err()) {
            faults.push(format!("{router:?} {rule:?}: {judged:?}, Traefik: {shown}"));
        }
        both.served += usize::from(is_served);
        both.refused += usize::from(!is_served);
    }
    assert!(
        faults.is_empty(),
        "{} are judged otherwise: {:#?}",
        faults.len(),
        &faults[..faults.len().min(20)]
    );
    both
}

/// The refusals that are not Traefik's: bytes that are no text, which no request has.
fn is_ours(error: Option<&RuleError>) -> bool {
    error.is_some_and(|error| error.reason.contains("make bytes that are no text"))
}

/// A rule, and what a slip of the hand makes of it: a character lost, exchanged for another, or one
/// more.
fn slips(rule: &str) -> BTreeSet<String> {
    let others = [
        "`", "\"", "(", ")", "!", ",", "|", "&", " ", "\n", "\r", "/", "\\", "x", "é", ";",
    ];
    slips_with(rule, &others)
}

fn slips_of_a_pattern(pattern: &str) -> BTreeSet<String> {
    let others = ["(", "]", "{", "*", "\\", "-", "1"];
    slips_with(pattern, &others)
}

fn slips_with(text: &str, others: &[&str]) -> BTreeSet<String> {
    let mut slips = BTreeSet::from([text.to_owned()]);
    for (at, character) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + character.len_utf8()..]);
        slips.insert(format!("{before}{after}"));
        for other in others {
            slips.insert(format!("{before}{other}{after}"));
            slips.insert(format!("{before}{other}{character}{after}"));
        }
    }
    slips
}
