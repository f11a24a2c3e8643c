//! Who may know whom, as src/lib.rs draws it. The code is read as text: what a module names with
//! `crate::` it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may name, itself aside.
const MAY_NAME: [(&str, &[&str]); 22] = [
    ("causes", &[]),
    ("loopback", &[]),
    ("marks", &["layout"]),
    ("network", &[]),
    ("layout", &[]),
    ("printable", &[]),
    ("stdout", &[]),
    ("traefik", &["host_name", "network"]),
    ("ownership", &["host_name", "network", "traefik"]),
    ("host_name", &[]),
    ("repository", &["layout", "network"]),
    ("compose", &["causes", "layout", "network", "repository"]),
    ("sync", &["layout"]),
    (
        "bundle",
        &["context", "network", "ownership", "repository", "traefik"],
    ),
    ("context", &["layout", "network", "ownership", "traefik"]),
    (
        "render",
        &["bundle", "context", "layout", "ownership", "traefik"],
    ),
    ("remote", &["causes", "context"]),
    ("release", &["causes", "context", "layout"]),
    (
        "push",
        &["bundle", "context", "layout", "release", "remote", "render"],
    ),
    (
        "machine",
        &[
            "bundle",
            "causes",
            "compose",
            "context",
            "layout",
            "loopback",
            "marks",
            "network",
            "ownership",
            "printable",
            "render",
            "repository",
            "stdout",
            "sync",
            "traefik",
        ],
    ),
    (
        "proxy",
        &["bundle", "layout", "loopback", "marks", "traefik"],
    ),
    (
        "route_server",
        &[
            "causes",
            "layout",
            "loopback",
            "marks",
            "network",
            "ownership",
            "printable",
            "repository",
            "stdout",
            "traefik",
        ],
    ),
];

/// `rdc`'s commands may name everything but what runs on the machine.
const CLI_MUST_NOT_NAME: [&str; 3] = ["machine", "proxy", "route_server"];

/// These do no I/O, and know no clock and no environment.
const PURE: [&str; 29] = [
    "src/network.rs",
    "src/host_name.rs",
    "src/ownership",
    "src/layout.rs",
    "src/traefik",
    "src/render",
    "src/compose/commands.rs",
    "src/compose/line.rs",
    "src/compose/model.rs",
    "src/compose/replicas.rs",
    "src/repository/registry.rs",
    "src/repository/slots.rs",
    "src/repository/slots_text.rs",
    "src/repository/variable.rs",
    "src/machine/diff.rs",
    "src/machine/drops.rs",
    "src/machine/grants.rs",
    "src/release/architecture.rs",
    "src/release/site.rs",
    "src/machine/plan.rs",
    "src/route_server/index.rs",
    "src/route_server/ownership",
    "src/route_server/inventory.rs",
    "src/route_server/explain/container.rs",
    "src/route_server/explain/host.rs",
    "src/route_server/explain/parts.rs",
    "src/route_server/explain/prose.rs",
    "src/route_server/ports",
    "src/route_server/routes",
];
const IMPURE_WORDS: [&str; 8] = [
    "tokio",
    "std::fs",
    "std::env",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    "TcpStream",
    "UnixStream",
];

/// Doors to the outside, and the only places that open each.
const DOORS: [(&str, &[&str]); 4] = [
    ("openssh::", &["src/remote/link.rs"]),
    // The route server's own socket, and the daemons'.
    (
        "UnixStream::",
        &[
            "src/route_server/control.rs",
            "src/route_server/docker/client.rs",
        ],
    ),
    ("minijinja::", &["src/render/mod.rs"]),
    ("Client::builder", &["src/release/download.rs"]),
];

#[test]
fn modules_name_only_whom_they_may_know() {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, code) in sources("src") {
        let module = module_of(&path);
        for part in code.split("crate::").skip(1) {
            let name: String = part
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            named.entry(module.clone()).or_default().insert(name);
        }
    }
    let known: BTreeSet<&str> = MAY_NAME
        .iter()
        .map(|(module, _)| *module)
        .chain(["cli"])
        .collect();
    let mut faults = Vec::new();
    for (module, names) in named {
        let allowed = |name: &str| match MAY_NAME.iter().find(|(own, _)| *own == module) {
            Some((_, may)) => may.contains(&name),
            None => module == "cli" && !CLI_MUST_NOT_NAME.contains(&name),
        };
        faults.extend(
            names
                .iter()
                .filter(|name| known.contains(name.as_str()) && **name != module && !allowed(name))
                .map(|name| format!("{module} names {name}")),
        );
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn pure_modules_touch_nothing_outside() {
    let mut faults = Vec::new();
    for place in PURE {
        for (path, code) in sources(place) {
            let words = IMPURE_WORDS.iter().filter(|word| code.contains(**word));
            faults.extend(words.map(|word| format!("{} says {word}", path.display())));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn each_door_to_the_outside_has_its_keepers() {
    for (door, keepers) in DOORS {
        let users: Vec<PathBuf> = sources("src")
            .into_iter()
            .filter(|(_, code)| code.contains(door))
            .map(|(path, _)| path)
            .collect();
        let keepers: Vec<PathBuf> = keepers.iter().map(PathBuf::from).collect();
        assert_eq!(users, keepers, "who uses {door}");
    }
}

/// The code of a file or folder without its tests and comments, by path.
fn sources(place: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = BTreeMap::new();
    let mut places = vec![root.join(place)];
    while let Some(path) = places.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            places.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            texts.insert(path, text);
        }
    }
    assert!(!texts.is_empty(), "there is no source at {place}");
    let tests: BTreeSet<PathBuf> = texts
        .iter()
        .flat_map(|(path, text)| test_files(path, text))
        .collect();
    texts.retain(|path, _| !tests.contains(path));
    texts
        .into_iter()
        .map(|(path, text)| {
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            let lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let relative = path.strip_prefix(root).expect("a path of ours").to_owned();
            (relative, lines.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

/// The files of modules that are declared for tests alone, beside the file that declares them.
fn test_files(path: &Path, text: &str) -> Vec<PathBuf> {
    let declared = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once(';')?;
        name.chars().all(char::is_alphanumeric).then_some(name)
    });
    declared
        .map(|name| path.with_file_name(format!("{name}.rs")))
        .collect()
}

/// `src/push/program.rs` belongs to `push`.
fn module_of(path: &Path) -> String {
    let mut parts = path.iter().skip(1).map(|part| part.to_string_lossy());
    let first = parts.next().unwrap_or_default();
    first.trim_end_matches(".rs").to_owned()
}
