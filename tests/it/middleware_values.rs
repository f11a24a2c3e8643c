//! What Traefik can build of a middleware's values is served, and what it cannot is refused: each
//! value is given to the real one, whose API says of a router whether it is enabled.

use std::collections::BTreeMap;

use rediacc::network::NetworkId;
use rediacc::route_server::container::{Address, Condition, Container, DaemonContainers};
use rediacc::route_server::ports::PortTable;
use rediacc::route_server::routes::{RouteSettings, adopted_routes};
use rediacc::traefik::dynamic::{Allowance, to_yaml};
use rediacc::traefik::labels;

use crate::traefik_accepts::Served;

/// A middleware's labels, without what comes before its type, and several between semicolons.
const BUILT: [&str; 62] = [
    "addprefix.prefix=a",
    "ipallowlist.sourcerange=10.0.0.1",
    "ipallowlist.sourcerange=10.0.0.1/8, ::1/128,::ffff:1.2.3.4",
    "ipallowlist.sourcerange=10.0.0.0/08",
    "ipallowlist.sourcerange=::/0,0.0.0.0/0;ipallowlist.rejectstatuscode=0",
    "ipallowlist.sourcerange=10.0.0.1;ipallowlist.rejectstatuscode=404",
    "ipallowlist.sourcerange=10.0.0.1;ipallowlist.ipstrategy.depth=2;ipallowlist.ipstrategy.excludedips=10.0.0.1",
    "ipallowlist.sourcerange=10.0.0.1;ipallowlist.ipstrategy.ipv6subnet=64",
    "ipwhitelist.sourcerange=10.0.0.1",
    "basicauth.users=a:b",
    "basicauth.users=a:$apr1$x$y,b:{SHA}x",
    "basicauth.users=:x,a:",
    "digestauth.users=a:b:c",
    "errors.service=s;errors.status=500",
    "errors.service=s;errors.status=500-599,404",
    "errors.service=s;errors.status=599-500",
    "errors.service=s;errors.status=1-2-3",
    "errors.service=s;errors.status=+500",
    "errors.service=s",
    "errors.service=s;errors.statusrewrites.500-504=500",
    "redirectregex.regex=^a;redirectregex.replacement=b",
    "redirectregex.regex=^a",
    "redirectregex.replacement=a",
    "redirectscheme.scheme=https",
    "redirectscheme.scheme=https;redirectscheme.port=8443;redirectscheme.permanent=true",
    "redirectscheme.scheme=foo",
    "replacepath.path=x",
    "replacepathregex.regex=^a",
    "stripprefix.prefixes=a",
    "stripprefix.prefixes=/a,,/b",
    "stripprefix.forceslash=true",
    "stripprefixregex.regex=^/a,^/b",
    "compress=true",
    "compress.encodings=gzip,br,zstd",
    "compress.defaultencoding=gzip",
    "compress.defaultencoding=br;compress.encodings=gzip,br",
    "compress.excludedcontenttypes=text/html,application/json;compress.minresponsebodybytes=0",
    "compress.includedcontenttypes=text/html; charset=utf-8",
    "inflightreq.amount=0",
    "inflightreq.amount=5;inflightreq.sourcecriterion.requesthost=true",
    "ratelimit.average=5",
    "ratelimit.burst=5;ratelimit.period=0s",
    "ratelimit.average=5;ratelimit.sourcecriterion.requestheadername=X",
    "ratelimit.average=5;ratelimit.sourcecriterion.requesthost=false;ratelimit.sourcecriterion.requestheadername=X",
    "ratelimit.average=5;ratelimit.sourcecriterion.ipstrategy.depth=1",
    "retry.attempts=1",
    "retry.attempts=2;retry.status=500-503",
    "retry.attempts=2;retry.disableretryonnetworkerror=true;retry.status=500",
    "circuitbreaker.expression=NetworkErrorRatio() > 0.5",
    "circuitbreaker.expression=LatencyAtQuantileMS(50.0) > 100 || (ResponseCodeRatio(500, 600, 0, 600) > 0.25 && NetworkErrorRatio() > 0.1)",
    "circuitbreaker.expression=NetworkErrorRatio() != 0.5",
    "buffering.maxrequestbodybytes=5",
    "buffering.maxrequestbodybytes=0;buffering.memrequestbodybytes=0",
    "buffering.retryexpression=IsNetworkError() && Attempts() < 2",
    "buffering.retryexpression=RequestMethod() == \"GET\" || ResponseCode() == 502",
    "forwardauth.address=http://127.0.11.2:80/",
    "headers.accesscontrolalloworiginlistregex=^a$",
    "headers.framedeny=false;headers.stsseconds=1",
    "headers.addvaryheader=true",
    "contenttype=true",
    "grpcweb.alloworigins=*",
    "passtlsclientcert.pem=true",
];

