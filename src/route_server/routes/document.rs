//! The document that Traefik polls, put together from what each repository has in it. A change in
//! one repository renders that one anew; the others' text is copied.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Rejection, Routes, Severity};
use crate::layout;
use crate::traefik::dynamic::{DynamicConfig, Http, Router, Tcp, Udp, entries_to_yaml};

/// What one repository has in the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    sections: Sections,
    summary: Summary,
}

/// How much there is, and what could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The routers.
    pub routers: Counts,
    /// The services.
    pub services: Counts,
    /// What could not be used, and what is used with a warning.
    pub rejections: Vec<Rejection>,
}

/// How many there are of each protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of HTTP.
    pub http: usize,
    /// Of TCP.
    pub tcp: usize,
    /// Of UDP.
    pub udp: usize,
}

/// The entries of each section as YAML, each line indented as it will stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sections {
    http_routers: String,
    http_services: String,
    http_middlewares: String,
    tcp_routers: String,
    tcp_services: String,
    tcp_middlewares: String,
    udp_routers: String,
    udp_services: String,
}

/// The router by which Traefik says that it has the routes. No label can name another one so: a
/// dot in a label begins the next part of it.
const READY_ROUTER: &str = "rediacc.ready";
/// Traefik's own answer that it lives.
const PING_SERVICE: &str = "ping@internal";

impl Share {
    /// What is there for Traefik to say that it has the routes: on one of its own entry points it
    /// answers 200 then. It counts as nobody's router.
    pub fn ready(entrypoint: &str) -> Result<Self, serde_json::Error> {
        let router = Router {
            entry_points: vec![entrypoint.to_owned()],
            rule: Some(format!("Path(`{}`)", layout::READY_PATH)),
            service: Some(PING_SERVICE.to_owned()),
            ..Router::default()
        };
        let http = Http {
            routers: BTreeMap::from([(READY_ROUTER.to_owned(), router)]),
            ..Http::default()
        };
        Ok(Self {
            sections: Sections::of(&http, &Tcp::default(), &Udp::default())?,
            summary: Summary::default(),
        })
    }

    /// Renders the routes of one repository.
    pub fn of(routes: Routes) -> Result<Self, serde_json::Error> {
        let Routes {
            config,
            rejections,
            origins: _,
        } = routes;
        // The default store is the operator's: there is nothing of TLS in a repository's routes.
        let DynamicConfig {
            http,
            tcp,
            udp,
            tls: _,
        } = config;
        let summary = Summary {
            routers: Counts {
                http: http.routers.len(),
                tcp: tcp.routers.len(),
                udp: udp.routers.len(),
            },
            services: Counts {
                http: http.services.len(),
                tcp: tcp.services.len(),
                udp: udp.services.len(),
            },
            rejections,
        };
        let sections = Sections::of(&http, &tcp, &udp)?;
        Ok(Self { sections, summary })
    }
}

impl Share {
    /// How many routers are in it.
    pub fn routers(&self) -> usize {
        let Counts { http, tcp, udp } = self.summary.routers;
        http + tcp + udp
    }
}

impl Sections {
    fn of(http: &Http, tcp: &Tcp, udp: &Udp) -> Result<Self, serde_json::Error> {
        let Http {
            routers,
            services,
            middlewares,
        } = http;
        let (http_routers, http_services) = (entries_to_yaml(routers)?, entries_to_yaml(services)?);
        let http_middlewares = entries_to_yaml(middlewares)?;
        let Tcp {
            routers,
            services,
            middlewares,
        } = tcp;
        let (tcp_routers, tcp_services) = (entries_to_yaml(routers)?, entries_to_yaml(services)?);
        let tcp_middlewares = entries_to_yaml(middlewares)?;
        let Udp { routers, services } = udp;
        let (udp_routers, udp_services) = (entries_to_yaml(routers)?, entries_to_yaml(services)?);
        Ok(Self {
            http_routers,
            http_services,
            http_middlewares,
            tcp_routers,
            tcp_services,
            tcp_middlewares,
            udp_routers,
            udp_services,
        })
    }
}

/// A section's name, and where its entries are in a share.
type Section = (&'static str, fn(&Sections) -> &str);

/// The protocols with their sections, in the order in which the model has them.
const PROTOCOLS: [(&str, &[Section]); 3] = [
    (
        "http",
        &[
            ("routers", |sections| &sections.http_routers),
            ("services", |sections| &sections.http_services),
            ("middlewares", |sections| &sections.http_middlewares),
        ],
    ),
    (
        "tcp",
        &[
            ("routers", |sections| &sections.tcp_routers),
            ("services", |sections| &sections.tcp_services),
            ("middlewares", |sections| &sections.tcp_middlewares),
        ],
    ),
    (
        "udp",
        &[
            ("routers", |sections| &sections.udp_routers),
            ("services", |sections| &sections.udp_services),
        ],
    ),
];

/// The whole document: `{}` where there is nothing, and nothing empty in it, because Traefik
/// rejects a document for one empty map.
pub fn document<'s>(shares: &(impl Iterator<Item = &'s Share> + Clone)) -> String {
    let mut text = String::with_capacity(shares.clone().map(|share| share.sections.len()).sum());
    for (protocol, sections) in PROTOCOLS {
        let mut has_protocol = false;
        for (section, entries_of) in sections {
            let mut has_section = false;
            for entries in shares.clone().map(|share| entries_of(&share.sections)) {
                if entries.is_empty() {
                    continue;
                }
                if !std::mem::replace(&mut has_protocol, true) {
                    text.push_str(protocol);
                    text.push(':');
                }
                if !std::mem::replace(&mut has_section, true) {
                    text.push_str("\n  ");
                    text.push_str(section);
                    text.push(':');
                }
                text.push_str(entries);
            }
        }
        if has_protocol {
            text.push('\n');
        }
    }
    if text.is_empty() {
        "{}\n".to_owned()
    } else {
        text
    }
}

impl Sections {
    /// How many bytes it takes, with room for the sections' names.
    fn len(&self) -> usize {
        let sections = PROTOCOLS.iter().flat_map(|(_, sections)| sections.iter());
        sections
            .map(|(name, entries_of)| name.len() + 4 + entries_of(self).len())
            .sum()
    }
}

impl Summary {
    /// The sum of all repositories' summaries.
    pub fn of<'s>(shares: impl Iterator<Item = &'s Share>) -> Self {
        let mut sum = Self::default();
        for Share {
            summary,
            sections: _,
        } in shares
        {
            let Self {
                routers,
                services,
                rejections,
            } = summary;
            sum.routers.add(*routers);
            sum.services.add(*services);
            sum.rejections.extend(rejections.iter().cloned());
        }
        sum.rejections.sort();
        sum
    }

    /// How many of its rejections are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let rejections = self.rejections.iter();
        rejections.filter(|one| one.severity == severity).count()
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.http += other.http;
        self.tcp += other.tcp;
        self.udp += other.udp;
    }
}
