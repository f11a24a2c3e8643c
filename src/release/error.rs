//! Why there is no release.

use std::io;
use std::path::PathBuf;

use reqwest::StatusCode;

use super::Architecture;
use super::checksum::Checksum;
use super::site::InvalidSite;
use crate::context::value::TraefikVersion;

/// Why a release could not be brought to the workstation.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The environment names a site that cannot be used.
    #[error("{variable} names no site to download from")]
    Site {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        error: InvalidSite,
    },
    /// There is no home to keep a cache in.
    #[error("there is no home folder for the cache of downloads")]
    NoHome,
    /// TLS cannot be set up.
    #[error("cannot set up TLS for a download")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The site gives no answer.
    #[error("cannot download {url}: {detail}")]
    NoAnswer {
        /// What was asked for.
        url: String,
        /// What went wrong.
        detail: String,
    },
    /// The site answers something else.
    #[error("cannot download {url}: the site answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// There is no such version.
    #[error("there is no Traefik {version} to download: {url} does not exist")]
    NoVersion {
        /// The version.
        version: TraefikVersion,
        /// What was asked for.
        url: String,
    },
    /// The version is not made for an architecture.
    #[error("there is no Traefik {version} for {architecture}: {url} does not list it")]
    NotMade {
        /// The version.
        version: TraefikVersion,
        /// What it should run on.
        architecture: Architecture,
        /// The list.
        url: String,
    },
    /// What came instead of the list of sums is something else.
    #[error("{url} is no list of checksums, but begins with `{beginning}`")]
    NoList {
        /// What was asked for.
        url: String,
        /// Its first line.
        beginning: String,
    },
    /// The download ended too early.
    #[error("the download of {url} broke off after {received} bytes: {detail}")]
    BrokenOff {
        /// What was asked for.
        url: String,
        /// How much came.
        received: u64,
        /// What went wrong.
        detail: String,
    },
    /// What comes is far larger than a release.
    #[error("{url} is too large for a release of Traefik")]
    TooLarge {
        /// What was asked for.
        url: String,
    },
    /// What came is not what the release says.
    #[error("{url} has the SHA-256 {found}, but the release lists {listed}")]
    WrongChecksum {
        /// What was downloaded.
        url: String,
        /// The sum in the release's list.
        listed: Checksum,
        /// The sum of what came.
        found: Checksum,
    },
    /// The archive cannot be read, although it is the release's.
    #[error("cannot take the program out of {url}")]
    Archive {
        /// What was downloaded.
        url: String,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// The download cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// The cache cannot be used.
    #[error("cannot use the cache of downloads {}", folder.display())]
    Cache {
        /// Its folder.
        folder: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}
