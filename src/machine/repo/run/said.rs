//! Writes the messages of a run to its standard output, one per line. Its unit appends them to a file.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::bundle::{LineSource, Message, RunLine};

/// How many bytes of output are kept of a run: they are in memory.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// Writes messages, and counts their bytes.
#[derive(Debug, Default)]
pub(in crate::machine::repo) struct Said {
    bytes: usize,
    has_more: bool,
}

impl Said {
    /// Announces the next step.
    pub(in crate::machine::repo) fn step(&mut self, folder: Option<&str>, text: impl Into<String>) {
        self.line(RunLine {
            folder: folder.map(str::to_owned),
            source: LineSource::Step,
            text: text.into(),
        });
    }

    /// Writes a line, as long as there is room. Steps are few, and always written.
    pub(in crate::machine::repo) fn line(&mut self, line: RunLine) {
        if self.bytes >= KEPT_BYTES && line.source != LineSource::Step {
            if !std::mem::replace(&mut self.has_more, true) {
                let mib = KEPT_BYTES / (1024 * 1024);
                let text = format!("more than {mib} MiB of output: the rest is omitted");
                self.step(None, text);
            }
            return;
        }
        self.write(&Message::Line(line));
    }

    /// Writes the last message, and returns the exit code of the unit.
    pub(super) fn last(mut self, message: &Message) -> ExitCode {
        if self.write(message) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Writes a message. If the file cannot be written, the work continues: services matter more.
    fn write(&mut self, message: &Message) -> bool {
        let Ok(mut text) = serde_json::to_string(message) else {
            return false;
        };
        text.push('\n');
        self.bytes += text.len();
        let mut output = io::stdout().lock();
        output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush())
            .is_ok()
    }
}
