//! Where routers' certificates come from. What labels ask of a resolver is asked of Traefik only
//! as far as the machine's resolver can do it: Traefik would log the rest at each change of any
//! route, and try it at the CA, whose patience is counted.

use super::{Problem, RouteSettings};
use crate::traefik::dynamic::{Domain, DynamicConfig, Switch};
use crate::traefik::resolver::CertResolver;
use crate::traefik::rule::Rule;

/// Takes out of every router what the machine's resolver cannot do, and says what that was. The
/// routers stay: with their rule's plain names where they asked for a wildcard, and where there is
/// no resolver with the certificates that Traefik has.
pub(super) fn check(config: &mut DynamicConfig, settings: &RouteSettings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, router) in &mut config.http.routers {
        if let Switch::On(tls) = &mut router.tls {
            let wish = Wish {
                label: format!("traefik.http.routers.{name}"),
                rule: router.rule.as_deref().unwrap_or_default(),
                resolver: &mut tls.cert_resolver,
                domains: &mut tls.domains,
            };
            problems.extend(wish.settle(settings));
        }
    }
    for (name, router) in &mut config.tcp.routers {
        if let Switch::On(tls) = &mut router.tls {
            let wish = Wish {
                label: format!("traefik.tcp.routers.{name}"),
                rule: router.rule.as_deref().unwrap_or_default(),
                resolver: &mut tls.cert_resolver,
                domains: &mut tls.domains,
            };
            problems.extend(wish.settle(settings));
        }
    }
    problems
}

/// What a router would have a resolver do.
struct Wish<'r> {
    label: String,
    rule: &'r str,
    resolver: &'r mut Option<String>,
    domains: &'r mut Vec<Domain>,
}

impl Wish<'_> {
    fn settle(self, settings: &RouteSettings) -> Option<Problem> {
        let name = self.resolver.as_deref().filter(|name| !name.is_empty())?;
        match &settings.cert_resolver {
            Some(own) if own.name == name && own.challenge.proves_wildcards() => None,
            Some(own) if own.name == name => self.without_wildcards(),
            own => {
                let problem = unknown(&self.label, name, own.as_ref());
                *self.resolver = None;
                Some(problem)
            }
        }
    }

    /// One wildcard fails the whole order, so that the plain names beside it are asked for alone.
    fn without_wildcards(self) -> Option<Problem> {
        let rule = Rule::parse_unbounded(self.rule).ok()?;
        let (wildcards, plain): (Vec<&str>, Vec<&str>) = rule
            .hosts()
            .into_iter()
            .partition(|host| host.starts_with("*."));
        let part = if self.domains.iter().any(has_wildcard) {
            "tls.domains"
        } else if self.domains.is_empty() && !wildcards.is_empty() {
            "rule"
        } else {
            return None;
        };
        self.domains.clear();
        if let (false, [main, sans @ ..]) = (wildcards.is_empty(), &plain[..]) {
            self.domains.push(Domain {
                main: Some((*main).to_owned()),
                sans: sans.iter().map(|&host| host.to_owned()).collect(),
            });
        } else if !wildcards.is_empty() {
            *self.resolver = None;
        }
        Some(wildcard(format!("{}.{part}", self.label)))
    }
}

fn has_wildcard(Domain { main, sans }: &Domain) -> bool {
    main.iter().chain(sans).any(|name| name.starts_with('*'))
}

fn wildcard(label: String) -> Problem {
    Problem::of_label(
        label,
        "without Cloudflare's token there is no certificate with a wildcard: \
         the router's has the plain names of its rule",
    )
    .hint("run rdc context set-infra MACHINE --cf-dns-token-file FILE, then push-infra")
}

fn unknown(label: &str, name: &str, own: Option<&CertResolver>) -> Problem {
    let problem = Problem::of_label(
        format!("{label}.tls.certresolver"),
        format!(
            "this machine has no certificate resolver `{name}`: \
             the router answers with Traefik's default certificate, unless traefik.d has one"
        ),
    );
    match own {
        Some(own) => problem.hint(format!("name `{}`, which it has", own.name)),
        None => {
            problem.hint("run rdc context set-infra MACHINE --cert-email ADDRESS, then push-infra")
        }
    }
}
