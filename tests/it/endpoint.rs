//! The route server's port under load and among strangers: who gets the routes, what everybody may
//! read, and what ten thousand connections cost the others.

use std::net::{SocketAddr, TcpStream as StdStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

/// Within what a change of a repository is to be seen, whatever others do.
const IN_TIME: Duration = Duration::from_secs(1);
/// How long anything may take of which the time is not judged.
const PATIENCE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 10_000;
const SLOW_REQUESTS: usize = 200;
const OPEN_PATHS: [&str; 6] = [
    "/routes.json",
    "/health",
    "/ports",
    "/metrics",
    "/containers.json",
    "/containers.json?name=web",
];

#[tokio::test]
async fn the_routes_are_for_whoever_has_the_token() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let token = machine.state_dir().join("token");
    std::fs::write(&token, "right\n").expect("a writable file");
    let server = with_token(&machine, &token).await;

    for (method, headers, status) in [
        ("GET", "", 401),
        ("HEAD", "", 401),
        ("GET", "Authorization: Bearer wrong\r\n", 401),
        ("GET", "Authorization: Bearer right2\r\n", 401),
        ("GET", "Authorization: Bearer \r\n", 401),
        ("GET", "Authorization: Basic right\r\n", 401),
        (
            "GET",
            "Authorization: Bearer right\r\nAuthorization: Bearer x\r\n",
            401,
        ),
        ("GET", "Authorization: Bearer right\r\n", 200),
        ("GET", "authorization: bearer right\r\n", 200),
        ("HEAD", "Authorization: Bearer right\r\n", 200),
    ] {
        let mut connection = server.connect().await;
        let answer = connection.request_with(method, "/routes.yaml?certificates=later", headers);
        let answer = answer.await;
        assert_eq!(answer.status, status, "{method} {headers:?}: {answer:?}");
        if (method, status) == ("GET", 401) {
            let body: Value = serde_json::from_str(&answer.body).expect("JSON");
            assert!(
                body["error"].is_string() && body["hint"].is_string(),
                "{body}"
            );
            assert!(
                answer.head.contains("www-authenticate: bearer\r\n"),
                "{answer:?}"
            );
        }
    }
    for path in OPEN_PATHS {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let health = server.get_json("/health").await;
    assert_eq!(health["status"], "ok");
    assert_eq!(health["routes_yaml"]["access"], "token");

    std::fs::write(&token, "other").expect("a writable file");
    assert_eq!(poll(&server, "other").await, 200, "it is read anew");
    assert_eq!(poll(&server, "right").await, 401);
    // What cannot be read any more lets nobody in, nor does what is empty.
    std::fs::write(&token, "").expect("a writable file");
    assert_eq!(poll(&server, "wrong").await, 401);
    assert_eq!(poll(&server, "other").await, 401);
}

#[tokio::test]
async fn a_token_file_that_is_of_no_use_closes_the_path_until_it_is_mended() {
    let make_folder = |path: &Path| std::fs::create_dir(path).expect("a folder");
    let make_empty = |path: &Path| std::fs::write(path, "\n").expect("a file");
    let make_nothing = |_: &Path| {};
    let ways: [&dyn Fn(&Path); 3] = [&make_folder, &make_empty, &make_nothing];
    for make in ways {
        let machine = Machine::new();
        let _daemon = machine.daemon(2816, "web");
        let token = machine.state_dir().join("token");
        make(&token);
        let server = with_token(&machine, &token).await;

        for headers in [
            "",
            "Authorization: Bearer \r\n",
            "Authorization: Bearer x\r\n",
        ] {
            let mut connection = server.connect().await;
            let answer = connection
                .request_with("GET", "/routes.yaml", headers)
                .await;
            assert_eq!(answer.status, 401, "{headers:?}");
            assert!(answer.body.contains("token"), "{answer:?}");
        }
        let health = server.get_json("/health").await;
        assert_eq!(health["routes_yaml"]["access"], "closed");
        assert_eq!(health["status"], "degraded");
        let log = server.log();
        let line = log.lines().find(|line| line.contains("ERROR"));
        assert!(
            line.is_some_and(|line| line.contains("/state/token")),
            "{log}"
        );

        let _ = std::fs::remove_dir(&token);
        std::fs::write(&token, "right").expect("a writable file");
        assert_eq!(poll(&server, "right").await, 200);
        assert_eq!(server.get_json("/health").await["status"], "ok");
    }
}

#[tokio::test]
async fn without_a_token_file_the_path_is_open() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let mut command = machine.renet();
    command.env("REDIACC_TOKEN_FILE", "");
    let server = RouteServer::spawn(command).await;
    assert_eq!(server.get("/routes.yaml").await.status, 200);
    assert_eq!(
        server.get_json("/health").await["routes_yaml"]["access"],
        "open"
    );
}

