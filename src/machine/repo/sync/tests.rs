//! Tests of syncs between two folders, through the stream that is sent.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Outcome, sync};
use crate::bundle::{Failure, SyncReport};
use crate::sync::{Folder, send};

/// A folder of a workstation and a repository of a machine.
struct Pair {
    source: TempDir,
    repository: TempDir,
}

impl Pair {
    fn new() -> Self {
        Self {
            source: tempfile::tempdir().expect("a folder"),
            repository: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The same in memory: a disk takes a minute to delete so many files as are made there.
    fn in_memory() -> Self {
        let folder = || tempfile::tempdir_in("/dev/shm").expect("a folder");
        Self {
            source: folder(),
            repository: folder(),
        }
    }

    fn source(&self, path: &str) -> PathBuf {
        self.source.path().join(path)
    }

    fn there(&self, path: &str) -> PathBuf {
        self.repository.path().join(path)
    }

    /// Syncs as `rdc` does: without contents first, then with those that are lacking.
    fn try_sync(&self) -> Result<SyncReport, Failure> {
        match self.send(&[])? {
            Outcome::Synced(report) => Ok(report),
            Outcome::Lacking(wanted) => match self.send(&wanted)? {
                Outcome::Synced(report) => Ok(report),
                Outcome::Lacking(wanted) => panic!("still lacking: {wanted:?}"),
            },
        }
    }

    #[track_caller]
    fn sync(&self) -> SyncReport {
        self.try_sync().expect("it is synced")
    }

    fn send(&self, wanted: &[String]) -> Result<Outcome, Failure> {
        let sent = self.sent(wanted);
        sync(self.repository.path(), &sent[..])
    }

    fn sent(&self, wanted: &[String]) -> Vec<u8> {
        let folder = Folder::read(self.source.path()).expect("it is read");
        send(&folder, wanted, Vec::new()).expect("it is sent")
    }

    /// Everything in the repository but the private folder, links unfollowed.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(self.repository.path(), self.repository.path(), &mut found);
        found.sort();
        found
    }
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .strip_prefix(root)
            .expect("below")
            .display()
            .to_string();
        if name == ".rediacc" {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            list(root, &path, found);
        }
        found.push(name);
    }
}

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("it is written");
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(path).expect("it is read")
}

#[track_caller]
fn counts(report: &SyncReport, written: usize, deleted: usize, unchanged: usize) {
    let found = (report.written, report.deleted, report.unchanged);
    assert_eq!(
        found,
        (written, deleted, unchanged),
        "{:?}",
        report.warnings
    );
}

#[track_caller]
fn warns(report: &SyncReport, signs: &[&str]) {
    let warnings = report.warnings.join("\n");
    assert_eq!(report.warnings.is_empty(), signs.is_empty(), "{warnings}");
    for sign in signs {
        assert!(warnings.contains(sign), "no `{sign}` in {warnings}");
    }
}

#[test]
fn only_what_changed_is_sent_and_only_what_was_brought_is_deleted() {
    let pair = Pair::new();
    write(pair.source("docker-compose.yml"), "one");
    write(pair.source("web/page"), "page");
    write(pair.source("old/deep/file"), "old");
    symlink("page", pair.source("web/link")).expect("a link");
    fs::set_permissions(pair.source("web/page"), Permissions::from_mode(0o750)).expect("a mode");
    write(pair.there("data/db"), "theirs");

    let report = pair.sync();
    counts(&report, 4, 0, 0);
    warns(&report, &[]);
    assert_eq!(text(pair.there("web/page")), "page");
    let mode = fs::metadata(pair.there("web/page"))
        .expect("it is there")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o750);
    assert_eq!(
        fs::read_link(pair.there("web/link")).expect("a link"),
        Path::new("page")
    );

    // Nothing changed: one exchange does.
    let Ok(Outcome::Synced(report)) = pair.send(&[]) else {
        panic!("a content is lacking");
    };
    counts(&report, 0, 0, 4);

    write(pair.source("docker-compose.yml"), "two");
    fs::remove_dir_all(pair.source("old")).expect("it is removed");
    fs::set_permissions(pair.source("web/page"), Permissions::from_mode(0o640)).expect("a mode");
    let Ok(Outcome::Lacking(lacking)) = pair.send(&[]) else {
        panic!("no content is lacking");
    };
    assert_eq!(lacking, ["docker-compose.yml"]);
    assert!(
        pair.there("old/deep/file").exists(),
        "a question changes nothing"
    );
    let report = pair.sync();
    counts(&report, 2, 1, 1);
    warns(&report, &[]);
    let expected = [
        "data",
        "data/db",
        "docker-compose.yml",
        "web",
        "web/link",
        "web/page",
    ];
    assert_eq!(pair.files(), expected);
    assert_eq!(text(pair.there("docker-compose.yml")), "two");
}

