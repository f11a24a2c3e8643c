//! The page's complete example, from an empty machine to a web application over HTTPS: real Docker
//! Compose, PostgreSQL, sshd, systemd, dockerd, Traefik and Pebble. Only Cloudflare is a stand-in, and
//! the images come from a registry on the machine. `REDIACC_TEST_SUITE=trixie` has it all on Debian 13.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::end_to_end::{curl_to, eventually};
use crate::test_machine::TestMachine;
use crate::workstation::Workstation;

/// The public address of the page's web application.
const APP: &str = "https://app.example.test/";
/// The second repository's, which is the same application.
const SHOP: &str = "https://shop.example.test/";

#[test]
fn the_complete_example_goes_live() {
    let machine = &TestMachine::with_acme("example");
    let workstation = Workstation::new(&[]);
    push(&workstation, machine);
    machine.images();

    the_page_goes_live(&workstation, machine);
    the_database_answers_inside_alone(machine);
    the_same_services_of_a_second_repository_run_beside_it(&workstation, machine);
    mail_is_passed_through(&workstation, machine);
    what_is_up_can_be_looked_into(&workstation);
    down_takes_the_route_away(&workstation, machine);
    a_reboot_brings_back_what_was_up(machine);
    repositories_outlive_the_infrastructure(&workstation, machine);
}

fn push(workstation: &Workstation, machine: &TestMachine) {
    workstation.context("default", Path::new(machine.env("SSH_KEY")));
    let address = machine.env("ADDR");
    // A user with password-less sudo: most servers are reached by one.
    let login = ["--ip", address, "--user", "operator"];
    workstation.rdc(&[&["context", "add-machine", "server-1"][..], &login].concat());
    let set = ["context", "set-infra", "server-1", "--public-ipv4", address];
    let names = [
        "--base-domain",
        "example.test",
        "--cert-email",
        "admin@example.test",
    ];
    let certificates = [
        "--cf-dns-token",
        "your-cloudflare-api-token",
        "--acme-ca-server",
        machine.env("ACME_DIRECTORY"),
    ];
    workstation.rdc(&[&set[..], &names, &certificates].concat());
    let ports = ["--tcp-ports", "25,143,465,587,993", "--udp-ports", "53"];
    workstation.rdc(&[&["context", "set-infra", "server-1"][..], &ports].concat());
    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    workstation.rdc(&[&["context", "push-infra", "server-1"][..], &traefik].concat());
}

fn the_page_goes_live(workstation: &Workstation, machine: &TestMachine) {
    workstation.rdc(&["repo", "create", "my-app", "-m", "server-1"]);
    sync(workstation, "my-app", &example("my-app"));
    // As the page prints it.
    let started = Instant::now();
    let up = workstation.rdc(&["repo", "up", "my-app", "-m", "server-1", "--mount"]);
    println!("figure: rdc repo up: {:.1?}\n{up}", started.elapsed());
    let line = |service: &str| {
        let found = up.lines().find(|line| line.starts_with(service));
        found.unwrap_or_else(|| panic!("no line of {service} in\n{up}"))
    };
    assert!(line("webapp").contains("https://app.example.test"), "{up}");
    assert!(line("webapp").contains(" 200 in "), "{up}");
    assert!(line("postgres").contains("internal"), "{up}");
    assert!(line("postgres").ends_with(":5432"), "{up}");

    let (reply, _) = eventually(APP, || ask(machine, APP));
    let hsts = "strict-transport-security: max-age=15768000; includesubdomains";
    assert!(reply.head.to_lowercase().contains(hsts), "{}", reply.head);
    // Each visit is counted in the database.
    let first = visit(&reply.body);
    let second = ask(machine, APP).expect("a second answer").body;
    assert_eq!(visit(&second), first + 1, "{second}");

    // Up again: everything is up already, and nothing is made anew.
    let before = containers(workstation, machine, "my-app");
    workstation.rdc(&["repo", "up", "my-app", "-m", "server-1", "--mount"]);
    assert_eq!(containers(workstation, machine, "my-app"), before);
}