/// A secret in each field that may hold one, in a valid label and in one that is rejected.
#[tokio::test]
async fn no_open_path_tells_a_secret() {
    let valid = [
        "middlewares.a.basicauth.users=me:$apr1$s3cret",
        "middlewares.a.basicauth.headerfield=s3cret",
        "middlewares.b.digestauth.users=me:realm:s3cret",
        "middlewares.c.headers.customrequestheaders.Authorization=Bearer s3cret",
        "middlewares.c.headers.customresponseheaders.X-Key=s3cret",
        "middlewares.c.headers.contentsecuritypolicy=s3cret",
        "middlewares.d.plugin.jwt.key=s3cret",
        "middlewares.d.plugin.jwt.keys[0]=s3cret",
        "middlewares.e.ratelimit.average=5",
        "middlewares.e.ratelimit.redis.endpoints=127.0.11.2:6379",
        "middlewares.e.ratelimit.redis.username=s3cret",
        "middlewares.e.ratelimit.redis.password=s3cret",
        "middlewares.f.addprefix.prefix=/s3cret",
        "middlewares.g.replacepathregex.regex=s3cret",
        "middlewares.g.replacepathregex.replacement=s3cret",
        "middlewares.h.redirectregex.regex=^http://a/(.*)",
        "middlewares.h.redirectregex.replacement=http://me:s3cret@a/",
        "middlewares.i.circuitbreaker.expression=ResponseCodeRatio(500, 600, 0, 600) > 0.5",
        "middlewares.j.forwardauth.address=http://127.0.11.2:8080/s3cret",
        "middlewares.j.forwardauth.authrequestheaders=s3cret",
        "services.w.loadbalancer.server.port=8080",
        "services.w.loadbalancer.healthcheck.path=/s3cret",
        "services.w.loadbalancer.healthcheck.hostname=s3cret",
        "services.w.loadbalancer.healthcheck.headers.Authorization=s3cret",
        "services.w.loadbalancer.sticky.cookie.name=s3cret",
        "routers.w.middlewares=a,b,c,e,f,g,h,i,j",
        "routers.w.rule=Host(`web.example.test`) && Header(`X-Key`, `s3cret`)",
        "routers.q.rule=Host(`web.example.test`) && Query(`key`, `s3cret`)",
        "routers.q.service=w",
    ];
    let rejected = [
        "services.w.loadbalancer.server.url=http://me:s3cret@127.0.11.2/",
        "services.w.loadbalancer.server.url=s3cret://127.0.11.2/",
        "services.w.loadbalancer.healthcheck.path=http://s3cret/",
        "middlewares.a.basicauth.removeheader=s3cret",
        "middlewares.a.basicauth=s3cret",
        "middlewares.a.basicauth.users[0].x=s3cret",
        "middlewares.a.forwardauth.address=http://me:s3cret@127.0.11.2/",
        "middlewares.a.forwardauth.address=s3cret",
        "middlewares.a.forwardauth.tls.key=s3cret",
        "middlewares.a.ratelimit.redis.endpoints=me:s3cret@127.0.11.2:1",
        "middlewares.a.ratelimit.redis.poolsize=s3cret",
        "middlewares.a.headers.customrequestheaders=s3cret",
        "middlewares.a.headers.stsseconds=s3cret",
        "middlewares.a.s3cretless.x=s3cret",
        "middlewares.a.plugin=s3cret",
        "routers.w.rule=Host(`a`) && Header(`X-Key`, `s3cret`",
        "routers.w.rule=Header(`X-Key`, s3cret)",
    ];
    let machine = Machine::new();
    let web = || SimulatedContainer::new("web").label("traefik.enable", "true");
    let label = |container: SimulatedContainer, text: &str| {
        let (name, value) = text.split_once('=').expect("a label");
        container.label(&format!("traefik.http.{name}"), value)
    };
    let whole = valid
        .iter()
        .fold(web(), |container, text| label(container, text));
    let mut containers = vec![
        whole
            .label("rediacc.password", "s3cret")
            .label("traefik.s3", "s3cret")
            .label(
                "traefik.tcp.services.t.loadbalancer.healthcheck.send",
                "s3cret",
            ),
    ];
    containers.extend(rejected.iter().enumerate().map(|(number, text)| {
        let container = SimulatedContainer {
            name: format!("rejected-{number}"),
            ..web()
        };
        label(container, text)
    }));
    let _daemon = SimulatedDaemon::start(&machine.socket(2816), &containers);
    let server = machine.route_server().await;
    let yaml = server.get("/routes.yaml").await.body;
    assert!(
        yaml.matches("s3cret").count() > 20,
        "Traefik gets them: {yaml}"
    );

    let routes = server.get_json("/routes.json").await;
    let count = routes["rejections"].as_array().map_or(0, Vec::len);
    assert!(
        count >= rejected.len() - 1,
        "{count} rejections: {routes:#}"
    );
    let middlewares = &routes["http"]["middlewares"];
    assert_eq!(middlewares["a-2816"], serde_json::json!({"basicAuth": {}}));
    assert_eq!(middlewares["e-2816"]["rateLimit"]["average"], 5);
    for path in OPEN_PATHS {
        assert_is_secret(path, &server.get(path).await.body);
    }
    assert_is_secret("the log", &server.log());
    for words in [
        &["web"][..],
        &["web", "--json"],
        &["rejected-0"],
        &["web.example.test"],
    ] {
        let mut command = machine.renet();
        command
            .arg("explain")
            .args(words)
            .args(["--url", &server.url()]);
        let output = command.output().await.expect("renet");
        assert!(output.status.success(), "{output:?}");
        assert_is_secret("explain", &String::from_utf8_lossy(&output.stdout));
    }
}

