//! One Docker engine over its Unix socket: its containers and what happens to them, in our terms.
//!
//! The only place that opens a Docker socket. Every request has a time-out; when to ask, and what
//! to do about a failure, is the caller's.

mod client;
mod event;
mod image;
mod labels;
mod list;
mod network;
mod summary;
mod version;

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout, timeout_at};

use self::client::{Failure, Most};
use self::image::Ports;
use self::list::Unreadable;
use self::version::Version;
use super::container::Container;
use crate::causes::with_causes;
use crate::printable::shortened;

pub use self::event::{ContainerEvent, EventKind};

/// What an engine may take to accept a subscription. Far beyond the ordinary: an engine under
/// load is slow, not gone.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest error that is told, in characters.
const LONGEST_CAUSE: usize = 300;

/// An engine that has said which version it speaks.
pub struct Engine {
    socket: PathBuf,
    version: Version,
}

/// What is remembered of a daemon from one list to the next.
#[derive(Default)]
pub struct Memory {
    /// The ports that images expose, by image id, which fixes the content: asked for once.
    ports: HashMap<String, Ports>,
    unreadable: Unreadable,
}

/// Why an engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It accepted, or not even that, and said nothing in time.
    #[error("no answer to {0} in time")]
    TimedOut(&'static str),
    /// It cannot be reached, or what it said is of no use.
    #[error("{request}: {cause}")]
    Failed {
        /// What was asked.
        request: &'static str,
        /// Why it failed, in one line.
        cause: String,
    },
    /// It closed the stream of events.
    #[error("the engine closed the stream of events")]
    EventsClosed,
}

impl Engine {
    /// Connects and settles the version of the API.
    pub async fn connect(socket: &Path, deadline: Instant) -> Result<Self, EngineError> {
        let answer = version::ask(socket);
        let version = within(deadline, "GET /version", answer).await?;
        Ok(Self {
            socket: socket.to_owned(),
            version,
        })
    }

    /// What happens to containers from a moment on. Ends with an error, never silently.
    ///
    /// The engine replays what happened since that moment, so that nothing is missed between
    /// subscribing and listing, whichever of the two it serves first.
    pub fn events(
        &self,
        since: SystemTime,
    ) -> BoxStream<'static, Result<ContainerEvent, EngineError>> {
        let request = "GET /events";
        let socket = self.socket.clone();
        let path = event::path(self.version, since);
        let subscribe = async move {
            let lines = timeout(SUBSCRIBE_TIMEOUT, client::lines(&socket, &path)).await;
            lines
                .map_err(|_| EngineError::TimedOut(request))?
                .map_err(|error| failed(request, &*error))
        };
        stream::once(subscribe)
            .map_ok(move |lines| {
                let events = lines.and_then(async |line| event::read(&line));
                events.map_err(move |error| failed(request, &*error))
            })
            .try_flatten()
            .chain(stream::once(async { Err(EngineError::EventsClosed) }))
            .boxed()
    }

    /// All containers, ordered by id; those that do not run, too: a router may outlive its
    /// container by label, and a port belongs to a container until that is removed.
    pub async fn list(
        &self,
        memory: &mut Memory,
        deadline: Instant,
    ) -> Result<Vec<Container>, EngineError> {
        let request = "GET /containers/json";
        let path = self.version.path("containers/json?all=true");
        let answer = client::get(&self.socket, &path, list::MOST);
        let body = within(deadline, request, answer).await?;
        let listed = list::read(&body, &mut memory.unreadable);
        let listed = listed.map_err(|error| failed(request, &error))?;
        drop(body);

        let (mut containers, mut images) = (Vec::with_capacity(listed.len()), Vec::new());
        for summary in listed {
            let (container, image) = summary::container(summary);
            containers.push(container);
            images.push(image);
        }
        memory
            .ports
            .retain(|image, _| images.iter().flatten().any(|used| used == image));
        for (container, image) in containers.iter_mut().zip(images) {
            if let Some(image) = image {
                let ports = self.image_ports(memory, &image, deadline).await?;
                container.exposed_tcp_ports = ports.tcp;
                container.exposed_udp_ports = ports.udp;
            }
        }
        containers.sort_by(|a: &Container, b| a.id.cmp(&b.id));
        network::share(&mut containers);
        Ok(containers)
    }

    /// Whether it still answers. The cheapest request there is: it touches no container.
    pub async fn ping(&self, deadline: Instant) -> Result<(), EngineError> {
        let answer = client::get(&self.socket, "/_ping", PONG);
        within(deadline, "GET /_ping", answer).await?;
        Ok(())
    }

    async fn image_ports(
        &self,
        memory: &mut Memory,
        image: &str,
        deadline: Instant,
    ) -> Result<Ports, EngineError> {
        if let Some(ports) = memory.ports.get(image) {
            return Ok(ports.clone());
        }
        let answer = image::ports(&self.socket, self.version, image);
        let ports = match within(deadline, "GET /images/{id}/json", answer).await {
            Ok(ports) => ports,
            // An image that was removed under its container, or that says too much, is that
            // container's trouble, not the whole list's.
            Err(EngineError::Failed { .. }) => return Ok(Ports::default()),
            Err(error) => return Err(error),
        };
        memory.ports.insert(image.to_owned(), ports.clone());
        Ok(ports)
    }
}

/// `OK`, and what some engine may find to add.
const PONG: Most = Most {
    what: "answer",
    bytes: 4096,
};

async fn within<T>(
    deadline: Instant,
    request: &'static str,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, EngineError> {
    timeout_at(deadline, answer)
        .await
        .map_err(|_| EngineError::TimedOut(request))?
        .map_err(|error| failed(request, &*error))
}

/// In one line; what the engine says is part of it.
fn failed(request: &'static str, error: &(dyn Error + 'static)) -> EngineError {
    let cause = shortened(&with_causes(error), LONGEST_CAUSE).into_owned();
    EngineError::Failed { request, cause }
}
