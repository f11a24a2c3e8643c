//! The problems of whole statuses.

use super::problems::{Severity, problems};
use crate::bundle::{
    Attempt, Certificate, CertificateContent, Counts, Daemon, FailedAttempt, Https, Installed,
    Kept, Listening, Obstacle, Part, RouteServer, Served, Status, Uncertified, Unfinished, Unit,
};

fn unit(name: &str, state: &str) -> Unit {
    Unit {
        name: name.to_owned(),
        state: state.to_owned(),
        enabled: true,
        since: None,
        restarts: 0,
    }
}

fn listening(name: &str, listens: bool) -> Listening {
    Listening {
        name: name.parse().expect("an entry point"),
        address: "203.0.113.50:443".parse().expect("an address"),
        listens,
    }
}

fn installed() -> Part<Installed> {
    Part::Known(Installed {
        path: "/usr/lib/rediacc/renet/1/renet".into(),
        version: Part::Known("1.0".to_owned()),
    })
}

fn certificate(days_left: i64, lifetime_days: i64, routed: Option<bool>) -> Certificate {
    Certificate {
        resolver: "letsencrypt".to_owned(),
        main: "app.example.test".to_owned(),
        content: Part::Known(CertificateContent {
            names: vec!["app.example.test".to_owned()],
            issuer: "Test".to_owned(),
            not_before: "then".to_owned(),
            not_after: "now".to_owned(),
            lifetime_days,
            days_left,
        }),
        routed,
    }
}

fn well() -> Status {
    Status {
        generation: Part::Known(Some(2)),
        kept: Part::Known(vec![Kept {
            number: 2,
            pushed: None,
        }]),
        transaction: Part::Known(None),
        drift: Part::Known(Vec::new()),
        renet: installed(),
        traefik: installed(),
        units: Part::Known(vec![
            unit("rediacc-router.service", "active"),
            unit("rediacc-proxy.service", "active"),
        ]),
        entrypoints: Part::Known(vec![listening("websecure", true)]),
        route_server: Part::Known(RouteServer {
            status: "ok".to_owned(),
            routers: Counts::default(),
            rejections: 0,
            warnings: 0,
            daemons: Vec::new(),
        }),
        certificates: Part::Known(vec![certificate(80, 90, Some(true))]),
        https: Part::Known(Https {
            valid: 1,
            ..Https::default()
        }),
        obstacles: Part::Known(Vec::new()),
        firewall: Part::Known(Vec::new()),
    }
}

fn unknown<T>(error: &str) -> Part<T> {
    Part::Unknown {
        error: error.to_owned(),
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Status), expected: &[(Severity, &str)]) {
    let mut status = well();
    change(&mut status);
    let name = "server-1".parse().expect("a name");
    let found = problems(&status, &name);
    let found: Vec<(Severity, &str)> = found
        .iter()
        .map(|problem| (problem.severity, problem.message.as_str()))
        .collect();
    assert_eq!(found, expected);
}

use Severity::{Error, Warning};

#[test]
fn a_machine_on_which_all_serves_has_no_problem() {
    check(|_| {}, &[]);
}

#[test]
fn of_a_machine_without_a_push_nothing_else_is_said() {
    let nothing = [(Error, "nothing is pushed to server-1")];
    check(
        |status| {
            status.generation = Part::Known(None);
            status.units = Part::Known(vec![unit("rediacc-proxy.service", "inactive")]);
            status.route_server = unknown("it does not answer");
        },
        &nothing,
    );
}

#[test]
fn what_does_not_serve_is_an_error() {
    check(
        |status| {
            status.units = Part::Known(vec![
                unit("rediacc-router.service", "active"),
                unit("rediacc-proxy.service", "failed"),
            ]);
            status.entrypoints = Part::Known(vec![listening("websecure", false)]);
        },
        &[
            (Error, "rediacc-proxy.service is failed"),
            (Error, "nobody listens for websecure (203.0.113.50:443)"),
        ],
    );
    check(
        |status| status.kept = Part::Known(Vec::new()),
        &[(
            Error,
            "generation 2 is the live one, but its folder is gone",
        )],
    );
}

