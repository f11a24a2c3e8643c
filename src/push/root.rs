//! Becoming root on a machine: as the login, by `sudo` or by `doas`, none of which may ask anything.

use std::fmt;

/// A script's head: `as_root COMMAND …` becomes root and then that command.
macro_rules! with_root {
    ($script:literal) => {
        concat!(
            r#"
as_root() {
  if [ "$(id -u)" = 0 ]; then exec "$@"; fi
  if command -v sudo >/dev/null 2>&1; then exec sudo -n "$@"; fi
  if command -v doas >/dev/null 2>&1; then exec doas -n "$@"; fi
  echo 'rdc: neither sudo nor doas is installed' >&2
  exit 1
}
"#,
            $script
        )
    };
}
pub(super) use with_root;

/// Why the login does not become root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoot {
    /// What is in the way.
    pub cause: NoRootCause,
    said: String,
}

/// What is in the way of becoming root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRootCause {
    /// There is neither `sudo` nor `doas`.
    NoProgram,
    /// `sudo` works on a terminal only (`requiretty`).
    NeedsTerminal,
    /// `sudo` wants a password, or does not know the user.
    SudoRefuses,
    /// `doas` wants a password, or does not know the user.
    DoasRefuses,
    /// `sudo` or `doas` does not work.
    Broken,
}

/// How the programs say what is in the way; the first sign that fits counts.
const SIGNS: [(&str, NoRootCause); 12] = [
    ("neither sudo nor doas", NoRootCause::NoProgram),
    ("must have a tty", NoRootCause::NeedsTerminal),
    ("password is required", NoRootCause::SudoRefuses),
    ("terminal is required", NoRootCause::SudoRefuses),
    ("not in the sudoers", NoRootCause::SudoRefuses),
    ("not allowed to execute", NoRootCause::SudoRefuses),
    ("not allowed to run sudo", NoRootCause::SudoRefuses),
    ("may not run sudo", NoRootCause::SudoRefuses),
    ("doas: Auth", NoRootCause::DoasRefuses),
    ("doas: Operation not permitted", NoRootCause::DoasRefuses),
    ("doas is not enabled", NoRootCause::DoasRefuses),
    ("doas: ", NoRootCause::Broken),
];

/// What `sudo` says although it works.
const HARMLESS: &str = "unable to resolve host";

impl NoRoot {
    /// What a command that ended without an answer says of becoming root; none where it says
    /// nothing of it.
    pub(super) fn of(stderr: &str) -> Option<Self> {
        let said = |line: &str, cause| Self {
            cause,
            said: line.trim().to_owned(),
        };
        let lines = || stderr.lines().filter(|line| !line.contains(HARMLESS));
        let known = SIGNS.iter().find_map(|(sign, cause)| {
            let line = lines().find(|line| line.contains(sign))?;
            Some(said(line, *cause))
        });
        known.or_else(|| {
            let line = lines().find(|line| line.starts_with("sudo: "))?;
            Some(said(line, NoRootCause::Broken))
        })
    }
}

impl fmt::Display for NoRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, said } = self;
        match cause {
            NoRootCause::NoProgram => {
                f.write_str("the user is not root, and the machine has neither `sudo` nor `doas`")
            }
            NoRootCause::NeedsTerminal => write!(
                f,
                "`sudo` on the machine works on a terminal only (`requiretty`): {said}"
            ),
            NoRootCause::SudoRefuses => write!(
                f,
                "`sudo` on the machine does not let this user in without a password: {said}"
            ),
            NoRootCause::DoasRefuses => write!(
                f,
                "`doas` on the machine does not let this user in without a password: {said}"
            ),
            NoRootCause::Broken => {
                write!(f, "the user does not become root on the machine: {said}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_of_root_is_told_by_what_sudo_and_doas_say() {
        use NoRootCause::{Broken, DoasRefuses, NeedsTerminal, NoProgram, SudoRefuses};
        for (stderr, expected) in [
            ("sudo: a password is required", Some(SudoRefuses)),
            (
                "sudo: unable to resolve host web: Name or service not known\n\
                 sudo: a password is required",
                Some(SudoRefuses),
            ),
            (
                "sudo: sorry, you must have a tty to run sudo",
                Some(NeedsTerminal),
            ),
            (
                "sudo: a terminal is required to read the password; either use the -S option",
                Some(SudoRefuses),
            ),
            ("ann is not in the sudoers file.", Some(SudoRefuses)),
            (
                "Sorry, user ann is not allowed to execute '/bin/sh -c x' as root on web.",
                Some(SudoRefuses),
            ),
            ("rdc: neither sudo nor doas is installed", Some(NoProgram)),
            ("doas: Authorization required", Some(DoasRefuses)),
            ("doas: Operation not permitted", Some(DoasRefuses)),
            (
                "doas: doas is not enabled, /etc/doas.conf: No such file or directory",
                Some(DoasRefuses),
            ),
            ("doas: doas.conf is not owned by root", Some(Broken)),
            (
                "sudo: /etc/sudo.conf is owned by uid 1000, should be 0\n",
                Some(Broken),
            ),
            (
                "sudo: unable to resolve host web: Name or service not known\ngzip: stdin: \
                 unexpected end of file",
                None,
            ),
            ("sh: 1: renet: not found", None),
            ("", None),
        ] {
            let found = NoRoot::of(stderr).map(|found| found.cause);
            assert_eq!(found, expected, "{stderr}");
        }
    }
}
