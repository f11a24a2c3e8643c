//! Programs on their way to a machine: continued after a broken connection, never mixed or
//! damaged, and for its architecture. By the built `rdc`, on a stand-in of a machine; a real one
//! is at the end.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::rdc::{Answer, Rdc};
use crate::release_site::{ReleaseSite, sha256};
use crate::standin_machine::{AARCH64, OWN, Workbench, X86_64, program, text};
use crate::test_machine::{TestMachine, stdout_of};

const BYTES: usize = 3_000_000;

/// A workstation with a Traefik to bring, and where that comes to lie.
fn bench() -> (Workbench, Vec<u8>, [String; 2], String) {
    // Nothing is downloaded: nobody answers there.
    let bench = Workbench::new("http://127.0.0.1:1");
    let content = program(OWN, BYTES);
    let local = bench.local("traefik", &content);
    let option = ["--traefik-binary".to_owned(), text(&local).to_owned()];
    let place = format!("traefik/{}/traefik", &sha256(&content)[..16]);
    (bench, content, option, place)
}

fn options(option: &[String; 2]) -> [&str; 2] {
    [&option[0], &option[1]]
}

/// The parts of Traefiks on the machine.
fn parts(bench: &Workbench) -> Vec<String> {
    let files = bench.files("machine/traefik");
    files
        .into_iter()
        .filter(|path| path.contains("part"))
        .collect()
}

#[test]
fn an_upload_that_was_cut_off_is_continued() {
    let (bench, content, option, place) = bench();
    // The connection breaks once: what had come until then is written.
    let gzip = "if [ -e \"$MACHINE/cut\" ]; then
  rm \"$MACHINE/cut\"
  head -c 1000000 | /usr/bin/env -i PATH=/usr/bin:/bin gzip -dc
  exit 1
fi
PATH=/usr/bin:/bin exec gzip \"$@\"";
    // `renet` gets through before.
    bench.push(&options(&option)).done();
    fs::remove_dir_all(bench.machine("traefik")).expect("it is removed");
    bench.command("gzip", gzip);
    File::create(bench.machine("cut")).expect("it is written");

    let answer = bench.push(&options(&option));
    assert_ne!(answer.code, 0, "{}", answer.all());
    let part = format!(".part-{}", sha256(&content));
    assert_eq!(parts(&bench), [part.as_str()]);
    let came = fs::read(bench.machine("traefik").join(&part)).expect("the part");
    assert!(
        !came.is_empty() && content.starts_with(&came),
        "{}",
        came.len()
    );

    let answer = bench.push(&options(&option)).done();
    assert!(
        answer.stderr.contains("are there already"),
        "{}",
        answer.stderr
    );
    assert_eq!(fs::read(bench.machine(&place)).expect("Traefik"), content);
    assert_eq!(parts(&bench), Vec::<String>::new());
}

#[test]
fn a_damaged_part_is_thrown_away_and_begun_anew() {
    let (bench, content, option, place) = bench();
    let mut damaged = content[..BYTES / 2].to_vec();
    damaged[BYTES / 4] ^= 1;
    let whole = content.clone();
    let longer = [&content[..], b"and more"].concat();
    for (case, part) in [("damaged", damaged), ("whole", whole), ("longer", longer)] {
        fs::create_dir_all(bench.machine("traefik")).expect("a folder");
        let name = format!("traefik/.part-{}", sha256(&content));
        fs::write(bench.machine(&name), part).expect("it is written");
        // Somebody's who will not come back for it.
        fs::write(bench.machine("traefik/.part-other"), "x").expect("it is written");
        bench.push(&options(&option)).done();
        assert_eq!(
            fs::read(bench.machine(&place)).expect("Traefik"),
            content,
            "{case}"
        );
        assert_eq!(parts(&bench), Vec::<String>::new(), "{case}");
        fs::remove_dir_all(bench.machine("traefik")).expect("it is removed");
    }
}

