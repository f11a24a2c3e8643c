//! The listening socket: systemd's, or one of our own.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use listenfd::ListenFd;
use nix::sys::socket::{Backlog, listen as set_backlog};
use tokio::net::TcpListener;

/// The socket that systemd passes, which outlives this process; without one, binds the address.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let mut passed = ListenFd::from_env();
    let listener = match passed.len() {
        0 => bind(address).map_err(|error| bind_error(address, &error))?,
        1 => passed
            .take_tcp_listener(0)
            .context("cannot use the socket that systemd passes")?
            .context("systemd passes a socket that is none")?,
        count => bail!("systemd passes {count} sockets, and exactly one is expected"),
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).context("cannot use the listening socket")
}

/// With as long a queue as systemd's sockets have: one that is full costs a Traefik that connects
/// again whole seconds.
fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    set_backlog(&listener, Backlog::MAXALLOWABLE)?;
    Ok(listener)
}

fn bind_error(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let port = address.port();
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "`ss -ltnp 'sport = :{port}'` tells who has it; choose another one with --listen"
        ),
        io::ErrorKind::AddrNotAvailable => {
            "no interface has this address; choose another one with --listen".to_owned()
        }
        _ => "choose another one with --listen".to_owned(),
    };
    anyhow::anyhow!("cannot listen on {address}: {error}; {advice}")
}
