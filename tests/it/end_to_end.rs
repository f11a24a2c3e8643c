//! The main job on a real machine: a context, a push, and containers that answer from the network.
//! Real sshd, systemd, dockerd, Traefik and Pebble; only Cloudflare is a stand-in.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::secret_search;
use crate::test_machine::TestMachine;
use crate::workstation::Workstation;

/// How long anything may take that has no event to wait for. Nothing is judged by it: what takes
/// longer has not happened.
const PATIENCE: Duration = Duration::from_secs(60);

/// Unlike any other text, so that it can be searched for everywhere.
const TOKEN: &str = "cfT0ken-of-the-end-to-end-test-9f3a1c";

#[test]
fn two_commands_make_a_machine_serve_its_containers_with_certificates() {
    let machine = TestMachine::up("e2e", "2816,2880");
    let workstation = Workstation::new(&[TOKEN]);
    declare(&workstation, &machine);

    let traefik = ["--traefik-binary", machine.env("TRAEFIK")];
    a_dry_run_changes_nothing(&workstation, &machine, &traefik);
    let first = workstation.rdc(&["context", "push-infra", "server-1", traefik[0], traefik[1]]);
    assert!(
        first.contains(
            "started rediacc-router.socket, rediacc-router.service, rediacc-proxy.service"
        ),
        "{first}"
    );

    renet_runs_where_there_is_no_libc(&machine);

    run_containers(&machine);
    auto_routes_answer_with_a_certificate(&machine);
    a_labelled_route_answers_with_its_headers(&machine);
    port_80_redirects(&machine);
    tcp_and_udp_are_forwarded(&machine);
    diagnostics_are_json(&machine);
    a_service_gets_an_external_port_on_demand(&machine);
    routes_follow_their_containers(&machine);

    a_second_push_restarts_nothing(&workstation, &machine);
    a_new_port_restarts_and_opens(&workstation, &machine);
    secret_search::on_machine(TOKEN, &machine);
    secret_search::on_workstation(TOKEN, &workstation);
}

fn declare(workstation: &Workstation, machine: &TestMachine) {
    let address = machine.env("ADDR");
    workstation.rdc(&[
        "context",
        "create-local",
        "default",
        "--ssh-key",
        machine.env("SSH_KEY"),
    ]);
    // A user with password-less sudo: what runs as root on the machine is in sudo's log then.
    let login = ["--ip", address, "--user", "operator"];
    workstation.rdc(&[&["context", "add-machine", "server-1"][..], &login].concat());
    workstation.rdc(&[
        "context",
        "set-infra",
        "server-1",
        "--public-ipv4",
        address,
        "--public-ipv6",
        machine.env("ADDR6"),
        "--base-domain",
        "example.test",
        "--cert-email",
        "admin@example.test",
        "--acme-ca-server",
        machine.env("ACME_DIRECTORY"),
        "--tcp-ports",
        "2525",
    ]);
    workstation.rdc_with_input(
        &[
            "context",
            "set-infra",
            "server-1",
            "--cf-dns-token-file",
            "-",
        ],
        TOKEN,
    );
}

fn a_dry_run_changes_nothing(workstation: &Workstation, machine: &TestMachine, traefik: &[&str]) {
    let list = [
        "find",
        "/etc",
        "/usr",
        "/tmp",
        "/home",
        "-type",
        "f",
        "-printf",
        "%p %T@ %m\n",
    ];
    let before = machine.run(&list);
    let push = ["context", "push-infra", "server-1", "--dry-run"];
    let plan = workstation.rdc(&[&push[..], traefik].concat());
    for step in [
        "upload   /usr/lib/rediacc/traefik/",
        "create   traefik.yml",
        "start    rediacc-proxy",
    ] {
        assert!(plan.contains(step), "no `{step}` in\n{plan}");
    }
    assert_eq!(
        machine.run(&list),
        before,
        "a dry run left something behind"
    );
}

