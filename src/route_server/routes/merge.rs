//! What the containers give, put together. Containers that agree share: replicas join their
//! servers. Where two disagree about a name, the elder keeps it.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use super::{ContainerRoutes, Origin, Origins, Problem, Routes};
use crate::network::NetworkId;
use crate::traefik::dynamic::{
    DynamicConfig, Http, Middleware, Router, Servers, Service, Tcp, TcpMiddleware, TcpRouter,
    TcpService, Tls, Udp, UdpRouter, UdpService,
};

/// The routes of all containers. Deterministic: the order of the input does not matter.
pub fn merge<'r>(derived: impl IntoIterator<Item = &'r ContainerRoutes>) -> Routes {
    let mut derived: Vec<_> = derived.into_iter().collect();
    // Labels that somebody wrote come before routes that nobody asked for; then the elder.
    derived.sort_by_key(|one| (one.origin.auto, &one.age, one.origin.network_id));

    let mut routes = Routes::default();
    let mut owners = Owners::default();
    for one in derived {
        routes.rejections.extend(one.rejections.iter().cloned());
        match owners.clash(one) {
            None => {
                owners.enter(one);
                routes.add(one);
            }
            Some(problem) => routes.rejections.push(problem.of(&one.origin)),
        }
    }
    routes.rejections.sort();
    routes.rejections.dedup();
    routes
}

impl Routes {
    /// Adds another repository's routes, whose names are others.
    pub(super) fn append(&mut self, other: Routes) {
        let Routes {
            config,
            rejections,
            origins,
        } = other;
        let DynamicConfig {
            http,
            tcp,
            udp,
            tls: Tls { stores: _ },
        } = config;
        let whole = &mut self.config;
        whole.http.routers.extend(http.routers);
        whole.http.services.extend(http.services);
        whole.http.middlewares.extend(http.middlewares);
        whole.tcp.routers.extend(tcp.routers);
        whole.tcp.services.extend(tcp.services);
        whole.tcp.middlewares.extend(tcp.middlewares);
        whole.udp.routers.extend(udp.routers);
        whole.udp.services.extend(udp.services);
        self.rejections.extend(rejections);
        self.origins.http.extend(origins.http);
        self.origins.tcp.extend(origins.tcp);
        self.origins.udp.extend(origins.udp);
    }

    fn add(&mut self, one: &ContainerRoutes) {
        // The default store is refused by then, so that there is nothing of TLS to add.
        let DynamicConfig {
            http,
            tcp,
            udp,
            tls: Tls { stores: _ },
        } = &one.config;
        let Origins {
            http: http_origins,
            tcp: tcp_origins,
            udp: udp_origins,
        } = &mut self.origins;
        let whole = &mut self.config;
        note(http_origins, &http.routers, &one.origin);
        add_missing(&mut whole.http.routers, &http.routers);
        add_missing(&mut whole.http.middlewares, &http.middlewares);
        join(&mut whole.http.services, &http.services);
        note(tcp_origins, &tcp.routers, &one.origin);
        add_missing(&mut whole.tcp.routers, &tcp.routers);
        add_missing(&mut whole.tcp.middlewares, &tcp.middlewares);
        join(&mut whole.tcp.services, &tcp.services);
        note(udp_origins, &udp.routers, &one.origin);
        add_missing(&mut whole.udp.routers, &udp.routers);
        join(&mut whole.udp.services, &udp.services);
    }
}

fn note<T>(origins: &mut BTreeMap<String, Origin>, routers: &BTreeMap<String, T>, origin: &Origin) {
    for name in routers.keys() {
        if !origins.contains_key(name) {
            origins.insert(name.clone(), origin.clone());
        }
    }
}

fn add_missing<T: Clone>(whole: &mut BTreeMap<String, T>, part: &BTreeMap<String, T>) {
    for (name, value) in part {
        if !whole.contains_key(name) {
            whole.insert(name.clone(), value.clone());
        }
    }
}

fn join<T: Balanced>(whole: &mut BTreeMap<String, T>, part: &BTreeMap<String, T>) {
    for (name, service) in part {
        match whole.entry(name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(service.clone());
            }
            Entry::Occupied(mut entry) => {
                let Some(servers) = entry.get_mut().servers_mut() else {
                    continue;
                };
                for server in service.servers() {
                    if !servers.contains(server) {
                        servers.push(server.clone());
                    }
                }
            }
        }
    }
}

/// A service whose servers may come from several containers.
trait Balanced: Clone + PartialEq {
    type Server: Clone + PartialEq;

    fn servers(&self) -> &[Self::Server];
    fn servers_mut(&mut self) -> Option<&mut Servers<Self::Server>>;

    /// Whether they differ in their servers at most.
    fn agrees(&self, other: &Self) -> bool {
        let bare = |service: &Self| {
            let mut service = service.clone();
            if let Some(servers) = service.servers_mut() {
                servers.clear();
            }
            service
        };
        bare(self) == bare(other)
    }
}

