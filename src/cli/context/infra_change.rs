//! What a call of `set-infra` changes, checked, and all that was wrong with what was given.

use std::net::{Ipv4Addr, Ipv6Addr};

use clap::ValueEnum;

use crate::cli::failure::{Exit, Failure};
use crate::context::Infra;
use crate::context::value::{
    AcmeCaServer, BaseDomain, CertEmail, InvalidValue, PortList, RepositoryQuota, TokenSource,
    TraefikVersion,
};
use crate::ownership::RepositoryGrants;

/// A field of the infra, by the name of its option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Field {
    PublicIpv4,
    PublicIpv6,
    BaseDomain,
    CertEmail,
    CfDnsToken,
    TcpPorts,
    UdpPorts,
    BindIpv4,
    BindIpv6,
    AcmeCaServer,
    DefaultPorts,
    AutoRoutes,
    TraefikVersion,
    #[value(alias = "owner")]
    Owners,
    #[value(alias = "quota")]
    Quotas,
}

/// What a call changes, checked.
pub(crate) struct Change {
    pub(crate) public_ipv4: Option<Ipv4Addr>,
    pub(crate) public_ipv6: Option<Ipv6Addr>,
    pub(crate) bind_ipv4: Option<Ipv4Addr>,
    pub(crate) bind_ipv6: Option<Ipv6Addr>,
    pub(crate) base_domain: Option<BaseDomain>,
    pub(crate) cert_email: Option<CertEmail>,
    pub(crate) cf_dns_token: Option<TokenSource>,
    pub(crate) tcp_ports: Option<PortList>,
    pub(crate) udp_ports: Option<PortList>,
    pub(crate) acme_ca_server: Option<AcmeCaServer>,
    pub(crate) default_ports: Option<bool>,
    pub(crate) auto_routes: Option<bool>,
    pub(crate) traefik_version: Option<TraefikVersion>,
    pub(crate) owners: Vec<RepositoryGrants>,
    pub(crate) quotas: Vec<RepositoryQuota>,
    pub(crate) unset: Vec<Field>,
}

impl Change {
    /// Whether a field is given a value, which unsetting it would contradict.
    pub(crate) fn sets(&self, field: Field) -> bool {
        match field {
            Field::PublicIpv4 => self.public_ipv4.is_some(),
            Field::PublicIpv6 => self.public_ipv6.is_some(),
            Field::BaseDomain => self.base_domain.is_some(),
            Field::CertEmail => self.cert_email.is_some(),
            Field::CfDnsToken => self.cf_dns_token.is_some(),
            Field::TcpPorts => self.tcp_ports.is_some(),
            Field::UdpPorts => self.udp_ports.is_some(),
            Field::BindIpv4 => self.bind_ipv4.is_some(),
            Field::BindIpv6 => self.bind_ipv6.is_some(),
            Field::AcmeCaServer => self.acme_ca_server.is_some(),
            Field::DefaultPorts => self.default_ports.is_some(),
            Field::AutoRoutes => self.auto_routes.is_some(),
            Field::TraefikVersion => self.traefik_version.is_some(),
            // Each option is about one repository: all can go, and some come anew.
            Field::Owners | Field::Quotas => false,
        }
    }

