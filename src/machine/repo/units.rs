//! The names and contents of the units of repositories. Pure: `engine` and `storage` install them.
//!
//! The daemons' units do not run `renet`, and the others run a copy that belongs to the repositories, so
//! that they keep working when the infrastructure is removed.

use std::path::{Path, PathBuf};

use crate::layout;
use crate::network::NetworkId;
use crate::repository::{Entry, RepositoryName};

/// The unit that brings up, after a boot, the repositories that were up.
pub(super) const REPOSITORIES: &str = "rediacc-repositories.service";

/// The unit that stops containers at a shutdown.
pub(super) const CONTAINERS: &str = "rediacc-containers.service";
/// The slice around those of all repositories; systemd makes it.
pub(super) const ALL: &str = "rediacc.slice";

/// The units that all repositories share: names and contents.
pub(super) const SHARED: [(&str, &str); 4] = [
    (
        "rediacc-docker@.service",
        include_str!("../../../templates/rediacc-docker@.service"),
    ),
    (
        "rediacc-containerd@.service",
        include_str!("../../../templates/rediacc-containerd@.service"),
    ),
    (
        CONTAINERS,
        include_str!("../../../templates/rediacc-containers.service"),
    ),
    (
        REPOSITORIES,
        include_str!("../../../templates/rediacc-repositories.service"),
    ),
];

/// The configuration of all containerds.
pub(super) const CONTAINERD_CONFIG: &str =
    include_str!("../../../templates/rediacc-containerd.toml");

/// The unit of a repository's Docker daemon.
pub(super) fn docker(id: NetworkId) -> String {
    format!("rediacc-docker@{id}.service")
}

/// The unit of the containerd below it.
pub(super) fn containerd(id: NetworkId) -> String {
    format!("rediacc-containerd@{id}.service")
}

/// The unit that holds the limits of both and of all containers.
pub(super) fn slice(id: NetworkId) -> String {
    format!("rediacc-{id}.slice")
}

/// The unit that mounts a repository at a path. Source of the name: systemd.unit(5), path escaping.
pub(super) fn mount(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = text.trim_matches('/');
    if text.is_empty() {
        return "-.mount".to_owned();
    }
    let mut name = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            other => name.push_str(&format!("\\x{other:02x}")),
        }
    }
    name + ".mount"
}

/// What one repository adds to the shared units: its data root and its limits.
pub(super) fn own(name: &RepositoryName, entry: &Entry) -> Vec<(PathBuf, String)> {
    let id = entry.network_id;
    let path = entry.path(name);
    let path = path.display();
    let private = layout::REPOSITORY_PRIVATE;
    let drop_in = |what: &str| {
        format!(
            "# Written by `renet repo`: edits are lost.\n\
             [Unit]\n\
             Description=Rediacc: {what} of the repository {name} (network {id})\n\
             RequiresMountsFor={path}\n\n\
             [Service]\n\
             Environment=PRIVATE={path}/{private}\n"
        )
    };
    let units = Path::new(layout::UNIT_DIR);
    let at = |unit: String| units.join(unit + ".d").join("repository.conf");
    vec![
        (at(docker(id)), drop_in("Docker daemon")),
        (at(containerd(id)), drop_in("containerd")),
        (units.join(slice(id)), limits(name, entry)),
    ]
}

fn limits(name: &RepositoryName, entry: &Entry) -> String {
    let mut text = format!(
        "# Written by `renet repo`: edits are lost.\n\
         [Unit]\n\
         Description=Rediacc: limits of the repository {name}\n\n\
         [Slice]\n\
         MemoryAccounting=yes\n\
         TasksAccounting=yes\n"
    );
    if let Some(bytes) = entry.limits.memory_bytes {
        // No swap: a repository at its limit must not slow down the machine by swapping.
        text += &format!("MemoryMax={bytes}\nMemorySwapMax=0\n");
    }
    if let Some(tasks) = entry.limits.tasks {
        text += &format!("TasksMax={tasks}\n");
    }
    text
}

/// The unit that mounts a repository's image; none if it is a folder.
pub(super) fn own_mount(name: &RepositoryName, entry: &Entry) -> Option<(PathBuf, String)> {
    let image = entry.image(name)?;
    let path = entry.path(name);
    let text = format!(
        "# Written by `renet repo`: edits are lost.\n\
         [Unit]\n\
         Description=Rediacc: the repository {name}\n\
         Before=rediacc-containers.service\n\n\
         [Mount]\n\
         What={}\n\
         Where={}\n\
         Type=ext4\n\
         Options=loop\n",
        image.display(),
        path.display()
    );
    Some((Path::new(layout::UNIT_DIR).join(mount(&path)), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Limits;

    #[test]
    fn a_mount_unit_is_named_as_systemd_names_it() {
        // As `systemd-escape --path --suffix=mount` says.
        for (path, unit) in [
            ("/", "-.mount"),
            ("/mnt/rediacc/", "mnt-rediacc.mount"),
            (
                "/mnt/rediacc/repositories/my-app_2",
                "mnt-rediacc-repositories-my\\x2dapp_2.mount",
            ),
            ("/.data/a.b", "\\x2edata-a.b.mount"),
            ("/srv/a+b@c", "srv-a\\x2bb\\x40c.mount"),
        ] {
            assert_eq!(mount(Path::new(path)), unit, "{path}");
        }
    }

    #[test]
    fn limits_are_set_where_they_are_given() {
        let gib = 1 << 30;
        for (limits, expected) in [
            (Limits::default(), vec![]),
            (
                Limits {
                    memory_bytes: Some(gib),
                    tasks: Some(200),
                },
                vec!["MemoryMax=1073741824", "MemorySwapMax=0", "TasksMax=200"],
            ),
        ] {
            let entry = entry(limits, None);
            let text = super::limits(&"app".parse().expect("a name"), &entry);
            let set: Vec<&str> = text.lines().filter(|line| line.contains("Max=")).collect();
            assert_eq!(set, expected);
        }
    }

    #[test]
    fn only_an_image_is_mounted() {
        let name: RepositoryName = "my-app".parse().expect("a name");
        assert_eq!(own_mount(&name, &entry(Limits::default(), None)), None);
        let (path, text) =
            own_mount(&name, &entry(Limits::default(), Some(1))).expect("a mount unit");
        let expected = "/etc/systemd/system/srv-repositories-my\\x2dapp.mount";
        assert_eq!(path, Path::new(expected));
        for line in [
            "What=/srv/images/my-app.img",
            "Where=/srv/repositories/my-app",
            "Options=loop",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    fn entry(limits: Limits, image_bytes: Option<u64>) -> Entry {
        Entry {
            network_id: NetworkId::try_from(2816).expect("a network id"),
            datastore: "/srv".into(),
            image_bytes,
            started: false,
            up: false,
            allows_unsafe: false,
            limits,
            phase: crate::repository::Phase::Whole,
        }
    }
}
