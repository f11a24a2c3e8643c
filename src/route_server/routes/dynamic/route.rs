//! The router and the service of one external port.

use std::net::SocketAddr;

use super::{Listener, PortOwner, Protocol, RouteSettings, entrypoints};
use crate::traefik::dynamic::{
    DynamicConfig, Servers, TcpLoadBalancer, TcpRouter, TcpServer, TcpService, UdpLoadBalancer,
    UdpRouter, UdpServer, UdpService,
};

/// Plain TCP has no name to be told apart by: the port is the service's alone.
const ANY_HOST: &str = "HostSNI(`*`)";

/// The way from an external port to one container.
pub(super) struct Route {
    pub(super) owner: PortOwner,
    pub(super) external: u16,
    pub(super) server: SocketAddr,
}

impl Route {
    pub(super) fn add(
        self,
        config: &mut DynamicConfig,
        protocol: Protocol,
        settings: &RouteSettings,
    ) {
        let Self {
            owner:
                PortOwner {
                    network_id,
                    service,
                    target,
                },
            external,
            server,
        } = self;
        // With a dot, which no name from a label can hold: labels are split at dots.
        let name = format!("{service}.{target}-{network_id}");
        let address = Some(server.to_string());
        match protocol {
            Protocol::Tcp => {
                let router = TcpRouter {
                    entry_points: entrypoints::names_of(Listener::Tcp(external), settings),
                    rule: Some(ANY_HOST.to_owned()),
                    service: Some(name.clone()),
                    ..TcpRouter::default()
                };
                let server = TcpServer {
                    address,
                    ..TcpServer::default()
                };
                let balancer = TcpLoadBalancer {
                    servers: Servers(vec![server]),
                    ..TcpLoadBalancer::default()
                };
                let service = TcpService {
                    load_balancer: Some(balancer),
                };
                config.tcp.routers.insert(name.clone(), router);
                config.tcp.services.insert(name, service);
            }
            Protocol::Udp => {
                let router = UdpRouter {
                    entry_points: entrypoints::names_of(Listener::Udp(external), settings),
                    service: Some(name.clone()),
                };
                let server = UdpServer {
                    address,
                    ..UdpServer::default()
                };
                let balancer = UdpLoadBalancer {
                    servers: Servers(vec![server]),
                };
                let service = UdpService {
                    load_balancer: Some(balancer),
                };
                config.udp.routers.insert(name.clone(), router);
                config.udp.services.insert(name, service);
            }
        }
    }
}