#[test]
fn what_somebody_changed_on_the_machine_is_not_lost() {
    let pair = Pair::new();
    for name in ["changed", "deleted", "gone", "same"] {
        write(pair.source(name), "source");
    }
    write(pair.there("foreign"), "theirs");
    write(pair.there("identical"), "source");
    pair.sync();
    for name in ["changed", "deleted"] {
        write(pair.there(name), "edited");
    }
    write(pair.source("foreign"), "source");
    write(pair.source("identical"), "source");
    fs::set_permissions(pair.there("identical"), Permissions::from_mode(0o644)).expect("a mode");
    fs::set_permissions(pair.source("identical"), Permissions::from_mode(0o644)).expect("a mode");
    fs::remove_file(pair.there("gone")).expect("it is removed");
    fs::remove_file(pair.source("deleted")).expect("it is removed");
    // The source changed as well, or not.
    let report = pair.sync();
    counts(&report, 3, 0, 2);
    warns(
        &report,
        &[
            "changed was changed on the machine since the last sync",
            "deleted was removed from the source, but changed on the machine: it is kept",
            "foreign was on the machine already",
            ".rediacc/overwritten",
        ],
    );
    assert_eq!(text(pair.there("deleted")), "edited");
    assert_eq!(text(pair.there("changed")), "source");
    assert_eq!(text(pair.there(".rediacc/overwritten/changed")), "edited");
    assert_eq!(text(pair.there(".rediacc/overwritten/foreign")), "theirs");
    // It was told once, and is known now.
    warns(&pair.sync(), &[]);
}

#[test]
fn no_link_on_the_machine_leads_out_of_the_repository() {
    let outside = tempfile::tempdir().expect("a folder");
    let victim = outside.path().join("passwd");
    write(victim.clone(), "root");
    let pair = Pair::new();
    write(pair.source("data/passwd"), "source");
    write(pair.source("file"), "source");
    pair.sync();
    // A container puts a link in the place of a folder, and of a file.
    fs::remove_dir_all(pair.there("data")).expect("it is removed");
    symlink(outside.path(), pair.there("data")).expect("a link");
    fs::remove_file(pair.there("file")).expect("it is removed");
    symlink(&victim, pair.there("file")).expect("a link");
    let report = pair.sync();
    warns(
        &report,
        &[
            "data was changed on the machine",
            "file was changed on the machine",
        ],
    );
    assert_eq!(text(victim.clone()), "root");
    assert!(pair.there("data").is_dir() && !pair.there("data").is_symlink());
    assert_eq!(text(pair.there("data/passwd")), "source");
    assert_eq!(text(pair.there("file")), "source");

    // Nor does a deletion follow one.
    fs::remove_dir_all(pair.there("data")).expect("it is removed");
    symlink(outside.path(), pair.there("data")).expect("a link");
    fs::remove_dir_all(pair.source("data")).expect("it is removed");
    pair.sync();
    assert_eq!(text(victim), "root");
    assert!(pair.there("data").is_symlink(), "it was not the sync's");
}

#[test]
fn a_planted_private_folder_is_refused() {
    let outside = tempfile::tempdir().expect("a folder");
    let pair = Pair::new();
    write(pair.source("file"), "source");
    symlink(outside.path(), pair.there(".rediacc")).expect("a link");
    let failure = pair.try_sync().expect_err("it is refused");
    assert!(failure.message.contains(".rediacc"), "{}", failure.message);
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
}

#[test]
fn a_stream_that_breaks_off_changes_nothing_at_any_point() {
    let pair = Pair::new();
    write(pair.source("a"), "one");
    write(pair.source("b"), &"two".repeat(1000));
    pair.sync();
    write(pair.source("a"), "ONE");
    write(pair.source("b"), &"TWO".repeat(1000));
    fs::remove_file(pair.source("a")).expect("it is removed");
    write(pair.source("c"), "three");
    let sent = pair.sent(&["b", "c"].map(str::to_owned));
    for end in 0..sent.len() {
        let failure = sync(pair.repository.path(), &sent[..end]).expect_err("it broke off");
        assert!(
            failure.message.contains("nothing was changed"),
            "{}",
            failure.message
        );
    }
    assert_eq!(pair.files(), ["a", "b"]);
    assert_eq!(text(pair.there("a")), "one");
    assert_eq!(text(pair.there("b")), "two".repeat(1000));
    assert!(
        !pair.there(".rediacc/sync").exists(),
        "nothing waits any more"
    );
    // What was killed leaves its staging folder to the next one.
    write(pair.there(".rediacc/sync/0"), "half");
    counts(&pair.sync(), 2, 1, 0);
    assert!(!pair.there(".rediacc/sync").exists());
}

