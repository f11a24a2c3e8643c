//! What a router may say by its rule and its priority, whatever others say: whose the hosts are
//! that it names is settled where all containers are seen.

use super::Problem;
use crate::route_server::ownership::Name;
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::rule::Rule;

/// The highest priority that Traefik leaves to its users: above are its own routers.
const HIGHEST_PRIORITY: i64 = i64::MAX - 1000;

/// Takes out the routers whose rules Traefik could not use, and says why.
pub(super) fn check(config: &mut DynamicConfig) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    let mut keep = |label: String, rule: &Option<String>, priority: Option<i64>| {
        let problem = fault(&label, rule.as_deref().unwrap_or_default(), priority);
        let is_kept = problem.is_none();
        problems.extend(problem);
        is_kept
    };
    config.http.routers.retain(|name, router| {
        let label = format!("traefik.http.routers.{name}");
        keep(label, &router.rule, router.priority)
    });
    config.tcp.routers.retain(|name, router| {
        let label = format!("traefik.tcp.routers.{name}");
        keep(label, &router.rule, router.priority)
    });
    Ok(problems)
}

/// What is wrong with one router.
fn fault(label: &str, rule: &str, priority: Option<i64>) -> Option<Problem> {
    if priority.is_some_and(|priority| priority > HIGHEST_PRIORITY) {
        return Some(Problem::of_label(
            format!("{label}.priority"),
            format!("priorities above {HIGHEST_PRIORITY} are Traefik's own"),
        ));
    }
    let label = format!("{label}.rule");
    let rule = match Rule::parse(rule) {
        Ok(rule) => rule,
        Err(error) => {
            return Some(
                Problem::of_label(label, format!("{error}"))
                    .hint("write a rule of Traefik 3, as in Host(`app.example.com`)"),
            );
        }
    };
    let mentioned = rule.mentioned_hosts();
    let host = mentioned
        .into_iter()
        .find(|host| *host != "*" && Name::parse(host).is_none())?;
    Some(
        Problem::of_label(label, format!("`{host}` is not a host name"))
            .hint("write the host alone, without a port, as in Host(`app.example.com`)"),
    )
}
