//! What people report of labels that did not do what they wrote. Each kind with examples of our own,
//! and beside each what the real Traefik's own provider makes of the same container: one Traefik
//! reads one simulated daemon twice, by itself and by way of the route server.

mod compared;

use compared::Given::{self, Nothing, Refused, Served, ServedBut};
use compared::Theirs::{self, Disabled, None as NoRouter, Open, Other, Same};
use compared::{Report, check, check_with};

use crate::simulated_daemon::SimulatedContainer;

/// On a network of its own at 172.18.0.2, exposing nothing, with `{}` in labels for its name.
fn container(name: &str, labels: &[&str]) -> SimulatedContainer {
    let mut container = SimulatedContainer::bridged(name, "172.18.0.2", &[]);
    for label in labels {
        let label = label.replace("{}", name);
        let (label, value) = label.split_once('=').expect("key=value");
        container = container.label(label, value);
    }
    container
}

/// A web service with a rule of its own.
fn web(name: &str, labels: &[&str]) -> SimulatedContainer {
    let common = [
        "traefik.enable=true",
        "traefik.http.routers.{}.rule=Host(`{}.example`)",
        "traefik.http.routers.{}.entrypoints=web",
        "traefik.http.services.{}.loadbalancer.server.port=8080",
    ];
    container(name, &[&common[..], labels].concat())
}

fn tcp(name: &str, labels: &[&str]) -> SimulatedContainer {
    let common = [
        "traefik.enable=true",
        "traefik.tcp.routers.{}.entrypoints=tcp-5432",
        "traefik.tcp.services.{}.loadbalancer.server.port=5432",
    ];
    container(name, &[&common[..], labels].concat())
}

fn udp(name: &str, tcp_ports: &[u16], udp_ports: &[u16]) -> SimulatedContainer {
    let labels = [
        "traefik.enable=true",
        "traefik.udp.routers.{}.entrypoints=udp-51820",
    ];
    SimulatedContainer {
        ports: tcp_ports.to_vec(),
        udp_ports: udp_ports.to_vec(),
        ..container(name, &labels)
    }
}

const WEB: &[&str] = &["web"];
const HERE: &str = "http://172.18.0.2:8080";

/// Labels of routes without `traefik.enable`: people leave it out, and the route that a service has
/// without labels is not the one that they describe.
#[tokio::test]
async fn labels_of_routes_are_never_passed_over() {
    let without = |name: &str, labels: &[&str]| {
        let auto = [
            "rediacc.service_name={}",
            "rediacc.service_port=8080",
            "rediacc.service_ip=172.18.0.2",
        ];
        container(name, &[&auto[..], labels].concat())
    };
    let missing = Refused("", "`traefik.enable` is not among them");
    check(vec![
        Report {
            router: "login",
            container: without(
                "login",
                &[
                    "traefik.http.routers.{}.rule=Host(`{}.example`)",
                    "traefik.http.routers.{}.entrypoints=web",
                    "traefik.http.routers.{}.middlewares={}",
                    "traefik.http.middlewares.{}.basicauth.users=me:$apr1$x",
                ],
            ),
            given: missing,
            theirs: NoRouter,
        },
        Report {
            router: "allowed",
            container: without(
                "allowed",
                &["traefik.http.middlewares.{}.ipallowlist.sourcerange=10.0.0.0/8"],
            ),
            given: missing,
            theirs: NoRouter,
        },
        Report {
            router: "raw",
            container: without("raw", &["traefik.tcp.routers.{}.rule=HostSNI(`*`)"]),
            given: missing,
            theirs: NoRouter,
        },
        Report {
            router: "old",
            container: without("old", &["traefik.frontend.auth.basic=me:$apr1$x"]),
            given: missing,
            theirs: NoRouter,
        },
        Report {
            router: "capital",
            container: without("capital", &["Traefik.Http.Routers.{}.Rule=Host(`x`)"]),
            given: missing,
            theirs: NoRouter,
        },
        Report {
            router: "blank",
            container: without("blank", &[" traefik.enable=true"]),
            given: missing,
            theirs: NoRouter,
        },
        Report {
            router: "shouted",
            container: without("shouted", &["TRAEFIK.ENABLE=true"]),
            given: Refused("TRAEFIK.ENABLE", "begins with `TRAEFIK`"),
            theirs: NoRouter,
        },
        Report {
            router: "yes",
            container: without("yes", &["traefik.enable=yes"]),
            given: Refused("traefik.enable", "is not a boolean"),
            theirs: NoRouter,
        },
        Report {
            router: "unset",
            container: without("unset", &["traefik.enable="]),
            given: Refused("traefik.enable", "is not a boolean"),
            theirs: NoRouter,
        },
        Report {
            router: "enabled",
            container: without("enabled", &["traefik.enabled=true"]),
            given: Refused("traefik.enabled", "there is no key `enabled`"),
            theirs: NoRouter,
        },
        Report {
            router: "reached",
            container: without("reached", &["traefik.docker.network=bridge"]),
            given: Served("http://172.18.0.2:8080", WEB),
            theirs: NoRouter,
        },
    ])
    .await;
}