#[test]
fn what_a_sync_began_that_was_cut_off_the_next_one_completes() {
    let pair = Pair::new();
    write(pair.source("a"), "one");
    write(pair.source("folder/b"), "two");
    // A directory that cannot be replaced ends it in the middle.
    write(pair.source("z"), "three");
    pair.sync();
    fs::remove_file(pair.source("z")).expect("it is removed");
    write(pair.source("new/c"), "four");
    write(pair.source("z/deep"), "five");
    // The file `z` became a folder in the source: replaced. What is new is then taken away again.
    counts(&pair.sync(), 2, 0, 2);
    fs::remove_dir_all(pair.source("z")).expect("it is removed");
    write(pair.source("z"), "file again");
    fs::remove_dir_all(pair.source("new")).expect("it is removed");
    write(pair.there("z/theirs"), "theirs");
    let failure = pair
        .try_sync()
        .expect_err("a folder with files of others stays");
    assert!(failure.message.contains("`z`"), "{}", failure.message);
    assert_eq!(text(pair.there("z/theirs")), "theirs");
    fs::remove_file(pair.there("z/theirs")).expect("it is removed");
    pair.sync();
    assert_eq!(text(pair.there("z")), "file again");
    assert_eq!(pair.files(), ["a", "folder", "folder/b", "z"]);
}

#[test]
fn a_folder_that_no_sync_brought_is_never_replaced() {
    let pair = Pair::new();
    write(pair.there("data/db"), "theirs");
    write(pair.source("data"), "a file");
    let failure = pair.try_sync().expect_err("it is refused");
    assert!(
        failure.message.contains("nothing was changed"),
        "{}",
        failure.message
    );
    // One that is in both stays when the source loses it, and so do the rights of it.
    fs::remove_file(pair.source("data")).expect("it is removed");
    write(pair.source("data/init.sql"), "");
    fs::set_permissions(pair.there("data"), Permissions::from_mode(0o700)).expect("a mode");
    pair.sync();
    fs::remove_dir_all(pair.source("data")).expect("it is removed");
    counts(&pair.sync(), 0, 1, 0);
    assert_eq!(pair.files(), ["data", "data/db"]);
    let mode = fs::metadata(pair.there("data"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_slots_are_the_machines_once_they_are_there() {
    let pair = Pair::new();
    write(pair.source(".rediacc.json"), "source");
    counts(&pair.sync(), 1, 0, 0);
    write(pair.there(".rediacc.json"), "machine");
    let report = pair.sync();
    counts(&report, 0, 0, 1);
    warns(&report, &[]);
    fs::remove_file(pair.source(".rediacc.json")).expect("it is removed");
    counts(&pair.sync(), 0, 0, 0);
    assert_eq!(text(pair.there(".rediacc.json")), "machine");
}

#[test]
fn a_record_that_cannot_be_read_deletes_nothing() {
    let pair = Pair::new();
    write(pair.source("a"), "one");
    write(pair.source("b"), "two");
    pair.sync();
    fs::remove_file(pair.source("a")).expect("it is removed");
    for record in [
        "{",
        r#"{"version":9,"items":{}}"#,
        r#"{"version":1,"items":{"../x":{}}}"#,
    ] {
        write(pair.there(".rediacc/synced.json"), record);
        let report = pair.sync();
        counts(&report, 0, 0, 1);
        warns(&report, &["cannot be used"]);
        assert!(pair.there("a").exists(), "{record}");
    }
}

#[test]
fn two_syncs_at_once_do_not_mix() {
    let pair = Pair::new();
    write(pair.source("a"), "one");
    let tree = super::Tree::open(pair.repository.path()).expect("a tree");
    let lock = tree.lock().expect("a folder").expect("nobody holds it");
    let failure = pair.try_sync().expect_err("it is locked");
    assert_eq!(failure.kind, crate::bundle::FailureKind::Locked);
    drop(lock);
    counts(&pair.sync(), 1, 0, 0);
}

#[test]
fn ten_thousand_files_without_a_change_are_not_read_again() {
    let pair = Pair::in_memory();
    for folder in 0..100 {
        for file in 0..100 {
            write(
                pair.source(&format!("{folder}/{file}")),
                &format!("{folder} {file}"),
            );
        }
    }
    counts(&pair.sync(), 10_000, 0, 0);
    let sent = pair.sent(&[]);
    let outcome = sync(pair.repository.path(), &sent[..]).expect("it is synced");
    let Outcome::Synced(report) = outcome else {
        panic!("a content is lacking");
    };
    counts(&report, 0, 0, 10_000);
    // A file that only its own stamp keeps from being read proves that it was not.
    let record = text(pair.there(".rediacc/synced.json"));
    let sum = crate::sync::Hashing::default().content().to_string();
    let at = record.find("sha256\":\"").expect("a sum") + "sha256\":\"".len();
    let forged = format!("{}{sum}{}", &record[..at], &record[at + sum.len()..]);
    write(pair.there(".rediacc/synced.json"), &forged);
    let Ok(Outcome::Lacking(lacking)) = pair.send(&[]) else {
        panic!("the file was read");
    };
    assert_eq!(lacking.len(), 1);
}
