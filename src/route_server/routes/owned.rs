//! Names of a repository: what labels name becomes the repository's own, and every reference goes
//! to the repository's own. This is where one repository is kept from speaking of another's.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::{Problem, RouteSettings};
use crate::network::NetworkId;
use crate::traefik::dynamic::{
    DynamicConfig, Http, Middleware, Router, Service, Switch, Tcp, TcpRouter, TcpService, Udp,
    UdpRouter, Unset,
};
use crate::traefik::labels::EntryKind;

/// What labels call Traefik's Docker provider, whose place the route server takes.
const OWN_PROVIDER: &str = "docker";

/// What Traefik calls the route server: behind it are the names of all repositories.
const ALL_REPOSITORIES: &str = "http";

/// TLS options that exist without anybody defining them.
const DEFAULT_TLS_OPTIONS: &str = "default";

/// The configuration with the repository's names. An entry that speaks of what is not the
/// repository's is broken.
pub(super) fn own(
    config: DynamicConfig,
    network_id: Option<NetworkId>,
    settings: &RouteSettings,
    faults: &mut Faults,
) -> Result<DynamicConfig, Problem> {
    let DynamicConfig {
        http,
        tcp,
        udp,
        tls,
    } = config;
    if !tls.unset() {
        return Err(Problem::of_label(
            "traefik.tls.stores.default",
            "the default certificate is the machine's, not a container's",
        )
        .hint("the operator sets it in /etc/rediacc/traefik.d"));
    }
    let repository = Repository {
        suffix: suffix(network_id),
        allow_internal: settings.allow_internal,
    };
    Ok(DynamicConfig {
        http: repository.http(http, faults),
        tcp: repository.tcp(tcp, faults),
        udp: repository.udp(udp, faults),
        tls,
    })
}

/// What a repository's names end in.
pub(super) fn suffix(network_id: Option<NetworkId>) -> String {
    network_id.map(|id| format!("-{id}")).unwrap_or_default()
}

struct Repository {
    suffix: String,
    allow_internal: bool,
}

impl Repository {
    fn http(&self, http: Http, faults: &mut Faults) -> Http {
        let Http {
            routers,
            services,
            middlewares,
        } = http;
        Http {
            routers: self.named(EntryKind::HttpRouter, routers, Self::router, faults),
            services: self.named(EntryKind::HttpService, services, Self::service, faults),
            middlewares: self.named(
                EntryKind::HttpMiddleware,
                middlewares,
                Self::middleware,
                faults,
            ),
        }
    }

    fn tcp(&self, tcp: Tcp, faults: &mut Faults) -> Tcp {
        let Tcp {
            routers,
            services,
            middlewares,
        } = tcp;
        Tcp {
            routers: self.named(EntryKind::TcpRouter, routers, Self::tcp_router, faults),
            services: self.named(EntryKind::TcpService, services, Self::tcp_service, faults),
            middlewares: self.named(
                EntryKind::TcpMiddleware,
                middlewares,
                |_, label, part| has_a_type(part, label),
                faults,
            ),
        }
    }

    fn udp(&self, udp: Udp, faults: &mut Faults) -> Udp {
        let Udp { routers, services } = udp;
        Udp {
            routers: self.named(EntryKind::UdpRouter, routers, Self::udp_router, faults),
            services: self.named(EntryKind::UdpService, services, |_, _, _| Ok(()), faults),
        }
    }

    /// Renames the entries of a map, and lets each see to its references.
    fn named<T>(
        &self,
        kind: EntryKind,
        mut parts: BTreeMap<String, T>,
        references: impl Fn(&Self, &str, &mut T) -> Result<(), Problem>,
        faults: &mut Faults,
    ) -> BTreeMap<String, T> {
        faults.sift(kind, &mut parts, |name, label, part| {
            if name.contains('@') {
                return Err(Problem::of_label(
                    label,
                    format!("the name `{name}` holds an `@`, which parts a provider from a name"),
                ));
            }
            if self.belongs_to_another(name) {
                return Err(Problem::of_label(
                    label,
                    format!("`{name}` ends as the names of a repository do"),
                )
                .hint("take a name that does not end in a network id"));
            }
            references(self, label, part)
        });
        parts
            .into_iter()
            .map(|(name, part)| (format!("{name}{}", self.suffix), part))
            .collect()
    }

    /// Without a suffix of its own, a name could be one that has a repository's.
    fn belongs_to_another(&self, name: &str) -> bool {
        let id = name.rsplit_once('-').map(|(_, id)| id.parse::<NetworkId>());
        self.suffix.is_empty() && matches!(id, Some(Ok(_)))
    }

