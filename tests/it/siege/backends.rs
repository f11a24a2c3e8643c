//! What stands behind the routes: servers of the test, which say whose they are.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Whose a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Victims,
    Attackers,
}

impl Whose {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Victims => "this is the victim's",
            Self::Attackers => "this is the attacker's",
        }
    }
}

/// HTTP on an address, and where to find it. Asked for `/redirect…`, it sends the client on.
pub(super) async fn http(address: &str, whose: Whose, redirect: String) -> SocketAddr {
    let listener = listener(address).await;
    let at = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, whose, redirect.clone()));
        }
    });
    at
}

/// TCP where the server speaks first, as databases do.
pub(super) async fn tcp(address: &str, whose: Whose) -> SocketAddr {
    let listener = listener(address).await;
    let at = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(whose.word().as_bytes()).await;
            });
        }
    });
    at
}

/// UDP that answers each packet.
pub(super) async fn udp(address: &str, whose: Whose) -> SocketAddr {
    let address: IpAddr = address.parse().expect("an address");
    let socket = UdpSocket::bind((address, 0)).await.expect("a port");
    let at = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut packet).await {
            let _ = socket.send_to(whose.word().as_bytes(), from).await;
        }
    });
    at
}

async fn listener(address: &str) -> TcpListener {
    let address: IpAddr = address.parse().expect("an address");
    TcpListener::bind((address, 0)).await.expect("a port")
}

/// Answers requests on one connection until it ends.
async fn answer(mut stream: TcpStream, whose: Whose, redirect: String) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            match stream.read(&mut buffer).await {
                Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).into_owned();
        request.drain(..end + 4);
        let body = whose.word();
        let answer = match head.split(' ').nth(1) {
            Some(path) if path.starts_with("/redirect") => format!(
                "HTTP/1.1 307 Elsewhere\r\nLocation: {redirect}\r\nContent-Length: 0\r\n\r\n"
            ),
            _ => format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
