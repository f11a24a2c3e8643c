//! What an engine says of its containers as it happens.

use std::time::SystemTime;

use serde::Deserialize;

use super::client::{Failure, Line};
use super::list::LONGEST_ID;
use super::version::Version;

/// The events after which a container's routes can be others. `create`, `kill` and `oom` are not
/// among them: nothing is reachable before `start`, and what they lead to is announced by `die`.
const RELEVANT: [&str; 9] = [
    "start",
    "die",
    "stop",
    "destroy",
    "pause",
    "unpause",
    "health_status",
    "rename",
    "update",
];

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// The container's id.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
}

/// The events that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It runs.
    Start,
    /// Its process ended.
    Die,
    /// Another relevant event.
    Other,
}

/// Where the engine tells of relevant events from a moment on.
pub(super) fn path(version: Version, since: SystemTime) -> String {
    let since = since
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let events: Vec<_> = RELEVANT
        .iter()
        .map(|event| format!("\"{event}\""))
        .collect();
    let filters = format!(
        "{{\"type\":[\"container\"],\"event\":[{}]}}",
        events.join(",")
    );
    version.path(&format!(
        "events?since={}.{:09}&filters={}",
        since.as_secs(),
        since.subsec_nanos(),
        escaped(&filters)
    ))
}

/// As a query has it.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

pub(super) fn read(line: &Line) -> Result<ContainerEvent, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Message {
        action: Option<String>,
        actor: Option<Actor>,
    }
    #[derive(Deserialize)]
    struct Actor {
        #[serde(rename = "ID")]
        id: Option<String>,
    }
    let Line::Whole(text) = line else {
        // Something happened to a container with labels beyond all measure: the list will tell.
        return Ok(ContainerEvent {
            id: String::new(),
            kind: EventKind::Other,
        });
    };
    let message: Message = serde_json::from_slice(text)?;
    let id = message.actor.and_then(|actor| actor.id);
    Ok(ContainerEvent {
        // One that no list can show is nobody's.
        id: id.filter(|id| id.len() <= LONGEST_ID).unwrap_or_default(),
        kind: match message.action.as_deref() {
            Some("start") => EventKind::Start,
            Some("die") => EventKind::Die,
            _ => EventKind::Other,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_by_its_action_and_its_container() {
        let event = |id: &str, kind| ContainerEvent {
            id: id.to_owned(),
            kind,
        };
        for (line, expected) in [
            (
                r#"{"Type":"container","Action":"die","Actor":{"ID":"1f","Attributes":{}}}"#,
                event("1f", EventKind::Die),
            ),
            (
                r#"{"Action":"start","Actor":{"ID":"1f"}}"#,
                event("1f", EventKind::Start),
            ),
            (
                r#"{"Action":"health_status: healthy","Actor":{"ID":"1f"}}"#,
                event("1f", EventKind::Other),
            ),
            (r#"{"Actor":null}"#, event("", EventKind::Other)),
        ] {
            let read = read(&Line::Whole(line.as_bytes().to_vec()));
            assert_eq!(read.expect(line), expected);
        }
        let read_too_long = read(&Line::TooLong).expect("an event");
        assert_eq!(read_too_long, event("", EventKind::Other));
        assert!(read(&Line::Whole(b"\0garbage".to_vec())).is_err());
    }

    #[test]
    fn a_subscription_is_a_path_that_http_takes() {
        let path = escaped("{\"a_b\":[1]}");
        assert_eq!(path, "%7B%22a_b%22%3A%5B%31%5D%7D");
    }
}
