//! The Cloudflare token in whatever it comes in, and by paths that lead elsewhere a moment later:
//! through the built `rdc`, and up to the bundle that a machine gets.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::rdc::{Answer, Rdc};
use crate::standin_machine::{OWN, Workbench, program, text};

const TOKEN: &str = "cfT0ken-of-the-token-test-3b9e27";
const SET: [&str; 3] = ["context", "set-infra", "server-1"];

/// Runs `rdc context set-infra server-1 --cf-dns-token-file …` from a shell, beside which the file
/// `token` lies.
fn set_from_shell(rdc: &Rdc, words: &str) -> Answer {
    let rdc_program = env!("CARGO_BIN_EXE_rdc");
    let line = format!(
        "{rdc_program} {} --cf-dns-token-file {words}",
        SET.join(" ")
    );
    let output = Command::new("bash")
        .args(["-c", &line])
        .env("XDG_CONFIG_HOME", rdc.path("config"))
        .current_dir(rdc.path(""))
        .output()
        .expect("bash runs");
    output.into()
}

#[test]
fn what_cannot_be_read_again_is_read_at_once() {
    let rdc = Rdc::with_machine();
    fs::write(rdc.path("token"), format!("{TOKEN}\n")).expect("it is written");
    symlink("/dev/stdin", rdc.path("input")).expect("a link");
    let made = Command::new("mkfifo").arg(rdc.path("pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    for words in [
        "<(cat token)",
        "<(printf 'export CF_DNS_API_TOKEN=\"%s\"\\n' \"$(cat token)\")",
        "/dev/stdin <token",
        "/dev/stdin < <(cat token)",
        "/dev/fd/3 3<token",
        "/proc/self/fd/3 3<token",
        "input <token",
        "pipe & cat token >pipe; wait $!",
    ] {
        rdc.run(&[&SET[..], &["--cf-dns-token", "env:NONE"]].concat())
            .done();
        let answer = set_from_shell(&rdc, words).done();
        let said = "cannot be read again at a push: the token itself is stored";
        assert!(answer.stderr.contains(said), "{words}: {}", answer.stderr);
        assert!(!answer.all().contains(TOKEN), "{words}");
        let stored = format!("cf_dns_token = \"{TOKEN}\"\n");
        assert!(rdc.text().contains(&stored), "{words}: {}", rdc.text());
    }
}

#[test]
fn a_path_of_nothing_but_a_moment_is_refused_where_it_is_stored() {
    let rdc = Rdc::with_machine();
    let before = rdc.text();
    for (words, said) in [
        ("/dev/null", "the token is empty"),
        ("/dev/zero", "longer than any token"),
        ("/dev/fd/77", "No such file"),
        ("/", "Is a directory"),
    ] {
        let answer = set_from_shell(&rdc, words).code(2);
        assert!(answer.stderr.contains(said), "{words}: {}", answer.stderr);
        assert_eq!(rdc.text(), before, "{words}");
    }

    // What an earlier version stored.
    let address = [
        "--public-ipv4",
        "203.0.113.50",
        "--cert-email",
        "a@example.com",
    ];
    let token = ["--cf-dns-token", "file:/etc/hostname"];
    rdc.run(&[&SET[..], &address, &token].concat()).done();
    let stored = rdc.text();
    for path in ["/dev/stdin", "/dev/fd/63", "/proc/self/fd/0"] {
        fs::write(rdc.file("default"), stored.replace("/etc/hostname", path)).expect("written");
        let push = rdc.run(&["context", "push-infra", "server-1"]).code(1);
        let is_told = ["no file that can be read again", "No such file"]
            .iter()
            .any(|said| push.stderr.contains(said));
        assert!(is_told, "{path}: {}", push.stderr);
        assert!(
            push.stderr.contains("--cf-dns-token-file"),
            "{}",
            push.stderr
        );
        // Other commands do not need it.
        rdc.run(&["context", "show-infra"]).done();
    }

    let output = Command::new("bash")
        .args([
            "-c",
            "exec 3<key; \"$0\" context create-local b --ssh-key /dev/fd/3",
        ])
        .arg(env!("CARGO_BIN_EXE_rdc"))
        .env("XDG_CONFIG_HOME", rdc.path("config"))
        .current_dir(rdc.path(""))
        .output();
    let answer = Answer::from(output.expect("bash runs")).code(2);
    let said = "--ssh-key: `/dev/fd/3` is another file to the next command";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
}

#[test]
fn a_file_in_a_temporary_folder_is_stored_with_a_note() {
    let rdc = Rdc::with_machine();
    fs::write(rdc.path("token"), TOKEN).expect("it is written");
    let answer = set_from_shell(&rdc, "token").done();
    let said = "lies in a folder for temporary files";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    assert!(!rdc.text().contains(TOKEN), "{}", rdc.text());
}

/// Texts that hold the token, and what is told of them.
fn wrapped() -> [(String, &'static str); 5] {
    [
        (format!("\"{TOKEN}\""), "out of its quotes"),
        (format!("“{TOKEN}”"), "out of its quotes"),
        (
            format!("CF_DNS_API_TOKEN={TOKEN}"),
            "out of the setting `CF_DNS_API_TOKEN`",
        ),
        (
            format!("Authorization: Bearer {TOKEN}"),
            "out of the header",
        ),
        (
            format!("# mine\nDOMAIN=example.com\nexport CF_API_TOKEN='{TOKEN}'\n"),
            "out of the setting `CF_API_TOKEN`",
        ),
    ]
}

#[test]
fn a_wrapped_token_is_taken_out_at_every_way_in() {
    let rdc = Rdc::with_machine();
    let stored = format!("cf_dns_token = \"{TOKEN}\"\n");
    let fresh = || {
        rdc.run(&[&SET[..], &["--cf-dns-token", "env:NONE"]].concat())
            .done();
    };
    for (text, said) in wrapped() {
        fresh();
        let by_option = rdc.run(&[&SET[..], &["--cf-dns-token", &text]].concat());
        assert!(rdc.text().contains(&stored), "{text}: {}", rdc.text());
        fresh();
        let mut by_input = rdc.command(&[&SET[..], &["--cf-dns-token-file", "-"]].concat());
        let by_input = by_input.write_stdin(text.clone()).output();
        assert!(rdc.text().contains(&stored), "{text}: {}", rdc.text());
        fs::write(rdc.path("token"), &text).expect("it is written");
        let by_file = rdc.run(&[&SET[..], &["--cf-dns-token-file", "token"]].concat());
        for answer in [by_option, by_input.expect("rdc runs").into(), by_file] {
            let answer = answer.done();
            assert!(answer.stderr.contains(said), "{text}: {}", answer.stderr);
            assert!(!answer.all().contains(TOKEN), "{text}");
        }
    }
    let two = format!("CF_DNS_API_TOKEN={TOKEN}\nCF_API_TOKEN={TOKEN}x\n");
    let before = rdc.text();
    let answer = rdc.run(&[&SET[..], &["--cf-dns-token", &two]].concat());
    let answer = answer.code(2);
    assert!(
        answer.stderr.contains("several different tokens"),
        "{}",
        answer.stderr
    );
    assert!(!answer.all().contains(TOKEN));
    assert_eq!(rdc.text(), before);
}

#[test]
fn a_push_sends_the_token_alone_whatever_it_finds_it_in() {
    let bench = Workbench::new("http://127.0.0.1:1");
    let traefik = bench.local("traefik", &program(OWN, 2000));
    let email = ["--cert-email", "a@example.com"];
    bench.rdc.run(&[&SET[..], &email].concat()).done();
    let push = |source: &str, variable: &str, said: &str| {
        let set = bench.rdc.text();
        let line = set
            .lines()
            .find(|line| line.starts_with("cf_dns_token"))
            .map_or(String::new(), |line| format!("{line}\n"));
        let written = set.replace(&line, "") + &format!("cf_dns_token = {}\n", Value::from(source));
        fs::write(bench.rdc.file("default"), written).expect("it is written");
        let options = ["--traefik-binary", text(&traefik)];
        let answer = bench
            .push_with(&options, &[("TOKEN_IN_HERE", variable)])
            .done();
        assert!(answer.stderr.contains(said), "{source}: {}", answer.stderr);
        assert!(!answer.all().contains(TOKEN), "{source}");
        let secrets = fs::read_to_string(bench.machine("secrets")).expect("what it was sent");
        let secrets: Value = serde_json::from_str(&secrets).expect("JSON");
        assert_eq!(secrets["cf_dns_token"], TOKEN, "{source}");
    };
    let file = bench.rdc.path("token");
    for (wrapped, said) in wrapped() {
        push(&wrapped, "", said);
        push("env:TOKEN_IN_HERE", &wrapped, said);
        fs::write(&file, &wrapped).expect("it is written");
        push(&format!("file:{}", file.display()), "", said);
        push(&format!("cmd:cat {}", file.display()), "", said);
    }
}
