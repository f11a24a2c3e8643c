//! Tests of Rediaccfiles with a real bash.

use super::*;

struct Repository(tempfile::TempDir);

impl Repository {
    /// A repository with these files.
    fn with(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        }
        Self(root)
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            name: "my-app".parse().expect("a name"),
            root: self.0.path().to_owned(),
            network_id: NetworkId::try_from(2816).expect("an id"),
            socket: "/run/docker-2816.sock".into(),
            programs: "/opt/renet".into(),
            addresses: [("WEB_IP".to_owned(), "127.0.11.2".to_owned())].into(),
        }
    }

    /// Calls a function of every Rediaccfile; how the last one ended, and what was printed.
    fn call(&self, function: &str) -> (Called, Vec<String>) {
        let surroundings = self.surroundings();
        let mut said = Vec::new();
        let mut hear = |line: RunLine| {
            let folder = line.folder.unwrap_or_default();
            let mark = match line.source {
                LineSource::Stdout => "",
                LineSource::Stderr => "!",
                LineSource::Step => return,
            };
            said.push(format!("{folder}{mark}> {}", line.text));
        };
        let mut ended = Called::Missing;
        let found = find(self.0.path()).expect("they are found");
        for file in &found.rediaccfiles {
            ended = call(file, function, &surroundings, String::new(), &mut hear).expect("it runs");
        }
        (ended, said)
    }
}

#[test]
fn a_failure_tells_file_line_command_and_exit_code() {
    let helper = ("lib/helper.sh", "f() {\n  true\n  ls /nonexistent\n}\n");
    let broken = ("lib/broken.sh", "if\n");
    for (text, expected) in [
        ("up() {\n false\n echo no\n}", "Rediaccfile:2 `false` 1"),
        ("up() {\n exit 3\n}", "Rediaccfile:2 `exit 3` 3"),
        ("up() {\n false || exit\n}", "Rediaccfile:2 `exit 1` 1"),
        ("up() {\n return 4\n}", "Rediaccfile:2 `return 4` 4"),
        (
            "f() {\n return 4\n}\nup() {\n f || return\n}",
            "Rediaccfile:5 `return` 4",
        ),
        (
            "f() { return 4; }\nup() {\n f\n}",
            "Rediaccfile:1 `return 4` 4",
        ),
        // Without a `sudo`, the driver's own fails.
        (
            "PATH=/nonexistent\nup() {\n sudo bash x\n}",
            "Rediaccfile:3 `sudo bash x` 127",
        ),
        ("up() {\n echo $NOPE\n}", "Rediaccfile:2 `echo $NOPE` 1"),
        (
            "up() {\n echo ${NOPE:?is needed}\n}",
            "Rediaccfile:2 `echo ${NOPE:?is needed}` 1",
        ),
        (
            "up() {\n source lib/helper.sh\n f\n}",
            "lib/helper.sh:3 `ls /nonexistent` 2",
        ),
        (
            "up() {\n source lib/broken.sh\n}",
            "lib/broken.sh:2 `syntax error: unexpected end of file` 2",
        ),
        (
            "f() {\n false\n}\nup() {\n x=$(f)\n}",
            "Rediaccfile:2 `false` 1",
        ),
        ("up() {\n x=$(exit 5)\n}", "Rediaccfile:2 `exit 5` 5"),
        (
            "up() {\n (\n  cd /nonexistent\n )\n}",
            "Rediaccfile:3 `cd /nonexistent` 1",
        ),
        (
            "up() {\n echo x | grep y | cat\n}",
            "Rediaccfile:2 `echo x | grep y | cat` 1",
        ),
        (
            "up() {\n for i in 1 2; do\n  test $i = 1\n done\n}",
            "Rediaccfile:3 `test $i = 1` 1",
        ),
        (
            "up() {\n nosuchcommand -x\n}",
            "Rediaccfile:2 `nosuchcommand -x` 127",
        ),
        (
            "up() {\n bash -c 'kill -9 $$'\n}",
            "Rediaccfile:2 `bash -c 'kill -9 $$'` 137",
        ),
        ("up() {\n kill -KILL $$\n}", "Rediaccfile:- `-` 137"),
        ("up() {\n kill -TERM $$\n}", "Rediaccfile:- `-` 143"),
        (
            "up() {\n if\n}",
            "Rediaccfile:3 `syntax error near unexpected token `}'` 2",
        ),
        ("false\nup() { true; }", "Rediaccfile:1 `false` 1"),
        ("exit 7", "Rediaccfile:1 `exit 7` 7"),
        (
            "up() {\n (false) & wait $! || true\n echo $NOPE\n}",
            "Rediaccfile:3 `echo $NOPE` 1",
        ),
        (
            "up() {\n (exit 3) || true\n x=$(false) || true\n false\n}",
            "Rediaccfile:4 `false` 1",
        ),
    ] {
        let (ended, said) = Repository::with(&[("Rediaccfile", text), helper, broken]).call("up");
        let Called::Failed(failure) = ended else {
            panic!("it did not fail: {text}\n{ended:?}");
        };
        let line = failure.line.map_or("-".to_owned(), |line| line.to_string());
        let command = failure.command.as_deref().unwrap_or("-");
        let found = format!("{}:{line} `{command}` {}", failure.file, failure.code);
        assert_eq!(found, expected, "{text}\n{said:#?}");
    }
}

