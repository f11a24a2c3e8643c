//! `renet proxy`: opens the entry points, and becomes Traefik.
//!
//! ```text
//!   launcher ──► sockets ══ exec ══► Traefik: the main process of its unit
//!      └──► gate: a process of its own, with the same sockets, until this Traefik alone has them
//! ```
//!
//! Two Traefiks can have the same entry points at once, which is how a push restarts one without a
//! failed request: `machine::handover` starts a second one beside the first. While both are there,
//! new connections go to the one that was there before, until the other one has its routes.

mod gate;
mod role;
mod sockets;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use command_fds::{CommandFdExt, FdMapping};

use crate::bundle::Bind;
use crate::layout;
use crate::marks::Marks;
use gate::Gate;
use role::Role;
use sockets::Opened;

/// How long a new Traefik waits for the other one's gate. Without that it would start all the same,
/// and might answer 404 to connections that come within the next microseconds.
const SETTLED_TIMEOUT: Duration = Duration::from_secs(2);
/// How long between two looks at the other one. No event tells.
const INTERVAL: Duration = Duration::from_millis(20);
/// The first descriptor that is passed on, as systemd has it.
const FIRST_PASSED: i32 = 3;

/// The arguments of `renet proxy`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    launch: Launch,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Let new connections come as soon as Traefik has the routes; `renet proxy` starts it
    #[command(hide = true)]
    Gate(Gate),
}

#[derive(Debug, Args)]
struct Launch {
    /// The folder of the generation to run
    #[arg(default_value = layout::CURRENT)]
    generation: PathBuf,

    #[command(flatten)]
    role: Role,
}

/// Runs the command: it returns only if Traefik could not be started.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.part {
        Some(Part::Gate(gate)) => gate::run(gate),
        None => launch(&arguments.launch),
    }
}

/// Where another Traefik serves, waits until a third one may come.
fn await_settled(other: Marks) {
    let deadline = Instant::now() + SETTLED_TIMEOUT;
    while other.serves() && !other.is_settled() && Instant::now() < deadline {
        thread::sleep(INTERVAL);
    }
}

fn launch(options: &Launch) -> anyhow::Result<()> {
    let Launch { generation, role } = options;
    let binds = read_binds(&generation.join(layout::BINDS))?;
    await_settled(role.other().marks());
    let opened = sockets::open(&binds).context("cannot open the entry points")?;
    gate::start(*role, &opened)?;
    // Only this Traefik has it, so that whoever asks there asks this one.
    let ping = role.ping();
    let ping = sockets::open_own(layout::PING_ENTRYPOINT, ping)
        .with_context(|| format!("cannot listen on {ping} for /ping"))?;

    let traefik = generation.join(layout::TRAEFIK);
    let config = role.config(generation.join(layout::TRAEFIK_YML))?;
    let mut command = Command::new(&traefik);
    command.arg(format!("--configFile={}", config.display()));
    // It reads its sockets only where they are addressed to it: this process becomes it.
    command.env("LISTEN_PID", std::process::id().to_string());
    pass(&mut command, opened.into_iter().chain([ping]))?;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", traefik.display()))
}

fn read_binds(path: &Path) -> anyhow::Result<Vec<Bind>> {
    let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&json).with_context(|| format!("cannot read {}", path.display()))
}

/// Has a program find the sockets where it would find systemd's.
fn pass(command: &mut Command, opened: impl Iterator<Item = Opened>) -> anyhow::Result<()> {
    let (mut names, mut mappings) = (Vec::new(), Vec::new());
    for (child_fd, Opened { name, socket }) in (FIRST_PASSED..).zip(opened) {
        names.push(name);
        mappings.push(FdMapping {
            parent_fd: OwnedFd::from(socket),
            child_fd,
        });
    }
    command
        .env("LISTEN_FDS", names.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .fd_mappings(mappings)
        .context("cannot pass the sockets on")?;
    Ok(())
}
