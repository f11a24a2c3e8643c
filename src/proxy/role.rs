//! Which of the two Traefiks of a machine one is.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

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

    /// The static configuration to run, from the generation's. The standby's is a copy by which it
    /// obtains no certificates: an authority's proof over HTTP may come to the other one.
    pub(super) fn config(self, generations: PathBuf) -> anyhow::Result<PathBuf> {
        if !self.standby {
            return Ok(generations);
        }
        let text = fs::read_to_string(&generations)
            .with_context(|| format!("cannot read {}", generations.display()))?;
        let own = self.marks().folder().join(layout::TRAEFIK_YML);
        let text = text.replace(layout::CERTIFICATES_LATER, layout::CERTIFICATES_NEVER);
        fs::write(&own, text).with_context(|| format!("cannot write {}", own.display()))?;
        Ok(own)
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
