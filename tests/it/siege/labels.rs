//! The attacker's labels: of each class of attack several sets, each for a container of its own.

use std::net::SocketAddr;

use super::site::{AUTO, MAIL, SHOP, VICTIM};

/// A name that is the attacker's own.
pub(super) const EVIL: &str = "evil.test";

/// A class, and the labels of one container of it. `#` stands for the container's number, so that
/// none is refused for another one's name.
pub(super) type LabelSet = (&'static str, Vec<(String, String)>);

/// All of them, for an attacker whose server is there.
pub(super) fn all(at: SocketAddr, route_server: SocketAddr) -> Vec<LabelSet> {
    let sets = [
        takeovers(),
        bombs(at),
        ports(),
        floods(),
        reach(at, route_server),
        sizes(),
        texts(),
    ];
    sets.into_iter().flatten().collect()
}

/// `http.routers.r.rule=…` lines as labels of a class.
fn set(class: &'static str, lines: &[&str]) -> LabelSet {
    let labels = lines.iter().map(|line| {
        let (name, value) = line.split_once('=').expect("a label");
        let root = if name.starts_with("rediacc.") {
            ""
        } else {
            "traefik."
        };
        (format!("{root}{name}"), value.to_owned())
    });
    (class, labels.collect())
}

/// C3, C4, H1, H2: the victim's names, by rules, priorities, age and other protocols.
fn takeovers() -> Vec<LabelSet> {
    let rules = [
        ("c3", "PathPrefix(`/`)".to_owned()),
        ("c3", format!("Host(`{SHOP}`) && PathPrefix(`/`)")),
        (
            "c3",
            format!("HostRegexp(`^{}$`)", AUTO.replace('.', "\\.")),
        ),
        ("c3", "HostRegexp(`.+`) && Method(`GET`)".to_owned()),
        (
            "c3",
            format!("Host(`{EVIL}`) || Host(`{}`)", SHOP.to_uppercase()),
        ),
        ("c3", format!("!Host(`{EVIL}`)")),
        ("c3", "ClientIP(`0.0.0.0/0`)".to_owned()),
        ("c3", format!("Host(`{AUTO}`) && Path(`/`)")),
        (
            "c3",
            "Host(`deployment-1.victim.test`, `deployment-2.victim.test`)".to_owned(),
        ),
        (
            "c4",
            "PathPrefix(`/.well-known/acme-challenge/`)".to_owned(),
        ),
        ("c4", "PathRegexp(`^/.well-known/acme.*`)".to_owned()),
        (
            "c4",
            format!("Host(`{SHOP}`) && Path(`/.well-known/acme-challenge/token`)"),
        ),
        ("h1", format!("Host(`{SHOP}`)")),
        ("h1", format!("Host(`{AUTO}`)")),
        ("h1", format!("Host(`{SHOP}.`)")),
    ];
    let mut sets: Vec<_> = rules
        .iter()
        .flat_map(|(class, rule)| {
            let rule = format!("http.routers.e#.rule={rule}");
            let priority = "http.routers.e#.priority=9000000";
            let plain = [&*rule, "http.routers.e#.entrypoints=web", priority];
            let secure = [
                &*rule,
                "http.routers.e#.entrypoints=websecure",
                "http.routers.e#.tls=true",
                priority,
            ];
            [set(class, &plain), set(class, &secure)]
        })
        .collect();
    for rule in [
        format!("Host(`{MAIL}`)"),
        format!("Host(`{MAIL}`) && Path(`/`)"),
    ] {
        let rule = format!("http.routers.e#.rule={rule}");
        sets.push(set(
            "h2",
            &[
                &*rule,
                "http.routers.e#.entrypoints=websecure",
                "http.routers.e#.tls=true",
            ],
        ));
    }
    let sni = [
        format!("HostSNI(`{SHOP}`)"),
        format!("HostSNI(`{MAIL}`) && ClientIP(`127.0.0.0/8`)"),
        "HostSNI(`*`)".to_owned(),
        "HostSNIRegexp(`.+`)".to_owned(),
        "HostSNI(`*`) && ClientIP(`127.0.0.0/8`)".to_owned(),
        format!("HostSNI(`{}`) || HostSNI(`{EVIL}`)", SHOP.to_uppercase()),
    ];
    sets.extend(sni.iter().flat_map(|rule| {
        ["tls=true", "tls.passthrough=true"].map(|tls| {
            set(
                "h2",
                &[
                    &format!("tcp.routers.t#.rule={rule}"),
                    "tcp.routers.t#.entrypoints=websecure",
                    "tcp.routers.t#.priority=9000000",
                    &format!("tcp.routers.t#.{tls}"),
                ],
            )
        })
    }));
    sets.push(set(
        "h1",
        &[
            &format!("rediacc.network_id={VICTIM}"),
            "rediacc.service_name=auto",
        ],
    ));
    sets
}

/// C1, C2, H7, M5: what one request, or none, costs Traefik.
fn bombs(at: SocketAddr) -> Vec<LabelSet> {
    let rule = format!("http.routers.e#.rule=Host(`{EVIL}`)");
    let own = [
        &*rule,
        "http.routers.e#.entrypoints=web",
        "http.routers.e#.middlewares=m#",
    ];
    let with = |class, lines: &[&str]| set(class, &[&own[..], lines].concat());
    let auth = format!("http.middlewares.m#.forwardauth.address=http://{at}/");
    let mut sets = vec![
        with(
            "c1",
            &[
                &auth,
                "http.middlewares.m#.forwardauth.maxresponsebodysize=1099511627776",
            ],
        ),
        with(
            "c1",
            &[
                &auth,
                "http.middlewares.m#.forwardauth.forwardbody=true",
                "http.middlewares.m#.forwardauth.maxbodysize=4398046511104",
            ],
        ),
        with(
            "c1",
            &["http.middlewares.m#.buffering.memrequestbodybytes=1099511627776"],
        ),
        with(
            "m2",
            &[
                "http.middlewares.m#.ratelimit.average=10",
                "http.middlewares.m#.ratelimit.redis.endpoints=127.0.11.2:18292,127.0.11.2:18292",
            ],
        ),
        with(
            "m2",
            &[
                "http.middlewares.m#.ratelimit.average=10",
                "http.middlewares.m#.ratelimit.redis.endpoints=127.0.11.2:1,127.0.11.3:1",
            ],
        ),
    ];
    for fan in [10, 14] {
        let chain = |level: usize| {
            let below = format!("m#l{}", level - 1);
            let all = vec![below; fan].join(",");
            format!("http.middlewares.m#l{level}.chain.middlewares={all}")
        };
        let chains: Vec<_> = (1..10).map(chain).collect();
        let lines = [
            &*rule,
            "http.routers.e#.entrypoints=web",
            "http.routers.e#.middlewares=m#l9",
            "http.middlewares.m#l0.headers.customrequestheaders.X=b",
        ];
        let chains: Vec<&str> = chains.iter().map(String::as_str).collect();
        sets.push(set("c2", &[&lines[..], &chains].concat()));
    }
    for (matcher, count) in [
        ("HeaderRegexp(`User-Agent`,`(.{0,99}){9}", 1000),
        ("PathRegexp(`(.{0,99}){9}", 500),
    ] {
        let tests: Vec<_> = (0..count)
            .map(|number| format!("!{matcher}Q{number}`)"))
            .collect();
        sets.push(set(
            "h7",
            &[
                &format!(
                    "http.routers.e#.rule={} && Host(`never.test`)",
                    tests.join(" && ")
                ),
                "http.routers.e#.entrypoints=web,websecure",
                "http.routers.e#.priority=9000000",
            ],
        ));
    }
    for interval in ["1ns", "1us"] {
        let checks: Vec<_> = (0..10)
            .flat_map(|number| {
                let base = format!("http.services.s#n{number}.loadbalancer");
                [
                    format!("{base}.server.port={}", at.port()),
                    format!("{base}.healthcheck.path=/redirect"),
                    format!("{base}.healthcheck.interval={interval}"),
                    format!("http.routers.r#n{number}.rule=Host(`r{number}-#.{EVIL}`)"),
                    format!("http.routers.r#n{number}.service=s#n{number}"),
                ]
            })
            .collect();
        let checks: Vec<&str> = checks.iter().map(String::as_str).collect();
        sets.push(set("m5", &checks));
    }
    sets
}

/// H3, M4: the victim's ports, and all that are handed out.
fn ports() -> Vec<LabelSet> {
    let mut sets: Vec<_> = [
        ("ClientIP(`0.0.0.0/0`)", "priority=100"),
        ("HostSNI(`*`)", "tls=true"),
        ("HostSNI(`*`)", "priority=9000000"),
        ("!HostSNI(`x.test`)", "priority=100"),
        ("HostSNIRegexp(`.*`)", "tls.passthrough=true"),
    ]
    .iter()
    .flat_map(|(rule, more)| {
        ["tcp-5432", "tcp-10000"].map(|port| {
            set(
                "h3",
                &[
                    &format!("tcp.routers.t#.rule={rule}"),
                    &format!("tcp.routers.t#.entrypoints={port}"),
                    &format!("tcp.routers.t#.{more}"),
                ],
            )
        })
    })
    .collect();
    sets.push(set("h3", &["udp.routers.u#.entrypoints=udp-53"]));
    let many: Vec<_> = (5000..5020).map(|port| port.to_string()).collect();
    let many = many.join(",");
    sets.push(set("m4", &[&format!("rediacc.tcp_ports={many}")]));
    sets.push(set("m4", &[&format!("rediacc.udp_ports={many}")]));
    sets
}

/// H6, M3, M6: more of everything than anybody needs, and other certificates each time.
fn floods() -> Vec<LabelSet> {
    let routers = |count: usize, more: &str| -> Vec<(String, String)> {
        (0..count)
            .flat_map(|number| {
                let base = format!("traefik.http.routers.r#n{number}");
                let (name, value) = more.split_once('=').expect("a label");
                [
                    (
                        format!("{base}.rule"),
                        format!("Host(`r{number}-#.{EVIL}`)"),
                    ),
                    (format!("{base}.{name}"), value.to_owned()),
                ]
            })
            .collect()
    };
    vec![
        ("h6", routers(2000, "entrypoints=web")),
        ("h6", routers(2000, "entrypoints=websecure")),
        ("m3", routers(40, "tls.certresolver=letsencrypt")),
        ("m3", routers(40, &format!("tls.domains[0].main={SHOP}"))),
        ("m6", routers(1, "entrypoints=web")),
        ("m6", routers(1, "priority=5")),
    ]
}

/// H4, H5, M1, H9: places that are not the attacker's.
fn reach(at: SocketAddr, route_server: SocketAddr) -> Vec<LabelSet> {
    let rule = format!("http.routers.e#.rule=Host(`{EVIL}`)");
    let own = [&*rule, "http.routers.e#.entrypoints=web"];
    let url = |class, url: &str| {
        let url = format!("http.services.e#.loadbalancer.server.url={url}");
        set(class, &[&own[..], &[&*url]].concat())
    };
    let check = |more: &str| {
        let port = format!("http.services.e#.loadbalancer.server.port={}", at.port());
        let lines = [
            &*port,
            "http.services.e#.loadbalancer.healthcheck.path=/redirect",
            "http.services.e#.loadbalancer.healthcheck.interval=1s",
            more,
        ];
        set("h4", &[&own[..], &lines].concat())
    };
    vec![
        check("http.services.e#.loadbalancer.healthcheck.method=POST"),
        check("http.services.e#.loadbalancer.healthcheck.followredirects=true"),
        url("h5", "http://100.100.100.200/"),
        url("h5", "http://[fd00:ec2::254]/"),
        url("h5", "http://168.63.129.16/"),
        url("h5", "http://169.254.169.254/"),
        url("m1", "http://127.0.0.1/"),
        url("m1", "http://127.0.11.66/"),
        url("h9", &format!("http://{route_server}/")),
    ]
}

/// H10: labels as long as a daemon lets them be, and what readers understand differently.
fn sizes() -> Vec<LabelSet> {
    let long = "w".repeat(1100);
    let huge = "x".repeat(1_000_000);
    let mut sets = vec![
        set(
            "h10",
            &[&format!("http.routers.{long}.rule=Host(`{EVIL}`)")],
        ),
        set(
            "h10",
            &[&format!(
                "http.middlewares.m#.headers.customrequestheaders.{long}=x"
            )],
        ),
        set(
            "h10",
            &[&format!("http.routers.e#.rule=Host(`{EVIL}`) || {huge}")],
        ),
        set(
            "h10",
            &[&format!("http.middlewares.m#.addprefix.prefix=/{huge}")],
        ),
    ];
    let separators = [
        format!("limit-{VICTIM}║x#"),
        format!("x#║login-{VICTIM}@http"),
    ];
    sets.extend(separators.iter().map(|reference| {
        set(
            "h10",
            &[
                &format!("http.routers.e#.rule=Host(`{EVIL}`)"),
                &format!("http.routers.e#.middlewares={reference}"),
                "http.middlewares.x#.compress=true",
            ],
        )
    }));
    sets
}

/// L1: what acts on a terminal.
fn texts() -> Vec<LabelSet> {
    let nasty = "\u{1b}[2J\u{9b}31m\u{202e}\nfake";
    vec![
        set("l1", &[&format!("http.routers.e#.rule=Host(`{nasty}`)")]),
        set(
            "l1",
            &[&format!("http.routers.{nasty}.rule=Host(`{EVIL}`)")],
        ),
        set("l1", &[&format!("http.routers.e#.entrypoints={nasty}")]),
    ]
}