    /// Changes an infra: first what is unset, then what is given. Fails where values do not go
    /// together.
    pub(crate) fn apply(self, infra: &mut Infra) -> Result<(), Failure> {
        let default = Infra::default();
        for field in &self.unset {
            match field {
                Field::PublicIpv4 => infra.public_ipv4 = default.public_ipv4,
                Field::PublicIpv6 => infra.public_ipv6 = default.public_ipv6,
                Field::BaseDomain => infra.base_domain.clone_from(&default.base_domain),
                Field::CertEmail => infra.cert_email.clone_from(&default.cert_email),
                Field::CfDnsToken => infra.cf_dns_token.clone_from(&default.cf_dns_token),
                Field::TcpPorts => infra.tcp_ports.clone_from(&default.tcp_ports),
                Field::UdpPorts => infra.udp_ports.clone_from(&default.udp_ports),
                Field::BindIpv4 => infra.bind_ipv4 = default.bind_ipv4,
                Field::BindIpv6 => infra.bind_ipv6 = default.bind_ipv6,
                Field::AcmeCaServer => infra.acme_ca_server.clone_from(&default.acme_ca_server),
                Field::DefaultPorts => infra.default_ports = default.default_ports,
                Field::AutoRoutes => infra.auto_routes = default.auto_routes,
                Field::TraefikVersion => {
                    infra.traefik_version.clone_from(&default.traefik_version);
                }
                Field::Owners => infra.owners.clone_from(&default.owners),
                Field::Quotas => infra.quotas.clone_from(&default.quotas),
            }
        }
        let old = std::mem::take(infra);
        let mut problems = Problems::default();
        let owners = problems.keep(Field::Owners, old.owners.with(self.owners));
        *infra = Infra {
            public_ipv4: self.public_ipv4.or(old.public_ipv4),
            public_ipv6: self.public_ipv6.or(old.public_ipv6),
            bind_ipv4: self.bind_ipv4.or(old.bind_ipv4),
            bind_ipv6: self.bind_ipv6.or(old.bind_ipv6),
            base_domain: self.base_domain.or(old.base_domain),
            cert_email: self.cert_email.or(old.cert_email),
            cf_dns_token: self.cf_dns_token.or(old.cf_dns_token),
            tcp_ports: self.tcp_ports.unwrap_or(old.tcp_ports),
            udp_ports: self.udp_ports.unwrap_or(old.udp_ports),
            acme_ca_server: self.acme_ca_server.or(old.acme_ca_server),
            default_ports: self.default_ports.unwrap_or(old.default_ports),
            auto_routes: self.auto_routes.unwrap_or(old.auto_routes),
            traefik_version: self.traefik_version.or(old.traefik_version),
            owners: owners.unwrap_or_default(),
            quotas: old.quotas.with(self.quotas),
        };
        problems.keep(Field::Owners, infra.check());
        problems.into_result()
    }
}

/// What is wrong with the given values, in the order of the options.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

struct Problem {
    text: String,
    valid: String,
}

impl Problems {
    /// Parses what was given for a field.
    pub(crate) fn parse<T>(
        &mut self,
        field: Field,
        given: &Option<String>,
        parse: impl Fn(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let text = given.as_deref()?;
        if text.trim().is_empty() {
            let unset = format!("a value, or --unset {} to clear it", field.name());
            self.add(field, "is empty", &unset);
            return None;
        }
        self.keep(field, parse(text))
    }

    /// Keeps a value, or notes what is wrong with it.
    pub(crate) fn keep<T>(&mut self, field: Field, parsed: Result<T, InvalidValue>) -> Option<T> {
        parsed
            .map_err(|error| self.add(field, &error.to_string(), error.valid()))
            .ok()
    }

    /// Notes a problem.
    pub(crate) fn add(&mut self, field: Field, problem: &str, valid: &str) {
        self.0.push(Problem {
            text: format!("--{}: {problem}", field.option()),
            valid: valid.to_owned(),
        });
    }

    /// Fails where there was a problem.
    pub(crate) fn into_result(self) -> Result<(), Failure> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => {
                Err(Failure::new(Exit::Invalid, &one.text).hint(format!("give {}", one.valid)))
            }
            many => {
                let mut message = format!("{} values are invalid, nothing was stored", many.len());
                for problem in many {
                    message.push_str(&format!("\n  {}; give {}", problem.text, problem.valid));
                }
                Err(Failure::new(Exit::Invalid, message))
            }
        }
    }
}

impl Field {
    /// The option that gives it, without its dashes.
    fn option(self) -> String {
        match self {
            // Each is about one of them.
            Self::Owners => "owner".to_owned(),
            Self::Quotas => "quota".to_owned(),
            _ => self.name(),
        }
    }

    /// What `--unset` calls it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or(String::new(), |value| value.get_name().to_owned())
    }
}
