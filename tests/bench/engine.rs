//! A Docker engine's API on a real Unix socket that costs next to nothing: every answer is rendered
//! before anybody asks for it, and threads only copy it. It counts what it is asked.
//!
//! The integration tests have another one, which can fail in many ways and renders as it is asked.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::containers::Container;

/// Enough for a request's line and headers.
const STACK_BYTES: usize = 128 << 10;

/// An engine on a socket of its own, until it is dropped.
pub(crate) struct SimulatedEngine {
    socket: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    requests: AtomicUsize,
    is_stopped: AtomicBool,
}

struct State {
    answers: HashMap<String, Arc<[u8]>>,
    subscribers: Vec<UnixStream>,
    last_request: Instant,
}

/// What an engine is going to say of a change, and the list that shows it.
pub(crate) struct Change {
    list: Arc<[u8]>,
    event: Vec<u8>,
}

impl Change {
    /// Renders what follows from one of these containers having started anew.
    pub(crate) fn start(containers: &[Container], started: &Container) -> Self {
        let event = json!({
            "status": "start",
            "id": started.id(),
            "Type": "container",
            "Action": "start",
            "Actor": {"ID": started.id(), "Attributes": {}},
            "scope": "local",
            "time": 1_700_000_000,
            "timeNano": 1_700_000_000_000_000_000_i64,
        });
        Self {
            list: list(containers),
            event: chunk(&format!("{event}\n")),
        }
    }
}

impl SimulatedEngine {
    /// Binds the socket, and renders all answers.
    pub(crate) fn start(socket: &Path, containers: &[Container]) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let version = json!({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"});
        let image = json!({"Id": "sha256:1f", "Config": {"ExposedPorts": {"8080/tcp": {}}}});
        let mut answers = HashMap::from([
            ("/_ping".to_owned(), answer("OK")),
            ("/version".to_owned(), answer(&version.to_string())),
            ("/images/json".to_owned(), answer(&image.to_string())),
            ("/containers/json".to_owned(), list(containers)),
        ]);
        for container in containers {
            let path = format!("/containers/{}/json", container.id());
            answers.insert(path, answer(&container.inspection().to_string()));
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                answers,
                subscribers: Vec::new(),
                last_request: Instant::now(),
            }),
            requests: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        spawn(move || accept(&listener, &accepting))?;
        Ok(Self {
            socket: socket.to_owned(),
            shared,
        })
    }

    /// Shows a change and announces it. Only copies: what is measured begins after the rendering.
    pub(crate) fn apply(&self, change: &Change) {
        let mut state = self.shared.state();
        let list = change.list.clone();
        state.answers.insert("/containers/json".to_owned(), list);
        // Whoever does not read any more has unsubscribed.
        state
            .subscribers
            .retain_mut(|subscriber| subscriber.write_all(&change.event).is_ok());
    }

    /// How much it was asked so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// When it was last asked anything.
    pub(crate) fn last_request(&self) -> Instant {
        self.shared.state().last_request
    }
}

impl Drop for SimulatedEngine {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; it sees that it is over.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
        for subscriber in self.shared.state().subscribers.drain(..) {
            let _ = subscriber.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no thread panics while it holds this")
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = shared.clone();
        // A client that goes away ends its connection, and nothing else.
        let serving = spawn(move || {
            let _ = serve(stream, &shared);
        });
        serving.expect("a thread");
    }
}

fn serve(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (method, path) = request(&line);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
        }
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let answer = {
            let mut state = shared.state();
            state.last_request = Instant::now();
            if path == "/events" {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                            Transfer-Encoding: chunked\r\n\r\n";
                writer.write_all(head.as_bytes())?;
                state.subscribers.push(writer.try_clone()?);
                continue;
            }
            state.answers.get(path.as_str()).cloned()
        };
        match answer {
            Some(_) if method == "HEAD" => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n\r\n")?;
            }
            Some(answer) => writer.write_all(&answer)?,
            None => writer.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
        }
    }
}

/// The method, and the path without version and query. All images are the same one.
fn request(line: &str) -> (String, String) {
    let mut words = line.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let path = match path.strip_prefix("/v1.") {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => path,
    };
    let path = if path.starts_with("/images/") {
        "/images/json"
    } else {
        path
    };
    (method.unwrap_or_default().to_owned(), path.to_owned())
}

fn list(containers: &[Container]) -> Arc<[u8]> {
    let list = Value::from_iter(containers.iter().map(Container::summary));
    answer(&list.to_string())
}

/// A whole answer. In one chunk, as engines send what is not small.
fn answer(body: &str) -> Arc<[u8]> {
    let head = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    [head.as_bytes(), &chunk(body), b"0\r\n\r\n"]
        .concat()
        .into()
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work)?;
    Ok(())
}
