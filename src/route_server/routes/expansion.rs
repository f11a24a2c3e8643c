//! What a router makes Traefik build: a middleware once for each place that names it. The counts are
//! sums over the definitions, so that a chain of chains that stands for billions costs no more to
//! count than to write.

use super::references::Refusal;
use crate::route_server::quota::Quota;
use crate::traefik::dynamic::Middleware;
use crate::traefik::labels::EntryKind;
use crate::traefik::rule::Rule;

/// What Traefik builds for a router.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) middlewares: usize,
    /// Chains, which are none of the middlewares that requests pass.
    pub(super) chains: usize,
    /// The regular expressions of the middlewares, which are tried at the router's requests.
    pub(super) regexps: usize,
    /// Those of the rule.
    pub(super) rule_regexps: usize,
}

impl Cost {
    /// Of an entry by itself.
    pub(super) fn of(kind: EntryKind) -> Self {
        let is_middleware = matches!(kind, EntryKind::HttpMiddleware | EntryKind::TcpMiddleware);
        Self {
            middlewares: usize::from(is_middleware),
            ..Self::default()
        }
    }

    /// Adds what one more router costs to the sum of the others, if both are within their bounds.
    pub(super) fn charge(
        &mut self,
        router: Self,
        rule: Option<&str>,
        quota: Quota,
    ) -> Result<(), Refusal> {
        router.check(quota)?;
        let sum = self.and(router).and(Self::of_rule(rule));
        sum.check_sum(quota)?;
        *self = sum;
        Ok(())
    }

    /// Of a rule: Traefik compiles its regular expressions at each change of anybody.
    fn of_rule(rule: Option<&str>) -> Self {
        let rule = rule.unwrap_or_default();
        // Nearly no rule has any, and reading it once more is not for nothing.
        let has_any = rule.to_ascii_lowercase().contains("regexp");
        let read = has_any.then(|| Rule::parse_unbounded(rule).ok()).flatten();
        Self {
            rule_regexps: read.map_or(0, |rule| rule.count_regexps()),
            ..Self::default()
        }
    }

    /// Of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            middlewares: self.middlewares.saturating_add(other.middlewares),
            chains: self.chains.saturating_add(other.chains),
            regexps: self.regexps.saturating_add(other.regexps),
            rule_regexps: self.rule_regexps.saturating_add(other.rule_regexps),
        }
    }

    /// Whether one router may have it.
    fn check(self, quota: Quota) -> Result<(), Refusal> {
        let most = quota.middlewares_of_router();
        for (what, count, most) in [
            ("middlewares", self.middlewares, most),
            ("chains", self.chains, most),
            (
                "regular expressions in its middlewares",
                self.regexps,
                quota.regexps_of_router(),
            ),
        ] {
            if count > most {
                let count = shown(count);
                return Err(beyond(format!(
                    "with all that they use, the router has {count} {what}, and {most} are the most"
                )));
            }
        }
        Ok(())
    }

    /// Whether all routers of a repository together may have it.
    fn check_sum(self, quota: Quota) -> Result<(), Refusal> {
        for (field, what, count, most) in [
            (
                "middlewares",
                "middlewares",
                self.middlewares,
                quota.middlewares_of_routers(),
            ),
            (
                "middlewares",
                "regular expressions in their middlewares",
                self.regexps,
                quota.regexps_of_routers(),
            ),
            (
                "rule",
                "regular expressions in their rules",
                self.rule_regexps,
                quota.regexps_of_rules(),
            ),
        ] {
            if count > most {
                let reason =
                    format!("the repository's routers together have more than {most} {what}");
                return Err(Refusal {
                    field,
                    ..beyond(reason)
                });
            }
        }
        Ok(())
    }
}

fn beyond(reason: String) -> Refusal {
    Refusal {
        field: "middlewares",
        reason,
        hint: Some(
            "use fewer, or have the operator raise the repository's quota with --quota".to_owned(),
        ),
    }
}

fn shown(count: usize) -> String {
    match count {
        0..1_000_000 => count.to_string(),
        _ => "more than a million".to_owned(),
    }
}

/// The regular expressions that a middleware compiles.
pub(super) fn regexps(middleware: &Middleware) -> usize {
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let Middleware {
        strip_prefix_regex,
        replace_path_regex,
        headers,
        redirect_regex,
        forward_auth,
        ..
    } = middleware;
    let strip = strip_prefix_regex.as_ref().map_or(0, |one| one.regex.len());
    let replace = replace_path_regex
        .as_ref()
        .is_some_and(|one| given(&one.regex));
    let origins = headers.as_ref();
    let origins = origins.map_or(0, |one| one.access_control_allow_origin_list_regex.len());
    let redirect = redirect_regex.as_ref().is_some_and(|one| given(&one.regex));
    let auth = forward_auth.as_ref();
    let auth = auth.is_some_and(|one| given(&one.auth_response_headers_regex));
    strip + origins + usize::from(replace) + usize::from(redirect) + usize::from(auth)
}
