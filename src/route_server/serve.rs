//! The endpoints, plain HTTP on loopback: what is published, to Traefik and to people.
//!
//! `/routes.yaml` holds the passwords of all repositories, and is for Traefik, which has a token. The
//! other paths are for everybody, and hold nothing that somebody must not know.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::connections::limits::Limits;
use super::connections::{self, Connection};
use super::metrics::{CONTENT_TYPE, Metrics};
use super::ports::{PortListing, PortRange};
use super::publish::{DaemonState, Publication, View};
use super::renderings::{self, RenderError, Renderer, Rendering};
use super::routes::Severity;
use super::token::{Door, Refusal, Standing};

/// How long a poll is held while nothing changes. A Traefik that ends waits for its poll, so that
/// it is short; it is longer where a needless answer costs more.
const HOLD_UNCHANGED: Duration = Duration::from_secs(1);
/// How long a poll for a large document is held. Below Traefik's `pollTimeout` of 10 s.
const HOLD_LARGE: Duration = Duration::from_secs(5);
/// From how many bytes on a document is large: reading it and hashing it takes milliseconds.
const LARGE_BYTES: usize = 1024 * 1024;
/// How long a poll is held while the routes are not complete. After an error Traefik backs off,
/// by up to 12 s, so that an answer which is late beats one that says to come again.
const HOLD_INCOMPLETE: Duration = Duration::from_secs(8);
const PATHS: [&str; 7] = [
    "/routes.yaml",
    "/routes.json",
    "/owners",
    "/health",
    "/ports",
    "/metrics",
    // All of them, or with `?name=` those of one name.
    "/containers.json",
];

/// What the answers are made of, beside what is published.
#[derive(Debug)]
pub struct About {
    /// The domain of auto routes.
    pub base_domain: Option<String>,
    /// Whether there are auto routes.
    pub auto_routes: bool,
    /// The external ports that are handed out on demand.
    pub dynamic_ports: Option<PortRange>,
    /// When the server started.
    pub started: Instant,
    /// Who may poll.
    pub door: Door,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Serves until told to stop; polls that are held are answered then.
pub(super) async fn serve(
    listener: TcpListener,
    view: View,
    about: About,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let counted = about.metrics.clone();
    let shared = Shared {
        renderer: Renderer::new(view.clone()),
        view,
        about: Arc::new(about),
        stop: stop.clone(),
    };
    let router = Router::new()
        .route("/routes.yaml", get(routes_yaml))
        .route("/routes.json", get(routes_json))
        .route("/owners", get(owners))
        .route("/health", get(health))
        .route("/ports", get(ports))
        .route("/metrics", get(metrics))
        .route("/containers.json", get(containers_json))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .with_state(shared);
    connections::serve(listener, router, limits, counted, stop).await
}

#[derive(Clone)]
struct Shared {
    view: View,
    renderer: Renderer,
    about: Arc<About>,
    stop: CancellationToken,
}

async fn routes_yaml(
    State(shared): State<Shared>,
    Extension(connection): Extension<Connection>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = shared.about.door.admit(&headers).await {
        return refused(&refusal);
    }
    connection.is_traefiks();
    let certificates = Certificates::of(query.as_deref());
    let sent = connection.sent.load(Ordering::Relaxed);
    let deferral = &connection.deferral;
    if method == Method::GET {
        shared.about.metrics.polled();
        if deferral.pending.load(Ordering::Relaxed) {
            tokio::select! {
                () = deferral.end() => {}
                () = shared.stop.cancelled() => {}
            }
        } else {
            hold(&shared, sent).await;
        }
    }
    let Some(publication) = shared.published() else {
        return shared.not_complete();
    };
    let is_first = certificates == Certificates::Later && sent == 0;
    if method == Method::GET {
        connection
            .sent
            .store(publication.version, Ordering::Relaxed);
        deferral.pending.fetch_or(is_first, Ordering::Relaxed);
    }
    let has_none =
        is_first || certificates == Certificates::Never || deferral.pending.load(Ordering::Relaxed);
    let yaml = if has_none {
        match shared.renderer.get(Rendering::WithoutResolvers).await {
            Ok(yaml) => yaml,
            // Certificates too soon are better than no routes.
            Err(_) => publication.yaml.clone(),
        }
    } else {
        publication.yaml.clone()
    };
    let content_type = [(header::CONTENT_TYPE, "application/yaml")];
    (content_type, yaml).into_response()
}

/// Waits until there is another version than the one that was sent, but not for ever.
async fn hold(shared: &Shared, sent: u64) {
    let mut publication = shared.view.publication.clone();
    let limit = match &*publication.borrow() {
        Some(publication) if publication.yaml.len() >= LARGE_BYTES => HOLD_LARGE,
        Some(_) => HOLD_UNCHANGED,
        None => HOLD_INCOMPLETE,
    };
    let is_news = |publication: &Option<Arc<Publication>>| {
        publication
            .as_ref()
            .is_some_and(|publication| publication.version != sent)
    };
    tokio::select! {
        _ = timeout(limit, publication.wait_for(is_news)) => {}
        // Traefik then polls again on a new connection, which systemd keeps for the next process.
        () = shared.stop.cancelled() => {}
    }
}

async fn routes_json(State(shared): State<Shared>) -> Response {
    shared.rendered(shared.renderer.get(Rendering::RoutesJson).await)
}

async fn owners(State(shared): State<Shared>) -> Response {
    shared.rendered(shared.renderer.get(Rendering::Owners).await)
}

async fn health(State(shared): State<Shared>) -> Response {
    let published = shared.published();
    let daemons = shared.view.daemons.borrow();
    let are_live = daemons
        .iter()
        .all(|daemon| daemon.state == DaemonState::Live);
    let standing = shared.about.door.standing();
    let is_well = are_live && !matches!(standing, Standing::Closed(_));
    let (access, why_closed) = match standing {
        Standing::Open => ("open", None),
        Standing::Token => ("token", None),
        Standing::Closed(reason) => ("closed", Some(reason)),
    };
    let (code, status) = match (&published, is_well) {
        (None, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (Some(_), false) => (StatusCode::OK, "degraded"),
        (Some(_), true) => (StatusCode::OK, "ok"),
    };
    let summary = published.as_ref().map(|published| &published.summary);
    let body = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": shared.about.started.elapsed().as_secs(),
        "base_domain": shared.about.base_domain,
        "auto_routes": shared.about.auto_routes,
        "routers": summary.map(|summary| summary.routers).unwrap_or_default(),
        "services": summary.map(|summary| summary.services).unwrap_or_default(),
        "rejections": summary.map_or(0, |summary| summary.count(Severity::Rejection)),
        "warnings": summary.map_or(0, |summary| summary.count(Severity::Warning)),
        "daemons": *daemons,
        "routes_yaml": {"access": access, "error": why_closed},
    });
    json(code, &body)
}

