//! Answers that are expensive to make, and the same for everybody: made once for what is published,
//! when the first one asks, and shared by all who ask until something else is published.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::disclosure::Disclosure;
use super::inventory::inventory;
use super::listing::listing;
use super::publish::{Publication, View};
use crate::printable;

/// What was made of one publication so far. It goes with it.
#[derive(Debug, Default)]
pub struct Renderings {
    routes_json: OnceLock<Bytes>,
    without_resolvers: OnceLock<Bytes>,
    containers_json: OnceLock<Bytes>,
    owners: OnceLock<Bytes>,
}

/// What can be made of a publication.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rendering {
    /// `/routes.json`.
    RoutesJson,
    /// `/routes.yaml` for a Traefik that is to obtain no certificates yet.
    WithoutResolvers,
    /// `/containers.json`, with all containers.
    ContainersJson,
    /// `/owners`.
    Owners,
}

/// Makes renderings, one at a time: the model that each is made of is many times its size.
#[derive(Clone)]
pub(super) struct Renderer {
    view: View,
    turn: Arc<Semaphore>,
}

/// Why there is no rendering.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    /// Nothing is published yet.
    #[error("the routes are not complete yet")]
    NotComplete,
    /// It could not be made.
    #[error("cannot render the answer: {0}")]
    Failed(String),
}

impl Renderer {
    pub(super) fn new(view: View) -> Self {
        Self {
            view,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// The rendering of what is published: from before, or made now.
    pub(super) async fn get(&self, what: Rendering) -> Result<Bytes, RenderError> {
        let ready = self.published()?.renderings.get(what).cloned();
        if let Some(ready) = ready {
            return Ok(ready);
        }
        self.make(move |publication| {
            let slot = publication.renderings.slot(what);
            if let Some(ready) = slot.get() {
                return Ok(ready.clone());
            }
            let made = what.make(publication)?;
            Ok(slot.get_or_init(|| made).clone())
        })
        .await
    }

    /// The containers of one name, made for the one who asks.
    pub(super) async fn containers(&self, name: String) -> Result<Bytes, RenderError> {
        self.make(move |publication| containers(publication, Some(&name)))
            .await
    }

    /// Makes something of what is published when its turn comes, beside the thread that serves. It
    /// is made to its end, also where nobody waits for it any more.
    async fn make(
        &self,
        make: impl FnOnce(&Publication) -> Result<Bytes, serde_json::Error> + Send + 'static,
    ) -> Result<Bytes, RenderError> {
        let failed = |error: &dyn std::fmt::Display| RenderError::Failed(error.to_string());
        let turn = self.turn.clone().acquire_owned().await;
        let turn = turn.map_err(|error| failed(&error))?;
        let publication = self.published()?;
        let made = spawn_blocking(move || {
            let made = make(&publication);
            drop(turn);
            made
        });
        let made = made.await.map_err(|error| failed(&error))?;
        made.map_err(|error| failed(&error))
    }

    fn published(&self) -> Result<Arc<Publication>, RenderError> {
        let published = self.view.publication.borrow().clone();
        published.ok_or(RenderError::NotComplete)
    }
}

impl Renderings {
    fn slot(&self, what: Rendering) -> &OnceLock<Bytes> {
        match what {
            Rendering::RoutesJson => &self.routes_json,
            Rendering::WithoutResolvers => &self.without_resolvers,
            Rendering::ContainersJson => &self.containers_json,
            Rendering::Owners => &self.owners,
        }
    }

    fn get(&self, what: Rendering) -> Option<&Bytes> {
        self.slot(what).get()
    }
}

impl Rendering {
    fn make(self, publication: &Publication) -> Result<Bytes, serde_json::Error> {
        let known = &publication.known;
        match self {
            Self::RoutesJson => {
                let routes = known.routes();
                let disclosure = Disclosure::of(known.daemons().iter().map(Arc::as_ref));
                json(&listing(&routes, &disclosure, &known.owners().owners))
            }
            Self::WithoutResolvers => known.yaml_without_resolvers().map(Bytes::from),
            Self::ContainersJson => containers(publication, None),
            Self::Owners => json(&known.owners()),
        }
    }
}

fn containers(publication: &Publication, name: Option<&str>) -> Result<Bytes, serde_json::Error> {
    let daemons = publication.known.daemons().iter();
    json(&inventory(daemons.map(Arc::as_ref), name))
}

/// With a line end, for people who use curl.
pub(super) fn json(body: &impl serde::Serialize) -> Result<Bytes, serde_json::Error> {
    let text = serde_json::to_string(body)? + "\n";
    Ok(Bytes::from(printable::json(text)))
}