#[test]
fn what_always_arrives_damaged_is_not_installed() {
    let (bench, content, option, place) = bench();
    let half = content[..BYTES / 2].to_vec();
    fs::create_dir_all(bench.machine("traefik")).expect("a folder");
    let part = format!("traefik/.part-{}", sha256(&content));
    fs::write(bench.machine(&part), half).expect("it is written");
    bench.command("sha256sum", "exit 1");
    // `renet` is the first to arrive.
    let answer = bench.push(&options(&option)).code(1);
    assert!(
        answer.stderr.contains("renet arrived damaged"),
        "{}",
        answer.stderr
    );
    fs::remove_file(bench.machine("bin/sha256sum")).expect("it is removed");
    fs::rename(bench.machine("traefik"), bench.machine("aside")).expect("it is moved");
    bench.push(&options(&option)).done();
    fs::remove_dir_all(bench.machine("traefik")).expect("it is removed");
    fs::rename(bench.machine("aside"), bench.machine("traefik")).expect("it is moved");

    bench.command("sha256sum", "echo once >>\"$MACHINE/sums\"; exit 1");
    let answer = bench.push(&options(&option)).code(1);
    assert!(
        answer.stderr.contains("traefik arrived damaged"),
        "{}",
        answer.stderr
    );
    let sums = fs::read_to_string(bench.machine("sums")).expect("what was summed");
    assert_eq!(sums.lines().count(), 2, "continued once, begun anew once");
    assert!(!bench.machine(&place).exists());
    assert_eq!(parts(&bench), Vec::<String>::new());
}

#[test]
fn two_uploads_at_once_do_not_meet() {
    let (bench, content, option, place) = bench();
    fs::create_dir_all(bench.machine("traefik")).expect("a folder");
    let part = bench.machine(&format!("traefik/.part-{}", sha256(&content)));
    let half = &content[..BYTES / 2];
    fs::write(&part, half).expect("it is written");
    // Another upload has written half, and goes on.
    let other = File::open(&part).expect("the part");
    other.lock().expect("its lock");
    bench.push(&options(&option)).done();
    assert_eq!(fs::read(bench.machine(&place)).expect("Traefik"), content);
    assert_eq!(fs::read(&part).expect("the other's part"), half);
    drop(other);

    // It never came to its end: the next upload of any Traefik takes its part away.
    let next = bench.local("next", &program(OWN, BYTES / 2));
    bench.push(&["--traefik-binary", text(&next)]).done();
    assert_eq!(parts(&bench), Vec::<String>::new());
}

#[test]
fn a_full_disk_is_noticed_before_anything_is_sent() {
    let (bench, _, option, place) = bench();
    let df = "echo Filesystem 1024-blocks Used Available Capacity Mounted on
echo /dev/vda 1000000 999000 2000 100% /";
    bench.command("df", df);
    // What others left is no reason for it.
    fs::create_dir_all(bench.machine("traefik")).expect("a folder");
    fs::write(bench.machine("traefik/.part-other"), "x").expect("it is written");
    let answer = bench.push(&options(&option)).code(6);
    for part in ["3 MiB are to come to ", "and 1 MiB are free there"] {
        assert!(answer.stderr.contains(part), "{}", answer.stderr);
    }
    assert!(!bench.machine(&place).exists());
    assert!(!bench.machine("traefik/.part-other").exists());
}

#[test]
fn a_machine_of_another_kind_gets_programs_of_its_kind() {
    let (bench, _, option, _) = bench();
    let (kind, word) = if OWN == X86_64 {
        ("aarch64", AARCH64)
    } else {
        ("x86_64", X86_64)
    };
    bench.command("uname", &format!("echo {kind}"));
    let answer = bench.push(&options(&option)).code(6);
    let place = bench.rdc.path(&format!("programs/renet-{kind}"));
    for part in [
        format!("the machine is {kind}, and there is no `renet` for it at hand"),
        format!("cargo build --release --bin renet --target {kind}-unknown-linux-gnu"),
        format!("put it at {}", text(&place)),
    ] {
        assert!(answer.stderr.contains(&part), "{}", answer.stderr);
    }

    let renet = program(word, 2000);
    bench.local(&format!("renet-{kind}"), &renet);
    let answer = bench.push(&options(&option)).code(6);
    let message = format!("but the machine is {kind}");
    assert!(answer.stderr.contains(&message), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("--traefik-binary"),
        "{}",
        answer.stderr
    );
    let traefik = bench.local("traefik-there", &program(word, BYTES));
    bench.push(&["--traefik-binary", text(&traefik)]).done();
    let there = bench.machine(&format!("renet/{}/renet", &sha256(&renet)[..16]));
    assert_eq!(fs::read(there).expect("renet"), renet);

    bench.command("uname", "echo riscv64");
    fs::remove_dir_all(bench.machine("renet")).expect("it is removed");
    let answer = bench.push(&[]).code(6);
    assert!(answer.stderr.contains("riscv64"), "{}", answer.stderr);
}

