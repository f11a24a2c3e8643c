//! The files of a run: what it does, and all its messages. They are in `/run`, which is in memory, and
//! only root can read them, because Rediaccfiles may print secrets.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::{Failure, Message, RepositoryAnswer, Run, Task};
use crate::layout;
use crate::machine::{failed, files};
use crate::network::NetworkId;

/// How many bytes at the end of the messages are read to find the last one.
const LAST_BYTES: u64 = 4 * 1024 * 1024;
/// The end of a cancelled run, in words.
pub(super) const CANCELLED_END: &str = "it was cancelled";

/// The folder of a repository's runs.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

/// The description of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) task: Task,
    pub(super) prep_only: bool,
    /// When it began, in seconds since 1970.
    pub(super) since: u64,
}

impl About {
    /// The form that is sent to `rdc`.
    pub(super) fn run(&self, running: bool, end: Option<String>) -> Run {
        Run {
            task: self.task,
            running,
            since: self.since,
            end,
        }
    }
}

impl Place {
    /// The folder of a repository.
    pub(super) fn of(id: NetworkId) -> Self {
        Self::below(Path::new(layout::RUNS), id)
    }

    fn below(runs: &Path, id: NetworkId) -> Self {
        Self(runs.join(id.to_string()))
    }

    /// The file of messages, one JSON object per line.
    pub(super) fn said(&self) -> PathBuf {
        self.0.join("run.jsonl")
    }

    fn about_file(&self) -> PathBuf {
        self.0.join("run.json")
    }

    fn cancelled(&self) -> PathBuf {
        self.0.join("cancelled")
    }

    /// Waits for the lock under which runs are started, joined and ended. It is held until it is dropped.
    pub(super) fn lock(&self) -> Result<File, Failure> {
        let path = self.0.join("lock");
        let lock = || -> io::Result<File> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.0)?;
            let file = private()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|error| failed(format!("cannot lock {}: {error}", path.display())))
    }

    /// Creates the files of a new run. Followers of the former one keep its file open.
    pub(super) fn begin(&self, about: &About) -> Result<(), Failure> {
        let begin = || -> io::Result<()> {
            for old in [self.cancelled(), self.said(), self.about_file()] {
                match fs::remove_file(old) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            private().write(true).create_new(true).open(self.said())?;
            let mut file = private()
                .write(true)
                .create_new(true)
                .open(self.about_file())?;
            file.write_all(&serde_json::to_vec(about)?)
        };
        begin().map_err(|error| failed(format!("cannot write to {}: {error}", self.0.display())))
    }

    /// The description of the run in progress, or else of the last one.
    pub(super) fn about(&self) -> Result<Option<About>, Failure> {
        let path = self.about_file();
        let Some(json) = files::read(&path)? else {
            return Ok(None);
        };
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))
    }

    /// Notes that the run is being cancelled.
    pub(super) fn note_cancelled(&self) -> Result<(), Failure> {
        files::write(&self.cancelled(), b"", 0o600)
    }

    /// Whether the run was cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled().exists()
    }

    /// The message with the result of the run; none if it is in progress or was killed.
    pub(super) fn last_message(&self) -> Option<Message> {
        let mut file = File::open(self.said()).ok()?;
        let size = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LAST_BYTES)))
            .ok()?;
        let mut end = Vec::new();
        file.read_to_end(&mut end).ok()?;
        let line = end.strip_suffix(b"\n")?;
        let line = line.rsplit(|byte| *byte == b'\n').next()?;
        last(line)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Parses a message, if it is one that ends a run.
pub(super) fn last(line: &[u8]) -> Option<Message> {
    // Most lines are output, which need not be parsed for this.
    if line.starts_with(br#"{"line""#) {
        return None;
    }
    let message = serde_json::from_slice(line).ok()?;
    matches!(message, Message::Repository(_) | Message::Failed(_)).then_some(message)
}

/// The end of a run in a few words.
pub(super) fn end(last: &Message) -> String {
    match last {
        Message::Failed(failure) => {
            let line = failure.message.lines().next().unwrap_or_default();
            format!("it failed: {line}")
        }
        Message::Repository(answer) => match &**answer {
            RepositoryAnswer::Up(report) if report.is_up() => "it came up",
            RepositoryAnswer::Up(_) => "not everything came up",
            RepositoryAnswer::Down(report) if report.failures.is_empty() => "it went down",
            RepositoryAnswer::Down(_) => "not everything went down",
            _ => "it ended",
        }
        .to_owned(),
        _ => "it ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt as _;

    use crate::bundle::{LineSource, RunLine, UpReport};

    fn line(text: &str) -> Message {
        Message::Line(RunLine {
            folder: None,
            source: LineSource::Stdout,
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_new_run_leaves_nothing_of_the_former_and_is_nobody_elses() {
        let runs = tempfile::tempdir().expect("a folder");
        let place = Place::below(runs.path(), NetworkId::try_from(2816).expect("an id"));
        let _lock = place.lock().expect("it is locked");
        assert_eq!(place.about().expect("it is read"), None);
        for since in [1, 2] {
            let about = About {
                task: Task::Up,
                prep_only: false,
                since,
            };
            place.begin(&about).expect("it begins");
            assert_eq!(place.about().expect("it is read"), Some(about));
            assert!(!place.is_cancelled());
            assert_eq!(fs::read(place.said()).expect("it is there"), b"");
            fs::write(place.said(), "x").expect("it is written");
            place.note_cancelled().expect("it is noted");
            assert!(place.is_cancelled());
        }
        for (path, mode) in [
            (place.said(), 0o600),
            (place.about_file(), 0o600),
            (place.0.clone(), 0o700),
        ] {
            let found = fs::metadata(&path)
                .expect("it is there")
                .permissions()
                .mode();
            assert_eq!(found & 0o777, mode, "{}", path.display());
        }
    }

    #[test]
    fn the_last_message_tells_how_a_run_ended() {
        let runs = tempfile::tempdir().expect("a folder");
        let place = Place::below(runs.path(), NetworkId::try_from(2816).expect("an id"));
        fs::create_dir(&place.0).expect("it is made");
        let text = |messages: &[&Message]| -> String {
            let lines = messages
                .iter()
                .map(|it| serde_json::to_string(it).expect("JSON") + "\n");
            lines.collect()
        };
        let up = Message::Repository(Box::new(RepositoryAnswer::Up(UpReport::default())));
        let output = line(r#"{"repository":{"up":{}}}"#);
        let failed = Message::Failed(crate::machine::failed("no\nmore"));
        for (said, expected) in [
            (String::new(), None),
            (text(&[&line("a")]), None),
            (text(&[&line("a"), &up]), Some("it came up")),
            (text(&[&line("a"), &failed]), Some("it failed: no")),
            (text(&[&line("a"), &output]), None),
            (text(&[&line("a"), &up]).trim_end().to_owned(), None),
        ] {
            fs::write(place.said(), &said).expect("it is written");
            let found = place.last_message().map(|message| end(&message));
            assert_eq!(found.as_deref(), expected, "{said}");
        }
    }
}
