//! What the operator says to `renet route-server`: arguments, or the environment that systemd
//! reads from `router.env`.

use std::ffi::OsString;
use std::net::{AddrParseError, IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::ports::PortRange;
use super::quota::RepositoryQuotas;
use super::routes::RouteSettings;
use crate::layout;
use crate::ownership::{GrantList, Repository};
use crate::traefik::entrypoint::Entrypoint;
use crate::traefik::resolver::{CertResolver, Challenge};

/// The arguments of `renet route-server`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where to listen; not used when systemd passes the listening socket
    #[arg(
        long,
        env = "REDIACC_LISTEN",
        value_name = "ADDRESS",
        default_value_t = layout::ROUTE_SERVER
    )]
    pub listen: SocketAddr,

    /// The folder of the repositories' sockets, docker-NETWORK_ID.sock
    #[arg(
        long,
        env = "REDIACC_SOCKET_DIR",
        value_name = "DIR",
        default_value = layout::SOCKET_DIR
    )]
    pub socket_dir: PathBuf,

    /// A daemon outside the socket folder, as unix:///var/run/docker.sock; repeatable
    #[arg(
        long = "docker-host",
        env = "REDIACC_DOCKER_HOSTS",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub docker_hosts: Vec<DockerHost>,

    /// The domain of auto routes; without one there are none
    #[arg(long, env = "BASE_DOMAIN", value_name = "DOMAIN")]
    pub base_domain: Option<String>,

    /// The entry points that Traefik has, comma-separated
    #[arg(
        long,
        env = "REDIACC_ENTRYPOINTS",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "web,websecure"
    )]
    pub entrypoints: Vec<Entrypoint>,

    /// The external ports that are handed out on demand, as 10000-10010
    #[arg(long, env = "REDIACC_DYNAMIC_PORTS", value_name = "FIRST-LAST")]
    pub dynamic_ports: Option<PortRange>,

    /// The certificate resolver of auto routes; without one they are plain HTTP
    #[arg(long, env = "REDIACC_CERT_RESOLVER", value_name = "NAME")]
    pub cert_resolver: Option<String>,

    /// How that resolver proves a name, dns-01 or http-01: only dns-01 can prove a wildcard
    #[arg(
        long,
        env = "REDIACC_CERT_CHALLENGE",
        value_name = "CHALLENGE",
        default_value = "dns-01"
    )]
    pub cert_challenge: Challenge,

    /// Whether containers without traefik.enable get a route
    #[arg(
        long,
        env = "REDIACC_AUTO_ROUTES",
        value_enum,
        value_name = "on|off",
        hide_possible_values = true,
        default_value = "on"
    )]
    pub auto_routes: Switch,

    /// The entry point on which Traefik answers 200 at /ready as soon as it has these routes
    #[arg(long, env = "REDIACC_READY_ENTRYPOINT", value_name = "NAME")]
    pub ready_entrypoint: Option<String>,

    /// Let labels refer to what other providers define, api@internal among them
    #[arg(long, env = "REDIACC_ALLOW_INTERNAL")]
    pub allow_internal: bool,

    /// A repository whose labels may send Traefik to any address and have it read any file;
    /// repeatable
    #[arg(
        long = "trust-repository",
        env = "REDIACC_TRUST_REPOSITORIES",
        value_name = "ID",
        value_delimiter = ','
    )]
    pub trusted_repositories: Vec<Repository>,

    /// What the operator granted, as 2816=shop.example.com,tcp-25; repeatable, and space-separated
    /// in the environment
    #[arg(long = "owner", env = "REDIACC_OWNERS", value_name = "ID=LIST")]
    pub owners: Vec<GrantList>,

    /// Addresses that lead to this machine, beside those of its interfaces, comma-separated
    #[arg(long, env = "REDIACC_PUBLIC_ADDRESSES", value_name = "ADDRESSES")]
    pub public_addresses: Option<Addresses>,

    /// The folder of the operator's own dynamic configuration, whose hosts and ports no
    /// repository can take
    #[arg(
        long,
        env = "REDIACC_DYNAMIC_DIR",
        value_name = "DIR",
        default_value = layout::DYNAMIC_DIR
    )]
    pub dynamic_dir: PathBuf,
    /// How many times the usual a repository may have, as 2816=4; repeatable, and space-separated in
    /// the environment
    #[arg(long = "quota", env = "REDIACC_QUOTAS", value_name = "ID=FACTOR")]
    pub quotas: Vec<RepositoryQuotas>,

    /// Where the last known containers are kept, and who has which external port
    #[arg(
        long,
        env = "REDIACC_STATE_DIR",
        value_name = "DIR",
        default_value = layout::ROUTER_STATE_DIR
    )]
    pub state_dir: PathBuf,

    /// The file with the token that /routes.yaml asks for; without one, whoever asks gets it
    #[arg(long, env = "REDIACC_TOKEN_FILE", value_name = "PATH")]
    pub token_file: Option<OsString>,

    /// Print the routes of this moment and exit
    #[arg(long)]
    pub once: bool,
}

