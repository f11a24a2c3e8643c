//! The files that `ssh` gets for one connection, in its own formats.

use crate::context::value::{Host, HostKey};

/// The known hosts. The machine is every host in them: `ssh` may know it by an address, a name or
/// an alias, and whichever it is, no other key will do. A jump host is not affected, since `ssh`
/// reaches it by a process with its usual files.
pub(super) fn known_hosts(keys: &[HostKey]) -> String {
    keys.iter().map(|key| format!("* {key}\n")).collect()
}

/// A configuration that is the operator's but for the address: `ssh` takes the first value that it
/// finds, and reads neither of the usual files by itself when it is given one.
pub(super) fn config(address: &Host) -> String {
    format!("HostName {address}\nInclude ~/.ssh/config\nInclude /etc/ssh/ssh_config\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_stands_on_a_line_for_every_host() {
        let body = "AAAAC3NzaC1lZDI1NTE5AAAAIBVbdaI6iNT4vBtD7rYjVPcjqfuxIXXGTOGtFDLKbrGT";
        let key: HostKey = format!("ssh-ed25519 {body}").parse().expect("a host key");
        let expected = format!("* ssh-ed25519 {body}\n").repeat(2);
        assert_eq!(known_hosts(&[key.clone(), key]), expected);
    }
}
