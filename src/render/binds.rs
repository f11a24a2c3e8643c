//! Which entry points a machine has, and the concrete address of each.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::bundle::Bind;
use crate::context::Infra;
use crate::layout;
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};

/// The entry points of a machine, ordered: 80 and 443, the preconfigured ports unless they are
/// off, and the listed ones; each once for each configured address family.
pub fn binds(infra: &Infra) -> BTreeSet<Bind> {
    let listeners = listeners(infra);
    let families = families(infra);
    listeners
        .into_iter()
        .flat_map(|listener| {
            families.iter().map(move |&(family, address)| Bind {
                entrypoint: Entrypoint::new(listener, family),
                address,
            })
        })
        .collect()
}

/// Whether a machine has an entry point for something.
pub fn has_entrypoint(infra: &Infra, listener: Listener) -> bool {
    listeners(infra).contains(&listener)
}

/// Whether an entry point is one that nobody listed: a machine can do without it.
pub fn is_preconfigured(infra: &Infra, listener: Listener) -> bool {
    match listener {
        Listener::Web | Listener::WebSecure => false,
        Listener::Tcp(port) => !infra.tcp_ports.iter().any(|listed| listed == port),
        Listener::Udp(port) => !infra.udp_ports.iter().any(|listed| listed == port),
    }
}

fn listeners(infra: &Infra) -> BTreeSet<Listener> {
    let mut listeners = BTreeSet::from([Listener::Web, Listener::WebSecure]);
    listeners.extend(infra.tcp_ports.iter().map(Listener::Tcp));
    listeners.extend(infra.udp_ports.iter().map(Listener::Udp));
    if infra.default_ports {
        let (first, last) = layout::DYNAMIC_PORTS;
        listeners.extend(layout::DEFAULT_TCP_PORTS.into_iter().map(Listener::Tcp));
        listeners.extend((first..=last).map(Listener::Tcp));
        listeners.extend(layout::DEFAULT_UDP_PORTS.into_iter().map(Listener::Udp));
    }
    listeners
}

/// The configured families. A family without an address gets no entry point: a wildcard in its
/// place would collide with the other family and with the containers on 127.x.
fn families(infra: &Infra) -> Vec<(Family, IpAddr)> {
    let v4 = infra
        .bind_ipv4
        .or(infra.public_ipv4)
        .map(|address| (Family::V4, address.into()));
    let v6 = infra
        .bind_ipv6
        .or(infra.public_ipv6)
        .map(|address| (Family::V6, address.into()));
    v4.into_iter().chain(v6).collect()
}
