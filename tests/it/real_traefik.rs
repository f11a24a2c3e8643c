//! The real Traefik that `tests/setup` installs, as a process of a test: on loopback, on ports that
//! the kernel chose, ended when it is dropped.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The API's socket is open before Traefik is, so that the first question waits and is not
/// refused. It is handed over as systemd would; Traefik closes its standard input's copy.
const START: &str =
    r#"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=traefik exec "$0" "$@" 3<&0 </dev/null"#;

/// Between two looks at the API for something that Traefik tells nobody when it has done it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How long a test waits for Traefik before it shows what Traefik says.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A Traefik that runs. Dropping it kills it.
pub(crate) struct RealTraefik {
    child: Child,
    api: String,
    log: Arc<Mutex<Vec<Value>>>,
}

impl RealTraefik {
    /// Starts it with these arguments, and with its API.
    pub(crate) fn start(arguments: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let api = listener.local_addr().expect("an address").to_string();
        let mut command = Command::new("sh");
        command
            .args(["-c", START, &program()])
            .arg("--api.insecure")
            .arg(format!("--entryPoints.traefik.address={api}"))
            .args(["--log.level=ERROR", "--log.format=json"])
            .args([
                "--global.checkNewVersion=false",
                "--global.sendAnonymousUsage=false",
            ])
            .args(arguments)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("Traefik");
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut errors = BufReader::new(child.stderr.take().expect("piped")).lines();
        let append = |log: &Mutex<Vec<Value>>, line: String| {
            let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
            log.lock().expect("no panics").push(line);
        };
        in_background(log.clone(), move |log| async move {
            while let Ok(Some(line)) = lines.next_line().await {
                append(&log, line);
            }
        });
        in_background(log.clone(), move |log| async move {
            while let Ok(Some(line)) = errors.next_line().await {
                append(&log, line);
            }
        });
        Self { child, api, log }
    }

    /// Whether it is still the process that was started.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// An answer of its API; null where it says that there is no such thing.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.api).await.expect("Traefik's API");
        let request = format!("GET /api/{path} HTTP/1.0\r\nHost: traefik\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        if head.starts_with("HTTP/1.0 404") {
            return Value::Null;
        }
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// Waits until there is a thing of the API, as `http/routers/marker@docker`.
    pub(crate) async fn has(&self, thing: &str) {
        let is_there = async {
            while self.api(thing).await.is_null() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(LONGEST_WAIT, is_there).await.is_err() {
            panic!("Traefik has no {thing}: {:?}", self.errors());
        }
    }

    /// Waits until it has logged something with these words.
    pub(crate) async fn says(&self, words: &str) {
        let is_said = async {
            while !self
                .errors()
                .iter()
                .any(|line| line.to_string().contains(words))
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(LONGEST_WAIT, is_said).await.is_err() {
            panic!("Traefik did not say {words}: {:?}", self.errors());
        }
    }

    /// What it has logged at the level of an error, or worse.
    pub(crate) fn errors(&self) -> Vec<Value> {
        let log = self.log.lock().expect("no panics");
        let is_error =
            |line: &&Value| !matches!(line["level"].as_str(), Some("debug" | "info" | "warn"));
        log.iter().filter(is_error).cloned().collect()
    }
}

fn in_background<F: Future<Output = ()> + Send + 'static>(
    log: Arc<Mutex<Vec<Value>>>,
    read: impl FnOnce(Arc<Mutex<Vec<Value>>>) -> F,
) {
    tokio::spawn(read(log));
}

/// The path that `tests/setup` knows.
fn program() -> String {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup");
    let output = std::process::Command::new(setup).arg("traefik").output();
    let output = output.expect("tests/setup");
    let path = String::from_utf8(output.stdout).expect("a path");
    let path = path.trim_end();
    assert!(Path::new(path).exists(), "run tests/setup first: no {path}");
    path.to_owned()
}
