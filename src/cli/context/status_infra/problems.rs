//! What is not as it should be on a machine, and the command that mends it. Pure.

mod uncertified;

use serde::Serialize;

use crate::bundle::{
    Certificate, CertificateContent, Daemon, Https, Installed, Listening, Obstacle, Part, Served,
    Status, Unfinished, Unit,
};
use crate::context::value::MachineName;
use crate::layout;

/// How many days before its end a certificate should have been renewed: Traefik begins at 30.
const RENEWED_DAYS: i64 = 21;
/// How many things of one kind are named.
const NAMED: usize = 5;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// Something does not serve.
    Error,
    /// It serves, and may not for long, or not as was pushed.
    Warning,
}

/// That there is nothing on a machine.
pub(super) fn nothing_pushed(name: &MachineName) -> Problem {
    error(
        format!("nothing is pushed to {name}"),
        push(name, "brings what is declared"),
    )
}

/// Everything that is not as it should be: what does not serve first.
pub(super) fn problems(status: &Status, name: &MachineName) -> Vec<Problem> {
    let Status {
        generation,
        kept,
        transaction,
        drift,
        renet,
        traefik,
        units,
        entrypoints,
        route_server,
        certificates,
        https,
        obstacles,
        firewall,
    } = status;
    let is_running = |unit: &str| {
        let units = units.known().into_iter().flatten();
        units
            .into_iter()
            .any(|known| known.name == unit && known.state == "active")
    };
    let mut problems = Vec::new();
    problems.extend(part(transaction, |transaction| {
        transaction
            .iter()
            .map(|transaction| unfinished(transaction, name))
            .collect()
    }));
    match generation {
        Part::Known(None) => {
            problems.insert(0, nothing_pushed(name));
            return problems;
        }
        Part::Known(Some(live)) => problems.extend(part(kept, |kept| {
            let is_there = kept.iter().any(|kept| kept.number == *live);
            let message = format!("generation {live} is the live one, but its folder is gone");
            let gone = error(message, push(name, "writes another"));
            if is_there { Vec::new() } else { vec![gone] }
        })),
        Part::Unknown { error } => problems.push(unknown(error)),
    }
    problems.extend(part(units, |units| {
        units.iter().flat_map(|unit| of_unit(unit, name)).collect()
    }));
    problems.extend(part(entrypoints, |entrypoints| deaf(entrypoints)));
    // What does not run does not answer: that is said already.
    if route_server.known().is_some() || is_running(layout::ROUTER_SERVICE) {
        problems.extend(part(route_server, |server| {
            let daemons = server.daemons.iter().filter_map(of_daemon);
            daemons.chain(rejections(server.rejections)).collect()
        }));
    }
    // A Traefik that does not run serves nothing at all.
    let https = https.known().filter(|_| is_running(layout::PROXY_SERVICE));
    problems.extend(
        https
            .into_iter()
            .flat_map(|https| uncertified::problems(https, name)),
    );
    problems.extend(part(certificates, |certificates| {
        let of = |certificate| of_certificate(certificate, https);
        certificates.iter().filter_map(of).collect()
    }));
    problems.extend(part(firewall, |closed| {
        let closed = closed.iter().cloned();
        closed.map(|closed| warning(closed, None)).collect()
    }));
    problems.extend(part(obstacles, |obstacles| {
        obstacles.iter().map(obstacle).collect()
    }));
    problems.extend(
        [renet, traefik]
            .into_iter()
            .flat_map(|program| part(program, of_program)),
    );
    problems.extend(part(drift, |drift| {
        let paths: Vec<String> = drift
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let message = format!("edited since it was pushed: {}", paths.join(", "));
        let hint = format!(
            "`rdc context push-infra {name} --dry-run` shows what the next push makes of it"
        );
        if drift.is_empty() {
            Vec::new()
        } else {
            vec![warning(message, Some(hint))]
        }
    }));
    problems.sort_by_key(|problem| problem.severity != Severity::Error);
    problems
}

/// The problems of a part; one that cannot be told is a problem itself.
fn part<T>(part: &Part<T>, of: impl FnOnce(&T) -> Vec<Problem>) -> Vec<Problem> {
    match part {
        Part::Known(part) => of(part),
        Part::Unknown { error } => vec![unknown(error)],
    }
}

fn unfinished(transaction: &Unfinished, name: &MachineName) -> Problem {
    let to = transaction.to;
    if transaction.at_work {
        let message = format!("a switch to generation {to} is under way at this moment");
        return warning(message, None);
    }
    let message = format!("a switch to generation {to} was cut off");
    let hint = format!(
        "the machine brings it to its end by itself; `rdc context push-infra {name}` does so at once"
    );
    error(message, Some(hint))
}

