//! A question to a server on this machine: one GET, its whole answer. A leaf: whoever asks the route
//! server or Traefik how it is may use it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To accept the connection.
    pub(crate) connect: Duration,
    /// To go on with its answer.
    pub(crate) read: Duration,
}

impl Patience {
    /// The same for both.
    pub(crate) const fn of(time: Duration) -> Self {
        Self {
            connect: time,
            read: time,
        }
    }
}

/// Asks for a path, and answers with head and body as they came, up to so many bytes.
pub(crate) fn get(
    at: SocketAddr,
    path: &str,
    patience: Patience,
    limit: u64,
) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, patience.connect)?;
    stream.set_read_timeout(Some(patience.read))?;
    // By HTTP 1.0 the answer comes in one piece, without chunks, and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {at}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(limit).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks for a path, and answers with the first line alone: `HTTP/1.1 200 OK`.
pub(crate) fn status(at: SocketAddr, path: &str, patience: Patience) -> io::Result<String> {
    /// More than any head of ours and of Traefik's ping.
    const LIMIT: u64 = 4096;
    let answer = get(at, path, patience, LIMIT)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
