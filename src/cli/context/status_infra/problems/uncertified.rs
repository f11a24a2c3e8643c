//! What is said of the names that routes serve without a valid certificate. Pure.

use super::{NAMED, Problem, Severity, error, warning};
use crate::bundle::{Attempt, FailedAttempt, Https, Served, Uncertified};
use crate::context::value::MachineName;
use crate::layout;

/// The problems of the names, the first few of many.
pub(super) fn problems(https: &Https, machine: &MachineName) -> Vec<Problem> {
    let names = https.wanting.iter();
    let mut problems: Vec<Problem> = names.map(|name| of_name(name, machine)).collect();
    problems.sort_by_key(|problem| problem.severity != Severity::Error);
    let more = problems.split_off(problems.len().min(NAMED));
    // The first of them is the worst one.
    if let Some(Problem { severity, .. }) = more.first() {
        let have = if more.len() == 1 {
            "name has"
        } else {
            "names have"
        };
        problems.push(Problem {
            severity: *severity,
            message: format!(
                "{} more {have} no certificate that clients trust",
                more.len()
            ),
            hint: Some(format!(
                "`rdc --json context status-infra {machine}` lists all"
            )),
        });
    }
    if https.unasked > 0 {
        let message = format!(
            "the certificates of {} names were not looked at: it would have taken too long",
            https.unasked
        );
        problems.push(warning(message, None));
    }
    problems
}

fn of_name(uncertified: &Uncertified, machine: &MachineName) -> Problem {
    let Uncertified {
        name,
        resolver,
        served,
        attempt,
    } = uncertified;
    if let Served::Untrusted { issuer } = served {
        let message =
            format!("the certificate for {name} is by `{issuer}`, whom browsers do not trust");
        let hint = format!(
            "`rdc context show-infra {machine}` shows which authority is asked for certificates"
        );
        return warning(message, Some(hint));
    }
    let message = format!("{name} has no valid certificate: {}", instead(served));
    if resolver.is_none() {
        let message = format!("{message}; no route of it names a certificate resolver");
        return error(message, Some(without_resolver(machine)));
    }
    match attempt {
        Some(Attempt {
            failed: Some(failed),
            under_way,
        }) => failing(&message, failed, under_way.as_deref()),
        Some(Attempt {
            failed: None,
            under_way: Some(since),
        }) => {
            let message = format!("{message}; one is being obtained since {since}");
            warning(
                message,
                Some("it can take two minutes: ask again".to_owned()),
            )
        }
        Some(_) | None => {
            let message = format!("{message}; Traefik tells of no attempt to obtain one");
            let hint = format!(
                "ask again in some seconds where the route is new; {}",
                next_attempt()
            );
            error(message, Some(hint))
        }
    }
}

/// What is served in the place of a certificate.
fn instead(served: &Served) -> String {
    match served {
        Served::Default => "Traefik's own one is served, which no client trusts".to_owned(),
        Served::Other { names } if names.is_empty() => {
            "the one that is served has no name".to_owned()
        }
        Served::Other { names } => {
            let more = if names.len() > NAMED { " …" } else { "" };
            let named = names[..names.len().min(NAMED)].join(", ");
            format!("the one that is served is for {named}{more}")
        }
        Served::Expired { not_after } => format!("it expired at {not_after}"),
        Served::NotYetValid { not_before } => format!("it is not valid before {not_before}"),
        Served::Untrusted { issuer } => format!("it is by `{issuer}`"),
        Served::Nothing { error } => format!("Traefik shows none ({error})"),
    }
}

fn failing(message: &str, failed: &FailedAttempt, under_way: Option<&str>) -> Problem {
    let FailedAttempt { at, error: why } = failed;
    let again = under_way.map_or(String::new(), |since| {
        format!(" (it tries again since {since})")
    });
    error(
        format!("{message}; Traefik failed to obtain one at {at}{again}: {why}"),
        Some(next_attempt()),
    )
}

/// What has Traefik try again. It has no timer for a certificate that it never had.
fn next_attempt() -> String {
    format!(
        "Traefik tries again when any route changes, when it starts, and once a day for one that \
         expired: `systemctl restart {}` on the machine has it try at once, and ends open connections",
        layout::PROXY_SERVICE.trim_end_matches(".service")
    )
}

fn without_resolver(machine: &MachineName) -> String {
    format!(
        "`rdc context set-infra {machine} --cert-email EMAIL`, a push, and the label \
         `traefik.http.routers.NAME.tls.certresolver={}` have one obtained; your own belongs in a file \
         of {} on the machine",
        layout::CERT_RESOLVER,
        layout::DYNAMIC_DIR
    )
}
