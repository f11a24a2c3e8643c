//! The programs under measure, as processes of their own, and what the kernel says of them.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::Client;

/// How long anything may take. What takes longer has not happened, and ends the run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// Between two attempts to connect to a program that is starting.
const CONNECT_INTERVAL: Duration = Duration::from_micros(200);

/// The names that a route server here, and a Traefik, know.
const ENTRYPOINTS: &str = "web,websecure";

/// A running program. Dropping it ends it.
pub(crate) struct Program {
    child: Child,
    port: u16,
    log: PathBuf,
}

/// Resident memory in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: f64,
    pub(crate) peak: f64,
}

/// Where a route server finds its daemons.
pub(crate) enum Daemons<'a> {
    /// A folder of sockets.
    Folder(&'a Path),
    /// One socket that is named.
    Socket(&'a Path),
}

impl Program {
    /// Starts our route server, which knows nothing yet: the folder holds its state and its log.
    pub(crate) fn renet(daemons: &Daemons<'_>, folder: &Path) -> io::Result<Self> {
        let port = free_port()?;
        let state = fresh(folder, "state")?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_renet"));
        command
            .arg("route-server")
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--entrypoints", ENTRYPOINTS])
            .args(["--base-domain", "example.test"])
            .arg("--state-dir")
            .arg(state);
        match daemons {
            Daemons::Folder(sockets) => command.arg("--socket-dir").arg(sockets),
            Daemons::Socket(socket) => {
                let none = fresh(folder, "no-sockets")?;
                let host = format!("unix://{}", socket.display());
                let command = command.arg("--socket-dir").arg(none);
                // Ten thousand containers of one repository are more than it may have.
                command.args(["--quota", "host=1000", "--docker-host", &host])
            }
        };
        Self::spawn(&mut command, port, &folder.join("renet.log"))
    }

    /// Starts the real Traefik with its own Docker provider on a daemon. Its provider's throttle
    /// is as short as the one that `push-infra` sets.
    pub(crate) fn traefik(binary: &Path, socket: &Path, folder: &Path) -> io::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(binary);
        command
            .args([
                "--global.checknewversion=false",
                "--global.sendanonymoususage=false",
            ])
            .args(["--log.level=ERROR", "--api.insecure=true"])
            .arg(format!("--entrypoints.traefik.address=127.0.0.1:{port}"))
            .arg(format!(
                "--entrypoints.web.address=127.0.0.1:{}",
                free_port()?
            ))
            .arg(format!(
                "--entrypoints.websecure.address=127.0.0.1:{}",
                free_port()?
            ))
            .arg("--providers.providersthrottleduration=100ms")
            .arg("--providers.docker.exposedbydefault=false")
            .arg(format!(
                "--providers.docker.endpoint=unix://{}",
                socket.display()
            ));
        Self::spawn(&mut command, port, &folder.join("traefik.log"))
    }

    fn spawn(command: &mut Command, port: u16, log: &Path) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        Ok(Self {
            child,
            port,
            log: log.to_owned(),
        })
    }

    /// Connects as soon as it listens.
    pub(crate) fn connect(&self) -> io::Result<Client<TcpStream>> {
        let started = Instant::now();
        loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    return Ok(Client::new(stream));
                }
                Err(error) if started.elapsed() > PATIENCE => return Err(self.failed(&error)),
                Err(_) => thread::sleep(CONNECT_INTERVAL),
            }
        }
    }

    /// Waits until a Traefik has this many HTTP routers.
    pub(crate) fn await_routers(&self, count: u64) -> io::Result<()> {
        let started = Instant::now();
        let mut api = self.connect()?;
        loop {
            // It answers 404 before it has set up its own routers, which come on top.
            let answer = api.get("/api/overview")?;
            let overview: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let total = overview["http"]["routers"]["total"].as_u64();
            if total.is_some_and(|total| total >= count) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                let error = io::Error::other(format!("{total:?} routers and not {count}"));
                return Err(self.failed(&error));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has in memory, and what it had at most.
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            kib.map_or(f64::NAN, |kib: f64| kib / 1024.0)
        };
        Ok(Memory {
            now: mib("VmRSS:"),
            peak: mib("VmHWM:"),
        })
    }

    /// The processor time of its threads. Not `utime` and `stime`, whose ticks of 10 ms are as
    /// long as what is measured.
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end meanwhile.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let spent = text.split(' ').next().and_then(|text| text.parse().ok());
            nanoseconds += spent.unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn failed(&self, error: &io::Error) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        io::Error::other(format!("{error}; its last words: {lines:?}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has at this moment.
pub(crate) fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn fresh(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(&path)?;
    Ok(path)
}
