//! HTTP routers and services.

use std::collections::BTreeMap;

use super::Duration;
use super::middleware::Middleware;
use super::object::object;
use super::tls::Domain;
use super::value::{Dotted, Servers, Switch};

object! {
    /// The HTTP part of a document.
    pub struct Http {
        routers: BTreeMap<String, Router>,
        services: BTreeMap<String, Service>,
        middlewares: BTreeMap<String, Middleware>,
    }

    /// Requests of its entry points that match the rule.
    pub struct Router {
        entry_points: Vec<String>,
        middlewares: Vec<String>,
        service: Option<String>,
        rule: Option<String>,
        rule_syntax: Option<String>,
        priority: Option<i64>,
        tls: Switch<RouterTls>,
        observability: Option<Observability>,
    }

    /// Where the certificate comes from.
    pub struct RouterTls {
        options: Option<String>,
        cert_resolver: Option<String>,
        domains: Vec<Domain>,
    }

    /// What is recorded of a router's requests.
    pub struct Observability {
        access_logs: Option<bool>,
        metrics: Option<bool>,
        tracing: Option<bool>,
        trace_verbosity: Option<String>,
    }

    /// A load-balanced target.
    pub struct Service {
        middlewares: Vec<String>,
        load_balancer: Option<LoadBalancer>,
    }

    /// Servers that share the requests.
    pub struct LoadBalancer {
        #[serde(rename(serialize = "servers", deserialize = "server"))]
        servers: Servers<Server>,
        sticky: Switch<Box<Sticky>>,
        strategy: Option<String>,
        health_check: Option<Box<HealthCheck>>,
        passive_health_check: Option<PassiveHealthCheck>,
        pass_host_header: Option<bool>,
        response_forwarding: Option<ResponseForwarding>,
        servers_transport: Option<String>,
    }

    /// One address. A label gives the whole URL, or scheme and port of the container's address.
    pub struct Server {
        url: Option<String>,
        weight: Option<i64>,
        preserve_path: Option<bool>,
        scheme: Option<String>,
        port: Option<String>,
    }

    /// One client stays with one server.
    pub struct Sticky {
        cookie: Switch<Cookie>,
    }

    /// The cookie that remembers the server.
    pub struct Cookie {
        name: Option<String>,
        secure: Option<bool>,
        http_only: Option<bool>,
        same_site: Option<String>,
        max_age: Option<i64>,
        path: Option<String>,
        domain: Option<String>,
    }

    /// What is requested of a server, and what it must answer.
    pub struct HealthCheck {
        scheme: Option<String>,
        mode: Option<String>,
        path: Option<String>,
        method: Option<String>,
        status: Option<i64>,
        port: Option<i64>,
        interval: Option<Duration>,
        unhealthy_interval: Option<Duration>,
        timeout: Option<Duration>,
        hostname: Option<String>,
        follow_redirects: Option<bool>,
        headers: Dotted<String>,
    }

    /// How many failed requests put a server aside.
    pub struct PassiveHealthCheck {
        failure_window: Option<Duration>,
        max_failed_attempts: Option<i64>,
    }

    /// How a response is passed on.
    pub struct ResponseForwarding {
        flush_interval: Option<Duration>,
    }
}
