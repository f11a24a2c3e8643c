//! The dynamic configuration of Traefik 3.7, as far as labels can express it.
//!
//! One model for both ways: labels are deserialized into it (`traefik::labels`), and the route
//! server serves its serialization. What a label did not set is not written, because an older
//! Traefik rejects a whole document for one key that it does not know; and nothing empty is
//! written, because Traefik rejects a whole document for one empty map.

mod bound;
mod bounded;
pub mod bounds;
mod branch;
mod duration;
mod http;
mod leaf;
mod middleware;
mod object;
mod tcp;
mod text;
mod tls;
mod udp;
pub mod unbuildable;
mod value;
mod yaml;

use std::collections::BTreeMap;

pub use bound::{Empty, Number, Span, Text};
pub use bounded::{Allowance, Bound, Branch, Field, Leaf, OutOfBounds, Path, is_name};
pub use duration::{Duration, InvalidDuration};
pub use http::{
    Cookie, HealthCheck, Http, LoadBalancer, Observability, PassiveHealthCheck, ResponseForwarding,
    Router, RouterTls, Server, Service, Sticky,
};
pub use middleware::*;
pub use object::Unset;
pub use tcp::{
    InFlightConn, ProxyProtocol, Tcp, TcpHealthCheck, TcpIpList, TcpLoadBalancer, TcpMiddleware,
    TcpRouter, TcpRouterTls, TcpServer, TcpService,
};
pub use tls::{ClientTls, Domain, GeneratedCert, Store, Tls};
pub use udp::{Udp, UdpLoadBalancer, UdpRouter, UdpServer, UdpService};
pub use value::{Dotted, PluginValue, Servers, Switch};

use object::object;

object! {
    /// A whole document, as Traefik's file and HTTP providers read it.
    pub struct DynamicConfig {
        http: Http,
        tcp: Tcp,
        udp: Udp,
        tls: Tls,
    }
}

/// Every leaf that labels can set, with its bound: derived from the model, so that none is missing.
pub fn fields() -> Vec<Field> {
    let mut fields = Vec::new();
    DynamicConfig::declare("traefik", &mut fields);
    fields
}

/// The document that Traefik polls: `{}` where there is nothing.
pub fn to_yaml(config: &DynamicConfig) -> Result<String, serde_json::Error> {
    yaml::to_yaml(config)
}

/// The entries of one of a protocol's maps, each line behind its line end and indented as in a
/// whole document; nothing where there are none.
pub fn entries_to_yaml<T: serde::Serialize>(
    entries: &BTreeMap<String, T>,
) -> Result<String, serde_json::Error> {
    if entries.is_empty() {
        return Ok(String::new());
    }
    yaml::to_yaml_below(entries, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_is_an_empty_document() {
        let yaml = to_yaml(&DynamicConfig::default()).expect("the model is plain data");
        assert_eq!(yaml, "{}\n");
    }
}
