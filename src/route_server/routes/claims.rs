//! What a container's routers need: the hosts that their rules name, the ports that they listen
//! on, and the names that their certificates are for.

use super::{ContainerRoutes, RouteSettings, Source};
use crate::route_server::ownership::{Claim, ContainerClaims, Name, PortUse, RouterKind};
use crate::traefik::dynamic::{Domain, DynamicConfig, Switch};
use crate::traefik::entrypoint::{Entrypoint, Listener};
use crate::traefik::rule::Rule;

/// What the routers of each part of a repository need, in the order of the parts.
pub fn container_claims(parts: &[ContainerRoutes]) -> Vec<ContainerClaims> {
    let claims = |one: &ContainerRoutes| ContainerClaims {
        container: one.origin.container.clone(),
        age: one.age.clone(),
        claims: one.claims.clone(),
    };
    parts.iter().map(claims).collect()
}

/// What the routers of one container need, ordered by protocol and name.
pub(super) fn of(config: &DynamicConfig, source: Source, settings: &RouteSettings) -> Vec<Claim> {
    let (http, tcp, udp) = (&config.http, &config.tcp, &config.udp);
    let http = http.routers.iter().map(|(name, router)| {
        let tls = router.tls.on();
        Needs {
            kind: RouterKind::Http,
            router: name,
            rule: router.rule.as_deref(),
            entrypoints: &router.entry_points,
            has_tls: tls.is_some(),
            resolver: tls.and_then(|tls| tls.cert_resolver.as_deref()),
            domains: tls.map_or(&[], |tls| &tls.domains),
        }
    });
    let tcp = tcp.routers.iter().map(|(name, router)| {
        let tls = match &router.tls {
            Switch::On(tls) => Some(tls),
            Switch::Off => None,
        };
        Needs {
            kind: RouterKind::Tcp,
            router: name,
            rule: router.rule.as_deref(),
            entrypoints: &router.entry_points,
            has_tls: tls.is_some(),
            resolver: tls.and_then(|tls| tls.cert_resolver.as_deref()),
            domains: tls.map_or(&[], |tls| &tls.domains),
        }
    });
    let udp = udp.routers.iter().map(|(name, router)| Needs {
        kind: RouterKind::Udp,
        router: name,
        rule: None,
        entrypoints: &router.entry_points,
        has_tls: false,
        resolver: None,
        domains: &[],
    });
    let all = http.chain(tcp).chain(udp);
    all.map(|needs| needs.claim(source, settings)).collect()
}

struct Needs<'r> {
    kind: RouterKind,
    router: &'r str,
    rule: Option<&'r str>,
    entrypoints: &'r [String],
    has_tls: bool,
    resolver: Option<&'r str>,
    domains: &'r [Domain],
}

impl Needs<'_> {
    fn claim(self, source: Source, settings: &RouteSettings) -> Claim {
        // A rule that cannot be read, or names what no host can be called, counts as one that
        // matches everything.
        let rule = self.rule.and_then(|rule| Rule::parse_unbounded(rule).ok());
        let hosts = rule.as_ref().map(Rule::reach).unwrap_or_default();
        let named: Vec<Name> = hosts
            .named
            .iter()
            .filter_map(|one| Name::parse(one))
            .collect();
        let is_open = rule.is_none() || hosts.open || named.len() < hosts.named.len();

        let (mut ports, mut is_shared) = (Vec::new(), false);
        for entrypoint in self.entrypoints {
            match entrypoint.parse().map(|one: Entrypoint| one.listener) {
                Ok(port @ (Listener::Tcp(_) | Listener::Udp(_))) if !ports.contains(&port) => {
                    ports.push(port);
                }
                Ok(Listener::Tcp(_) | Listener::Udp(_)) => {}
                Ok(Listener::Web | Listener::WebSecure) | Err(_) => is_shared = true,
            }
        }
        let usage = match source {
            Source::Ports => PortUse::Assigned,
            Source::Labels if self.has_tls && !is_open => PortUse::Named,
            Source::Labels => PortUse::Whole,
        };
        let orders = self.resolver.is_some_and(|name| !name.is_empty());
        let domains = self
            .domains
            .iter()
            .filter(|one| !is_the_machines(one, settings));
        let names = domains.flat_map(|one| one.main.iter().chain(&one.sans));
        let domains: Vec<Name> = names.filter_map(|name| Name::parse(name)).collect();
        let has_the_machines = !self.domains.is_empty() && domains.is_empty();
        let mentions_others = rule
            .as_ref()
            .is_some_and(|rule| rule.mentioned_hosts().len() > named.len());
        Claim {
            kind: self.kind,
            router: self.router.to_owned(),
            mentions_others,
            names: named,
            open: is_open && is_shared && self.kind != RouterKind::Udp,
            ports,
            usage,
            orders: orders && !has_the_machines,
            domains: if orders { domains } else { Vec::new() },
        }
    }
}

/// The one wildcard certificate of all automatic names, which is the machine's.
pub(super) fn is_the_machines(domain: &Domain, settings: &RouteSettings) -> bool {
    let Some(base_domain) = settings.base_domain.as_deref() else {
        return false;
    };
    let is_base = |name: &String| {
        let name = name.strip_prefix("*.").unwrap_or(name);
        name.eq_ignore_ascii_case(base_domain)
    };
    domain.main.iter().chain(&domain.sans).all(is_base)
}
