//! The public addresses of a repository's services: the route server lists them, and requests through
//! Traefik show whether they answer.

mod ask;
mod listing;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use self::ask::{Asked, ask};
use self::listing::{Edge, Listing, Own, Question, Route};
use super::answers::Answer;
use super::children;
use super::rediaccfile::shown_lines;
use super::run::Said;
use crate::bundle::{Failure, RouteReport, Served, Uncertified};
use crate::layout;
use crate::machine::generation::{self, Generation};
use crate::machine::https;
use crate::machine::route_server::{self, SecureName};
use crate::network::NetworkId;

/// The time between two requests: neither Traefik nor the route server announces that a route is live.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long the route server may take to list the routes of a container that it knows.
const SETTLING: Duration = Duration::from_secs(2);
/// How long an automatic route may answer with an error: the service may not speak HTTP.
const AUTOMATIC: Duration = Duration::from_secs(3);
/// How long `explain` may take.
const EXPLAINING: Duration = Duration::from_secs(10);
/// How many addresses are requested in parallel.
const AT_ONCE: usize = 16;

/// The routes that were found.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) services: BTreeMap<String, OfService>,
    pub(super) warnings: Vec<String>,
}

/// The routes and rejections of one service.
#[derive(Debug, Default)]
pub(super) struct OfService {
    pub(super) routes: Vec<RouteReport>,
    pub(super) rejections: Vec<String>,
    /// Why its routes do not answer.
    pub(super) problem: Option<String>,
}

/// Waits until the routes of services answer, or their time is up.
pub(super) fn wait(
    id: NetworkId,
    answers: &[Answer],
    patience: Duration,
    said: &mut Said,
) -> Routes {
    let mut routes = Routes::default();
    let live = match generation::live() {
        Ok(live) => live.map(|live| live.generation),
        Err(failure) => {
            routes.warnings.push(failure.message);
            return routes;
        }
    };
    let wants = answers.iter().any(wants_route);
    let Some(live) = live else {
        if wants {
            routes.warnings.push(
                "labels ask for routes, but this machine has no Traefik: `rdc context push-infra \
                 MACHINE` installs it"
                    .to_owned(),
            );
        }
        return routes;
    };
    let edge = edge(&live);
    let by_container = match listed(id, answers, &edge, patience) {
        Ok(by_container) => by_container,
        Err(failure) => {
            if wants {
                routes.warnings.push(failure.message);
            }
            return routes;
        }
    };
    for answer in answers.iter().filter(|it| serves(it) && wants_route(it)) {
        let container = &answer.service.container.name;
        if !by_container.contains_key(container) {
            routes.warnings.push(format!(
                "{}: its labels ask for a route, but there is none: `renet route-server explain \
                 {container}` on the machine shows why",
                answer.service.name
            ));
        }
    }
    let ours: Vec<(&Answer, Own)> = by_container
        .into_iter()
        .filter_map(|(name, mut own)| {
            let answer = answers
                .iter()
                .find(|it| it.service.container.name == name)?;
            // A worker has an automatic route too, but nothing that listens behind it.
            let listens = |port: &u16| answer.ports.contains(port);
            own.routes
                .retain(|route| !route.is_auto || route.ports.iter().any(listens));
            Some((answer, own))
        })
        .collect();
    let all = || ours.iter().flat_map(|(_, own)| &own.routes);
    let questions: Vec<(&Question, bool)> = all()
        .filter_map(|route| Some((route.question.as_ref()?, route.is_auto)))
        .collect();
    if !questions.is_empty() {
        said.step(None, "wait for the public addresses");
    }
    let mut heard = ask_all(&questions, patience).into_iter();
    let uncertified = uncertified(&questions, heard.as_slice(), &live);
    for (answer, own) in ours {
        let service = &answer.service;
        let warnings = own.warnings.iter();
        let warnings = warnings.map(|text| format!("{}: {text}", service.name));
        routes.warnings.extend(warnings);
        let mut of_service = OfService {
            rejections: own.rejections,
            ..OfService::default()
        };
        for route in own.routes {
            let heard = route.question.as_ref().and_then(|_| heard.next());
            let Told {
                report,
                problem,
                warning,
            } = told(route, heard, &uncertified);
            of_service.routes.push(report);
            of_service.problem = of_service.problem.or(problem);
            routes.warnings.extend(warning);
        }
        let container = service.container.name.clone();
        routes.services.insert(container, of_service);
    }
    routes
}

/// The report on one route.
struct Told {
    report: RouteReport,
    problem: Option<String>,
    warning: Option<String>,
}

