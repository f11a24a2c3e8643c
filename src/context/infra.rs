//! A machine's infra: what `set-infra` declares of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::value::{
    self, AcmeCaServer, BaseDomain, CertEmail, InvalidValue, Owners, PortList, Quotas, TokenSource,
    TraefikVersion,
};

/// A machine's declared addresses, domain, certificates and ports.
///
/// Serialised, as `show-infra --json` does, a literal token is masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub struct Infra {
    /// The IPv4 address that the domain's A records name.
    #[serde(deserialize_with = "host_ipv4")]
    pub public_ipv4: Option<Ipv4Addr>,
    /// The IPv6 address that the domain's AAAA records name.
    #[serde(deserialize_with = "host_ipv6")]
    pub public_ipv6: Option<Ipv6Addr>,
    /// What Traefik binds instead of `public_ipv4`, behind NAT.
    #[serde(deserialize_with = "host_ipv4")]
    pub bind_ipv4: Option<Ipv4Addr>,
    /// What Traefik binds instead of `public_ipv6`.
    #[serde(deserialize_with = "host_ipv6")]
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
    /// What belongs to which repository, whoever comes first.
    pub owners: Owners,
    /// Which repositories may cost others more than the usual.
    pub quotas: Quotas,
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
            owners: Owners::default(),
            quotas: Quotas::default(),
        }
    }
}

impl Infra {
    /// Refuses values that are each valid, and do not go together.
    pub fn check(&self) -> Result<(), InvalidValue> {
        match &self.base_domain {
            Some(base_domain) => self.owners.check_below(base_domain),
            None => Ok(()),
        }
    }
}

// `remote` derives functions of these names, which know the fields alone: whatever is read is
// checked as a whole, too.
impl<'de> Deserialize<'de> for Infra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let infra = Self::deserialize(deserializer)?;
        infra.check().map_err(D::Error::custom)?;
        Ok(infra)
    }
}

impl Serialize for Infra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

fn host_ipv4<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ipv4Addr>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let address = text.map(|text| value::host_ipv4(&text)).transpose();
    address.map_err(D::Error::custom)
}

fn host_ipv6<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ipv6Addr>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let address = text.map(|text| value::host_ipv6(&text)).transpose();
    address.map_err(D::Error::custom)
}
