//! Downloads, by HTTPS: within limits, with time-outs, and never led to where others could change
//! what comes.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};

use super::checksum::{Checksum, Summed};
use super::site::{Site, shown};
use super::{Observer, ReleaseError};
use crate::causes::with_causes;

/// How long a site may take to accept a connection, the look-up of its name included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a site may be silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often one may be sent on to somewhere else.
const REDIRECTIONS: usize = 10;
/// How large a list of sums may be.
const LIST_BYTES: usize = 1 << 20;
/// How large an archive may be: Traefik's are some 50 MB.
const ARCHIVE_BYTES: u64 = 1 << 30;

/// Downloads from one site.
pub(super) struct Downloads {
    client: Client,
}

impl Downloads {
    pub(super) fn from(site: &Site) -> Result<Self, ReleaseError> {
        let of_redirections = site.clone();
        let redirections = Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTIONS {
                return attempt.error("it sends us on and on");
            }
            if of_redirections.may_lead_to(attempt.url()) {
                return attempt.follow();
            }
            let to = format!("it sends us on to {}, not https", shown(attempt.url()));
            attempt.error(to)
        });
        let mut client = Client::builder()
            .user_agent(concat!("rdc/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            .redirect(redirections)
            .tls_backend_preconfigured(tls()?);
        if site.is_on_loopback() {
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| ReleaseError::Tls(error.into()))?;
        Ok(Self { client })
    }

    /// Downloads a small text. None where the site says that there is no such file.
    pub(super) async fn text(&self, url: &Url) -> Result<Option<String>, ReleaseError> {
        let Some(mut response) = self.get(url).await? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        while let Some(chunk) = next(&mut response, url, text.len() as u64).await? {
            text.extend_from_slice(chunk.as_ref());
            if text.len() > LIST_BYTES {
                return Err(ReleaseError::TooLarge { url: shown(url) });
            }
        }
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Downloads an archive to a new file, and answers its sum.
    pub(super) async fn archive(
        &self,
        url: &Url,
        path: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Checksum, ReleaseError> {
        let Some(mut response) = self.get(url).await? else {
            return Err(ReleaseError::Status {
                url: shown(url),
                status: StatusCode::NOT_FOUND,
            });
        };
        observer.downloading(&shown(url), response.content_length());
        let cannot_write = |error| ReleaseError::Write {
            path: path.to_owned(),
            error,
        };
        let mut file = Summed::new(File::create_new(path).map_err(cannot_write)?);
        let mut received = 0;
        while let Some(chunk) = next(&mut response, url, received).await? {
            received += chunk.as_ref().len() as u64;
            if received > ARCHIVE_BYTES {
                return Err(ReleaseError::TooLarge { url: shown(url) });
            }
            file.write_all(chunk.as_ref()).map_err(cannot_write)?;
            observer.received(received);
        }
        Ok(file.checksum())
    }

    async fn get(&self, url: &Url) -> Result<Option<Response>, ReleaseError> {
        let answer = self.client.get(url.clone()).send().await;
        let response = answer.map_err(|error| ReleaseError::NoAnswer {
            url: shown(url),
            detail: detail(error),
        })?;
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(ReleaseError::Status {
                url: shown(url),
                status,
            }),
        }
    }
}

async fn next(
    response: &mut Response,
    url: &Url,
    received: u64,
) -> Result<Option<impl AsRef<[u8]> + use<>>, ReleaseError> {
    response
        .chunk()
        .await
        .map_err(|error| ReleaseError::BrokenOff {
            url: shown(url),
            received,
            detail: detail(error),
        })
}

/// What went wrong, in one line. Where one was sent on to may be signed: it is left out.
fn detail(error: reqwest::Error) -> String {
    let text = with_causes(&error.without_url());
    let text = text.trim_start_matches("error sending request: ");
    text.trim_start_matches("client error (Connect): ")
        .to_owned()
}

/// TLS that trusts what the workstation trusts, since a company's proxy may have an authority of
/// its own; Mozilla's authorities where the workstation has none, as in a bare container.
fn tls() -> Result<ClientConfig, ReleaseError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ReleaseError::Tls(error.into()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