fn told(
    route: Route,
    heard: Option<Result<Asked, String>>,
    uncertified: &BTreeMap<String, String>,
) -> Told {
    let Route {
        url,
        is_auto,
        ports: _,
        question,
    } = route;
    let (answer, problem, mut warning) = match heard {
        None => (None, None, None),
        Some(Err(error)) => {
            let what = format!("{url} does not answer: {error}");
            if is_auto {
                (None, None, Some(what))
            } else {
                (None, Some(what), None)
            }
        }
        // Nobody wrote labels for it.
        Some(Ok(asked)) if is_auto && asked.status >= 500 => (None, None, None),
        Some(Ok(asked)) => {
            let problem = (asked.status >= 500).then(|| format!("{url} answers {}", asked.status));
            let warning = asked.may_be_no_route.then(|| {
                format!("{url} answers `404 page not found`, as Traefik does without a route")
            });
            (Some((asked.status, asked.seconds)), problem, warning)
        }
    };
    let host = question.map(|question| question.host).unwrap_or_default();
    if let (Some(_), Some(why)) = (answer, uncertified.get(&host)) {
        warning = Some(format!("no certificate yet for {host}: {why}"));
    }
    Told {
        report: RouteReport {
            url,
            is_auto,
            answer,
        },
        problem,
        warning,
    }
}

/// The addresses at which a generation's Traefik listens, and at which people reach it.
fn edge(live: &Generation) -> Edge {
    let listens = live.binds().into_iter();
    let settings = live.file(layout::ROUTER_ENV).unwrap_or_default();
    let settings = String::from_utf8_lossy(settings);
    let public = settings
        .lines()
        .find_map(|line| line.strip_prefix("REDIACC_PUBLIC_ADDRESSES="))
        .unwrap_or_default();
    let public = public
        .split(',')
        .filter_map(|text| text.trim().parse::<IpAddr>().ok());
    Edge {
        listens: listens
            .map(|bind| (bind.entrypoint.to_string(), bind.socket()))
            .collect::<BTreeMap<String, SocketAddr>>(),
        public: public.collect(),
    }
}

