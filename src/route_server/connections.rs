//! The connections of the endpoints' clients, from their beginning to a stop in which none loses an
//! answer.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::certificates::Deferral;

/// How long connections may take to finish once the server is told to stop. Answers are short;
/// what takes longer is a client that does not read, or has not finished asking.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait where no connection can be accepted, for want of descriptors say.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// One client's connection. Traefik polls on one connection, so that what was sent there is what it
/// has; a restarted one has a new connection.
#[derive(Clone, Default)]
pub(super) struct Connection {
    /// The version that was last sent; 0 for none.
    pub(super) sent: Arc<AtomicU64>,
    /// Whether certificates were left for later.
    pub(super) deferral: Arc<Deferral>,
    /// Whether anything was asked.
    has_asked: Arc<AtomicBool>,
}

/// Serves until told to stop, and then answers what was asked.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(answer(stream, router.clone(), stop.clone()));
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    // What is not accepted yet stays with the listening socket, which systemd keeps.
    drop(listener);
    tasks.close();
    let _ = timeout(STOP_TIMEOUT, tasks.wait()).await;
    Ok(())
}

async fn answer(stream: TcpStream, router: Router, stop: CancellationToken) {
    // The end of a large answer does not wait until its beginning is acknowledged. It fails on a
    // connection that is gone already.
    let _ = stream.set_nodelay(true);
    let connection = Connection::default();
    let router = TowerToHyperService::new(router.layer(Extension(connection.clone())));
    let service = service_fn(|request: Request<Incoming>| {
        connection.has_asked.store(true, Ordering::Relaxed);
        let (answer, stop) = (router.call(request), stop.clone());
        async move {
            let mut response = answer.await?;
            if stop.is_cancelled() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<Response, Infallible>(response)
        }
    });
    let mut serving = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    // A connection that breaks off is the client's affair.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
    }
    // One that is new has its question on the way: to close it would be an answer lost.
    if connection.has_asked.load(Ordering::Relaxed) {
        serving.as_mut().graceful_shutdown();
    }
    let _ = serving.await;
}
