//! Releases of Traefik, brought to the workstation. `rdc`'s part alone: a machine downloads
//! nothing.
//!
//! ```text
//! version ─► cached? ─► list of sums ─► archive ─► is it the listed one? ─► program ─► cache
//! ```
//!
//! What does not have the sum that its release lists is neither used nor kept.

mod architecture;
mod archive;
mod cache;
mod checksum;
mod download;
mod error;
mod site;

use std::fs::File;
use std::path::PathBuf;

use etcetera::BaseStrategy as _;
use tokio::sync::Mutex;

use crate::context::value::TraefikVersion;
use crate::layout;
use cache::{Cache, Download};
use checksum::ListFault;
use download::Downloads;

pub use architecture::{Architecture, UnknownArchitecture};
pub use checksum::Checksum;
pub use error::ReleaseError;
pub use site::{InvalidSite, Site};

/// The variable that names another site to download from: a mirror.
const SITE_VARIABLE: &str = "REDIACC_TRAEFIK_RELEASES";

/// Where releases come from, and where they are kept.
#[derive(Debug)]
pub struct Releases {
    site: Site,
    cache: Cache,
    /// Pushes to several machines download a release once.
    turn: Mutex<()>,
}

/// Who wants to see how a download goes on.
pub trait Observer {
    /// A download begins; its size is known where the site tells it.
    fn downloading(&mut self, url: &str, bytes: Option<u64>);
    /// So many bytes of it have come.
    fn received(&mut self, bytes: u64);
}

impl Releases {
    /// The releases of who runs the program: from Traefik's site, or the one that the environment
    /// names; kept in `$XDG_CACHE_HOME/rediacc/traefik`.
    pub fn of_user() -> Result<Self, ReleaseError> {
        let site = match std::env::var(SITE_VARIABLE) {
            Ok(text) if !text.is_empty() => text.parse().map_err(|error| ReleaseError::Site {
                variable: SITE_VARIABLE,
                error,
            })?,
            _ => Site::default(),
        };
        let base = etcetera::choose_base_strategy().map_err(|_| ReleaseError::NoHome)?;
        let folder = base.cache_dir().join("rediacc").join(layout::TRAEFIK);
        Ok(Self::new(site, folder))
    }

    /// The releases of a site, kept in a folder, which need not exist yet.
    pub fn new(site: Site, folder: PathBuf) -> Self {
        Self {
            site,
            cache: Cache::at(folder),
            turn: Mutex::new(()),
        }
    }

    /// The program of a release, if it was downloaded before.
    pub fn cached(&self, version: &TraefikVersion, architecture: Architecture) -> Option<PathBuf> {
        self.cache.find(version, architecture)
    }

    /// The program of a release, downloaded where it was not before.
    pub async fn fetch(
        &self,
        version: &TraefikVersion,
        architecture: Architecture,
        observer: &mut dyn Observer,
    ) -> Result<PathBuf, ReleaseError> {
        let _turn = self.turn.lock().await;
        if let Some(program) = self.cached(version, architecture) {
            return Ok(program);
        }
        let download = self.cache.begin()?;
        let sum = self
            .download(&download, version, architecture, observer)
            .await?;
        self.cache.keep(&download, sum, version, architecture)
    }

    /// Downloads a release, and answers the sum of its program.
    async fn download(
        &self,
        download: &Download,
        version: &TraefikVersion,
        architecture: Architecture,
        observer: &mut dyn Observer,
    ) -> Result<Checksum, ReleaseError> {
        let downloads = Downloads::from(&self.site)?;
        let list_url = self.site.file(version, &site::checksums(version));
        let asset = site::archive(version, architecture);
        let url = self.site.file(version, &asset);

        let Some(list) = downloads.text(&list_url).await? else {
            return Err(ReleaseError::NoVersion {
                version: version.clone(),
                url: site::shown(&list_url),
            });
        };
        let listed = checksum::listed(&list, &asset).map_err(|fault| match fault {
            ListFault::NoList => ReleaseError::NoList {
                url: site::shown(&list_url),
                beginning: beginning(&list),
            },
            ListFault::NotListed => ReleaseError::NotMade {
                version: version.clone(),
                architecture,
                url: site::shown(&list_url),
            },
        })?;

        let packed = download.path("archive");
        let found = downloads.archive(&url, &packed, observer).await?;
        let url = site::shown(&url);
        if found != listed {
            return Err(ReleaseError::WrongChecksum { url, listed, found });
        }
        let program = download.path(layout::TRAEFIK);
        // Unpacking takes a second: whatever else goes on goes on.
        let unpacked = tokio::task::spawn_blocking(move || {
            let sum = archive::extract(&mut File::open(&packed)?, &program)?;
            std::fs::remove_file(&packed)?;
            Ok(sum)
        });
        let unpacked = unpacked.await.map_err(std::io::Error::other).flatten();
        unpacked.map_err(|error| ReleaseError::Archive { url, error })
    }
}

/// How a text begins, fit for a line of an error.
fn beginning(text: &str) -> String {
    const LENGTH: usize = 40;
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars()
        .filter(|char| !char.is_control())
        .take(LENGTH)
        .collect()
}