/// Whether a service's labels ask for a route.
fn wants_route(answer: &Answer) -> bool {
    let enable = answer.service.container.labels.get("traefik.enable");
    enable.is_some_and(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

/// The part of the route server's `/containers.json` that matters here.
#[derive(Debug, Deserialize)]
struct Containers {
    containers: Vec<KnownContainer>,
}

#[derive(Debug, Deserialize)]
struct KnownContainer {
    id: String,
    condition: String,
}

/// Waits until the route server knows all services, and returns what it lists of them.
fn listed(
    id: NetworkId,
    answers: &[Answer],
    edge: &Edge,
    patience: Duration,
) -> Result<BTreeMap<String, Own>, Failure> {
    let deadline = Instant::now() + patience;
    let mut known_since = None;
    loop {
        let now = Instant::now();
        match look(id, answers, edge) {
            Ok(seen) => {
                known_since = known_since
                    .filter(|_| seen.knows_all)
                    .or(seen.knows_all.then_some(now));
                // The labels may yield no route. That is known as fast as a route would be.
                let is_settled = known_since.is_some_and(|since| now - since >= SETTLING);
                if (seen.knows_all && seen.has_routes) || is_settled || now >= deadline {
                    return Ok(seen.own);
                }
            }
            Err(failure) if now >= deadline => return Err(failure),
            Err(_) => {}
        }
        thread::sleep(INTERVAL);
    }
}

/// What the route server lists at one moment.
struct Seen {
    own: BTreeMap<String, Own>,
    /// Whether it knows of all ready services that they are ready.
    knows_all: bool,
    /// Whether something is listed of each service whose labels ask for a route.
    has_routes: bool,
}

fn look(id: NetworkId, answers: &[Answer], edge: &Edge) -> Result<Seen, Failure> {
    // In this order, because routes are made of known containers.
    let known: Containers = route_server::read("/containers.json")?;
    let listing: Listing = route_server::read("/routes.json")?;
    let own = listing.of(id, edge);
    let ready: Vec<&str> = known
        .containers
        .iter()
        .filter(|it| it.condition == "ready")
        .map(|it| it.id.as_str())
        .collect();
    let is_known = |answer: &&Answer| {
        let container = &answer.service.container;
        ready.iter().any(|id| container.id.starts_with(id))
    };
    let has_route =
        |answer: &&Answer| !wants_route(answer) || own.contains_key(&answer.service.container.name);
    let serving = || answers.iter().filter(|it| serves(it));
    Ok(Seen {
        knows_all: serving().all(|it| is_known(&it)),
        has_routes: serving().all(|it| has_route(&it)),
        own,
    })
}

/// Whether a service answers and keeps running.
fn serves(answer: &Answer) -> bool {
    answer.problem.is_none() && answer.service.container.state.status == "running"
}

/// Repeats all requests until each answers as it should, or the time is up.
fn ask_all(questions: &[(&Question, bool)], patience: Duration) -> Vec<Result<Asked, String>> {
    let deadline = Instant::now() + patience;
    let mut heard = Vec::new();
    for some in questions.chunks(AT_ONCE) {
        heard.extend(thread::scope(|scope| {
            let asking: Vec<_> = some
                .iter()
                .map(|(question, is_auto)| {
                    scope.spawn(move || ask_until(question, *is_auto, deadline))
                })
                .collect();
            let joined = asking.into_iter().map(|asking| {
                asking
                    .join()
                    .unwrap_or_else(|_| Err("the question failed".to_owned()))
            });
            joined.collect::<Vec<_>>()
        }));
    }
    heard
}

fn ask_until(question: &Question, is_auto: bool, deadline: Instant) -> Result<Asked, String> {
    let automatic_deadline = Instant::now() + AUTOMATIC;
    loop {
        let asked = ask(question);
        let is_well = asked.as_ref().is_ok_and(|asked| is_well(question, asked));
        let is_other = asked.as_ref().is_ok_and(|asked| asked.status >= 500);
        let is_late = Instant::now() >= deadline
            || (is_auto && is_other && Instant::now() >= automatic_deadline);
        if is_well || is_late {
            return asked.map_err(|error| error.to_string());
        }
        thread::sleep(INTERVAL);
    }
}

fn is_well(question: &Question, asked: &Asked) -> bool {
    // Without a resolver, no certificate is obtained, and there is nothing to wait for.
    let is_certified = question.resolver.is_none() || !lacks_certificate(asked);
    asked.status < 500 && !asked.may_be_no_route && is_certified
}

/// Whether no valid certificate is served. One of a staging authority counts as valid: it was asked for.
fn lacks_certificate(asked: &Asked) -> bool {
    let served = asked.certificate.as_ref();
    served.is_some_and(|served| !matches!(served, Served::Untrusted { .. }))
}

/// The reasons why hosts have no certificate, by host.
fn uncertified(
    questions: &[(&Question, bool)],
    heard: &[Result<Asked, String>],
    live: &Generation,
) -> BTreeMap<String, String> {
    let lacking = questions
        .iter()
        .zip(heard)
        .filter(|(_, heard)| heard.as_ref().is_ok_and(lacks_certificate));
    let names: Vec<SecureName> = lacking
        .map(|((question, _), _)| SecureName {
            name: question.host.clone(),
            resolver: question.resolver.clone(),
            entrypoints: [question.entrypoint.clone()].into(),
        })
        .collect();
    if names.is_empty() {
        return BTreeMap::new();
    }
    let looked = https::look(&names, live).wanting.into_iter();
    looked.map(|it| (it.name.clone(), reason(&it))).collect()
}

fn reason(uncertified: &Uncertified) -> String {
    let attempt = uncertified.attempt.as_ref();
    let failed = attempt.and_then(|attempt| attempt.failed.as_ref());
    match (
        failed,
        attempt.and_then(|attempt| attempt.under_way.as_ref()),
    ) {
        (Some(failed), _) => failed.error.clone(),
        (None, Some(since)) => format!("Traefik is obtaining it since {since}"),
        (None, None) if uncertified.resolver.is_none() => {
            "its router names no certificate resolver, and no other certificate covers it"
                .to_owned()
        }
        (None, None) => "`rdc context status-infra MACHINE` may show why".to_owned(),
    }
}

/// What the route server explains about a container, line by line; nothing if it cannot be asked.
pub(super) fn explain(container: &str) -> Vec<String> {
    let has_edge = generation::live_number().is_ok_and(|live| live.is_some());
    let renet = super::own_program().ok().filter(|_| has_edge);
    let Some(renet) = renet else {
        return Vec::new();
    };
    let mut explain = Command::new(renet);
    explain.args(["route-server", "explain", container]);
    // It only illustrates a problem, which is reported without it if need be.
    children::output(&mut explain, EXPLAINING)
        .map(|said| {
            shown_lines(&if said.is_success {
                said.stdout
            } else {
                said.stderr
            })
        })
        .unwrap_or_default()
}
