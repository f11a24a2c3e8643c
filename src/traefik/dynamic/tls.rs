//! Certificates: the domains of a router, what a client presents, the default store.

use std::collections::BTreeMap;

use super::object::object;

object! {
    /// The certificates' part of a document.
    pub struct Tls {
        stores: BTreeMap<String, Store>,
    }

    /// A store of certificates; labels reach only the one named `default`.
    pub struct Store {
        default_generated_cert: Option<GeneratedCert>,
    }

    /// A default certificate that a resolver fetches.
    pub struct GeneratedCert {
        resolver: Option<String>,
        domain: Option<Domain>,
    }

    /// The names on one certificate.
    pub struct Domain {
        main: Option<String>,
        sans: Vec<String>,
    }

    /// How Traefik speaks TLS to an authentication server or to Redis.
    pub struct ClientTls {
        ca: Option<String>,
        cert: Option<String>,
        key: Option<String>,
        insecure_skip_verify: Option<bool>,
        ca_optional: Option<bool>,
    }
}
