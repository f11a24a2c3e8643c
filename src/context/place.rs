//! Whether a path means the same file to the next command. What is stored in a context is read
//! again by later ones.

use std::io;
use std::path::{Path, PathBuf};

/// How many links may lead to one another, as for the system itself.
const LINKS: usize = 40;

/// For how long a path leads to the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Until somebody changes it.
    Lasting,
    /// Until the system tidies up, or restarts.
    Temporary,
    /// As long as this process, or to be read only once: a pipe, a terminal, a descriptor.
    Fleeting,
}

impl Place {
    /// Of a path that is absolute. Nothing is opened, since a pipe would wait for its writer.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(path)?;
        if is_of_a_process(path) || !(found.is_file() || found.is_dir()) {
            return Ok(Self::Fleeting);
        }
        let real = path.canonicalize()?;
        let temporary = [
            std::env::temp_dir(),
            "/tmp".into(),
            "/var/tmp".into(),
            "/dev/shm".into(),
        ];
        let is_temporary = temporary.iter().any(|folder| real.starts_with(folder));
        Ok(if is_temporary {
            Self::Temporary
        } else {
            Self::Lasting
        })
    }
}

/// Whether a path leads through /proc, as `/dev/stdin` and `/dev/fd/63` do: each process finds
/// other files there.
fn is_of_a_process(path: &Path) -> bool {
    const PROCESSES: &str = "/proc";
    let mut path: PathBuf = path.to_owned();
    for _ in 0..LINKS {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if path.starts_with(PROCESSES) || real.starts_with(PROCESSES) {
            return true;
        }
        match std::fs::read_link(&path) {
            Ok(target) => path = real.join(target),
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_path_lasts_as_long_as_what_it_leads_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "").expect("it is written");
        let made = Command::new("mkfifo").arg(at("pipe")).status();
        assert!(made.expect("mkfifo runs").success());
        symlink("file", at("link")).expect("a link");
        symlink("/dev/stdin", at("input")).expect("a link");
        symlink("input", at("indirect")).expect("a link");
        symlink("/proc/self/cwd/Cargo.toml", at("beside")).expect("a link");
        symlink("/proc/self/fd", at("descriptors")).expect("a link");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let place = |path: &Path| Place::of(path).expect("it is there");
        assert_eq!(place(Path::new("/etc/passwd")), Place::Lasting);
        let expected = match manifest.starts_with(std::env::temp_dir()) {
            true => Place::Temporary,
            false => Place::Lasting,
        };
        assert_eq!(place(&manifest), expected);
        for name in ["file", "link"] {
            assert_eq!(place(&at(name)), Place::Temporary, "{name}");
        }
        for path in [
            at("pipe"),
            at("input"),
            at("indirect"),
            at("beside"),
            at("descriptors/0"),
            "/dev/stdin".into(),
            "/dev/fd/0".into(),
            "/proc/self/fd/0".into(),
            "/proc/self/cwd/Cargo.toml".into(),
            "/dev/null".into(),
        ] {
            assert_eq!(place(&path), Place::Fleeting, "{}", path.display());
        }
        let error = Place::of(&at("missing")).expect_err("it is not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
