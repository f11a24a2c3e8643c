//! The ports that an image exposes. Containers on the network of the host or of another container
//! show none of their own.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{self, Failure, Most};
use super::version::Version;

const MOST: Most = Most {
    what: "description of the image",
    bytes: 8 << 20,
};

/// Exposed ports, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) tcp: Vec<u16>,
    pub(super) udp: Vec<u16>,
}

/// The ports of an image by its id.
pub(super) async fn ports(socket: &Path, version: Version, image: &str) -> Result<Ports, Failure> {
    // The engine said so, and could have said anything.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-/@".contains(&byte);
    if image.len() > 256 || !image.bytes().all(is_plain) {
        return Err("the id of the image is none".into());
    }
    let path = version.path(&format!("images/{image}/json"));
    let answer = client::get(socket, &path, MOST).await?;
    read(&answer)
}

fn read(answer: &[u8]) -> Result<Ports, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Image {
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    }
    let image: Image = serde_json::from_slice(answer)?;
    let exposed = image.config.and_then(|config| config.exposed_ports);
    let exposed = exposed.unwrap_or_default();
    let of = |protocol: &str| {
        let ports = exposed.keys();
        super::summary::sorted(ports.filter_map(|port| port.strip_suffix(protocol)?.parse().ok()))
    };
    Ok(Ports {
        tcp: of("/tcp"),
        udp: of("/udp"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_both_protocols_are_read() {
        let answer = r#"{"Id": "sha256:1f", "Config": {"ExposedPorts":
            {"9000/tcp": {}, "80/tcp": {}, "53/udp": {}, "53/sctp": {}, "x/tcp": {}}}}"#;
        let ports = read(answer.as_bytes()).expect("an image");
        assert_eq!((ports.tcp, ports.udp), (vec![80, 9000], vec![53]));
        for answer in [
            r#"{}"#,
            r#"{"Config": null}"#,
            r#"{"Config": {"ExposedPorts": null}}"#,
        ] {
            assert_eq!(read(answer.as_bytes()).expect(answer), Ports::default());
        }
    }
}
