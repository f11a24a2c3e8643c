//! Tests of the rules for a service, as a table.

use std::path::Path;

use super::*;

fn findings(text: &str) -> Vec<Finding> {
    let service: Object =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    check("web", &service, Folder(Path::new("/srv")))
}

#[test]
fn what_reaches_the_machine_is_found_by_its_key() {
    for (text, key) in [
        (r#"{"privileged": true}"#, "web.privileged"),
        (r#"{"pid": "host"}"#, "web.pid"),
        (r#"{"ipc": "host"}"#, "web.ipc"),
        (r#"{"uts": "host"}"#, "web.uts"),
        (r#"{"userns_mode": "host"}"#, "web.userns_mode"),
        (r#"{"cgroup": "host"}"#, "web.cgroup"),
        (r#"{"cgroup_parent": "/"}"#, "web.cgroup_parent"),
        (r#"{"cap_add": ["SYS_ADMIN"]}"#, "web.cap_add"),
        (r#"{"cap_add": ["ALL"]}"#, "web.cap_add"),
        (r#"{"cap_add": ["cap_net_admin"]}"#, "web.cap_add"),
        (
            r#"{"devices": [{"source": "/dev/sda", "target": "/dev/sda"}]}"#,
            "web.devices",
        ),
        (
            r#"{"device_cgroup_rules": ["c 1:3 mr"]}"#,
            "web.device_cgroup_rules",
        ),
        (r#"{"gpus": [{"count": -1}]}"#, "web.gpus"),
        (
            r#"{"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}}"#,
            "web.deploy.resources.reservations.devices",
        ),
        (
            r#"{"security_opt": ["seccomp=unconfined"]}"#,
            "web.security_opt",
        ),
        (
            r#"{"security_opt": ["no-new-privileges:false"]}"#,
            "web.security_opt",
        ),
        (r#"{"runtime": "other"}"#, "web.runtime"),
        (r#"{"use_api_socket": true}"#, "web.use_api_socket"),
        (r#"{"provider": {"type": "x"}}"#, "web.provider"),
        (r#"{"models": {"m": null}}"#, "web.models"),
        (r#"{"annotations": {"a": "b"}}"#, "web.annotations"),
        (r#"{"sysctls": {"vm.swappiness": "1"}}"#, "web.sysctls"),
        (r#"{"sysctls": ["net.core.somaxconn=1"]}"#, "web.sysctls"),
        (r#"{"oom_score_adj": -500}"#, "web.oom_score_adj"),
        (r#"{"logging": {"driver": "syslog"}}"#, "web.logging"),
        (
            r#"{"post_start": [{"command": ["x"], "privileged": true}]}"#,
            "web.post_start",
        ),
        (
            r#"{"volumes": [{"type": "bind", "source": "/etc", "target": "/e"}]}"#,
            "web.volumes",
        ),
        (
            r#"{"volumes": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/s"}]}"#,
            "web.volumes",
        ),
        (
            r#"{"volumes": [{"type": "bind", "source": "/srv/x", "target": "/e", "bind": {"propagation": "rshared"}}]}"#,
            "web.volumes",
        ),
        (
            r#"{"volumes": [{"type": "npipe", "source": "x", "target": "/e"}]}"#,
            "web.volumes",
        ),
        (
            r#"{"volumes_from": ["container:other"]}"#,
            "web.volumes_from",
        ),
        (
            r#"{"develop": {"watch": [{"path": "/etc", "action": "sync"}]}}"#,
            "web.develop",
        ),
        (r#"{"build": {"context": "/etc"}}"#, "web.build.context"),
        (
            r#"{"build": {"context": "/srv/x", "dockerfile": "../../etc/passwd"}}"#,
            "web.build.dockerfile",
        ),
        (
            r#"{"build": {"context": "/srv/x", "privileged": true}}"#,
            "web.build.privileged",
        ),
        (
            r#"{"build": {"context": "/srv/x", "ssh": ["default"]}}"#,
            "web.build.ssh",
        ),
        (
            r#"{"build": {"context": "/srv/x", "entitlements": ["security.insecure"]}}"#,
            "web.build.entitlements",
        ),
        (
            r#"{"build": {"context": "/srv/x", "cache_to": ["type=local,dest=/etc"]}}"#,
            "web.build.cache_to",
        ),
        (
            r#"{"build": {"context": "/srv/x", "additional_contexts": {"a": "/etc"}}}"#,
            "web.build.additional_contexts",
        ),
        (r#"{"never_heard_of": 1}"#, "web.never_heard_of"),
    ] {
        let found = findings(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(
            (found[0].key.as_str(), found[0].is_unsafe),
            (key, true),
            "{text}"
        );
    }
}

#[test]
fn what_cannot_work_on_the_host_network_comes_with_the_line_to_write() {
    for (text, key, line) in [
        (
            r#"{"ports": [{"target": 3000, "published": "80", "protocol": "tcp"}]}"#,
            "web.ports",
            "${WEB_IP}:3000`; to make it public, `labels: \
             [\"traefik.http.services.web.loadbalancer.server.port=3000\"]`",
        ),
        (
            r#"{"ports": [{"target": 53, "protocol": "udp"}]}"#,
            "web.ports",
            "traefik.udp.services.web.loadbalancer.server.port=53",
        ),
        (
            r#"{"networks": {"default": null, "back": null}}"#,
            "web.networks",
            "network_mode: host",
        ),
        (
            r#"{"networks": {"default": {"aliases": ["x"]}}}"#,
            "web.networks",
            "network_mode: host",
        ),
        (
            r#"{"network_mode": "bridge"}"#,
            "web.network_mode",
            "network_mode: host",
        ),
        (
            r#"{"network_mode": "service:db"}"#,
            "web.network_mode",
            "network_mode: host",
        ),
        (r#"{"links": ["db"]}"#, "web.links", "${DB_IP}"),
        (
            r#"{"links": ["db:database"]}"#,
            "web.links",
            "extra_hosts: [\"database:${DB_IP}\"]",
        ),
        (
            r#"{"external_links": ["other-db"]}"#,
            "web.external_links",
            "${OTHER_DB_IP}",
        ),
        (
            r#"{"build": {"context": "/srv/x", "network": "mine"}}"#,
            "web.build.network",
            "network: host",
        ),
        (
            r#"{"build": {"context": "/srv/x", "additional_contexts": {"all": "/srv"}}}"#,
            "web.build.additional_contexts",
            "./data",
        ),
        (
            r#"{"volumes": [{"type": "bind", "source": "/srv/.rediacc/x", "target": "/e"}]}"#,
            "web.volumes",
            "./data",
        ),
    ] {
        let found = findings(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let instead = found[0].instead.as_deref().unwrap_or_default();
        assert_eq!(
            (found[0].key.as_str(), found[0].is_unsafe),
            (key, false),
            "{text}"
        );
        assert!(instead.contains(line), "{text}: {instead}");
    }
}

#[test]
fn what_stays_in_the_container_is_free() {
    let text = r#"{
        "image": "x", "command": null, "entrypoint": [], "privileged": false, "network_mode": "host",
        "networks": {"default": null}, "cap_add": ["NET_BIND_SERVICE", "CAP_CHOWN"], "cap_drop": ["ALL"],
        "pid": "service:db", "ipc": "shareable", "security_opt": ["no-new-privileges:true"],
        "sysctls": {"kernel.shmmax": "1"}, "oom_score_adj": 100, "logging": {"driver": "json-file"},
        "volumes": [
            {"type": "bind", "source": "/srv/data", "target": "/d"},
            {"type": "volume", "source": "v", "target": "/v"}, {"type": "tmpfs", "target": "/t"}
        ],
        "volumes_from": ["db:ro"], "x-own": {"privileged": true}, "deploy": {"replicas": 2},
        "build": {"context": "https://example.com/x.git", "args": {"A": "1"}}
    }"#;
    assert_eq!(findings(text), []);
}

#[test]
fn a_build_of_the_whole_repository_must_leave_the_private_folder_out() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path().canonicalize().expect("a path");
    let text = format!(r#"{{"build": {{"context": {root:?}, "dockerfile": "Dockerfile"}}}}"#);
    let service: Object = serde_json::from_str(&text).expect("a service");
    let found = || check("web", &service, Folder(&root)).len();
    assert_eq!(found(), 1);
    for (ignored, expected) in [("# .rediacc\nx", 1), ("x\n/.rediacc\n", 0), (".*", 0)] {
        std::fs::write(root.join(".dockerignore"), ignored).expect("it is written");
        assert_eq!(found(), expected, "{ignored}");
    }
    // The Dockerfile's own goes before.
    std::fs::write(root.join("Dockerfile.dockerignore"), "x").expect("it is written");
    assert_eq!(found(), 1);
}

#[test]
fn the_table_is_in_order_and_has_each_key_once() {
    let keys: Vec<&str> = SERVICE.iter().map(|(key, _)| *key).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(keys, sorted);
}
