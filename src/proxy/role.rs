//! Which of the two Traefiks of a machine one is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::layout;

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

    /// The folder that systemd makes for its unit.
    pub(super) fn runtime_dir(self) -> PathBuf {
        let name = if self.standby {
            layout::STANDBY_RUNTIME_DIR
        } else {
            layout::PROXY_RUNTIME_DIR
        };
        Path::new("/run").join(name)
    }
}
