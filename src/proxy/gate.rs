//! The gate: a process beside a Traefik that starts. It has the same sockets, and lets new
//! connections go to them as soon as this Traefik has its routes: Traefik accepts connections before,
//! and answers 404 then. It ends when no other Traefik is there any more.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, ensure};
use clap::Args;
use listenfd::ListenFd;

use super::role::Role;
use super::sockets::{self, Member, Opened};
use crate::layout;
use crate::loopback::{self, Patience};
use crate::traefik::entrypoint::Entrypoint;

/// How long between two questions whether the routes are there. No event tells.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long an answer may take: Traefik accepts the connection when it is up.
const ANSWER: Patience = Patience::of(Duration::from_secs(2));
/// How long Traefik may take from the routes to what it reads at the same time and tells nobody of:
/// the certificates, and the operator's own files. All of it is on disk.
const SETTLING: Duration = Duration::from_millis(500);

/// The arguments of `renet proxy gate`; the sockets come as systemd's do.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Gate {
    #[command(flatten)]
    role: Role,

    /// Wait in this process, and not in one that outlives it
    #[arg(long)]
    wait: bool,
}

/// Starts the gate for sockets that are open.
pub(super) fn start(role: Role, opened: &[Opened]) -> anyhow::Result<()> {
    let copies = opened.iter().map(|Opened { name, socket }| {
        let socket = socket.try_clone()?;
        Ok(Opened {
            name: name.clone(),
            socket,
        })
    });
    let copies: Vec<Opened> = copies.collect::<io::Result<_>>()?;
    let mut command = command(role)?;
    super::pass(&mut command, copies.into_iter())?;
    let status = command.status().context("cannot start the gate")?;
    ensure!(status.success(), "the gate did not start: {status}");
    Ok(())
}

/// Runs the gate. It starts itself once more: its first process ends at once, because Traefik would
/// never ask how a child that it knows nothing of ended.
pub(super) fn run(gate: &Gate) -> anyhow::Result<()> {
    if !gate.wait {
        // The sockets are inherited as they are.
        command(gate.role)?
            .arg("--wait")
            .spawn()
            .context("cannot start the gate")?;
        return Ok(());
    }
    let sockets = passed_sockets()?;
    wait_until_ready(gate.role.ping());
    thread::sleep(SETTLING);
    let (own, other) = (gate.role.marks(), gate.role.other().marks());
    if other.serves() {
        choose(&sockets, Member::Younger)?;
        own.set_serving()?;
        // Until its unit has ended.
        while other.serves() {
            thread::sleep(super::INTERVAL);
        }
        // The next Traefik to come finds this one chosen, and does not get its connections at once.
        choose(&sockets, Member::Elder)?;
    } else {
        own.set_serving()?;
    }
    Ok(own.set_settled()?)
}

fn command(role: Role) -> anyhow::Result<Command> {
    let renet = env::current_exe().context("cannot find the program itself")?;
    let mut command = Command::new(renet);
    command.args(["proxy", "gate"]);
    if role.standby {
        command.arg("--standby");
    }
    // The sockets are for whoever has them, and not for one process by its id.
    command.env_remove("LISTEN_PID");
    Ok(command)
}

fn choose(sockets: &[OwnedFd], member: Member) -> anyhow::Result<()> {
    sockets
        .iter()
        .try_for_each(|socket| sockets::choose(socket, member))
        .context("cannot choose who gets new connections")
}

fn passed_sockets() -> anyhow::Result<Vec<OwnedFd>> {
    let names = env::var("LISTEN_FDNAMES").context("no sockets were passed")?;
    let mut passed = ListenFd::from_env();
    let sockets = names.split(':').enumerate().map(|(place, name)| {
        let entrypoint: Entrypoint = name.parse()?;
        let socket = if entrypoint.listener.is_udp() {
            passed.take_udp_socket(place)?.map(OwnedFd::from)
        } else {
            passed.take_tcp_listener(place)?.map(OwnedFd::from)
        };
        socket.with_context(|| format!("the socket of {name} was not passed"))
    });
    sockets.collect()
}

/// Without an end: where another Traefik serves, it goes on serving, and where none does, all
/// connections come here as it is.
fn wait_until_ready(ping: SocketAddr) {
    while !is_ready(ping).unwrap_or_default() {
        thread::sleep(INTERVAL);
    }
}

fn is_ready(ping: SocketAddr) -> io::Result<bool> {
    let status = loopback::status(ping, layout::READY_PATH, ANSWER)?;
    Ok(status.contains(" 200 "))
}
