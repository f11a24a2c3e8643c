//! The containers that the simulated daemons have, as an engine lists and inspects them. Ten labels
//! each: a router with a certificate, a port, and a middleware.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

const FIRST_NETWORK_ID: u32 = 2816;
const NETWORK_IDS_APART: u32 = 64;
/// What a /26 has room for, beside the offsets that are reserved.
const SLOTS: usize = 61;

/// A running container.
#[derive(Clone)]
pub(crate) struct Container {
    id: String,
    name: String,
    labels: Vec<(String, String)>,
    network: Network,
}

#[derive(Clone, Copy)]
enum Network {
    /// As rediacc's repositories run theirs, which share the machine's loopback addresses.
    Host,
    /// As plain Docker does.
    Bridge(Ipv4Addr),
}

/// The network id of a repository.
pub(crate) fn network_id(repository: usize) -> u32 {
    FIRST_NETWORK_ID + repository as u32 * NETWORK_IDS_APART
}

impl Container {
    /// A repository's.
    pub(crate) fn of_repository(repository: usize, number: usize) -> Self {
        let id = network_id(repository);
        let ip = Ipv4Addr::from(0x7f00_0000 + id + 2 + (number % SLOTS) as u32);
        let name = format!("app{number}");
        let own = [
            ("rediacc.service_name", name.clone()),
            ("rediacc.service_ip", ip.to_string()),
        ];
        Self::new(&name, &format!("{name}-{id}"), id, own, Network::Host)
    }

    /// One of a daemon that knows nothing of repositories, where Traefik's own provider finds an
    /// address, too.
    pub(crate) fn of_plain_docker(number: usize) -> Self {
        // `app-2816` would end as the names of a repository do.
        let name = format!("app{number}");
        let own = [
            ("com.docker.compose.project", "bench".to_owned()),
            ("com.docker.compose.service", name.clone()),
        ];
        let ip = Ipv4Addr::from(0xac11_0002 + number as u32);
        Self::new(&name, &name, 0, own, Network::Bridge(ip))
    }

    fn new(
        name: &str,
        host: &str,
        repository: u32,
        own: [(&str, String); 2],
        network: Network,
    ) -> Self {
        let router = format!("traefik.http.routers.{name}");
        let hsts = format!("traefik.http.middlewares.{name}-hsts.headers");
        let port = format!("traefik.http.services.{name}.loadbalancer.server.port");
        let common = [
            ("traefik.enable".to_owned(), "true".to_owned()),
            (
                format!("{router}.rule"),
                format!("Host(`{host}.example.test`)"),
            ),
            (format!("{router}.entrypoints"), "websecure".to_owned()),
            // No resolver: the real Traefik would ask it for ten thousand certificates.
            (format!("{router}.tls"), "true".to_owned()),
            (format!("{router}.middlewares"), format!("{name}-hsts")),
            (format!("{hsts}.stsSeconds"), "15768000".to_owned()),
            (format!("{hsts}.stsIncludeSubdomains"), "true".to_owned()),
            (port, "8080".to_owned()),
        ];
        let own = own.map(|(label, value)| (label.to_owned(), value));
        Self {
            id: hexadecimal(&format!("{repository:06}{name:>26}")),
            name: name.to_owned(),
            labels: own.into_iter().chain(common).collect(),
            network,
        }
    }

    /// The engine's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The same, listening on another port: what Compose makes of an edited file.
    pub(crate) fn on_port(mut self, port: u16) -> Self {
        for (label, value) in &mut self.labels {
            if label.ends_with(".server.port") {
                *value = port.to_string();
            }
        }
        self
    }

    /// Its entry of a list.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "Id": self.id,
            "Names": [format!("/{}", self.name)],
            "Image": "registry.example.test/app:1.4.2",
            "ImageID": image_id(),
            "Command": "/usr/local/bin/app --config /etc/app/config.yml",
            "Created": 1_700_000_000,
            "Ports": [],
            "Labels": self.labels(),
            "State": "running",
            "Status": "Up 2 days (healthy)",
            "HostConfig": {"NetworkMode": self.network_mode()},
            "NetworkSettings": {"Networks": self.networks()},
            "Mounts": [{
                "Type": "bind",
                "Source": format!("/mnt/rediacc/mounts/{}/data", self.name),
                "Destination": "/data",
                "Mode": "",
                "RW": true,
                "Propagation": "rprivate",
            }],
        })
    }

    /// The answer to an inspect, as far as Traefik's provider reads it.
    pub(crate) fn inspection(&self) -> Value {
        json!({
            "Id": self.id,
            "Created": "2026-01-01T00:00:00.000000000Z",
            "Name": format!("/{}", self.name),
            "Path": "/usr/local/bin/app",
            "Args": ["--config", "/etc/app/config.yml"],
            "State": {
                "Status": "running",
                "Running": true,
                "Paused": false,
                "Restarting": false,
                "OOMKilled": false,
                "Dead": false,
                "Pid": 4711,
                "ExitCode": 0,
                "Error": "",
                "StartedAt": "2026-01-01T00:00:01.000000000Z",
                "FinishedAt": "0001-01-01T00:00:00Z",
                "Health": {"Status": "healthy", "FailingStreak": 0, "Log": []},
            },
            "Image": image_id(),
            "HostConfig": {
                "NetworkMode": self.network_mode(),
                "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
            },
            "Mounts": [],
            "Config": {
                "Hostname": self.name,
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": ["--config", "/etc/app/config.yml"],
                "Image": "registry.example.test/app:1.4.2",
                "ExposedPorts": {"8080/tcp": {}},
                "Labels": self.labels(),
            },
            "NetworkSettings": {"Ports": {"8080/tcp": null}, "Networks": self.networks()},
        })
    }

    fn labels(&self) -> Map<String, Value> {
        let labels = self.labels.iter();
        labels
            .map(|(label, value)| (label.clone(), Value::from(value.as_str())))
            .collect()
    }

    fn network_mode(&self) -> &'static str {
        match self.network {
            Network::Host => "host",
            Network::Bridge(_) => "bridge",
        }
    }

    fn networks(&self) -> Value {
        let (gateway, address, length) = match self.network {
            Network::Host => (String::new(), String::new(), 0),
            Network::Bridge(address) => ("172.17.0.1".to_owned(), address.to_string(), 16),
        };
        json!({self.network_mode(): {
            "IPAMConfig": null,
            "Links": null,
            "Aliases": null,
            "NetworkID": hexadecimal("the network of all of them"),
            "EndpointID": hexadecimal(&self.name),
            "Gateway": gateway,
            "IPAddress": address,
            "IPPrefixLen": length,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "MacAddress": "",
            "DriverOpts": null,
        }})
    }
}

fn image_id() -> String {
    format!("sha256:{}", hexadecimal("the image of all of them"))
}

/// 64 digits, as ids have them: other ones for another text of at most 32 bytes.
fn hexadecimal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0>64}")
}
