//! Whether what was started really answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{failed, systemd};
use crate::bundle::Failure;
use crate::layout;

/// How long the two services may take from their start to their first answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long between two questions.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits until the route server and Traefik answer; the one that does not is named, with the end
/// of its journal.
pub(super) fn wait() -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    wait_for(
        layout::ROUTER_SERVICE,
        layout::ROUTE_SERVER,
        "/health",
        deadline,
    )?;
    wait_for(
        layout::PROXY_SERVICE,
        layout::TRAEFIK_PING,
        "/ping",
        deadline,
    )
}

fn wait_for(unit: &str, at: SocketAddr, path: &str, deadline: Instant) -> Result<(), Failure> {
    loop {
        let answer = match status(at, path) {
            Ok(status) if status.contains(" 200 ") => return Ok(()),
            Ok(status) => status,
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            let mut failure = failed(format!(
                "{unit} does not answer 200 at http://{at}{path} after {} s: {answer}",
                PATIENCE.as_secs()
            ))
            .hint(format!(
                "`systemctl status {unit}` on the machine shows more"
            ));
            failure.journal = systemd::journal(unit);
            return Err(failure);
        }
        thread::sleep(INTERVAL);
    }
}

/// The status line of a GET on loopback.
fn status(at: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {at}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
