//! Which of the two Traefiks of a machine one is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::layout;
use crate::marks::Marks;

/// The one that is always there, or the one that serves while that restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct Role {
    /// Serve while the other one restarts
    #[arg(long, env = "REDIACC_STANDBY")]
    pub(super) standby: bool,
}

impl Role {
    /// The role of the other one.
    pub(super) fn other(self) -> Self {
        Self {
            standby: !self.standby,
        }
    }

    /// Where it answers `/ping`: the one thing that the two do not share.
    pub(super) fn ping(self) -> SocketAddr {
        if self.standby {
            layout::STANDBY_PING
        } else {
            layout::TRAEFIK_PING
        }
    }

    /// The static configuration to run: the generation's, or a copy of it in a folder of this
    /// Traefik's own. The copy has the token that the route server asks for. By the standby's, no
    /// certificates are obtained: an authority's proof over HTTP may come to the other one.
    pub(super) fn config(self, generations: PathBuf) -> anyhow::Result<PathBuf> {
        let text = fs::read_to_string(&generations)
            .with_context(|| format!("cannot read {}", generations.display()))?;
        let mut own = text.clone();
        if self.standby {
            own = own.replace(layout::CERTIFICATES_LATER, layout::CERTIFICATES_NEVER);
        }
        if own.contains(layout::TOKEN_PLACEHOLDER) {
            own = own.replace(layout::TOKEN_PLACEHOLDER, &token()?);
        }
        if own == text {
            return Ok(generations);
        }
        let path = self.marks().folder().join(layout::TRAEFIK_YML);
        write_for_itself(&path, &own)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// What it tells of itself, in the folder that systemd makes for its unit.
    pub(super) fn marks(self) -> Marks {
        if self.standby {
            Marks::STANDBY
        } else {
            Marks::PROXY
        }
    }
}

/// The token, as a push left it on the machine.
fn token() -> anyhow::Result<String> {
    let path = layout::ROUTE_SERVER_TOKEN;
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read {path}, without which the route server gives no routes: \
             `rdc context push-infra` makes it anew"
        )
    })?;
    Ok(text.trim().to_owned())
}

/// Writes a file that nobody else can read, whatever the unit's umask is.
fn write_for_itself(path: &Path, text: &str) -> io::Result<()> {
    // What lies there may be open to others, and would stay so.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
