//! The kernel's queue of connections that wait to be accepted, emptied faster than a flood fills it.
//! One that is full costs a Traefik that connects again whole seconds.

use std::collections::VecDeque;
use std::io;
use std::net::{TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use crate::route_server::metrics::Metrics;

/// How many connections are taken out of the queue at once: all that fit in.
const AT_ONCE: usize = 4096;

/// The queue of a listening socket.
pub(super) struct Queue {
    /// Tells when there is something.
    first: TcpListener,
    /// The same socket, which is asked for whatever else there is.
    more: StdListener,
    metrics: Arc<Metrics>,
}

impl Queue {
    pub(super) fn of(listener: TcpListener, metrics: Arc<Metrics>) -> io::Result<Self> {
        let first = listener.into_std()?;
        let more = first.try_clone()?;
        Ok(Self {
            first: TcpListener::from_std(first)?,
            more,
            metrics,
        })
    }

    /// Waits for connections, and takes in all that have said something, and of the silent ones the
    /// latest, at most so many. Whoever connects to ask has asked by the time that a flood before it
    /// is out of the queue.
    pub(super) async fn next(&self, most_silent: usize) -> io::Result<Vec<TcpStream>> {
        let (first, _) = self.first.accept().await?;
        let mut taken = Vec::new();
        let mut silent = VecDeque::from([first.into_std()?]);
        for _ in 1..AT_ONCE {
            // What ends it, as that nothing is left, is met again by whoever waits for the next one.
            let Ok((stream, _)) = self.more.accept() else {
                break;
            };
            stream.set_nonblocking(true)?;
            silent.push_back(stream);
            if silent.len() > most_silent {
                match silent.pop_front().filter(has_spoken) {
                    Some(spoken) => taken.push(spoken),
                    None => self.metrics.closed_for_room(),
                }
            }
        }
        let all = taken.into_iter().chain(silent);
        all.map(TcpStream::from_std).collect()
    }
}

/// Whether a client has sent anything.
fn has_spoken(stream: &StdStream) -> bool {
    matches!(stream.peek(&mut [0]), Ok(length) if length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[tokio::test]
    async fn of_many_those_stay_who_have_spoken_and_the_latest() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let queue = Queue::of(listener, Arc::default()).expect("a queue");
        let mut clients: Vec<_> = (0..10)
            .map(|_| StdStream::connect(at).expect("a connection"))
            .collect();
        clients[2].write_all(b"G").expect("written");
        let mut kept = Vec::new();
        for stream in queue.next(3).await.expect("connections") {
            kept.push(stream.peer_addr().expect("a peer"));
        }
        let expected = [2, 7, 8, 9].map(|index: usize| clients[index].local_addr().expect("one"));
        assert_eq!(kept, expected);
    }
}