#[test]
fn a_route_server_that_does_not_run_is_not_said_to_be_silent_too() {
    check(
        |status| {
            status.units = Part::Known(vec![unit("rediacc-router.service", "inactive")]);
            status.route_server = unknown("it does not answer");
        },
        &[(Error, "rediacc-router.service is inactive")],
    );
    check(
        |status| status.route_server = unknown("it does not answer"),
        &[(Error, "it does not answer")],
    );
}

#[test]
fn many_entry_points_are_not_all_named() {
    check(
        |status| {
            let deaf = (1..=7).map(|port| listening(&format!("tcp-{port}"), false));
            status.entrypoints = Part::Known(deaf.collect());
        },
        &[(
            Error,
            "nobody listens for tcp-1 (203.0.113.50:443), tcp-2 (203.0.113.50:443), \
             tcp-3 (203.0.113.50:443), tcp-4 (203.0.113.50:443), tcp-5 (203.0.113.50:443) \
             and 2 more",
        )],
    );
}

#[test]
fn a_certificate_is_warned_of_before_it_ends_and_wrong_after() {
    let expired = "the certificate for app.example.test expired at now";
    let soon = |days| format!("the certificate for app.example.test expires in {days}");
    for (days, lifetime, routed, expected) in [
        (21, 90, Some(true), None),
        (20, 90, Some(true), Some((Warning, soon("20 days")))),
        (1, 90, None, Some((Warning, soon("1 day")))),
        (0, 90, None, Some((Warning, soon("less than a day")))),
        // What is served for the names is told apart.
        (-1, 90, Some(true), Some((Warning, expired.to_owned()))),
        (-1, 90, None, Some((Warning, expired.to_owned()))),
        (-1, 90, Some(false), Some((Warning, expired.to_owned()))),
        (2, 6, Some(true), None),
        (1, 6, Some(true), Some((Warning, soon("1 day")))),
    ] {
        let expected: Vec<(Severity, &str)> = expected
            .iter()
            .map(|(severity, message)| (*severity, message.as_str()))
            .collect();
        check(
            |status| {
                status.certificates = Part::Known(vec![certificate(days, lifetime, routed)]);
            },
            &expected,
        );
    }
}

#[test]
fn an_expired_certificate_is_an_error_where_it_cannot_be_told_what_is_served() {
    check(
        |status| {
            status.https = unknown("the route server does not answer");
            status.certificates = Part::Known(vec![certificate(-1, 90, Some(true))]);
        },
        &[(Error, "the certificate for app.example.test expired at now")],
    );
}

fn uncertified(name: &str, served: Served, attempt: Option<Attempt>) -> Uncertified {
    Uncertified {
        name: name.to_owned(),
        resolver: Some("letsencrypt".to_owned()),
        served,
        attempt,
    }
}

fn attempt(failed: Option<&str>, under_way: Option<&str>) -> Option<Attempt> {
    let failed = failed.map(|error| FailedAttempt {
        at: "noon".to_owned(),
        error: error.to_owned(),
    });
    Some(Attempt {
        failed,
        under_way: under_way.map(str::to_owned),
    })
}

#[test]
fn a_name_without_a_valid_certificate_is_an_error_unless_one_is_being_obtained() {
    let refused = || attempt(Some("refused"), None);
    let names = || vec!["b.test".to_owned()];
    for (served, attempt, severity, expected) in [
        (
            Served::Default,
            refused(),
            Error,
            "a.test has no valid certificate: Traefik's own one is served, which no client trusts; \
             Traefik failed to obtain one at noon: refused",
        ),
        (
            Served::Other { names: names() },
            attempt(Some("refused"), Some("one")),
            Error,
            "a.test has no valid certificate: the one that is served is for b.test; Traefik failed to \
             obtain one at noon (it tries again since one): refused",
        ),
        (
            Served::Default,
            attempt(None, Some("one")),
            Warning,
            "a.test has no valid certificate: Traefik's own one is served, which no client trusts; \
             one is being obtained since one",
        ),
        (
            Served::Expired {
                not_after: "noon".to_owned(),
            },
            None,
            Error,
            "a.test has no valid certificate: it expired at noon; Traefik tells of no attempt to obtain \
             one",
        ),
        (
            Served::Nothing {
                error: "timed out".to_owned(),
            },
            refused(),
            Error,
            "a.test has no valid certificate: Traefik shows none (timed out); Traefik failed to obtain \
             one at noon: refused",
        ),
        (
            Served::Untrusted {
                issuer: "(STAGING) X".to_owned(),
            },
            None,
            Warning,
            "the certificate for a.test is by `(STAGING) X`, whom browsers do not trust",
        ),
    ] {
        let wanting = vec![uncertified("a.test", served, attempt)];
        check(
            |status| {
                status.https = Part::Known(Https {
                    wanting,
                    ..Https::default()
                });
            },
            &[(severity, expected)],
        );
    }
}

