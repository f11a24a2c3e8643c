//! Certificates: the domains of a router, what a client presents, the default store.

use std::collections::BTreeMap;

use super::bounds;
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
        resolver: Option<String> => bounds::REFERENCE,
        domain: Option<Domain>,
    }

    /// The names on one certificate.
    pub struct Domain {
        main: Option<String> => bounds::TEXT,
        sans: Vec<String> => bounds::TEXT,
    }

    /// How Traefik speaks TLS to an authentication server or to Redis.
    pub struct ClientTls {
        ca: Option<String> => bounds::TEXT,
        cert: Option<String> => bounds::TEXT,
        key: Option<String> => bounds::TEXT,
        insecure_skip_verify: Option<bool>,
        ca_optional: Option<bool>,
    }
}
