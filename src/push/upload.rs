//! A program's way to the machine: compressed, continued where an earlier upload broke off, and
//! put to its place when its content is what it should be.
//!
//! ```text
//! how much is there? ─► the rest, compressed ─► part ─► is it the announced content? ─► its place
//! ```
//!
//! A part is named by the content that it will have, so it never becomes a mixture of two. Who
//! writes to it holds its lock, which goes with the process, however that ends; a second upload at
//! the same time writes a part of its own. What others left is taken away.

use super::packing::Packing;
use super::root::with_root;
use super::{Observer, Program, PushError};
use crate::remote::{Exit, Remote};

/// Another upload has the part, or changed it: it cannot be continued.
const CHANGED: i32 = 75;
/// What arrived is not what was announced.
const DAMAGED: i32 = 65;
/// There is too little room on the machine's disk.
const NO_ROOM: i32 = 73;

/// What came to its place cannot be run there.
const NOT_RUNNABLE: i32 = 77;

/// Runs a script as root. Words: the script, then its own.
const AS_ROOT: &str = with_root!(r#"as_root sh -c "$@""#);

/// Prints how large a part is. Words: the part.
const PART_BYTES: &str = r#"stat -c %s "$1" 2>/dev/null || echo 0"#;

/// Adds what standard input brings to the part, and makes the program of it. Words: the program's
/// path, the part, the SHA-256, the size of the whole, and of the part.
const INSTALL: &str = r#"
set -e
umask 022
path=$1 part=$2 sum=$3 bytes=$4 offset=$5
parts=${part%/*}
room() { df -Pk "$parts" | { read -r heading; read -r device blocks used free rest; echo "$free"; }; }
# What is locked is under way, our own part too.
sweep() {
  for left in "$parts"/.part-*; do
    [ ! -e "$left" ] || flock -n "$left" rm -f "$left" || :
  done
}
mkdir -p "$parts"

exec 9>>"$part"
if flock -n 9 && [ "$part" -ef /proc/self/fd/9 ]; then
  [ "$offset" != 0 ] || : >"$part"
  [ "$(stat -c %s "$part")" = "$offset" ] || exit 75
else
  [ "$offset" = 0 ] || exit 75
  part=$part.$$
  trap 'rm -f "$part"' EXIT
  exec 9>"$part"
  flock 9
fi

sweep
needed=$(((bytes - offset) / 1024))
free=$(room)
if [ "$needed" -ge "$free" ]; then
  echo "$((needed / 1024 + 1)) MiB are to come to $parts, and $((free / 1024)) MiB are free there" >&2
  exit 73
fi
gzip -dc >&9 || { [ "$(room)" -ge 1024 ] || rm -f "$part"; exit 1; }
if ! echo "$sum  $part" | sha256sum -c --status; then
  rm -f "$part"
  exit 65
fi
chmod 0755 "$part"
sync "$part"
mkdir -p "${path%/*}"
mv -f "$part" "$path"
sweep
[ -x "$path" ] || exit 77
"#;

/// Brings a program to its place on the machine.
pub(super) async fn upload(
    remote: &Remote,
    program: &Program,
    observer: &mut dyn Observer,
) -> Result<(), PushError> {
    let mut offset = part_bytes(remote, program).await?;
    if offset > 0 {
        observer.resumed(offset);
    }
    loop {
        let exit = send_rest(remote, program, offset, observer).await?;
        match exit.code {
            0 => return Ok(()),
            CHANGED | DAMAGED if offset > 0 => offset = 0,
            DAMAGED => {
                return Err(PushError::Damaged {
                    program: program.local().display().to_string(),
                });
            }
            NO_ROOM => return Err(PushError::NoRoom(exit.stderr)),
            NOT_RUNNABLE => {
                let path = program.remote_path();
                return Err(PushError::NotRunnable { path });
            }
            _ => return Err(PushError::remote(exit.stderr)),
        }
    }
}

/// How much of a program an earlier upload brought.
async fn part_bytes(remote: &Remote, program: &Program) -> Result<u64, PushError> {
    let mut bytes = 0;
    let part = program.part_path();
    remote
        .run(
            PART_BYTES,
            &[&part],
            tokio::io::empty(),
            &mut |_| {},
            &mut |line| bytes = line.parse().unwrap_or(0),
        )
        .await?;
    // More than the whole is nothing that could be continued.
    Ok(if bytes > program.bytes() { 0 } else { bytes })
}

async fn send_rest(
    remote: &Remote,
    program: &Program,
    offset: u64,
    observer: &mut dyn Observer,
) -> Result<Exit, PushError> {
    let (path, part) = (program.remote_path(), program.part_path());
    let sum = program.sum().to_string();
    let (bytes, from) = (program.bytes().to_string(), offset.to_string());
    let words = [INSTALL, "sh", &path, &part, &sum, &bytes, &from];
    let (packing, packed) = Packing::begin(program, offset)?;
    let ended = remote
        .run(
            AS_ROOT,
            &words,
            packed,
            &mut |_| observer.sent(packing.read_bytes()),
            &mut |_| {},
        )
        .await;
    packing.end(program).await?;
    Ok(ended?)
}
