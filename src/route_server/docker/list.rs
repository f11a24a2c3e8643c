//! `GET /containers/json`, asked and read without the client, which takes a list as one thing: a
//! single container in a state that it has no word for would cost a daemon all its routes. Here it
//! costs itself. Only what routes depend on is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::path::Path;

use axum::body::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

/// One container of the list. What an engine has no answer for, it omits or says null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) names: Option<Vec<String>>,
    #[serde(rename = "ImageID")]
    pub(super) image_id: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) ports: Option<Vec<Port>>,
    pub(super) labels: Option<HashMap<String, String>>,
    pub(super) state: Option<String>,
    pub(super) status: Option<String>,
    pub(super) health: Option<Health>,
    pub(super) host_config: Option<HostConfig>,
    pub(super) network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Port {
    pub(super) private_port: u16,
    #[serde(rename = "Type")]
    pub(super) protocol: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Health {
    pub(super) status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    pub(super) network_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    /// Ordered by name.
    pub(super) networks: Option<BTreeMap<String, Option<Network>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Network {
    #[serde(rename = "IPAddress")]
    pub(super) ip_address: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    pub(super) global_ipv6_address: Option<String>,
}

/// The containers that could not be read, as far as that was said already.
#[derive(Default)]
pub(super) struct Unreadable(BTreeSet<String>);

/// Why there is no list.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// All containers, on a connection of its own: one that hangs holds up nothing else.
pub(super) async fn list(
    socket: &Path,
    version: &str,
    unreadable: &mut Unreadable,
) -> Result<Vec<Summary>, Failure> {
    let stream = UnixStream::connect(socket).await?;
    let (mut requests, connection) = handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get(format!("/v{version}/containers/json?all=true"))
        .header(HOST, "docker")
        .body(Empty::<Bytes>::new())?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status != StatusCode::OK {
        return Err(refusal(status, &body).into());
    }
    Ok(read(&body, unreadable)?)
}

/// What an engine says when it does not do what it is asked.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let said = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.message);
    format!(
        "the engine answers {}: {}",
        status.as_u16(),
        said.as_deref().unwrap_or("no reason given")
    )
}

fn read(body: &[u8], unreadable: &mut Unreadable) -> Result<Vec<Summary>, serde_json::Error> {
    let entries: Vec<&RawValue> = serde_json::from_slice(body)?;
    let mut faults = BTreeSet::new();
    let mut summaries = Vec::with_capacity(entries.len());
    for entry in entries {
        match serde_json::from_str(entry.get()) {
            Ok(summary) => summaries.push(summary),
            Err(error) => {
                let beginning: String = entry.get().chars().take(100).collect();
                faults.insert(format!("{error}: {beginning}"));
            }
        }
    }
    for fault in faults.difference(&unreadable.0) {
        warn!("a container cannot be read and has no routes: {fault}");
    }
    unreadable.0 = faults;
    Ok(summaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_cannot_be_read_costs_itself() {
        let body = br#"[
            {"Id": "good", "State": "running"},
            {"Id": 1},
            null,
            {"Id": "odd", "State": "configured", "Ports": [{"PrivatePort": 1, "Type": "quic"}],
             "Labels": null, "NetworkSettings": {"Networks": {"a": null}}, "Unheard": {}}
        ]"#;
        let mut unreadable = Unreadable::default();
        let summaries = read(body, &mut unreadable).expect("a list");
        let ids: Vec<_> = summaries.iter().map(|summary| &summary.id).collect();
        assert_eq!(ids, ["good", "odd"]);
        assert_eq!(unreadable.0.len(), 2);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for body in [&b""[..], b"{}", b"[{\"Id\": \"", b"\0garbage"] {
            assert!(read(body, &mut Unreadable::default()).is_err());
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_engines_words() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        for (body, text) in [
            (r#"{"message": "unwell"}"#, "the engine answers 500: unwell"),
            ("", "the engine answers 500: no reason given"),
        ] {
            assert_eq!(refusal(status, body.as_bytes()), text);
        }
    }
}
