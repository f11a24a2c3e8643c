//! Which certificate a server has for a name: a handshake as any client makes it, which believes
//! everything and notes what it was shown.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

use crate::machine::x509::Leaf;

/// How many handshakes are under way at once: Traefik has clients to serve meanwhile.
const AT_ONCE: usize = 8;
/// How long one step of a handshake may take. The server is on this machine.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is asked for where any name below a wildcard will do.
const ANY_LABEL: &str = "rediacc-status";

/// What a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A certificate.
    Certificate(Leaf),
    /// None, and why.
    Nothing(String),
}

/// Asks some servers for the certificate of a name each; none for those that there was no time for.
pub(super) fn ask(questions: &[(SocketAddr, &str)], deadline: Instant) -> Vec<Option<Seen>> {
    let answers = Mutex::new(vec![None; questions.len()]);
    let next = AtomicUsize::new(0);
    let work = || {
        while Instant::now() < deadline {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((address, name)) = questions.get(index) else {
                return;
            };
            let seen = certificate(*address, name)
                .unwrap_or_else(|error| Seen::Nothing(error.to_string()));
            if let Ok(mut answers) = answers.lock() {
                answers[index] = Some(seen);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(questions.len()) {
            scope.spawn(work);
        }
    });
    answers.into_inner().unwrap_or_default()
}

fn certificate(address: SocketAddr, name: &str) -> io::Result<Seen> {
    let name = match name.strip_prefix("*.") {
        Some(parent) => format!("{ANY_LABEL}.{parent}"),
        None => name.to_owned(),
    };
    let Client {
        mut connection,
        mut stream,
        shown,
    } = client(address, &name, PATIENCE)?;
    let ended = connection.complete_io(&mut stream);
    // What comes after the certificate does not matter: some servers want one of the client's.
    match shown.seen() {
        Some(seen) => Ok(seen),
        None => {
            ended?;
            Ok(Seen::Nothing("it shows no certificate".to_owned()))
        }
    }
}

/// A TLS connection that is open.
pub(super) type Opened = StreamOwned<ClientConnection, TcpStream>;

/// Opens a connection for a name, whatever certificate the server has; and which one it showed. One
/// step of it, and of what is read and written later, takes no more than some time.
pub(super) fn open(address: SocketAddr, name: &str, time: Duration) -> io::Result<(Opened, Seen)> {
    let Client {
        mut connection,
        mut stream,
        shown,
    } = client(address, name, time)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let seen = shown.seen();
    let seen = seen.unwrap_or_else(|| Seen::Nothing("it shows no certificate".to_owned()));
    Ok((StreamOwned::new(connection, stream), seen))
}

/// A client that has said nothing yet.
struct Client {
    connection: ClientConnection,
    stream: TcpStream,
    shown: Arc<Shown>,
}

fn client(address: SocketAddr, name: &str, time: Duration) -> io::Result<Client> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let shown = Arc::new(Shown {
        leaf: OnceLock::new(),
        provider: Arc::clone(&provider),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&shown) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let stream = TcpStream::connect_timeout(&address, time)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    Ok(Client {
        connection,
        stream,
        shown,
    })
}

/// Believes every certificate, and keeps it.
#[derive(Debug)]
struct Shown {
    leaf: OnceLock<Result<Leaf, String>>,
    provider: Arc<CryptoProvider>,
}

impl Shown {
    /// What was shown so far.
    fn seen(&self) -> Option<Seen> {
        Some(match self.leaf.get()? {
            Ok(leaf) => Seen::Certificate(leaf.clone()),
            Err(error) => Seen::Nothing(error.clone()),
        })
    }
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let _ = self.leaf.set(Leaf::from_der(certificate));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
