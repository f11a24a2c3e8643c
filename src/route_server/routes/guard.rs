//! What labels would have Traefik connect to or read, beside a service's own address: URLs, health
//! checks, authentication servers, Redis, files. Traefik runs on the machine, so each of them
//! would be done with the machine's eyes.

use super::Problem;
use super::faults::Faults;
use super::reach::{Reach, Refused};
use super::url::{self, AUTH, SERVER};
use crate::traefik::dynamic::{
    ClientTls, DynamicConfig, HealthCheck, Middleware, Redis, Server, Switch,
};
use crate::traefik::labels::EntryKind;

/// How a certificate begins that is written out, and not the name of a file.
const PEM: &str = "-----BEGIN ";

/// Takes out the entries that lead out of the repository. The configuration is linked, its names the
/// labels'.
pub(super) fn check(config: &mut DynamicConfig, reach: Reach<'_>, faults: &mut Faults) {
    if reach.is_unlimited() {
        return;
    }
    let guard = Guard { reach };
    let DynamicConfig {
        http,
        tcp,
        // A UDP service is nothing but its servers, and those of TCP and UDP are at the
        // container's address.
        udp: _,
        tls: _,
    } = config;
    faults.sift(
        EntryKind::HttpService,
        &mut http.services,
        |_, label, service| {
            let Some(balancer) = &service.load_balancer else {
                return Ok(());
            };
            let label = format!("{label}.loadbalancer");
            for server in balancer.servers.iter() {
                guard.server(&label, server)?;
            }
            match &balancer.health_check {
                Some(check) => guard.health_check(&format!("{label}.healthcheck"), check),
                None => Ok(()),
            }
        },
    );
    faults.sift(
        EntryKind::HttpMiddleware,
        &mut http.middlewares,
        |_, label, middleware| guard.middleware(label, middleware),
    );
    faults.sift(
        EntryKind::TcpService,
        &mut tcp.services,
        |_, label, service| {
            let balancer = service.load_balancer.as_ref();
            match balancer.map(|balancer| &balancer.health_check) {
                Some(Switch::On(check)) => guard.port(
                    &format!("{label}.loadbalancer.healthcheck.port"),
                    check.port,
                ),
                _ => Ok(()),
            }
        },
    );
}

struct Guard<'s> {
    reach: Reach<'s>,
}

impl Guard<'_> {
    fn server(&self, label: &str, server: &Server) -> Result<(), Problem> {
        let Some(url) = given(&server.url) else {
            return Ok(());
        };
        url::destination(url, &SERVER)
            .map_err(Refused::from)
            .and_then(|address| self.reach.socket(address))
            .map_err(|refused| {
                refused.problem(
                    format!("{label}.server.url"),
                    "write an address of the service, as in http://127.0.11.2:8080",
                )
            })
    }

    fn health_check(&self, label: &str, check: &HealthCheck) -> Result<(), Problem> {
        // Traefik resolves the path against the server's URL, so that a path which is a URL itself
        // is requested instead of the server.
        let path = check.path.as_deref().unwrap_or_default();
        let is_elsewhere = path.starts_with("//") || !path.starts_with('/') && path.contains(':');
        if is_elsewhere {
            return Err(Problem::of_label(
                format!("{label}.path"),
                format!("`{path}` is not a path, but leads to another server"),
            )
            .hint("write a path from the root, as in /health"));
        }
        if let Some(scheme) = given(&check.scheme)
            && !SERVER.iter().any(|(name, _)| *name == scheme)
        {
            return Err(Problem::of_label(
                format!("{label}.scheme"),
                format!("`{scheme}` is not a scheme of a server"),
            )
            .hint("write http, https or h2c"));
        }
        self.port(&format!("{label}.port"), check.port)
    }

    fn port(&self, label: &str, port: Option<i64>) -> Result<(), Problem> {
        match port.map(u16::try_from) {
            None => Ok(()),
            Some(Ok(port)) => self
                .reach
                .port(port)
                .map_err(|refused| refused.problem(label, "name another port")),
            Some(Err(_)) => Err(Problem::of_label(label, "it is not a port from 1 to 65535")),
        }
    }

    fn middleware(&self, label: &str, middleware: &Middleware) -> Result<(), Problem> {
        if let Some(auth) = &middleware.forward_auth {
            let label = format!("{label}.forwardauth");
            if let Some(address) = given(&auth.address) {
                url::destination(address, &AUTH)
                    .map_err(Refused::from)
                    .and_then(|address| self.reach.socket(address))
                    .map_err(|refused| {
                        refused.problem(
                            format!("{label}.address"),
                            "write the address of a service of this repository, as in \
                             http://127.0.11.2:9091/verify",
                        )
                    })?;
            }
            no_files(&label, auth.tls.as_ref())?;
        }
        if let Some(redis) = middleware
            .rate_limit
            .as_ref()
            .and_then(|limit| limit.redis.as_ref())
        {
            self.redis(&format!("{label}.ratelimit.redis"), redis)?;
        }
        if let Some(auth) = &middleware.basic_auth {
            no_users_file(&format!("{label}.basicauth"), &auth.users_file)?;
        }
        if let Some(auth) = &middleware.digest_auth {
            no_users_file(&format!("{label}.digestauth"), &auth.users_file)?;
        }
        Ok(())
    }

    fn redis(&self, label: &str, redis: &Redis) -> Result<(), Problem> {
        let endpoints = format!("{label}.endpoints");
        let hint = "write the address of a service of this repository, as in 127.0.11.2:6379";
        if redis.endpoints.is_empty() {
            return Err(Problem::of_label(
                endpoints,
                "without an endpoint, Traefik takes the machine's own port 6379",
            )
            .hint(hint));
        }
        if redis.endpoints.len() > 1 {
            // The nodes of a cluster send a client on to each other, wherever they say they are.
            return Err(Problem::of_label(
                endpoints,
                "several endpoints are a cluster, whose nodes send Traefik on to any address",
            )
            .hint(hint));
        }
        for endpoint in &redis.endpoints {
            url::endpoint(endpoint)
                .map_err(Refused::from)
                .and_then(|address| self.reach.socket(address))
                .map_err(|refused| refused.problem(&endpoints, hint))?;
        }
        no_files(label, redis.tls.as_ref())
    }
}

/// Traefik takes a certificate as it is, or the name of a file of the machine.
fn no_files(label: &str, tls: Option<&ClientTls>) -> Result<(), Problem> {
    let Some(tls) = tls else {
        return Ok(());
    };
    for (field, value) in [("ca", &tls.ca), ("cert", &tls.cert), ("key", &tls.key)] {
        if let Some(value) = given(value)
            && !value.starts_with(PEM)
        {
            return Err(Problem::of_label(
                format!("{label}.tls.{field}"),
                "a container may not have Traefik read files of the machine",
            )
            .hint("write the PEM text itself"));
        }
    }
    Ok(())
}

fn no_users_file(label: &str, file: &Option<String>) -> Result<(), Problem> {
    match given(file) {
        None => Ok(()),
        Some(_) => Err(Problem::of_label(
            format!("{label}.usersfile"),
            "a container may not have Traefik read files of the machine",
        )
        .hint(format!("write the users themselves: {label}.users=…"))),
    }
}

/// A label with an empty value is how compose writes a variable that is not set.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
