//! `tests/load` as a process: requests without a pause, and what became of them.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// Requests that go on until they are ended.
pub(crate) struct Load {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

/// What became of the requests.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) connections: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Value,
    /// In seconds.
    pub(crate) longest: f64,
}

impl Load {
    /// The program, to be run here.
    pub(crate) fn command(words: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/load"));
        command.args(words);
        command
    }

    /// Starts it, and waits until each of its workers has had an answer.
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("tests/load runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert!(line.starts_with("every worker"), "{line:?}");
        Self { child, stdout }
    }

    /// Ends it.
    pub(crate) fn end(mut self) -> Outcome {
        drop(self.child.stdin.take());
        let outcome: Value = serde_json::from_reader(&mut self.stdout).expect("one JSON object");
        assert!(self.child.wait().expect("it ends").success());
        let count = |key: &str| outcome[key].as_u64().expect("a number");
        Outcome {
            requests: count("requests"),
            connections: count("connections"),
            failed: count("failed"),
            failures: outcome["failures"].clone(),
            longest: outcome["longest"].as_f64().expect("a number"),
        }
    }
}

/// A cell of a table.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.failed, self.requests)?;
        let failures = self.failures.as_object().into_iter().flatten();
        let failures: Vec<String> = failures
            .map(|(how, count)| format!("{count} {how}"))
            .collect();
        if !failures.is_empty() {
            write!(f, " ({})", failures.join(", "))?;
        }
        Ok(())
    }
}