#[test]
fn a_failure_that_is_handled_is_none() {
    for text in [
        "up() { false || true; }",
        "up() { if ! grep x /dev/null; then :; fi; }",
        "up() { (exit 3) || true; x=$(false) || true; }",
        "up() { false && true; true; }",
        "up() { exit 0; }",
        "up() { return 0; }",
    ] {
        let (ended, said) = Repository::with(&[("Rediaccfile", text)]).call("up");
        assert_eq!(ended, Called::Done, "{text}\n{said:#?}");
    }
}

#[test]
fn a_function_that_is_missing_is_skipped() {
    let repository = Repository::with(&[("Rediaccfile", "up() { echo up; }\n")]);
    assert_eq!(repository.call("prep"), (Called::Missing, Vec::new()));
}

#[test]
fn the_environment_is_clean_and_the_folder_is_the_files() {
    let text = "up() { pwd; env | grep '^[A-Z]' | grep -v '^BASH_FUNC\\|^SHLVL' | sort; cat; }";
    let repository = Repository::with(&[("api/Rediaccfile", text)]);
    let (ended, said) = repository.call("up");
    assert_eq!(ended, Called::Done, "{said:#?}");
    let root = repository.0.path().display();
    let expected = [
        format!("{root}/api"),
        "DOCKER_HOST=unix:///run/docker-2816.sock".to_owned(),
        "HOME=/root".to_owned(),
        "LANG=C.UTF-8".to_owned(),
        "PATH=/opt/renet:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("PWD={root}/api"),
        "REPOSITORY_NAME=my-app".to_owned(),
        "REPOSITORY_NETWORK_ID=2816".to_owned(),
        format!("REPOSITORY_PATH={root}"),
        "TERM=dumb".to_owned(),
        "WEB_IP=127.0.11.2".to_owned(),
    ];
    let expected: Vec<String> = expected.iter().map(|line| format!("api> {line}")).collect();
    assert_eq!(said, expected);
}

#[test]
fn both_streams_are_heard_and_a_last_line_without_an_end() {
    let text = "up() { echo out; echo err >&2; printf 'a\\rb\\nlast'; }";
    let (ended, mut said) = Repository::with(&[("web/Rediaccfile", text)]).call("up");
    said.sort();
    assert_eq!(ended, Called::Done);
    assert_eq!(said, ["web!> err", "web> b", "web> last", "web> out"]);
}

#[test]
fn what_a_function_leaves_behind_holds_nobody_up() {
    let text = "up() { sleep 600 & echo $!; }";
    let begin = std::time::Instant::now();
    let (ended, said) = Repository::with(&[("Rediaccfile", text)]).call("up");
    assert_eq!(ended, Called::Done);
    assert!(begin.elapsed().as_secs() < 60, "it was waited for");
    let pid = said[0].trim_start_matches("> ");
    let killed = Command::new("kill").arg(pid).status().expect("it runs");
    assert!(killed.success(), "{said:?}");
}

#[test]
fn sudo_that_drops_the_daemon_is_refused() {
    // A `sudo` that is found before the machine's own, and says what it was given.
    let stand_in = "#!/bin/sh\necho \"sudo ran: $*\"\n";
    for (command, refused) in [
        ("sudo docker ps", true),
        ("sudo -n docker ps", true),
        ("sudo -u root -- docker ps", true),
        ("sudo -nu root /usr/bin/docker ps", true),
        ("sudo --user root docker-compose up", true),
        ("sudo --user=root renet compose -- up -d", true),
        ("sudo FOO=bar docker ps", true),
        ("sudo --preserve-env=PATH,HOME docker ps", true),
        ("bash -c 'sudo docker ps'", true),
        ("bash lib/script.sh", true),
        ("sudo -E docker ps", false),
        ("sudo -nE docker ps", false),
        ("sudo --preserve-env docker ps", false),
        ("sudo --preserve-env=PATH,DOCKER_HOST docker ps", false),
        ("sudo DOCKER_HOST=\"$DOCKER_HOST\" docker ps", false),
        ("sudo chown root docker", false),
        ("sudo -u docker ls", false),
    ] {
        let rediaccfile = format!("PATH=$REPOSITORY_PATH/bin:$PATH\nup() {{\n {command}\n}}\n");
        let repository = Repository::with(&[
            ("Rediaccfile", &rediaccfile),
            ("lib/script.sh", "sudo docker ps\n"),
            ("bin/sudo", stand_in),
        ]);
        let sudo = repository.0.path().join("bin/sudo");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(sudo, mode).expect("it is set");
        let (ended, said) = repository.call("up");
        let ran = said.iter().any(|line| line.contains("sudo ran: "));
        let explained = said
            .iter()
            .any(|line| line.contains("sudo drops DOCKER_HOST"));
        assert_eq!(
            (ran, explained),
            (!refused, refused),
            "{command}: {said:#?}"
        );
        match ended {
            Called::Failed(failure) => {
                assert!(refused, "{command}: {failure}");
                assert_eq!(failure.line, Some(3), "{command}: {failure}");
                let named = failure.command.unwrap_or_default();
                assert_eq!(named, command, "{said:#?}");
            }
            ended => assert!(!refused, "{command}: {ended:?}"),
        }
    }
}
