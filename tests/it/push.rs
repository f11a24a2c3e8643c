//! What `push-infra` refuses before it reaches a machine, and what `renet infra apply` refuses
//! before it touches one. Pushes that work are in `end_to_end`.

use std::fs;
use std::net::TcpListener;

use assert_cmd::Command;

use crate::rdc::{Answer, Rdc};
use crate::standin_machine::{AARCH64, OWN, Workbench, X86_64, program};

/// Unlike any other text, so that it can be searched for in everything that is printed.
const TOKEN: &str = "cfT0ken-of-the-push-test-1c07e2";

/// A key that is well-formed and nobody's.
const HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKWq1j/P/nJYvTYLyPamQqfts5HvuDIDnCAeTIy4b82T";

#[test]
fn what_is_missing_is_named_with_the_command_that_mends_it() {
    let rdc = Rdc::with_machine();
    let refused = |words: &[&str], code: i32, message: &str, hint: &str| {
        let answer = rdc.run(words).code(code);
        assert!(answer.stderr.contains(message), "{}", answer.stderr);
        assert!(answer.stderr.contains(hint), "{}", answer.stderr);
        assert_eq!(answer.stdout, "");
    };
    let push = ["context", "push-infra", "server-1"];
    refused(
        &push,
        2,
        "`server-1` has no infrastructure settings",
        "rdc context set-infra server-1",
    );

    rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--base-domain",
        "example.com",
    ])
    .done();
    refused(
        &push,
        2,
        "no address for Traefik to listen on",
        "--public-ipv4",
    );

    let token = [
        "--public-ipv4",
        "203.0.113.50",
        "--cf-dns-token",
        "cmd:exit 3",
    ];
    rdc.run(&[&["context", "set-infra", "server-1"], &token[..]].concat())
        .done();
    refused(&push, 2, "no e-mail address", "--cert-email");

    rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--cert-email",
        "admin@example.com",
    ])
    .done();
    refused(&push, 1, "cmd:exit 3", "--cf-dns-token-file");

    rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--unset",
        "cf-dns-token",
    ])
    .done();
    let text = rdc.path("traefik");
    fs::write(&text, "#!/bin/sh\n").expect("it is written");
    let text = text.to_str().expect("a plain path");
    let with_text = [&push[..], &["--traefik-binary", text]].concat();
    refused(&with_text, 2, "is not a Linux program", "--traefik-binary");

    refused(
        &push,
        4,
        "no host key of machine `server-1`",
        "rdc context scan-keys server-1",
    );
    refused(
        &["context", "push-infra", "server-2"],
        2,
        "no machine `server-2`",
        "server-1",
    );
}

