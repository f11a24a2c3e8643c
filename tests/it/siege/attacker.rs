//! The attacker: label sets of every class, which name what it wants of the victim, all at once and
//! redeployed at random; and a daemon of its own that talks without an end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::labels::{self, EVIL};
use super::site::{ATTACKER, ROGUE, Site};
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

/// The longest wait between two redeployments.
const LONGEST_PAUSE_MS: u64 = 200;
/// What a daemon answers that wants its reader's memory.
const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: \
    chunked\r\n\r\n1\r\n[\r\n";
/// Of this its list consists, and of so much of it: four times what anybody is to read.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS: usize = 4 * 1024;

/// All label sets.
pub(super) struct Attacker {
    /// On a thread of its own: what its daemon has to write takes long, and is not to delay those
    /// who measure.
    runtime: Option<Runtime>,
    containers: Arc<Vec<SimulatedContainer>>,
    daemon: Arc<SimulatedDaemon>,
}

impl Drop for Attacker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An attack that goes on until it is ended.
pub(super) struct Attack {
    stop: CancellationToken,
    deployments: JoinHandle<usize>,
    requests: JoinHandle<()>,
    rogue: JoinHandle<()>,
}

/// A container for each label set, of the classes that are wanted.
pub(super) fn containers(at: SocketAddr, route_server: SocketAddr) -> Vec<SimulatedContainer> {
    let sets = labels::all(at, route_server);
    let wanted = std::env::var("SIEGE_CLASSES").ok();
    let is_wanted = |class: &str| {
        let wanted = wanted.as_deref().map(|wanted| wanted.split(','));
        wanted.is_none_or(|mut wanted| wanted.any(|one| one == class))
    };
    let sets = sets
        .into_iter()
        .filter(|(class, _)| is_wanted(class))
        .enumerate();
    sets.map(|(number, (class, labels))| {
        let container = SimulatedContainer {
            name: format!("{class}-{number}"),
            ..SimulatedContainer::new("evil")
        };
        let container = container
            .label("traefik.enable", "true")
            .label("rediacc.service_port", &at.port().to_string());
        labels.iter().fold(container, |one, (label, value)| {
            let own = |text: &str| text.replace('#', &number.to_string());
            one.label(&own(label), &own(value))
        })
    })
    .collect()
}

impl Attacker {
    pub(super) fn new(site: &Site) -> Self {
        let at = site.servers.attackers;
        let containers = containers(at, site.route_server_address());
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        // Its daemon is there from the beginning, and runs nothing yet.
        let daemon = {
            let _in_it = runtime.enter();
            SimulatedDaemon::start(&site.socket(ATTACKER), &[])
        };
        Self {
            runtime: Some(runtime),
            containers: Arc::new(containers),
            daemon: Arc::new(daemon),
        }
    }

    /// Starts everything at once.
    pub(super) fn attack(&self, site: &Site) -> Attack {
        let stop = CancellationToken::new();
        let _in_it = self.runtime.as_ref().expect("it is there").enter();
        let (daemon, containers) = (self.daemon.clone(), self.containers.clone());
        let deployments = tokio::spawn(redeploy(daemon, containers, stop.clone()));
        let requests = tokio::spawn(ask(site.entrypoints.pages.at(), stop.clone()));
        let _ = std::fs::remove_file(site.socket(ROGUE));
        let rogue = UnixListener::bind(site.socket(ROGUE)).expect("the rogue's socket");
        let rogue = tokio::spawn(talk(rogue, stop.clone()));
        Attack {
            stop,
            deployments,
            requests,
            rogue,
        }
    }
}

impl Attack {
    /// Ends it, and answers how often the attacker redeployed.
    pub(super) async fn end(self) -> usize {
        self.stop.cancel();
        self.requests.await.expect("no panic");
        self.rogue.await.expect("no panic");
        self.deployments.await.expect("no panic")
    }
}

/// Takes containers away and starts them again, older and younger, until it is told to stop; then
/// nothing is left.
async fn redeploy(
    daemon: Arc<SimulatedDaemon>,
    containers: Arc<Vec<SimulatedContainer>>,
    stop: CancellationToken,
) -> usize {
    let mut random = Random(0x5eed);
    let mut deployments = 0;
    while !stop.is_cancelled() {
        let kept = containers.iter().filter(|_| random.below(8) > 0).cloned();
        let mut kept: Vec<_> = kept.collect();
        for container in &mut kept {
            // Half of them are older than anything of the victim's.
            container.created = 1_600_000_000 + random.below(2) as i64 * 200_000_000;
        }
        daemon.deploy(&kept);
        deployments += 1;
        let pause = Duration::from_millis(random.below(LONGEST_PAUSE_MS));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
    daemon.deploy(&[]);
    deployments
}

/// Some attacks begin with a request to the attacker's own name.
async fn ask(web: SocketAddr, stop: CancellationToken) {
    let mut answer = [0; 1024];
    while !stop.is_cancelled() {
        for path in ["/", "/redirect", "/loop"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: {EVIL}\r\nContent-Length: 4\r\nConnection: close\r\n\
                 \r\nbody"
            );
            let asked = async {
                let mut stream = TcpStream::connect(web).await?;
                stream.write_all(request.as_bytes()).await?;
                stream.read(&mut answer).await
            };
            let _ = tokio::time::timeout(Duration::from_secs(1), asked).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A daemon whose list of containers comes to no end.
async fn talk(listener: UnixListener, stop: CancellationToken) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("a client");
                let stop = stop.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = endless(client) => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
            () = stop.cancelled() => return,
        }
    }
}

async fn endless(mut client: UnixStream) -> std::io::Result<()> {
    let mut request = [0; 4096];
    loop {
        let length = client.read(&mut request).await?;
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        if length == 0 {
            return Ok(());
        }
        if request.contains("/containers/json") {
            client.write_all(ENDLESS).await?;
            let chunk = format!("{CHUNK_BYTES:x}\r\n{}\r\n", " ".repeat(CHUNK_BYTES));
            for _ in 0..CHUNKS {
                client.write_all(chunk.as_bytes()).await?;
            }
            std::future::pending::<()>().await;
        }
        let body = r#"{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nApi-Version: 1.41";
        let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        client.write_all(answer.as_bytes()).await?;
    }
}

/// The same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