fn the_database_answers_inside_alone(machine: &TestMachine) {
    // How a client of PostgreSQL begins: the message's length, the protocol's version, and who it is.
    // The answer begins with R, which asks for a password.
    const START: &str =
        r"\000\000\000\042\000\003\000\000user\000app\000database\000webapp\000\000";
    let ask =
        |address: &str| format!("printf '{START}' | socat -t 2 - TCP:{address}:5432 | head -c 1");
    let inside = machine.run(&["sh", "-c", &ask("127.0.11.3")]);
    assert_eq!(inside, "R");
    // From outside there is Traefik's entry point, which takes this for bad HTTP.
    let outside = machine.run(&["sh", "-c", &ask(machine.env("ADDR"))]);
    assert_ne!(outside, "R");
}

fn the_same_services_of_a_second_repository_run_beside_it(
    workstation: &Workstation,
    machine: &TestMachine,
) {
    let source = workstation.path("shop");
    fs::create_dir(&source).expect("a folder");
    for file in ["docker-compose.yml", "Rediaccfile"] {
        let text = fs::read_to_string(example("my-app").join(file)).expect("the example");
        let text = text.replace("app.example.test", "shop.example.test");
        fs::write(source.join(file), text).expect("it is written");
    }
    let source = source.to_str().expect("a plain path");
    let up = [
        "repo", "up", "shop", "-m", "server-1", "--create", "--mount",
    ];
    let up = workstation.rdc(&[&up[..], &["--source", source]].concat());
    assert!(up.contains("https://shop.example.test"), "{up}");
    eventually(SHOP, || ask(machine, SHOP));
    eventually(APP, || ask(machine, APP));
    let list = workstation.rdc(&["repo", "list"]);
    for text in ["my-app", "shop", "2816", "2880"] {
        assert!(list.contains(text), "no {text} in\n{list}");
    }
}

fn mail_is_passed_through(workstation: &Workstation, machine: &TestMachine) {
    let source = example("mail");
    let source = source.to_str().expect("a plain path");
    let up = [
        "repo", "up", "mail", "-m", "server-1", "--create", "--mount",
    ];
    let up = workstation.rdc(&[&up[..], &["--source", source]].concat());
    assert!(up.contains("tcp mail.example.test:993"), "{up}");
    let address = machine.env("ADDR");
    let greeting = || {
        let mut stream = TcpStream::connect((address, 25)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).ok()?;
        (&greeting == b"220 ").then_some(())
    };
    eventually("the mail server's greeting", greeting);
    // The application's own certificate: Traefik does not decrypt.
    let certificate = || {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &format!("{address}:993")])
            .args(["-servername", "mail.example.test", "-brief"])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        said.contains("mail.example.test").then_some(said)
    };
    let (said, _) = eventually("the mail server's certificate", certificate);
    assert!(!said.contains("TRAEFIK"), "{said}");
}

