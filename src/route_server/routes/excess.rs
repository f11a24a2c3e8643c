//! Labels of more entries than a repository may have. They are left out before they are decoded: to
//! decode what will not be served takes time that is everybody's.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use crate::route_server::quota::Quota;

type Labels = BTreeMap<String, String>;

/// The labels of as many routers, services and middlewares as the container's repository may have,
/// the first in the order of the labels; and what was left out.
pub(super) fn leave_out(labels: &Labels, quota: Quota) -> (Cow<'_, Labels>, Vec<Problem>) {
    let bounds = [
        ("routers", quota.routers()),
        ("services", quota.services()),
        ("middlewares", quota.middlewares()),
    ];
    if bounds.iter().all(|(_, most)| labels.len() <= *most) {
        return (Cow::Borrowed(labels), Vec::new());
    }
    let mut excess: BTreeMap<&str, (usize, BTreeSet<String>)> = BTreeMap::new();
    for (kind, most) in bounds {
        let names: BTreeSet<String> = labels
            .keys()
            .filter_map(|label| entry(label))
            .filter(|(_, of, _)| of.eq_ignore_ascii_case(kind))
            .map(key)
            .collect();
        if names.len() > most {
            let beyond = names.into_iter().skip(most).collect();
            excess.insert(kind, (most, beyond));
        }
    }
    if excess.is_empty() {
        return (Cow::Borrowed(labels), Vec::new());
    }
    let is_within = |label: &str| {
        let Some(entry) = entry(label) else {
            return true;
        };
        let key = key(entry);
        !excess.values().any(|(_, beyond)| beyond.contains(&key))
    };
    let kept = labels.iter().filter(|(label, _)| is_within(label));
    let kept = kept.map(|(label, value)| (label.clone(), value.clone()));
    let problems = excess.iter().map(|(kind, (most, beyond))| {
        Problem::new(format!(
            "its labels describe {} {kind}, and {most} {kind} are the most that a repository may \
             have: the others are left out",
            most + beyond.len()
        ))
        .hint("use fewer, or have the operator raise the repository's quota with --quota")
    });
    (Cow::Owned(kept.collect()), problems.collect())
}

/// The protocol, the kind and the name in a label of an entry.
fn entry(label: &str) -> Option<(&str, &str, &str)> {
    let mut parts = label.splitn(5, '.');
    let (root, protocol) = (parts.next()?, parts.next()?);
    let (kind, name) = (parts.next()?, parts.next()?);
    root.eq_ignore_ascii_case("traefik")
        .then_some((protocol, kind, name))
}

/// One text for all spellings of an entry.
fn key((protocol, kind, name): (&str, &str, &str)) -> String {
    format!("{protocol}.{kind}.{name}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_entries_are_kept_and_everything_else() {
        let rule = |n: usize| (format!("traefik.http.routers.r{n:04}.rule"), String::new());
        let mut labels: Labels = (0..1_500).map(rule).collect();
        for other in [
            "traefik.enable",
            "rediacc.service_name",
            "traefik.http.services.s.loadbalancer.server.port",
            // The same entry in other letters.
            "traefik.HTTP.Routers.R0003.tls",
        ] {
            labels.insert(other.to_owned(), String::new());
        }
        let (kept, problems) = leave_out(&labels, Quota::default());
        assert_eq!(kept.len(), 1_004);
        assert!(kept.contains_key("traefik.http.routers.r0999.rule"));
        let [problem] = &problems[..] else {
            panic!("{problems:?}");
        };
        assert!(problem.reason.contains("1500 routers, and 1000 routers"));

        let (kept, problems) = leave_out(&labels, Quota::UNBOUNDED);
        assert!(matches!(kept, Cow::Borrowed(_)) && problems.is_empty());
    }
}
