//! What ownership leaves of a repository's routers: those that lost what they need go, rules are
//! confined to the hosts that the repository owns, and certificates to its names.

use super::{ContainerRoutes, Problem, RouteSettings, Source};
use crate::ownership::Repository;
use crate::route_server::ownership::{
    Claim, Guard, Name, Outcome, Ownership, Pattern, RouterKind, Terms, Verdicts,
};
use crate::traefik::dynamic::{Domain, DynamicConfig, Switch};
use crate::traefik::rule::Rule;

/// The priority of a router that answers for hosts which nobody owns: less than every other's.
const CATCH_ALL_PRIORITY: i64 = 1;

/// Applies the verdicts to the parts whose claims they are about.
pub fn admit(
    repository: Repository,
    parts: &mut [ContainerRoutes],
    verdicts: &Verdicts,
    ownership: &Ownership,
    settings: &RouteSettings,
) {
    for ((part, place), outcome) in verdicts {
        let Some(part) = parts.get_mut(*part) else {
            continue;
        };
        let Some(claim) = part.claims.get(*place).cloned() else {
            continue;
        };
        let problems = match outcome {
            Outcome::Lost(loss) => {
                remove(&mut part.config, &claim);
                let problem = Problem::of_label(label_at_fault(part, &claim), loss.to_string());
                vec![problem.hint(ownership.way_out(repository, loss))]
            }
            Outcome::Served(terms) => {
                let label = router_label(part, &claim);
                let mut router = Router::of(&mut part.config, &claim);
                router.confine(terms, &label, settings)
            }
        };
        for problem in problems {
            part.reject(problem);
        }
    }
}

/// Puts the hosts of a rule before what it asks first, and says explicitly which names a
/// certificate is for where Traefik would take others from the rule. Neither changes what the rule
/// matches.
pub(super) fn put_hosts_first(config: &mut DynamicConfig, claims: &[Claim]) {
    for claim in claims.iter().filter(|claim| !claim.open) {
        let mut router = Router::of(config, claim);
        let text = match router.rule.as_deref() {
            Some(text) if !claim.names.is_empty() => text,
            _ => continue,
        };
        let is_first = Rule::asks_for_the_host_first(text);
        if is_first && !claim.mentions_others {
            continue;
        }
        let text = text.to_owned();
        if claim.mentions_others {
            router.order_for(claim.names.iter());
        }
        if !is_first {
            let hosts = claim.names.iter().map(|name| router.host(name));
            let hosts = hosts.collect::<Vec<_>>().join(" || ");
            router.rewrite(format!("({hosts}) && ({text})"));
        }
    }
}

fn remove(config: &mut DynamicConfig, claim: &Claim) {
    match claim.kind {
        RouterKind::Http => drop(config.http.routers.remove(&claim.router)),
        RouterKind::Tcp => drop(config.tcp.routers.remove(&claim.router)),
        RouterKind::Udp => drop(config.udp.routers.remove(&claim.router)),
    }
}

/// The label that asks for what a router needs.
fn label_at_fault(part: &ContainerRoutes, claim: &Claim) -> String {
    let field = if claim.names.is_empty() && !claim.open {
        "entrypoints"
    } else {
        "rule"
    };
    match part.source {
        Source::Labels => format!("{}.{field}", router_label(part, claim)),
        Source::Ports => format!("rediacc.{}_ports", claim.kind),
    }
}

/// What the labels of a router begin with.
fn router_label(part: &ContainerRoutes, claim: &Claim) -> String {
    let suffix = part.origin.network_id.map(|id| format!("-{id}"));
    let name = suffix.and_then(|suffix| claim.router.strip_suffix(&suffix));
    let name = name.unwrap_or(&claim.router);
    format!("traefik.{}.routers.{name}", claim.kind)
}

/// The parts of a router that depend on who owns what; a router of UDP has none.
struct Router<'r> {
    kind: RouterKind,
    rule: Option<&'r mut String>,
    priority: Option<&'r mut Option<i64>>,
    resolver: Option<&'r mut Option<String>>,
    domains: Option<&'r mut Vec<Domain>>,
}

impl<'r> Router<'r> {
    fn of(config: &'r mut DynamicConfig, claim: &Claim) -> Self {
        let mut router = Self {
            kind: claim.kind,
            rule: None,
            priority: None,
            resolver: None,
            domains: None,
        };
        match claim.kind {
            RouterKind::Http => {
                if let Some(http) = config.http.routers.get_mut(&claim.router) {
                    router.rule = http.rule.as_mut();
                    router.priority = Some(&mut http.priority);
                    if let Switch::On(tls) = &mut http.tls {
                        router.resolver = Some(&mut tls.cert_resolver);
                        router.domains = Some(&mut tls.domains);
                    }
                }
            }
            RouterKind::Tcp => {
                if let Some(tcp) = config.tcp.routers.get_mut(&claim.router) {
                    router.rule = tcp.rule.as_mut();
                    router.priority = Some(&mut tcp.priority);
                    if let Switch::On(tls) = &mut tcp.tls {
                        router.resolver = Some(&mut tls.cert_resolver);
                        router.domains = Some(&mut tls.domains);
                    }
                }
            }
            RouterKind::Udp => {}
        }
        router
    }

