//! What a router may say by its rule and its priority, whatever others say: whose the hosts are
//! that it names is settled where all containers are seen.

use super::Problem;
use crate::route_server::ownership::Name;
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::rule::{Protocol, Rule};

/// The highest priority that Traefik leaves to its users: above are its own routers.
const HIGHEST_PRIORITY: i64 = i64::MAX - 1000;

/// The syntax of Traefik 2's rules. Traefik 3 still takes them from routers that ask for it, and
/// reads in them what nobody here does: whose hosts such a rule matches is not known, so that its
/// router is not served. Any other word is Traefik 3's own syntax to Traefik 3.
const OUTDATED_SYNTAX: &str = "v2";

/// Takes out the routers whose rules Traefik could not use, and says why. The others' rules become
/// the text that Traefik takes. A trusted repository's rules have no bounds.
pub(super) fn check(config: &mut DynamicConfig, is_trusted: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut keep = |router: Written<'_>| match router.judge(is_trusted) {
        Ok(notes) => {
            problems.extend(notes);
            true
        }
        Err(problem) => {
            problems.push(problem);
            false
        }
    };
    config.http.routers.retain(|name, router| {
        keep(Written {
            label: format!("traefik.http.routers.{name}"),
            rule: &mut router.rule,
            syntax: router.rule_syntax.as_deref(),
            priority: router.priority,
            protocol: Protocol::Http,
            has_tls: router.tls.on().is_some(),
        })
    });
    config.tcp.routers.retain(|name, router| {
        keep(Written {
            label: format!("traefik.tcp.routers.{name}"),
            rule: &mut router.rule,
            syntax: router.rule_syntax.as_deref(),
            priority: router.priority,
            protocol: Protocol::Tcp,
            has_tls: router.tls.on().is_some(),
        })
    });
    problems
}

/// A router's rule, its syntax and its priority as its labels write them.
struct Written<'r> {
    label: String,
    rule: &'r mut Option<String>,
    syntax: Option<&'r str>,
    priority: Option<i64>,
    protocol: Protocol,
    has_tls: bool,
}

impl Written<'_> {
    /// What there is to say of a router that stays, or why it cannot.
    fn judge(self, is_trusted: bool) -> Result<Vec<Problem>, Problem> {
        let Self {
            label,
            rule: text,
            syntax,
            priority,
            protocol,
            has_tls,
        } = self;
        if syntax == Some(OUTDATED_SYNTAX) {
            return Err(Problem::of_label(
                format!("{label}.rulesyntax"),
                "rules in the syntax of Traefik 2 are not served",
            )
            .hint(
                "write the rule for Traefik 3, as in Host(`a`) || Host(`b`), and remove this label",
            ));
        }
        if priority.is_some_and(|priority| priority > HIGHEST_PRIORITY) {
            return Err(Problem::of_label(
                format!("{label}.priority"),
                format!("priorities above {HIGHEST_PRIORITY} are Traefik's own"),
            ));
        }
        let label = format!("{label}.rule");
        let written = text.as_deref().unwrap_or_default();
        let read = match is_trusted {
            true => Rule::parse_unbounded(written),
            false => Rule::parse(written),
        };
        let judged = read.and_then(|rule| rule.check(protocol, has_tls).map(|()| rule));
        let rule = judged.map_err(|error| {
            let hint = error.hint.clone();
            let hint = hint.unwrap_or_else(|| {
                "write a rule of Traefik 3, as in Host(`app.example.com`)".to_owned()
            });
            Problem::of_label(&label, format!("{error}")).hint(hint)
        })?;
        let mentioned = rule.mentioned_hosts();
        let is_no_host = |host: &&&str| **host != "*" && Name::parse(host).is_none();
        if let Some(host) = mentioned.iter().find(is_no_host) {
            return Err(
                Problem::of_label(label, format!("`{host}` is not a host name"))
                    .hint("write the host alone, without a port, as in Host(`app.example.com`)"),
            );
        }
        *text = Some(rule.served_text().to_owned());
        let notes = rule.notes().iter();
        let notes = notes.map(|note| Problem::of_label(&label, note).warning());
        Ok(notes.collect())
    }
}
