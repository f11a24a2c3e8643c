//! The entries that labels describe: a router, a service, a middleware. What is wrong inside of one
//! costs that one, and whatever uses it.

use std::fmt;

use super::de::Reader;
use super::fault::Fault;
use super::tree::Node;
use super::{LabelError, de};
use crate::traefik::dynamic::{
    DynamicConfig, LoadBalancer, Middleware, Router, Service, TcpLoadBalancer, TcpMiddleware,
    TcpRouter, TcpService, UdpLoadBalancer, UdpRouter, UdpService,
};

/// One entry of the configuration, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which map it is in.
    pub kind: EntryKind,
    /// Its name there.
    pub name: String,
}

/// The maps of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is what its name says")]
pub enum EntryKind {
    HttpRouter,
    HttpService,
    HttpMiddleware,
    TcpRouter,
    TcpService,
    TcpMiddleware,
    UdpRouter,
    UdpService,
}

impl EntryKind {
    const ALL: [Self; 8] = [
        Self::HttpRouter,
        Self::HttpService,
        Self::HttpMiddleware,
        Self::TcpRouter,
        Self::TcpService,
        Self::TcpMiddleware,
        Self::UdpRouter,
        Self::UdpService,
    ];

    /// The parts of its labels' keys behind the root: `http`, `routers`.
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::HttpRouter => ("http", "routers"),
            Self::HttpService => ("http", "services"),
            Self::HttpMiddleware => ("http", "middlewares"),
            Self::TcpRouter => ("tcp", "routers"),
            Self::TcpService => ("tcp", "services"),
            Self::TcpMiddleware => ("tcp", "middlewares"),
            Self::UdpRouter => ("udp", "routers"),
            Self::UdpService => ("udp", "services"),
        }
    }

    /// How its labels begin: `traefik.http.routers`.
    pub fn prefix(self) -> String {
        let (protocol, section) = self.parts();
        format!("{}.{protocol}.{section}", super::ROOT)
    }

    /// What one of them is called: `router`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::HttpRouter | Self::TcpRouter | Self::UdpRouter => "router",
            Self::HttpService | Self::TcpService | Self::UdpService => "service",
            Self::HttpMiddleware | Self::TcpMiddleware => "middleware",
        }
    }

    fn of(protocol: &str, section: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            let (its_protocol, its_section) = kind.parts();
            its_protocol.eq_ignore_ascii_case(protocol) && its_section.eq_ignore_ascii_case(section)
        })
    }

    /// Whether an entry of the kind can be read from its labels.
    fn probe(self, node: &Node<'_>) -> Result<(), Fault> {
        let reader = Reader::of_entry(node);
        match self {
            Self::HttpRouter => de::probe::<Router>(reader),
            Self::HttpService => de::probe::<Service>(reader),
            Self::HttpMiddleware => de::probe::<Middleware>(reader),
            Self::TcpRouter => de::probe::<TcpRouter>(reader),
            Self::TcpService => de::probe::<TcpService>(reader),
            Self::TcpMiddleware => de::probe::<TcpMiddleware>(reader),
            Self::UdpRouter => de::probe::<UdpRouter>(reader),
            Self::UdpService => de::probe::<UdpService>(reader),
        }
    }
}

impl Entry {
    /// How its labels begin: `traefik.http.routers.app`.
    pub fn label(&self) -> String {
        format!("{}.{}", self.kind.prefix(), self.name)
    }

