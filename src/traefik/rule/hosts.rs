//! Which hosts a rule is for, and whether Traefik asks for the host first.

use super::token::{Token, Tokens};
use super::{Expression, Rule};

/// What the matchers are called that compare a request's host with a name.
const HOST_MATCHERS: [&str; 3] = ["Host", "HostHeader", "HostSNI"];

/// The hosts that a rule can match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleHosts<'r> {
    /// The hosts that it names, each once: `shop.example.com`, `*.example.org`.
    pub named: Vec<&'r str>,
    /// Whether it can match requests for other hosts, too: one of the branches of its disjunctive
    /// form names no host.
    pub open: bool,
}

impl Rule {
    /// The hosts that this rule can match. In its disjunctive form (`… || …`), every branch names
    /// one of them, unless the rule is open; hosts that a branch excludes do not count.
    ///
    /// The form itself, which can be exponentially long, is not built.
    pub fn reach(&self) -> RuleHosts<'_> {
        reach(&self.0)
    }

    /// Every host that stands in the rule, excluded ones included: those for which Traefik would
    /// order a certificate.
    pub fn mentioned_hosts(&self) -> Vec<&str> {
        let mut hosts = Vec::new();
        mentioned(&self.0, &mut hosts);
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// How many regular expressions are in the rule.
    pub fn count_regexps(&self) -> usize {
        regexps(&self.0)
    }

    /// Whether each branch of the rule's text begins with its host. Traefik evaluates from left to
    /// right: whatever a rule has before its host is evaluated for everybody's requests.
    pub fn asks_for_the_host_first(text: &str) -> bool {
        host_is_first(text).unwrap_or(false)
    }
}

fn reach(expression: &Expression) -> RuleHosts<'_> {
    match expression {
        Expression::Matcher {
            name,
            arguments,
            negated: false,
        } if HOST_MATCHERS.contains(name) => {
            let mut hosts = RuleHosts::default();
            for argument in arguments {
                match argument.as_str() {
                    "*" => hosts.open = true,
                    named => hosts.add(named),
                }
            }
            hosts
        }
        Expression::Matcher { .. } => RuleHosts {
            named: Vec::new(),
            open: true,
        },
        Expression::Any(operands) => {
            let mut union = RuleHosts::default();
            for hosts in operands.iter().map(reach) {
                union.open |= hosts.open;
                hosts.named.into_iter().for_each(|name| union.add(name));
            }
            union
        }
        Expression::All(operands) => {
            let each: Vec<_> = operands.iter().map(reach).collect();
            // One operand that admits named hosts alone is enough; the shortest list is the
            // closest to what the rule can match.
            let closed = each.iter().filter(|hosts| !hosts.open);
            if let Some(closed) = closed.min_by_key(|hosts| hosts.named.len()) {
                return closed.clone();
            }
            let mut union = RuleHosts {
                named: Vec::new(),
                open: true,
            };
            for hosts in each {
                hosts.named.into_iter().for_each(|name| union.add(name));
            }
            union
        }
    }
}

impl<'r> RuleHosts<'r> {
    fn add(&mut self, name: &'r str) {
        if !self.named.contains(&name) {
            self.named.push(name);
        }
    }
}

fn mentioned<'r>(expression: &'r Expression, hosts: &mut Vec<&'r str>) {
    match expression {
        Expression::Matcher {
            name, arguments, ..
        } if HOST_MATCHERS.contains(name) => hosts.extend(arguments.iter().map(String::as_str)),
        Expression::Matcher { .. } => {}
        Expression::All(operands) | Expression::Any(operands) => {
            for operand in operands {
                mentioned(operand, hosts);
            }
        }
    }
}

fn regexps(expression: &Expression) -> usize {
    match expression {
        Expression::Matcher { name, .. } => usize::from(name.ends_with("Regexp")),
        Expression::All(operands) | Expression::Any(operands) => operands.iter().map(regexps).sum(),
    }
}

