//! HTTP routers and services.

use std::collections::BTreeMap;

use super::Duration;
use super::bounds;
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
        entry_points: Vec<String> => bounds::ENTRYPOINT,
        middlewares: Vec<String> => bounds::REFERENCE,
        service: Option<String> => bounds::REFERENCE,
        rule: Option<String> => bounds::RULE,
        rule_syntax: Option<String> => bounds::TEXT,
        priority: Option<i64> => bounds::PRIORITY,
        tls: Switch<RouterTls>,
        observability: Option<Observability>,
    }

    /// Where the certificate comes from.
    pub struct RouterTls {
        options: Option<String> => bounds::REFERENCE,
        cert_resolver: Option<String> => bounds::REFERENCE,
        domains: Vec<Domain>,
    }

    /// What is recorded of a router's requests.
    pub struct Observability {
        access_logs: Option<bool>,
        metrics: Option<bool>,
        tracing: Option<bool>,
        trace_verbosity: Option<String> => bounds::TEXT,
    }

    /// A load-balanced target.
    pub struct Service {
        middlewares: Vec<String> => bounds::REFERENCE,
        load_balancer: Option<LoadBalancer>,
    }

    /// Servers that share the requests.
    pub struct LoadBalancer {
        #[serde(rename(serialize = "servers", deserialize = "server"))]
        servers: Servers<Server>,
        sticky: Switch<Box<Sticky>>,
        strategy: Option<String> => bounds::TEXT,
        health_check: Option<Box<HealthCheck>>,
        passive_health_check: Option<PassiveHealthCheck>,
        pass_host_header: Option<bool>,
        response_forwarding: Option<ResponseForwarding>,
        servers_transport: Option<String> => bounds::REFERENCE,
    }

    /// One address. A label gives the whole URL, or scheme and port of the container's address.
    pub struct Server {
        url: Option<String> => bounds::TEXT,
        weight: Option<i64> => bounds::WEIGHT,
        preserve_path: Option<bool>,
        scheme: Option<String> => bounds::TEXT,
        port: Option<String> => bounds::TEXT,
    }

    /// One client stays with one server.
    pub struct Sticky {
        cookie: Switch<Cookie>,
    }

    /// The cookie that remembers the server.
    pub struct Cookie {
        name: Option<String> => bounds::TEXT,
        secure: Option<bool>,
        http_only: Option<bool>,
        same_site: Option<String> => bounds::TEXT,
        max_age: Option<i64> => bounds::SECONDS_KEPT,
        path: Option<String> => bounds::TEXT,
        domain: Option<String> => bounds::TEXT,
    }

    /// What is requested of a server, and what it must answer.
    pub struct HealthCheck {
        scheme: Option<String> => bounds::TEXT,
        mode: Option<String> => bounds::TEXT,
        path: Option<String> => bounds::TEXT,
        method: Option<String> => bounds::TEXT,
        status: Option<i64> => bounds::STATUS_OR_ZERO,
        port: Option<i64> => bounds::PORT,
        interval: Option<Duration> => bounds::INTERVAL,
        unhealthy_interval: Option<Duration> => bounds::INTERVAL,
        timeout: Option<Duration> => bounds::TIMEOUT,
        hostname: Option<String> => bounds::TEXT,
        follow_redirects: Option<bool>,
        headers: Dotted<String> => bounds::TEXT,
    }

    /// How many failed requests put a server aside.
    pub struct PassiveHealthCheck {
        failure_window: Option<Duration> => bounds::MEMORY,
        max_failed_attempts: Option<i64> => bounds::FAILURES,
    }

    /// How a response is passed on.
    pub struct ResponseForwarding {
        flush_interval: Option<Duration> => bounds::FLUSH,
    }
}