fn of_unit(unit: &Unit, name: &MachineName) -> Vec<Problem> {
    let Unit {
        name: unit,
        state,
        enabled,
        ..
    } = unit;
    let mut problems = Vec::new();
    if state != "active" {
        let hint = format!(
            "`journalctl --unit {unit}` on the machine may say why; `rdc context push-infra {name}` \
             starts it"
        );
        problems.push(error(format!("{unit} is {state}"), Some(hint)));
    }
    if !enabled {
        let message = format!("{unit} does not start at boot");
        problems.push(warning(message, push(name, "mends that")));
    }
    problems
}

fn deaf(entrypoints: &[Listening]) -> Vec<Problem> {
    let deaf: Vec<String> = entrypoints
        .iter()
        .filter(|entrypoint| !entrypoint.listens)
        .map(|entrypoint| format!("{} ({})", entrypoint.name, entrypoint.address))
        .collect();
    if deaf.is_empty() {
        return Vec::new();
    }
    let more = match deaf.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = deaf[..deaf.len().min(NAMED)].join(", ");
    let hint = format!(
        "`journalctl --unit {}` on the machine may say why",
        layout::PROXY_SERVICE
    );
    let message = format!("nobody listens for {named}{more}");
    vec![error(message, Some(hint))]
}

fn of_daemon(daemon: &Daemon) -> Option<Problem> {
    let Daemon {
        socket,
        state,
        since,
        error,
        ..
    } = daemon;
    if state == "live" {
        return None;
    }
    let why = error
        .as_ref()
        .map_or(String::new(), |error| format!(": {error}"));
    let message = format!(
        "the daemon at {} is {state} since {since}{why}",
        socket.display()
    );
    Some(warning(
        message,
        Some("its last known routes are kept".to_owned()),
    ))
}

fn rejections(count: usize) -> Option<Problem> {
    let message = match count {
        0 => return None,
        1 => "1 container or label could not be used".to_owned(),
        count => format!("{count} containers and labels could not be used"),
    };
    let hint = format!(
        "`curl -s http://{}/routes.json` on the machine says which, and why",
        layout::ROUTE_SERVER
    );
    Some(warning(message, Some(hint)))
}

fn obstacle(Obstacle { problem, hint }: &Obstacle) -> Problem {
    let message = format!("the next push will not work: {problem}");
    warning(message, Some(hint.clone()))
}

/// What is wrong with a stored certificate. Whether one is served for a name tells more, where that
/// is known.
fn of_certificate(certificate: &Certificate, https: Option<&Https>) -> Option<Problem> {
    let Certificate {
        main,
        content,
        routed,
        ..
    } = certificate;
    let content = match content {
        Part::Known(content) => content,
        Part::Unknown { error } => {
            let message = format!("the certificate for {main} cannot be read: {error}");
            return Some(warning(message, None));
        }
    };
    let days = content.days_left;
    let hint = format!(
        "`journalctl --unit {}` on the machine says why it is not renewed",
        layout::PROXY_SERVICE
    );
    if days < 0 {
        let message = format!(
            "the certificate for {main} expired at {}",
            content.not_after
        );
        let Some(https) = https else {
            return Some(error(message, Some(hint)));
        };
        let is_this_one = |served: &Served| matches!(served, Served::Expired { not_after } if *not_after == content.not_after);
        // It is told of the name that it is served for.
        let is_told = https.wanting.iter().any(|name| is_this_one(&name.served));
        return (!is_told).then(|| {
            // Traefik keeps certificates that nobody wants any more.
            let unwanted =
                (*routed == Some(false)).then(|| "no container's route names it".to_owned());
            warning(message, Some(unwanted.unwrap_or(hint)))
        });
    }
    (days < renewed_days(content)).then(|| {
        let message = match days {
            0 => format!("the certificate for {main} expires in less than a day"),
            1 => format!("the certificate for {main} expires in 1 day"),
            days => format!("the certificate for {main} expires in {days} days"),
        };
        warning(message, Some(hint))
    })
}

/// When a certificate should have been renewed; one that lives for days only has its last third.
fn renewed_days(content: &CertificateContent) -> i64 {
    RENEWED_DAYS.min(content.lifetime_days / 3)
}

fn of_program(program: &Installed) -> Vec<Problem> {
    match &program.version {
        Part::Known(_) => Vec::new(),
        Part::Unknown { error } => vec![unknown(error)],
    }
}

fn push(name: &MachineName, does: &str) -> Option<String> {
    Some(format!("`rdc context push-infra {name}` {does}"))
}

fn unknown(error: &str) -> Problem {
    self::error(error.to_owned(), None)
}

fn error(message: String, hint: Option<String>) -> Problem {
    Problem {
        severity: Severity::Error,
        message,
        hint,
    }
}

fn warning(message: String, hint: Option<String>) -> Problem {
    Problem {
        severity: Severity::Warning,
        message,
        hint,
    }
}