/// Walks over the matchers that may be evaluated first; nothing for a text that is no rule.
fn host_is_first(text: &str) -> Option<bool> {
    let mut tokens = Tokens::of(text);
    // Whether what comes next may be evaluated before anything else of its branch; behind it, the
    // same for the beginning of each parenthesis that is open.
    let mut is_first = true;
    let mut opened = vec![true];
    // A call's own parentheses group nothing.
    let mut in_call = false;
    loop {
        match tokens.next().ok()?.1 {
            Token::End => return Some(true),
            Token::LineEnd => {}
            Token::Word(word) => {
                let is_host = HOST_MATCHERS
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(word));
                if is_first && !is_host {
                    return Some(false);
                }
                in_call = true;
            }
            Token::Not if is_first => return Some(false),
            Token::Not | Token::Text(_) | Token::Comma => {}
            Token::Open if in_call => {}
            Token::Open => opened.push(is_first),
            Token::Close if in_call => in_call = false,
            Token::Close => {
                opened.pop();
            }
            Token::And => is_first = false,
            Token::Or => is_first = *opened.last()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_open_if_one_of_its_branches_names_no_host() {
        for (text, named, open) in [
            ("Host(`a.x`)", &["a.x"][..], false),
            ("Host(`A.x.`) && PathPrefix(`/`)", &["a.x"], false),
            ("PathPrefix(`/`) && Host(`a.x`)", &["a.x"], false),
            ("PathPrefix(`/`)", &[], true),
            ("!Host(`a.x`)", &[], true),
            ("Host(`a.x`) && !Host(`b.x`)", &["a.x"], false),
            ("HostRegexp(`.*`)", &[], true),
            ("Host(`*.x`)", &["*.x"], false),
            ("HostSNI(`*`)", &[], true),
            ("HostSNI(`*`) && HostSNI(`a.x`)", &["a.x"], false),
            ("Host(`a.x`) || PathPrefix(`/`)", &["a.x"], true),
            (
                "(Host(`a.x`) || Host(`b.x`)) && (Path(`/1`) || Path(`/2`))",
                &["a.x", "b.x"],
                false,
            ),
            (
                "(Host(`a.x`) || Path(`/1`)) && (Host(`b.x`) || Path(`/2`))",
                &["a.x", "b.x"],
                true,
            ),
            ("Host(`a.x`) && (Host(`b.x`) || Path(`/`))", &["a.x"], false),
            ("!(Path(`/`) || !Host(`a.x`))", &["a.x"], false),
            ("!(Path(`/`) && !Host(`a.x`))", &["a.x"], true),
        ] {
            let rule = Rule::parse(text).expect(text);
            let hosts = rule.reach();
            let mut names = hosts.named.clone();
            names.sort_unstable();
            assert_eq!((&names[..], hosts.open), (named, open), "{text}");
        }
    }

    #[test]
    fn a_branch_that_asks_for_something_before_its_host_is_found() {
        for (text, first) in [
            ("Host(`a.x`)", true),
            ("Host(`a.x`) || Host(`b.x`)", true),
            ("(Host(`a.x`) || Host(`b.x`)) && PathRegexp(`x`)", true),
            ("Host(`a.x`) && (PathRegexp(`x`) || Path(`/`))", true),
            ("Host(`a.x`) && !PathRegexp(`x`) || Host(`b.x`)", true),
            ("PathRegexp(`x`) && Host(`a.x`)", false),
            ("!HeaderRegexp(`x`, `y`) && Host(`a.x`)", false),
            ("Host(`a.x`) || PathRegexp(`x`) && Host(`b.x`)", false),
            ("(Host(`a.x`) || PathRegexp(`x`)) && Host(`a.x`)", false),
            ("((Path(`/`))) && Host(`a.x`)", false),
            ("HostRegexp(`x`) && Host(`a.x`)", false),
            ("HOST(`a.x`)", true),
        ] {
            assert_eq!(Rule::asks_for_the_host_first(text), first, "{text}");
        }
    }

    #[test]
    fn excluded_hosts_are_mentioned_and_not_reached() {
        let rule = Rule::parse("Host(`a.x`) && !Host(`b.x`)").expect("a rule");
        assert_eq!(rule.mentioned_hosts(), ["a.x", "b.x"]);
    }
}
