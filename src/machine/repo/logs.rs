//! `renet repo logs`: prints the logs of services. For one container, it executes `docker logs`; of
//! several, it interleaves the lines, each with the name of its service as a prefix.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Args;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::json;

use super::{children, docker, find, services};
use crate::bundle::Failure;
use crate::machine::{failed, refused};
use crate::repository::RepositoryName;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The options of `renet repo logs`.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The repository
    name: RepositoryName,
    /// The service, with all its replicas [default: all services]
    service: Option<String>,
    /// Keep printing new lines
    #[arg(long)]
    follow: bool,
    /// Print only the last N lines of each container [default: all]
    #[arg(long, value_name = "N")]
    lines: Option<u32>,
    /// Print one JSON object with all lines; with --follow, one per line
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let entry = find(&self.name)?;
        let chosen = services::chosen(&self.name, &entry, self.service.as_deref())?;
        let docker = |container: &str| {
            let mut docker = docker::command(entry.network_id);
            docker.arg("logs");
            if self.follow {
                docker.arg("--follow");
            }
            if let Some(lines) = self.lines {
                docker.arg(format!("--tail={lines}"));
            }
            docker.arg(container);
            docker
        };
        match chosen.as_slice() {
            [] => Err(
                refused(format!("repository `{}` has no containers", self.name)).hint(format!(
                    "`rdc repo up {} -m MACHINE` starts them",
                    self.name
                )),
            ),
            [(_, only)] if !self.json => {
                let error = docker(&only.id).exec();
                Err(failed(format!("cannot run docker: {error}")))
            }
            several => {
                let format = match (self.json, self.follow) {
                    (false, _) => Format::Prefixed {
                        width: several
                            .iter()
                            .map(|(name, _)| name.len())
                            .max()
                            .unwrap_or(0),
                    },
                    (true, false) => Format::Object,
                    (true, true) => Format::Objects,
                };
                let mut printer = Printer {
                    repository: &self.name,
                    format,
                    lines: 0,
                };
                let commands = several
                    .iter()
                    .map(|(name, container)| (name.clone(), docker(&container.id)));
                interleaved(commands, &mut printer)
                    .map_err(|error| failed(format!("cannot pass on the logs: {error}")))
            }
        }
    }
}

/// The running `docker logs`, which are killed on drop.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Fails only if it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One pipe, and its incomplete last line.
struct Stream {
    pipe: OwnedFd,
    service: String,
    is_stderr: bool,
    line: Vec<u8>,
}

/// How the lines of several services are printed.
#[derive(Clone, Copy)]
enum Format {
    /// With the service's name as a prefix, on the stream that the line was logged to.
    Prefixed {
        /// The length of the longest name.
        width: usize,
    },
    /// One JSON object with all lines.
    Object,
    /// A JSON object for each line.
    Objects,
}

/// Prints the lines of several services.
struct Printer<'a> {
    repository: &'a RepositoryName,
    format: Format,
    /// How many lines were printed.
    lines: usize,
}

impl Printer<'_> {
    fn begin(&self) -> io::Result<()> {
        match self.format {
            Format::Object => {
                let name = json!(self.repository);
                print(format!("{{\"repository\":{name},\"lines\":[").as_bytes())
            }
            Format::Prefixed { .. } | Format::Objects => Ok(()),
        }
    }

    fn line(&mut self, service: &str, is_stderr: bool, line: &[u8]) -> io::Result<()> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let object = || {
            json!({
                "service": service,
                "stream": if is_stderr { "stderr" } else { "stdout" },
                "text": String::from_utf8_lossy(line),
            })
            .to_string()
        };
        self.lines += 1;
        match self.format {
            Format::Prefixed { width } => {
                let prefix = format!("{service:width$} | ");
                let line = [prefix.as_bytes(), line, b"\n"].concat();
                if is_stderr {
                    io::stderr().write_all(&line)
                } else {
                    print(&line)
                }
            }
            Format::Object if self.lines == 1 => print(object().as_bytes()),
            Format::Object => print(format!(",{}", object()).as_bytes()),
            Format::Objects => print(format!("{}\n", object()).as_bytes()),
        }
    }

    fn end(&self) -> io::Result<()> {
        match self.format {
            Format::Object => print(b"]}\n"),
            Format::Prefixed { .. } | Format::Objects => Ok(()),
        }
    }
}

fn print(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes).and_then(|()| output.flush())
}

/// Interleaves the lines of several programs until all have ended, or nobody reads the output any more.
fn interleaved(
    commands: impl Iterator<Item = (String, Command)>,
    printer: &mut Printer<'_>,
) -> io::Result<ExitCode> {
    printer.begin()?;
    let mut running = Children(Vec::new());
    let mut streams: Vec<Stream> = Vec::new();
    for (service, mut command) in commands {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = children::pipes_of(&mut child)
            .into_iter()
            .zip([false, true]);
        running.0.push(child);
        streams.extend(pipes.map(|(pipe, is_stderr)| Stream {
            pipe,
            service: service.clone(),
            is_stderr,
            line: Vec::new(),
        }));
    }
    let output = io::stdout();
    let mut buffer = vec![0; CHUNK_BYTES];
    while !streams.is_empty() {
        let mut polled: Vec<PollFd<'_>> = streams
            .iter()
            .map(|stream| PollFd::new(&stream.pipe, PollFlags::IN))
            .collect();
        // No events are requested: the kernel always reports that the reader has gone.
        polled.push(PollFd::new(&output, PollFlags::empty()));
        match poll(&mut polled, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let revents: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        if revents[streams.len()].intersects(PollFlags::ERR | PollFlags::HUP) {
            return Ok(ExitCode::SUCCESS);
        }
        let mut ready = revents.into_iter().map(|revents| !revents.is_empty());
        let mut written = Ok(());
        streams.retain_mut(|stream| {
            if !ready.next().unwrap_or_default() {
                return true;
            }
            match rustix::io::read(&stream.pipe, &mut *buffer) {
                Ok(0) => {
                    written = stream.end(printer);
                    false
                }
                Ok(count) => {
                    if let Err(error) = stream.pass_on(&buffer[..count], printer) {
                        written = Err(error);
                    }
                    true
                }
                Err(Errno::INTR | Errno::AGAIN) => true,
                Err(_) => false,
            }
        });
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(ExitCode::SUCCESS);
            }
            written => written?,
        }
    }
    printer.end()?;
    Ok(ExitCode::SUCCESS)
}

impl Stream {
    fn pass_on(&mut self, bytes: &[u8], printer: &mut Printer<'_>) -> io::Result<()> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(line);
            // A line without an end must not use up the memory.
            if line.ends_with(b"\n") || self.line.len() >= CHUNK_BYTES {
                self.write(printer)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, printer: &mut Printer<'_>) -> io::Result<()> {
        if self.line.is_empty() {
            Ok(())
        } else {
            self.write(printer)
        }
    }

    fn write(&mut self, printer: &mut Printer<'_>) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        printer.line(&self.service, self.is_stderr, &line)
    }
}
