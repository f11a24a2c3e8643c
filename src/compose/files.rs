//! The files and the folder of a project. Compose finds them by itself, but its model does not show
//! them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::commands::FILE;
use super::line::Line;
use super::place::Place;

/// Files that Compose finds by itself: of each row, the first that exists.
const FOUND: [&[&str]; 2] = [
    &[
        "compose.yaml",
        "compose.yml",
        "docker-compose.yml",
        "docker-compose.yaml",
    ],
    &[
        "compose.override.yaml",
        "compose.override.yml",
        "docker-compose.override.yml",
        "docker-compose.override.yaml",
    ],
];

/// Whether a folder has a file that Compose finds by itself.
pub fn are_in(folder: &Path) -> bool {
    FOUND[0].iter().any(|name| folder.join(name).is_file())
}

/// The files of the project: those named by options or the environment, or else the nearest ones.
pub(super) fn paths(place: &Place, line: &Line) -> Vec<PathBuf> {
    let asked: Vec<String> = line.globals(FILE).map(str::to_owned).collect();
    let asked = if asked.is_empty() {
        of_environment(place)
    } else {
        asked
    };
    if !asked.is_empty() {
        let files = asked.iter().filter(|file| *file != "-");
        return files.map(|file| place.project_dir.join(file)).collect();
    }
    let start = match asked_directory(place, line) {
        Some(folder) => folder,
        None => place.project_dir.clone(),
    };
    let Some(folder) = start.ancestors().find(|folder| are_in(folder)) else {
        return Vec::new();
    };
    let first = |names: &&[&str]| {
        let mut paths = names.iter().map(|name| folder.join(name));
        paths.find(|path| path.is_file())
    };
    FOUND.iter().filter_map(first).collect()
}

/// The project's folder.
pub(super) fn project_directory(place: &Place, line: &Line) -> PathBuf {
    let of_first = || Some(paths(place, line).first()?.parent()?.to_owned());
    asked_directory(place, line)
        .or_else(of_first)
        .unwrap_or_else(|| place.project_dir.clone())
}

/// The names of the services in a file, in the order in which they are written. None if it cannot be
/// read: Compose reports that.
pub(super) fn services_in(text: &str) -> Vec<String> {
    let Ok(Value::Mapping(file)) = serde_yaml::from_str(text) else {
        return Vec::new();
    };
    let services = file.get("services").and_then(Value::as_mapping);
    let names = services.into_iter().flatten().map(|(name, _)| name);
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn asked_directory(place: &Place, line: &Line) -> Option<PathBuf> {
    let asked = line.globals(&["--project-directory", "--workdir"]).last();
    asked.map(|folder| place.project_dir.join(folder))
}

/// The files that COMPOSE_FILE names, in the environment or in the project's `.env`.
fn of_environment(place: &Place) -> Vec<String> {
    let written = fs::read_to_string(place.project_dir.join(".env")).unwrap_or_default();
    let value = |name: &str| env::var(name).ok().or_else(|| value_in(&written, name));
    let separator = value("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".to_owned());
    let files = value("COMPOSE_FILE").unwrap_or_default();
    let files = files.split(separator.as_str());
    files
        .filter(|file| !file.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A plain value in a `.env`, the last of its name.
fn value_in(text: &str, name: &str) -> Option<String> {
    let values = text.lines().rev().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then_some(value)
    });
    let value = values.map(str::trim).next()?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_as_they_are_written() {
        for (text, expected) in [
            ("services:\n  z: {}\n  a: {image: x}\n", &["z", "a"][..]),
            ("services: {b: , a: !reset null}", &["b", "a"]),
            ("services: []", &[]),
            ("services: {", &[]),
            ("", &[]),
        ] {
            assert_eq!(services_in(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_value_of_a_name_counts() {
        let text = "# COMPOSE_FILE=no\nCOMPOSE_FILE=a.yml\nCOMPOSE_FILE = 'b.yml:c.yml'\nX=1";
        for (name, expected) in [
            ("COMPOSE_FILE", Some("b.yml:c.yml")),
            ("X", Some("1")),
            ("Y", None),
        ] {
            assert_eq!(value_in(text, name).as_deref(), expected);
        }
    }
}