#[test]
fn a_machine_that_cannot_be_reached_is_exit_4_also_in_json() {
    let rdc = Rdc::with_machine();
    // Bound and not listened on: connections are refused, and nobody else can take the port.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener
        .local_addr()
        .expect("its address")
        .port()
        .to_string();
    drop(listener);
    rdc.run(&["context", "remove-machine", "server-1"]).done();
    let way = [
        "--ip",
        "127.0.0.1",
        "--user",
        "root",
        "--port",
        &port,
        "--no-scan",
    ];
    rdc.run(&[&["context", "add-machine", "server-1"], &way[..]].concat())
        .done();
    rdc.run(&[
        "context",
        "set-infra",
        "server-1",
        "--public-ipv4",
        "203.0.113.50",
    ])
    .done();
    let file = rdc.file("default");
    let text = rdc.text().replace(
        "[machines.server-1]",
        &format!("[machines.server-1]\nhost_keys = [\"{HOST_KEY}\"]"),
    );
    fs::write(&file, text).expect("it is written");

    let answer = rdc.run(&["context", "push-infra", "server-1"]).code(4);
    assert!(
        answer
            .stderr
            .contains("cannot connect to machine `server-1`"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("hint: "), "{}", answer.stderr);
    let answer = rdc
        .run(&["--json", "context", "push-infra", "server-1"])
        .code(4);
    assert_eq!(answer.json()["error"]["code"], "unreachable");
}

#[test]
fn secrets_that_do_not_arrive_whole_change_nothing_and_are_not_quoted() {
    for input in [
        "",
        "{",
        r#"{"cf_dns_token": "s3cret""#,
        r#"{"files": {}, "s3cret": 1}"#,
    ] {
        let answer = renet(&["infra", "--protocol", "2", "remove"], input).code(6);
        let (hello, failed) = answer.stdout.split_once('\n').expect("two messages");
        assert!(hello.contains("\"protocol\":2"), "{hello}");
        assert!(failed.contains("refused"), "{failed}");
        assert!(failed.contains("nothing was changed"), "{failed}");
        assert!(!answer.all().contains("s3cret"), "{}", answer.all());
    }
}

#[test]
fn an_rdc_of_another_protocol_is_told_which_one_is_spoken() {
    for (protocol, hint) in [("1", "use that one"), ("3", "push-infra")] {
        let answer = renet(&["infra", "--protocol", protocol, "status"], "").code(6);
        let (hello, failed) = answer.stdout.split_once('\n').expect("two messages");
        assert!(hello.contains("\"protocol\":2"), "{hello}");
        let message = format!("speaks protocol {protocol}, and the `renet` on the machine");
        assert!(failed.contains(&message), "{failed}");
        assert!(failed.contains(hint), "{failed}");
    }
}

#[test]
fn a_bundle_that_cannot_be_read_is_refused() {
    for bundle in ["", "{", r#"{"files": {}}"#] {
        let answer = renet(&["infra", "apply", "--bundle", bundle], "").code(6);
        assert_eq!(answer.json()["failed"]["kind"], "refused");
    }
}

fn renet(words: &[&str], input: &str) -> Answer {
    let mut renet = Command::new(env!("CARGO_BIN_EXE_renet"));
    let output = renet.args(words).write_stdin(input).output();
    output.expect("it runs").into()
}

/// A workstation whose machine is a stand-in, with a token.
fn bench() -> Workbench {
    // Nothing is downloaded: nobody answers there.
    let bench = Workbench::new("http://127.0.0.1:1");
    let set = ["context", "set-infra", "server-1", "--cert-email"];
    let token = ["a@example.com", "--cf-dns-token", TOKEN];
    bench.rdc.run(&[&set[..], &token].concat()).done();
    bench
}

/// A Traefik to bring, as options.
fn traefik(bench: &Workbench) -> [String; 2] {
    let local = bench.local("traefik", &program(OWN, 1000));
    let local = local.to_str().expect("a plain path").to_owned();
    ["--traefik-binary".to_owned(), local]
}

#[test]
fn whatever_a_machine_says_the_secret_is_not_printed() {
    let bench = bench();
    let traefik = traefik(&bench);
    let traefik = [traefik[0].as_str(), &traefik[1]];
    bench.push(&traefik).done();
    let arrived = fs::read_to_string(bench.machine("secrets")).expect("it got there");
    assert!(arrived.contains(TOKEN), "{arrived}");
    for options in [&[][..], &["--json"], &["-v"], &["--dry-run"], &["--yes"]] {
        let options = [&traefik[..], options].concat();
        let answer = bench.push_with(&options, &[("BLABS", "1")]).code(1);
        assert!(answer.all().contains("***"), "{}", answer.all());
        for part in [TOKEN, &TOKEN[..TOKEN.len() / 2]] {
            assert!(!answer.all().contains(part), "it is printed");
        }
    }
}

#[test]
fn a_renet_of_another_protocol_gets_no_secret_and_both_are_named() {
    let bench = bench();
    let traefik = traefik(&bench);
    let traefik = [traefik[0].as_str(), &traefik[1]];
    for (protocol, hint) in [("1", "push-infra"), ("3", "a newer `rdc` was here")] {
        let answer = bench.push_with(&traefik, &[("PROTOCOL", protocol)]).code(6);
        let message = format!("speaks protocol {protocol}, and this `rdc`");
        assert!(answer.stderr.contains(&message), "{}", answer.stderr);
        assert!(answer.stderr.contains(hint), "{}", answer.stderr);
        let arrived = fs::read_to_string(bench.machine("secrets")).expect("it read its input");
        assert_eq!(arrived, "");
    }
}

#[test]
fn a_machine_whose_answers_go_in_circles_is_not_asked_for_ever() {
    let bench = bench();
    let other = if OWN == X86_64 { AARCH64 } else { X86_64 };
    for (name, word) in [("renet-x86_64", X86_64), ("renet-aarch64", AARCH64)] {
        bench.local(name, &program(word, 1000));
    }
    assert_ne!(OWN, other);
    let turns = "if [ -e \"$MACHINE/turn\" ]; then rm \"$MACHINE/turn\"; echo x86_64
else touch \"$MACHINE/turn\"; echo aarch64; fi";
    bench.command("uname", turns);
    bench.push(&[]).code(1);
    // A look may come to its end by the `renet` that it lends.
    for options in [&[][..], &["--dry-run"], &["--check"]] {
        bench.push(options);
        let commands = fs::read_to_string(bench.machine("commands")).expect("what was run");
        assert!(commands.lines().count() < 20, "{commands}");
        fs::remove_file(bench.machine("commands")).expect("it is removed");
    }
}

#[test]
fn a_program_that_does_not_run_in_its_place_is_named_with_the_mount() {
    let bench = bench();
    // As on a file system that is mounted noexec.
    bench.command("chmod", "exec /bin/chmod a-x \"$2\"");
    let traefik = traefik(&bench);
    let answer = bench.push(&[&traefik[0], &traefik[1]]).code(6);
    for part in [
        "/renet cannot be run on the machine",
        "findmnt --target",
        "noexec",
    ] {
        assert!(answer.stderr.contains(part), "{}", answer.stderr);
    }
    let answer = bench.push(&["--dry-run"]).code(6);
    for part in ["no place on the machine", "mounted noexec: "] {
        assert!(answer.stderr.contains(part), "{}", answer.stderr);
    }
}
