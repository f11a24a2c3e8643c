//! UDP routers and services.

use std::collections::BTreeMap;

use super::bounds;
use super::object::object;
use super::value::Servers;

object! {
    /// The UDP part of a document.
    pub struct Udp {
        routers: BTreeMap<String, UdpRouter>,
        services: BTreeMap<String, UdpService>,
    }

    /// All packets of its entry points go to one service: there is no rule.
    pub struct UdpRouter {
        entry_points: Vec<String> => bounds::ENTRYPOINT,
        service: Option<String> => bounds::REFERENCE,
    }

    /// A load-balanced target.
    pub struct UdpService {
        load_balancer: Option<UdpLoadBalancer>,
    }

    /// Servers that share the packets.
    pub struct UdpLoadBalancer {
        #[serde(rename(serialize = "servers", deserialize = "server"))]
        servers: Servers<UdpServer>,
    }

    /// One address. A label gives the port; the address is the container's.
    pub struct UdpServer {
        #[serde(skip_deserializing)]
        address: Option<String> => bounds::TEXT,
        port: Option<String> => bounds::TEXT,
    }
}
