//! The problems of whole statuses.

use super::problems::{Severity, problems};
use crate::bundle::{
    Certificate, CertificateContent, Counts, Daemon, Installed, Kept, Listening, Obstacle, Part,
    RouteServer, Status, Unfinished, Unit,
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
            daemons: Vec::new(),
        }),
        certificates: Part::Known(vec![certificate(80, 90, Some(true))]),
        obstacles: Part::Known(Vec::new()),
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
        (-1, 90, Some(true), Some((Error, expired.to_owned()))),
        (-1, 90, None, Some((Error, expired.to_owned()))),
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
