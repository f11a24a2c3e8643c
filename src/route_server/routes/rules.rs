//! What a router may claim by its rule and its priority, whatever others claim: who of two has a
//! rule is settled where all containers are seen.

use super::{Problem, RouteSettings};
use crate::network::NetworkId;
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::rule::{Protocol, Rule};

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
    let mut keep = |router: Claimed<'_>| match claim(router, network_id, settings) {
        Ok((is_kept, said)) => {
            problems.extend(said);
            is_kept
        }
        Err(problem) => {
            refused.get_or_insert(problem);
            false
        }
    };
    config.http.routers.retain(|name, router| {
        keep(Claimed {
            label: format!("traefik.http.routers.{name}"),
            rule: &mut router.rule,
            priority: router.priority,
            protocol: Protocol::Http,
            has_tls: router.tls.on().is_some(),
        })
    });
    config.tcp.routers.retain(|name, router| {
        keep(Claimed {
            label: format!("traefik.tcp.routers.{name}"),
            rule: &mut router.rule,
            priority: router.priority,
            protocol: Protocol::Tcp,
            has_tls: router.tls.on().is_some(),
        })
    });
    refused.map_or(Ok(problems), Err)
}

/// What a router claims.
struct Claimed<'r> {
    label: String,
    rule: &'r mut Option<String>,
    priority: Option<i64>,
    protocol: Protocol,
    has_tls: bool,
}

/// Judges one router: whether it stays, and what there is to say of it alone. Its rule becomes the
/// text that Traefik takes.
fn claim(
    router: Claimed<'_>,
    network_id: Option<NetworkId>,
    settings: &RouteSettings,
) -> Result<(bool, Vec<Problem>), Problem> {
    let Claimed {
        label,
        rule: text,
        priority,
        protocol,
        has_tls,
    } = router;
    if priority.is_some_and(|priority| priority > HIGHEST_PRIORITY) {
        return Err(Problem::of_label(
            format!("{label}.priority"),
            format!("priorities above {HIGHEST_PRIORITY} are Traefik's own"),
        ));
    }
    let label = format!("{label}.rule");
    let written = text.as_deref().unwrap_or_default();
    let is_trusted =
        network_id.is_some_and(|id| settings.trusted_repositories.contains(&id.into()));
    let read = match is_trusted {
        true => Rule::parse_unbounded(written),
        false => Rule::parse(written),
    };
    let judged = read.and_then(|rule| rule.check(protocol, has_tls).map(|()| rule));
    let rule = match judged {
        Ok(rule) => rule,
        Err(error) => {
            let problem = Problem::of_label(label, format!("{error}"));
            let hint = error.hint.as_deref();
            let hint = hint.unwrap_or("write a rule of Traefik 3, as in Host(`app.example.com`)");
            return Ok((false, vec![problem.hint(hint)]));
        }
    };
    *text = Some(rule.served_text().to_owned());
    let notes = rule.notes().iter();
    let notes = notes.map(|note| Problem::of_label(&label, note).warning());
    let notes = notes.collect();
    let others = rule.hosts().into_iter().find_map(|host| {
        let owner = auto_host_of(host, settings).filter(|id| Some(*id) != network_id)?;
        Some((host, owner))
    });
    match others {
        None => Ok((true, notes)),
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
