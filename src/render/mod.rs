//! Infra → the files of a bundle. Pure: the templates are compiled in, and the same infra gives
//! the same bytes. No secret is rendered: a token is only ever named by its file.

mod binds;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use crate::bundle::Bind;
use crate::context::Infra;
use crate::context::value::{AcmeCaServer, BaseDomain};
use crate::layout;
use crate::traefik::entrypoint::{Entrypoint, Listener};
use crate::traefik::resolver::Challenge;

pub use binds::{binds, has_entrypoint, is_preconfigured};

/// The templates, by the names of the files that they become.
const TEMPLATES: [(&str, &str); 7] = [
    (
        layout::TRAEFIK_YML,
        include_str!("../../templates/traefik.yml"),
    ),
    (
        layout::ROUTER_ENV,
        include_str!("../../templates/router.env"),
    ),
    (
        layout::PROXY_SERVICE,
        include_str!("../../templates/rediacc-proxy.service"),
    ),
    (
        layout::ROUTER_SERVICE,
        include_str!("../../templates/rediacc-router.service"),
    ),
    (
        layout::ROUTER_SOCKET,
        include_str!("../../templates/rediacc-router.socket"),
    ),
    (
        layout::SETTLE_SERVICE,
        include_str!("../../templates/rediacc-settle.service"),
    ),
    (
        layout::SYSUSERS_CONF,
        include_str!("../../templates/sysusers.conf"),
    ),
];

/// Renders a machine's files, by their names in a generation: what was declared, for the entry
/// points that the machine will have, with or without a token for certificates.
pub fn render(
    infra: &Infra,
    binds: &BTreeSet<Bind>,
    has_token: bool,
) -> Result<BTreeMap<String, String>, RenderError> {
    let values = Value::from(Serde(Values::of(infra, binds, has_token)?));
    let environment = environment()?;
    TEMPLATES
        .into_iter()
        .map(|(name, template)| {
            let text = environment.render_named_str(name, template, values.clone())?;
            Ok((name.to_owned(), text))
        })
        .collect()
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Escaping is written where it is wanted: the file names would turn JSON's on by themselves.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_syntax(
        // A line that holds only a block leaves no line behind.
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    Ok(environment)
}

/// Why a machine's files cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Neither IPv4 nor IPv6: there would be nothing to listen on.
    #[error("there is no address for Traefik to listen on")]
    NoAddress,
    /// A token, but no ACME account to use it for.
    #[error("there is a Cloudflare token, but no e-mail address for the certificates' account")]
    TokenWithoutEmail,
    /// A template is wrong: a defect of ours.
    #[error("a template cannot be rendered: {0}")]
    Template(#[from] minijinja::Error),
}

impl RenderError {
    /// The options of `set-infra` that would mend it; none for a defect of ours.
    pub fn missing_options(&self) -> Option<&'static str> {
        match self {
            Self::NoAddress => Some("--public-ipv4 ADDRESS"),
            Self::TokenWithoutEmail => Some("--cert-email ADDRESS"),
            Self::Template(_) => None,
        }
    }
}

/// What the templates may use.
#[derive(Debug, Serialize)]
struct Values<'a> {
    binds: Vec<BindValues>,
    entrypoints: String,
    acme: Option<Acme<'a>>,
    token: bool,
    base_domain: Option<&'a str>,
    auto_routes: &'static str,
    dynamic_ports: Option<String>,
    listen: String,
    routes_url: String,
    ping_address: String,
    ping_entrypoint: &'static str,
    keep_alive_max_s: u64,
    proxy_runtime_dir: &'static str,
    current: &'static str,
    transaction: &'static str,
    dynamic_dir: &'static str,
    acme_storage: &'static str,
    router_state_dir: &'static str,
    token_file: &'static str,
    token_placeholder: &'static str,
    owners: String,
    quotas: String,
    public_addresses: Option<String>,
    socket_dir: &'static str,
}

