//! The rules for the keys of a service's build.

use std::path::Path;

use serde_json::Value;

use super::finding::Finding;
use super::table::{Rule, Spot, Table, apply, text, texts};
use crate::layout;

pub(super) fn check(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let Some(build) = value.as_object() else {
        return Vec::new();
    };
    let mut findings = apply(BUILD, &spot.key, spot.service, build, spot.folder);
    let context = text(build, "context");
    let dockerfile = text(build, "dockerfile");
    if is_path(context) && !dockerfile.is_empty() && spot.folder.check("", context).is_none() {
        let path = Path::new(context).join(dockerfile);
        let key = format!("{}.dockerfile", spot.key);
        findings.extend(spot.folder.check(&key, &path.to_string_lossy()));
    }
    if is_path(context) && spot.folder.is_root(context) && !ignores_private(context, dockerfile) {
        let private = layout::REPOSITORY_PRIVATE;
        let problem =
            format!("the build would copy `{private}`, which belongs to the repository's engine");
        let instead = format!("write the line `{private}` into {context}/.dockerignore");
        findings.push(Finding::useless(
            format!("{}.context", spot.key),
            problem,
            instead,
        ));
    }
    findings
}

const BUILD: &Table = &[
    ("additional_contexts", Rule::Checked(contexts)),
    ("args", Rule::Free),
    ("cache_from", Rule::Checked(caches)),
    ("cache_to", Rule::Checked(caches)),
    ("context", Rule::Checked(context)),
    // Checked together with the context.
    ("dockerfile", Rule::Free),
    ("dockerfile_inline", Rule::Free),
    ("entitlements", Rule::Checked(entitlements)),
    ("extra_hosts", Rule::Free),
    ("isolation", Rule::Free),
    ("labels", Rule::Free),
    ("network", Rule::Checked(network)),
    ("no_cache", Rule::Free),
    ("no_cache_filter", Rule::Free),
    ("platforms", Rule::Free),
    (
        "privileged",
        Rule::Unsafe("a privileged build is root on the machine"),
    ),
    ("provenance", Rule::Free),
    ("pull", Rule::Free),
    ("sbom", Rule::Free),
    ("secrets", Rule::Free),
    ("shm_size", Rule::Free),
    (
        "ssh",
        Rule::Unsafe("the build may use the SSH keys of whoever starts it"),
    ),
    ("tags", Rule::Free),
    ("target", Rule::Free),
    ("ulimits", Rule::Free),
];

/// Whether a context is a folder of this machine. Compose has made its path absolute.
fn is_path(context: &str) -> bool {
    context.starts_with('/')
}

fn context(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    match value.as_str() {
        Some(context) if is_path(context) => spot.path(context),
        _ => Vec::new(),
    }
}

fn contexts(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    let contexts: Vec<&str> = match value {
        Value::Object(entries) => entries.values().filter_map(Value::as_str).collect(),
        other => texts(other)
            .map(|text| text.split_once('=').map_or(text, |(_, context)| context))
            .collect(),
    };
    contexts
        .into_iter()
        .flat_map(|context| match context.strip_prefix("oci-layout://") {
            Some(path) => spot.whole_path(path),
            None if is_path(context) => spot.whole_path(context),
            None => Vec::new(),
        })
        .collect()
}

fn caches(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    texts(value)
        .filter(|cache| cache.contains("type=local"))
        .flat_map(|cache| spot.refused(format!("`{cache}` is a folder of the machine")))
        .collect()
}

fn entitlements(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    texts(value)
        .filter(|right| *right != "network.host")
        .flat_map(|right| spot.refused(format!("`{right}` is a right on the machine itself")))
        .collect()
}

fn network(spot: &Spot<'_>, value: &Value) -> Vec<Finding> {
    match value.as_str() {
        Some("host" | "none" | "default") => Vec::new(),
        _ => vec![Finding::useless(
            &spot.key,
            format!("{value} does not exist: the engine has no bridge"),
            "`network: host`",
        )],
    }
}

/// Whether a build of the repository's whole folder excludes the private one. Only single lines are
/// understood: combinations with `!` are the author's responsibility.
fn ignores_private(context: &str, dockerfile: &str) -> bool {
    const LINES: [&str; 9] = [
        ".rediacc",
        ".rediacc/",
        ".rediacc*",
        ".rediacc/**",
        "**/.rediacc",
        ".*",
        "**/.*",
        "*",
        "**",
    ];
    let context = Path::new(context);
    let own = format!("{dockerfile}.dockerignore");
    let text = [own.as_str(), ".dockerignore"]
        .iter()
        .find_map(|name| std::fs::read_to_string(context.join(name)).ok());
    text.unwrap_or_default().lines().any(|line| {
        let line = line.trim();
        LINES.contains(&line.strip_prefix('/').unwrap_or(line))
    })
}
