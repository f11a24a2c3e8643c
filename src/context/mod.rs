//! What the operator declared: contexts, machines, and a machine's infra.
//!
//! Every value is a validated type of `value`; nothing past this module re-checks a `String`.

pub mod value;

use std::net::{Ipv4Addr, Ipv6Addr};

use value::{AcmeCaServer, BaseDomain, CertEmail, PortList, TokenSource, TraefikVersion};

/// A machine's declared addresses, domain, certificates and ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infra {
    /// The IPv4 address that the domain's A records name.
    pub public_ipv4: Option<Ipv4Addr>,
    /// The IPv6 address that the domain's AAAA records name.
    pub public_ipv6: Option<Ipv6Addr>,
    /// What Traefik binds instead of `public_ipv4`, behind NAT.
    pub bind_ipv4: Option<Ipv4Addr>,
    /// What Traefik binds instead of `public_ipv6`.
    pub bind_ipv6: Option<Ipv6Addr>,
    /// The domain under which auto routes live.
    pub base_domain: Option<BaseDomain>,
    /// The e-mail address of the ACME account.
    pub cert_email: Option<CertEmail>,
    /// Cloudflare's API token for DNS-01, or where it is to be found at the push.
    pub cf_dns_token: Option<TokenSource>,
    /// TCP ports with an entry point each, beside the preconfigured ones.
    pub tcp_ports: PortList,
    /// UDP ports with an entry point each, beside the preconfigured ones.
    pub udp_ports: PortList,
    /// The ACME directory; Let's Encrypt's production one where none is given.
    pub acme_ca_server: Option<AcmeCaServer>,
    /// Whether the preconfigured ports (databases, queues, DNS, the dynamic range) are opened.
    pub default_ports: bool,
    /// Whether containers without `traefik.enable` get a route.
    pub auto_routes: bool,
    /// The Traefik that the machine shall run, where not the default one.
    pub traefik_version: Option<TraefikVersion>,
}

impl Default for Infra {
    fn default() -> Self {
        Self {
            public_ipv4: None,
            public_ipv6: None,
            bind_ipv4: None,
            bind_ipv6: None,
            base_domain: None,
            cert_email: None,
            cf_dns_token: None,
            tcp_ports: PortList::default(),
            udp_ports: PortList::default(),
            acme_ca_server: None,
            default_ports: true,
            auto_routes: true,
            traefik_version: None,
        }
    }
}
