//! What is wrong with a private key that got nobody in. Asked after a refusal only: a key that
//! works costs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::KeyProblem;
use super::way::{Way, output_of};

/// What kept `ssh` from offering the key, by its log and by the key itself.
pub(super) fn problem(key: &Path, log: &str, way: &Way) -> Option<KeyProblem> {
    // With the public half beside it, an agent may hold what is missing here.
    let public = {
        let mut path = key.as_os_str().to_owned();
        path.push(".pub");
        PathBuf::from(path)
    };
    let Ok(content) = std::fs::read_to_string(key) else {
        return if key.exists() || !public.exists() {
            Some(KeyProblem::Missing)
        } else {
            (!an_agent_holds(&public, way)).then_some(KeyProblem::Public)
        };
    };
    if !content.contains("PRIVATE KEY-----") {
        return (!an_agent_holds(key, way)).then_some(KeyProblem::Public);
    }
    if log.contains(&format!("\"{}\": bad permissions", key.display())) {
        return Some(KeyProblem::Exposed);
    }
    // `-y` needs the private half; the empty passphrase is that of a key without one.
    let mut unlock = Command::new("ssh-keygen");
    unlock.args(["-y", "-P", "", "-f"]).arg(key);
    let locked = output_of(&mut unlock)
        .is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("passphrase"));
    (locked && !an_agent_holds(key, way)).then_some(KeyProblem::Locked)
}

fn an_agent_holds(key: &Path, way: &Way) -> bool {
    let mut fingerprint = Command::new("ssh-keygen");
    fingerprint.arg("-lf").arg(key);
    let mut list = Command::new("ssh-add");
    list.arg("-l");
    if let Some(agent) = &way.agent {
        list.env("SSH_AUTH_SOCK", agent);
    }
    let (Ok(fingerprint), Ok(list)) = (output_of(&mut fingerprint), output_of(&mut list)) else {
        return false;
    };
    // Both print: bits, fingerprint, comment, type.
    let words = String::from_utf8_lossy(&fingerprint.stdout).into_owned();
    words
        .split_whitespace()
        .nth(1)
        .is_some_and(|own| String::from_utf8_lossy(&list.stdout).contains(own))
}
