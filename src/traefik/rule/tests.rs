//! Spellings and what they come to.

use super::Rule;
use super::parser::DEEPEST;

#[track_caller]
fn check(spellings: &[&str], normal: &str) {
    for spelling in spellings.iter().chain([&normal]) {
        match Rule::parse(spelling) {
            Ok(rule) => assert_eq!(rule.normal_form(), normal, "{spelling}"),
            Err(error) => panic!("{spelling}: {error}"),
        }
    }
}

#[track_caller]
fn check_refused(text: &str, position: usize, reason: &str) {
    let error = Rule::parse(text).expect_err(text);
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