/// Rules that Traefik 3 disables.
#[tokio::test]
async fn a_rule_that_traefik_disables_is_refused() {
    let refused = |router: &'static str, rule: &str, words: &'static str| Report {
        router,
        container: web(router, &[&format!("traefik.http.routers.{{}}.rule={rule}")]),
        given: Refused(".rule", words),
        theirs: Disabled,
    };
    let by_tcp = |router: &'static str, labels: &[&str], given: Given, theirs: Theirs| Report {
        router,
        container: tcp(router, labels),
        given,
        theirs,
    };
    check(vec![
        refused(
            "two",
            "Host(`c.test`, `d.test`)",
            "takes one argument, and has 2",
        ),
        refused(
            "paths",
            "Host(`c.test`) && PathPrefix(`/a`, `/b`)",
            "takes one argument",
        ),
        refused(
            "slash",
            "Host(`c.test`) && Path(`v1/items`)",
            "does not begin with `/`",
        ),
        refused(
            "star",
            "Host(`c.test`) && PathPrefix(`*`)",
            "does not begin with `/`",
        ),
        refused(
            "headers",
            "HeadersRegexp(`Accept`, `json`)",
            "a matcher of Traefik 2",
        ),
        refused(
            "header",
            "Host(`c.test`) && Header(`X-Only`)",
            "takes 2 arguments, and has 1",
        ),
        refused(
            "pattern",
            "HostRegexp(`*.c.test`)",
            "a repetition repeats nothing",
        ),
        refused("ahead", "PathRegexp(`^/(?!admin)`)", "Go has no look-ahead"),
        refused("methods", "Method(`GET`, `HEAD`)", "takes one argument"),
        refused(
            "client",
            "Host(`c.test`) && ClientIP(`192.168.1`)",
            "neither an IP address",
        ),
        refused(
            "mixed",
            "Host(`c.test`) || HostSNI(`c.test`)",
            "a matcher of TCP",
        ),
        refused("letters", "HostRegexp(`^bücher\\.test$`)", "not ASCII"),
        Report {
            router: "idn",
            container: web(
                "idn",
                &["traefik.http.routers.{}.rule=Host(`bücher.test`) && PathPrefix(`/ü`)"],
            ),
            given: ServedBut(HERE, WEB, ".rule", "xn--bcher-kva.test"),
            theirs: Disabled,
        },
        Report {
            router: "syntax",
            container: web(
                "syntax",
                &[
                    "traefik.http.routers.{}.rule=Host(`c.test`, `d.test`)",
                    "traefik.http.routers.{}.rulesyntax=v2",
                ],
            ),
            given: Refused(".rulesyntax", "the syntax of Traefik 2"),
            theirs: Same("enabled"),
        },
        by_tcp(
            "plain",
            &["traefik.tcp.routers.{}.rule=HostSNI(`db.test`)"],
            Refused(".rule", "the router has no TLS"),
            Disabled,
        ),
        by_tcp(
            "wild",
            &["traefik.tcp.routers.{}.rule=HostSNI(`*.test`)"],
            Refused(".rule", "the router has no TLS"),
            Disabled,
        ),
        by_tcp(
            "http",
            &["traefik.tcp.routers.{}.rule=Host(`db.test`)"],
            Refused(".rule", "a matcher of HTTP"),
            Disabled,
        ),
        by_tcp(
            "any",
            &["traefik.tcp.routers.{}.rule=HostSNI(`*`)"],
            Served("172.18.0.2:5432", &["tcp-5432"]),
            Same("enabled"),
        ),
        by_tcp(
            "secure",
            &[
                "traefik.tcp.routers.{}.rule=HostSNI(`db.test`)",
                "traefik.tcp.routers.{}.tls.passthrough=true",
            ],
            Served("172.18.0.2:5432", &["tcp-5432"]),
            Same("enabled"),
        ),
    ])
    .await;
}

