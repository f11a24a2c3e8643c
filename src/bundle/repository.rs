//! The answers of `renet repo`: the status of repositories, the output of a run, and its result.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::network::NetworkId;
use crate::repository::{Limits, RepositoryName};

/// The answer to one `renet repo VERB`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryAnswer {
    /// All repositories of the machine: `list`.
    List(Vec<RepositoryStatus>),
    /// One repository: `status`, and after `create` and `resize`.
    Status(Box<RepositoryStatus>),
    /// How a run of `up` ended.
    Up(UpReport),
    /// How a run of `down` ended.
    Down(DownReport),
    /// A run that was started and is not waited for.
    Started(Run),
    /// The run that `cancel` ended.
    Ended(Run),
    /// It was deleted, with everything in it.
    Deleted {
        /// The id that is free again.
        network_id: NetworkId,
    },
    /// The files whose contents a sync needs, by path in the repository.
    Wanted(Vec<String>),
    /// What a sync changed.
    Synced(SyncReport),
}

impl RepositoryAnswer {
    /// The exit code of both `rdc` and `renet`: that of the first Rediaccfile that failed, or 1 if not
    /// everything came up or went down.
    pub fn exit_code(&self) -> u8 {
        let (failures, is_well) = match self {
            Self::Up(report) => (report.failures.as_slice(), report.is_up()),
            Self::Down(report) => (report.failures.as_slice(), report.still_running.is_empty()),
            _ => return 0,
        };
        match failures.first() {
            Some(failure) => u8::try_from(failure.code).unwrap_or(1).max(1),
            None => u8::from(!is_well),
        }
    }
}

/// The status of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryStatus {
    /// Its name.
    pub name: RepositoryName,
    /// Its network.
    pub network_id: NetworkId,
    /// Its folder.
    pub path: PathBuf,
    /// What it is doing.
    pub state: RepositoryState,
    /// Whether its services should run, also after a reboot.
    pub up: bool,
    /// The size of its image in bytes; none for a plain folder.
    pub image_bytes: Option<u64>,
    /// The used space of the image, or the disk usage of the folder, in bytes; none while it is not
    /// mounted, and in a list.
    pub used_bytes: Option<u64>,
    /// Its limits.
    pub limits: Limits,
    /// Whether its services may reach the machine.
    pub allows_unsafe: bool,
    /// Its services: those that have a slot, and containers without one.
    pub services: Vec<ServiceStatus>,
    /// The run in progress, or else the last one since the boot.
    pub run: Option<Run>,
    /// Its problems, one line each, with what to do.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// What a repository is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryState {
    /// It is not mounted, and its daemon is not running.
    Stopped,
    /// Its daemon should run, but does not run or does not answer.
    Failed,
    /// Its daemon runs.
    Running,
}

impl fmt::Display for RepositoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Running => "running",
        })
    }
}

/// The status of one service of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name; that of a replica ends with its number, as `web.2`.
    pub name: String,
    /// Its address; none for a container that was started without `renet compose`.
    pub address: Option<Ipv4Addr>,
    /// The engine's word for the container's state, such as `running`; none without a container.
    pub state: Option<String>,
    /// The engine's word for its health; none without a health check.
    pub health: Option<String>,
    /// The TCP ports on which something listens at the service's address.
    pub listens: Vec<u16>,
}

/// One run of a repository's Rediaccfiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What it does: `up` or `down`.
    pub task: Task,
    /// Whether it is in progress.
    pub running: bool,
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// How it ended, in a few words; none while it is in progress.
    pub end: Option<String>,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Bring the services up.
    Up,
    /// Take them down.
    Down,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// A line that a Rediaccfile printed, or that announces a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// The folder of the Rediaccfile; none for that of the root, and for lines of `renet`.
    pub folder: Option<String>,
    /// Its source.
    pub source: LineSource,
    /// The text, without the newline.
    pub text: String,
}

/// Where a line of a run comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineSource {
    /// A Rediaccfile's standard output.
    Stdout,
    /// A Rediaccfile's standard error.
    Stderr,
    /// `renet` itself, which announces a step.
    Step,
}

/// How a run of `up` ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpReport {
    /// The services in the order of their slots.
    pub services: Vec<ServiceReport>,
    /// The Rediaccfiles that failed: those of folders, which do not stop the run, or the one that
    /// stopped it.
    pub failures: Vec<FunctionFailure>,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

impl UpReport {
    /// Whether everything is up.
    pub fn is_up(&self) -> bool {
        let answers =
            |service: &ServiceReport| service.problem.is_none() && service.rejections.is_empty();
        self.failures.is_empty() && self.services.iter().all(answers)
    }
}

/// How a service came up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The ports on which it answers.
    pub ports: Vec<u16>,
    /// Its public addresses.
    pub routes: Vec<RouteReport>,
    /// Why it is not up; none where it is.
    pub problem: Option<ServiceProblem>,
    /// Its rejections: labels that could not be used, each with the reason and what to do.
    pub rejections: Vec<String>,
}

/// One public address of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteReport {
    /// The address as people write it: `https://app.example.com`, or `tcp 203.0.113.50:993`.
    pub url: String,
    /// Whether it is an auto route, made without labels.
    pub is_auto: bool,
    /// The answer of Traefik: the HTTP status, and the time to it in seconds. None if it was not
    /// requested, or did not answer.
    pub answer: Option<(u16, f64)>,
}

/// Why a service is not up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceProblem {
    /// What is wrong, in one line.
    pub message: String,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// What the route server explains about it, line by line.
    pub explanation: Vec<String>,
}

/// A function of a Rediaccfile that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionFailure {
    /// The Rediaccfile, by its path in the repository.
    pub file: String,
    /// The function.
    pub function: String,
    /// The line that failed; none if it is unknown.
    pub line: Option<u32>,
    /// The command that failed.
    pub command: Option<String>,
    /// The command's exit code.
    pub code: i32,
}

impl fmt::Display for FunctionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            function,
            line,
            command,
            code,
        } = self;
        write!(f, "`{function}` of {file} failed with exit code {code}")?;
        if let Some(line) = line {
            write!(f, " at line {line}")?;
        }
        match command {
            Some(command) => write!(f, ": {command}"),
            None => Ok(()),
        }
    }
}

/// How a run of `down` ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownReport {
    /// The Rediaccfiles that failed; the others ran nevertheless.
    pub failures: Vec<FunctionFailure>,
    /// Services that still run because no Rediaccfile stopped them.
    pub still_running: Vec<String>,
}

/// What a sync changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// How many files were written.
    pub written: usize,
    /// How many files were deleted, all of which an earlier sync had brought.
    pub deleted: usize,
    /// How many were up to date.
    pub unchanged: usize,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}
