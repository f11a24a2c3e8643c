//! Machines to measure on: simulated daemons with containers, and a folder for what the programs
//! keep.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::containers::{Container, network_id};
use crate::engine::{Change, SimulatedEngine};
use crate::program::{Daemons, Program};

/// Some daemons, until it is dropped.
pub(crate) struct World {
    folder: TempDir,
    kind: Kind,
    daemons: Vec<Daemon>,
}

enum Kind {
    Repositories,
    PlainDocker,
}

struct Daemon {
    socket: PathBuf,
    engine: SimulatedEngine,
    containers: Vec<Container>,
}

impl World {
    /// A daemon for each of so many repositories.
    pub(crate) fn of_repositories(daemons: usize, containers: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("sockets"))?;
        let daemons = (0..daemons).map(|repository| {
            let name = format!("sockets/docker-{}.sock", network_id(repository));
            let containers = 0..containers;
            let containers = containers.map(|number| Container::of_repository(repository, number));
            Daemon::start(folder.path().join(name), containers.collect())
        });
        Ok(Self {
            daemons: daemons.collect::<io::Result<_>>()?,
            folder,
            kind: Kind::Repositories,
        })
    }

    /// One daemon that knows nothing of repositories.
    pub(crate) fn of_plain_docker(containers: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let containers = (0..containers).map(Container::of_plain_docker).collect();
        Ok(Self {
            daemons: vec![Daemon::start(
                folder.path().join("docker.sock"),
                containers,
            )?],
            folder,
            kind: Kind::PlainDocker,
        })
    }

    /// How many containers there are.
    pub(crate) fn containers(&self) -> usize {
        let daemons = self.daemons.iter();
        daemons.map(|daemon| daemon.containers.len()).sum()
    }

    /// All sockets.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let daemons = self.daemons.iter();
        daemons.map(|daemon| daemon.socket.clone()).collect()
    }

    /// The engine of one daemon.
    pub(crate) fn engine(&self, daemon: usize) -> &SimulatedEngine {
        &self.daemons[daemon % self.daemons.len()].engine
    }

    /// Starts our route server on all daemons.
    pub(crate) fn renet(&self) -> io::Result<Program> {
        let sockets = self.path().join("sockets");
        let daemons = match self.kind {
            Kind::Repositories => Daemons::Folder(&sockets),
            Kind::PlainDocker => Daemons::Socket(&self.daemons[0].socket),
        };
        Program::renet(&daemons, self.path())
    }

    /// Starts Traefik with its own Docker provider on the first daemon.
    pub(crate) fn traefik(&self, binary: &Path) -> io::Result<Program> {
        Program::traefik(binary, &self.daemons[0].socket, self.path())
    }

    /// Prepares that a container of a daemon starts anew, on another port.
    pub(crate) fn change(&mut self, daemon: usize, container: usize, port: u16) -> Change {
        let count = self.daemons.len();
        let containers = &mut self.daemons[daemon % count].containers;
        let at = container % containers.len();
        containers[at] = containers[at].clone().on_port(port);
        Change::start(containers, &containers[at])
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Daemon {
    fn start(socket: PathBuf, containers: Vec<Container>) -> io::Result<Self> {
        Ok(Self {
            engine: SimulatedEngine::start(&socket, &containers)?,
            socket,
            containers,
        })
    }
}
