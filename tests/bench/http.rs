//! HTTP/1.1 as far as the measures need it, over any stream: one request at a time on a connection
//! that is kept.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

/// A connection to a server.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
    host: &'static str,
}

/// What a server said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// How the end of a body is found.
enum Framing {
    Length(usize),
    Chunked,
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self::to(stream, "localhost")
    }

    /// One that asks for a host by name.
    pub(crate) fn to(stream: S, host: &'static str) -> Self {
        // One read for an ordinary list.
        let stream = BufReader::with_capacity(256 << 10, stream);
        Self { stream, host }
    }

    /// Asks, and waits for the whole answer.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path)
    }

    /// The same with another method.
    pub(crate) fn request(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        self.send(method, path)?;
        self.answer()
    }

    /// Asks, and leaves the answer to be read.
    pub(crate) fn send(&mut self, method: &str, path: &str) -> io::Result<()> {
        let host = self.host;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Reads the answer to what was sent.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1);
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| malformed(&status_line))?;
        let mut framing = Framing::Length(0);
        loop {
            let header = self.line()?.to_ascii_lowercase();
            match header.split_once(':') {
                Some(("content-length", length)) => {
                    let length = length.trim().parse().map_err(|_| malformed(&header))?;
                    framing = Framing::Length(length);
                }
                Some(("transfer-encoding", _)) => framing = Framing::Chunked,
                Some(_) => {}
                None => break,
            }
        }
        let body = match framing {
            Framing::Length(length) => self.bytes(length)?,
            Framing::Chunked => self.chunks()?,
        };
        Ok(Answer { status, body })
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| malformed(&line))?;
            let chunk = self.bytes(length)?;
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
            // Engines send a list as one chunk: it is not copied.
            if body.is_empty() {
                body = chunk;
            } else {
                body.extend(chunk);
            }
        }
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("no HTTP: {line:?}"))
}
