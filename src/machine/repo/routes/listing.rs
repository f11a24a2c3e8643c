//! The public addresses of each container, from `/routes.json` of the route server. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::network::NetworkId;
use crate::printable::{LONGEST_SHOWN, shortened};
use crate::traefik::entrypoint::{Entrypoint, Family, Listener};
use crate::traefik::rule::Rule;

/// The part of `/routes.json` that matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    http: Protocol,
    #[serde(default)]
    tcp: Protocol,
    #[serde(default)]
    udp: Protocol,
    #[serde(default)]
    rejections: Vec<Rejection>,
    #[serde(default)]
    warnings: Vec<Rejection>,
}

#[derive(Debug, Default, Deserialize)]
struct Protocol {
    #[serde(default)]
    routers: BTreeMap<String, Router>,
}

#[derive(Debug, Deserialize)]
struct Router {
    rule: Option<String>,
    #[serde(rename = "entryPoints", default)]
    entry_points: Vec<String>,
    tls: Option<Tls>,
    #[serde(default)]
    servers: Vec<String>,
    container: Option<String>,
    network_id: Option<NetworkId>,
    #[serde(default)]
    auto: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    cert_resolver: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Rejection {
    container: String,
    network_id: Option<NetworkId>,
    label: Option<String>,
    reason: String,
    hint: Option<String>,
}

/// The routes, rejections and warnings of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) routes: Vec<Route>,
    /// Its labels that were rejected.
    pub(super) rejections: Vec<String>,
    /// Its labels that were accepted with a warning.
    pub(super) warnings: Vec<String>,
}

/// One public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) url: String,
    pub(super) is_auto: bool,
    /// The ports of the service that it leads to.
    pub(super) ports: BTreeSet<u16>,
    /// The request that tests it; none if it is not HTTP, or matches many names.
    pub(super) question: Option<Question>,
}

/// A request through Traefik.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Where Traefik listens.
    pub(super) at: SocketAddr,
    pub(super) has_tls: bool,
    pub(super) host: String,
    pub(super) path: String,
    /// The entry point.
    pub(super) entrypoint: String,
    /// The certificate resolver of its router.
    pub(super) resolver: Option<String>,
}

/// The addresses at which Traefik listens, and at which people reach it.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    /// By the names of the entry points.
    pub(super) listens: BTreeMap<String, SocketAddr>,
    /// The public addresses that lead there, if they differ (NAT).
    pub(super) public: Vec<IpAddr>,
}

impl Listing {
    /// The routes of the containers of a repository, by container name.
    pub(super) fn of(&self, id: NetworkId, edge: &Edge) -> BTreeMap<String, Own> {
        let mut all: BTreeMap<String, Own> = BTreeMap::new();
        for (protocol, routers) in [("http", &self.http), ("tcp", &self.tcp), ("udp", &self.udp)] {
            for router in routers.routers.values() {
                let Some(container) = router.container.as_ref() else {
                    continue;
                };
                if router.network_id == Some(id) {
                    let own = all.entry(container.clone()).or_default();
                    own.routes.extend(router.routes(protocol, edge));
                }
            }
        }
        for (rejections, is_warning) in [(&self.rejections, false), (&self.warnings, true)] {
            for rejection in rejections.iter().filter(|one| one.network_id == Some(id)) {
                let own = all.entry(rejection.container.clone()).or_default();
                let texts = if is_warning {
                    &mut own.warnings
                } else {
                    &mut own.rejections
                };
                texts.push(rejection.text());
            }
        }
        for own in all.values_mut() {
            // Routes from labels come first. Two routers may have the same address.
            own.routes
                .sort_by(|a, b| (a.is_auto, &a.url).cmp(&(b.is_auto, &b.url)));
            own.routes.dedup_by(|a, b| a.url == b.url);
        }
        all
    }
}

impl Rejection {
    fn text(&self) -> String {
        let Self {
            label,
            reason,
            hint,
            ..
        } = self;
        let label = label.as_ref().map(|label| format!("{label}: "));
        let hint = hint.as_ref().map(|hint| format!(" ({hint})"));
        format!(
            "{}{reason}{}",
            label.unwrap_or_default(),
            hint.unwrap_or_default()
        )
    }
}

