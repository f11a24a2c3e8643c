//! What the containers of a repository give, put together. Containers that agree share: replicas
//! join their servers. Where two disagree about a name, the elder keeps it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ContainerRoutes, Origin, Origins, Problem, Routes, references};
use crate::network::NetworkId;
use crate::route_server::quota::Quota;
use crate::traefik::dynamic::{
    DynamicConfig, Middleware, Router, Servers, Service, TcpMiddleware, TcpRouter, TcpService, Tls,
    UdpRouter, UdpService,
};
use crate::traefik::labels::{Entry, EntryKind};

/// The routes of a repository's containers. Deterministic: the order of the input does not matter.
pub fn merge<'r>(derived: impl IntoIterator<Item = &'r ContainerRoutes>, quota: Quota) -> Routes {
    let Together {
        mut routes,
        broken,
        network_id,
    } = together(derived, quota);
    references::settle(&mut routes, &broken, network_id, quota);
    routes.rejections.sort();
    routes.rejections.dedup();
    routes
}

/// What the containers of a repository define, before it is asked who refers to what.
pub(super) struct Together {
    pub(super) routes: Routes,
    /// Entries that are broken, or that there was no room for.
    broken: BTreeSet<Entry>,
    network_id: Option<NetworkId>,
}

/// Puts together what each container gives, the eldest's first.
pub(super) fn together<'r>(
    derived: impl IntoIterator<Item = &'r ContainerRoutes>,
    quota: Quota,
) -> Together {
    let mut derived: Vec<_> = derived.into_iter().collect();
    // Labels that somebody wrote come before routes that nobody asked for; then the elder.
    derived.sort_by_key(|one| (one.origin.auto, &one.age, one.origin.network_id));

    let mut routes = Routes::default();
    let mut owners = Owners::new();
    let mut room = Room::of(quota);
    let mut broken = BTreeSet::new();
    let network_id = derived.first().and_then(|one| one.origin.network_id);
    for one in derived {
        broken.extend(one.broken.iter().cloned());
        routes.rejections.extend(one.rejections.iter().cloned());
        match owners.clash(one) {
            None => {
                owners.enter(one);
                let lacks_room = routes.add(one, &mut room);
                let problem = too_many(&lacks_room, quota);
                let rejection = problem.map(|problem| problem.of(&one.origin));
                routes.rejections.extend(rejection);
                broken.extend(lacks_room);
            }
            Some(problem) => routes.rejections.push(problem.of(&one.origin)),
        }
    }
    Together {
        routes,
        broken,
        network_id,
    }
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

    /// Adds what there is room for; returned is the rest.
    fn add(&mut self, one: &ContainerRoutes, room: &mut Room) -> Vec<Entry> {
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
        let Room {
            routers,
            services,
            middlewares,
        } = room;
        let whole = &mut self.config;
        let mut rest = Rest(Vec::new());
        let kind = EntryKind::HttpRouter;
        rest.add_missing(kind, &mut whole.http.routers, &http.routers, routers);
        let kind = EntryKind::TcpRouter;
        rest.add_missing(kind, &mut whole.tcp.routers, &tcp.routers, routers);
        let kind = EntryKind::UdpRouter;
        rest.add_missing(kind, &mut whole.udp.routers, &udp.routers, routers);
        let kind = EntryKind::HttpService;
        rest.join(kind, &mut whole.http.services, &http.services, services);
        let kind = EntryKind::TcpService;
        rest.join(kind, &mut whole.tcp.services, &tcp.services, services);
        let kind = EntryKind::UdpService;
        rest.join(kind, &mut whole.udp.services, &udp.services, services);
        let kind = EntryKind::HttpMiddleware;
        rest.add_missing(
            kind,
            &mut whole.http.middlewares,
            &http.middlewares,
            middlewares,
        );
        let kind = EntryKind::TcpMiddleware;
        rest.add_missing(
            kind,
            &mut whole.tcp.middlewares,
            &tcp.middlewares,
            middlewares,
        );
        note(
            http_origins,
            &whole.http.routers,
            &http.routers,
            &one.origin,
        );
        note(tcp_origins, &whole.tcp.routers, &tcp.routers, &one.origin);
        note(udp_origins, &whole.udp.routers, &udp.routers, &one.origin);
        rest.0
    }
}

/// How many more entries a repository may have, of all protocols together.
struct Room {
    routers: usize,
    services: usize,
    middlewares: usize,
}

impl Room {
    fn of(quota: Quota) -> Self {
        Self {
            routers: quota.routers(),
            services: quota.services(),
            middlewares: quota.middlewares(),
        }
    }
}

/// What of a container's entries there is no room for.
fn too_many(left_out: &[Entry], quota: Quota) -> Option<Problem> {
    let first = left_out.first()?;
    let noun = first.kind.noun();
    let most = match noun {
        "router" => quota.routers(),
        "service" => quota.services(),
        _ => quota.middlewares(),
    };
    Some(
        Problem::new(format!(
            "the repository has more than the {most} {noun}s that it may have: {} of this \
             container's entries are left out",
            left_out.len()
        ))
        .hint("use fewer, or have the operator raise the repository's quota with --quota"),
    )
}

fn note<T>(
    origins: &mut BTreeMap<String, Origin>,
    whole: &BTreeMap<String, T>,
    routers: &BTreeMap<String, T>,
    origin: &Origin,
) {
    for name in routers.keys() {
        if whole.contains_key(name) && !origins.contains_key(name) {
            origins.insert(name.clone(), origin.clone());
        }
    }
}

/// Entries that there was no room for.
struct Rest(Vec<Entry>);

impl Rest {
    fn add_missing<T: Clone>(
        &mut self,
        kind: EntryKind,
        whole: &mut BTreeMap<String, T>,
        part: &BTreeMap<String, T>,
        room: &mut usize,
    ) {
        for (name, value) in part {
            if whole.contains_key(name) {
                continue;
            }
            if self.takes(kind, name, room) {
                whole.insert(name.clone(), value.clone());
            }
        }
    }

    fn join<T: Balanced>(
        &mut self,
        kind: EntryKind,
        whole: &mut BTreeMap<String, T>,
        part: &BTreeMap<String, T>,
        room: &mut usize,
    ) {
        for (name, service) in part {
            if let Some(known) = whole.get_mut(name) {
                join_servers(known, service);
            } else if self.takes(kind, name, room) {
                whole.insert(name.clone(), service.clone());
            }
        }
    }

    /// Whether there is room for one more.
    fn takes(&mut self, kind: EntryKind, name: &str, room: &mut usize) -> bool {
        let Some(less) = room.checked_sub(1) else {
            let name = name.to_owned();
            self.0.push(Entry { kind, name });
            return false;
        };
        *room = less;
        true
    }
}

fn join_servers<T: Balanced>(whole: &mut T, part: &T) {
    let Some(servers) = whole.servers_mut() else {
        return;
    };
    for server in part.servers() {
        if !servers.contains(server) {
            servers.push(server.clone());
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
