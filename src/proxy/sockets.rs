//! Sockets that share their addresses, and who of them gets the connections.
//!
//! Sockets of one user on one address are a group, and the kernel picks one of them for each new
//! connection, or for each datagram. A program of the group makes the choice: here it is the member
//! by its place, 0 for the eldest. Where no member has that place, because one is left, that one is
//! picked. When a member goes, the last one takes its place, which keeps the order of two. A program
//! stays when its members change: one that chooses the younger of two is replaced before a third one
//! comes.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt::AttachReusePortCbpf};
use socket2::{Domain, Socket, Type};

use crate::bundle::Bind;

/// How many connections may wait to be accepted; the kernel takes its own limit if that is lower.
const BACKLOG: i32 = 4096;
/// The instruction of a socket's program that ends it with a constant.
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// A socket with the name of its entry point.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) socket: Socket,
}

/// A member of a group of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// The one that was there before.
    Elder,
    /// The one that came later.
    Younger,
}

/// Opens the entry points. Whoever serves them already keeps getting all connections.
pub(super) fn open(binds: &[Bind]) -> io::Result<Vec<Opened>> {
    binds
        .iter()
        .map(|bind| {
            open_shared(*bind)
                .map_err(|error| io::Error::new(error.kind(), format!("{bind}: {error}")))
        })
        .collect()
}

fn open_shared(bind: Bind) -> io::Result<Opened> {
    let address = bind.socket();
    let is_udp = bind.entrypoint.listener.is_udp();
    let kind = if is_udp { Type::DGRAM } else { Type::STREAM };
    let socket = new(address, kind)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    if !is_udp {
        socket.listen(BACKLOG)?;
    }
    choose(&socket, Member::Elder)?;
    Ok(Opened {
        name: bind.entrypoint.to_string(),
        socket,
    })
}

/// Opens a TCP address that is shared with nobody.
pub(super) fn open_own(name: &str, address: SocketAddr) -> io::Result<Opened> {
    let socket = new(address, Type::STREAM)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Opened {
        name: name.to_owned(),
        socket,
    })
}

fn new(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if kind == Type::STREAM {
        // Connections of a former process may still be about.
        socket.set_reuse_address(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Has one member of a socket's group get all new connections.
pub(super) fn choose(socket: &impl AsFd, member: Member) -> io::Result<()> {
    let place = match member {
        Member::Elder => 0,
        Member::Younger => 1,
    };
    let mut program = [libc::sock_filter {
        code: RETURN,
        jt: 0,
        jf: 0,
        k: place,
    }];
    let program = libc::sock_fprog {
        len: 1,
        filter: program.as_mut_ptr(),
    };
    setsockopt(socket, AttachReusePortCbpf, &program)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

    #[test]
    fn connections_go_to_the_elder_until_the_younger_is_chosen_and_then_to_who_is_left() {
        for (address, is_udp) in [("127.0.0.1", false), ("::1", false), ("127.0.0.1", true)] {
            let bind = free_bind(address, is_udp);
            let open = || open(&[bind]).expect("it opens").remove(0).socket;
            let (first, second) = (open(), open());
            check(bind, &[&first, &second], 0);
            choose(&second, Member::Younger).expect("a group");
            check(bind, &[&first, &second], 1);
            drop(first);
            check(bind, &[&second], 0);
            // Or the next one would have them from the start.
            choose(&second, Member::Elder).expect("a group");
            let third = open();
            check(bind, &[&second, &third], 0);
            choose(&third, Member::Younger).expect("a group");
            check(bind, &[&second, &third], 1);
        }
    }

    /// Each of some connections has to come to the socket at this place.
    fn check(bind: Bind, sockets: &[&Socket], expected: usize) {
        for _ in 0..20 {
            let is_udp = bind.entrypoint.listener.is_udp();
            let _client = connect(bind, is_udp);
            assert_eq!(receivers(sockets), [expected], "{bind}");
            if is_udp {
                let socket: UdpSocket = sockets[expected].try_clone().expect("a copy").into();
                socket.recv(&mut [0; 8]).expect("it came");
            } else {
                sockets[expected].accept().expect("it came");
            }
        }
    }

    /// The places of the sockets that something came to. It is waited for: a client is connected
    /// before its server hears of it.
    fn receivers(sockets: &[&Socket]) -> Vec<usize> {
        let mut waiting: Vec<PollFd<'_>> = sockets
            .iter()
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .collect();
        let timeout = Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        poll(&mut waiting, Some(&timeout)).expect("it can be waited for");
        (0..waiting.len())
            .filter(|&place| !waiting[place].revents().is_empty())
            .collect()
    }

    fn connect(bind: Bind, is_udp: bool) -> Socket {
        if is_udp {
            let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
            client.send_to(b"sent", bind.socket()).expect("it is sent");
            client.into()
        } else {
            TcpStream::connect(bind.socket())
                .expect("it connects")
                .into()
        }
    }

    fn free_bind(address: &str, is_udp: bool) -> Bind {
        let address = address.parse().expect("an address");
        let free = TcpListener::bind((address, 0)).and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let listener = if is_udp {
            Listener::Udp(port)
        } else {
            Listener::Tcp(port)
        };
        Bind {
            entrypoint: Entrypoint::new(listener, Family::V4),
            address,
        }
    }
}