impl Options {
    /// The file with the token, if one is asked for.
    pub fn token_file(&self) -> Option<&Path> {
        let path = self.token_file.as_deref().map(Path::new);
        path.filter(|path| !path.as_os_str().is_empty())
    }

    /// The part that routes depend on.
    pub fn route_settings(&self) -> RouteSettings {
        RouteSettings {
            base_domain: given(self.base_domain.as_deref()),
            entrypoints: self.entrypoints.iter().copied().collect(),
            cert_resolver: given(self.cert_resolver.as_deref()).map(|name| CertResolver {
                name,
                challenge: self.cert_challenge,
            }),
            auto_routes: self.auto_routes == Switch::On,
            ready_entrypoint: given(self.ready_entrypoint.as_deref()),
            allow_internal: self.allow_internal,
            trusted_repositories: self.trusted_repositories.iter().copied().collect(),
            grants: self
                .owners
                .iter()
                .flat_map(|list| &list.0)
                .map(|one| (one.repository, one.grants.clone()))
                .collect(),
            operator: Arc::default(),
            notices: Vec::new(),
            dynamic_ports: self.dynamic_ports,
            machine_addresses: self
                .public_addresses
                .iter()
                .flat_map(|list| list.0.iter().copied())
                .collect(),
            quotas: self
                .quotas
                .iter()
                .flat_map(|several| &several.0)
                .map(|one| (one.repository, one.quota))
                .collect(),
        }
    }
}

/// `NAME=` in an environment file is how one says "none" there.
fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Addresses with commas between; none in an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(Vec<IpAddr>);

impl FromStr for Addresses {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        let items = text.split(',').map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        items.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// On or off, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// The Unix socket of a daemon outside the socket folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerHost(PathBuf);

impl DockerHost {
    /// The socket's path.
    pub fn socket(&self) -> &Path {
        &self.0
    }
}

impl FromStr for DockerHost {
    type Err = NotADockerHost;

    fn from_str(text: &str) -> Result<Self, NotADockerHost> {
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if path.starts_with('/') {
            Ok(Self(path.into()))
        } else {
            Err(NotADockerHost(text.to_owned()))
        }
    }
}

/// What was given names no Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Unix socket: give it as unix:///path/to/docker.sock")]
pub struct NotADockerHost(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_given_once_or_often_and_an_empty_one_is_none() {
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            options: Options,
        }
        let quotas = |words: &[&str]| {
            let words = ["renet"].iter().chain(words);
            let program: Program = clap::Parser::try_parse_from(words).expect("options");
            program.options.route_settings().quotas.len()
        };
        assert_eq!(quotas(&["--quota", ""]), 0);
        assert_eq!(quotas(&["--quota", "2816=2 2880=3"]), 2);
        assert_eq!(quotas(&["--quota", "2816=2", "--quota", "host=3"]), 2);
    }

    #[test]
    fn only_unix_sockets_are_docker_hosts() {
        for text in ["unix:///run/docker.sock", "/run/docker.sock"] {
            let host: DockerHost = text.parse().expect("a socket");
            assert_eq!(host.socket(), Path::new("/run/docker.sock"));
        }
        for text in [
            "",
            "tcp://127.0.0.1:2375",
            "docker.sock",
            "unix://docker.sock",
        ] {
            assert_eq!(
                text.parse::<DockerHost>(),
                Err(NotADockerHost(text.to_owned()))
            );
        }
    }
}