#[track_caller]
fn assert_is_secret(place: &str, text: &str) {
    // The name of a key is none, and is what its rejection is about.
    let text = text.replace("s3cretless", "");
    if let Some(at) = text.find("s3cret") {
        let start = text[..at]
            .char_indices()
            .rev()
            .nth(300)
            .map_or(0, |(at, _)| at);
        panic!("{place}: {}", &text[start..at + 6]);
    }
}

/// Labels, names and a daemon that says what it likes: neither a terminal nor a log does as told.
#[tokio::test]
async fn nothing_that_strangers_say_acts_on_a_terminal() {
    let nasty = "x\u{1b}[2J\u{9b}31m\u{202e}\nfake: line";
    let machine = Machine::new();
    let web = SimulatedContainer::new("web").label("traefik.enable", nasty);
    let odd = SimulatedContainer {
        name: nasty.to_owned(),
        ..SimulatedContainer::new("odd")
    };
    let odd = odd.label("rediacc.service_port", nasty);
    let _daemon = SimulatedDaemon::start(&machine.socket(2816), &[web, odd]);
    let rogue = UnixListener::bind(machine.socket(2880)).expect("a socket");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = rogue.accept().await {
            let body = serde_json::json!({ "message": nasty.repeat(500) }).to_string();
            let head = "HTTP/1.1 500 No\r\nContent-Type: application/json\r\nConnection: close";
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let mut request = [0; 1024];
            let _ = client.read(&mut request).await;
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    let server = machine.route_server().await;
    server.get("/routes.yaml").await;
    server.logged("daemon does not answer", 1).await;
    server.logged("rejected", 2).await;

    for path in OPEN_PATHS {
        assert_is_harmless(&server.get(path).await.body);
    }
    assert_is_harmless(&server.log());
    let longest = server.log().lines().map(str::len).max();
    assert!(longest < Some(4000), "{longest:?}");
    for words in [
        &["web"][..],
        &["odd"],
        &[nasty],
        &["nobody"],
        &["odd", "--json"],
    ] {
        let mut command = machine.renet();
        command
            .arg("explain")
            .args(words)
            .args(["--url", &server.url()]);
        let output = command.output().await.expect("renet");
        assert_is_harmless(&String::from_utf8(output.stdout).expect("text"));
        assert_is_harmless(&String::from_utf8(output.stderr).expect("text"));
    }
    let once = machine.renet().arg("--once").output().await.expect("renet");
    assert_is_harmless(&String::from_utf8(once.stderr).expect("text"));
}

#[track_caller]
fn assert_is_harmless(text: &str) {
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.contains(acts), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("fake")), "{text}");
}