macro_rules! balanced {
    ($($service:ty => $server:ty),*) => {$(
        impl Balanced for $service {
            type Server = $server;

            fn servers(&self) -> &[$server] {
                self.load_balancer.as_ref().map_or(&[], |balancer| &balancer.servers)
            }

            fn servers_mut(&mut self) -> Option<&mut Servers<$server>> {
                self.load_balancer.as_mut().map(|balancer| &mut balancer.servers)
            }
        }
    )*};
}

balanced!(
    Service => crate::traefik::dynamic::Server,
    TcpService => crate::traefik::dynamic::TcpServer,
    UdpService => crate::traefik::dynamic::UdpServer
);

/// Who holds which name, and what it means there.
#[derive(Default)]
struct Owners<'r> {
    http_routers: Held<'r, Router>,
    http_services: Held<'r, Service>,
    http_middlewares: Held<'r, Middleware>,
    tcp_routers: Held<'r, TcpRouter>,
    tcp_services: Held<'r, TcpService>,
    tcp_middlewares: Held<'r, TcpMiddleware>,
    udp_routers: Held<'r, UdpRouter>,
    udp_services: Held<'r, UdpService>,
}

type Held<'r, T> = HashMap<&'r str, (&'r Origin, &'r T)>;

impl<'r> Owners<'r> {
    fn enter(&mut self, one: &'r ContainerRoutes) {
        let ContainerRoutes { origin, config, .. } = one;
        let (http, tcp, udp) = (&config.http, &config.tcp, &config.udp);
        enter(&mut self.http_routers, &http.routers, origin);
        enter(&mut self.http_services, &http.services, origin);
        enter(&mut self.http_middlewares, &http.middlewares, origin);
        enter(&mut self.tcp_routers, &tcp.routers, origin);
        enter(&mut self.tcp_services, &tcp.services, origin);
        enter(&mut self.tcp_middlewares, &tcp.middlewares, origin);
        enter(&mut self.udp_routers, &udp.routers, origin);
        enter(&mut self.udp_services, &udp.services, origin);
    }

    /// The first name of a container that somebody holds with another meaning.
    fn clash(&self, one: &ContainerRoutes) -> Option<Problem> {
        let network_id = one.origin.network_id;
        let Http {
            routers,
            services,
            middlewares,
        } = &one.config.http;
        let http = None
            .or_else(|| {
                clash(
                    &self.http_routers,
                    routers,
                    network_id,
                    PartialEq::eq,
                    "HTTP router",
                )
            })
            .or_else(|| {
                clash(
                    &self.http_services,
                    services,
                    network_id,
                    Balanced::agrees,
                    "HTTP service",
                )
            })
            .or_else(|| {
                clash(
                    &self.http_middlewares,
                    middlewares,
                    network_id,
                    PartialEq::eq,
                    "HTTP middleware",
                )
            });
        let Tcp {
            routers,
            services,
            middlewares,
        } = &one.config.tcp;
        let tcp = || {
            clash(
                &self.tcp_routers,
                routers,
                network_id,
                PartialEq::eq,
                "TCP router",
            )
            .or_else(|| {
                clash(
                    &self.tcp_services,
                    services,
                    network_id,
                    Balanced::agrees,
                    "TCP service",
                )
            })
            .or_else(|| {
                clash(
                    &self.tcp_middlewares,
                    middlewares,
                    network_id,
                    PartialEq::eq,
                    "TCP middleware",
                )
            })
        };
        let Udp { routers, services } = &one.config.udp;
        let udp = || {
            clash(
                &self.udp_routers,
                routers,
                network_id,
                PartialEq::eq,
                "UDP router",
            )
            .or_else(|| {
                clash(
                    &self.udp_services,
                    services,
                    network_id,
                    Balanced::agrees,
                    "UDP service",
                )
            })
        };
        http.or_else(tcp).or_else(udp)
    }
}

fn enter<'r, T>(held: &mut Held<'r, T>, parts: &'r BTreeMap<String, T>, origin: &'r Origin) {
    for (name, part) in parts {
        held.entry(name).or_insert((origin, part));
    }
}

fn clash<T>(
    held: &Held<'_, T>,
    parts: &BTreeMap<String, T>,
    network_id: Option<NetworkId>,
    agree: impl Fn(&T, &T) -> bool,
    kind: &str,
) -> Option<Problem> {
    parts.iter().find_map(|(name, part)| {
        let (owner, meaning) = held.get(name.as_str())?;
        if owner.network_id == network_id && agree(meaning, part) {
            return None;
        }
        let holder = &owner.container;
        Some(
            Problem::new(format!(
                "the {kind} `{name}` is defined differently by the container `{holder}`, which keeps it"
            ))
            .hint("give one of the two another name, or give both the same labels"),
        )
    })
}
