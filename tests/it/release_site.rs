//! A stand-in of the site that Traefik's releases are downloaded from, on loopback: files, and
//! everything that may come in their place.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};

use crate::test_machine::stdout_of;

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Page {
    /// A file.
    File(Vec<u8>),
    /// The file's first half, as if it were the whole until the connection ends.
    Half(Vec<u8>),
    /// A status without a body.
    Status(u16),
    /// Somewhere else.
    Redirect(String),
}

/// The site, for as long as the test runs.
pub(crate) struct ReleaseSite {
    url: String,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ReleaseSite {
    /// A site without a release, by plain HTTP.
    pub(crate) fn new() -> Self {
        Self::serve("http", |stream| Box::new(stream))
    }

    /// The same by TLS; `files` answers where the certificate lies.
    pub(crate) fn with_tls(certificate: &SelfSigned) -> Self {
        let read = "PEM of openssl's";
        let chain = vec![CertificateDer::from_pem_slice(&certificate.pem).expect(read)];
        let key = PrivateKeyDer::from_pem_slice(&certificate.key).expect(read);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .expect("a certificate that can be used");
        let config = Arc::new(config);
        Self::serve("https", move |stream| {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            Box::new(StreamOwned::new(connection, stream))
        })
    }

    fn serve(scheme: &str, wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let pages: Arc<Mutex<BTreeMap<String, Page>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (of_server, log) = (pages.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = wrap(stream.expect("a connection"));
                // A client that breaks off is part of the tests.
                let _ = answer(stream, &of_server, &log);
            }
        });
        Self {
            url: format!("{scheme}://{address}"),
            pages,
            asked,
        }
    }

    /// What `REDIACC_TRAEFIK_RELEASES` is to be.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers a path of a release by a page.
    pub(crate) fn put(&self, version: &str, file: &str, page: Page) {
        let path = format!("/v{version}/{file}");
        self.pages.lock().expect("its lock").insert(path, page);
    }

    /// Publishes a release whose program has this content.
    pub(crate) fn publish(&self, version: &str, program: &[u8]) {
        let archive = packed(program);
        let name = archive_name(version);
        let sum = sha256(&archive);
        self.put(
            version,
            &list_name(version),
            Page::File(format!("{sum}  ./{name}\n").into()),
        );
        self.put(version, &name, Page::File(archive));
    }

    /// The paths that were asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("its lock"))
    }
}

/// A release's archive for this host's architecture, as Traefik names it.
pub(crate) fn archive_name(version: &str) -> String {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    format!("traefik_v{version}_linux_{architecture}.tar.gz")
}

/// A release's list of sums, as Traefik names it.
pub(crate) fn list_name(version: &str) -> String {
    format!("traefik_v{version}_checksums.txt")
}

/// An archive as Traefik packs it.
pub(crate) fn packed(program: &[u8]) -> Vec<u8> {
    let gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, content, mode) in [
        ("LICENSE.md", &b"MIT"[..], 0o644),
        ("traefik", program, 0o755),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        archive
            .append_data(&mut header, name, content)
            .expect("an entry");
    }
    let gzip = archive.into_inner().expect("an archive");
    gzip.finish().expect("it is compressed")
}

/// A content's SHA-256, as `sha256sum` prints it.
pub(crate) fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A certificate for 127.0.0.1 that nobody knows.
pub(crate) struct SelfSigned {
    pub(crate) pem: Vec<u8>,
    key: Vec<u8>,
}

impl SelfSigned {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        stdout_of(
            Command::new("openssl")
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ])
                .args(["-nodes", "-days", "2", "-subj", "/CN=stand-in"])
                .args(["-addext", "subjectAltName=IP:127.0.0.1"])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .arg("-out")
                .arg(path("cert.pem"))
                .arg("-keyout")
                .arg(path("key.pem")),
        );
        let read = |name| std::fs::read(path(name)).expect("what openssl wrote");
        Self {
            pem: read("cert.pem"),
            key: read("key.pem"),
        }
    }
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn answer(
    stream: Box<dyn Stream>,
    pages: &Mutex<BTreeMap<String, Page>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while reader.read_line(&mut request)? > 2 {}
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("its lock").push(path.clone());
    let page = pages.lock().expect("its lock").get(&path).cloned();
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n")
    };
    let (head, body) = match page.unwrap_or(Page::Status(404)) {
        Page::File(content) => (head("200 OK", content.len()), content),
        Page::Half(content) => {
            let half = content[..content.len() / 2].to_vec();
            (head("200 OK", content.len()), half)
        }
        Page::Status(status) => (head(&format!("{status} It is so"), 0), Vec::new()),
        Page::Redirect(to) => (
            head("302 Found", 0) + &format!("Location: {to}\r\n"),
            Vec::new(),
        ),
    };
    let mut stream = reader.into_inner();
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(&body)?;
    stream.flush()
}
