//! What the containers of a repository give, put together. Containers that agree share: replicas
//! join their servers. Where two disagree about a name, the elder keeps it.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use super::{ContainerRoutes, Origin, Origins, Problem, Routes};
use crate::traefik::dynamic::{
    DynamicConfig, Middleware, Router, Servers, Service, TcpMiddleware, TcpRouter, TcpService, Tls,
    UdpRouter, UdpService,
};

/// The routes of a repository's containers. Deterministic: the order of the input does not matter.
pub fn merge<'r>(derived: impl IntoIterator<Item = &'r ContainerRoutes>) -> Routes {
    let mut derived: Vec<_> = derived.into_iter().collect();
    // Labels that somebody wrote come before routes that nobody asked for; then the elder.
    derived.sort_by_key(|one| (one.origin.auto, &one.age, one.origin.network_id));

    let mut routes = Routes::default();
    let mut owners = Owners::new();
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

impl<'r> Owners<'r> {
    fn new() -> Self {
        Self {
            http_routers: Held::new("HTTP router", PartialEq::eq),
            http_services: Held::new("HTTP service", Balanced::agrees),
            http_middlewares: Held::new("HTTP middleware", PartialEq::eq),
            tcp_routers: Held::new("TCP router", PartialEq::eq),
            tcp_services: Held::new("TCP service", Balanced::agrees),
            tcp_middlewares: Held::new("TCP middleware", PartialEq::eq),
            udp_routers: Held::new("UDP router", PartialEq::eq),
            udp_services: Held::new("UDP service", Balanced::agrees),
        }
    }

    fn enter(&mut self, one: &'r ContainerRoutes) {
        let ContainerRoutes { origin, config, .. } = one;
        let (http, tcp, udp) = (&config.http, &config.tcp, &config.udp);
        self.http_routers.enter(&http.routers, origin);
        self.http_services.enter(&http.services, origin);
        self.http_middlewares.enter(&http.middlewares, origin);
        self.tcp_routers.enter(&tcp.routers, origin);
        self.tcp_services.enter(&tcp.services, origin);
        self.tcp_middlewares.enter(&tcp.middlewares, origin);
        self.udp_routers.enter(&udp.routers, origin);
        self.udp_services.enter(&udp.services, origin);
    }

    /// The first name of a container that somebody holds with another meaning.
    fn clash(&self, one: &ContainerRoutes) -> Option<Problem> {
        let (http, tcp, udp) = (&one.config.http, &one.config.tcp, &one.config.udp);
        None.or_else(|| self.http_routers.clash(&http.routers))
            .or_else(|| self.http_services.clash(&http.services))
            .or_else(|| self.http_middlewares.clash(&http.middlewares))
            .or_else(|| self.tcp_routers.clash(&tcp.routers))
            .or_else(|| self.tcp_services.clash(&tcp.services))
            .or_else(|| self.tcp_middlewares.clash(&tcp.middlewares))
            .or_else(|| self.udp_routers.clash(&udp.routers))
            .or_else(|| self.udp_services.clash(&udp.services))
    }
}

/// The names of one kind that are taken, by whom, and for what.
struct Held<'r, T> {
    kind: &'static str,
    /// Whether two definitions go together.
    agree: fn(&T, &T) -> bool,
    names: HashMap<&'r str, (&'r Origin, &'r T)>,
}

impl<'r, T> Held<'r, T> {
    fn new(kind: &'static str, agree: fn(&T, &T) -> bool) -> Self {
        Self {
            kind,
            agree,
            names: HashMap::new(),
        }
    }

    fn enter(&mut self, parts: &'r BTreeMap<String, T>, origin: &'r Origin) {
        for (name, part) in parts {
            self.names.entry(name).or_insert((origin, part));
        }
    }

    fn clash(&self, parts: &BTreeMap<String, T>) -> Option<Problem> {
        let (name, owner) = parts.iter().find_map(|(name, part)| {
            let (owner, meaning) = self.names.get(name.as_str())?;
            (!(self.agree)(meaning, part)).then_some((name, owner))
        })?;
        Some(
            Problem::new(format!(
                "the {} `{name}` is defined differently by the container `{}`, which keeps it",
                self.kind, owner.container
            ))
            .hint("give one of the two another name, or give both the same labels"),
        )
    }
}
