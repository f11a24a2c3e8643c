//! What Go compiles, and what not. The same patterns are asked of the real Traefik in
//! `tests/it/traefik_rules.rs`.

use super::check;

/// A pattern a line.
const VALID: &str = include_str!("testdata/valid.txt");
const INVALID: &str = include_str!("testdata/invalid.txt");

#[test]
fn what_go_compiles_is_valid_and_nothing_else() {
    for pattern in VALID.lines() {
        assert_eq!(check(pattern), Ok(()), "{pattern}");
    }
    for pattern in INVALID.lines() {
        assert!(check(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn the_reason_says_what_go_has_not() {
    for (pattern, reason) in [
        ("(?=a)", "Go has no look-ahead"),
        ("(?<!a)b", "Go has no look-behind"),
        (r"(a)\1", "`\\1` refers back to a group, which Go cannot do"),
        ("^/(a", "a `(` is not closed"),
        ("a)", "a `)` closes nothing"),
        ("[a", "a `[` is not closed"),
        ("*.example", "a repetition repeats nothing"),
        ("a\\", "it ends with a backslash"),
        (r"\h", "`\\h` has no meaning to Go"),
    ] {
        let error = check(pattern).expect_err(pattern);
        assert_eq!(error.to_string(), reason, "{pattern}");
    }
}

#[test]
fn hostile_patterns_cost_little() {
    // Deeper than any stack, larger than any memory.
    for pattern in [
        "(".repeat(1_000_000),
        "(?:".repeat(1_000_000),
        format!("{}a{}", "(".repeat(500_000), ")".repeat(500_000)),
        format!("{}a{}", "(?:".repeat(100_000), "{2})".repeat(100_000)),
        "(?:a{1000}|".repeat(10_000),
        "[a".repeat(500_000),
    ] {
        assert!(check(&pattern).is_err(), "{}", &pattern[..10]);
    }
}
