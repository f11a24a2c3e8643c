//! The routes as people and programs read them, `/routes.json`: each router with the servers it
//! leads to and the container it comes from. Pure.
//!
//! Everybody on the machine's network can read it, so that it is made from nothing, by naming what
//! may be shown: a field that Traefik's model gets later is hidden until somebody names it here.

mod middlewares;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use self::middlewares::middleware;
use super::disclosure::{self, Disclosure};
use super::ownership::Owned;
use super::routes::{Origin, Rejection, Routes, Severity};
use crate::network::NetworkId;
use crate::traefik::dynamic::{
    Domain, Duration, HealthCheck, Http, Middleware, Router, Service, Tcp, TcpMiddleware,
    TcpRouter, TcpService, Udp, UdpRouter, UdpService,
};

/// The whole document. The maps of a protocol are there even when they are empty.
#[derive(Debug, Serialize)]
pub struct Listing<'r> {
    http: Protocol<'r, Router, Service, Each<'r, Middleware>>,
    tcp: Protocol<'r, TcpRouter, TcpService, Each<'r, TcpMiddleware>>,
    udp: Protocol<'r, UdpRouter, UdpService, ()>,
    /// Who owns which names and ports, and who may not have them.
    owners: &'r [Owned],
    rejections: Vec<Rejection>,
    warnings: Vec<Rejection>,
}

/// Lists routes, with what may be shown of the labels behind them.
pub fn listing<'r>(
    routes: &'r Routes,
    disclosure: &Disclosure<'_>,
    owners: &'r [Owned],
) -> Listing<'r> {
    let Http {
        routers,
        services,
        middlewares,
    } = &routes.config.http;
    let http = Protocol {
        routers: Routers {
            routers,
            services,
            origins: &routes.origins.http,
        },
        services: Each(services),
        middlewares: Some(Each(middlewares)),
    };
    let Tcp {
        routers,
        services,
        middlewares,
    } = &routes.config.tcp;
    let tcp = Protocol {
        routers: Routers {
            routers,
            services,
            origins: &routes.origins.tcp,
        },
        services: Each(services),
        middlewares: Some(Each(middlewares)),
    };
    let Udp { routers, services } = &routes.config.udp;
    let udp = Protocol {
        routers: Routers {
            routers,
            services,
            origins: &routes.origins.udp,
        },
        services: Each(services),
        middlewares: None,
    };
    let of = |severity| {
        let all = routes.rejections.iter();
        all.filter(move |one| one.severity == severity)
            .map(|one| disclosure.rejection(one))
            .collect()
    };
    Listing {
        http,
        tcp,
        udp,
        owners,
        rejections: of(Severity::Rejection),
        warnings: of(Severity::Warning),
    }
}

#[derive(Debug, Serialize)]
#[serde(bound = "R: ShownRouter, S: ShownService, M: Serialize")]
struct Protocol<'r, R, S, M> {
    routers: Routers<'r, R, S>,
    services: Each<'r, S>,
    #[serde(skip_serializing_if = "Option::is_none")]
    middlewares: Option<M>,
}

/// Routers are made one by one as they are written: all of them at once would be most of the memory.
#[derive(Debug)]
struct Routers<'r, R, S> {
    routers: &'r BTreeMap<String, R>,
    services: &'r BTreeMap<String, S>,
    origins: &'r BTreeMap<String, Origin>,
}

impl<R: ShownRouter, S: ShownService> Serialize for Routers<'_, R, S> {
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        serializer.collect_map(self.routers.iter().map(|(name, router)| {
            let parts = router.parts();
            let service = parts.service.and_then(|name| self.services.get(name));
            let servers = service.map(ShownService::addresses).unwrap_or_default();
            let origin = self.origins.get(name);
            let listed = Listed {
                parts,
                servers: servers.into_iter().map(disclosure::server).collect(),
                container: origin.map(|origin| origin.container.as_str()),
                network_id: origin.and_then(|origin| origin.network_id),
                auto: origin.is_some_and(|origin| origin.auto),
            };
            (name, listed)
        }))
    }
}

/// One router. What a protocol does not have, as UDP has no rule, is null.
#[derive(Serialize)]
struct Listed<'r> {
    #[serde(flatten)]
    parts: Parts<'r>,
    servers: Vec<Cow<'r, str>>,
    container: Option<&'r str>,
    network_id: Option<NetworkId>,
    auto: bool,
}

