//! Which entry points a router listens on: those its labels name, as far as this machine has them.

mod named;

use named::{Carried, Settled, named, present};

use super::{Problem, RouteSettings, resolver_name};
use crate::traefik::dynamic::{DynamicConfig, Router, RouterTls, Switch, TcpRouter, UdpRouter};
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Settles the entry points of every router. Those that the machine has not are left out and told
/// of. A router left without any would listen on all of Traefik's: it is gone from the
/// configuration.
pub(super) fn assign(config: &mut DynamicConfig, settings: &RouteSettings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let DynamicConfig {
        http,
        tcp,
        udp,
        tls: _,
    } = config;
    http.routers.retain(|name, router| {
        let label = format!("traefik.http.routers.{name}.entrypoints");
        let settled = http_entrypoints(router, &label, settings);
        keep(&mut router.entry_points, settled, &mut problems)
    });
    tcp.routers.retain(|name, router| {
        let label = format!("traefik.tcp.routers.{name}.entrypoints");
        let settled = tcp_entrypoints(router, name, &label, settings);
        keep(&mut router.entry_points, settled, &mut problems)
    });
    udp.routers.retain(|name, router| {
        let label = format!("traefik.udp.routers.{name}.entrypoints");
        let settled = udp_entrypoints(router, name, &label, settings);
        keep(&mut router.entry_points, settled, &mut problems)
    });
    problems
}

/// Sets what was settled. Whether the router stays.
fn keep(entrypoints: &mut Vec<String>, settled: Settled, problems: &mut Vec<Problem>) -> bool {
    *entrypoints = settled.names;
    problems.extend(settled.problems);
    !entrypoints.is_empty()
}

fn http_entrypoints(router: &mut Router, label: &str, settings: &RouteSettings) -> Settled {
    if named(&router.entry_points).next().is_some() {
        return present(&router.entry_points, label, Carried::HttpOrTcp, settings);
    }
    let wants_tls = settings.cert_resolver.is_some() || router.tls.on().is_some();
    let (names, secure) = match default_web(settings, wants_tls) {
        Ok(found) => found,
        Err(problem) => return Settled::refused(problem),
    };
    // The labels did not choose HTTPS, so they cannot be expected to ask for TLS.
    if secure && router.tls.on().is_none() {
        router.tls = Switch::On(RouterTls {
            cert_resolver: resolver_name(settings),
            ..RouterTls::default()
        });
    }
    Settled {
        names,
        problems: Vec::new(),
    }
}

fn tcp_entrypoints(
    router: &TcpRouter,
    name: &str,
    label: &str,
    settings: &RouteSettings,
) -> Settled {
    let has_tls = router.tls.on().is_some();
    if named(&router.entry_points).next().is_none() {
        return match default_web(settings, true) {
            Ok((names, _)) if has_tls => Settled {
                names,
                problems: Vec::new(),
            },
            Err(problem) if has_tls => Settled::refused(problem),
            // Plain TCP has no name to be told apart by: on a shared entry point it would take
            // the connections of everybody else.
            _ => Settled::refused(
                Problem::of_label(
                    label,
                    format!("the TCP router `{name}` names no entry point"),
                )
                .hint(format!("add the label `{label}=tcp-<port>`")),
            ),
        };
    }
    let mut settled = present(&router.entry_points, label, Carried::HttpOrTcp, settings);
    if !has_tls {
        // Plain TCP is served before HTTP, whose requests would never be seen.
        let (shared, own) = std::mem::take(&mut settled.names)
            .into_iter()
            .partition(|name| is_webs(name));
        settled.names = own;
        let refused = shared.into_iter().map(|name: String| {
            Problem::of_label(
                label,
                format!("plain TCP on `{name}` would take the connections of all HTTP routers"),
            )
            .hint("name an entry point of its own, as tcp-<port>, or set tls")
        });
        // One that is refused in both families is one to whoever wrote it.
        settled.problems.extend(refused.take(1));
    }
    settled
}

fn udp_entrypoints(
    router: &UdpRouter,
    name: &str,
    label: &str,
    settings: &RouteSettings,
) -> Settled {
    if named(&router.entry_points).next().is_none() {
        return Settled::refused(
            Problem::of_label(
                label,
                format!("the UDP router `{name}` names no entry point"),
            )
            .hint(format!("add the label `{label}=udp-<port>`")),
        );
    }
    present(&router.entry_points, label, Carried::Udp, settings)
}

/// The entry points of HTTPS if the machine has them and they are wanted, else those of HTTP; and
/// whether it is HTTPS.
pub(super) fn default_web(
    settings: &RouteSettings,
    secure: bool,
) -> Result<(Vec<String>, bool), Problem> {
    let candidates: &[Listener] = match secure {
        true => &[Listener::WebSecure, Listener::Web],
        false => &[Listener::Web],
    };
    for listener in candidates {
        let names = names_of(*listener, settings);
        if !names.is_empty() {
            return Ok((names, *listener == Listener::WebSecure));
        }
    }
    Err(Problem::new("this machine has no entry point for HTTP")
        .hint("run rdc context set-infra MACHINE --public-ipv4 …, then push-infra"))
}

/// The entry points of a listener that the machine has, of both families.
pub(super) fn names_of(listener: Listener, settings: &RouteSettings) -> Vec<String> {
    FAMILIES
        .map(|family| Entrypoint::new(listener, family))
        .iter()
        .filter(|entrypoint| settings.entrypoints.contains(entrypoint))
        .map(ToString::to_string)
        .collect()
}

/// Whether an entry point is one that the HTTP routers of all repositories share.
fn is_webs(name: &str) -> bool {
    let entrypoint: Result<Entrypoint, _> = name.parse();
    entrypoint.is_ok_and(|one| matches!(one.listener, Listener::Web | Listener::WebSecure))
}
