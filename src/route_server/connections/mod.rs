//! The connections of the endpoints' clients, from their beginning to a stop in which none loses an
//! answer.
//!
//! The port is open to everybody on the machine's network, containers among them. What they do with
//! connections costs them theirs: each has so long for a request and so long to be idle
//! ([`activity`]), there are only so many, and a part of them is Traefik's ([`admission`]). A flood is taken out of the
//! kernel's queue faster than it comes ([`queue`]).

mod activity;
mod admission;
pub(super) mod limits;
mod queue;

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use self::activity::{Activity, Watched};
use self::admission::{Admission, Place};
use self::limits::Limits;
use self::queue::Queue;
use super::certificates::Deferral;
use super::metrics::Metrics;

/// How long connections may take to finish once the server is told to stop. Answers are short;
/// what takes longer is a client that does not read, or has not finished asking.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait where no connection can be accepted, for want of descriptors say.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How many connections are taken in before those that are there are looked after. A flood then
/// delays neither what they ask nor what daemons tell.
const ADMITTED_AT_ONCE: usize = 16;
/// How long the head of a request may be. Each connection may hold as much.
const LONGEST_HEAD: usize = 16 * 1024;

/// One client's connection. Traefik polls on one connection, so that what was sent there is what it
/// has; a restarted one has a new connection.
#[derive(Clone)]
pub(super) struct Connection {
    /// The version that was last sent; 0 for none.
    pub(super) sent: Arc<AtomicU64>,
    /// Whether certificates were left for later.
    pub(super) deferral: Arc<Deferral>,
    /// Whether anything was asked.
    has_asked: Arc<AtomicBool>,
    place: Arc<Place>,
}

impl Connection {
    /// This is Traefik's: strangers no longer cost it its connection.
    pub(super) fn is_traefiks(&self) {
        self.place.reserve();
    }
}

/// Serves until told to stop, and then answers what was asked.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> io::Result<()> {
    let tasks = TaskTracker::new();
    let queue = Queue::of(listener, metrics.clone())?;
    let admission = Admission::new(limits, metrics);
    loop {
        let arrived = tokio::select! {
            arrived = queue.next(limits.strangers) => arrived,
            () = stop.cancelled() => break,
        };
        match arrived {
            Ok(streams) => {
                for (index, stream) in streams.into_iter().enumerate() {
                    admission.make_room();
                    admission.admit(|activity, place| {
                        let (router, stop) = (router.clone(), stop.clone());
                        let answer = answer(stream, activity, Connection::new(place), router, stop);
                        tasks.spawn(answer).abort_handle()
                    });
                    if index % ADMITTED_AT_ONCE == 0 {
                        yield_now().await;
                    }
                }
                yield_now().await;
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                admission.close_one();
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    // What is not accepted yet stays with the listening socket, which systemd keeps.
    drop(queue);
    tasks.close();
    let _ = timeout(STOP_TIMEOUT, tasks.wait()).await;
    Ok(())
}

async fn answer(
    stream: TcpStream,
    activity: Arc<Activity>,
    connection: Connection,
    router: Router,
    stop: CancellationToken,
) {
    // The end of a large answer does not wait until its beginning is acknowledged. It fails on a
    // connection that is gone already.
    let _ = stream.set_nodelay(true);
    let place = connection.place.clone();
    // Most of a flood never asks for anything, and nothing is set up for those.
    let late = async {
        match activity.deadline() {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
    };
    tokio::select! {
        _ = stream.readable() => {}
        () = stop.cancelled() => {}
        () = late => {
            place.is_late();
            return;
        }
    }
    let router = TowerToHyperService::new(router.layer(Extension(connection.clone())));
    let service = service_fn(|request: Request<Incoming>| {
        connection.has_asked.store(true, Ordering::Relaxed);
        activity.asked();
        let (answer, stop, activity) = (router.call(request), stop.clone(), activity.clone());
        async move {
            let mut response = answer.await?;
            if stop.is_cancelled() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            activity.answered();
            Ok::<Response, Infallible>(response)
        }
    });
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let mut builder = http1::Builder::new();
    // Its own timer would close idle connections as early as slow ones.
    builder.header_read_timeout(None).max_buf_size(LONGEST_HEAD);
    let mut serving = pin!(builder.serve_connection(stream, service));
    let mut too_late = pin!(sleep_until(Instant::now()));
    let mut stopped = pin!(stop.cancelled());
    let ended = poll_fn(|context| {
        // A connection that breaks off is the client's affair.
        if serving.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        // What was just read or written has moved the deadline.
        if let Some(deadline) = activity.deadline() {
            if too_late.deadline() != deadline {
                too_late.as_mut().reset(deadline);
            }
            if too_late.as_mut().poll(context).is_ready() {
                place.is_late();
                return Poll::Ready(true);
            }
        }
        stopped.as_mut().poll(context).map(|()| false)
    });
    if ended.await {
        return;
    }
    // One that is new has its question on the way: to close it would be an answer lost.
    if connection.has_asked.load(Ordering::Relaxed) {
        serving.as_mut().graceful_shutdown();
    }
    let _ = serving.await;
}

impl Connection {
    fn new(place: Place) -> Self {
        Self {
            sent: Arc::default(),
            deferral: Arc::default(),
            has_asked: Arc::default(),
            place: Arc::new(place),
        }
    }
}