/// Where UDP services are that say no port.
#[tokio::test]
async fn a_udp_service_is_at_a_udp_port() {
    check(vec![
        Report {
            router: "vpn",
            container: udp("vpn", &[8888], &[4500]),
            given: Served("172.18.0.2:4500", &["udp-51820"]),
            theirs: Same("enabled"),
        },
        Report {
            router: "game",
            container: udp("game", &[80], &[27015, 27016]),
            given: Served("172.18.0.2:27015", &["udp-51820"]),
            // The lowest of all, whatever the protocol.
            theirs: Other("172.18.0.2:80"),
        },
    ])
    .await;
    check(vec![Report {
        router: "only",
        container: udp("only", &[], &[123]),
        given: Served("172.18.0.2:123", &["udp-51820"]),
        theirs: Same("enabled"),
    }])
    .await;
    check(vec![Report {
        router: "dual",
        container: SimulatedContainer {
            ports: vec![8080],
            udp_ports: vec![443],
            ..container(
                "dual",
                &[
                    "traefik.enable=true",
                    "traefik.http.routers.{}.rule=Host(`{}.example`)",
                    "traefik.http.routers.{}.entrypoints=web",
                ],
            )
        },
        given: Served("http://172.18.0.2:8080", WEB),
        theirs: Other("http://172.18.0.2:443"),
    }])
    .await;
}

/// On which network a container is reached.
#[tokio::test]
async fn a_container_is_reached_on_the_network_that_its_label_names() {
    let on_two = |name: &str, labels: &[&str]| SimulatedContainer {
        network: "back",
        address: "192.168.7.3",
        more_networks: vec![("edge", "172.30.0.9"), ("shop_front", "172.31.0.9")],
        ..web(name, labels)
    };
    check(vec![
        Report {
            router: "named",
            container: on_two("named", &["traefik.docker.network=edge"]),
            given: Served("http://172.30.0.9:8080", WEB),
            theirs: Same("enabled"),
        },
        Report {
            router: "cased",
            container: on_two("cased", &["traefik.Docker.Network=shop_front"]),
            given: Served("http://172.31.0.9:8080", WEB),
            theirs: Same("enabled"),
        },
        Report {
            router: "prefixed",
            container: on_two(
                "prefixed",
                &[
                    "traefik.docker.network=front",
                    "com.docker.compose.project=shop",
                ],
            ),
            given: ServedBut(
                "http://172.31.0.9:8080",
                WEB,
                "traefik.docker.network",
                "not on a network `front`",
            ),
            // Any of the three.
            theirs: Open,
        },
        Report {
            router: "guessed",
            container: on_two("guessed", &[]),
            given: ServedBut(
                "http://192.168.7.3:8080",
                WEB,
                "traefik.docker.network",
                "`back` is taken",
            ),
            theirs: Open,
        },
        Report {
            router: "mistaken",
            container: web("mistaken", &["traefik.docker.network=brigde"]),
            given: ServedBut(
                HERE,
                WEB,
                "traefik.docker.network",
                "not on a network `brigde`",
            ),
            theirs: Same("enabled"),
        },
    ])
    .await;
}

