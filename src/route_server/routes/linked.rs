//! What Traefik adds to a container's labels: services with their one server, routers linked to
//! them, a rule and a router where none was written. The names are still the labels' own.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::target::{Target, Transport};
use super::{Container, Problem};
use crate::traefik::dynamic::{
    DynamicConfig, Http, LoadBalancer, Router, RouterTls, Server, Service, Switch, Tcp,
    TcpLoadBalancer, TcpServer, TcpService, Udp, UdpLoadBalancer, UdpServer, UdpService, Unset,
};
use crate::traefik::labels::EntryKind;

/// The rule of an HTTP router that has none, and how its certificate is to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DefaultRule {
    pub(super) rule: String,
    pub(super) tls: Switch<RouterTls>,
}

/// The compose project of a container.
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// Its service in that project.
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// Completes a configuration. A router that cannot be linked is gone from the configuration; a
/// service that cannot be reached is broken, and stays until all routers are linked.
pub(super) fn link(
    config: &mut DynamicConfig,
    target: &Target<'_>,
    default_rule: &DefaultRule,
    faults: &mut Faults,
) -> Result<(), Problem> {
    let DynamicConfig {
        http,
        tcp,
        udp,
        tls: _,
    } = config;
    let has_tcp = !tcp.routers.is_empty() || !tcp.services.is_empty();
    if has_tcp {
        link_tcp(tcp, target, faults)?;
    }
    let has_udp = !udp.routers.is_empty() || !udp.services.is_empty();
    if has_udp {
        link_udp(udp, target, faults)?;
    }
    // A container of TCP or UDP alone is not a web server besides.
    if !(has_tcp || has_udp) || !http.unset() {
        link_http(http, target, default_rule, faults)?;
    }
    Ok(())
}

fn link_http(
    http: &mut Http,
    target: &Target<'_>,
    default_rule: &DefaultRule,
    faults: &mut Faults,
) -> Result<(), Problem> {
    let Http {
        routers,
        services,
        middlewares: _,
    } = http;
    if services.is_empty() {
        let service = Service {
            load_balancer: Some(LoadBalancer::default()),
            ..Service::default()
        };
        services.insert(default_name(target.container), service);
    }
    for (name, service) in services.iter_mut() {
        let prefix = format!("traefik.http.services.{name}.loadbalancer");
        let served = serve_http(service, target, &prefix);
        costs_service(served, EntryKind::HttpService, name, faults)?;
    }
    if routers.is_empty() {
        if services.len() > 1 {
            faults.push(
                Problem::new("it has several HTTP services and no router")
                    .hint("add a router with a rule and a service"),
            );
            return Ok(());
        }
        routers.insert(default_name(target.container), Router::default());
    }
    routers.retain(|name, router| {
        if router.rule.as_deref().is_none_or(str::is_empty) {
            router.rule = Some(default_rule.rule.clone());
            if router.tls.on().is_none() && router.entry_points.is_empty() {
                router.tls = default_rule.tls.clone();
            }
        }
        let linked = point(&mut router.service, services);
        if !linked {
            faults.push(ambiguous("http", name));
        }
        linked
    });
    Ok(())
}

fn link_tcp(tcp: &mut Tcp, target: &Target<'_>, faults: &mut Faults) -> Result<(), Problem> {
    let Tcp {
        routers,
        services,
        middlewares: _,
    } = tcp;
    serve(services, target, faults)?;
    routers.retain(|name, router| {
        if router.rule.as_deref().is_none_or(str::is_empty) {
            let label = format!("traefik.tcp.routers.{name}.rule");
            faults.push(
                Problem::of_label(&label, format!("the TCP router `{name}` has no rule"))
                    .hint(format!("add the label `{label}=HostSNI(`*`)`")),
            );
            return false;
        }
        let linked = point(&mut router.service, services);
        if !linked {
            faults.push(ambiguous("tcp", name));
        }
        linked
    });
    Ok(())
}

fn link_udp(udp: &mut Udp, target: &Target<'_>, faults: &mut Faults) -> Result<(), Problem> {
    let Udp { routers, services } = udp;
    serve(services, target, faults)?;
    routers.retain(|name, router| {
        let linked = point(&mut router.service, services);
        if !linked {
            faults.push(ambiguous("udp", name));
        }
        linked
    });
    Ok(())
}

/// A service whose servers are an address and a port: TCP's and UDP's.
trait Addressed: Sized {
    const KIND: EntryKind;
    const TRANSPORT: Transport;

    /// A service with a load balancer and no server.
    fn bare() -> Self;

    /// What a load balancer's only server says of its port; without a load balancer, nothing.
    fn port(&mut self) -> Option<Option<String>>;

    /// Sets the only server, or none.
    fn set(&mut self, address: Option<String>);

    /// Gives it its server.
    fn serve(&mut self, target: &Target<'_>, prefix: &str) -> Result<(), Problem> {
        let port = self.port().ok_or_else(|| no_load_balancer(prefix))?;
        let address = match target.is_ready() {
            true => Some(address(target, prefix, port.as_deref(), Self::TRANSPORT)?),
            false => None,
        };
        self.set(address);
        Ok(())
    }
}

