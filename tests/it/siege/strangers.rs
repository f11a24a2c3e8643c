//! Strangers on the machine's loopback: H8, H9 and L2, against the route server's own port.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::site::SECRET;

/// How many connections are held that ask for nothing.
const IDLE: usize = 1000;
/// How many requests never come to their end.
const SLOW: usize = 100;
/// How many clients ask for what is expensive to make, one answer after another.
const GREEDY: usize = 8;
const PATHS: [&str; 6] = [
    "/routes.json",
    "/containers.json",
    "/routes.yaml",
    "/health",
    "/metrics",
    "/ports",
];

/// All of them, until they leave.
pub(super) struct Strangers {
    stop: CancellationToken,
    readers: JoinSet<bool>,
}

impl Strangers {
    pub(super) fn come(at: SocketAddr) -> Self {
        let stop = CancellationToken::new();
        let mut readers = JoinSet::new();
        for number in 0..GREEDY {
            readers.spawn(read(at, number, stop.clone()));
        }
        readers.spawn(hold(at, stop.clone()));
        for _ in 0..SLOW {
            readers.spawn(dawdle(at, stop.clone()));
        }
        Self { stop, readers }
    }

    /// Whether any of them has read the victim's secret.
    pub(super) async fn leave(self) -> bool {
        self.stop.cancel();
        self.readers.join_all().await.contains(&true)
    }
}

async fn read(at: SocketAddr, first: usize, stop: CancellationToken) -> bool {
    let mut has_read = false;
    for path in PATHS.iter().cycle().skip(first) {
        if stop.is_cancelled() {
            break;
        }
        let mut answer = Vec::new();
        let asked = async {
            let mut stream = TcpStream::connect(at).await?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            stream.read_to_end(&mut answer).await
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), asked).await;
        has_read |= answer
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    has_read
}

async fn hold(at: SocketAddr, stop: CancellationToken) -> bool {
    let mut held = Vec::new();
    while held.len() < IDLE && !stop.is_cancelled() {
        held.extend(TcpStream::connect(at).await);
    }
    stop.cancelled().await;
    false
}

async fn dawdle(at: SocketAddr, stop: CancellationToken) -> bool {
    while !stop.is_cancelled() {
        let Ok(mut stream) = TcpStream::connect(at).await else {
            continue;
        };
        let begun = stream.write_all(b"GET /health HTTP/1.1\r\nX: ").await;
        while begun.is_ok() && !stop.is_cancelled() && stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    false
}
