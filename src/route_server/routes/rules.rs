//! What a router may claim by its rule and its priority, whatever others claim: who of two has a
//! rule is settled where all containers are seen.

use super::{Problem, RouteSettings};
use crate::network::NetworkId;
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::rule::Rule;

/// The highest priority that Traefik leaves to its users: above are its own routers.
const HIGHEST_PRIORITY: i64 = i64::MAX - 1000;

/// Refuses a container that claims what cannot be its own. A rule that nobody can read costs its
/// router alone; those are returned, and are gone from the configuration.
pub(super) fn check(
    config: &mut DynamicConfig,
    network_id: Option<NetworkId>,
    settings: &RouteSettings,
) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    let mut refused = None;
    let mut keep = |label: String, rule: &Option<String>, priority: Option<i64>| {
        let rule = rule.as_deref().unwrap_or_default();
        match claim(&label, rule, priority, network_id, settings) {
            Ok(None) => true,
            Ok(Some(unreadable)) => {
                problems.push(unreadable);
                false
            }
            Err(problem) => {
                refused.get_or_insert(problem);
                false
            }
        }
    };
    config.http.routers.retain(|name, router| {
        let label = format!("traefik.http.routers.{name}");
        keep(label, &router.rule, router.priority)
    });
    config.tcp.routers.retain(|name, router| {
        let label = format!("traefik.tcp.routers.{name}");
        keep(label, &router.rule, router.priority)
    });
    refused.map_or(Ok(problems), Err)
}

/// Judges one router; what is returned costs it alone.
fn claim(
    label: &str,
    rule: &str,
    priority: Option<i64>,
    network_id: Option<NetworkId>,
    settings: &RouteSettings,
) -> Result<Option<Problem>, Problem> {
    if priority.is_some_and(|priority| priority > HIGHEST_PRIORITY) {
        return Err(Problem::of_label(
            format!("{label}.priority"),
            format!("priorities above {HIGHEST_PRIORITY} are Traefik's own"),
        ));
    }
    let label = format!("{label}.rule");
    let rule = match Rule::parse(rule) {
        Ok(rule) => rule,
        Err(error) => {
            return Ok(Some(
                Problem::of_label(label, format!("{error}"))
                    .hint("write a rule of Traefik 3, as in Host(`app.example.com`)"),
            ));
        }
    };
    let others = rule.hosts().into_iter().find_map(|host| {
        let owner = auto_host_of(host, settings).filter(|id| Some(*id) != network_id)?;
        Some((host, owner))
    });
    match others {
        None => Ok(None),
        Some((host, owner)) => Err(Problem::of_label(
            label,
            format!("`{host}` is the address of an auto route of the repository {owner}"),
        )
        .hint("take a host name that does not end in another repository's network id")),
    }
}

/// The repository whose auto routes have this form of host: `{service}-{network id}.{base domain}`.
/// It is its own even while no service there has the name: who comes first must not decide.
fn auto_host_of(host: &str, settings: &RouteSettings) -> Option<NetworkId> {
    let domain = settings.base_domain.as_deref()?.to_ascii_lowercase();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let name = host.strip_suffix(&domain)?.strip_suffix('.')?;
    let (_, id) = name.rsplit_once('-')?;
    id.parse().ok()
}
