//! What cannot be written: a lost result is a failure, a reader that went away is none, and nobody
//! minds a standard error that cannot be written.

use std::process::Command;

use crate::rdc::{Answer, Rdc};

const RDC: &str = env!("CARGO_BIN_EXE_rdc");
const RENET: &str = env!("CARGO_BIN_EXE_renet");

/// Runs a program from a shell, which makes its outputs as an operator's would.
fn shell(rdc: &Rdc, program: &str, words: &str, redirection: &str) -> Answer {
    let output = Command::new("bash")
        .args(["-c", &format!("{program} {words} {redirection}")])
        .env("XDG_CONFIG_HOME", rdc.path("config"))
        .current_dir(rdc.path(""))
        .output()
        .expect("bash runs");
    output.into()
}

/// Commands that print a result, and how they end.
fn commands(rdc: &Rdc) -> Vec<(&'static str, String, i32)> {
    let sockets = rdc.path("").display().to_string();
    let once = format!("route-server --once --socket-dir {sockets} --state-dir {sockets}");
    [
        (RDC, "--version", 0),
        (RDC, "--help", 0),
        (RDC, "help context push-infra", 0),
        (RDC, "completions bash", 0),
        (RDC, "context list", 0),
        (RDC, "context machines --json", 0),
        (RDC, "context show-infra server-1", 0),
        (RDC, "context set-infra server-1 --udp-ports 53 --quiet", 0),
        (RDC, "context render-infra server-1 --out files", 0),
        (RDC, "context show-infra nobody --json", 2),
        (RENET, "--version", 0),
        (RENET, "infra apply --help", 0),
        (RENET, &once, 0),
    ]
    .into_iter()
    .map(|(program, words, code)| (program, words.to_owned(), code))
    .collect()
}

fn workstation() -> Rdc {
    let rdc = Rdc::with_machine();
    let set = ["context", "set-infra", "server-1", "--public-ipv4"];
    rdc.run(&[&set[..], &["203.0.113.50"]].concat()).done();
    rdc
}

#[test]
fn a_result_that_is_lost_is_a_failure() {
    let rdc = workstation();
    for (program, words, code) in commands(&rdc) {
        for (redirection, reason) in [
            (">/dev/full", "No space left on device"),
            (">&-", "Bad file descriptor"),
            ("1</dev/null", "Bad file descriptor"),
        ] {
            let answer = shell(&rdc, program, &words, redirection);
            let said = format!("error: cannot write the result to standard output: {reason}");
            assert!(
                answer.stderr.contains(&said),
                "{words} {redirection}: {}",
                answer.stderr
            );
            // A command that fails says how by its own code.
            let expected = if code == 0 { 1 } else { code };
            assert_eq!(answer.code, expected, "{words} {redirection}");
        }
    }
}

#[test]
fn an_error_in_json_that_is_lost_is_told_on_standard_error() {
    let answer = shell(
        &workstation(),
        RDC,
        "context show-infra nobody --json",
        ">/dev/full",
    );
    let said = "error: there is no machine `nobody` in the context `default`\nhint: ";
    assert!(answer.stderr.starts_with(said), "{}", answer.stderr);
}

#[test]
fn what_nobody_wants_to_read_is_not_lost() {
    let rdc = workstation();
    for (program, words, code) in commands(&rdc) {
        for redirection in [
            ">/dev/null",
            // As Python's and Node's ways to discard an output open it.
            "1<>/dev/null",
            "| head -c 0; exit ${PIPESTATUS[0]}",
        ] {
            let answer = shell(&rdc, program, &words, redirection);
            assert_eq!(answer.code, code, "{words} {redirection}");
            let complains = answer.stderr.contains("cannot write");
            assert!(!complains, "{words} {redirection}: {}", answer.stderr);
        }
    }
}

#[test]
fn a_standard_error_that_cannot_be_written_changes_nothing() {
    let rdc = workstation();
    let failing = [
        (RDC, "nonsense".to_owned(), 2),
        (RDC, "context show-infra nobody -vv".to_owned(), 2),
        (RENET, "nonsense".to_owned(), 2),
        (
            RENET,
            "route-server explain x --url http://127.0.0.1:1".to_owned(),
            1,
        ),
        (RENET, "infra settle".to_owned(), 0),
    ];
    for (program, words, code) in commands(&rdc).into_iter().chain(failing) {
        for redirection in ["2>/dev/full", "2>&-", "2>&- >/dev/null"] {
            let answer = shell(&rdc, program, &words, redirection);
            assert_eq!(answer.code, code, "{words} {redirection}");
        }
    }
}
