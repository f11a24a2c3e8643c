//! A `renet` in a folder of its own, for a look at a machine that has none.

use super::packing::Packing;
use super::{Observer, Program, PushError};
use crate::remote::Remote;

/// Writes a program from standard input to a folder of its own that nobody else can use, and
/// prints its path.
const INSTALL: &str = r#"
set -e
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
gzip -dc >"$folder/renet"
chmod 0700 "$folder/renet"
trap - EXIT
echo "$folder/renet"
"#;

/// A `renet` that is taken away again.
pub(super) struct Borrowed {
    path: String,
}

impl Borrowed {
    pub(super) async fn upload(
        remote: &Remote,
        renet: &Program,
        observer: &mut dyn Observer,
    ) -> Result<Self, PushError> {
        let mut path = String::new();
        let (packing, packed) = Packing::begin(renet, 0)?;
        let ended = remote
            .run(
                INSTALL,
                &[],
                packed,
                &mut |_| observer.sent(packing.read_bytes()),
                &mut |line| path = line.to_owned(),
            )
            .await;
        packing.end(renet).await?;
        let exit = ended?;
        if exit.code == 0 {
            Ok(Self { path })
        } else {
            Err(PushError::remote(exit.stderr))
        }
    }

    /// Where it lies on the machine.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) async fn remove(self, remote: &Remote) -> Result<(), PushError> {
        remote
            .run(
                "rm -r \"${1%/*}\"",
                &[&self.path],
                tokio::io::empty(),
                &mut |_| {},
                &mut |_| {},
            )
            .await?;
        Ok(())
    }
}
