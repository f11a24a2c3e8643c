//! What the operator's own dynamic configuration uses: hosts and ports that no repository can
//! take. Pure: reads the text of a file of `traefik.d`, wherever it comes from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Name, Resource};
use crate::ownership::HostName;
use crate::traefik::entrypoint::{Entrypoint, Listener};
use crate::traefik::rule::Rule;

/// The hosts and ports that the operator's files use, each with the name of a file that does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorNames {
    /// The hosts.
    pub names: BTreeMap<HostName, String>,
    /// The ports.
    pub ports: BTreeMap<Listener, String>,
    /// The files that cannot be read, and why: what they used before is kept.
    pub unreadable: BTreeMap<String, String>,
}

/// What Traefik's file provider reads, as far as hosts and ports go. Everything else is the
/// operator's affair.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    http: Routers,
    tcp: Routers,
    udp: Routers,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Routers {
    routers: BTreeMap<String, Router>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Router {
    rule: Option<String>,
    entry_points: Vec<String>,
}

/// In which format a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.yml`, `.yaml`.
    Yaml,
    /// `.toml`.
    Toml,
}

impl Format {
    /// The format of a file that Traefik's file provider reads, by its name.
    pub fn of(file: &str) -> Option<Self> {
        match file.rsplit_once('.')?.1 {
            "yml" | "yaml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

impl OperatorNames {
    /// What one file uses, under its name.
    pub fn read(file: &str, text: &str, format: Format) -> Result<Self, String> {
        let document = match format {
            // An empty file is an empty document, and so is one of comments.
            Format::Yaml => {
                serde_yaml::from_str::<Option<File>>(text).map_err(|error| first_line(&error))?
            }
            Format::Toml => {
                Some(toml_edit::de::from_str::<File>(text).map_err(|error| first_line(&error))?)
            }
        };
        let File { http, tcp, udp } = document.unwrap_or_default();
        let mut used = Self::default();
        for router in [http, tcp, udp]
            .into_iter()
            .flat_map(|one| one.routers.into_values())
        {
            used.add(&router, file);
        }
        Ok(used)
    }

    /// Adds what another file uses.
    pub fn extend(&mut self, other: Self) {
        let Self {
            names,
            ports,
            unreadable,
        } = other;
        self.names.extend(names);
        self.ports.extend(ports);
        self.unreadable.extend(unreadable);
    }

    /// The file that uses a resource, if one does.
    pub fn uses(&self, resource: &Resource) -> Option<&str> {
        let file = match resource {
            Resource::Name(name) => self.names.get(name),
            Resource::Port(port) => self.ports.get(port),
        };
        file.map(String::as_str)
    }

    /// All that is used.
    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        let names = self.names.keys().cloned().map(Resource::Name);
        names.chain(self.ports.keys().copied().map(Resource::Port))
    }

    fn add(&mut self, router: &Router, file: &str) {
        let rule = router
            .rule
            .as_deref()
            .and_then(|rule| Rule::parse_unbounded(rule).ok());
        let hosts = rule.iter().flat_map(|rule| rule.reach().named);
        for host in hosts.filter_map(|host| Some(Name::parse(host)?.host()?.clone())) {
            self.names.insert(host, file.to_owned());
        }
        for entrypoint in &router.entry_points {
            let listener = entrypoint.parse().map(|one: Entrypoint| one.listener);
            if let Ok(port @ (Listener::Tcp(_) | Listener::Udp(_))) = listener {
                self.ports.insert(port, file.to_owned());
            }
        }
    }
}

/// The others draw the place in the text.
fn first_line(error: &impl ToString) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_of_the_operators_routers_are_found() {
        let yaml = "
http:
  routers:
    blog: {rule: \"Host(`Blog.example.com`) && PathPrefix(`/`)\", service: blog}
    api: {rule: \"Host(`a.example.com`) || Host(`b.example.com`)\", entryPoints: [websecure, tcp-8443]}
  services:
    blog: {loadBalancer: {servers: [{url: 'http://10.0.0.5'}]}}
udp:
  routers:
    dns: {entryPoints: [udp-53-v6], service: dns}
";
        let toml = "
[http.routers.blog]
rule = \"Host(`Blog.example.com`)\"
[http.routers.api]
rule = 'Host(`a.example.com`) || Host(`b.example.com`)'
entryPoints = ['websecure', 'tcp-8443']
[udp.routers.dns]
entryPoints = ['udp-53']
";
        for (text, format) in [(yaml, Format::Yaml), (toml, Format::Toml)] {
            let used = OperatorNames::read("x", text, format).expect(text);
            let used: Vec<_> = used.resources().map(|one| one.to_string()).collect();
            let names = ["a.example.com", "b.example.com", "blog.example.com"];
            assert_eq!(
                used,
                [&names[..], &["tcp-8443", "udp-53"]].concat(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_traefik_reads_as_nothing_is_nothing() {
        for text in ["", "# to do\n", "tls: {stores: {}}\n", "http: {}\n"] {
            let used = OperatorNames::read("x.yml", text, Format::Yaml);
            assert_eq!(used, Ok(OperatorNames::default()), "{text}");
        }
        for text in [
            "http: [",
            "http: {routers: 1}",
            "{{ if true }}\nhttp: {}\n{{ end }}",
        ] {
            assert!(
                OperatorNames::read("x.yml", text, Format::Yaml).is_err(),
                "{text}"
            );
        }
    }
}
