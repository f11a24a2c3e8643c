//! The rules for the command line: the options that do what a file may not.

use std::env;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::folder::Folder;
use super::service::harmless_capability;
use crate::compose::line::Line;

/// All findings for a command line. Relative paths in it start at `from`.
pub(in crate::compose) fn check(line: &Line, from: &Path, folder: Folder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match line.command.as_deref() {
        Some("run") => {
            for capability in line.values(&["--cap-add"]).flatten() {
                if !harmless_capability(capability) {
                    let problem = format!("{capability} is a right on the machine itself");
                    findings.push(Finding::unsafe_("--cap-add", problem));
                }
            }
            for volume in line.values(&["--volume", "-v"]).flatten() {
                let source = volume.split(':').next().unwrap_or_default();
                if source.starts_with(['/', '.', '~']) && volume.contains(':') {
                    let path = from.join(expanded(source));
                    let path = path.to_string_lossy();
                    findings.extend(folder.check_whole("--volume", &path));
                }
            }
            for port in line.values(&["--publish", "-p"]).flatten() {
                let problem = format!("{port} cannot be published: the engine has no bridge");
                let instead = "let it listen on $SERVICE_IP";
                findings.push(Finding::useless("--publish", problem, instead));
            }
        }
        Some("exec") if line.has(&["--privileged"]) => {
            let problem = "a privileged command is root on the machine";
            findings.push(Finding::unsafe_("--privileged", problem));
        }
        Some("build") if line.has(&["--ssh"]) => {
            let problem = "the build may use the SSH keys of whoever starts it";
            findings.push(Finding::unsafe_("--ssh", problem));
        }
        _ => {}
    }
    findings
}

/// Compose takes a `~` for the user's home.
fn expanded(source: &str) -> PathBuf {
    let home = || env::var_os("HOME").unwrap_or_else(|| "/".into());
    match source.strip_prefix('~') {
        Some(rest) => Path::new(&home()).join(rest.trim_start_matches('/')),
        None => source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_asks_for_no_more_than_a_file_may() {
        for (text, expected) in [
            ("run --cap-add SYS_ADMIN web", &["--cap-add"][..]),
            ("run --cap-add CHOWN web", &[]),
            ("run -v /etc:/e -v data:/d -v ./x:/x web", &["--volume"]),
            ("run -v ../x:/x web", &["--volume"]),
            ("run -v ~/x:/x web", &["--volume"]),
            ("run -v .:/x web", &["--volume"]),
            ("run -v=/srv/:/x web", &["--volume"]),
            ("run -p 80:80 web", &["--publish"]),
            ("run web --cap-add SYS_ADMIN", &[]),
            ("exec --privileged web sh", &["--privileged"]),
            ("exec web sh --privileged", &[]),
            ("build --ssh default", &["--ssh"]),
            ("up -d", &[]),
        ] {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let root = Path::new("/srv");
            let found = check(&Line::parse(&words), root, Folder(root));
            let keys: Vec<&str> = found.iter().map(|finding| finding.key.as_str()).collect();
            assert_eq!(keys, expected, "{text}");
        }
    }
}