/// What is shown of a router itself.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parts<'r> {
    rule: Option<Cow<'r, str>>,
    entry_points: &'r [String],
    service: Option<&'r str>,
    middlewares: &'r [String],
    tls: Option<Tls<'r>>,
    priority: Option<i64>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tls<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    passthrough: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_resolver: Option<&'r str>,
    #[serde(skip_serializing_if = "<[Domain]>::is_empty")]
    domains: &'r [Domain],
}

trait ShownRouter {
    fn parts(&self) -> Parts<'_>;
}

impl ShownRouter for Router {
    fn parts(&self) -> Parts<'_> {
        Parts {
            rule: self.rule.as_deref().map(disclosure::rule),
            entry_points: &self.entry_points,
            service: self.service.as_deref(),
            middlewares: &self.middlewares,
            tls: self.tls.on().map(|tls| Tls {
                passthrough: None,
                options: tls.options.as_deref(),
                cert_resolver: tls.cert_resolver.as_deref(),
                domains: &tls.domains,
            }),
            priority: self.priority,
        }
    }
}

impl ShownRouter for TcpRouter {
    fn parts(&self) -> Parts<'_> {
        Parts {
            rule: self.rule.as_deref().map(disclosure::rule),
            entry_points: &self.entry_points,
            service: self.service.as_deref(),
            middlewares: &self.middlewares,
            tls: self.tls.on().map(|tls| Tls {
                passthrough: tls.passthrough,
                options: tls.options.as_deref(),
                cert_resolver: tls.cert_resolver.as_deref(),
                domains: &tls.domains,
            }),
            priority: self.priority,
        }
    }
}

impl ShownRouter for UdpRouter {
    fn parts(&self) -> Parts<'_> {
        Parts {
            entry_points: &self.entry_points,
            service: self.service.as_deref(),
            ..Parts::default()
        }
    }
}

/// Entries that are made one by one as they are written.
#[derive(Debug)]
struct Each<'r, T>(&'r BTreeMap<String, T>);

impl<T: Shown> Serialize for Each<'_, T> {
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        serializer.collect_map(self.0.iter().map(|(name, entry)| (name, entry.shown())))
    }
}

trait Shown {
    fn shown(&self) -> impl Serialize;
}

impl Shown for Middleware {
    fn shown(&self) -> impl Serialize {
        middleware(self)
    }
}

impl Shown for TcpMiddleware {
    fn shown(&self) -> impl Serialize {
        middleware(self)
    }
}

impl<S: ShownService> Shown for S {
    fn shown(&self) -> impl Serialize {
        self.service()
    }
}

/// What is shown of a service.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Balanced<'r> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    middlewares: &'r [String],
    load_balancer: LoadBalancer<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoadBalancer<'r> {
    servers: Vec<Server<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check: Option<Check<'r>>,
}

/// HTTP servers have a `url`, the others an `address`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Server<'r> {
    Url(Cow<'r, str>),
    Address(Cow<'r, str>),
}

/// Neither path nor host nor headers: all three may hold what the server has to be told.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<&'r Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<&'r Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow_redirects: Option<bool>,
}

trait ShownService {
    fn service(&self) -> Balanced<'_>;
    fn addresses(&self) -> Vec<&str>;
}

impl ShownService for Service {
    fn service(&self) -> Balanced<'_> {
        let servers = self.addresses().into_iter();
        let check = self.load_balancer.as_ref();
        let check = check.and_then(|balancer| balancer.health_check.as_deref());
        Balanced {
            middlewares: &self.middlewares,
            load_balancer: LoadBalancer {
                servers: servers
                    .map(|url| Server::Url(disclosure::server(url)))
                    .collect(),
                health_check: check.map(|check: &HealthCheck| Check {
                    interval: check.interval.as_ref(),
                    timeout: check.timeout.as_ref(),
                    port: check.port,
                    follow_redirects: check.follow_redirects,
                }),
            },
        }
    }

    fn addresses(&self) -> Vec<&str> {
        let balancer = self.load_balancer.iter();
        let servers = balancer.flat_map(|balancer| balancer.servers.iter());
        servers.filter_map(|server| server.url.as_deref()).collect()
    }
}

