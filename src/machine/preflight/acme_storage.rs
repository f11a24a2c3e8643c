//! The file with the certificates' keys. Traefik refuses it unless it is for its owner alone, and
//! then runs on without certificates: so that it is looked at before, and mended.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use serde::de::IgnoredAny;

use super::ProxyUser;
use super::findings::Findings;
use crate::bundle::Failure;
use crate::layout;
use crate::machine::failed;

/// The only mode that Traefik takes.
const MODE: u32 = 0o600;

/// The file that has to be mended, and how.
#[derive(Debug)]
pub(super) struct Mend {
    file: File,
    owner: Option<ProxyUser>,
}

impl Mend {
    /// Gives the file to Traefik, and to Traefik alone.
    pub(super) fn carry_out(&self) -> Result<(), Failure> {
        let mend = || -> io::Result<()> {
            // Of the file that was looked at, whatever lies at its path by now.
            self.file.set_permissions(Permissions::from_mode(MODE))?;
            match self.owner {
                Some(ProxyUser { uid, gid }) => fchown(&self.file, Some(uid), Some(gid)),
                None => Ok(()),
            }
        };
        mend().map_err(|error| failed(format!("cannot mend {}: {error}", layout::ACME_STORAGE)))
    }
}

/// Looks at the file, and says what is wrong with it and what will be done. The user is there
/// after the first push only; until then systemd gives the folder to it with all that is in it.
pub(super) fn examine(
    user: Option<ProxyUser>,
    findings: &mut Findings,
) -> Result<Option<Mend>, Failure> {
    let path = layout::ACME_STORAGE;
    // Traefik's user can put anything at the path: no link is followed by root.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A link is somebody's own arrangement.
        Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
        Err(error) => return Err(failed(format!("cannot open {path}: {error}"))),
    };
    let look = file
        .metadata()
        .map_err(|error| failed(format!("cannot look at {path}: {error}")))?;
    if !look.is_file() {
        findings.problem(
            format!("{path} is not a file: Traefik cannot keep certificates there"),
            format!("see what it is by `ls -ld {path}` on the machine, and move it away"),
        );
        return Ok(None);
    }
    // An empty file is as none, and an object of resolvers all that Traefik takes.
    if look.len() > 0
        && let Err(error) =
            serde_json::from_reader::<_, BTreeMap<String, IgnoredAny>>(BufReader::new(&file))
    {
        // The error's text is left out: it could quote a key.
        findings.problem(
            format!(
                "{path} is damaged (line {}, column {}): Traefik would run without certificates",
                error.line(),
                error.column()
            ),
            format!(
                "`mv {path} {path}.damaged` on the machine, and certificates are obtained anew"
            ),
        );
        return Ok(None);
    }
    let mode = look.mode() & 0o7777;
    let owner = user.filter(|user| user.uid != look.uid());
    let Some(wrong) = wrong(mode, owner.map(|_| look.uid())) else {
        return Ok(None);
    };
    // Of a file with a second name it is not known what else it is.
    if look.nlink() > 1 {
        findings.problem(
            format!("{path} {wrong}, and it has another name elsewhere"),
            format!(
                "`cp {path} {path}.own && mv {path}.own {path}` on the machine makes it one file"
            ),
        );
        return Ok(None);
    }
    findings.warning(format!(
        "{path} {wrong}, and Traefik would run without certificates: the push makes it 0600 and \
         Traefik's own"
    ));
    Ok(Some(Mend { file, owner }))
}

/// What is wrong with a mode and with an owner who is not Traefik's user.
fn wrong(mode: u32, foreign_owner: Option<u32>) -> Option<String> {
    match (mode == MODE, foreign_owner) {
        (true, None) => None,
        (false, None) => Some(format!("has mode {mode:04o}")),
        (true, Some(owner)) => Some(format!("belongs to user {owner}")),
        (false, Some(owner)) => Some(format!("has mode {mode:04o} and belongs to user {owner}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_mode_of_the_one_owner_is_right() {
        for (mode, owner, expected) in [
            (0o600, None, None),
            (0o644, None, Some("has mode 0644")),
            (0o400, None, Some("has mode 0400")),
            (0o600, Some(0), Some("belongs to user 0")),
            (0o640, Some(0), Some("has mode 0640 and belongs to user 0")),
        ] {
            assert_eq!(wrong(mode, owner).as_deref(), expected);
        }
    }
}
