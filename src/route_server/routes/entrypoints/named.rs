//! The entry points that a router's labels name: which of them the machine has, and what to say of
//! the others.

use super::{FAMILIES, Problem, RouteSettings};
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};
use crate::traefik::labels;

/// What became of a router's entry points.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) names: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

impl Settled {
    pub(super) fn refused(problem: Problem) -> Self {
        Self {
            names: Vec::new(),
            problems: vec![problem],
        }
    }
}

pub(super) fn named(entrypoints: &[String]) -> impl Iterator<Item = &str> {
    entrypoints
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
}

/// What entry points carry for a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    HttpOrTcp,
    Udp,
}

/// Those of the named entry points that the machine has, and `tcp-25-v6` for `tcp-25`.
pub(super) fn present(
    entrypoints: &[String],
    label: &str,
    carried: Carried,
    settings: &RouteSettings,
) -> Settled {
    let mut kept: Vec<Entrypoint> = Vec::with_capacity(entrypoints.len() + 1);
    let mut missing: Vec<Missing<'_>> = Vec::new();
    for name in named(entrypoints) {
        match find(name, carried, settings) {
            Ok(found) => {
                for entrypoint in found {
                    if !kept.contains(&entrypoint) {
                        kept.push(entrypoint);
                    }
                }
            }
            Err(reason) => missing.push(reason),
        }
    }
    let names: Vec<_> = kept.iter().map(ToString::to_string).collect();
    let rest = match names.is_empty() {
        true => "the router has no other, and is not served",
        false => "the router is served without it",
    };
    let mut problems: Vec<_> = missing
        .iter()
        .map(|missing| missing.problem(label, rest, settings))
        .collect();
    problems.dedup();
    if names.is_empty() && problems.is_empty() {
        problems.push(
            Problem::of_label(
                label,
                "this machine has none of the named entry points in their address family",
            )
            .hint("name the entry points of both families, as in `websecure,websecure-v6`"),
        );
    }
    Settled { names, problems }
}

/// The entry points that a name stands for. None where the machine has it in the other family alone:
/// that is left out quietly.
fn find<'n>(
    name: &'n str,
    carried: Carried,
    settings: &RouteSettings,
) -> Result<Vec<Entrypoint>, Missing<'n>> {
    let entrypoint: Entrypoint = name.parse().map_err(|_| Missing::Unknown(name))?;
    if entrypoint.listener.is_udp() != (carried == Carried::Udp) {
        return Err(Missing::OfAnotherProtocol(name, carried));
    }
    let families = FAMILIES.map(|family| Entrypoint::new(entrypoint.listener, family));
    let known = |entrypoint: &Entrypoint| settings.entrypoints.contains(entrypoint);
    if !families.iter().any(known) {
        return Err(Missing::NotRegistered(entrypoint));
    }
    let wanted = match entrypoint.listener {
        // A port is asked for by its number: who writes `tcp-25` means the machine's port 25.
        Listener::Tcp(_) | Listener::Udp(_) if entrypoint.family == Family::V4 => &families[..],
        _ => &[entrypoint][..],
    };
    Ok(wanted.iter().copied().filter(known).collect())
}

/// A name that stands for no entry point of the router.
#[derive(Clone, Copy, Debug)]
enum Missing<'n> {
    /// No entry point of ours is called so.
    Unknown(&'n str),
    OfAnotherProtocol(&'n str, Carried),
    NotRegistered(Entrypoint),
}

impl Missing<'_> {
    fn problem(self, label: &str, rest: &str, settings: &RouteSettings) -> Problem {
        match self {
            Self::Unknown(name) => {
                Problem::of_label(label, format!("there is no entry point `{name}`: {rest}"))
                    .hint(nearest(name, settings))
            }
            Self::OfAnotherProtocol(name, Carried::Udp) => Problem::of_label(
                label,
                format!("`{name}` is not an entry point for UDP: {rest}"),
            )
            .hint("name one of UDP, as udp-<port>"),
            Self::OfAnotherProtocol(name, Carried::HttpOrTcp) => Problem::of_label(
                label,
                format!("`{name}` is not an entry point for HTTP or TCP: {rest}"),
            )
            .hint("name web, websecure or tcp-<port>"),
            Self::NotRegistered(entrypoint) => {
                let option = match entrypoint.listener {
                    Listener::Tcp(port) => format!("--tcp-ports …,{port}"),
                    Listener::Udp(port) => format!("--udp-ports …,{port}"),
                    Listener::Web | Listener::WebSecure => "--public-ipv4 …".to_owned(),
                };
                let name = Entrypoint::new(entrypoint.listener, Family::V4);
                Problem::of_label(
                    label,
                    format!("this machine has no entry point `{name}`: {rest}"),
                )
                .hint(format!(
                    "run rdc context set-infra MACHINE {option}, then push-infra"
                ))
            }
        }
    }
}

/// What somebody may have meant, or what there is.
fn nearest(name: &str, settings: &RouteSettings) -> String {
    let names: Vec<String> = settings
        .entrypoints
        .iter()
        .map(ToString::to_string)
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // As they are called in most of what is written about Traefik.
    let usual = match name.to_ascii_lowercase().as_str() {
        "http" => Some("web"),
        "https" => Some("websecure"),
        _ => None,
    };
    let usual = usual.filter(|usual| names.contains(usual));
    match usual.or_else(|| labels::nearest(name, &names)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("this machine has {}", names.join(", ")),
    }
}
