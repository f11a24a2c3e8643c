//! Where releases are downloaded from, and how their files are called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

use super::Architecture;
use crate::context::value::TraefikVersion;

/// Traefik's own releases.
const TRAEFIK: &str = "https://github.com/traefik/traefik/releases/download";

/// A site with a folder a release, as GitHub has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Site(Url);

impl Site {
    /// The address of a file of a release.
    pub(super) fn file(&self, version: &TraefikVersion, name: &str) -> Url {
        let mut url = self.0.clone();
        let folder = url.path().trim_end_matches('/');
        url.set_path(&format!("{folder}/v{version}/{name}"));
        url
    }

    /// Whether it is on this very host, and without TLS: no proxy may come in between.
    pub(super) fn is_on_loopback(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether a redirection may lead to an address: nobody between may change what comes.
    pub(super) fn may_lead_to(&self, url: &Url) -> bool {
        is_private(url) && (url.scheme() == "https" || self.is_on_loopback())
    }
}

/// The archive of a release for an architecture.
pub(super) fn archive(version: &TraefikVersion, architecture: Architecture) -> String {
    format!(
        "traefik_v{version}_linux_{}.tar.gz",
        architecture.in_assets()
    )
}

/// The list of a release's SHA-256 sums.
pub(super) fn checksums(version: &TraefikVersion) -> String {
    format!("traefik_v{version}_checksums.txt")
}

/// An address for people: a mirror's password stays where it is.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail for addresses without a host alone, which have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

impl FromStr for Site {
    type Err = InvalidSite;

    fn from_str(text: &str) -> Result<Self, InvalidSite> {
        // The text is not quoted: a mirror's address may hold a password.
        let url = Url::parse(text).map_err(|_| InvalidSite("it is no address"))?;
        if !is_private(&url) {
            return Err(InvalidSite("it is neither https nor http on loopback"));
        }
        Ok(Self(url))
    }
}

impl Default for Site {
    fn default() -> Self {
        Self(Url::parse(TRAEFIK).expect("a constant address"))
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Site").field(&shown(&self.0)).finish()
    }
}

/// Whether nobody else can read or change what comes from an address.
fn is_private(url: &Url) -> bool {
    let on_loopback = || {
        url.host_str().is_some_and(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        })
    };
    match url.scheme() {
        "https" => true,
        "http" => on_loopback(),
        _ => false,
    }
}

/// An address from which no release may be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSite(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_traefik_names_them() {
        let version: TraefikVersion = "3.7.15".parse().expect("a version");
        for (site, name, expected) in [
            (
                "https://github.com/traefik/traefik/releases/download",
                archive(&version, Architecture::X86_64),
                "https://github.com/traefik/traefik/releases/download/v3.7.15/traefik_v3.7.15_linux_amd64.tar.gz",
            ),
            (
                "https://mirror.example.com/",
                archive(&version, Architecture::Aarch64),
                "https://mirror.example.com/v3.7.15/traefik_v3.7.15_linux_arm64.tar.gz",
            ),
            (
                "http://127.0.0.1:8000/a/",
                checksums(&version),
                "http://127.0.0.1:8000/a/v3.7.15/traefik_v3.7.15_checksums.txt",
            ),
        ] {
            let site: Site = site.parse().expect("a site");
            assert_eq!(site.file(&version, &name).as_str(), expected);
        }
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for (text, is_valid) in [
            ("https://mirror.example.com/traefik", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000", true),
            ("http://localhost:8000", true),
            ("http://mirror.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("http://[2001:db8::1]", false),
            ("file:///tmp", false),
            ("ftp://127.0.0.1", false),
            ("mirror.example.com", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Site>().is_ok(), is_valid, "{text}");
        }
    }

    #[test]
    fn a_redirection_never_leads_out_of_https() {
        let https = Site::default();
        let loopback: Site = "http://127.0.0.1:8000".parse().expect("a site");
        for (url, by_https, by_loopback) in [
            ("https://objects.example.com/x", true, true),
            ("http://objects.example.com/x", false, false),
            ("http://127.0.0.1:9000/x", false, true),
        ] {
            let url = Url::parse(url).expect("an address");
            assert_eq!(https.may_lead_to(&url), by_https, "{url}");
            assert_eq!(loopback.may_lead_to(&url), by_loopback, "{url}");
        }
    }

    #[test]
    fn a_mirrors_password_is_never_shown() {
        let site: Site = "https://me:s3cret@mirror.example.com/a?key=s3cret"
            .parse()
            .expect("a site");
        let version = "3.7.15".parse().expect("a version");
        let url = site.file(&version, "x");
        assert_eq!(url.password(), Some("s3cret"));
        assert_eq!(shown(&url), "https://mirror.example.com/a/v3.7.15/x");
        assert!(!format!("{site:?}").contains("s3cret"));
    }
}