impl Router {
    fn routes(&self, protocol: &str, edge: &Edge) -> Vec<Route> {
        let text = self.rule.as_deref().unwrap_or_default();
        let rule = Rule::parse_unbounded(text).ok();
        let hosts: BTreeSet<&str> = rule
            .iter()
            .flat_map(|rule| rule.reach().named)
            .map(|host| host.trim_end_matches('.'))
            .collect();
        let entrypoints: BTreeSet<Entrypoint> = self
            .entry_points
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        // One address for both families: people see one URL. The first is requested.
        let mut listeners: BTreeMap<Listener, Entrypoint> = BTreeMap::new();
        for entrypoint in entrypoints {
            let is_open = edge.listens.contains_key(&entrypoint.to_string());
            let known = listeners.entry(entrypoint.listener).or_insert(entrypoint);
            if is_open && !edge.listens.contains_key(&known.to_string()) {
                *known = entrypoint;
            }
        }
        let mut routes = Vec::new();
        for entrypoint in listeners.into_values() {
            if protocol == "http" {
                let path = path(text);
                let each = hosts.iter();
                routes.extend(each.map(|host| self.http_route(host, &path, entrypoint, edge)));
            } else {
                let urls = edge.urls(protocol, &hosts, entrypoint);
                routes.extend(urls.into_iter().map(|url| Route {
                    url,
                    is_auto: self.auto,
                    ports: self.ports(),
                    question: None,
                }));
            }
        }
        routes
    }

    /// The ports of its servers: `http://127.0.11.2:80`.
    fn ports(&self) -> BTreeSet<u16> {
        let ports = self
            .servers
            .iter()
            .filter_map(|server| server.rsplit_once(':'));
        ports.filter_map(|(_, port)| port.parse().ok()).collect()
    }

    fn http_route(&self, host: &str, path: &str, entrypoint: Entrypoint, edge: &Edge) -> Route {
        let has_tls = self.tls.is_some() || entrypoint.listener == Listener::WebSecure;
        let scheme = if has_tls { "https" } else { "http" };
        let port = match entrypoint.listener {
            Listener::Web | Listener::WebSecure => String::new(),
            listener => format!(":{}", listener.port()),
        };
        let shown_path = if path == "/" { "" } else { path };
        let at = edge.listens.get(&entrypoint.to_string());
        let is_one = !host.contains('*');
        let question = at.filter(|_| is_one).map(|at| Question {
            at: *at,
            has_tls,
            host: host.to_owned(),
            path: path.to_owned(),
            entrypoint: entrypoint.to_string(),
            resolver: self.tls.as_ref().and_then(|tls| tls.cert_resolver.clone()),
        });
        let url = format!("{scheme}://{host}{port}{shown_path}");
        Route {
            url: shortened(&url, LONGEST_SHOWN).into_owned(),
            is_auto: self.auto,
            ports: self.ports(),
            question,
        }
    }
}

impl Edge {
    /// The addresses of a TCP or UDP entry point: with the hosts of the rule, or those of the machine.
    fn urls(&self, protocol: &str, hosts: &BTreeSet<&str>, entrypoint: Entrypoint) -> Vec<String> {
        let port = entrypoint.listener.port();
        if !hosts.is_empty() {
            let urls = hosts.iter().map(|host| format!("{protocol} {host}:{port}"));
            return urls.collect();
        }
        let is_v4 = entrypoint.family == Family::V4;
        let public = self
            .public
            .iter()
            .find(|address| address.is_ipv4() == is_v4)
            .copied();
        let own = self
            .listens
            .get(&entrypoint.to_string())
            .map(SocketAddr::ip);
        let address = public.or(own).map(|address| SocketAddr::new(address, port));
        address
            .map(|address| format!("{protocol} {address}"))
            .into_iter()
            .collect()
    }
}

