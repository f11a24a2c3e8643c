//! One request to Traefik, as a client from outside would send it: for the host of the route, at the
//! address at which Traefik listens.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::listing::Question;
use crate::bundle::Served;
use crate::machine::https;

/// How long one step of the exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many bytes of an answer are read: more than any head has.
const ANSWER_BYTES: u64 = 64 * 1024;
/// The body that Traefik sends without a route. Any program in Go may send the same.
const NOT_FOUND: &[u8] = b"404 page not found\n";

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) status: u16,
    /// The time to the head of the answer, in seconds.
    pub(super) seconds: f64,
    /// Whether Traefik itself may have answered that it has no route.
    pub(super) may_be_no_route: bool,
    /// What is wrong with the certificate.
    pub(super) certificate: Option<Served>,
}

/// Sends the request once.
pub(super) fn ask(question: &Question) -> io::Result<Asked> {
    let begin = Instant::now();
    if question.has_tls {
        let (stream, certificate) = https::open(question.at, &question.host, PATIENCE)?;
        let asked = exchange(stream, question, begin)?;
        return Ok(Asked {
            certificate,
            ..asked
        });
    }
    let stream = TcpStream::connect_timeout(&question.at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    exchange(stream, question, begin)
}

fn exchange(
    mut stream: impl Read + Write,
    question: &Question,
    begin: Instant,
) -> io::Result<Asked> {
    let Question { host, path, .. } = question;
    // In one write: a server may answer and close as soon as it has read the first part.
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: renet\r\nAccept: */*\r\nConnection: \
         close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let mut stream = stream.take(ANSWER_BYTES);
    let mut head = None;
    loop {
        if head.is_none()
            && let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            head = Some((end + 4, begin.elapsed().as_secs_f64()));
        }
        // A body that never ends is not read.
        if head.is_some_and(|(end, _)| answer.len() - end > NOT_FOUND.len()) {
            break;
        }
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            // The head is what matters; a peer may end TLS without saying so.
            Err(_) if head.is_some() => break,
            Err(error) => return Err(error),
        }
    }
    let (end, seconds) = head.ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = status(&answer).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Asked {
        status,
        seconds,
        may_be_no_route: status == 404 && &answer[end..] == NOT_FOUND,
        certificate: None,
    })
}

/// The code in a status line: `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::TcpListener;
    use std::thread;

    /// What a server's answer comes to; and what it was asked.
    fn asked(answer: &'static [u8]) -> (io::Result<Asked>, String) {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let question = Question {
            at: server.local_addr().expect("an address"),
            has_tls: false,
            host: "app.test".to_owned(),
            path: "/x".to_owned(),
            entrypoint: "web".to_owned(),
            resolver: None,
        };
        let serving = thread::spawn(move || {
            let (mut client, _) = server.accept().expect("a client");
            let mut request = [0; 1024];
            let count = client.read(&mut request).expect("a request");
            client.write_all(answer).expect("it is written");
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let asked = ask(&question);
        (asked, serving.join().expect("it ends"))
    }

    #[test]
    fn an_answer_is_a_status_and_traefiks_own_404_is_told_apart() {
        for (answer, expected) in [
            (
                &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..],
                Some((200, false)),
            ),
            (
                b"HTTP/1.1 502 Bad Gateway\r\n\r\nBad Gateway",
                Some((502, false)),
            ),
            (
                b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n",
                Some((404, true)),
            ),
            (
                b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n of the app",
                Some((404, false)),
            ),
            (
                b"HTTP/1.1 404 Not Found\r\n\r\nnothing here",
                Some((404, false)),
            ),
            (b"HTTP/1.1 200 OK\r\nX: y", None),
            (b"nonsense\r\n\r\n", None),
            (b"", None),
        ] {
            let (asked, request) = asked(answer);
            let found = asked
                .ok()
                .map(|asked| (asked.status, asked.may_be_no_route));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(answer));
            assert!(
                request.starts_with("GET /x HTTP/1.1\r\nHost: app.test\r\n"),
                "{request}"
            );
        }
    }
}
