//! How `rdc` answers: usage errors, JSON, colours, completions, and the whole reference.

use std::fs;
use std::path::Path;

use crate::rdc::Rdc;

/// Compares a committed file with what `rdc` generates, or writes it with UPDATE_EXPECTED=1.
#[track_caller]
fn is_current(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, generated).expect("the file is written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "{file} is not current: run `UPDATE_EXPECTED=1 cargo test --test it cli::`"
    );
}

#[test]
fn the_committed_completions_are_current() {
    let rdc = Rdc::new();
    for (shell, file) in [
        ("bash", "completions/rdc.bash"),
        ("zsh", "completions/_rdc"),
        ("fish", "completions/rdc.fish"),
    ] {
        let answer = rdc.run(&["completions", shell]).done();
        is_current(file, &answer.stdout);
    }
}

#[test]
fn the_committed_reference_is_current() {
    let rdc = Rdc::new();
    let mut reference = String::new();
    let mut pending = vec![vec![]];
    while let Some(command) = pending.pop() {
        let mut arguments = command.clone();
        arguments.push("--help".to_owned());
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let help = rdc.run(&words).done().stdout;
        reference.push_str(&format!("$ rdc {}\n{help}\n", words.join(" ")));
        let mut below: Vec<Vec<String>> = subcommands(&help)
            .map(|name| [command.clone(), vec![name.to_owned()]].concat())
            .collect();
        below.reverse();
        pending.append(&mut below);
    }
    is_current("tests/it/cli_reference.txt", &reference);
}

fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
}

#[test]
fn each_command_has_a_manual_page() {
    let rdc = Rdc::new();
    rdc.run(&["man", "pages/new"]).done();
    for page in ["rdc.1", "rdc-context.1", "rdc-context-set-infra.1"] {
        assert!(rdc.path("pages/new").join(page).is_file(), "{page}");
    }
}

#[test]
fn wrong_usage_is_exit_2_and_one_object_with_json() {
    let rdc = Rdc::new();
    for arguments in [
        &["nonsense"] as &[&str],
        &["context", "nonsense"],
        &["context", "create-local"],
        &["context", "add-machine", "a", "--ip", "203.0.113.50"],
        &[
            "context",
            "add-machine",
            "a",
            "--ip",
            "x y",
            "--user",
            "root",
        ],
        &["context", "add-machine", "a b", "--local"],
        &["context", "machines", "--quiet", "--verbose"],
        &["context", "--context", "../x", "machines"],
        &["completions", "tcsh"],
        &[],
    ] {
        let plain = rdc.run(arguments).code(2);
        assert!(plain.stdout.is_empty(), "{}", plain.stdout);
        let answer = rdc.run(&[arguments, &["--json"]].concat()).code(2);
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], "invalid");
        assert_ne!(error["message"], "", "{arguments:?}");
        assert!(error["hint"].is_string(), "{arguments:?}: {error}");
        assert!(answer.stderr.is_empty(), "{}", answer.stderr);
    }
}

#[test]
fn an_error_names_the_thing_and_the_hint_stands_apart() {
    let answer = Rdc::new().run(&["context", "machines"]).code(2);
    assert_eq!(
        answer.stderr,
        "error: there is no context `default`\n\
         hint: run `rdc context create-local default --ssh-key PATH` first\n"
    );
    let answer = Rdc::with_machine().run(&["context", "show-infra", "server-1"]);
    assert_eq!(
        answer.code(2).stderr,
        "error: machine `server-1` has no infrastructure settings\n\
         hint: run `rdc context set-infra server-1 --public-ipv4 …` first\n"
    );
    let answer = Rdc::with_machine().run(&["context", "show-infra", "sever-1"]);
    assert_eq!(
        answer.code(2).stderr,
        "error: there is no machine `sever-1` in the context `default`\n\
         hint: did you mean `server-1`?\n"
    );
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let rdc = Rdc::with_machine();
    let escapes = |arguments: &[&str]| rdc.run(arguments).all().contains('\u{1b}');
    assert!(!escapes(&["context", "machines"]));
    assert!(!escapes(&["context", "machines", "--color", "never"]));
    assert!(escapes(&["context", "machines", "--color", "always"]));
    assert!(escapes(&["context", "show-infra", "x", "--color=always"]));
    assert!(escapes(&["nonsense", "--color", "always"]));
    assert!(!escapes(&["nonsense"]));
}

#[test]
fn quiet_leaves_results_and_errors() {
    let rdc = Rdc::with_machine();
    let answer = rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--udp-ports",
        "53",
        "-q",
    ]);
    assert!(answer.stderr.is_empty(), "{}", answer.stderr);
    assert!(answer.stdout.contains("udp-ports"), "{}", answer.stdout);
    assert!(
        !rdc.run(&["context", "remove-machine", "x", "-q"])
            .code(2)
            .stderr
            .is_empty()
    );
}