impl ShownService for TcpService {
    fn service(&self) -> Balanced<'_> {
        by_address(self.addresses())
    }

    fn addresses(&self) -> Vec<&str> {
        let balancer = self.load_balancer.iter();
        let servers = balancer.flat_map(|balancer| balancer.servers.iter());
        servers
            .filter_map(|server| server.address.as_deref())
            .collect()
    }
}

impl ShownService for UdpService {
    fn service(&self) -> Balanced<'_> {
        by_address(self.addresses())
    }

    fn addresses(&self) -> Vec<&str> {
        let balancer = self.load_balancer.iter();
        let servers = balancer.flat_map(|balancer| balancer.servers.iter());
        servers
            .filter_map(|server| server.address.as_deref())
            .collect()
    }
}

fn by_address(addresses: Vec<&str>) -> Balanced<'_> {
    let servers = addresses.into_iter();
    Balanced {
        middlewares: &[],
        load_balancer: LoadBalancer {
            servers: servers
                .map(|address| Server::Address(disclosure::server(address)))
                .collect(),
            health_check: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    use crate::route_server::container::{Address, Condition, Container, DaemonContainers};
    use crate::route_server::ports::PortTable;
    use crate::route_server::routes::{RouteSettings, adopted_routes};

    #[test]
    fn a_router_is_listed_with_its_servers_and_its_container() {
        let routes = routes_of(&[
            ("rediacc.service_name", "web"),
            ("rediacc.service_ip", "127.0.11.2"),
            ("rediacc.service_port", "8080"),
        ]);
        assert_eq!(
            listed(&routes)["http"]["routers"],
            json!({"web-2816": {
                "rule": "Host(`web-2816.example.test`)",
                "entryPoints": ["web"],
                "service": "web-2816",
                "servers": ["http://127.0.11.2:8080"],
                "middlewares": [],
                "tls": null,
                "priority": null,
                "container": "web",
                "network_id": 2816,
                "auto": true,
            }})
        );
    }

    #[test]
    fn a_tcp_server_is_listed_by_its_address() {
        let routes = routes_of(&[
            ("rediacc.service_ip", "127.0.11.2"),
            ("traefik.enable", "true"),
            ("traefik.tcp.routers.db.rule", "HostSNI(`*`)"),
            ("traefik.tcp.routers.db.entrypoints", "tcp-5432"),
            ("traefik.tcp.services.db.loadbalancer.server.port", "5432"),
        ]);
        let listed = listed(&routes);
        let router = &listed["tcp"]["routers"]["db-2816"];
        assert_eq!(router["servers"], json!(["127.0.11.2:5432"]), "{listed}");
        assert_eq!(router["auto"], false);
    }

    #[test]
    fn what_is_empty_is_there_all_the_same() {
        assert_eq!(
            listed(&Routes::default()),
            json!({
                "http": {"routers": {}, "services": {}, "middlewares": {}},
                "tcp": {"routers": {}, "services": {}, "middlewares": {}},
                "udp": {"routers": {}, "services": {}},
                "owners": [],
                "rejections": [],
                "warnings": [],
            })
        );
    }

    fn listed(routes: &Routes) -> Value {
        serde_json::to_value(listing(routes, &Disclosure::of([]), &[])).expect("JSON")
    }

    fn routes_of(labels: &[(&str, &str)]) -> Routes {
        let labels = labels.iter();
        let daemon = DaemonContainers {
            network_id: NetworkId::try_from(2816).ok(),
            containers: vec![Container {
                id: "1f".to_owned(),
                name: "web".to_owned(),
                created: 1,
                labels: labels
                    .map(|(k, v)| (k.to_string(), v.to_string()))
                    .collect(),
                condition: Condition::Ready,
                address: Address::Host,
                ..Container::default()
            }],
        };
        let entrypoints = ["web", "tcp-5432"].map(|name| name.parse().expect("a name"));
        let settings = RouteSettings {
            base_domain: Some("example.test".to_owned()),
            entrypoints: entrypoints.into(),
            cert_resolver: None,
            auto_routes: true,
            ready_entrypoint: None,
            allow_internal: false,
            trusted_repositories: Default::default(),
            ..RouteSettings::default()
        };
        adopted_routes([&daemon], &PortTable::default(), &settings)
    }
}
