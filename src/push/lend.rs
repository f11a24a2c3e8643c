//! A `renet` that is lent to a machine for one command: it comes with the command, lies where
//! programs can be run, and goes with it, whatever ends it.
//!
//! ```text
//! one remote command:  find a place ─► unpack renet ─► run it ─► remove it
//! its standard input:  ═══ renet, compressed ═══╪═ what renet reads ═
//! ```

use std::io::Cursor;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::packing;
use super::root::with_root;
use super::{Program, PushError};
use crate::remote::{Exit, Remote};

/// There is no place on the machine where a program can be run.
const NOWHERE: i32 = 71;
/// The program could not be unpacked.
const NOT_UNPACKED: i32 = 74;

/// Runs a program that standard input brings, and removes it. Words: its compressed size and its
/// size in bytes, then its own words.
///
/// A script is what shows whether programs can be run in a place: one that is mounted `noexec`
/// refuses it. What a command left that was killed goes a day later.
const LEND: &str = with_root!(
    r##"
lend='
packed=$1 size=$2 lent= noexec= small= closed=
shift 2
umask 077
for place in "${TMPDIR:-/tmp}" /run /var/lib /dev/shm /var/tmp; do
  find "$place" -maxdepth 1 -name "rdc-lent-*" -mmin +1440 -exec rm -rf {} + 2>/dev/null
  if ! folder=$(mktemp -d "$place/rdc-lent-XXXXXXXX" 2>/dev/null); then
    closed="$closed $place"
    continue
  fi
  free=$(df -Pk "$folder" | { read -r heading; read -r device blocks used free rest; echo "$free"; })
  echo "#!/bin/sh" 2>/dev/null >"$folder/renet"
  chmod 0700 "$folder/renet"
  if [ "$((size / 1024 + 64))" -ge "$free" ]; then
    small="$small $place"
  elif ! "$folder/renet" 2>/dev/null; then
    noexec="$noexec $place"
  else
    lent=$folder
    break
  fi
  rm -rf "$folder"
done
if [ -z "$lent" ]; then
  [ -z "$noexec" ] || echo "mounted noexec:$noexec" >&2
  [ -z "$small" ] || echo "less than $((size / 1048576 + 1)) MiB free:$small" >&2
  [ -z "$closed" ] || echo "not writable:$closed" >&2
  exit 71
fi
trap "rm -rf \"$lent\"" EXIT
trap "exit 1" HUP INT PIPE TERM
head -c "$packed" | gzip -dc >"$lent/renet" || exit 74
"$lent/renet" "$@"
'
as_root sh -c "$lend" sh "$@"
"##
);

/// Runs `renet` with words of its own on a machine that need not have one.
pub(super) async fn run(
    remote: &Remote,
    renet: &Program,
    words: &[&str],
    input: impl AsyncRead + Unpin,
    line: &mut dyn FnMut(&str),
) -> Result<Exit, PushError> {
    let packed = packing::whole(renet).await?;
    let (packed_bytes, bytes) = (packed.len().to_string(), renet.bytes().to_string());
    let words = [&[&*packed_bytes, &*bytes][..], words].concat();
    let input = Cursor::new(packed).chain(input);
    let exit = remote.run(LEND, &words, input, &mut |_| {}, line).await?;
    match exit.code {
        NOWHERE => Err(PushError::NowhereToRun(exit.stderr.replace('\n', "; "))),
        NOT_UNPACKED => Err(PushError::Command(exit.stderr)),
        _ => Ok(exit),
    }
}
