//! Who listens where on this machine, as the kernel tells it in `/proc/net` (proc(5)).

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::failed;
use crate::bundle::{Bind, Failure};

/// The state of a listening TCP socket (`TCP_LISTEN`), and of a UDP socket without a peer
/// (`TCP_CLOSE`), in hexadecimal.
const LISTEN: &str = "0A";
const UNCONNECTED: &str = "07";
/// The state of an open TCP connection (`TCP_ESTABLISHED`).
const ESTABLISHED: &str = "01";

/// One socket that waits for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listening {
    /// Whether it is a UDP socket.
    pub(super) is_udp: bool,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The user who opened it.
    pub(super) user: u32,
    /// The kernel's number of it, by which its owner is found.
    pub(super) inode: u64,
}

impl Listening {
    /// Whether it is the socket that an entry point shall have.
    pub(super) fn is_of(&self, bind: Bind) -> bool {
        self.is_udp == bind.entrypoint.listener.is_udp() && self.address == bind.socket()
    }

    /// Whether it can keep another program from listening at an address: it has the same port, at
    /// the same address or at all of them.
    pub(super) fn blocks(&self, is_udp: bool, at: SocketAddr) -> bool {
        let own = self.address.ip().to_canonical();
        let is_everywhere = own.is_unspecified() && (own.is_ipv6() || at.is_ipv4());
        self.is_udp == is_udp
            && self.address.port() == at.port()
            && (own == at.ip() || is_everywhere)
    }
}

/// One end of an open TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection {
    /// The address of this end.
    pub(super) local: SocketAddr,
    /// The address of the other one.
    pub(super) remote: SocketAddr,
    /// The kernel's number of this end, by which its owner is found.
    pub(super) inode: u64,
}

/// The open TCP connections, by their ends on this machine. A set, because the kernel lists a
/// connection twice when others come and go while it is read.
pub(super) fn open_connections() -> Result<BTreeSet<Connection>, Failure> {
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        found.extend(connections(&read(table)?));
    }
    Ok(found)
}

/// All sockets that wait for clients, of TCP and UDP, IPv4 and IPv6.
pub(super) fn listening() -> Result<Vec<Listening>, Failure> {
    let mut found = Vec::new();
    for (table, is_udp) in [
        ("tcp", false),
        ("tcp6", false),
        ("udp", true),
        ("udp6", true),
    ] {
        found.extend(sockets(&read(table)?, is_udp));
    }
    Ok(found)
}

/// The kernel's numbers of a process's sockets; none of one that has ended.
pub(super) fn of_process(pid: impl Display) -> BTreeSet<u64> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    open.flatten()
        .filter_map(|file| socket(&fs::read_link(file.path()).ok()?))
        .collect()
}

/// The socket that an open file is, as the kernel writes it: `socket:[12345]`.
fn socket(target: &Path) -> Option<u64> {
    let text = target.to_str()?;
    text.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// One of the kernel's tables; a kernel without IPv6 has none of it.
fn read(table: &str) -> Result<String, Failure> {
    let path = format!("/proc/net/{table}");
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| failed(format!("cannot read {path}: {error}"))),
    }
}

/// The open connections in one of the kernel's tables.
fn connections(table: &str) -> BTreeSet<Connection> {
    in_state(table, ESTABLISHED)
        .map(|line| Connection {
            local: line.local,
            remote: line.remote,
            inode: line.inode,
        })
        .collect()
}

/// The waiting sockets in one of the kernel's tables.
fn sockets(table: &str, is_udp: bool) -> Vec<Listening> {
    let state = if is_udp { UNCONNECTED } else { LISTEN };
    in_state(table, state)
        .map(|line| Listening {
            is_udp,
            address: line.local,
            user: line.user,
            inode: line.inode,
        })
        .collect()
}

/// A line of a table.
struct Line {
    local: SocketAddr,
    remote: SocketAddr,
    user: u32,
    inode: u64,
}

/// The sockets of a table that are in a state.
fn in_state<'a>(table: &'a str, state: &'a str) -> impl Iterator<Item = Line> + use<'a> {
    table.lines().skip(1).filter_map(move |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (*words.get(3)? == state).then_some(())?;
        Some(Line {
            local: address(words.get(1)?)?,
            remote: address(words.get(2)?)?,
            user: words.get(7)?.parse().ok()?,
            inode: words.get(9)?.parse().ok()?,
        })
    })
}

/// An address as the kernel writes it: 32-bit words in the machine's byte order, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for word in host.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let host: IpAddr = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => Ipv4Addr::from(v4).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).into(),
    };
    Some(SocketAddr::new(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, state: &str) -> String {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  0  0 12345 1 0\n"
        )
    }

    #[test]
    fn an_open_connection_is_found_once_however_often_it_is_listed() {
        let (open, closing) = (line("0100007F:01BB", "01"), line("0100007F:01BB", "06"));
        let found = connections(&[HEAD, &open, &closing, &open].concat());
        let address = |text: &str| text.parse().expect("an address");
        let expected = Connection {
            local: address("127.0.0.1:443"),
            remote: address("0.0.0.0:0"),
            inode: 12345,
        };
        assert_eq!(found, [expected].into());
    }

    #[test]
    fn only_sockets_that_wait_are_found() {
        for (local, state, is_udp, expected) in [
            ("0100007F:1BC7", "0A", false, Some("127.0.0.1:7111")),
            ("0100007F:1BC7", "01", false, None),
            ("32CB00CB:0035", "07", true, Some("203.0.203.50:53")),
            ("32CB00CB:0035", "01", true, None),
            (
                "B80D0120000000000000000001000000:01BB",
                "0A",
                false,
                Some("[2001:db8::1]:443"),
            ),
            ("nonsense", "0A", false, None),
        ] {
            let found = sockets(&[HEAD, &line(local, state)].concat(), is_udp);
            let addresses: Vec<String> = found
                .iter()
                .map(|socket| socket.address.to_string())
                .collect();
            assert_eq!(
                addresses,
                expected.into_iter().collect::<Vec<_>>(),
                "{local}"
            );
        }
    }

    #[test]
    fn a_socket_blocks_its_port_where_it_listens() {
        for (own, is_udp, at, expected) in [
            ("10.0.0.5:80", false, "10.0.0.5:80", true),
            ("10.0.0.5:80", true, "10.0.0.5:80", false),
            ("10.0.0.5:80", false, "10.0.0.5:81", false),
            ("10.0.0.5:80", false, "10.0.0.6:80", false),
            ("0.0.0.0:80", false, "10.0.0.5:80", true),
            ("0.0.0.0:80", false, "[2001:db8::5]:80", false),
            ("[::]:80", false, "10.0.0.5:80", true),
            ("[::]:80", false, "[2001:db8::5]:80", true),
            ("[::ffff:10.0.0.5]:80", false, "10.0.0.5:80", true),
            ("127.0.11.2:80", false, "10.0.0.5:80", false),
        ] {
            let socket = Listening {
                is_udp: false,
                address: own.parse().expect("an address"),
                user: 0,
                inode: 1,
            };
            let at = at.parse().expect("an address");
            assert_eq!(socket.blocks(is_udp, at), expected, "{own} {at}");
        }
    }

    #[test]
    fn an_open_file_is_a_socket_by_its_name() {
        for (target, expected) in [
            ("socket:[12345]", Some(12345)),
            ("pipe:[12345]", None),
            ("/dev/null", None),
        ] {
            assert_eq!(socket(Path::new(target)), expected);
        }
    }
}
