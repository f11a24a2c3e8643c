//! Whole configurations: each folder of `tests/it/render` holds the options of a `set-infra` and
//! the files that `render-infra` makes of them, which the real Traefik then reads.
//!
//! `UPDATE_EXPECTED=1 cargo test --test it render` writes the files anew, to be reviewed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rdc::Rdc;
use crate::test_machine::stdout_of;

#[test]
fn each_infra_renders_as_expected_and_traefik_reads_it() {
    let cases = folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/render"));
    assert!(cases.len() >= 5, "the cases are gone");
    for case in cases {
        let rendered = rendered(&case);
        let expected = case.join("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            let _ = fs::remove_dir_all(&expected);
            fs::create_dir(&expected).expect("a folder");
            for (name, text) in &rendered {
                fs::write(expected.join(name), text).expect("it is written");
            }
        }
        assert_eq!(rendered, texts(&expected), "{}", case.display());
        traefik_reads(&rendered["traefik.yml"], &case);
    }
}

/// The files that `render-infra` writes for a case.
fn rendered(case: &Path) -> BTreeMap<String, String> {
    let options = fs::read_to_string(case.join("options")).expect("the case's options");
    let rdc = Rdc::with_machine();
    let mut words = vec!["context", "set-infra", "server-1"];
    words.extend(options.split_whitespace());
    rdc.run(&words).done();
    rdc.run(&["context", "render-infra", "server-1", "--out", "rendered"])
        .done();
    texts(&rdc.path("rendered"))
}

/// Has Traefik's own parser read a static configuration: it is strict, and says so in text.
fn traefik_reads(config: &str, case: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("traefik.yml");
    fs::write(&path, config).expect("it is written");
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup");
    let traefik = stdout_of(Command::new(setup).arg("traefik"));
    let output = Command::new(traefik.trim())
        .arg("healthcheck")
        .arg(format!("--configFile={}", path.display()))
        .output()
        .expect("Traefik is there: run tests/setup");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // It read everything and then asked the address of the ping, where nobody is.
    assert!(
        stdout.starts_with("Error calling healthcheck") && stderr.is_empty(),
        "{}: {stdout}{stderr}",
        case.display()
    );
}

fn texts(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|_| panic!("no folder {}", folder.display()));
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}
