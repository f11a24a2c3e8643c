//! What the two Traefiks that a machine may have at once tell of themselves: files in the folders
//! that systemd makes for their units below `/run`, and removes when a unit has ended. A leaf:
//! `proxy` makes them, and whoever waits for one of the two looks for them.

use std::io;
use std::path::{Path, PathBuf};

use crate::layout;

/// New connections come to this one, or came until another one took over.
const SERVING: &str = "serving";
/// No other one is there that this one took over from.
const SETTLED: &str = "settled";

/// The marks of one of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks(&'static str);

impl Marks {
    /// Those of the one that is always there.
    pub(crate) const PROXY: Self = Self(layout::PROXY_RUNTIME_DIR);
    /// Those of the one that serves while that restarts.
    pub(crate) const STANDBY: Self = Self(layout::STANDBY_RUNTIME_DIR);

    /// The folder, there for as long as the unit runs.
    pub(crate) fn folder(self) -> PathBuf {
        Path::new("/run").join(self.0)
    }

    /// Whether new connections come here, or did until another one came.
    pub(crate) fn serves(self) -> bool {
        self.folder().join(SERVING).exists()
    }

    /// Whether no other one is there that it took over from.
    pub(crate) fn is_settled(self) -> bool {
        self.folder().join(SETTLED).exists()
    }

    /// Says that new connections come here.
    pub(crate) fn set_serving(self) -> io::Result<()> {
        self.set(SERVING)
    }

    /// Says that no other one is there any more.
    pub(crate) fn set_settled(self) -> io::Result<()> {
        self.set(SETTLED)
    }

    fn set(self, mark: &str) -> io::Result<()> {
        let path = self.folder().join(mark);
        std::fs::write(&path, "").map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot write {}: {error}", path.display()),
            )
        })
    }
}