    fn confine(&mut self, terms: &Terms, label: &str, settings: &RouteSettings) -> Vec<Problem> {
        let Terms {
            guard,
            lost_domains,
            ordered_later,
        } = terms;
        let mut problems = Vec::new();
        if let Some(guard) = guard {
            self.guard(guard, settings);
        }
        if !lost_domains.is_empty()
            && let Some(domains) = &mut self.domains
        {
            let is_lost = |text: &String| {
                let name = Name::parse(text);
                name.is_some_and(|name| lost_domains.iter().any(|(lost, _)| *lost == name))
            };
            for domain in domains.iter_mut() {
                domain.sans.retain(|name| !is_lost(name));
                if domain.main.as_ref().is_some_and(is_lost) {
                    domain.main = (!domain.sans.is_empty()).then(|| domain.sans.remove(0));
                }
            }
            domains.retain(|domain| domain.main.is_some());
            problems.extend(lost_domains.iter().map(|(name, loss)| {
                let label = format!("{label}.tls.domains");
                Problem::of_label(label, format!("no certificate for `{name}`: {loss}"))
            }));
        }
        if let (Some(names), Some(resolver)) = (ordered_later, &mut self.resolver) {
            **resolver = None;
            problems.push(
                Problem::of_label(
                    format!("{label}.tls.certresolver"),
                    format!(
                        "no certificate is ordered for `{names}` yet: the repository has had as \
                         many new ones as it may have in a day"
                    ),
                )
                .hint("wait a day, or have the operator raise its quota: rdc context set-infra MACHINE --quota ID=FACTOR"),
            );
        }
        problems
    }

    fn guard(&mut self, guard: &Guard, settings: &RouteSettings) {
        let Some(text) = self.rule.as_deref().cloned() else {
            return;
        };
        let names = guard.hosts.iter().cloned().map(Name::Host);
        let wildcards = guard.patterns.iter().filter_map(|one| one.domain.clone());
        let names: Vec<Name> = names.chain(wildcards.map(Name::Wildcard)).collect();
        self.order_for(names.iter());
        let hosts = guard
            .hosts
            .iter()
            .map(|one| self.host(&Name::Host(one.clone())));
        let patterns = guard.patterns.iter().map(|one| self.pattern(one, settings));
        let terms: Vec<String> = hosts.chain(patterns).collect();
        match terms.iter().any(String::is_empty) {
            // A catch-all that nobody else's name is kept from.
            true => {}
            false => self.rewrite(format!("({}) && ({text})", terms.join(" || "))),
        }
        if guard.is_catch_all()
            && let Some(priority) = &mut self.priority
        {
            **priority = Some(CATCH_ALL_PRIORITY);
        }
    }

    /// Replaces the rule. Where no label set a priority, Traefik derives it from the rule's length,
    /// which stays that of the label.
    fn rewrite(&mut self, text: String) {
        let Some(rule) = &mut self.rule else { return };
        if let Some(priority) = &mut self.priority
            && priority.is_none_or(|priority| priority == 0)
        {
            **priority = i64::try_from(rule.len()).ok();
        }
        **rule = text;
    }

    /// Says for which names a certificate is ordered, unless the labels do. Traefik would take
    /// every host of the rule, those that it excludes included.
    fn order_for<'n>(&mut self, names: impl Iterator<Item = &'n Name>) {
        let (Some(resolver), Some(domains)) = (&mut self.resolver, &mut self.domains) else {
            return;
        };
        if resolver.is_none() || !domains.is_empty() {
            return;
        }
        let mut names = names.map(ToString::to_string);
        match names.next() {
            Some(main) => domains.push(Domain {
                main: Some(main),
                sans: names.collect(),
            }),
            None => **resolver = None,
        }
    }

    fn host(&self, name: &Name) -> String {
        match self.kind {
            RouterKind::Http => format!("Host(`{name}`)"),
            RouterKind::Tcp | RouterKind::Udp => format!("HostSNI(`{name}`)"),
        }
    }

    /// A pattern without what it must not match; empty where that is nothing.
    fn pattern(&self, pattern: &Pattern, settings: &RouteSettings) -> String {
        let Pattern {
            domain,
            except,
            except_automatic,
        } = pattern;
        let any = match (domain, self.kind) {
            (Some(domain), _) => Some(self.host(&Name::Wildcard(domain.clone()))),
            (None, RouterKind::Http) => None,
            (None, RouterKind::Tcp | RouterKind::Udp) => Some("HostSNI(`*`)".to_owned()),
        };
        let excepted = except.iter().map(|name| format!("!{}", self.host(name)));
        let base_domain = settings
            .base_domain
            .as_deref()
            .filter(|_| *except_automatic);
        let automatic = base_domain.map(|domain| {
            let matcher = match self.kind {
                RouterKind::Http => "HostRegexp",
                RouterKind::Tcp | RouterKind::Udp => "HostSNIRegexp",
            };
            let domain = domain.replace('.', "\\.");
            // A request may write the host with a last dot.
            format!("!{matcher}(`^[^.]+-[0-9]+\\.{domain}\\.?$`)")
        });
        let terms: Vec<_> = any.into_iter().chain(excepted).chain(automatic).collect();
        match terms.len() {
            0 | 1 => terms.concat(),
            _ => format!("({})", terms.join(" && ")),
        }
    }
}
