//! A machine on which one tool keeps the proxy in place, and what is to be seen of that from
//! outside: whether units were started anew, which port listens, how often somebody logged in.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::test_machine::TestMachine;

/// How long a port may take to open or to close.
const PATIENCE: Duration = Duration::from_secs(30);
const ASK_INTERVAL: Duration = Duration::from_millis(5);

/// The lists of TCP ports between which a change goes back and forth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    Few,
    More,
}

impl Ports {
    pub(crate) const BOTH: [Self; 2] = [Self::Few, Self::More];
    /// The port in which they differ.
    const DIFFERENT: u16 = 8001;

    /// As `set-infra --tcp-ports` takes them.
    pub(crate) fn list(self) -> String {
        match self {
            Self::Few => "8000".to_owned(),
            Self::More => format!("8000,{}", Self::DIFFERENT),
        }
    }

    /// The folder that holds the files for them.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Few => "few",
            Self::More => "more",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Few => Self::More,
            Self::More => Self::Few,
        }
    }
}

/// A machine, and which list of ports it has.
pub(crate) struct Subject {
    pub(crate) machine: TestMachine,
    pub(crate) ports: Ports,
}

/// What of a machine shows whether anything was done to it.
#[derive(PartialEq, Eq)]
pub(crate) struct Seen {
    /// One line a unit, another one after each start.
    invocations: String,
    logins: usize,
}

impl Subject {
    pub(crate) fn boot(role: &str) -> Self {
        Self {
            machine: TestMachine::bare(role),
            ports: Ports::Few,
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.machine.env("ADDR")
    }

    /// Puts the programs where the rendered files expect them: what it costs to bring them is
    /// measured of nobody.
    pub(crate) fn bring_programs(&self) -> io::Result<()> {
        let root = Path::new("/proc")
            .join(self.machine.env("LEADER"))
            .join("root");
        let current = root.join("etc/rediacc/current");
        for folder in [&current, &root.join("etc/rediacc/traefik.d")] {
            fs::create_dir_all(folder)?;
        }
        fs::create_dir_all(root.join("etc/sysusers.d"))?;
        let traefik = PathBuf::from(self.machine.env("TRAEFIK"));
        fs::copy(env!("CARGO_BIN_EXE_renet"), current.join("renet"))?;
        fs::copy(traefik, current.join("traefik"))?;
        Ok(())
    }

    pub(crate) fn look(&self) -> Seen {
        let units = ["rediacc-router.service", "rediacc-proxy.service"];
        let show = ["systemctl", "show", "--property=InvocationID,ActiveState"];
        let invocations = self.machine.run(&[&show[..], &units].concat());
        // What sshd said may still be on its way to the journal.
        let journal = "journalctl --sync && journalctl --output=cat --unit=ssh.service";
        let journal = self.machine.run(&["sh", "-c", journal]);
        let accepted = journal.lines().filter(|line| line.starts_with("Accepted "));
        Seen {
            invocations,
            logins: accepted.count(),
        }
    }

    /// That the port in which the lists differ is as it has to be: without it, nothing was changed,
    /// however long it took.
    pub(crate) fn await_ports(&self) -> io::Result<()> {
        let (started, wanted) = (Instant::now(), self.ports == Ports::More);
        let at = (self.address(), Ports::DIFFERENT);
        while TcpStream::connect(at).is_ok() != wanted {
            if started.elapsed() > PATIENCE {
                let state = if wanted { "closed" } else { "open" };
                return Err(io::Error::other(format!(
                    "{}:{} is still {state}",
                    at.0, at.1
                )));
            }
            thread::sleep(ASK_INTERVAL);
        }
        Ok(())
    }
}

impl Seen {
    /// Whether a unit was started between the two looks.
    pub(crate) fn restarted_since(&self, before: &Self) -> bool {
        self.invocations != before.invocations
    }

    /// How often somebody logged in by SSH between the two looks.
    pub(crate) fn logins_since(&self, before: &Self) -> usize {
        self.logins - before.logins
    }
}
