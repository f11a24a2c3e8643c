//! Child processes: reads what they write as it comes, from several pipes at once, until the child has
//! ended or its time is up. A grandchild that keeps a pipe open does not delay the end.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::bundle::Failure;
use crate::machine::failed;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How much of a pipe is read after its child has ended: more than a pipe holds.
const REST_BYTES: usize = 1024 * 1024;
/// How much of the output of a child is kept.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// Passes on what comes from the pipes of a child, each by its index, until the child has ended. Returns
/// none if its time was up and it was killed.
pub(super) fn hear(
    child: &mut Child,
    pipes: Vec<OwnedFd>,
    deadline: Option<Instant>,
    heard: &mut dyn FnMut(usize, &[u8]),
) -> io::Result<Option<ExitStatus>> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    for pipe in &pipes {
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    let mut open: Vec<(usize, OwnedFd)> = pipes.into_iter().enumerate().collect();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if rest == Some(Duration::ZERO) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        let mut polled: Vec<PollFd<'_>> = open
            .iter()
            .map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN))
            .collect();
        polled.push(PollFd::new(&end, PollFlags::IN));
        match poll(&mut polled, rest.and_then(timespec).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let has_ended = !polled[open.len()].revents().is_empty();
        let ready: Vec<bool> = polled
            .iter()
            .map(|polled| !polled.revents().is_empty())
            .collect();
        let limit = if has_ended { REST_BYTES } else { 1 };
        let mut ready = ready.into_iter();
        open.retain(|(index, pipe)| {
            // What was written before the end is in the pipe by now, ready or not.
            let is_ready = ready.next().unwrap_or_default() || has_ended;
            !is_ready || read(pipe, limit, &mut buffer, &mut |bytes| heard(*index, bytes))
        });
        if has_ended {
            return child.wait().map(Some);
        }
    }
}

/// Reads what is there, up to a chunk more than the limit. Returns whether more may come.
fn read(pipe: &OwnedFd, limit: usize, buffer: &mut [u8], heard: &mut dyn FnMut(&[u8])) -> bool {
    let mut read = 0;
    while read < limit {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => return false,
            Ok(count) => {
                read += count;
                heard(&buffer[..count]);
            }
            Err(Errno::AGAIN) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

fn timespec(time: Duration) -> Option<Timespec> {
    Timespec::try_from(time).ok()
}

/// What a child printed within its time.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) is_success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Output {
    /// What it printed on standard error, in one line.
    pub(super) fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Runs a program without input, and kills it when its time is up, which is a failure.
pub(super) fn output(command: &mut Command, time: Duration) -> Result<Output, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cannot = |error: io::Error| failed(format!("cannot run {name}: {error}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let pipes = pipes_of(&mut child);
    let mut said = [Vec::new(), Vec::new()];
    let ended = hear(
        &mut child,
        pipes,
        Some(Instant::now() + time),
        &mut |index, bytes| {
            let said = &mut said[index];
            let room = KEPT_BYTES.saturating_sub(said.len());
            said.extend_from_slice(&bytes[..bytes.len().min(room)]);
        },
    )
    .map_err(cannot)?;
    let [stdout, stderr] = said;
    match ended {
        Some(status) => Ok(Output {
            is_success: status.success(),
            stdout,
            stderr,
        }),
        None => Err(failed(format!(
            "{name} did not end within {} s",
            time.as_secs()
        ))),
    }
}

/// Runs a program without input for at most some time. Both of its streams come as one, in the order in
/// which they were printed.
pub(super) fn output_as_one(command: &mut Command, time: Duration) -> io::Result<Vec<u8>> {
    let (here, there) = io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(there.try_clone()?)
        .stderr(there)
        .spawn()?;
    let mut said = Vec::new();
    let deadline = Some(Instant::now() + time);
    hear(&mut child, vec![here.into()], deadline, &mut |_, bytes| {
        let room = KEPT_BYTES.saturating_sub(said.len());
        said.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })?;
    Ok(said)
}

/// The pipes of a child: standard output, then standard error.
pub(super) fn pipes_of(child: &mut Child) -> Vec<OwnedFd> {
    let stdout = child.stdout.take().map(OwnedFd::from);
    let stderr = child.stderr.take().map(OwnedFd::from);
    stdout.into_iter().chain(stderr).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str, time: Duration) -> Result<Output, Failure> {
        output(Command::new("sh").args(["-c", text]), time)
    }

    #[test]
    fn a_child_is_heard_on_both_pipes_to_its_end() {
        let said = shell(
            "seq 1 100000; echo wrong >&2; exit 3",
            Duration::from_secs(60),
        )
        .expect("it runs");
        assert!(!said.is_success);
        assert_eq!(said.complaint(), "wrong");
        assert!(said.stdout.ends_with(b"\n99999\n100000\n"));
    }

    #[test]
    fn what_both_streams_say_comes_in_its_order() {
        let mut echo = Command::new("sh");
        echo.args(["-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2"]);
        let said = output_as_one(&mut echo, Duration::from_secs(60)).expect("it runs");
        assert_eq!(String::from_utf8_lossy(&said), "1\n2\n3\n4\n");
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipes_holds_nobody_up() {
        let begin = Instant::now();
        let said = shell("sleep 600 & echo $!", Duration::from_secs(60)).expect("it runs");
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "the grandchild was waited for"
        );
        let pid = String::from_utf8(said.stdout).expect("a number");
        shell(&format!("kill {pid}"), Duration::from_secs(60)).expect("it runs");
    }

    #[test]
    fn a_child_has_no_more_than_its_time() {
        let said = shell("echo begun; exec sleep 600", Duration::from_millis(300));
        let failure = said.expect_err("it takes longer");
        assert!(failure.message.contains("did not end"), "{failure:?}");
    }
}
