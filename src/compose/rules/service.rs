//! The rules for the keys of a service.

use serde_json::Value;

use super::build;
use super::finding::Finding;
use super::folder::Folder;
use super::table::{Rule, Spot, Table, apply, objects, text, texts};
use crate::compose::model::Object;
use crate::repository::variable;

pub(super) fn check(name: &str, service: &Object, folder: Folder<'_>) -> Vec<Finding> {
    apply(SERVICE, name, name, service, folder)
}

const SERVICE: &Table = &[
    (
        "annotations",
        Rule::Unsafe("the container runtime acts on them outside of the container"),
    ),
    ("attach", Rule::Free),
    ("blkio_config", Rule::Free),
    ("build", Rule::Checked(build::check)),
    ("cap_add", Rule::Checked(capabilities)),
    ("cap_drop", Rule::Free),
    ("cgroup", Rule::Checked(namespace)),
    (
        "cgroup_parent",
        Rule::Unsafe("it leaves the limits of the repository"),
    ),
    ("command", Rule::Free),
    ("configs", Rule::Free),
    ("container_name", Rule::Free),
    ("cpu_count", Rule::Free),
    ("cpu_percent", Rule::Free),
    ("cpu_period", Rule::Free),
    ("cpu_quota", Rule::Free),
    (
        "cpu_rt_period",
        Rule::Unsafe("real-time processes starve the machine"),
    ),
    (
        "cpu_rt_runtime",
        Rule::Unsafe("real-time processes starve the machine"),
    ),
    ("cpu_shares", Rule::Free),
    ("cpus", Rule::Free),
    ("cpuset", Rule::Free),
    (
        "credential_spec",
        Rule::Unsafe("the engine reads credentials of the machine for it"),
    ),
    ("depends_on", Rule::Free),
    ("deploy", Rule::Checked(deploy)),
    ("develop", Rule::Checked(develop)),
    (
        "device_cgroup_rules",
        Rule::Unsafe("it opens devices of the machine"),
    ),
    ("devices", Rule::Unsafe("it opens devices of the machine")),
    ("dns", Rule::Free),
    ("dns_opt", Rule::Free),
    ("dns_search", Rule::Free),
    ("domainname", Rule::Free),
    ("entrypoint", Rule::Free),
    ("env_file", Rule::Free),
    ("environment", Rule::Free),
    ("expose", Rule::Free),
    ("extends", Rule::Free),
    ("external_links", Rule::Checked(links)),
    ("extra_hosts", Rule::Free),
    ("gpus", Rule::Unsafe("it opens devices of the machine")),
    ("group_add", Rule::Free),
    ("healthcheck", Rule::Free),
    ("hostname", Rule::Free),
    ("image", Rule::Free),
    ("init", Rule::Free),
    ("ipc", Rule::Checked(namespace)),
    ("isolation", Rule::Free),
    ("label_file", Rule::Free),
    ("labels", Rule::Free),
    ("links", Rule::Checked(links)),
    ("logging", Rule::Checked(logging)),
    ("mac_address", Rule::Free),
    ("mem_limit", Rule::Free),
    ("mem_reservation", Rule::Free),
    ("mem_swappiness", Rule::Free),
    ("memswap_limit", Rule::Free),
    (
        "models",
        Rule::Unsafe("Compose runs a program of the machine for it"),
    ),
    ("network_mode", Rule::Checked(network_mode)),
    ("networks", Rule::Checked(networks)),
    (
        "oom_kill_disable",
        Rule::Unsafe("when memory runs out, other processes are killed instead"),
    ),
    ("oom_score_adj", Rule::Checked(oom_score)),
    ("pid", Rule::Checked(namespace)),
    ("pids_limit", Rule::Free),
    ("platform", Rule::Free),
    ("ports", Rule::Checked(ports)),
    ("post_start", Rule::Checked(hooks)),
    ("pre_stop", Rule::Checked(hooks)),
    (
        "privileged",
        Rule::Unsafe("a privileged container is root on the machine"),
    ),
    ("profiles", Rule::Free),
    (
        "provider",
        Rule::Unsafe("Compose runs a program of the machine for it"),
    ),
    ("pull_policy", Rule::Free),
    ("pull_refresh_after", Rule::Free),
    ("read_only", Rule::Free),
    ("restart", Rule::Free),
    ("runtime", Rule::Unsafe("another runtime may isolate less")),
    ("scale", Rule::Free),
    ("secrets", Rule::Free),
    ("security_opt", Rule::Checked(security)),
    ("shm_size", Rule::Free),
    ("stdin_open", Rule::Free),
    ("stop_grace_period", Rule::Free),
    ("stop_signal", Rule::Free),
    ("storage_opt", Rule::Free),
    ("sysctls", Rule::Checked(sysctls)),
    ("tmpfs", Rule::Free),
    ("tty", Rule::Free),
    ("ulimits", Rule::Free),
    (
        "use_api_socket",
        Rule::Unsafe("the engine's socket gives root on the machine"),
    ),
    ("user", Rule::Free),
    ("userns_mode", Rule::Checked(namespace)),
    ("uts", Rule::Checked(namespace)),
    ("volumes", Rule::Checked(volumes)),
    ("volumes_from", Rule::Checked(volumes_from)),
    ("working_dir", Rule::Free),
];

