//! Checks what a machine needs for repositories. All that is missing is reported in one message, with the
//! commands that install it.

use std::fs;
use std::path::Path;

use super::tool;
use crate::bundle::Failure;
use crate::machine::{refused, systemd};

/// Something that a machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Systemd,
    Engine(&'static str),
    Client,
    Compose,
    Bash,
    /// A program that images need, with its package.
    Image(&'static str, &'static str),
    /// A feature of the kernel, by the module that has it, and its name.
    Module(&'static str, &'static str),
    /// A cgroup controller.
    Controller(&'static str),
    /// A type of namespace.
    Namespace(&'static str),
}

/// The distributions whose packages are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distribution {
    Debian,
    /// A Debian without a package of the Compose plugin.
    DebianBefore13,
    Ubuntu,
    Fedora,
}

/// Refuses a machine that lacks something, with the commands that install it.
pub(super) fn check(with_image: bool) -> Result<(), Failure> {
    let lacks = lacks(with_image);
    if lacks.is_empty() {
        return Ok(());
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Err(refusal(&lacks, distribution(&release)))
}

fn lacks(with_image: bool) -> Vec<Lack> {
    let mut lacks = Vec::new();
    let mut need = |is_there: bool, lack: Lack| {
        if !is_there {
            lacks.push(lack);
        }
    };
    need(systemd::is_running(), Lack::Systemd);
    for program in ["dockerd", "containerd", "runc"] {
        need(has_program(program), Lack::Engine(program));
    }
    let has_client = has_program("docker");
    need(has_client, Lack::Client);
    // Without the client, Compose cannot be checked; it is reported too, so that one visit is enough.
    need(has_client && has_compose(), Lack::Compose);
    need(has_program("bash"), Lack::Bash);
    need(
        has_file_system("overlay"),
        Lack::Module("overlay", "overlay file systems"),
    );
    for controller in ["memory", "pids"] {
        need(has_controller(controller), Lack::Controller(controller));
    }
    for namespace in ["mnt", "pid", "ipc", "uts", "net"] {
        let path = Path::new("/proc/self/ns").join(namespace);
        need(path.symlink_metadata().is_ok(), Lack::Namespace(namespace));
    }
    if with_image {
        for (program, package) in [
            ("mkfs.ext4", "e2fsprogs"),
            ("e2fsck", "e2fsprogs"),
            ("resize2fs", "e2fsprogs"),
            ("losetup", "util-linux"),
        ] {
            need(has_program(program), Lack::Image(program, package));
        }
        need(
            has_file_system("ext4"),
            Lack::Module("ext4", "the ext4 file system"),
        );
        need(has_loop_devices(), Lack::Module("loop", "loop devices"));
    }
    lacks
}

/// Looks where systemd looks for the programs of units: `PATH` may differ here.
fn has_program(name: &str) -> bool {
    [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    .iter()
    .any(|folder| Path::new(folder).join(name).is_file())
}

fn has_compose() -> bool {
    tool::run("docker", ["compose", "version"]).is_ok()
}

fn has_file_system(name: &str) -> bool {
    let is_known = || {
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        known
            .lines()
            .any(|line| line.split_whitespace().last() == Some(name))
    };
    is_known() || (loads(name) && is_known())
}

fn has_loop_devices() -> bool {
    let control = Path::new("/dev/loop-control");
    control.exists() || (loads("loop") && control.exists())
}

/// Loads a module that the kernel would load by itself when it is needed.
fn loads(module: &str) -> bool {
    tool::run("modprobe", ["--quiet", module]).is_ok()
}

fn has_controller(name: &str) -> bool {
    let root = Path::new("/sys/fs/cgroup");
    match fs::read_to_string(root.join("cgroup.controllers")) {
        Ok(controllers) => controllers.split_whitespace().any(|it| it == name),
        // cgroup v1 has a folder for each controller.
        Err(_) => root.join(name).is_dir(),
    }
}

fn distribution(release: &str) -> Option<Distribution> {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.strip_prefix('=')?.trim_matches('"').to_owned())
    };
    let id = value("ID")?;
    let like = value("ID_LIKE").unwrap_or_default();
    let version = value("VERSION_ID").and_then(|version| version.parse::<u32>().ok());
    match id.as_str() {
        "debian" if version.is_some_and(|version| version < 13) => {
            Some(Distribution::DebianBefore13)
        }
        "debian" => Some(Distribution::Debian),
        "ubuntu" => Some(Distribution::Ubuntu),
        "fedora" => Some(Distribution::Fedora),
        _ => like.split(' ').find_map(|like| match like {
            "ubuntu" => Some(Distribution::Ubuntu),
            "fedora" => Some(Distribution::Fedora),
            "debian" => Some(Distribution::Debian),
            _ => None,
        }),
    }
}

fn refusal(lacks: &[Lack], distribution: Option<Distribution>) -> Failure {
    let names: Vec<String> = lacks
        .iter()
        .map(|lack| format!("  {}", lack.name()))
        .collect();
    let message = format!(
        "this machine lacks what repositories need:\n{}",
        names.join("\n")
    );
    let distributions = match distribution {
        Some(one) => vec![one],
        None => vec![
            Distribution::Debian,
            Distribution::Ubuntu,
            Distribution::Fedora,
        ],
    };
    let mut hints: Vec<String> = distributions
        .into_iter()
        .filter_map(|distribution| distribution.command(lacks))
        .collect();
    hints.extend(lacks.iter().filter_map(|lack| lack.advice()));
    hints.dedup();
    refused(message).hint(hints.join("\n"))
}

impl Lack {
    fn name(self) -> String {
        match self {
            Self::Systemd => "systemd, as the init system".into(),
            Self::Engine(program) => format!("{program}, of the Docker engine"),
            Self::Client => "docker, the engine's client".into(),
            Self::Compose => "docker compose, the client's plugin".into(),
            Self::Bash => "bash, which runs Rediaccfiles".into(),
            Self::Image(program, _) => format!("{program}, for `--size`"),
            Self::Module("overlay", what) => format!("{what} in the kernel"),
            Self::Module(_, what) => format!("{what} in the kernel, for `--size`"),
            Self::Controller(name) => format!("the cgroup controller `{name}` in the kernel"),
            Self::Namespace(name) => format!("{name} namespaces in the kernel"),
        }
    }

    /// What to do if no package helps.
    fn advice(self) -> Option<String> {
        match self {
            Self::Systemd => Some("use a machine that runs systemd".into()),
            Self::Module(module, _) => Some(format!(
                "`modprobe {module}` shows why the kernel has no {module}: after a kernel update, \
                 restart the machine"
            )),
            Self::Controller(name) => Some(format!(
                "start the kernel with `cgroup_enable={name}` on its command line"
            )),
            Self::Namespace(_) => Some("use a kernel with support for containers".into()),
            Self::Engine(_) | Self::Client | Self::Compose | Self::Bash | Self::Image(..) => None,
        }
    }
}

impl Distribution {
    /// The command that installs what is missing; none if no package does.
    fn command(self, lacks: &[Lack]) -> Option<String> {
        let mut packages = Vec::new();
        let mut is_docker_s_own = false;
        for lack in lacks {
            let package = match (lack, self) {
                (Lack::Compose, Self::DebianBefore13) => {
                    is_docker_s_own = true;
                    continue;
                }
                (Lack::Engine(_), Self::Fedora) => "moby-engine",
                (Lack::Engine(_), _) => "docker.io",
                (Lack::Client, Self::Debian | Self::Fedora) => "docker-cli",
                (Lack::Client, Self::DebianBefore13 | Self::Ubuntu) => "docker.io",
                (Lack::Compose, Self::Ubuntu) => "docker-compose-v2",
                (Lack::Compose, _) => "docker-compose",
                (Lack::Bash, _) => "bash",
                (Lack::Image(_, package), _) => package,
                _ => continue,
            };
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
        // Debian 12 has only Compose 1. The plugin and the engine have to come from the same source.
        if is_docker_s_own {
            return Some(self.docker_packages(lacks, &packages));
        }
        let packages = packages.join(" ");
        let install = match self {
            Self::Fedora => "dnf install",
            Self::Debian | Self::DebianBefore13 | Self::Ubuntu => "apt-get install",
        };
        (!packages.is_empty()).then(|| format!("on {self}, run `{install} {packages}`"))
    }

    fn docker_packages(self, lacks: &[Lack], packages: &[&str]) -> String {
        let has_engine = !lacks
            .iter()
            .any(|lack| matches!(lack, Lack::Engine(_) | Lack::Client));
        let rest = packages.iter().filter(|package| **package != "docker.io");
        let docker = if has_engine {
            vec!["docker-compose-plugin"]
        } else {
            vec![
                "docker-ce",
                "docker-ce-cli",
                "containerd.io",
                "docker-compose-plugin",
            ]
        };
        let packages: Vec<&str> = docker.into_iter().chain(rest.copied()).collect();
        format!(
            "on {self}, add Docker's own packages as https://docs.docker.com/engine/install/debian/ \
             says, and run `apt-get install {}`",
            packages.join(" ")
        )
    }
}

impl std::fmt::Display for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Debian => "Debian",
            Self::DebianBefore13 => "Debian 12",
            Self::Ubuntu => "Ubuntu",
            Self::Fedora => "Fedora",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_told_by_its_release_file() {
        for (release, expected) in [
            (
                "ID=debian\nVERSION_ID=\"12\"\n",
                Some(Distribution::DebianBefore13),
            ),
            ("ID=debian\nVERSION_ID=\"13\"\n", Some(Distribution::Debian)),
            ("ID=debian\n", Some(Distribution::Debian)),
            (
                "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n",
                Some(Distribution::Ubuntu),
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Some(Distribution::Ubuntu),
            ),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Some(Distribution::Fedora),
            ),
            ("ID=fedora\n", Some(Distribution::Fedora)),
            ("ID=arch\n", None),
            ("", None),
        ] {
            assert_eq!(distribution(release), expected, "{release}");
        }
    }

    #[test]
    fn all_that_is_missing_is_in_one_message_with_the_commands() {
        let all = [
            Lack::Engine("dockerd"),
            Lack::Engine("runc"),
            Lack::Client,
            Lack::Compose,
            Lack::Image("mkfs.ext4", "e2fsprogs"),
            Lack::Image("resize2fs", "e2fsprogs"),
            Lack::Module("loop", "loop devices"),
        ];
        let loop_hint = "`modprobe loop` shows why the kernel has no loop: after a kernel update, \
                         restart the machine";
        let debian =
            "on Debian, run `apt-get install docker.io docker-cli docker-compose e2fsprogs`";
        let ubuntu = "on Ubuntu, run `apt-get install docker.io docker-compose-v2 e2fsprogs`";
        let fedora = "on Fedora, run `dnf install moby-engine docker-cli docker-compose e2fsprogs`";
        let debian_12 = "on Debian 12, add Docker's own packages as \
                         https://docs.docker.com/engine/install/debian/ says, and run `apt-get install \
                         docker-ce docker-ce-cli containerd.io docker-compose-plugin e2fsprogs`";
        for (distribution, commands) in [
            (Some(Distribution::Debian), vec![debian]),
            (Some(Distribution::DebianBefore13), vec![debian_12]),
            (Some(Distribution::Ubuntu), vec![ubuntu]),
            (Some(Distribution::Fedora), vec![fedora]),
            (None, vec![debian, ubuntu, fedora]),
        ] {
            let failure = refusal(&all, distribution);
            assert_eq!(failure.message.lines().count(), 1 + all.len());
            let expected: Vec<&str> = commands.into_iter().chain([loop_hint]).collect();
            assert_eq!(failure.hint, Some(expected.join("\n")), "{distribution:?}");
        }
    }

    #[test]
    fn a_machine_with_the_engine_needs_the_plugin_alone() {
        let failure = refusal(&[Lack::Compose], Some(Distribution::DebianBefore13));
        let message = "this machine lacks what repositories need:\n  docker compose, the client's \
                       plugin";
        assert_eq!(failure.message, message);
        let hint = failure.hint.unwrap_or_default();
        assert!(
            hint.ends_with("`apt-get install docker-compose-plugin`"),
            "{hint}"
        );
    }
}
