//! Spellings and what they come to.

use super::parser::DEEPEST;
use super::{Protocol, Rule};

#[track_caller]
fn check(spellings: &[&str], normal: &str) {
    for spelling in spellings.iter().chain([&normal]) {
        match Rule::parse_unbounded(spelling) {
            Ok(rule) => assert_eq!(rule.normal_form(), normal, "{spelling}"),
            Err(error) => panic!("{spelling}: {error}"),
        }
    }
}

#[track_caller]
fn check_refused(text: &str, position: usize, reason: &str) {
    let error = Rule::parse_unbounded(text).expect_err(text);
    assert_eq!((error.position, error.reason.as_str()), (position, reason));
}

#[test]
fn white_space_and_needless_parentheses_make_no_difference() {
    check(
        &[
            "Host(`a.example`)&&Path(`/b`)",
            " Host ( `a.example` ,\n)\t&&\n Path(`/b`)\n",
            "(Host(`a.example`)) && (((Path(`/b`))))",
            "/* one */ Host(`a.example`) && // two\n Path(`/b`)",
            "\u{feff}Host(`a.example`) && Path(`/b`)",
        ],
        "Host(`a.example`) && Path(`/b`)",
    );
}

#[test]
fn both_kinds_of_quotes_hold_the_same_texts() {
    check(
        &[
            r#"Path("/a")"#,
            r#"Path("\x2fa")"#,
            r#"Path("\057a")"#,
            r#"Path("\u002fa")"#,
            r#"Path("\U0000002Fa")"#,
            "Path(`/\ra`)",
        ],
        "Path(`/a`)",
    );
    check(&[r#"Path("/\"\\\t")"#], "Path(`/\"\\\t`)");
    check(&[r#"Path("/\x60\n\"\\")"#], r#"Path("/`\n\"\\")"#);
    check(&[r#"Path("/\r")"#], r#"Path("/\r")"#);
    check(&[r#"PathRegexp("^/\\d+$")"#], r"PathRegexp(`^/\d+$`)");
}

#[test]
fn matchers_and_hosts_have_no_case() {
    check(
        &[
            "host(`A.Example`)",
            "HOST(`a.example`)",
            "Host(`a.EXAMPLE.`)",
        ],
        "Host(`a.example`)",
    );
    check(
        &["hostsni(`*`)", "HOSTSNI(`*`)", "Hostsni(`*`)"],
        "HostSNI(`*`)",
    );
    check(&["Method(`get`)"], "Method(`GET`)");
    check(&["Header(`X-A`, `B`)"], "Header(`x-a`, `B`)");
    check(&["Path(`/A`)"], "Path(`/A`)");
    check(&["HostRegexp(`^A$`)"], "HostRegexp(`^A$`)");
    check_refused("hOST(`a`)", 1, "there is no matcher `hOST`");
}

#[test]
fn operands_have_no_order_and_count_once() {
    check(
        &[
            "Path(`/b`) && Host(`a`)",
            "Host(`a`) && (Path(`/b`) && Host(`a`))",
            "(Host(`a`) || host(`A`)) && Path(`/b`)",
        ],
        "Host(`a`) && Path(`/b`)",
    );
    check(
        &[
            "Host(`b`) || Host(`a`) && Path(`/c`)",
            "(Path(`/c`) && Host(`a`)) || Host(`b`)",
        ],
        "Host(`b`) || Host(`a`) && Path(`/c`)",
    );
    check(
        &["Path(`/c`) && (Host(`b`) || Host(`a`))"],
        "Path(`/c`) && (Host(`a`) || Host(`b`))",
    );
    check(
        &["(Host(`a`) && Path(`/z`) || Path(`/z`) && Host(`a`)) && Method(`GET`)"],
        "Host(`a`) && Method(`GET`) && Path(`/z`)",
    );
}

#[test]
fn a_negation_may_stand_before_or_behind_the_parenthesis() {
    check(
        &["!(Host(`a`) || Host(`b`))", "! Host(`b`)&&!!!Host(`a`)"],
        "!Host(`a`) && !Host(`b`)",
    );
    check(
        &["!(Host(`a`) && !Path(`/b`))", "Path(`/b`) || !Host(`a`)"],
        "!Host(`a`) || Path(`/b`)",
    );
    check(&["!!Host(`a`)"], "Host(`a`)");
}

#[test]
fn what_is_no_rule_is_refused_with_the_place() {
    for (text, position, reason) in [
        ("", 1, "expected a matcher, found the end"),
        ("Host(`é`) &", 11, "'&' has no meaning"),
        ("Host(`é`) && ", 14, "expected a matcher, found the end"),
        (
            "Host(`a`)) ",
            10,
            "expected `&&`, `||` or the end, found `)`",
        ),
        ("(Host(`a`)", 11, "expected `)`, found the end"),
        ("Host(`a`", 9, "expected `,` or `)`, found the end"),
        ("Host(`a)", 6, "the quoted text has no end"),
        ("Host(\"a\n\")", 6, "the quoted text has no end"),
        ("Host(\"\\'\")", 7, "this escape has no meaning"),
        ("Host(\"\\ud800\")", 7, "this escape has no meaning"),
        ("Host(\"\\x4\")", 7, "this escape has no meaning"),
        ("Host('a')", 6, "'\\'' has no meaning"),
        ("Host(a)", 6, "expected a text between ` or \", found `a`"),
        ("Host()", 6, "`Host` has no argument"),
        ("Host(``)", 6, "an argument of `Host` is empty"),
        (
            "Host(,`a`)",
            6,
            "expected a text between ` or \", found `,`",
        ),
        ("Host", 5, "expected `(` behind `Host`, found the end"),
        ("Hots(`a`)", 1, "there is no matcher `Hots`"),
        ("`a`", 1, "expected a matcher, found a quoted text"),
        (
            "Host(`a`) Path(`/`)",
            11,
            "expected `&&`, `||` or the end, found `Path`",
        ),
        (
            "Host(`a`)\n&& Path(`/`)",
            11,
            "expected `&&`, `||` or the end, found `&&`",
        ),
        (
            "Host(`a`\n)",
            10,
            "expected `,` or `)`, found the end of a line",
        ),
        ("Host(`a`) /* ", 11, "a comment has no end"),
    ] {
        check_refused(text, position, reason);
    }
}

#[test]
fn nesting_ends_somewhere() {
    let nested = |depth| format!("{}Host(`a`){}", "(".repeat(depth), ")".repeat(depth));
    check(&[&nested(DEEPEST)], "Host(`a`)");
    let reason = "more than 128 parentheses and `!` are nested";
    check_refused(&nested(DEEPEST + 1), DEEPEST + 1, reason);
    check_refused(&"!".repeat(100_000), DEEPEST + 1, reason);
    // A row is no nesting.
    check(&[&vec!["Host(`a`)"; 10_000].join(" && ")], "Host(`a`)");
}

#[test]
fn the_hosts_are_those_that_are_named_exactly() {
    for (text, hosts) in [
        (
            "Host(`B.example`) || Host(`a.example`) && Path(`/`)",
            &["a.example", "b.example"][..],
        ),
        ("(Host(`a`) || Host(`b`)) && !Host(`c`)", &["a", "b"]),
        ("HostSNI(`*`)", &["*"]),
        ("HostRegexp(`.*`)", &[]),
    ] {
        assert_eq!(Rule::parse(text).expect(text).hosts(), hosts, "{text}");
    }
}

/// A rule a line: of an HTTP router, of a TCP router, or of one with TLS; `+` for what Traefik
/// serves, and `-` for what it disables.
const RULES: &str = include_str!("testdata/rules.txt");

#[test]
fn what_traefik_serves_passes_and_nothing_else() {
    for line in RULES.lines() {
        let (kind, rest) = line.split_once(' ').expect("a kind");
        let (sign, rule) = rest.split_once(' ').expect("a sign");
        let (protocol, has_tls) = match kind {
            "http" => (Protocol::Http, false),
            "tcp" => (Protocol::Tcp, false),
            _ => (Protocol::Tcp, true),
        };
        let judged = Rule::parse(rule).and_then(|rule| rule.check(protocol, has_tls));
        assert_eq!(judged.is_ok(), sign == "+", "{line}: {judged:?}");
    }
}

#[test]
fn the_reason_says_what_traefik_3_takes() {
    for (rule, protocol, reason, hint) in [
        (
            "Path(`/x`) && Host(`a`, `b`)",
            Protocol::Http,
            "`Host` takes one argument, and has 2 at position 15 of the rule",
            "write one matcher for each, as in Host(`a`) || Host(`…`)",
        ),
        (
            "PathPrefix(`api`)",
            Protocol::Http,
            "\"api\" does not begin with `/` at position 1 of the rule",
            "write PathPrefix(`/api`)",
        ),
        (
            "Headers(`X`, `1`)",
            Protocol::Http,
            "`Headers` is a matcher of Traefik 2 at position 1 of the rule",
            "write Header(`X-Name`, `value`)",
        ),
        (
            "HostSNI(`a`)",
            Protocol::Http,
            "`HostSNI` is a matcher of TCP at position 1 of the rule",
            "an HTTP router matches by Host, Path, Method, Header, Query or ClientIP",
        ),
        (
            "HostSNI(`db.example`)",
            Protocol::Tcp,
            "a name is known of TLS connections only, and the router has no TLS at position 1 of the rule",
            "write HostSNI(`*`), or set tls=true or tls.passthrough=true on the router",
        ),
        (
            "ClientIP(`10.0.0`)",
            Protocol::Tcp,
            "\"10.0.0\" is neither an IP address nor a network at position 1 of the rule",
            "write an address, or a network as in 10.0.0.0/8",
        ),
    ] {
        let judged = Rule::parse(rule).and_then(|rule| rule.check(protocol, false));
        let error = judged.expect_err(rule);
        assert_eq!(error.to_string(), reason);
        assert_eq!(error.hint.as_deref(), Some(hint), "{rule}");
    }
}

#[test]
fn a_name_in_other_letters_is_served_in_ascii() {
    for (text, served, hosts) in [
        (
            "Host( `Müller.example` ) && Path(`/ü`) || Host(\"b\\u00fc.example.\")",
            "Host( `xn--mller-kva.example` ) && Path(`/ü`) || Host(`xn--b-eha.example`)",
            &["xn--b-eha.example", "xn--mller-kva.example"][..],
        ),
        (
            "HostSNI(`*.пример.example`)",
            "HostSNI(`*.xn--e1afmkfd.example`)",
            &["*.xn--e1afmkfd.example"],
        ),
        (
            "Host(`a.example`) && !Host(`日本.example`)",
            "Host(`a.example`) && !Host(`xn--wgv71a.example`)",
            &["a.example"],
        ),
        // As it was written: Traefik has no case either, nor a last dot.
        ("Host(`A.Example.`)", "Host(`A.Example.`)", &["a.example"]),
    ] {
        let rule = Rule::parse(text).expect(text);
        assert_eq!(rule.served_text(), served);
        assert_eq!(rule.hosts(), hosts, "{text}");
        assert_eq!(rule.notes().is_empty(), served == text, "{text}");
    }
    for text in ["Host(`a ü`)", "HostSNI(`ü/`)", "Host(`xn--ü.example`)"] {
        assert!(Rule::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_traefik_2_understood_otherwise_is_noted() {
    for (text, note) in [
        ("Query(`q=1`)", Some("Query(`q`, `1`)")),
        ("Host(`{sub:.+}.a`)", Some("`{sub:.+}.a`")),
        ("PathPrefix(`/{id}/x`)", Some("`/{id}/x`")),
        ("HostRegexp(`^[a-z]{2}\\.a$`)", None),
        ("Query(`q`, `a=b`)", None),
        ("PathPrefix(`/{`)", None),
    ] {
        let rule = Rule::parse(text).expect(text);
        match note {
            Some(words) => assert!(rule.notes()[0].contains(words), "{:?}", rule.notes()),
            None => assert_eq!(rule.notes(), &[] as &[String], "{text}"),
        }
    }
}

#[test]
fn a_rule_has_bounds_unless_somebody_is_trusted() {
    let row = |one: &str, count: usize| vec![one; count].join(" || ");
    let long_name = |bytes: usize| format!("Path(`/{}`)", "a".repeat(bytes - 9));
    let pattern = |bytes: usize| format!("PathRegexp(`{}`)", "a".repeat(bytes));
    for (within, beyond) in [
        (long_name(4096), long_name(4097)),
        (row("Path(`/`)", 32), row("Path(`/`)", 33)),
        (row("PathRegexp(`a`)", 8), row("PathRegexp(`a`)", 9)),
        (pattern(256), pattern(257)),
        (
            row("QueryRegexp(`a`)", 9),
            row("!HeaderRegexp(`a`, `b`)", 9),
        ),
    ] {
        assert!(Rule::parse(&within).is_ok(), "{within}");
        let error = Rule::parse(&beyond).expect_err(&beyond);
        assert!(error.reason.contains("which is the most"), "{error}");
        assert!(Rule::parse_unbounded(&beyond).is_ok(), "{beyond}");
    }
}
