//! Which entry points a router listens on: those its labels name, as far as this machine has them.

use super::{Problem, RouteSettings, resolver_name};
use crate::traefik::dynamic::{DynamicConfig, RouterTls, Switch};
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Settles the entry points of every router. A router left without any would listen on all of
/// Traefik's, so none is.
pub(super) fn assign(config: &mut DynamicConfig, settings: &RouteSettings) -> Result<(), Problem> {
    for (name, router) in &mut config.http.routers {
        let label = format!("traefik.http.routers.{name}.entrypoints");
        if named(&router.entry_points).next().is_none() {
            let wants_tls = settings.cert_resolver.is_some() || router.tls.on().is_some();
            let (entrypoints, secure) = default_web(settings, wants_tls)?;
            router.entry_points = entrypoints;
            // The labels did not choose HTTPS, so they cannot be expected to ask for TLS.
            if secure && router.tls.on().is_none() {
                router.tls = Switch::On(RouterTls {
                    cert_resolver: resolver_name(settings),
                    ..RouterTls::default()
                });
            }
        } else {
            router.entry_points = present(&router.entry_points, &label, false, settings)?;
        }
    }
    for (name, router) in &mut config.tcp.routers {
        let label = format!("traefik.tcp.routers.{name}.entrypoints");
        router.entry_points = if named(&router.entry_points).next().is_some() {
            let names = present(&router.entry_points, &label, false, settings)?;
            // Plain TCP is served before HTTP, whose requests would never be seen.
            if router.tls.on().is_none()
                && let Some(name) = names.iter().find(|name| is_webs(name))
            {
                return Err(Problem::of_label(
                    &label,
                    format!("plain TCP on `{name}` would take the connections of all HTTP routers"),
                )
                .hint("name an entry point of its own, as tcp-<port>, or set tls"));
            }
            names
        } else if router.tls.on().is_some() {
            default_web(settings, true)?.0
        } else {
            // Plain TCP has no name to be told apart by: on a shared entry point it would take
            // the connections of everybody else.
            return Err(Problem::of_label(
                &label,
                format!("the TCP router `{name}` names no entry point"),
            )
            .hint(format!("add the label `{label}=tcp-<port>`")));
        };
    }
    for (name, router) in &mut config.udp.routers {
        let label = format!("traefik.udp.routers.{name}.entrypoints");
        if named(&router.entry_points).next().is_none() {
            return Err(Problem::of_label(
                &label,
                format!("the UDP router `{name}` names no entry point"),
            )
            .hint(format!("add the label `{label}=udp-<port>`")));
        }
        router.entry_points = present(&router.entry_points, &label, true, settings)?;
    }
    Ok(())
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

fn named(entrypoints: &[String]) -> impl Iterator<Item = &str> {
    entrypoints
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
}

/// Those of the named entry points that the machine has, and `tcp-25-v6` for `tcp-25`.
fn present(
    entrypoints: &[String],
    label: &str,
    udp: bool,
    settings: &RouteSettings,
) -> Result<Vec<String>, Problem> {
    let mut kept: Vec<Entrypoint> = Vec::with_capacity(entrypoints.len() + 1);
    let mut keep = |entrypoint: Entrypoint| {
        if !kept.contains(&entrypoint) {
            kept.push(entrypoint);
        }
    };
    for name in named(entrypoints) {
        let entrypoint: Entrypoint = name
            .parse()
            .map_err(|error| Problem::of_label(label, format!("{error}")))?;
        if entrypoint.listener.is_udp() != udp {
            let protocol = if udp { "UDP" } else { "HTTP or TCP" };
            return Err(Problem::of_label(
                label,
                format!("`{name}` is not an entry point for {protocol}"),
            ));
        }
        let families = FAMILIES.map(|family| Entrypoint::new(entrypoint.listener, family));
        let known = |entrypoint: &Entrypoint| settings.entrypoints.contains(entrypoint);
        if !families.iter().any(known) {
            return Err(not_registered(label, entrypoint));
        }
        let wanted = match entrypoint.listener {
            // A port is asked for by its number: who writes `tcp-25` means the machine's port 25.
            Listener::Tcp(_) | Listener::Udp(_) if entrypoint.family == Family::V4 => &families[..],
            _ => &[entrypoint][..],
        };
        wanted.iter().copied().filter(known).for_each(&mut keep);
    }
    if kept.is_empty() {
        return Err(Problem::of_label(
            label,
            "this machine has none of the named entry points in their address family",
        )
        .hint("name the entry points of both families, as in `websecure,websecure-v6`"));
    }
    Ok(kept.iter().map(ToString::to_string).collect())
}

fn not_registered(label: &str, entrypoint: Entrypoint) -> Problem {
    let option = match entrypoint.listener {
        Listener::Tcp(port) => format!("--tcp-ports …,{port}"),
        Listener::Udp(port) => format!("--udp-ports …,{port}"),
        Listener::Web | Listener::WebSecure => "--public-ipv4 …".to_owned(),
    };
    let name = Entrypoint::new(entrypoint.listener, Family::V4);
    Problem::of_label(label, format!("this machine has no entry point `{name}`")).hint(format!(
        "run rdc context set-infra MACHINE {option}, then push-infra"
    ))
}