fn renet_runs_where_there_is_no_libc(machine: &TestMachine) {
    let ldd = Command::new("ldd")
        .arg(env!("CARGO_BIN_EXE_renet"))
        .output()
        .expect("ldd runs");
    let said = [ldd.stdout, ldd.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("statically linked"));
    let renet = "exec /machine/usr/lib/rediacc/renet/*/renet --version";
    let words = [
        "run",
        "--rm",
        "--volume",
        "/:/machine:ro",
        "busybox",
        "sh",
        "-c",
        renet,
    ];
    assert!(machine.docker(2816, &words).starts_with("renet "));
}

/// Two repositories with a service of the same name each, and one with labels of its own.
pub(crate) fn run_containers(machine: &TestMachine) {
    for (id, ip) in [(2816, "127.0.11.2"), (2880, "127.0.11.66")] {
        let page = format!("echo app of {id} >/www/index.html; exec httpd -f -p {ip}:8080 -h /www");
        let labels = [
            format!("rediacc.network_id={id}"),
            "rediacc.service_name=app".to_owned(),
            format!("rediacc.service_ip={ip}"),
            "rediacc.service_port=8080".to_owned(),
        ];
        run_container(machine, id, "app", &labels, &["busybox", "sh", "-c", &page]);
    }

    let own = |ip: &str, name: &str| {
        [
            "rediacc.network_id=2816".to_owned(),
            format!("rediacc.service_name={name}"),
            format!("rediacc.service_ip={ip}"),
            "traefik.enable=true".to_owned(),
        ]
    };
    let web = [
        "http.routers.myapp.rule=Host(`app.example.test`)",
        "http.routers.myapp.entrypoints=websecure,websecure-v6",
        "http.routers.myapp.tls.certresolver=letsencrypt",
        "http.routers.myapp.middlewares=myapp-hsts,myapp-buffering",
        "http.services.myapp.loadbalancer.server.port=8080",
        "http.middlewares.myapp-hsts.headers.stsSeconds=15768000",
        "http.middlewares.myapp-hsts.headers.stsIncludeSubdomains=true",
        "http.middlewares.myapp-hsts.headers.stsPreload=true",
        "http.middlewares.myapp-buffering.buffering.maxRequestBodyBytes=1000",
    ];
    let labels = [&own("127.0.11.3", "myapp")[..], &traefik_labels(&web)].concat();
    let page = "echo my app >/www/index.html; exec httpd -f -p 127.0.11.3:8080 -h /www";
    run_container(
        machine,
        2816,
        "myapp",
        &labels,
        &["busybox", "sh", "-c", page],
    );

    for (name, ip, protocol, external, port) in [
        ("database", "127.0.11.4", "tcp", 5432, 5432),
        ("mail", "127.0.11.5", "tcp", 2525, 25),
        ("dns", "127.0.11.6", "udp", 53, 53),
    ] {
        let mut words = vec![
            format!("{protocol}.routers.{name}.entrypoints={protocol}-{external}"),
            format!("{protocol}.routers.{name}.service={name}"),
            format!("{protocol}.services.{name}.loadbalancer.server.port={port}"),
        ];
        if protocol == "tcp" {
            words.push(format!("tcp.routers.{name}.rule=HostSNI(`*`)"));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let labels = [&own(ip, name)[..], &traefik_labels(&words)].concat();
        // busybox has no UDP server: the machine's socat echoes what it is sent.
        let listen = format!("{}-LISTEN:{port},bind={ip},fork", protocol.to_uppercase());
        let echo = [
            "busybox", "chroot", "/machine", "socat", &listen, "EXEC:cat",
        ];
        run_container(machine, 2816, name, &labels, &echo);
    }
}

pub(crate) fn traefik_labels(labels: &[&str]) -> Vec<String> {
    labels
        .iter()
        .map(|label| format!("traefik.{label}"))
        .collect()
}

pub(crate) fn run_container(
    machine: &TestMachine,
    id: u32,
    name: &str,
    labels: &[String],
    words: &[&str],
) {
    let mut all = vec!["run", "--detach", "--name", name, "--network", "host"];
    all.extend(["--volume", "/:/machine:ro"]);
    for label in labels {
        all.extend(["--label", label]);
    }
    all.extend(words);
    machine.docker(id, &all);
}

fn auto_routes_answer_with_a_certificate(machine: &TestMachine) {
    for (id, page) in [(2816, "app of 2816"), (2880, "app of 2880")] {
        let url = format!("https://app-{id}.example.test/");
        let (reply, took) = eventually(&url, || curl(machine, &url, &[]).filter(Reply::is_ok));
        assert_eq!(reply.body.trim(), page);
        println!("figure: {url} answered with a valid certificate after {took:.2?}");
        let v6 = curl_to(machine, machine.env("ADDR6"), &url, &[]).expect("an answer by IPv6");
        assert_eq!(v6.body.trim(), page);
    }
}

fn a_labelled_route_answers_with_its_headers(machine: &TestMachine) {
    let url = "https://app.example.test/";
    let (reply, took) = eventually(url, || curl(machine, url, &[]).filter(Reply::is_ok));
    println!("figure: {url} answered with a valid certificate after {took:.2?}");
    assert_eq!(reply.body.trim(), "my app");
    let hsts = "strict-transport-security: max-age=15768000; includesubdomains; preload";
    assert!(reply.head.to_lowercase().contains(hsts), "{}", reply.head);
    let large = curl(machine, url, &["--data-binary", &"x".repeat(2000)]).expect("an answer");
    assert_eq!(
        large.status, 413,
        "the buffering middleware did not refuse a large body"
    );
}

fn port_80_redirects(machine: &TestMachine) {
    let reply = curl(machine, "http://app.example.test/path", &[]).expect("an answer on port 80");
    assert!([301, 308].contains(&reply.status), "{}", reply.head);
    assert!(
        reply
            .head
            .contains("Location: https://app.example.test/path"),
        "{}",
        reply.head
    );
}

fn tcp_and_udp_are_forwarded(machine: &TestMachine) {
    let address = machine.env("ADDR");
    for port in [5432, 2525] {
        let at = format!("{address}:{port}");
        eventually(&at, || echoed_by_tcp(&at));
    }
    let at = format!("{address}:53");
    eventually(&at, || echoed_by_udp(&at));
}

fn diagnostics_are_json(machine: &TestMachine) {
    // The page's own commands.
    for path in ["health", "routes.json", "ports"] {
        let url = format!("http://127.0.0.1:7111/{path}");
        let script = format!("curl -s {url}");
        let json = machine.run(&["sh", "-c", &script]);
        let value: serde_json::Value = serde_json::from_str(&json).expect(&json);
        match path {
            "health" => {
                assert_eq!(value["status"], "ok", "{json}");
                assert_eq!(value["rejections"], 0, "{json}");
                assert_eq!(value["routers"]["udp"], 1, "{json}");
            }
            "routes.json" => {
                let auto = &value["http"]["routers"]["app-2880"];
                assert_eq!(auto["rule"], "Host(`app-2880.example.test`)", "{json}");
            }
            _ => assert!(value["tcp"].is_array(), "{json}"),
        }
    }
}

fn a_service_gets_an_external_port_on_demand(machine: &TestMachine) {
    let labels = [
        "rediacc.network_id=2880",
        "rediacc.service_name=queue",
        "rediacc.service_ip=127.0.11.67",
        "rediacc.tcp_ports=7000",
    ];
    let echo = ["busybox", "chroot", "/machine", "socat"];
    let echo = [
        &echo[..],
        &["TCP-LISTEN:7000,bind=127.0.11.67,fork", "EXEC:cat"],
    ]
    .concat();
    run_container(machine, 2880, "queue", &labels.map(str::to_owned), &echo);
    let (port, _) = eventually("an external port", || {
        let ports = machine.run(&["curl", "-s", "http://127.0.0.1:7111/ports"]);
        let ports: serde_json::Value = serde_json::from_str(&ports).ok()?;
        let queue = ports["tcp"]
            .as_array()?
            .iter()
            .find(|port| port["service"] == "queue")?;
        queue["port"].as_u64()
    });
    let at = format!("{}:{port}", machine.env("ADDR"));
    eventually(&at, || echoed_by_tcp(&at));
}

fn routes_follow_their_containers(machine: &TestMachine) {
    let url = "https://app-2816.example.test/";
    for _ in 0..5 {
        machine.docker(2816, &["stop", "--time", "0", "app"]);
        let gone = || curl(machine, url, &[]).filter(|reply| reply.status == 404);
        let (_, took) = eventually("the stopped container's 404", gone);
        println!("figure: docker stop returned → first 404: {took:.2?}");
        let started = Instant::now();
        machine.docker(2816, &["start", "app"]);
        eventually(url, || curl(machine, url, &[]).filter(Reply::is_ok));
        println!(
            "figure: docker start begun → first 200: {:.2?}",
            started.elapsed()
        );
    }
}

fn a_second_push_restarts_nothing(workstation: &Workstation, machine: &TestMachine) {
    let before = start_times(machine);
    let push = workstation.rdc(&["context", "push-infra", "server-1"]);
    assert!(
        push.contains("nothing changed, nothing restarted"),
        "{push}"
    );
    assert_eq!(start_times(machine), before);
}

fn a_new_port_restarts_and_opens(workstation: &Workstation, machine: &TestMachine) {
    workstation.rdc(&[
        "context",
        "set-infra",
        "server-1",
        "--tcp-ports",
        "2525,2526",
    ]);
    let push = workstation.rdc(&["context", "push-infra", "server-1"]);
    assert!(
        push.contains("restarted rediacc-router.service, rediacc-proxy.service"),
        "{push}"
    );
    let address = format!("{}:2526", machine.env("ADDR"));
    TcpStream::connect(&address).expect("the new entry point accepts connections");
    let url = "https://app.example.test/";
    eventually(url, || curl(machine, url, &[]).filter(Reply::is_ok));
}

fn start_times(machine: &TestMachine) -> String {
    let property = "--property=Id,ActiveEnterTimestampMonotonic,MainPID";
    let units = [
        "rediacc-router.socket",
        "rediacc-router.service",
        "rediacc-proxy.service",
    ];
    machine.run(&[&["systemctl", "show", property][..], &units].concat())
}

fn echoed_by_tcp(at: &str) -> Option<()> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"echo").ok()?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).ok()?;
    (&answer == b"echo").then_some(())
}