async fn ports(State(shared): State<Shared>) -> Response {
    let listing = match shared.published() {
        Some(publication) => publication.known.ports(),
        None => PortListing::empty(shared.about.dynamic_ports),
    };
    json(StatusCode::OK, &listing)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let published = shared.published();
    let daemons = shared.view.daemons.borrow();
    let text = shared.about.metrics.render(published.as_deref(), &daemons);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

async fn containers_json(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    // Names of containers and services hold nothing that would have to be encoded.
    let pairs = query.iter().flat_map(|query| query.split('&'));
    let name = pairs.filter_map(|pair| pair.strip_prefix("name=")).next();
    let rendered = match name {
        Some(name) => shared.renderer.containers(name.to_owned()).await,
        None => shared.renderer.get(Rendering::ContainersJson).await,
    };
    shared.rendered(rendered)
}

async fn not_found() -> Response {
    let body = json!({ "error": "no such path", "paths": PATHS });
    json(StatusCode::NOT_FOUND, &body)
}

async fn method_not_allowed() -> Response {
    let body = json!({ "error": "only GET and HEAD", "paths": PATHS });
    json(StatusCode::METHOD_NOT_ALLOWED, &body)
}

impl Shared {
    fn published(&self) -> Option<Arc<Publication>> {
        self.view.publication.borrow().clone()
    }

    fn rendered(&self, rendered: Result<Bytes, RenderError>) -> Response {
        match rendered {
            Ok(body) => whole_json(StatusCode::OK, body),
            Err(RenderError::NotComplete) => self.not_complete(),
            Err(error) => failed(&error),
        }
    }

    fn not_complete(&self) -> Response {
        let daemons = self.view.daemons.borrow();
        let connecting: Vec<_> = daemons
            .iter()
            .filter(|daemon| daemon.state == DaemonState::Connecting)
            .map(|daemon| &daemon.socket)
            .collect();
        let body = json!({
            "error": "the routes are not complete yet",
            "waiting_for": connecting,
        });
        json(StatusCode::SERVICE_UNAVAILABLE, &body)
    }
}

/// Why there are no routes, and what to do about it.
fn refused(refusal: &Refusal) -> Response {
    let (error, hint) = match refusal {
        Refusal::Token => (
            "this path asks for Traefik's token".to_owned(),
            "send `Authorization: Bearer TOKEN`, as traefik.yml does; /routes.json shows the \
             routes without their secrets",
        ),
        Refusal::Closed(reason) => (
            reason.clone(),
            "run `rdc context push-infra MACHINE` to write it anew",
        ),
    };
    let body = json!({ "error": error, "hint": hint });
    let mut response = json(StatusCode::UNAUTHORIZED, &body);
    let scheme = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, scheme);
    response
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match renderings::json(body) {
        Ok(body) => whole_json(status, body),
        Err(error) => failed(&error),
    }
}

fn whole_json(status: StatusCode, body: Bytes) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, body).into_response()
}

fn failed(error: &dyn std::error::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