/// The same, with words of the reason.
const REFUSED: [(&str, &str); 52] = [
    ("addprefix.prefix=", "no `prefix`"),
    ("ipallowlist.sourcerange=", "no `sourcerange`"),
    ("ipallowlist.rejectstatuscode=404", "no `sourcerange`"),
    (
        "ipallowlist.sourcerange=10.0.0.0/33",
        "is not an IP address",
    ),
    ("ipallowlist.sourcerange=10.0.0.0/", "is not an IP address"),
    ("ipallowlist.sourcerange=10.0.0", "is not an IP address"),
    ("ipallowlist.sourcerange=010.0.0.1", "is not an IP address"),
    (
        "ipallowlist.sourcerange=fe80::1%eth0",
        "is not an IP address",
    ),
    ("ipallowlist.sourcerange=::1/129", "is not an IP address"),
    ("ipallowlist.sourcerange=localhost", "is not an IP address"),
    ("ipallowlist.sourcerange=,10.0.0.1", "is empty"),
    (
        "ipallowlist.sourcerange=10.0.0.1;ipallowlist.rejectstatuscode=299",
        "not a status of HTTP",
    ),
    (
        "ipallowlist.sourcerange=10.0.0.1;ipallowlist.rejectstatuscode=99",
        "is not from",
    ),
    (
        "ipallowlist.sourcerange=10.0.0.1;ipallowlist.ipstrategy.excludedips=x",
        "is not an IP address",
    ),
    (
        "ipallowlist.sourcerange=10.0.0.1;ipallowlist.ipstrategy.ipv6subnet=0",
        "is not from",
    ),
    (
        "ipallowlist.sourcerange=10.0.0.1;ipallowlist.ipstrategy.ipv6subnet=129",
        "is not from",
    ),
    ("ipwhitelist.sourcerange=x", "is not an IP address"),
    ("basicauth.users=a", "not `name:hash`"),
    ("basicauth.users=a:b:c", "not `name:hash`"),
    ("basicauth.users=a:b,", "is empty"),
    ("basicauth.realm=x", "no `users`"),
    ("digestauth.users=a:b", "not `name:realm:hash`"),
    ("digestauth.users=a:b:c:d", "not `name:realm:hash`"),
    ("errors.service=s;errors.status=x", "is not a status"),
    ("errors.service=s;errors.status=5xx", "is not a status"),
    ("errors.service=s;errors.status=500-", "is not a status"),
    (
        "errors.service=s;errors.status=500 - 599",
        "is not a status",
    ),
    ("errors.status=500", "no `service`"),
    (
        "errors.service=s;errors.statusrewrites.x=500",
        "is not a status",
    ),
    ("redirectscheme.permanent=true", "no `scheme`"),
    ("redirectscheme.port=443", "no `scheme`"),
    ("compress.encodings=deflate", "one of gzip, br and zstd"),
    (
        "compress.defaultencoding=identity",
        "one of gzip, br and zstd",
    ),
    (
        "compress.defaultencoding=br;compress.encodings=gzip",
        "none of its `encodings`",
    ),
    (
        "compress.excludedcontenttypes=a/b;compress.includedcontenttypes=c/d",
        "both",
    ),
    ("compress.excludedcontenttypes=a b", "is not a media type"),
    ("compress.includedcontenttypes=a/", "is not a media type"),
    ("ratelimit.average=5;ratelimit.period=-1s", "is not from"),
    (
        "ratelimit.sourcecriterion.requesthost=true;ratelimit.sourcecriterion.requestheadername=X",
        "both",
    ),
    (
        "inflightreq.sourcecriterion.requesthost=true;inflightreq.sourcecriterion.ipstrategy.depth=1",
        "both",
    ),
    ("retry.attempts=0", "is not from"),
    ("retry.initialinterval=1s", "no `attempts`"),
    ("retry.attempts=2;retry.status=x", "is not a status"),
    (
        "retry.attempts=2;retry.disableretryonnetworkerror=true",
        "network errors",
    ),
    ("circuitbreaker.checkperiod=1s", "no `expression`"),
    ("circuitbreaker.expression=foo", "is none of"),
    (
        "circuitbreaker.expression=!(NetworkErrorRatio() > 0.5)",
        "holds `!`",
    ),
    (
        "circuitbreaker.expression=(NetworkErrorRatio() > 0.5",
        "brackets",
    ),
    ("buffering.memrequestbodybytes=-1", "is not from"),
    (
        "buffering.retryexpression=NetworkErrorRatio() > 1",
        "is none of",
    ),
    ("headers.framedeny=false", "turns every header off"),
    ("addprefix.prefix=/a;compress=true", "both"),
];