/// What is promised: with so many connections, another repository's change reaches Traefik in a
/// second, on the connection that it has and on a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_and_slow_connections_delay_nobody() {
    let machine = Machine::new();
    let daemon = machine.daemon(2816, "web");
    let token = machine.state_dir().join("token");
    std::fs::write(&token, "right").expect("a writable file");
    let server = with_token(&machine, &token).await;
    let address: SocketAddr = server.address().parse().expect("an address");
    let authorization = "Authorization: Bearer right\r\n";
    let mut traefik = server.connect().await;
    let first = traefik
        .request_with("GET", "/routes.yaml", authorization)
        .await;
    assert_eq!(first.status, 200);

    let slow: JoinSet<()> = (0..SLOW_REQUESTS).map(|_| ask_slowly(address)).collect();
    let flood = tokio::task::spawn_blocking(move || idle(address));
    let mut changes = 0;
    let mut taken = Vec::new();
    let mut is_over = false;
    while changes < 10 || !is_over {
        is_over = flood.is_finished();
        let name = format!("new-{changes}");
        let begun = Instant::now();
        daemon.run(SimulatedContainer::new(&name));
        let seen = async {
            loop {
                let answer = traefik
                    .request_with("GET", "/routes.yaml", authorization)
                    .await;
                if answer.body.contains(&name) {
                    break;
                }
            }
        };
        timeout(PATIENCE, seen).await.expect("it is seen");
        taken.push(begun.elapsed());
        // A Traefik that is started now.
        let begun = Instant::now();
        let mut other = server.connect().await;
        let anew = other.request_with("GET", "/routes.yaml", authorization);
        let anew = timeout(PATIENCE, anew).await.expect("an answer");
        assert!(anew.body.contains(&name), "{anew:?}");
        taken.push(begun.elapsed());
        changes += 1;
    }
    let idle = flood.await.expect("no panic");
    let open = server.metric("rediacc_connections").await;
    taken.sort_unstable();
    println!(
        "figure: {} idle connections and {SLOW_REQUESTS} slow requests, {open} of them open; the \
         median and the slowest of {changes} changes took {:?} and {:?}",
        idle.len(),
        taken[taken.len() / 2],
        taken[taken.len() - 1]
    );
    assert!(open <= 257.0, "{open}");
    // Other tests run beside this one.
    assert!(taken[taken.len() / 2] < IN_TIME, "{taken:?}");
    drop(slow);
}

/// Sends one byte after another, for ever.
async fn ask_slowly(address: SocketAddr) {
    let request = b"GET /routes.json HTTP/1.1\r\nHost: renet\r\nX-Slow: ";
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            continue;
        };
        for byte in request.iter().copied().chain(std::iter::repeat(b'x')) {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// As many connections as this process may have, at most so many.
fn idle(address: SocketAddr) -> Vec<StdStream> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).expect("what is ours");
    let room = maximum.map_or(usize::MAX, |most| most as usize / 2);
    let count = IDLE_CONNECTIONS.min(room);
    (0..count)
        .map(|_| StdStream::connect(address).expect("it is accepted"))
        .collect()
}