#[test]
fn a_route_without_a_resolver_says_how_to_have_a_certificate() {
    let mut name = uncertified("a.test", Served::Default, None);
    name.resolver = None;
    check(
        |status| {
            status.https = Part::Known(Https {
                wanting: vec![name],
                ..Https::default()
            });
        },
        &[(
            Error,
            "a.test has no valid certificate: Traefik's own one is served, which no client trusts; no \
             route of it names a certificate resolver",
        )],
    );
}

#[test]
fn many_names_without_a_certificate_are_counted_and_a_traefik_that_is_down_has_none() {
    let https = |unasked| {
        let names = (1..=7).map(|number| {
            let issuer = String::new();
            uncertified(&number.to_string(), Served::Untrusted { issuer }, None)
        });
        Part::Known(Https {
            valid: 0,
            unasked,
            wanting: names.collect(),
        })
    };
    let told =
        |number: u8| format!("the certificate for {number} is by ``, whom browsers do not trust");
    let told: Vec<String> = (1..=5).map(told).collect();
    let mut expected: Vec<(Severity, &str)> = Vec::new();
    expected.extend(told.iter().map(|message| (Warning, message.as_str())));
    expected.push((
        Warning,
        "2 more names have no certificate that clients trust",
    ));
    expected.push((
        Warning,
        "the certificates of 9 names were not looked at: it would have taken too long",
    ));
    check(|status| status.https = https(9), &expected);
    check(
        |status| {
            status.https = https(0);
            status.units = Part::Known(vec![unit("rediacc-proxy.service", "failed")]);
        },
        &[(Error, "rediacc-proxy.service is failed")],
    );
}

#[test]
fn what_keeps_the_next_push_from_working_is_a_warning() {
    let obstacle = Obstacle {
        problem: "/etc is on a read-only file system".to_owned(),
        hint: "make it writable".to_owned(),
    };
    check(
        |status| status.obstacles = Part::Known(vec![obstacle]),
        &[(
            Warning,
            "the next push will not work: /etc is on a read-only file system",
        )],
    );
}

#[test]
fn a_push_under_way_is_no_error_and_one_that_was_cut_off_is() {
    for (at_work, expected) in [
        (
            true,
            (
                Warning,
                "a switch to generation 3 is under way at this moment",
            ),
        ),
        (false, (Error, "a switch to generation 3 was cut off")),
    ] {
        check(
            |status| {
                status.transaction = Part::Known(Some(Unfinished {
                    from: Some(2),
                    to: 3,
                    at_work,
                }));
            },
            &[expected],
        );
    }
}

#[test]
fn what_serves_but_not_as_it_should_is_a_warning() {
    let daemon = Daemon {
        socket: "/s".into(),
        network_id: Some(2816),
        state: "unreachable".to_owned(),
        since: "noon".to_owned(),
        containers: 1,
        error: Some("it hangs".to_owned()),
    };
    check(
        |status| {
            status.drift = Part::Known(vec!["/etc/a".into()]);
            if let Part::Known(server) = &mut status.route_server {
                server.rejections = 2;
                server.daemons = vec![daemon];
            }
            if let Part::Known(units) = &mut status.units {
                units[0].enabled = false;
            }
        },
        &[
            (Warning, "rediacc-router.service does not start at boot"),
            (
                Warning,
                "the daemon at /s is unreachable since noon: it hangs",
            ),
            (Warning, "2 containers and labels could not be used"),
            (Warning, "edited since it was pushed: /etc/a"),
        ],
    );
}
