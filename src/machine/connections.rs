//! Which connections a process has that came in at its listening addresses.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::sockets;
use crate::bundle::Failure;

/// How many open TCP connections of a process came in at these addresses. None where there is no
/// such process.
pub(super) fn open(pid: &str, addresses: &BTreeSet<SocketAddr>) -> Result<usize, Failure> {
    let own = sockets::of_process(pid);
    let connections = sockets::open_connections()?;
    let came_in = connections
        .iter()
        .filter(|open| addresses.contains(&open.local) && own.contains(&open.inode));
    Ok(came_in.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_counts_for_the_process_that_it_came_to_while_it_is_open() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).expect("a port");
            let at = listener.local_addr().expect("an address");
            let pid = std::process::id().to_string();
            let count = |pid: &str| open(pid, &[at].into()).expect("lists");
            assert_eq!(count(&pid), 0);
            let client = TcpStream::connect(at).expect("it connects");
            let (server, _) = listener.accept().expect("it came");
            // The client's end is this process's too, and came in nowhere.
            assert_eq!(count(&pid), 1);
            assert_eq!(count("1"), 0);
            drop(server);
            assert_eq!(count(&pid), 0);
            drop(client);
        }
    }
}