/// The first path in a rule, or `/`.
fn path(rule: &str) -> String {
    let mut rest = rule;
    while let Some(at) = rest.find("Path") {
        let is_negated = rest[..at].trim_end().ends_with('!');
        rest = &rest[at + "Path".len()..];
        let arguments = rest.strip_prefix("Prefix").unwrap_or(rest).trim_start();
        let Some(argument) = arguments.strip_prefix('(').map(str::trim_start) else {
            continue;
        };
        let quote = argument
            .chars()
            .next()
            .filter(|quote| matches!(quote, '`' | '"'));
        let path = quote.and_then(|quote| argument[1..].split_once(quote));
        if let Some((path, _)) = path
            && !is_negated
            && path.starts_with('/')
            && path.chars().all(|c| c.is_ascii_graphic())
        {
            return path.to_owned();
        }
    }
    "/".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge() -> Edge {
        let listens = [
            ("web", "10.0.0.5:80"),
            ("websecure", "10.0.0.5:443"),
            ("websecure-v6", "[2001:db8::5]:443"),
            ("tcp-993", "10.0.0.5:993"),
            ("tcp-25", "10.0.0.5:25"),
            ("udp-53", "10.0.0.5:53"),
        ];
        Edge {
            listens: listens
                .into_iter()
                .map(|(name, at)| (name.to_owned(), at.parse().expect("an address")))
                .collect(),
            public: vec!["203.0.113.50".parse().expect("an address")],
        }
    }

    fn own(json: &str) -> Own {
        let listing: Listing = serde_json::from_str(json).expect("JSON");
        let id = NetworkId::try_from(2816).expect("an id");
        let mut all = listing.of(id, &edge());
        assert!(all.keys().all(|name| name == "web"), "{all:?}");
        all.remove("web").unwrap_or_default()
    }

    #[test]
    fn a_container_has_the_addresses_of_its_routers() {
        for (protocol, router, expected) in [
            (
                "http",
                r#""rule": "Host(`app.test`)", "entryPoints": ["websecure", "websecure-v6"],
                   "tls": {"certResolver": "letsencrypt"}"#,
                &["https://app.test 10.0.0.5:443 app.test /"][..],
            ),
            (
                "http",
                r#""rule": "Host(`app.test`)", "entryPoints": ["websecure-v6"], "tls": {}"#,
                &["https://app.test [2001:db8::5]:443 app.test /"],
            ),
            (
                "http",
                r#""rule": "Host(`a.test`) && !PathPrefix(`/no`) && PathPrefix(`/x`) || Host(`b.test`)",
                   "entryPoints": ["web"], "tls": null"#,
                &[
                    "http://a.test/x 10.0.0.5:80 a.test /x",
                    "http://b.test/x 10.0.0.5:80 b.test /x",
                ],
            ),
            (
                "http",
                r#""rule": "Host(`*.a.test`)", "entryPoints": ["websecure"], "tls": {}"#,
                &["https://*.a.test"],
            ),
            (
                "tcp",
                r#""rule": "HostSNI(`mail.test`)", "entryPoints": ["tcp-993"],
                   "tls": {"passthrough": true}"#,
                &["tcp mail.test:993"],
            ),
            (
                "tcp",
                r#""rule": "HostSNI(`*`)", "entryPoints": ["tcp-25", "tcp-993"]"#,
                &["tcp 203.0.113.50:25", "tcp 203.0.113.50:993"],
            ),
            (
                "udp",
                r#""rule": null, "entryPoints": ["udp-53"]"#,
                &["udp 203.0.113.50:53"],
            ),
        ] {
            let json = format!(
                r#"{{"{protocol}": {{"routers": {{
                    "r": {{{router}, "container": "web", "network_id": 2816, "auto": false}},
                    "other": {{{router}, "container": "web", "network_id": 2880, "auto": false}}
                }}}}}}"#
            );
            let found: Vec<String> = own(&json)
                .routes
                .into_iter()
                .map(|route| match route.question {
                    Some(it) => format!("{} {} {} {}", route.url, it.at, it.host, it.path),
                    None => route.url,
                })
                .collect();
            assert_eq!(found, expected, "{router}");
        }
    }

    #[test]
    fn what_was_written_comes_before_what_is_automatic() {
        let router = |rule: &str, auto: bool| {
            format!(
                r#"{{"rule": "Host(`{rule}`)", "entryPoints": ["web"], "tls": null,
                    "container": "web", "network_id": 2816, "auto": {auto}}}"#
            )
        };
        let json = format!(
            r#"{{"http": {{"routers": {{"a": {}, "b": {}, "c": {}}}}}}}"#,
            router("a.test", true),
            router("b.test", false),
            router("b.test", false)
        );
        let own = own(&json);
        let found: Vec<_> = own
            .routes
            .iter()
            .map(|it| (it.url.as_str(), it.is_auto))
            .collect();
        assert_eq!(found, [("http://b.test", false), ("http://a.test", true)]);
    }

    #[test]
    fn rejections_are_told_with_label_reason_and_hint() {
        let json = r#"{
            "rejections": [
                {"container": "web", "network_id": 2816, "label": "traefik.http.x", "reason": "no such key",
                 "hint": "did you mean `y`?"},
                {"container": "web", "network_id": 2880, "label": null, "reason": "not ours", "hint": null}
            ],
            "warnings": [{"container": "web", "network_id": 2816, "label": null, "reason": "slow",
                          "hint": null}]
        }"#;
        let own = own(json);
        assert_eq!(
            own.rejections,
            ["traefik.http.x: no such key (did you mean `y`?)"]
        );
        assert_eq!(own.warnings, ["slow"]);
    }
}
