//! Requests to the victim without a pause, of each kind one after another: what became of them, and
//! how long they took.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::backends::Whose;
use super::site::{AUTO, Entrypoints, LIMITED, MAIL, Pages, SHOP};

/// What takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Within what a change of the victim is live.
const IN_TIME: Duration = Duration::from_secs(1);
/// From when on a change that is not live means that something stands still.
const STANDSTILL: Duration = Duration::from_secs(8);
/// Between two requests of a flow.
const PAUSE: Duration = Duration::from_millis(5);
/// What is asked for: nobody else answers a challenge of the victim's names either.
const PATHS: [&str; 3] = [
    "/",
    "/.well-known/acme-challenge/token",
    "/api/v1?key=value",
];

/// Requests that go on until they are ended.
pub(super) struct Flows {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Outcome>>>,
}

/// Of one request: its kind, and how long it took.
type Outcome = (&'static str, Result<Duration, Fault>);

/// What a user would have seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Failed(String),
    /// Somebody else answered.
    WrongDestination,
    /// The victim's own limit, which is none of the faults.
    Limited,
}

/// What became of requests and redeployments.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By kind, ascending.
    took: BTreeMap<&'static str, Vec<Duration>>,
    faults: BTreeMap<(&'static str, Fault), usize>,
    /// How long each change of the victim took until it was live.
    changes: Vec<Duration>,
}

impl Flows {
    pub(super) fn start(entrypoints: Entrypoints) -> Self {
        let Entrypoints {
            pages,
            websecure,
            tcp: tcp_at,
            dynamic,
            udp: udp_at,
        } = entrypoints;
        let is_over = Arc::new(AtomicBool::new(false));
        let tls = Arc::new(client_config());
        let [tls_of_pages, tls_of_mail, tls_of_limit] = [(); 3].map(|()| tls.clone());
        let flow = |kind: &'static str, ask: Box<dyn Fn(usize) -> Result<(), Fault> + Send>| {
            let is_over = is_over.clone();
            thread::spawn(move || {
                let mut outcomes = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let outcome = ask(outcomes.len()).map(|()| begun.elapsed());
                    outcomes.push((kind, outcome));
                    thread::sleep(PAUSE);
                }
                outcomes
            })
        };
        let path = |index: usize| PATHS[index % PATHS.len()];
        let threads = vec![
            flow(
                "https",
                Box::new(move |index| https(websecure, SHOP, path(index), &tls)),
            ),
            flow(
                "auto",
                Box::new(move |index| page(pages, AUTO, path(index), &tls_of_pages)),
            ),
            flow("tcp", Box::new(move |_| tcp(tcp_at))),
            flow("dynamic", Box::new(move |_| tcp(dynamic))),
            flow("mail", Box::new(move |_| mail(websecure, &tls_of_mail))),
            flow("udp", Box::new(move |_| udp(udp_at))),
            flow("limited", Box::new(move |_| limited(pages, &tls_of_limit))),
        ];
        Self { is_over, threads }
    }

    /// Ends them, and adds how long the victim's changes took meanwhile.
    pub(super) fn end(self, changes: Vec<Duration>) -> Tally {
        self.is_over.store(true, Ordering::Relaxed);
        let mut tally = Tally {
            changes,
            ..Tally::default()
        };
        for thread in self.threads {
            for (kind, outcome) in thread.join().expect("no panic") {
                match outcome {
                    Ok(took) => tally.took.entry(kind).or_default().push(took),
                    Err(fault) => *tally.faults.entry((kind, fault)).or_default() += 1,
                }
            }
        }
        tally
    }
}

impl Tally {
    pub(super) fn sum(tallies: Vec<Self>) -> Self {
        let mut sum = Self::default();
        for tally in tallies {
            for (kind, mut took) in tally.took {
                sum.took.entry(kind).or_default().append(&mut took);
            }
            for (fault, count) in tally.faults {
                *sum.faults.entry(fault).or_default() += count;
            }
            sum.changes.extend(tally.changes);
        }
        sum.changes.sort_unstable();
        for took in sum.took.values_mut() {
            took.sort_unstable();
        }
        sum
    }

    pub(super) fn faults(&self) -> Vec<String> {
        let faults = self.faults.iter();
        faults
            .filter(|((_, fault), _)| *fault != Fault::Limited)
            .map(|((kind, fault), count)| format!("{count} × {kind}: {fault:?}"))
            .collect()
    }