/// The capabilities that Docker gives containers by default.
const HARMLESS_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Loggers that stay in the engine or in the machine's journal.
const LOCAL_LOGGERS: [&str; 5] = ["", "json-file", "local", "journald", "none"];

pub(super) fn harmless_capability(capability: &str) -> bool {
    let upper = capability.to_ascii_uppercase();
    let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
    HARMLESS_CAPABILITIES.contains(&plain)
}

fn capabilities(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    texts(value)
        .filter(|capability| !harmless_capability(capability))
        .flat_map(|capability| {
            spot.refused(format!("{capability} is a right on the machine itself"))
        })
        .collect()
}

/// A namespace may be the container's own, or that of another service.
fn namespace(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    match value.as_str() {
        Some("private" | "shareable" | "none") => Vec::new(),
        Some(text) if text.starts_with("service:") || text.starts_with("container:") => Vec::new(),
        _ => spot.refused(format!(
            "{value} shares the namespace of the machine, not only that of a service"
        )),
    }
}

fn deploy(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let reserved = value.pointer("/resources/reservations/devices");
    let has_devices = reserved
        .and_then(Value::as_array)
        .is_some_and(|it| !it.is_empty());
    if has_devices {
        let key = format!("{}.resources.reservations.devices", spot.key);
        return vec![Finding::unsafe_(key, "it opens devices of the machine")];
    }
    Vec::new()
}

fn develop(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let watched = value.get("watch").into_iter().flat_map(objects);
    watched
        .flat_map(|watched| spot.path(text(watched, "path")))
        .collect()
}

fn links(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let link = |link: &str| {
        let (target, alias) = link.split_once(':').unwrap_or((link, link));
        let variable = variable(target);
        let instead = if alias == target {
            format!(
                "remove it: `{target}` is a host name in every service, and ${{{variable}}} its address"
            )
        } else {
            format!("`extra_hosts: [\"{alias}:${{{variable}}}\"]`")
        };
        let problem = format!(
            "`{link}` links containers of a bridge network, which the engine does not have"
        );
        Finding::useless(&spot.key, problem, instead)
    };
    texts(value).map(link).collect()
}

fn logging(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let driver = value
        .get("driver")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if LOCAL_LOGGERS.contains(&driver) {
        return Vec::new();
    }
    spot.refused(format!(
        "with `{driver}` the engine sends logs from the machine's own address"
    ))
}

fn network_mode(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    match value.as_str() {
        Some("host" | "none") => Vec::new(),
        _ => vec![Finding::useless(
            &spot.key,
            format!(
                "{value} does not exist: the engine has no bridge, and services have addresses of their own"
            ),
            "`network_mode: host`",
        )],
    }
}