macro_rules! addressed {
    ($($transport:ident: $service:ident { $balancer:ident, $server:ident }),*) => {$(
        impl Addressed for $service {
            const KIND: EntryKind = EntryKind::$service;
            const TRANSPORT: Transport = Transport::$transport;

            fn bare() -> Self {
                Self { load_balancer: Some($balancer::default()) }
            }

            fn port(&mut self) -> Option<Option<String>> {
                let servers = &mut self.load_balancer.as_mut()?.servers;
                Some(servers.iter_mut().find_map(|server| server.port.take()))
            }

            fn set(&mut self, address: Option<String>) {
                let Some(balancer) = &mut self.load_balancer else {
                    return;
                };
                let labelled = balancer.servers.pop().unwrap_or_default();
                balancer.servers.clear();
                if address.is_some() {
                    balancer.servers.push($server { address, ..labelled });
                }
            }
        }
    )*};
}

addressed!(
    Tcp: TcpService {
        TcpLoadBalancer,
        TcpServer
    },
    Udp: UdpService {
        UdpLoadBalancer,
        UdpServer
    }
);

/// Gives each service of TCP or UDP its server; one is there even where no label describes any.
fn serve<S: Addressed>(
    services: &mut BTreeMap<String, S>,
    target: &Target<'_>,
    faults: &mut Faults,
) -> Result<(), Problem> {
    if services.is_empty() {
        services.insert(default_name(target.container), S::bare());
    }
    for (name, service) in services {
        let prefix = format!("{}.{name}.loadbalancer", S::KIND.prefix());
        costs_service(service.serve(target, &prefix), S::KIND, name, faults)?;
    }
    Ok(())
}

/// Gives an HTTP service its servers.
fn serve_http(service: &mut Service, target: &Target<'_>, prefix: &str) -> Result<(), Problem> {
    let balancer = service
        .load_balancer
        .as_mut()
        .ok_or_else(|| no_load_balancer(prefix))?;
    if !target.is_ready() {
        balancer.servers.clear();
        return Ok(());
    }
    if balancer.servers.is_empty() {
        balancer.servers.push(Server::default());
    }
    for server in balancer.servers.iter_mut() {
        locate(server, target, prefix)?;
    }
    Ok(())
}

/// What is wrong with a service's labels costs the service. What is wrong with the container, as
/// its address, costs all of it.
fn costs_service(
    served: Result<(), Problem>,
    kind: EntryKind,
    name: &str,
    faults: &mut Faults,
) -> Result<(), Problem> {
    let Err(problem) = served else {
        return Ok(());
    };
    let label = problem.label.as_deref().unwrap_or_default();
    if !label.starts_with(&kind.prefix()) {
        return Err(problem);
    }
    faults.breaks(kind, name, problem);
    Ok(())
}

/// Gives an HTTP server its URL: the label's own, or scheme and port at the container's address.
fn locate(server: &mut Server, target: &Target<'_>, prefix: &str) -> Result<(), Problem> {
    let scheme = server.scheme.take().filter(|scheme| !scheme.is_empty());
    let port = server.port.take().filter(|port| !port.is_empty());
    if server.url.as_deref().is_some_and(|url| !url.is_empty()) {
        if scheme.is_some() || port.is_some() {
            return Err(Problem::of_label(
                format!("{prefix}.server.url"),
                "a server has either a url, or a scheme and a port",
            ));
        }
        return Ok(());
    }
    let scheme = scheme.as_deref().unwrap_or("http");
    if !matches!(scheme, "http" | "https" | "h2c") {
        return Err(Problem::of_label(
            format!("{prefix}.server.scheme"),
            format!("`{scheme}` is not a scheme of a server"),
        )
        .hint("write http, https or h2c"));
    }
    let address = address(target, prefix, port.as_deref(), Transport::Tcp)?;
    server.url = Some(format!("{scheme}://{address}"));
    Ok(())
}

fn address(
    target: &Target<'_>,
    prefix: &str,
    port: Option<&str>,
    transport: Transport,
) -> Result<String, Problem> {
    let label = format!("{prefix}.server.port");
    target
        .server(&label, port, transport)
        .map(|address| address.to_string())
}

/// Points a router without a service at the only one there is.
fn point<S>(service: &mut Option<String>, services: &BTreeMap<String, S>) -> bool {
    if service.as_deref().is_some_and(|name| !name.is_empty()) {
        return true;
    }
    let mut names = services.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => {
            *service = Some(only.clone());
            true
        }
        _ => false,
    }
}

fn ambiguous(protocol: &str, router: &str) -> Problem {
    let label = format!("traefik.{protocol}.routers.{router}.service");
    Problem::of_label(
        &label,
        format!("the router `{router}` names no service, and there are several"),
    )
    .hint(format!("add the label `{label}=<service>`"))
}

fn no_load_balancer(prefix: &str) -> Problem {
    Problem::of_label(prefix, "the service has no load balancer")
        .hint(format!("add the label `{prefix}.server.port=<port>`"))
}

/// What Traefik calls a service that no label names: `service-project` of compose, else the
/// container's name.
pub(super) fn default_name(container: &Container) -> String {
    let label = |name| container.labels.get(name);
    let name = match (label(COMPOSE_SERVICE), label(COMPOSE_PROJECT)) {
        (Some(service), Some(project)) => format!("{service}_{project}"),
        _ => container.name.clone(),
    };
    let words: Vec<_> = name
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}
