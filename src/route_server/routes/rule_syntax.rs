//! Rules in the syntax of Traefik 2. Traefik 3 still takes them from routers that ask for it, and
//! reads in them what nobody here does: whose hosts such a rule matches is not known, so that its
//! router is not served.

use super::Problem;
use crate::traefik::dynamic::DynamicConfig;

/// What a router asks for; any other word is Traefik 3's own syntax to Traefik 3.
const OUTDATED: &str = "v2";

/// Takes out the routers that ask for it.
pub(super) fn check(config: &mut DynamicConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut keep = |protocol: &str, name: &str, syntax: &Option<String>| {
        let is_outdated = syntax.as_deref() == Some(OUTDATED);
        if is_outdated {
            problems.push(outdated(format!(
                "traefik.{protocol}.routers.{name}.rulesyntax"
            )));
        }
        !is_outdated
    };
    let http = &mut config.http.routers;
    http.retain(|name, router| keep("http", name, &router.rule_syntax));
    let tcp = &mut config.tcp.routers;
    tcp.retain(|name, router| keep("tcp", name, &router.rule_syntax));
    problems
}

fn outdated(label: String) -> Problem {
    Problem::of_label(label, "rules in the syntax of Traefik 2 are not served")
        .hint("write the rule for Traefik 3, as in Host(`a`) || Host(`b`), and remove this label")
}
