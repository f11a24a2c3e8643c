//! Rediaccfiles: finds them and calls their functions. Bash sources the file in a strict, clean
//! environment; its output is passed on line by line, and a failure is located.
//!
//! ```text
//! find ─► call: bash ─┬─ stdout, stderr ─► lines ─► whoever asked
//!                     └─ descriptor 200 ─► failure ─► file, line, command
//! ```

mod failure;
mod find;
mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use command_fds::{CommandFdExt as _, FdMapping};

use self::failure::{Kind, Place, Told};
pub(super) use self::find::{Found, Rediaccfile, find};
use self::lines::Lines;
pub(super) use self::lines::shown_lines;
use super::children;
use crate::bundle::{Failure, FunctionFailure, LineSource, RunLine};
use crate::machine::failed;
use crate::network::NetworkId;
use crate::printable::{LONGEST_SHOWN, shortened};
use crate::repository::RepositoryName;
use crate::repository::daemon::docker_host;

/// What bash runs: it sources the file, and calls the function.
const DRIVER: &str = include_str!("../../../../templates/rediaccfile.bash");
/// The descriptor on which the driver reports failures: one that no script uses by chance.
const TOLD_FD: i32 = 200;
/// How many bytes of those reports are kept, and how many lines of standard error.
const KEPT_BYTES: usize = 1024 * 1024;
const KEPT_LINES: usize = 50;
/// The `PATH` of a Rediaccfile, after the folder of the running `renet`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The facts in the environment of a Rediaccfile; it contains nothing else.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// The repository.
    pub(super) name: RepositoryName,
    /// Its folder.
    pub(super) root: PathBuf,
    /// Its network.
    pub(super) network_id: NetworkId,
    /// The socket of its daemon.
    pub(super) socket: PathBuf,
    /// The folder of the running `renet`, so that `renet` is the same build there.
    pub(super) programs: PathBuf,
    /// The `{SERVICE}_IP` of every service.
    pub(super) addresses: BTreeMap<String, String>,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// The file has no such function.
    Missing,
    /// It succeeded.
    Done,
    /// It failed.
    Failed(FunctionFailure),
}

/// Calls a function of a Rediaccfile, if it has it. `step` is printed when the function is called.
pub(super) fn call(
    file: &Rediaccfile,
    function: &str,
    surroundings: &Surroundings,
    step: String,
    heard: &mut dyn FnMut(RunLine),
) -> Result<Called, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        failed(format!(
            "cannot run `{function}` of {}: {error}",
            file.name()
        ))
    };
    let folder = file.path.parent().unwrap_or(&surroundings.root);
    let own = Path::new(".").join(file.path.file_name().unwrap_or_default());
    let (told_here, told_there) = io::pipe().map_err(|error| cannot(&error))?;
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-c", DRIVER, "renet"])
        .arg(&own)
        .arg(function)
        .current_dir(folder)
        .env_clear()
        .envs(surroundings.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mapped = FdMapping {
        parent_fd: OwnedFd::from(told_there),
        child_fd: TOLD_FD,
    };
    bash.fd_mappings(vec![mapped])
        .map_err(|error| cannot(&error))?;
    let mut child = bash.spawn().map_err(|error| cannot(&error))?;
    // It holds the other end of the pipe.
    drop(bash);

    let mut pipes = children::pipes_of(&mut child);
    // First, so that the step is printed before the output of the function.
    pipes.insert(0, OwnedFd::from(told_here));
    let mut ear = Ear {
        folder: file.folder.clone(),
        step,
        records: Vec::new(),
        told: Vec::new(),
        complaints: Vec::new(),
        lines: [Lines::default(), Lines::default()],
    };
    let ended = children::hear(&mut child, pipes, None, &mut |index, bytes| {
        ear.hear(index, bytes, heard);
    });
    let status = ended
        .map_err(|error| cannot(&error))?
        .ok_or_else(|| cannot(&"its time was up"))?;
    ear.finish(heard);
    if status.success() {
        let has_begun = ear.told.iter().any(|told| told.kind == Kind::Begins);
        return Ok(if has_begun {
            Called::Done
        } else {
            Called::Missing
        });
    }
    let code = exit_code(status);
    let place = failure::place(&ear.told, code, &ear.complaints);
    Ok(Called::Failed(
        surroundings.failure(file, function, place, code),
    ))
}

/// Collects what bash and its driver print.
struct Ear {
    folder: Option<String>,
    /// The line to print when the function is called.
    step: String,
    /// The incomplete last record of the driver.
    records: Vec<u8>,
    told: Vec<Told>,
    /// The last lines of standard error.
    complaints: Vec<String>,
    /// The lines of standard output, and of standard error.
    lines: [Lines; 2],
}