#[test]
fn a_real_machine_gets_a_release_although_the_first_upload_was_killed() {
    let machine = TestMachine::bare("programs");
    let site = ReleaseSite::new();
    let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup");
    let traefik = stdout_of(Command::new(setup).arg("traefik"));
    let traefik = fs::read(traefik.trim()).expect("the tests' Traefik");
    site.publish("3.7.15", &traefik);
    let rdc = Rdc::new();
    declare(&rdc, &machine);
    let push = |options: &[&str]| {
        let push = ["-v", "context", "push-infra", "server-1"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdc"));
        command
            .args(push)
            .args(options)
            .env("XDG_CONFIG_HOME", rdc.path("config"))
            .env("XDG_CACHE_HOME", rdc.path("cache"))
            .env("REDIACC_TRAEFIK_RELEASES", site.url())
            .stdin(Stdio::null());
        command
    };
    let done = |options: &[&str]| {
        let output = push(options).output().expect("rdc runs");
        Answer::from(output).done()
    };

    let mut first = push(&[])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rdc starts");
    let part = format!("/usr/lib/rediacc/traefik/.part-{}", sha256(&traefik));
    let came = format!("[ $(stat -c %s {part} 2>/dev/null || echo 0) -gt 1000000 ] && echo yes");
    until(&machine, &format!("{came} || :"));
    first.kill().expect("it is there to be killed");
    first.wait().expect("it ends");
    // The machine notices that nothing more comes.
    until(&machine, &format!("flock -n {part} echo yes || :"));

    let second = done(&[]);
    assert!(
        second.stderr.contains("are there already"),
        "{}",
        second.stderr
    );
    assert!(
        second.stdout.contains("started rediacc-router.socket"),
        "{}",
        second.stdout
    );
    assert_eq!(site.asked().len(), 2, "one download for both pushes");
    let place = "/usr/lib/rediacc/traefik/3.7.15/traefik";
    let sum = machine.run(&["sha256sum", place]);
    assert!(sum.starts_with(&sha256(&traefik)), "{sum}");
    let left = machine.run(&["find", "/usr/lib/rediacc", "-name", ".part*"]);
    assert_eq!(left, "");

    for options in [&[][..], &["--traefik-version", "3.7.15"]] {
        let again = done(options).stdout;
        assert!(
            again.contains("nothing changed, nothing restarted"),
            "{again}"
        );
    }
    assert_eq!(site.asked(), Vec::<String>::new());

    // A machine of another kind, or at least one that says so.
    let pretend = "printf '#!/bin/sh\\necho riscv64\\n' >/usr/local/bin/uname
        chmod 755 /usr/local/bin/uname; mv /usr/lib/rediacc/renet /usr/lib/rediacc/renet.aside";
    machine.run(&["sh", "-c", pretend]);
    let output = push(&[]).output().expect("rdc runs");
    let refused = Answer::from(output).code(6).stderr;
    assert!(
        refused.contains("`riscv64` is neither x86_64 nor aarch64"),
        "{refused}"
    );
}

/// Declares a machine to which a user with password-less sudo logs in.
fn declare(rdc: &Rdc, machine: &TestMachine) {
    let address = machine.env("ADDR");
    let create = ["context", "create-local", "default", "--ssh-key"];
    let add = ["context", "add-machine", "server-1", "--ip", address];
    let infra = ["context", "set-infra", "server-1", "--public-ipv4", address];
    for (words, more) in [
        (&create[..], &[machine.env("SSH_KEY")][..]),
        (&add, &["--user", "operator"]),
        (&infra, &["--base-domain", "example.test"]),
    ] {
        rdc.run(&[words, more].concat()).done();
    }
}

/// Asks a machine until it says something: files have no event that could be awaited from here.
fn until(machine: &TestMachine, script: &str) {
    let start = Instant::now();
    while machine.run(&["sh", "-c", script]).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(120), "{script}");
    }
}