/// `default` alone is what Compose sets by itself.
fn networks(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    if is_default_network(value) {
        return Vec::new();
    }
    vec![Finding::useless(
        &spot.key,
        "the engine has no bridge: services have addresses of their own, and reach each other by name",
        "`network_mode: host`",
    )]
}

fn is_default_network(value: &Value) -> bool {
    value.as_object().is_some_and(|networks| {
        networks.iter().all(|(name, how)| {
            let is_plain = how.is_null() || how.as_object().is_some_and(serde_json::Map::is_empty);
            name == "default" && is_plain
        })
    })
}

fn oom_score(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    if value.as_i64().is_some_and(|score| score >= 0) {
        return Vec::new();
    }
    spot.refused("when memory runs out, other processes are killed instead")
}

fn ports(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let port = |port: &Object| {
        let target = port.get("target").map(Value::to_string).unwrap_or_default();
        let service = spot.service;
        let variable = variable(service);
        let kind = if text(port, "protocol") == "udp" {
            "udp"
        } else {
            "http"
        };
        let port_label = if kind == "udp" {
            format!("traefik.udp.services.{service}.loadbalancer.server.port={target}")
        } else {
            format!("traefik.http.services.{service}.loadbalancer.server.port={target}")
        };
        let instead = format!(
            "let it listen on `${{{variable}}}:{target}`; to make it public, \
             `labels: [\"{port_label}\"]`"
        );
        let problem = format!(
            "port {target} cannot be published: services use host networking, each on an address of its own"
        );
        Finding::useless(&spot.key, problem, instead)
    };
    objects(value).map(port).collect()
}

fn hooks(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let is_privileged = |hook: &&Object| {
        hook.get("privileged")
            .is_some_and(|it| *it != Value::Bool(false))
    };
    objects(value)
        .filter(is_privileged)
        .flat_map(|_| spot.refused("a privileged command is root on the machine"))
        .collect()
}

fn security(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    const TIGHTENING: [&str; 6] = [
        "no-new-privileges",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "apparmor:docker-default",
        "apparmor=docker-default",
        "seccomp=builtin",
    ];
    texts(value)
        .filter(|option| !TIGHTENING.contains(option))
        .flat_map(|option| {
            spot.refused(format!("`{option}` may isolate less than the engine does"))
        })
        .collect()
}

/// Settings of the IPC namespace are the container's own; those of the network are the machine's.
fn sysctls(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let names: Vec<&str> = match value {
        Value::Object(entries) => entries.keys().map(String::as_str).collect(),
        other => texts(other)
            .map(|text| text.split('=').next().unwrap_or(text))
            .collect(),
    };
    let is_own = |name: &str| {
        ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."]
            .iter()
            .any(|own| name.starts_with(own))
    };
    names
        .into_iter()
        .filter(|name| !is_own(name))
        .flat_map(|name| spot.refused(format!("`{name}` is a setting of the machine")))
        .collect()
}

fn volumes(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let volume = |volume: &Object| match text(volume, "type") {
        "bind" => {
            let mut findings = spot.path(text(volume, "source"));
            let bind = volume.get("bind").and_then(Value::as_object);
            let propagation = bind.map_or("", |bind| text(bind, "propagation"));
            if !matches!(propagation, "" | "private" | "rprivate") {
                findings.extend(spot.refused(format!(
                    "`{propagation}` propagates mounts to or from the machine"
                )));
            }
            findings
        }
        "volume" | "tmpfs" | "image" => Vec::new(),
        kind => spot.refused(format!(
            "this `renet` does not know mounts of type `{kind}`"
        )),
    };
    objects(value).flat_map(volume).collect()
}

fn volumes_from(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    texts(value)
        .filter(|from| from.starts_with("container:"))
        .flat_map(|from| spot.refused(format!("the volumes of `{from}` cannot be checked")))
        .collect()
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
