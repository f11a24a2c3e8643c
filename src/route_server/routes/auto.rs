//! Auto routes: the address `{service}-{network id}.{base domain}` of a service whose labels say
//! nothing of Traefik.

use super::linked::{DefaultRule, default_name};
use super::reach::Reach;
use super::target::Target;
use super::{Container, Problem, RouteSettings, SERVICE_NAME, entrypoints, resolver_name};
use crate::network::NetworkId;
use crate::traefik::dynamic::{
    Domain, DynamicConfig, LoadBalancer, Router, RouterTls, Server, Servers, Service, Switch,
};

/// TCP ports of protocols that are not HTTP: a request to them would be answered with an error at
/// best, and to a database it would be a door that nobody asked for.
const NOT_HTTP: [u16; 22] = [
    21, 22, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 1433, 1521, 1883, 3306, 4222, 5432,
    5672, 6379, 9092, 11211,
];

/// The ports of databases that come by the range, as MongoDB's.
const NOT_HTTP_RANGE: std::ops::RangeInclusive<u16> = 27017..=27019;

/// The port of a service that says nothing of ports.
const DEFAULT_PORT: u16 = 80;

/// The longest part between two dots of a host name, in bytes.
const LONGEST_LABEL: usize = 63;

/// Whether a container's labels say nothing of Traefik. Where they do, and `traefik.enable` alone is
/// missing, a route that nobody described would be open where the described one is not: without its
/// password, or to everybody.
pub(super) fn nothing_was_asked(container: &Container) -> Result<(), Problem> {
    let asks = |label: &&String| {
        // In any case and behind blanks, as people write it who mean it.
        let label = label.trim_start().to_ascii_lowercase();
        label.starts_with("traefik.") && !label.starts_with("traefik.docker.")
    };
    match container.labels.keys().find(asks) {
        None => Ok(()),
        Some(label) => Err(Problem::of_label(
            label,
            "there are labels for Traefik, and `traefik.enable` is not among them",
        )
        .hint("add the label `traefik.enable=true`, or remove all that begin with `traefik.`")),
    }
}

/// The auto route of a container, if it gets one.
pub(super) fn route(
    container: &Container,
    network_id: Option<NetworkId>,
    settings: &RouteSettings,
) -> Result<Option<DynamicConfig>, Problem> {
    if !settings.auto_routes {
        return Ok(None);
    }
    let Some(host) = Host::of(container, network_id, settings)? else {
        return Ok(None);
    };
    let target = Target {
        container,
        reach: Reach::of(network_id, settings),
    };
    let Some(port) = http_port(&target)? else {
        return Ok(None);
    };
    let address = std::net::SocketAddr::new(target.address()?, port);
    let (entry_points, secure) =
        entrypoints::default_web(settings, settings.cert_resolver.is_some())?;
    let router = Router {
        entry_points,
        rule: Some(host.rule()),
        service: Some(host.name.clone()),
        tls: if secure {
            host.tls(settings)
        } else {
            Switch::Off
        },
        ..Router::default()
    };
    let server = Server {
        url: Some(format!("http://{address}")),
        ..Server::default()
    };
    let service = Service {
        load_balancer: Some(LoadBalancer {
            servers: Servers(vec![server]),
            ..LoadBalancer::default()
        }),
        ..Service::default()
    };
    let mut config = DynamicConfig::default();
    config.http.routers.insert(host.name.clone(), router);
    config.http.services.insert(host.name, service);
    Ok(Some(config))
}

/// The rule of a router whose labels give none: the auto route's where the container could have
/// one, else Traefik's own default.
pub(super) fn default_rule(
    container: &Container,
    network_id: Option<NetworkId>,
    settings: &RouteSettings,
) -> Result<DefaultRule, Problem> {
    Ok(match Host::of(container, network_id, settings)? {
        Some(host) => DefaultRule {
            rule: host.rule(),
            tls: match settings.cert_resolver {
                Some(_) => host.tls(settings),
                None => Switch::Off,
            },
        },
        None => DefaultRule {
            rule: format!("Host(`{}`)", default_name(container)),
            tls: Switch::Off,
        },
    })
}

/// The host name that a service has without asking for one.
struct Host<'s> {
    name: String,
    base_domain: &'s str,
}

impl<'s> Host<'s> {
    fn of(
        container: &Container,
        network_id: Option<NetworkId>,
        settings: &'s RouteSettings,
    ) -> Result<Option<Self>, Problem> {
        let service = container.labels.get(SERVICE_NAME);
        let (Some(service), Some(network_id), Some(base_domain)) =
            (service, network_id, settings.base_domain.as_deref())
        else {
            return Ok(None);
        };
        let name = format!("{}-{network_id}", service.to_ascii_lowercase());
        // What goes into a rule must not be able to end it: a name with a backtick could claim
        // any host.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_whole = !service.is_empty() && !service.starts_with('-');
        if !is_whole || !service.bytes().all(is_plain) || name.len() > LONGEST_LABEL {
            return Err(Problem::of_label(
                SERVICE_NAME,
                format!("`{service}` cannot be a part of a host name"),
            )
            .hint("use letters, digits, `-` and `_`, some 50 at most, and no `-` first"));
        }
        Ok(Some(Self { name, base_domain }))
    }

    fn rule(&self) -> String {
        format!("Host(`{}.{}`)", self.name, self.base_domain)
    }

    /// One wildcard certificate for all: a hundred services cost one. Where none can be had, each
    /// service has its own.
    fn tls(&self, settings: &RouteSettings) -> Switch<RouterTls> {
        let resolver = settings.cert_resolver.as_ref();
        let wildcard = resolver.is_some_and(|resolver| resolver.challenge.proves_wildcards());
        let domain = wildcard.then(|| Domain {
            main: Some(self.base_domain.to_owned()),
            sans: vec![format!("*.{}", self.base_domain)],
        });
        Switch::On(RouterTls {
            cert_resolver: resolver_name(settings),
            domains: domain.into_iter().collect(),
            ..RouterTls::default()
        })
    }
}

/// The port that a container most likely speaks HTTP on; none if it speaks something else.
fn http_port(target: &Target<'_>) -> Result<Option<u16>, Problem> {
    let is_http = |port: &u16| !NOT_HTTP.contains(port) && !NOT_HTTP_RANGE.contains(port);
    if let Some(port) = target.service_port()? {
        return Ok(Some(port).filter(is_http));
    }
    let exposed = &target.container.exposed_tcp_ports;
    let mut candidates = exposed.iter().copied().filter(is_http);
    let exposes_none = exposed.is_empty() && target.container.exposed_udp_ports.is_empty();
    Ok(match (candidates.next(), candidates.next()) {
        (Some(only), None) => Some(only),
        (None, _) if !exposes_none => None,
        _ => Some(DEFAULT_PORT),
    })
}