impl Ear {
    fn hear(&mut self, index: usize, bytes: &[u8], heard: &mut dyn FnMut(RunLine)) {
        let Some(stream) = index.checked_sub(1) else {
            self.hear_record(bytes, heard);
            return;
        };
        let Self {
            folder,
            complaints,
            lines,
            ..
        } = self;
        lines[stream].push(bytes, &mut |text| {
            pass_on(stream, text, folder, complaints, heard);
        });
    }

    fn hear_record(&mut self, bytes: &[u8], heard: &mut dyn FnMut(RunLine)) {
        for &byte in bytes {
            if byte != 0 {
                if self.records.len() < KEPT_BYTES {
                    self.records.push(byte);
                }
                continue;
            }
            let record = std::mem::take(&mut self.records);
            let Some(told) = Told::parse(&String::from_utf8_lossy(&record)) else {
                continue;
            };
            if told.kind == Kind::Begins {
                heard(RunLine {
                    folder: self.folder.clone(),
                    source: LineSource::Step,
                    text: std::mem::take(&mut self.step),
                });
            }
            // If many commands fail, the last failures matter.
            if self.told.len() >= KEPT_LINES && self.told[1].kind != Kind::Begins {
                self.told.remove(1);
            }
            self.told.push(told);
        }
    }

    fn finish(&mut self, heard: &mut dyn FnMut(RunLine)) {
        let Self {
            folder,
            complaints,
            lines,
            ..
        } = self;
        for (stream, lines) in lines.iter_mut().enumerate() {
            lines.finish(&mut |text| pass_on(stream, text, folder, complaints, heard));
        }
    }
}

fn pass_on(
    stream: usize,
    text: String,
    folder: &Option<String>,
    complaints: &mut Vec<String>,
    heard: &mut dyn FnMut(RunLine),
) {
    let source = [LineSource::Stdout, LineSource::Stderr][stream];
    if source == LineSource::Stderr {
        if complaints.len() >= KEPT_LINES {
            complaints.remove(0);
        }
        complaints.push(text.clone());
    }
    heard(RunLine {
        folder: folder.clone(),
        source,
        text,
    });
}

/// The exit code as a shell reports it: 128 plus the number of a signal.
fn exit_code(status: ExitStatus) -> i32 {
    let by_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(by_signal).unwrap_or(1)
}

impl Surroundings {
    fn environment(&self) -> BTreeMap<String, OsString> {
        let mut path = self.programs.clone().into_os_string();
        path.push(":");
        path.push(PATH);
        let own: [(&str, OsString); 8] = [
            ("PATH", path),
            ("HOME", "/root".into()),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "dumb".into()),
            ("DOCKER_HOST", docker_host(&self.socket).into()),
            ("REPOSITORY_PATH", self.root.clone().into()),
            ("REPOSITORY_NAME", self.name.as_str().into()),
            ("REPOSITORY_NETWORK_ID", self.network_id.to_string().into()),
        ];
        let addresses = self.addresses.iter();
        addresses
            .map(|(name, address)| (name.clone(), address.into()))
            .chain(own.map(|(name, value)| (name.to_owned(), value)))
            .collect()
    }

    fn failure(
        &self,
        file: &Rediaccfile,
        function: &str,
        place: Place,
        code: i32,
    ) -> FunctionFailure {
        let Place {
            file: named,
            line,
            command,
            wants_line,
        } = place;
        let folder = file.path.parent().unwrap_or(&self.root);
        let path = match named {
            Some(named) if !named.is_empty() => folder.join(named.trim_start_matches("./")),
            _ => file.path.clone(),
        };
        let written = line.and_then(|line| line_of(&path, line));
        let command = match (command, written) {
            (Some(command), Some(written)) if wants_line && !written.contains(&command) => {
                Some(written)
            }
            // Bash names the last command of a pipeline, which is seldom the one that failed.
            (Some(command), Some(written)) if wants_line && !command.starts_with("return") => {
                Some(written)
            }
            (command, _) => command,
        };
        let shown = path.strip_prefix(&self.root).unwrap_or(&path);
        FunctionFailure {
            file: shortened(&shown.to_string_lossy(), LONGEST_SHOWN).into_owned(),
            function: function.to_owned(),
            line,
            command,
            code,
        }
    }
}

/// A line of a file, as it is written there.
fn line_of(path: &Path, number: u32) -> Option<String> {
    let text = fs::read(path).ok()?;
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().nth(index)?.trim();
    Some(shortened(line, LONGEST_SHOWN).into_owned())
}