    fn router(&self, label: &str, router: &mut Router) -> Result<(), Problem> {
        self.all(label, "middlewares", &mut router.middlewares)?;
        self.one(label, "service", router.service.as_mut())?;
        if let Switch::On(tls) = &mut router.tls {
            self.tls_options(label, tls.options.as_mut())?;
        }
        Ok(())
    }

    fn service(&self, label: &str, service: &mut Service) -> Result<(), Problem> {
        self.all(label, "middlewares", &mut service.middlewares)?;
        let balancer = service.load_balancer.as_mut();
        self.transport(
            label,
            balancer.and_then(|one| one.servers_transport.as_mut()),
        )
    }

    fn middleware(&self, label: &str, middleware: &mut Middleware) -> Result<(), Problem> {
        if let Some(chain) = &mut middleware.chain {
            self.all(label, "chain.middlewares", &mut chain.middlewares)?;
        }
        if let Some(errors) = &mut middleware.errors {
            self.one(label, "errors.service", errors.service.as_mut())?;
        }
        has_a_type(middleware, label)
    }

    fn tcp_router(&self, label: &str, router: &mut TcpRouter) -> Result<(), Problem> {
        self.all(label, "middlewares", &mut router.middlewares)?;
        self.one(label, "service", router.service.as_mut())?;
        if let Switch::On(tls) = &mut router.tls {
            self.tls_options(label, tls.options.as_mut())?;
        }
        Ok(())
    }

    fn tcp_service(&self, label: &str, service: &mut TcpService) -> Result<(), Problem> {
        let balancer = service.load_balancer.as_mut();
        self.transport(
            label,
            balancer.and_then(|one| one.servers_transport.as_mut()),
        )
    }

    fn udp_router(&self, label: &str, router: &mut UdpRouter) -> Result<(), Problem> {
        self.one(label, "service", router.service.as_mut())
    }

    fn tls_options(&self, label: &str, options: Option<&mut String>) -> Result<(), Problem> {
        let own = options.filter(|name| *name != DEFAULT_TLS_OPTIONS);
        self.operators(label, "tls.options", own)
    }

    fn transport(&self, label: &str, transport: Option<&mut String>) -> Result<(), Problem> {
        self.operators(label, "loadbalancer.serverstransport", transport)
    }

    /// A reference to what no label defines: only the operator can have defined it, elsewhere.
    fn operators(
        &self,
        label: &str,
        field: &str,
        reference: Option<&mut String>,
    ) -> Result<(), Problem> {
        let Some(reference) = reference.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        match reference.rsplit_once('@') {
            None | Some((_, OWN_PROVIDER)) => Err(Problem::of_label(
                format!("{label}.{field}"),
                format!("`{reference}` is defined nowhere, because labels cannot define it"),
            )
            .hint(
                "the operator defines it in /etc/rediacc/traefik.d and starts the route server \
                 with --allow-internal; it is then `<name>@file`",
            )),
            Some(_) => self.one(label, field, Some(reference)),
        }
    }

    fn all(&self, label: &str, field: &str, references: &mut [String]) -> Result<(), Problem> {
        references
            .iter_mut()
            .try_for_each(|reference| self.one(label, field, Some(reference)))
    }

    fn one(&self, label: &str, field: &str, reference: Option<&mut String>) -> Result<(), Problem> {
        let Some(reference) = reference.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        match reference.rsplit_once('@') {
            None => reference.push_str(&self.suffix),
            Some((name, OWN_PROVIDER)) => *reference = format!("{name}{}", self.suffix),
            Some((_, provider)) if self.allow_internal && provider != ALL_REPOSITORIES => {}
            Some((_, provider)) => {
                return Err(Problem::of_label(
                    format!("{label}.{field}"),
                    format!(
                        "`{reference}` belongs to the provider `{provider}`, not to this repository"
                    ),
                )
                .hint("define it by labels of this repository, and write its name without `@`"));
            }
        }
        Ok(())
    }
}

/// An entry without anything in it, which one label with a useless value makes: Traefik could not
/// build it.
fn has_a_type<T: Unset>(middleware: &T, label: &str) -> Result<(), Problem> {
    if middleware.unset() {
        return Err(Problem::of_label(label, "the middleware has no type")
            .hint(format!("write `{label}.<type>.<option>=…`")));
    }
    Ok(())
}
