//! Questions to the running route server: one GET each, over plain HTTP.

use std::io;
use std::net::ToSocketAddrs;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::loopback::{self, Patience};
use crate::route_server::shown::shown;

/// How long the server may take. It answers at once, or it hangs.
const PATIENCE: Patience = Patience::of(Duration::from_secs(10));

/// Where the route server listens.
#[derive(Clone, Debug)]
pub(in crate::route_server) struct Server(String);

/// An answer as it may be shown: labels and rules are in it as somebody wrote them.
fn drawn(value: Value) -> Value {
    let text = |text: &str| shown(text, usize::MAX);
    match value {
        Value::String(string) => text(&string).into(),
        Value::Array(items) => items.into_iter().map(drawn).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (text(&key), drawn(value)))
            .collect(),
        other => other,
    }
}

impl FromStr for Server {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        let authority = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        match authority {
            Some(authority) if !authority.is_empty() && !authority.contains('/') => {
                Ok(Self(authority.to_owned()))
            }
            _ => bail!("`{url}` is no address of a route server: give it as http://127.0.0.1:7111"),
        }
    }
}

impl Server {
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.0)
    }

    /// The answer, if it is the whole one.
    pub(in crate::route_server) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> anyhow::Result<T> {
        let (status, body) = self.request(path).map_err(|error| {
            anyhow!(
                "cannot ask the route server at {}: {error}\nhint: run `systemctl status \
                 rediacc-router.service`, or name another server with --url",
                self.url()
            )
        })?;
        // A server that is starting or degraded says so in an answer of the same shape.
        if status == 503 && path != "/health" {
            bail!(
                "the routes are not complete yet: {}\nhint: run it again in some seconds, or `curl \
                 -s {}/health` to see who is waited for",
                body.trim(),
                self.url()
            );
        }
        let answer = serde_json::from_str(&body).map(drawn);
        answer.and_then(serde_json::from_value).with_context(|| {
            format!(
                "{}{path} answers {status}, which was not understood",
                self.url()
            )
        })
    }

    fn request(&self, path: &str) -> io::Result<(u16, String)> {
        let address = self.0.to_socket_addrs()?.next();
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let answer = loopback::get(address, path, PATIENCE, u64::MAX)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_of_an_answer_draws_on_a_terminal() {
        let answer = json!({"a\u{1b}": ["Host(`\u{9b}2J`)", {"b": "\n"}, 1, null]});
        let expected = json!({"a\\u{1b}": ["Host(`\\u{9b}2J`)", {"b": "\\u{a}"}, 1, null]});
        assert_eq!(drawn(answer), expected);
    }
}
