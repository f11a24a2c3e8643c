//! Requests to an engine over its Unix socket, each on a connection of its own: one that hangs
//! holds up nothing else. Whoever runs the engine may answer without an end, so that everything
//! that is read has a bound.

use std::error::Error;
use std::path::Path;

use axum::body::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use crate::printable::{LONGEST_SHOWN, shortened};

/// What an engine that refuses something may say about it.
const REFUSAL: Most = Most {
    what: "refusal",
    bytes: 64 << 10,
};

/// The longest line of a stream that is read whole. An event repeats the labels of its container.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// How much of an answer is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// What it is called.
    pub(super) what: &'static str,
    pub(super) bytes: usize,
}

/// Why there is no answer.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// A line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// It was longer than anybody reads.
    TooLong,
}

/// The body of an answer.
pub(super) async fn get(socket: &Path, path: &str, most: Most) -> Result<Vec<u8>, Failure> {
    let mut answer = Answer::to(socket, path).await?;
    answer.whole(most).await
}

/// The lines of an answer, as they come.
pub(super) async fn lines(
    socket: &Path,
    path: &str,
) -> Result<BoxStream<'static, Result<Line, Failure>>, Failure> {
    let answer = Answer::to(socket, path).await?;
    let frames = stream::try_unfold(answer, async |mut answer| {
        let frame = answer.next().await?;
        Ok::<_, Failure>(frame.map(|frame| (frame, answer)))
    });
    let lines = frames
        .try_filter_map({
            let mut splitter = Splitter::default();
            move |frame| std::future::ready(Ok(Some(splitter.lines(&frame))))
        })
        .map_ok(|lines| stream::iter(lines.into_iter().map(Ok)))
        .try_flatten();
    Ok(lines.boxed())
}

/// An answer whose body is still to be read.
struct Answer {
    body: Incoming,
    _connection: AbortOnDropHandle<Result<(), hyper::Error>>,
}

impl Answer {
    async fn to(socket: &Path, path: &str) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).await?;
        let (mut requests, connection) = handshake(TokioIo::new(stream)).await?;
        let connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::get(path)
            .header(HOST, "docker")
            .body(Empty::<Bytes>::new())?;
        let response = requests.send_request(request).await?;
        let status = response.status();
        let mut answer = Self {
            body: response.into_body(),
            _connection: connection,
        };
        if status != StatusCode::OK {
            let body = answer.whole(REFUSAL).await.unwrap_or_default();
            return Err(refusal(status, &body).into());
        }
        Ok(answer)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            // Others are trailers, which nobody asked for.
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn whole(&mut self, most: Most) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(data) = self.next().await? {
            if whole.len() + data.len() > most.bytes {
                return Err(too_large(most).into());
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole)
    }
}

fn too_large(Most { what, bytes }: Most) -> String {
    match bytes >> 20 {
        0 => format!("the {what} is larger than {} KiB", bytes >> 10),
        mebibytes => format!("the {what} is larger than {mebibytes} MiB"),
    }
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
        said.map_or("no reason given".to_owned(), |said| shortened(
            &said,
            LONGEST_SHOWN
        )
        .into_owned())
    )
}

/// Cuts what comes into lines.
#[derive(Default)]
struct Splitter {
    begun: Vec<u8>,
    /// Whether the line that was begun has grown too long.
    overflows: bool,
}

impl Splitter {
    fn lines(&mut self, data: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if self.begun.len() + text.len() > LONGEST_LINE {
                self.overflows = true;
                self.begun = Vec::new();
            }
            if !self.overflows {
                self.begun.extend_from_slice(text);
            }
            if ends {
                let text = std::mem::take(&mut self.begun);
                lines.push(match std::mem::take(&mut self.overflows) {
                    true => Line::TooLong,
                    false => Line::Whole(text),
                });
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_engines_words() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        for (body, text) in [
            (r#"{"message": "unwell"}"#, "the engine answers 500: unwell"),
            (
                r#"{"message": "\u001b[2J"}"#,
                "the engine answers 500: \\u{1b}[2J",
            ),
            ("", "the engine answers 500: no reason given"),
        ] {
            assert_eq!(refusal(status, body.as_bytes()), text);
        }
    }

    #[test]
    fn lines_are_cut_wherever_they_arrive_and_an_endless_one_is_not_kept() {
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        let mut splitter = Splitter::default();
        assert_eq!(splitter.lines(b"a\nb"), [whole("a")]);
        assert_eq!(
            splitter.lines(b"c\n\nd\n"),
            [whole("bc"), whole(""), whole("d")]
        );
        let piece = vec![b'x'; LONGEST_LINE / 2 + 1];
        for _ in 0..100 {
            assert_eq!(splitter.lines(&piece), []);
            assert!(splitter.begun.capacity() <= 2 * LONGEST_LINE);
        }
        assert_eq!(splitter.lines(b"x\ne\n"), [Line::TooLong, whole("e")]);
    }
}
