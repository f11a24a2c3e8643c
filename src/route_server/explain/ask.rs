//! Questions to the running route server: one GET each, over plain HTTP. What it tells is strangers'
//! text for the most part, labels and errors of daemons: it is made printable here, where it comes in.

use std::io;
use std::net::ToSocketAddrs;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::loopback::{self, Patience};
use crate::printable::{printable, shortened};

/// How long the server may take. It answers at once, or it hangs.
const PATIENCE: Patience = Patience::of(Duration::from_secs(10));
/// How long one text may be that is shown: more than any rule.
const LONGEST_TEXT: usize = 8192;
/// How much of an answer is shown that was not expected.
const LONGEST_ANSWER: usize = 300;

/// Where the route server listens.
#[derive(Clone, Debug)]
pub(in crate::route_server) struct Server(String);

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
            _ => bail!(
                "`{}` is no address of a route server: give it as http://127.0.0.1:7111",
                printable(url)
            ),
        }
    }
}

impl Server {
    pub(super) fn url(&self) -> String {
        format!("http://{}", printable(&self.0))
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
                shortened(body.trim(), LONGEST_ANSWER),
                self.url()
            );
        }
        read(&body).with_context(|| {
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

/// An answer with nothing in it that a terminal acts on.
pub(super) fn read<T: DeserializeOwned>(body: &str) -> serde_json::Result<T> {
    serde_json::from_value(shown(serde_json::from_str(body)?))
}

fn shown(value: Value) -> Value {
    let text = |text: String| shortened(&text, LONGEST_TEXT).into_owned();
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(values) => values.into_iter().map(shown).collect(),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            let entries: Map<String, Value> = entries
                .map(|(name, value)| (text(name), shown(value)))
                .collect();
            Value::Object(entries)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
