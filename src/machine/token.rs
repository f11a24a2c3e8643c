//! The token by which Traefik asks the route server for routes. It is made here and never leaves the
//! machine: no generation, plan, difference or answer has it.
//!
//! A file holds it, for root and Traefik alone. The route server reads that at its start, and
//! `renet proxy` puts it into the copy of `traefik.yml` that its Traefik runs with.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::plan::{Stored, TokenState};
use super::preflight::{self, ProxyUser};
use super::{failed, files};
use crate::bundle::Failure;
use crate::layout;
use crate::marks::Marks;

/// How many random bytes it is made of.
const BYTES: usize = 32;
/// Root writes it, and Traefik's group reads it.
const MODE: u32 = 0o640;
/// Where the kernel's random numbers are.
const RANDOM: &str = "/dev/urandom";
/// What stands before the token in a static configuration.
const BEFORE: &str = "Bearer ";

/// Looks at the token, and at the one that Traefik runs with.
pub(super) fn look() -> Result<TokenState, Failure> {
    let Found { stored, token } = found()?;
    Ok(TokenState {
        stored,
        // One that has none was started by a generation without one.
        is_held: held().is_none_or(|held| Some(held) == token),
    })
}

/// Makes the file as it should be. Its token stays where nobody else could read it; where it is
/// lost, the one that Traefik runs with is stored again, so that this one can go on.
pub(super) fn keep() -> Result<(), Failure> {
    let path = Path::new(layout::ROUTE_SERVER_TOKEN);
    let token = match found()? {
        Found {
            stored: Stored::Good,
            ..
        } => return Ok(()),
        Found {
            token: Some(token), ..
        } => token,
        Found { token: None, .. } => new()
            .map_err(|error| failed(format!("cannot read random bytes from {RANDOM}: {error}")))?,
    };
    if path.is_dir() {
        files::delete(path)?;
    }
    if let Some(folder) = path.parent() {
        files::make_dir(folder)?;
    }
    let group = preflight::proxy_user()?.map(|user| user.gid);
    files::write_for_group(path, token.as_bytes(), MODE, group)
}

/// Gives the file to Traefik's user, who is not there before the first push.
pub(super) fn give_to_proxy() -> Result<(), Failure> {
    match found()?.stored {
        Stored::Misowned => keep(),
        Stored::Good | Stored::Unusable => Ok(()),
    }
}

/// What lies at the file's place, and the token that the file holds or will hold.
struct Found {
    stored: Stored,
    /// None: a new one.
    token: Option<String>,
}

fn found() -> Result<Found, Failure> {
    let path = Path::new(layout::ROUTE_SERVER_TOKEN);
    let lost = || Found {
        stored: Stored::Unusable,
        token: held(),
    };
    let metadata = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => metadata,
        _ => return Ok(lost()),
    };
    let text = files::read(path)?.unwrap_or_default();
    let Some(token) = String::from_utf8(text).ok().filter(|text| is_token(text)) else {
        return Ok(lost());
    };
    let user = preflight::proxy_user()?;
    Ok(match judge(Access::of(&metadata), user) {
        // Whoever read it could go on reading all routes.
        Stored::Unusable => Found {
            stored: Stored::Unusable,
            token: None,
        },
        stored => Found {
            stored,
            token: Some(token),
        },
    })
}

/// Who may read and write a file.
#[derive(Clone, Copy, Debug)]
struct Access {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Access {
    fn of(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.permissions().mode() & 0o7777,
        }
    }
}

/// Whether nobody but root and Traefik could know a token, and whether these two can read it.
fn judge(access: Access, user: Option<ProxyUser>) -> Stored {
    let Access { owner, group, mode } = access;
    let proxy = user.map(|user| user.gid);
    let is_of_others = group != 0 && Some(group) != proxy;
    if owner != 0 || mode & 0o027 != 0 || (mode & 0o040 != 0 && is_of_others) {
        Stored::Unusable
    } else if mode == MODE && group == proxy.unwrap_or(group) {
        Stored::Good
    } else {
        Stored::Misowned
    }
}

/// The token that the Traefik runs with; none where it does not run, or runs without one.
fn held() -> Option<String> {
    let config = Marks::PROXY.folder().join(layout::TRAEFIK_YML);
    token_in(&fs::read_to_string(config).ok()?)
}

fn token_in(config: &str) -> Option<String> {
    let (_, rest) = config.split_once(BEFORE)?;
    let (token, _) = rest.split_once('"')?;
    is_token(token).then(|| token.to_owned())
}

fn is_token(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 2 * BYTES && text.bytes().all(is_digit)
}

fn new() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    File::open(RANDOM)?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_others_could_read_is_not_kept() {
        let proxy = Some(ProxyUser { uid: 990, gid: 980 });
        for (owner, group, mode, user, expected) in [
            (0, 980, 0o640, proxy, Stored::Good),
            // Before the first push.
            (0, 0, 0o640, None, Stored::Good),
            (0, 0, 0o640, proxy, Stored::Misowned),
            (0, 0, 0o600, proxy, Stored::Misowned),
            (0, 980, 0o600, proxy, Stored::Misowned),
            (0, 980, 0o440, proxy, Stored::Misowned),
            (0, 33, 0o600, proxy, Stored::Misowned),
            (0, 33, 0o640, proxy, Stored::Unusable),
            (0, 980, 0o644, proxy, Stored::Unusable),
            (0, 980, 0o660, proxy, Stored::Unusable),
            (990, 980, 0o640, proxy, Stored::Unusable),
        ] {
            let access = Access { owner, group, mode };
            assert_eq!(judge(access, user), expected, "{access:?}");
        }
    }

    #[test]
    fn each_token_is_new_and_has_one_shape() {
        let (one, other) = (new().expect("random bytes"), new().expect("random bytes"));
        assert!(is_token(&one) && is_token(&other) && one != other);
        for text in [
            "",
            "abc",
            &one[1..],
            &format!("{one}\n"),
            &one.replace(|_| true, "G"),
        ] {
            assert!(!is_token(text), "{text}");
        }
        let config = format!("headers:\n  Authorization: \"Bearer {one}\"\n");
        assert_eq!(token_in(&config), Some(one));
        let placeholder = format!("\"Bearer {}\"", layout::TOKEN_PLACEHOLDER);
        assert_eq!(token_in(&placeholder), None);
    }
}
