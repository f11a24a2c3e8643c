//! Tests of the rules for top-level elements, as a table.

use std::path::Path;

use super::*;

#[test]
fn top_level_elements_stay_in_the_repository() {
    for (text, expected) in [
        (
            r#"{"volumes": {"a": {"name": "p_a"}, "b": {"driver": "local"}}}"#,
            &[][..],
        ),
        (
            r#"{"volumes": {"a": {"driver": "sshfs"}}}"#,
            &["volumes.a.driver"],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "none", "o": "bind", "device": "/etc"}}}}"#,
            &["volumes.a.driver_opts"],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"o": "ro,rbind", "device": "/srv/x"}}}}"#,
            &[],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "ext4", "o": "bind", "device": "/srv/x"}}}}"#,
            &["volumes.a.driver_opts"],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "nfs", "device": ":/x"}}}}"#,
            &["volumes.a.driver_opts"],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "tmpfs", "device": "tmpfs"}}}}"#,
            &[],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "tmpfs", "o": "size=1m,bind", "device": "/etc"}}}}"#,
            &["volumes.a.driver_opts"],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "none", "o": "bind,rshared", "device": "/srv/x"}}}}"#,
            &["volumes.a.driver_opts"],
        ),
        (
            r#"{"volumes": {"a": {"driver_opts": {"type": "none", "o": "bind", "device": "/srv"}}}}"#,
            &["volumes.a.driver_opts"],
        ),
        (
            r#"{"secrets": {"s": {"file": "/srv"}}, "configs": {"c": {"file": "/srv/"}}}"#,
            &["configs.c.file", "secrets.s.file"],
        ),
        (
            r#"{"volumes": {"a": {"new": 1, "x-new": 1}}}"#,
            &["volumes.a.new"],
        ),
        (
            r#"{"secrets": {"s": {"file": "/etc/shadow"}}}"#,
            &["secrets.s.file"],
        ),
        (
            r#"{"secrets": {"s": {"file": "/srv/s"}, "t": {"environment": "T"}}}"#,
            &[],
        ),
        (
            r#"{"secrets": {"s": {"driver": "vault"}}}"#,
            &["secrets.s.driver"],
        ),
        (
            r#"{"configs": {"c": {"content": "x"}, "d": {"file": "/srv/.rediacc/d"}}}"#,
            &["configs.d.file"],
        ),
        (
            r#"{"name": "p", "networks": {"default": {"name": "p_default", "ipam": {}}}}"#,
            &[],
        ),
        (
            r#"{"name": "p", "networks": {"default": {"name": "other", "external": true}}}"#,
            &["networks.default"],
        ),
        (r#"{"models": {"m": {"model": "ai/x"}}}"#, &["models"]),
        (r#"{"x-own": {"y": 1}, "unheard": {"z": 1}}"#, &["unheard"]),
    ] {
        let model = Model::parse(text).expect("a model");
        let found = check(&model, Folder(Path::new("/srv")));
        let keys: Vec<&str> = found.iter().map(|finding| finding.key.as_str()).collect();
        assert_eq!(keys, expected, "{text}");
    }
}
