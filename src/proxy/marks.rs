//! What two Traefiks on one machine know of each other: files in the folders that systemd makes for
//! their units below `/run`, and removes when a unit has ended.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::role::Role;
use crate::layout;

/// How long between two looks.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a new Traefik waits for the other one's gate. Without that it would start all the same,
/// and might answer 404 to connections that come within the next microseconds.
const SETTLED_TIMEOUT: Duration = Duration::from_secs(2);

/// The marks of one of the two.
pub(super) struct Marks(PathBuf);

impl Marks {
    /// Those of the one with this role.
    pub(super) fn of(role: Role) -> Self {
        Self(role.runtime_dir())
    }

    /// Says that new connections come here.
    pub(super) fn serving(&self) -> anyhow::Result<()> {
        self.make(layout::SERVING)
    }

    /// Says that no other one is there any more.
    pub(super) fn settled(&self) -> anyhow::Result<()> {
        self.make(layout::SETTLED)
    }

    /// Whether new connections come, or came, here.
    pub(super) fn serves(&self) -> bool {
        self.0.join(layout::SERVING).exists()
    }

    /// Waits until the unit has ended.
    pub(super) fn await_end(&self) {
        while self.serves() {
            thread::sleep(INTERVAL);
        }
    }

    /// Where this one serves, waits until another one may come.
    pub(super) fn await_settled(&self) {
        let deadline = Instant::now() + SETTLED_TIMEOUT;
        let settled = self.0.join(layout::SETTLED);
        while self.serves() && !settled.exists() && Instant::now() < deadline {
            thread::sleep(INTERVAL);
        }
    }

    fn make(&self, mark: &str) -> anyhow::Result<()> {
        let path = self.0.join(mark);
        fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))
    }
}