fn what_is_up_can_be_looked_into(workstation: &Workstation) {
    let status = workstation.rdc(&["repo", "status", "my-app", "-m", "server-1", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let status = &status["repository"];
    assert_eq!(status["network_id"], 2816, "{status}");
    assert_eq!(status["state"], "running", "{status}");
    assert_eq!(status["services"][1]["address"], "127.0.11.3", "{status}");
    // PostgreSQL logs to its standard error.
    let logs = ["repo", "logs", "my-app", "postgres", "-m", "server-1"];
    let logs = workstation.run(&logs).done().stderr;
    assert!(logs.contains("ready to accept connections"), "{logs}");
    let logs = ["repo", "logs", "my-app", "-m", "server-1", "--json"];
    let logs: serde_json::Value =
        serde_json::from_str(&workstation.rdc(&logs)).expect("one JSON object");
    let lines = logs["lines"].as_array().expect("lines");
    let of_postgres = |line: &&serde_json::Value| line["service"] == "postgres";
    assert!(lines.iter().any(|line| of_postgres(&line)), "{logs}");
    let exec = ["repo", "exec", "my-app", "postgres", "-m", "server-1", "--"];
    let query = "psql -h $SERVICE_IP -U app -d webapp -Atc 'select 6 * 7'";
    let query = format!("PGPASSWORD=changeme {query}");
    let answer = workstation.rdc(&[&exec[..], &["sh", "-c", &query]].concat());
    assert_eq!(answer.trim(), "42");
    let failed = workstation.run(&[&exec[..], &["sh", "-c", "exit 9"]].concat());
    assert_eq!(failed.code, 9);
    let words = ["--json", "--", "sh", "-c", "echo in; echo out >&2; exit 9"];
    let json = ["repo", "exec", "my-app", "postgres", "-m", "server-1"];
    let answer = workstation.run(&[&json[..], &words].concat());
    assert_eq!(answer.code, 9);
    let json: serde_json::Value = serde_json::from_str(&answer.stdout).expect("one JSON object");
    assert_eq!(json["exit_code"], 9, "{json}");
    assert_eq!(json["stdout"], "in\n", "{json}");
    assert_eq!(json["stderr"], "out\n", "{json}");
}

fn down_takes_the_route_away(workstation: &Workstation, machine: &TestMachine) {
    workstation.rdc(&["repo", "down", "shop", "-m", "server-1"]);
    let gone = || {
        let reply = curl_to(machine, machine.env("ADDR"), SHOP, &[])?;
        (reply.status == 404).then_some(())
    };
    eventually("404 of the repository that is down", gone);
    eventually(APP, || ask(machine, APP));
}

fn a_reboot_brings_back_what_was_up(machine: &TestMachine) {
    let started = Instant::now();
    machine.reboot();
    println!("figure: reboot: {:.1?}", started.elapsed());
    let (reply, _) = eventually(APP, || ask(machine, APP));
    println!(
        "figure: reboot begun → first 200: {:.1?}",
        started.elapsed()
    );
    // The database kept what was counted.
    assert!(visit(&reply.body) > 2, "{}", reply.body);
    // What was down stays down: its daemon runs, and has no container.
    let running = machine.docker(2880, &["ps", "--quiet"]);
    assert_eq!(running, "");
}

fn repositories_outlive_the_infrastructure(workstation: &Workstation, machine: &TestMachine) {
    workstation.rdc(&["context", "remove-infra", "server-1", "--yes"]);
    let up = "up of Rediaccfile";
    let again = workstation.run(&["repo", "up", "my-app", "-m", "server-1"]);
    assert!(again.done().stderr.contains(up));
    // Orderly: the containers are stopped, each by its own signal, and none holds it up.
    machine.restart();
    let listens = "ss -Hltn 'src 127.0.11.3:5432'";
    let listens = || Some(machine.run(&["sh", "-c", listens])).filter(|it| !it.is_empty());
    eventually("the database after the reboot", listens);
    workstation.rdc(&["repo", "delete", "my-app", "-m", "server-1", "--yes"]);
    let left = machine.run(&["sh", "-c", "ls /mnt/rediacc/repositories"]);
    assert_eq!(left.trim(), "mail\nshop");
}

/// The containers of a repository, with the moment at which each was started.
fn containers(workstation: &Workstation, machine: &TestMachine, name: &str) -> Vec<String> {
    let status = workstation.rdc(&["repo", "status", name, "-m", "server-1", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let id = status["repository"]["network_id"]
        .as_u64()
        .expect("a network id");
    let id = u32::try_from(id).expect("a network id");
    let format = "{{.ID}} {{.Names}} {{.CreatedAt}}";
    let list = machine.docker(id, &["ps", "--no-trunc", "--format", format]);
    let mut list: Vec<String> = list.lines().map(str::to_owned).collect();
    list.sort();
    assert!(!list.is_empty(), "nothing runs in {name}");
    list
}

fn sync(workstation: &Workstation, name: &str, source: &Path) {
    let source = source.to_str().expect("a plain path");
    let up = ["repo", "up", name, "-m", "server-1", "--source", source];
    workstation.rdc(&[&up[..], &["--mount", "--prep-only"]].concat());
}

fn ask(machine: &TestMachine, url: &str) -> Option<crate::end_to_end::Reply> {
    curl_to(machine, machine.env("ADDR"), url, &[]).filter(crate::end_to_end::Reply::is_ok)
}

/// Which visit a page says that it was.
fn visit(page: &str) -> u32 {
    let digits = page.rsplit_once("visit ").map(|(_, rest)| rest.trim());
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("no count of visits in {page}"))
}

fn example(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/example").join(name)
}