impl<'a> Values<'a> {
    fn of(infra: &'a Infra, binds: &BTreeSet<Bind>, has_token: bool) -> Result<Self, RenderError> {
        if binds.is_empty() {
            return Err(RenderError::NoAddress);
        }
        let acme = Acme::of(infra, binds, has_token)?;
        let names: Vec<String> = binds
            .iter()
            .map(|bind| bind.entrypoint.to_string())
            .collect();
        let (first, last) = layout::DYNAMIC_PORTS;
        Ok(Self {
            binds: binds
                .iter()
                .map(|bind| BindValues::of(bind, acme.is_some()))
                .collect(),
            entrypoints: names.join(","),
            acme,
            token: has_token,
            base_domain: infra.base_domain.as_ref().map(BaseDomain::as_str),
            auto_routes: if infra.auto_routes { "on" } else { "off" },
            dynamic_ports: infra.default_ports.then(|| format!("{first}-{last}")),
            listen: layout::ROUTE_SERVER.to_string(),
            routes_url: format!(
                "http://{}/routes.yaml?{}",
                layout::ROUTE_SERVER,
                layout::CERTIFICATES_LATER
            ),
            ping_address: layout::TRAEFIK_PING.to_string(),
            ping_entrypoint: layout::PING_ENTRYPOINT,
            keep_alive_max_s: layout::KEEP_ALIVE_MAX_S,
            proxy_runtime_dir: layout::PROXY_RUNTIME_DIR,
            current: layout::CURRENT,
            transaction: layout::TRANSACTION,
            dynamic_dir: layout::DYNAMIC_DIR,
            acme_storage: layout::ACME_STORAGE,
            router_state_dir: layout::ROUTER_STATE_DIR,
            token_file: layout::ROUTE_SERVER_TOKEN,
            token_placeholder: layout::TOKEN_PLACEHOLDER,
            owners: infra.owners.to_string(),
            quotas: infra.quotas.to_string(),
            public_addresses: public_addresses(infra),
            socket_dir: layout::SOCKET_DIR,
        })
    }
}

/// The addresses at which visitors find the machine, where they were declared.
fn public_addresses(infra: &Infra) -> Option<String> {
    let v4 = infra.public_ipv4.map(IpAddr::from);
    let v6 = infra.public_ipv6.map(IpAddr::from);
    let addresses: Vec<String> = v4.into_iter().chain(v6).map(|it| it.to_string()).collect();
    (!addresses.is_empty()).then(|| addresses.join(","))
}

/// How certificates are obtained, as the templates see it.
#[derive(Debug, Serialize)]
struct Acme<'a> {
    resolver: &'static str,
    challenge: String,
    email: &'a str,
    ca_server: Option<&'a str>,
    resolvers: Vec<Resolver>,
}

/// One certificate resolver: with an entry point it is HTTP-01 there, without one DNS-01.
#[derive(Debug, Serialize)]
struct Resolver {
    name: String,
    http_entrypoint: Option<String>,
}

impl<'a> Acme<'a> {
    /// With a token DNS-01, with an e-mail address alone HTTP-01, with neither no resolver.
    fn of(
        infra: &'a Infra,
        binds: &BTreeSet<Bind>,
        has_token: bool,
    ) -> Result<Option<Self>, RenderError> {
        let Some(email) = &infra.cert_email else {
            return if has_token {
                Err(RenderError::TokenWithoutEmail)
            } else {
                Ok(None)
            };
        };
        let (challenge, resolvers) = if has_token {
            (Challenge::Dns01, vec![Resolver::by_dns()])
        } else {
            (Challenge::Http01, Resolver::by_http(binds))
        };
        Ok(Some(Self {
            resolver: layout::CERT_RESOLVER,
            challenge: challenge.to_string(),
            email: email.as_str(),
            ca_server: infra.acme_ca_server.as_ref().map(AcmeCaServer::as_str),
            resolvers,
        }))
    }
}

impl Resolver {
    fn by_dns() -> Self {
        Self {
            name: layout::CERT_RESOLVER.to_owned(),
            http_entrypoint: None,
        }
    }

    /// One for each address family. The CA may ask either, IPv6 first, and Traefik answers on the
    /// entry points that some resolver names, a single one each. Routers use the first resolver;
    /// the other is there for its entry point.
    fn by_http(binds: &BTreeSet<Bind>) -> Vec<Self> {
        let webs = binds
            .iter()
            .map(|bind| bind.entrypoint)
            .filter(|entrypoint| entrypoint.listener == Listener::Web);
        webs.enumerate()
            .map(|(index, web)| Self {
                name: match index {
                    0 => layout::CERT_RESOLVER.to_owned(),
                    _ => format!("{}-on-{web}", layout::CERT_RESOLVER),
                },
                http_entrypoint: Some(web.to_string()),
            })
            .collect()
    }
}

/// One entry point, as the template sees it.
#[derive(Debug, Serialize)]
struct BindValues {
    name: String,
    address: String,
    is_http: bool,
    is_default: bool,
    redirect_to: Option<String>,
}

impl BindValues {
    fn of(bind: &Bind, has_resolver: bool) -> Self {
        let Entrypoint { listener, family } = bind.entrypoint;
        let secure = Entrypoint::new(Listener::WebSecure, family).to_string();
        let socket = SocketAddr::new(bind.address, listener.port());
        let suffix = if listener.is_udp() { "/udp" } else { "" };
        let home = if has_resolver {
            Listener::WebSecure
        } else {
            Listener::Web
        };
        Self {
            name: bind.entrypoint.to_string(),
            address: format!("{socket}{suffix}"),
            is_http: matches!(listener, Listener::Web | Listener::WebSecure),
            // Without certificates there is nothing on 443 to send anybody to.
            is_default: listener == home,
            redirect_to: (listener == Listener::Web && has_resolver).then_some(secure),
        }
    }
}
