//! TCP routers, services and middlewares.

use std::collections::BTreeMap;

use super::Duration;
use super::bounds;
use super::object::object;
use super::tls::Domain;
use super::value::{Servers, Switch};

object! {
    /// The TCP part of a document.
    pub struct Tcp {
        routers: BTreeMap<String, TcpRouter>,
        services: BTreeMap<String, TcpService>,
        middlewares: BTreeMap<String, TcpMiddleware>,
    }

    /// Connections of its entry points that match the rule.
    pub struct TcpRouter {
        entry_points: Vec<String> => bounds::ENTRYPOINT,
        middlewares: Vec<String> => bounds::REFERENCE,
        service: Option<String> => bounds::REFERENCE,
        rule: Option<String> => bounds::RULE,
        rule_syntax: Option<String> => bounds::TEXT,
        priority: Option<i64> => bounds::PRIORITY,
        tls: Switch<TcpRouterTls>,
    }

    /// Whether TLS ends here or is passed through.
    pub struct TcpRouterTls {
        passthrough: Option<bool>,
        options: Option<String> => bounds::REFERENCE,
        cert_resolver: Option<String> => bounds::REFERENCE,
        domains: Vec<Domain>,
    }

    /// A load-balanced target.
    pub struct TcpService {
        load_balancer: Option<TcpLoadBalancer>,
    }

    /// Servers that share the connections.
    pub struct TcpLoadBalancer {
        #[serde(rename(serialize = "servers", deserialize = "server"))]
        servers: Servers<TcpServer>,
        servers_transport: Option<String> => bounds::REFERENCE,
        proxy_protocol: Switch<ProxyProtocol>,
        termination_delay: Option<i64> => bounds::TERMINATION_DELAY,
        health_check: Switch<TcpHealthCheck>,
    }

    /// One address. A label gives the port; the address is the container's.
    pub struct TcpServer {
        #[serde(skip_deserializing)]
        address: Option<String> => bounds::TEXT,
        port: Option<String> => bounds::TEXT,
        tls: Option<bool>,
    }

    /// The PROXY protocol's header, sent to the servers.
    pub struct ProxyProtocol {
        version: Option<i64> => bounds::PROXY_PROTOCOL,
    }

    /// What is sent to a server, and what it must answer.
    pub struct TcpHealthCheck {
        port: Option<i64> => bounds::PORT,
        send: Option<String> => bounds::TEXT,
        expect: Option<String> => bounds::TEXT,
        interval: Option<Duration> => bounds::INTERVAL,
        unhealthy_interval: Option<Duration> => bounds::INTERVAL,
        timeout: Option<Duration> => bounds::TIMEOUT,
    }

    /// One transformation of connections, under one of its types.
    pub struct TcpMiddleware {
        in_flight_conn: Option<InFlightConn>,
        ip_white_list: Option<TcpIpList>,
        ip_allow_list: Option<TcpIpList>,
    }

    /// At most so many connections of one client at once.
    pub struct InFlightConn {
        amount: Option<i64> => bounds::AMOUNT,
    }

    /// Only clients of these ranges.
    pub struct TcpIpList {
        source_range: Vec<String> => bounds::NETWORKS,
    }
}
