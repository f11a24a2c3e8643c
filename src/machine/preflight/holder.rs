//! Which program has a socket: its process, its systemd unit, and its container.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;

use crate::machine::sockets;

/// Programs that serve the web in Traefik's place, and nothing else: they may be stopped for it.
const PROXIES: [&str; 10] = [
    "apache2",
    "caddy",
    "docker-proxy",
    "envoy",
    "h2o",
    "haproxy",
    "httpd",
    "lighttpd",
    "nginx",
    "traefik",
];

/// How many digits of a container's id people use.
const ID_DIGITS: usize = 12;

/// A program that has a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// Its process; process 1 where systemd holds a socket for somebody.
    pub(super) process: u32,
    /// Its name, as the kernel has it.
    pub(super) name: String,
    /// What it belongs to.
    pub(super) home: Home,
}

/// What a process belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// A service of the system.
    Service(String),
    /// A container, by the head of its id.
    Container(String),
    /// Somebody's session, or nothing that has a name.
    Nowhere,
}

impl Holder {
    /// Whether it serves the web, as Traefik shall.
    pub(super) fn is_proxy(&self) -> bool {
        PROXIES.contains(&self.name.as_str())
    }

    /// What makes its port free, where that costs nobody anything but the web; of anything else, which
    /// may be a database or a way into the machine, only what shows more of it.
    pub(super) fn remedy(&self, port: u16) -> String {
        let Self {
            process,
            name,
            home,
        } = self;
        match home {
            _ if name == "docker-proxy" => format!(
                "`docker ps --filter publish={port}` on the machine shows the container that \
                 publishes port {port}: have it publish another one, or stop it"
            ),
            _ if *process == 1 => format!(
                "`systemctl list-sockets` on the machine shows the socket unit of port {port}"
            ),
            Home::Service(unit) if self.is_proxy() => {
                let unit = unit.strip_suffix(".service").unwrap_or(unit);
                format!("`systemctl disable --now {unit}` on the machine ends it")
            }
            Home::Service(unit) => {
                let unit = unit.strip_suffix(".service").unwrap_or(unit);
                format!("`systemctl status {unit}` on the machine shows what it is")
            }
            Home::Container(id) => format!("`docker stop {id}` on the machine ends it"),
            Home::Nowhere => {
                format!("`ps -fp {process}` on the machine shows what it is")
            }
        }
    }

    /// A process, as it is now.
    pub(super) fn of(process: u32) -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}"));
        Self {
            process,
            name: read("comm")
                .map_or_else(|_| "a program".to_owned(), |name| name.trim().to_owned()),
            home: read("cgroup").map_or(Home::Nowhere, |cgroups| home(&cgroups)),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}", self.name, self.process)?;
        match &self.home {
            Home::Service(unit) => write!(f, ", {unit})"),
            Home::Container(id) => write!(f, ", container {id})"),
            Home::Nowhere => f.write_str(")"),
        }
    }
}

/// Who has each of these sockets. It looks at every open file of every process: to be asked only
/// where a port is in use.
pub(super) fn holders(inodes: &BTreeSet<u64>) -> BTreeMap<u64, Holder> {
    let mut owners: BTreeMap<u64, u32> = BTreeMap::new();
    for process in processes() {
        for inode in sockets::of_process(process).intersection(inodes) {
            // Workers share their master's sockets, and the master is the elder. Only systemd is
            // elder still: what it holds for somebody who runs is that one's.
            let owner = owners.entry(*inode).or_insert(process);
            if *owner == 1 {
                *owner = process;
            }
        }
    }
    owners
        .into_iter()
        .map(|(inode, process)| (inode, Holder::of(process)))
        .collect()
}

