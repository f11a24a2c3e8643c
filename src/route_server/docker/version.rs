//! The version of the API that is spoken with an engine.

use std::path::Path;

use serde::Deserialize;

use super::client::{self, Failure, Most};

/// The newest version that was read about here; engines answer older ones.
const NEWEST: Version = Version {
    major: 1,
    minor: 53,
};

const MOST: Most = Most {
    what: "version",
    bytes: 1 << 20,
};

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u16,
    minor: u16,
}

impl Version {
    /// Where the engine has something, in this version.
    pub(super) fn path(self, rest: &str) -> String {
        format!("/v{}.{}/{rest}", self.major, self.minor)
    }
}

/// The engine's own, or the newest that is known.
pub(super) async fn ask(socket: &Path) -> Result<Version, Failure> {
    let answer = client::get(socket, "/version", MOST).await?;
    read(&answer)
}

fn read(answer: &[u8]) -> Result<Version, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        api_version: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(answer)?;
    let Some(text) = answer.api_version else {
        return Ok(NEWEST);
    };
    let version = text.split_once('.').and_then(|(major, minor)| {
        Some(Version {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    });
    let version = version.ok_or_else(|| format!("`{text}` is no version of the API"))?;
    Ok(version.min(NEWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_older_one_of_both() {
        for (answer, path) in [
            (
                r#"{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}"#,
                "/v1.41/info",
            ),
            (r#"{"ApiVersion": "1.999"}"#, "/v1.53/info"),
            (r#"{"ApiVersion": null}"#, "/v1.53/info"),
        ] {
            let version = read(answer.as_bytes()).expect(answer);
            assert_eq!(version.path("info"), path);
        }
        for answer in [
            "",
            "[]",
            r#"{"ApiVersion": "1"}"#,
            r#"{"ApiVersion": "1.4/../x"}"#,
        ] {
            assert!(read(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