    /// Puts an entry of this name where the labels' own could not be read, so that nothing is made
    /// up in its place: no other service is taken for it, and no automatic router.
    pub fn stand_in(&self, config: &mut DynamicConfig) {
        let DynamicConfig { http, tcp, udp, .. } = config;
        let name = self.name.clone();
        // A rule and a service, so that nothing is said of what they lack.
        let set = || Some(self.name.clone());
        match self.kind {
            EntryKind::HttpRouter => {
                let router = Router {
                    rule: set(),
                    service: set(),
                    ..Router::default()
                };
                http.routers.insert(name, router);
            }
            EntryKind::HttpService => {
                let service = Service {
                    load_balancer: Some(LoadBalancer::default()),
                    ..Service::default()
                };
                http.services.insert(name, service);
            }
            EntryKind::HttpMiddleware => {
                http.middlewares.insert(name, Middleware::default());
            }
            EntryKind::TcpRouter => {
                let router = TcpRouter {
                    rule: set(),
                    service: set(),
                    ..TcpRouter::default()
                };
                tcp.routers.insert(name, router);
            }
            EntryKind::TcpService => {
                let service = TcpService {
                    load_balancer: Some(TcpLoadBalancer::default()),
                };
                tcp.services.insert(name, service);
            }
            EntryKind::TcpMiddleware => {
                tcp.middlewares.insert(name, TcpMiddleware::default());
            }
            EntryKind::UdpRouter => {
                let router = UdpRouter {
                    service: set(),
                    ..UdpRouter::default()
                };
                udp.routers.insert(name, router);
            }
            EntryKind::UdpService => {
                let service = UdpService {
                    load_balancer: Some(UdpLoadBalancer::default()),
                };
                udp.services.insert(name, service);
            }
        }
    }

    /// Takes it out.
    pub fn remove(&self, config: &mut DynamicConfig) {
        let DynamicConfig { http, tcp, udp, .. } = config;
        let name = &self.name;
        match self.kind {
            EntryKind::HttpRouter => drop(http.routers.remove(name)),
            EntryKind::HttpService => drop(http.services.remove(name)),
            EntryKind::HttpMiddleware => drop(http.middlewares.remove(name)),
            EntryKind::TcpRouter => drop(tcp.routers.remove(name)),
            EntryKind::TcpService => drop(tcp.services.remove(name)),
            EntryKind::TcpMiddleware => drop(tcp.middlewares.remove(name)),
            EntryKind::UdpRouter => drop(udp.routers.remove(name)),
            EntryKind::UdpService => drop(udp.services.remove(name)),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.noun(), self.name)
    }
}

/// Takes out of the tree the entries that cannot be read, with what is wrong with each.
pub(super) fn take_unreadable(root: &mut Node<'_>) -> Vec<(Entry, LabelError)> {
    let mut unreadable = Vec::new();
    for protocol in &mut root.children {
        let protocol_name = protocol.name;
        for section in &mut protocol.children {
            let Some(kind) = EntryKind::of(protocol_name, section.name) else {
                continue;
            };
            section.children.retain(|node| {
                // `routers[0]`: no name, and so no entry.
                if node.is_item() {
                    return true;
                }
                let Err(fault) = kind.probe(node) else {
                    return true;
                };
                let entry = Entry {
                    kind,
                    name: node.name.to_owned(),
                };
                unreadable.push((entry, fault.into_error(node.label)));
                false
            });
        }
    }
    drop_empty(root);
    unreadable
}

/// Takes out what has no entry any more: it would count as a map that a label set to nothing.
fn drop_empty(root: &mut Node<'_>) {
    let has_any = |node: &Node<'_>| !node.children.is_empty() || node.value.is_some();
    for protocol in &mut root.children {
        protocol.children.retain(has_any);
    }
    root.children.retain(has_any);
}

/// The entry that a label's key belongs to, as the tree calls it.
pub(super) fn entry_of(root: &Node<'_>, label: &str) -> Option<Entry> {
    let mut parts = label.split('.').skip(1);
    let (protocol, section, name) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = EntryKind::of(protocol, section)?;
    let name = name.split('[').next()?;
    let node = root.find(protocol)?.find(section)?.find(name)?;
    Some(Entry {
        kind,
        name: node.name.to_owned(),
    })
}

/// Takes an entry's node out of the tree.
pub(super) fn take(root: &mut Node<'_>, entry: &Entry) {
    let (protocol, section) = entry.kind.parts();
    let section = root
        .find_mut(protocol)
        .and_then(|protocol| protocol.find_mut(section));
    if let Some(section) = section {
        section.children.retain(|node| node.name != entry.name);
    }
    drop_empty(root);
}