fn echoed_by_udp(at: &str) -> Option<()> {
    let wildcard = "0.0.0.0:0";
    let socket = UdpSocket::bind(wildcard).ok()?;
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .ok()?;
    socket.send_to(b"echo", at).ok()?;
    let mut answer = [0; 16];
    let (count, _) = socket.recv_from(&mut answer).ok()?;
    (&answer[..count] == b"echo").then_some(())
}

/// Asks until there is an answer, and says how long it took.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return (answer, start.elapsed());
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        // The network has no event to wait for.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What an HTTP server said.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn is_ok(&self) -> bool {
        self.status == 200
    }
}

fn curl(machine: &TestMachine, url: &str, options: &[&str]) -> Option<Reply> {
    curl_to(machine, machine.env("ADDR"), url, options)
}

/// Asks a machine by the name in a URL; none where there is no valid certificate or no answer.
pub(crate) fn curl_to(
    machine: &TestMachine,
    address: &str,
    url: &str,
    options: &[&str],
) -> Option<Reply> {
    let address = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let output = Command::new("curl")
        .args(["--silent", "--include", "--http1.1", "--max-time", "5"])
        .args([
            "--cacert",
            machine.env("CA_CERT"),
            "--connect-to",
            &format!("::{address}:"),
        ])
        .args(options)
        .arg(url)
        .output()
        .expect("curl runs");
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
