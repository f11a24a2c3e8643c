//! `renet route-server`: containers of all daemons in, Traefik's dynamic configuration out.
//!
//! ```text
//!   discover ──► supervise ──► watch (one a daemon) ──► docker ══ the daemon's socket
//!                 │  ▲ reports ◄──┘
//!                 ▼
//!               index ──► routes ──► publish ──► serve ══ Traefik
//!                 │  └──► ports ──┐
//!                 └──────────► store (the last known containers, who has which port)
//! ```
//!
//! Beside it, `explain` and `owners` ask a server that runs, and `once` prints without serving.
//!
//! What holds everywhere: a daemon's part is replaced whole; nothing incomplete is served; no
//! daemon waits for another. One thread does it all, so that no lock is ever waited for: what takes
//! long, as rendering an answer for people, is done beside it and handed over whole.

pub mod absences;
mod certificates;
mod connections;
pub mod control;
pub mod discover;
pub mod docker;
pub mod explain;
pub mod inventory;
pub mod listen;
pub mod listing;
pub mod logging;
pub mod metrics;
pub mod once;
pub mod publish;
mod renderings;
pub mod serve;
pub mod store;
pub mod supervise;
pub mod surroundings;
pub mod systemd;
pub mod throttle;
pub mod timestamp;
pub mod token;
pub mod watch;

pub mod container;
pub mod disclosure;
pub mod index;
pub mod options;
pub mod owners;
pub mod ownership;
pub mod ports;
pub mod quota;
pub mod routes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::explain::Explain;
use self::index::Index;
use self::metrics::Metrics;
pub use self::options::Options;
use self::owners::{Owners, Release};
use self::ownership::SavedOwners;
use self::ports::{PortTable, SavedPorts};
use self::routes::{Rejection, RouteSettings, Severity};
use self::serve::About;
use self::store::{Damage, Store};
use self::supervise::{Places, Sources};
use self::surroundings::Surroundings;
use self::token::Door;
use crate::stdout;

/// How long the end of the program waits for a disk that hangs.
const RUNTIME_STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// The arguments of `renet route-server`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    question: Option<Question>,
    #[command(flatten)]
    options: Options,
}

/// What can be asked of a route server that runs.
#[derive(Clone, Debug, Subcommand)]
enum Question {
    /// Say what a container gives and why, or who answers a host
    Explain(Explain),
    /// List which repository owns which name and port, and who was rejected
    Owners(Owners),
    /// Free a name or a port that a repository has taken
    Release(Release),
}

/// Runs the command: serves until SIGTERM or SIGINT, prints once, or asks the one that runs.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { question, options } = arguments;
    match question {
        Some(Question::Explain(explain)) => return explain::run(explain),
        Some(Question::Owners(owners)) => return owners::list(owners),
        Some(Question::Release(release)) => return owners::release(release),
        None => {}
    }
    logging::start();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = if options.once {
        runtime.block_on(print_once(options))
    } else {
        runtime.block_on(serve_routes(options))
    };
    runtime.shutdown_timeout(RUNTIME_STOP_TIMEOUT);
    ended
}

async fn serve_routes(options: &Options) -> anyhow::Result<()> {
    let started = Instant::now();
    let stop = CancellationToken::new();
    // Before anybody can know that it runs: from then on, a signal ends it cleanly.
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let limits = connections::limits::claim_descriptors();
    let listener = listen::listen(options.listen)?;
    info!(address = %listener.local_addr()?, "listening");
    let (publisher, view) = publish::channel();
    let settings = options.route_settings();
    let about = About {
        base_domain: settings.base_domain.clone(),
        auto_routes: settings.auto_routes,
        dynamic_ports: options.dynamic_ports,
        started,
        door: Door::of(options.token_file()),
        metrics: Arc::default(),
    };
    let metrics: Arc<Metrics> = about.metrics.clone();
    let publication = view.publication.clone();
    let store = Store::open(&options.state_dir);
    let surroundings =
        Surroundings::watch(&options.dynamic_dir, settings.machine_addresses.clone());
    let (owners, damage) = match store.load_owners() {
        Ok(owners) => (owners, None),
        Err(damage) => (None, Some(damage)),
    };
    let mut settings = settings;
    settings.notices = damage.iter().map(Rejection::from).collect();
    let index = index(options, settings, store.load_ports(), owners);
    let (release, releases) = mpsc::channel(1);
    let _control = control::listen(&options.state_dir, release);
    let sources = Sources {
        places: places(options),
        surroundings,
        releases,
    };
    let supervision = supervise::supervise(sources, index, store, publisher, metrics, stop.clone());
    let serving = serve::serve(listener, view, about, limits, stop.clone());
    let stopping = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping");
        systemd::notify_stopping();
        stop.cancel();
        anyhow::Ok(())
    };
    tokio::select! {
        ended = async { tokio::try_join!(
            async { supervision.await; anyhow::Ok(()) },
            async { serving.await.context("cannot serve") },
            stopping,
        ) } => ended.map(|_| ()),
        () = systemd::notify(publication) => Ok(()),
    }
}

async fn print_once(options: &Options) -> anyhow::Result<()> {
    // The ports that the running server gave, which keeps them.
    let ports = store::read_ports(&options.state_dir).unwrap_or_default();
    let owners = store::read_owners(&options.state_dir).unwrap_or_default();
    let settings = options.route_settings();
    let mut surroundings =
        Surroundings::watch(&options.dynamic_dir, settings.machine_addresses.clone());
    let mut index = index(options, settings, ports, owners);
    index.set_surroundings(surroundings.operator(), surroundings.addresses());
    let (document, silent) = once::document(&places(options), index).await;
    stdout::write(&document?)?;
    anyhow::ensure!(
        silent.is_empty(),
        "the routes of {} daemons are missing: {}",
        silent.len(),
        silent.join("; ")
    );
    Ok(())
}

impl From<&Damage> for Rejection {
    fn from(Damage { file, error }: &Damage) -> Self {
        Self {
            container: file.display().to_string(),
            network_id: None,
            label: None,
            reason: format!(
                "the record of owners could not be read, and was made anew from what runs: {error}"
            ),
            hint: Some(
                "compare it with `renet route-server owners`, and grant what differs".to_owned(),
            ),
            severity: Severity::Warning,
        }
    }
}

fn index(
    options: &Options,
    settings: RouteSettings,
    ports: SavedPorts,
    owners: Option<SavedOwners>,
) -> Index {
    let ports = PortTable::new(options.dynamic_ports, &settings.entrypoints, ports);
    Index::new(settings, ports, owners)
}

fn places(options: &Options) -> Places {
    // A relative path has no parents to be watched for it.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let named = options.docker_hosts.iter();
    Places {
        folder: absolute(&options.socket_dir),
        named: named.map(|host| PathBuf::from(host.socket())).collect(),
    }
}