#[tokio::test]
async fn a_request_that_does_not_come_to_its_end_is_given_up() {
    let machine = Machine::new();
    let _daemon = machine.daemon(2816, "web");
    let server = machine.route_server().await;
    server.get("/routes.yaml").await;
    for beginning in ["", "GET /heal"] {
        let mut slow = TcpStream::connect(server.address())
            .await
            .expect("a connection");
        slow.write_all(beginning.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        let read = slow.read_to_end(&mut answer);
        timeout(PATIENCE, read)
            .await
            .expect("an end")
            .expect("an orderly one");
        assert_eq!(answer, b"", "{beginning:?}");
    }
    let late = "rediacc_connections_closed_total{reason=\"late\"}";
    assert_eq!(server.metric(late).await, 2.0);
}

/// What is expensive to make is made once, whoever asks how often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_for_a_large_listing_cost_one() {
    const REPOSITORIES: u32 = 20;
    const CONTAINERS: usize = 10;
    const ROUTERS: usize = 100;
    const CLIENTS: usize = 40;
    let machine = Machine::new();
    let daemons: Vec<_> = (0..REPOSITORIES)
        .map(|number| {
            let id = 2816 + 64 * number;
            let container = |index: usize| {
                let name = format!("web-{index}");
                let web = SimulatedContainer::new(&name)
                    .label("traefik.enable", "true")
                    .label("traefik.http.services.s.loadbalancer.server.port", "8080");
                (0..ROUTERS).fold(web, |web, router| {
                    let router = format!("{name}-{router}");
                    let rule = format!("Host(`{router}.{id}.example.test`)");
                    web.label(&format!("traefik.http.routers.{router}.rule"), &rule)
                        .label(&format!("traefik.http.routers.{router}.service"), "s")
                })
            };
            let containers: Vec<_> = (0..CONTAINERS).map(container).collect();
            SimulatedDaemon::start(&machine.socket(id), &containers)
        })
        .collect();
    let server = machine.route_server().await;
    let complete = async {
        while server.get("/routes.json").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(2 * PATIENCE, complete).await.expect("the routes");
    let one = server.get("/routes.json").await.body;
    assert_eq!(one.matches("\"rule\":").count(), 20_000);
    let before = server.most_memory() >> 20;

    // Something else is published now, so that all of them ask for what nobody has asked for yet.
    daemons[0].run(SimulatedContainer::new("new"));
    let mut traefik = server.connect().await;
    let seen = traefik.poll_until(|routes| routes.contains("new-2816"));
    timeout(PATIENCE, seen).await.expect("it is published");
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let address = server.address().to_owned();
        clients.spawn(async move {
            let mut connection = crate::route_server::Connection::to(&address).await;
            connection.get("/routes.json").await.body.len()
        });
    }
    let answered = timeout(PATIENCE, clients.join_all())
        .await
        .expect("answers");
    assert!(
        answered.iter().all(|length| *length > one.len()),
        "{answered:?}"
    );
    let after = server.most_memory() >> 20;
    println!(
        "figure: {CLIENTS} answers of {} MiB: peak of {after} MiB, {before} MiB after one answer",
        one.len() / 1024 / 1024
    );
    assert!(after < before + 100, "{before} MiB, then {after} MiB");
}

async fn with_token(machine: &Machine, token: &Path) -> RouteServer {
    let mut command = machine.renet();
    command.arg("--token-file").arg(token);
    // Its changes come faster than those of strangers are published.
    command.env("REDIACC_TRUST_REPOSITORIES", "2816");
    let server = RouteServer::spawn(command).await;
    // Until the routes are complete, nothing is answered as it will be.
    while server.get("/health").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server
}

async fn poll(server: &RouteServer, token: &str) -> u16 {
    let mut connection = server.connect().await;
    let headers = format!("Authorization: Bearer {token}\r\n");
    let answer = connection
        .request_with("GET", "/routes.yaml", &headers)
        .await;
    answer.status
}