    /// Changes are live within a second. A machine that runs other tests beside is too busy now and
    /// then, so that this is asked of the median, and of all of them that nothing stands still.
    #[track_caller]
    pub(super) fn changes_are_in_time(&self, quiet: &Self) {
        let median = |tally: &Self| tally.changes.get(tally.changes.len() / 2).copied();
        let limit = IN_TIME.max(2 * median(quiet).unwrap_or_default());
        let changes = &self.changes;
        assert!(
            median(self).is_some_and(|median| median < limit),
            "{changes:?}"
        );
        assert!(self.slowest_change() < STANDSTILL, "{changes:?}");
    }

    fn slowest_change(&self) -> Duration {
        self.changes.last().copied().unwrap_or_default()
    }

    /// By how much the slowest hundredth of each kind is slower.
    pub(super) fn compared_with(&self, other: &Self) -> String {
        let ratios = self.took.iter().map(|(kind, took)| {
            let before = percentile_99(other.took.get(kind).map_or(&[], Vec::as_slice));
            let ratio = percentile_99(took).as_secs_f64() / before.as_secs_f64();
            format!("{kind} × {ratio:.2}")
        });
        let ratios: Vec<_> = ratios.collect();
        format!("p99 under attack and without: {}", ratios.join(", "))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, took) in &self.took {
            write!(
                f,
                "{kind} {} (p99 {:.1?}), ",
                took.len(),
                percentile_99(took)
            )?;
        }
        let (changes, slowest) = (self.changes.len(), self.slowest_change());
        write!(
            f,
            "{changes} changes, the slowest {slowest:.0?}; faults: {:?}",
            self.faults()
        )
    }
}

fn percentile_99(ascending: &[Duration]) -> Duration {
    let at = ascending.len() * 99 / 100;
    ascending.get(at).copied().unwrap_or(Duration::MAX)
}

/// One that is refused for its number is as it is to be.
fn limited(pages: Pages, tls: &Arc<ClientConfig>) -> Result<(), Fault> {
    match page(pages, LIMITED, "/", tls) {
        Err(Fault::Failed(how)) if how.contains("429") => Err(Fault::Limited),
        other => other,
    }
}

/// One request on a connection of its own, as the machine serves pages.
pub(super) fn page(
    pages: Pages,
    host: &str,
    path: &str,
    tls: &Arc<ClientConfig>,
) -> Result<(), Fault> {
    match pages {
        Pages::Plain(at) => http(at, host, path),
        Pages::Secure(at) => https(at, host, path, tls),
    }
}

fn http(at: SocketAddr, host: &str, path: &str) -> Result<(), Fault> {
    judged(connect(at).and_then(|stream| exchange(stream, host, path)))
}

fn https(at: SocketAddr, host: &str, path: &str, tls: &Arc<ClientConfig>) -> Result<(), Fault> {
    let ask = || {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        exchange(StreamOwned::new(session, connect(at)?), host, path)
    };
    judged(ask())
}

fn mail(at: SocketAddr, tls: &Arc<ClientConfig>) -> Result<(), Fault> {
    let ask = || {
        let name = ServerName::try_from(MAIL).map_err(io::Error::other)?;
        let session = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        let mut answer = vec![0; Whose::Victims.word().len()];
        StreamOwned::new(session, connect(at)?).read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    judged(ask())
}

fn tcp(at: SocketAddr) -> Result<(), Fault> {
    let ask = || {
        let mut answer = String::new();
        connect(at)?.read_to_string(&mut answer)?;
        Ok(answer)
    };
    judged(ask())
}

fn udp(at: SocketAddr) -> Result<(), Fault> {
    let ask = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.send_to(b"?", at)?;
        let mut answer = [0; 512];
        let (length, _) = socket.recv_from(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    judged(ask())
}

fn connect(at: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<String> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    // Without a farewell of TLS, the length says whether it is whole.
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        status => Err(io::Error::other(format!("status {status:?}"))),
    }
}

fn judged(answer: io::Result<String>) -> Result<(), Fault> {
    match answer {
        Ok(answer) if answer == Whose::Victims.word() => Ok(()),
        Ok(answer) if answer.is_empty() => Err(Fault::Failed("no answer".to_owned())),
        Ok(_) => Err(Fault::WrongDestination),
        Err(error) => Err(Fault::Failed(error.to_string())),
    }
}

/// Whatever the certificate: who answers is told by what is answered.
pub(super) fn client_config() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("known versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(schemes)))
        .with_no_client_auth()
}

#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
