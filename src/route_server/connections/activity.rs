//! What a connection is doing, and how long it may: told by what is read and written on it.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long the head of a request may take, from its first byte; and the first byte itself on a
/// connection that is new: whoever connects has something to ask.
const REQUEST: Duration = Duration::from_secs(5);
/// How long a connection may be idle after an answer.
const IDLE: Duration = Duration::from_secs(30);
/// How long a client may take to read an answer. The largest one is read in a second.
const READING: Duration = Duration::from_secs(30);

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<Phase>);

/// What it is doing, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was asked on it yet.
    New(Instant),
    /// Everything that was asked is answered.
    Idle(Instant),
    /// A part of a request is there.
    Asking(Instant),
    /// The answer is being made, or held.
    Answering(Instant),
    /// The answer is made, and the client has not taken all of it.
    Sending(Instant),
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Phase::New(Instant::now())))
    }

    pub(super) fn phase(&self) -> Phase {
        *self.lock()
    }

    /// When the client has had its time; none while it waits for us.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase() {
            Phase::New(since) | Phase::Asking(since) => Some(since + REQUEST),
            Phase::Idle(since) => Some(since + IDLE),
            Phase::Sending(since) => Some(since + READING),
            Phase::Answering(_) => None,
        }
    }

    /// A whole request is there.
    pub(super) fn asked(&self) {
        *self.lock() = Phase::Answering(Instant::now());
    }

    /// Its answer is made.
    pub(super) fn answered(&self) {
        *self.lock() = Phase::Sending(Instant::now());
    }

    fn received(&self) {
        let mut phase = self.lock();
        match *phase {
            Phase::New(_) | Phase::Idle(_) => *phase = Phase::Asking(Instant::now()),
            // Requests may follow each other without waiting for answers.
            Phase::Asking(_) | Phase::Answering(_) | Phase::Sending(_) => {}
        }
    }

    /// All that there was to be written is written.
    fn sent(&self) {
        let mut phase = self.lock();
        if let Phase::Sending(_) = *phase {
            *phase = Phase::Idle(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose reads and writes tell what a connection is doing.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    // Without it each large answer would be copied for each client.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // Called once everything before it is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        self.activity.sent();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn what_is_read_and_written_tells_the_phase() {
        let activity = Arc::new(Activity::new());
        let (mut client, server) = duplex(4);
        let mut server = Watched::new(server, activity.clone());
        let Phase::New(begun) = activity.phase() else {
            panic!("{activity:?}");
        };
        assert_eq!(activity.deadline(), Some(begun + REQUEST));

        client.write_all(b"GE").await.expect("room");
        assert_eq!(activity.phase(), Phase::New(begun), "nothing was read yet");
        server.read_u8().await.expect("a byte");
        let Phase::Asking(first) = activity.phase() else {
            panic!("{activity:?}");
        };
        server.read_u8().await.expect("a byte");
        assert_eq!(activity.phase(), Phase::Asking(first), "it buys no time");
        assert_eq!(activity.deadline(), Some(first + REQUEST));

        activity.asked();
        assert_eq!(activity.deadline(), None);
        server.flush().await.expect("flushed");
        assert_eq!(activity.deadline(), None, "nothing is answered");

        activity.answered();
        let Phase::Sending(made) = activity.phase() else {
            panic!("{activity:?}");
        };
        server.write_all(b"OK").await.expect("room");
        assert_eq!(activity.phase(), Phase::Sending(made), "it buys no time");
        assert_eq!(activity.deadline(), Some(made + READING));
        server.flush().await.expect("flushed");
        let Phase::Idle(sent) = activity.phase() else {
            panic!("{activity:?}");
        };
        assert_eq!(activity.deadline(), Some(sent + IDLE));
    }
}