/// The numbers of all processes, ascending.
fn processes() -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// What a process belongs to, by its control groups: `0::/system.slice/nginx.service`, or, in the
/// first version of them, a line for each controller.
fn home(cgroups: &str) -> Home {
    let paths = || {
        cgroups
            .lines()
            .filter_map(|line| line.splitn(3, ':').nth(2))
    };
    if let Some(id) = paths().find_map(container) {
        return Home::Container(id[..ID_DIGITS].to_owned());
    }
    // A user's own service is nothing that root stops by its name.
    let service = paths()
        .filter(|path| !path.contains("/user.slice/"))
        .flat_map(|path| path.rsplit('/'))
        .find(|part| part.ends_with(".service"));
    service.map_or(Home::Nowhere, |unit| Home::Service(unit.to_owned()))
}

/// The container in a path of control groups: `/docker/ID`, `docker-ID.scope`, `libpod-ID.scope`.
fn container(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(|part| {
        let part = part.strip_suffix(".scope").unwrap_or(part);
        let id = part.rsplit('-').next().unwrap_or(part);
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_process_belongs_to_what_its_control_groups_say() {
        let service = |unit: &str| Home::Service(unit.to_owned());
        let container = || Home::Container("0123456789ab".to_owned());
        for (cgroups, expected) in [
            (
                "0::/system.slice/nginx.service\n".to_owned(),
                service("nginx.service"),
            ),
            (
                "4:cpu:/\n1:name=systemd:/machine/system.slice/nginx.service\n".to_owned(),
                service("nginx.service"),
            ),
            (
                "0::/system.slice/system-docker.slice/docker@2816.service\n".to_owned(),
                service("docker@2816.service"),
            ),
            (format!("0::/system.slice/docker-{ID}.scope\n"), container()),
            (
                format!("0::/machine.slice/libpod-{ID}.scope\n"),
                container(),
            ),
            (
                format!("4:cpu:/docker/{ID}\n1:name=systemd:/system.slice/docker.service\n"),
                container(),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n"
                    .to_owned(),
                Home::Nowhere,
            ),
            (
                "0::/user.slice/user-0.slice/session-3.scope\n".to_owned(),
                Home::Nowhere,
            ),
            ("0::/init.scope\n".to_owned(), Home::Nowhere),
            (String::new(), Home::Nowhere),
        ] {
            assert_eq!(home(&cgroups), expected, "{cgroups}");
        }
    }

    #[test]
    fn a_holder_reads_with_its_unit_and_with_what_may_be_done_about_it() {
        let holder = |process, name: &str, home| Holder {
            process,
            name: name.to_owned(),
            home,
        };
        let service = |unit: &str| Home::Service(unit.to_owned());
        for (holder, text, remedy) in [
            (
                holder(812, "nginx", service("nginx.service")),
                "nginx (process 812, nginx.service)",
                "`systemctl disable --now nginx`",
            ),
            (
                holder(900, "docker-proxy", service("docker.service")),
                "docker-proxy (process 900, docker.service)",
                "`docker ps --filter publish=80`",
            ),
            (
                holder(901, "mysqld", Home::Container("0123456789ab".to_owned())),
                "mysqld (process 901, container 0123456789ab)",
                "`docker stop 0123456789ab`",
            ),
            (
                holder(1, "systemd", Home::Nowhere),
                "systemd (process 1)",
                "list-sockets",
            ),
            (
                holder(77, "nc", Home::Nowhere),
                "nc (process 77)",
                "`ps -fp 77`",
            ),
            (
                holder(812, "postgres", service("postgresql@15-main.service")),
                "postgres (process 812, postgresql@15-main.service)",
                "`systemctl status postgresql@15-main`",
            ),
            (
                holder(812, "sshd", service("ssh.service")),
                "sshd (process 812, ssh.service)",
                "`systemctl status ssh`",
            ),
            (
                holder(77, "nginx", Home::Nowhere),
                "nginx (process 77)",
                "`ps -fp 77`",
            ),
        ] {
            assert_eq!(holder.to_string(), text);
            assert!(holder.remedy(80).contains(remedy), "{}", holder.remedy(80));
        }
    }
}