#[tokio::test]
async fn what_traefik_can_build_is_served_and_what_it_cannot_is_refused() {
    let refused = REFUSED.iter().map(|(one, reason)| (*one, Some(*reason)));
    let rows: Vec<_> = BUILT
        .iter()
        .map(|one| (*one, None))
        .chain(refused)
        .collect();
    let mut all = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, (row, reason)) in rows.iter().enumerate() {
        let labels = labels_of(index, row);
        let found = adopted_routes([&daemon(&labels)], &PortTable::default(), &settings());
        let is_served = found
            .config
            .http
            .routers
            .contains_key(&format!("r{index}-2816"));
        let said: Vec<_> = found
            .rejections
            .iter()
            .map(|one| one.reason.as_str())
            .collect();
        match reason {
            None if !is_served => faults.push(format!("{row} is refused: {said:?}")),
            Some(reason) if is_served || !said.iter().any(|one| one.contains(reason)) => {
                faults.push(format!("{row}: not {reason}: {said:?}"));
            }
            _ => {}
        }
        all.extend(labels);
    }
    // What Traefik says of them all, as their labels are read and before anything is refused.
    let mut decoded = labels::decode(&all, Allowance::Unbounded)
        .expect("valid labels")
        .config;
    for service in decoded.http.services.values_mut() {
        if let Some(balancer) = &mut service.load_balancer {
            balancer.servers.clear();
        }
    }
    for router in decoded.http.routers.values_mut() {
        router.service = Some("s".to_owned());
    }
    let document = to_yaml(&decoded).expect("the model is plain data");
    // An entry without a type would cost the whole document: it is refused before in any case.
    let served = Served::of([without_empty(&document)]).await;
    let traefik = served.traefik();
    traefik.has("http/routers/r0@http").await;
    let raw = traefik.api("rawdata").await;
    for (index, (row, reason)) in rows.iter().enumerate() {
        let router = &raw["routers"][format!("r{index}@http")];
        let is_enabled = router["status"] == "enabled";
        if is_enabled == reason.is_some() {
            faults.push(format!(
                "to Traefik, {row} is {}: {}",
                router["status"], router["error"]
            ));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Without the lines that end in an empty map of a middleware.
fn without_empty(document: &str) -> String {
    let lines = document.lines().filter(|line| {
        let name = line.trim_start();
        !(name.starts_with('m') && name.ends_with(": {}"))
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn labels_of(index: usize, row: &str) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> = row
        .split(';')
        // A media type may hold a semicolon: what follows it is no label.
        .filter_map(|one| one.split_once('='))
        .filter(|(key, _)| key.contains('.') || !key.starts_with(' '))
        .map(|(key, value)| {
            (
                format!("traefik.http.middlewares.m{index}.{key}"),
                value.to_owned(),
            )
        })
        .collect();
    labels.insert(
        format!("traefik.http.routers.r{index}.rule"),
        format!("Host(`{index}.example.com`)"),
    );
    labels.insert(
        format!("traefik.http.routers.r{index}.middlewares"),
        format!("m{index}"),
    );
    labels.insert(
        format!("traefik.http.routers.r{index}.entrypoints"),
        "web".to_owned(),
    );
    labels.insert(
        "traefik.http.services.s.loadbalancer.server.port".to_owned(),
        "80".to_owned(),
    );
    labels
}

fn daemon(labels: &BTreeMap<String, String>) -> DaemonContainers {
    let mut labels = labels.clone();
    labels.insert("traefik.enable".to_owned(), "true".to_owned());
    labels.insert("rediacc.service_ip".to_owned(), "127.0.11.2".to_owned());
    DaemonContainers {
        network_id: NetworkId::try_from(2816).ok(),
        containers: vec![Container {
            id: "1".to_owned(),
            name: "web".to_owned(),
            created: 0,
            labels,
            condition: Condition::Ready,
            address: Address::Host,
            exposed_tcp_ports: Vec::new(),
            ..Container::default()
        }],
    }
}

fn settings() -> RouteSettings {
    RouteSettings {
        entrypoints: [("web").parse().expect("a name")].into(),
        ..RouteSettings::default()
    }
}