/// Containers on the network of another one, as behind a VPN.
#[tokio::test]
async fn a_container_is_reached_at_the_address_of_the_one_it_stands_behind() {
    let vpn = |name: &str| SimulatedContainer::bridged(name, "172.18.0.44", &[]);
    let behind = |name: &str, other: &'static str| SimulatedContainer {
        network_of: Some(other),
        ..web(name, &[])
    };
    let stopped = SimulatedContainer {
        state: "exited",
        status: "Exited (0) 2 minutes ago",
        ..vpn("gone")
    };
    let two_nets = SimulatedContainer {
        more_networks: vec![("a-net", "172.20.0.3"), ("z-net", "172.21.0.3")],
        ..vpn("chooser").label("traefik.docker.network", "z-net")
    };
    let reports = vec![
        Report {
            router: "torrent",
            container: behind("torrent", "vpn"),
            given: Served("http://172.18.0.44:8080", WEB),
            theirs: Same("enabled"),
        },
        Report {
            router: "chained",
            container: behind("chained", "torrent"),
            given: Served("http://172.18.0.44:8080", WEB),
            theirs: Same("enabled"),
        },
        Report {
            router: "chosen",
            container: behind("chosen", "chooser"),
            given: Served("http://172.21.0.3:8080", WEB),
            theirs: Same("enabled"),
        },
        Report {
            router: "orphan",
            container: behind("orphan", "gone"),
            given: Refused("", "on the network of the container `gone`"),
            // A stopped container's address, as it was.
            theirs: Open,
        },
        Report {
            router: "stray",
            container: behind("stray", "nobody"),
            given: Refused("", "on the network of the container `nobody`"),
            theirs: NoRouter,
        },
    ];
    check_with(reports, vec![vpn("vpn"), stopped, two_nets]).await;
}

/// A router with an entry point that the machine does not have.
#[tokio::test]
async fn a_missing_entry_point_costs_only_itself() {
    let on = |name: &str, entrypoints: &str| {
        web(
            name,
            &[&format!(
                "traefik.http.routers.{{}}.entrypoints={entrypoints}"
            )],
        )
    };
    let two = web(
        "kept",
        &[
            "traefik.http.routers.{}-x.rule=Host(`{}-x.example`)",
            "traefik.http.routers.{}-x.entrypoints=https",
        ],
    );
    check(vec![
        Report {
            router: "matrix",
            container: on("matrix", "web,tcp-8449"),
            given: ServedBut(HERE, WEB, ".entrypoints", "no entry point `tcp-8449`"),
            theirs: Same("warning"),
        },
        Report {
            router: "slip",
            container: on("slip", "websecur, web"),
            given: ServedBut(
                HERE,
                WEB,
                ".entrypoints",
                "there is no entry point `websecur`",
            ),
            theirs: Same("warning"),
        },
        Report {
            router: "other",
            container: on("other", "web,udp-53"),
            given: ServedBut(HERE, WEB, ".entrypoints", "not an entry point for HTTP"),
            // It opens HTTP on a UDP port that nobody reaches.
            theirs: Open,
        },
        Report {
            router: "kept",
            container: two,
            given: ServedBut(
                HERE,
                WEB,
                "kept-x.entrypoints",
                "there is no entry point `https`",
            ),
            theirs: Same("enabled"),
        },
        Report {
            router: "nowhere",
            container: on("nowhere", "https,http"),
            given: Refused(".entrypoints", "has no other, and is not served"),
            theirs: Disabled,
        },
        Report {
            router: "db",
            container: tcp(
                "db",
                &[
                    "traefik.tcp.routers.{}.rule=HostSNI(`*`)",
                    "traefik.tcp.routers.{}.entrypoints=tcp-5432,tcp-5433",
                ],
            ),
            given: ServedBut(
                "172.18.0.2:5432",
                &["tcp-5432"],
                ".entrypoints",
                "no entry point `tcp-5433`",
            ),
            theirs: Same("warning"),
        },
        Report {
            router: "dns",
            container: SimulatedContainer {
                udp_ports: vec![53],
                ..container(
                    "dns",
                    &[
                        "traefik.enable=true",
                        "traefik.udp.routers.{}.entrypoints=udp-53,udp-5353,web",
                    ],
                )
            },
            given: ServedBut(
                "172.18.0.2:53",
                &["udp-53"],
                ".entrypoints",
                "`web` is not an entry point for UDP",
            ),
            theirs: Open,
        },
    ])
    .await;
}

/// What `docker compose run` starts has the labels of the service, and is none of it.
#[tokio::test]
async fn a_one_off_takes_nothing_from_its_service() {
    let one_off = |mark: &str| SimulatedContainer {
        created: 1,
        ..web(
            "task",
            &[
                "traefik.http.routers.shop.rule=Host(`shop.test`)",
                "traefik.http.routers.shop.entrypoints=web",
                &format!("com.docker.compose.oneoff={mark}"),
            ],
        )
    };
    for mark in ["True", "true", "TRUE"] {
        let service = web(
            "shop",
            &[
                "traefik.http.routers.{}.rule=Host(`shop.test`) || Host(`www.shop.test`)",
                "com.docker.compose.oneoff=False",
            ],
        );
        let reports = vec![
            Report {
                router: "shop",
                container: service,
                given: Served(HERE, WEB),
                // Both are deleted.
                theirs: NoRouter,
            },
            Report {
                router: "task",
                container: one_off(mark),
                given: Nothing,
                theirs: Open,
            },
        ];
        check(reports).await;
    }
}

/// What a name or an element of a list cannot hold: Traefik's reader of labels takes it, and its
/// reader of documents takes something else for it, or nothing at all, and that of everybody.
#[tokio::test]
async fn what_the_two_readers_take_for_different_things_costs_its_router() {
    let long: &'static str = Box::leak("w".repeat(1_100).into_boxed_str());
    let rule = format!("traefik.http.routers.{long}.rule=Host(`long.example`)");
    let entrypoint = format!("traefik.http.routers.{long}.entrypoints=web");
    let service = "traefik.http.services.long.loadbalancer.server.port=8080";
    check(vec![
        Report {
            router: long,
            container: container(
                "long",
                &["traefik.enable=true", &rule, &entrypoint, service],
            ),
            given: Refused("", "128"),
            theirs: Same("enabled"),
        },
        Report {
            router: "split",
            container: web(
                "split",
                &[
                    "traefik.http.routers.{}.middlewares=tok-2880║{}",
                    "traefik.http.middlewares.{}.compress=true",
                ],
            ),
            given: Refused("split.middlewares", "║"),
            theirs: Disabled,
        },
        Report {
            router: "entry",
            container: web(
                "entry",
                &["traefik.http.routers.{}.entrypoints=web║websecure"],
            ),
            given: Refused("entry.entrypoints", "║"),
            theirs: Disabled,
        },
    ])
    .await;
}

/// A middleware that a router names and does not have: it is not served without it.
#[tokio::test]
async fn a_router_is_not_served_without_what_it_names() {
    check(vec![
        Report {
            router: "case",
            container: web(
                "case",
                &[
                    "traefik.http.routers.{}.middlewares=mymw",
                    "traefik.http.middlewares.MyMW.compress=true",
                ],
            ),
            given: Refused("case.middlewares", "`mymw` is defined nowhere"),
            theirs: Disabled,
        },
        Report {
            router: "chain",
            container: web(
                "chain",
                &[
                    "traefik.http.routers.{}.middlewares={}",
                    "traefik.http.middlewares.{}.chain.middlewares=auth",
                ],
            ),
            given: Refused("chain.middlewares", "`auth`"),
            theirs: Disabled,
        },
        Report {
            router: "first",
            container: web(
                "first",
                &[
                    "traefik.http.routers.{}.middlewares=,{}",
                    "traefik.http.middlewares.{}.compress=true",
                ],
            ),
            given: Refused("first.middlewares", "empty"),
            theirs: Disabled,
        },
        Report {
            router: "last",
            container: web(
                "last",
                &[
                    "traefik.http.routers.{}.middlewares={}, ",
                    "traefik.http.middlewares.{}.compress=true",
                ],
            ),
            given: Refused("last.middlewares", "empty"),
            theirs: Disabled,
        },
    ])
    .await;
}
