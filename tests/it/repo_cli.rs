//! `rdc repo` beside a stand-in of a machine: what it asks, sends and shows, and how it ends. What
//! really happens on a machine is in `end_to_end`.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use rediacc::push::Program;
use rediacc::sync::{Item, Shipment, SyncPath};
use rustix::process::{Pid, Signal, kill_process};

use crate::rdc::Answer;
use crate::standin_machine::{Workbench, text};

/// A workstation whose machine has a `renet repo` that does what a test says.
struct Bench(Workbench);

const STATUS: &str = r#"{"name":"app","network_id":2816,"path":"/mnt/rediacc/repositories/app","state":"running","up":true,"image_bytes":null,"used_bytes":1073741824,"limits":{"memory_bytes":null,"tasks":null},"allows_unsafe":false,"services":[{"name":"web","address":"127.0.11.2","state":"running","health":null,"listens":[3000]}],"run":null}"#;

const REPORT: &str = r#"{"services":[{"name":"webapp","address":"127.0.11.2","ports":[3000],"routes":[{"url":"https://app.example.test","is_auto":false,"answer":[200,0.21]},{"url":"https://webapp-2816.example.test","is_auto":true,"answer":null}],"problem":null,"rejections":[]},{"name":"postgres","address":"127.0.11.3","ports":[5432],"routes":[],"problem":null,"rejections":[]}],"failures":[],"warnings":[]}"#;

const BROKEN: &str = r#"{"services":[{"name":"web","address":"127.0.11.2","ports":[],"routes":[],"problem":{"message":"nothing answers on port 3000","log":["listening on 8080"],"explanation":["web has no route: it does not run"]},"rejections":["traefik.http.routers.web.rule: it is no rule; write Host(`…`)"]}],"failures":[{"file":"jobs/Rediaccfile","function":"up","line":7,"command":"false","code":3}],"warnings":["the certificate is not there yet"]}"#;

impl Bench {
    fn new() -> Self {
        let bench = Workbench::new("http://127.0.0.1:1");
        let renet = bench.rdc.path("programs/renet");
        let there = Program::read("renet", &renet)
            .expect("a program")
            .remote_path();
        let below = there.strip_prefix("/usr/lib/rediacc/").expect("a place");
        let there = bench.machine(below);
        fs::create_dir_all(there.parent().expect("a folder")).expect("folders");
        let standin =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standins/machine/renet-repo");
        fs::copy(standin, there).expect("it is there");
        fs::create_dir(bench.machine("on")).expect("a folder");
        Self(bench)
    }

    /// What a verb does.
    fn on(&self, verb: &str, script: &str) {
        fs::write(self.0.machine("on").join(verb), script).expect("it is written");
    }

    /// What a verb answers.
    fn answers(&self, verb: &str, answer: &str) {
        self.on(
            verb,
            &format!("cat >/dev/null\ncat <<'END'\n{{\"repository\":{answer}}}\nEND\n"),
        );
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.0.rdc.process(&[&["repo"], words].concat());
        command
            .envs(self.0.surroundings())
            .current_dir(self.0.rdc.path(""));
        command
    }

    fn run(&self, words: &[&str]) -> Answer {
        self.command(words).output().expect("rdc runs").into()
    }

    /// What the machine was asked since the last time.
    fn asked(&self) -> Vec<String> {
        let path = self.0.machine("asked");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn what_comes_up_is_the_result_and_what_is_said_meanwhile_is_not() {
    let bench = Bench::new();
    bench.on(
        "up",
        &format!(
            r#"cat <<'END'
{{"line":{{"folder":null,"source":"step","text":"prep"}}}}
{{"line":{{"folder":"web","source":"stdout","text":"pulling"}}}}
{{"line":{{"folder":null,"source":"stderr","text":"a note"}}}}
{{"repository":{{"up":{REPORT}}}}}
END
"#
        ),
    );
    let result = "\
webapp    https://app.example.test          200 in 0.21 s   (auto: https://webapp-2816.example.test)
postgres  internal  127.0.11.3:5432
";
    // The only machine needs no name.
    for words in [&["up", "app"][..], &["up", "app", "-m", "server-1"]] {
        let answer = bench.run(words).done();
        assert_eq!(answer.stdout, result);
        assert_eq!(answer.stderr, "app | prep\nweb | pulling\napp | a note\n");
    }
    assert_eq!(bench.asked(), ["up app", "up app"]);
    let words = [
        "up",
        "app",
        "--mount",
        "--prep-only",
        "--detach",
        "--unsafe",
        "--timeout",
        "2m",
        "--quiet",
    ];
    assert_eq!(bench.run(&words).done().stderr, "");
    assert_eq!(
        bench.asked(),
        ["up app --mount --prep-only --detach --unsafe --timeout 120"]
    );
    let json = bench.run(&["up", "app", "--json"]).done().json();
    assert_eq!(json["up"], true);
    // What is only prepared is not up.
    let prepared = bench.run(&["up", "app", "--prep-only", "--json"]).done();
    assert_eq!(prepared.json()["up"], false);
    assert_eq!(json["machine"], "server-1");
    assert_eq!(
        json["services"][0]["routes"][0]["url"],
        "https://app.example.test"
    );
}

#[test]
fn what_does_not_come_up_is_told_with_its_log_and_explanation_and_is_a_failure() {
    let bench = Bench::new();
    bench.answers("up", &format!(r#"{{"up":{BROKEN}}}"#));
    // The exit code is that of the Rediaccfile.
    let answer = bench.run(&["up", "app"]).code(3);
    assert_eq!(answer.stdout, "web  not up    127.0.11.2\n");
    assert_eq!(
        answer.stderr,
        "warning: the certificate is not there yet\n\
         error: `up` of jobs/Rediaccfile failed with exit code 3 at line 7: false\n\
         error: web is not up: nothing answers on port 3000\n  \
         | listening on 8080\n  \
         web has no route: it does not run\n\
         error: web: traefik.http.routers.web.rule: it is no rule; write Host(`…`)\n"
    );
    let json = bench.run(&["up", "app", "--json"]).code(3).json();
    assert_eq!(json["up"], false);
    assert_eq!(json["failures"][0]["line"], 7);
    // Without a Rediaccfile that failed, it is 1.
    let mut only_service: serde_json::Value = serde_json::from_str(BROKEN).expect("JSON");
    only_service["failures"] = serde_json::json!([]);
    bench.answers("up", &format!(r#"{{"up":{only_service}}}"#));
    bench.run(&["up", "app"]).code(1);

    let failed = r#"{"failed":{"kind":"refused","message":"`sudo docker` without -E","hint":"write sudo -E docker","journal":[]}}"#;
    bench.on("up", &format!("cat <<'END'\n{failed}\nEND\nexit 6"));
    let answer = bench.run(&["up", "app"]).code(6);
    assert_eq!(
        answer.stderr,
        "error: `sudo docker` without -E\nhint: write sudo -E docker\n"
    );
    let down = r#"{"down":{"failures":[],"still_running":["web"]}}"#;
    bench.answers("down", down);
    bench
        .run(&["down", "app", "--unmount"])
        .code(1)
        .told(&["still running: web"]);
    assert_eq!(
        bench.asked().last().map(String::as_str),
        Some("down app --unmount")
    );
}

#[test]
fn a_folder_is_brought_over_one_connection_before_the_run() {
    let bench = Bench::new();
    let source = bench.0.rdc.path("source");
    fs::create_dir_all(source.join("web")).expect("a folder");
    fs::write(source.join("web/page"), "page").expect("it is written");
    fs::write(source.join("Rediaccfile"), "up() { :; }").expect("it is written");
    fs::write(source.join(".rediaccignore"), "*.log\n").expect("it is written");
    fs::write(source.join("a.log"), "").expect("it is written");
    bench.answers("create", &format!(r#"{{"status":{STATUS}}}"#));
    bench.answers("up", &format!(r#"{{"up":{REPORT}}}"#));
    // The machine lacks a content first, and asks for one that is not to be had.
    bench.on(
        "sync",
        r#"
if [ -e "$MACHINE/first" ]; then
  cat >"$MACHINE/second"
  echo '{"repository":{"synced":{"written":1,"deleted":2,"unchanged":3,"warnings":["web/page was changed"]}}}'
else
  cat >"$MACHINE/first"
  echo '{"repository":{"wanted":["web/page","../key","a.log"]}}'
fi
"#,
    );
    let words = [
        "up", "app", "--create", "--size", "10G", "--memory", "512M", "--source", "source",
        "--mount",
    ];
    let answer = bench.run(&words).done();
    answer.told(&[
        "warning: web/page was changed",
        "synced: 1 written, 2 deleted, 3 unchanged",
    ]);
    let create =
        "create app --datastore /mnt/rediacc --size 10737418240 --memory 536870912 --if-missing";
    let sync = "sync app --mount";
    assert_eq!(bench.asked(), [create, sync, sync, "up app --mount"]);

    let received = |file: &str| {
        let bytes = fs::read(bench.0.machine(file)).expect("it was sent");
        let shipment = Shipment::open(&bytes[..]).expect("a shipment");
        let contents = bench.0.rdc.path("contents");
        let mut paths = Vec::new();
        let manifest = shipment.receive(|path: &SyncPath| {
            paths.push(path.to_string());
            fs::File::create(&contents)
        });
        let manifest = manifest.expect("it arrives whole");
        let items = manifest.items();
        let names: Vec<String> = items.keys().map(ToString::to_string).collect();
        assert!(matches!(
            items.values().last(),
            Some(Item::File { bytes: 4, .. })
        ));
        (names, paths, fs::read(contents).unwrap_or_default())
    };
    let all = [".rediaccignore", "Rediaccfile", "web", "web/page"].map(str::to_owned);
    assert_eq!(received("first"), (all.to_vec(), vec![], vec![]));
    let (names, paths, contents) = received("second");
    assert_eq!((names, paths), (all.to_vec(), vec!["web/page".to_owned()]));
    assert_eq!(contents, b"page");

    bench
        .run(&["up", "app", "--size", "10G"])
        .code(2)
        .told(&["for a repository that is created", "--create"]);
    bench
        .run(&["up", "app", "--source", "missing"])
        .code(2)
        .told(&["cannot read missing"]);
    assert_eq!(bench.asked(), Vec::<String>::new(), "nothing was asked");
}

/// A run that goes on until the test, or a `cancel`, writes to a pipe.
fn long_run(bench: &Bench, verb: &str, cancel: &str) -> (Child, BufReader<ChildStderr>) {
    let made = std::process::Command::new("mkfifo")
        .arg(bench.0.machine("end"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    bench.on(
        verb,
        r#"
echo '{"line":{"folder":null,"source":"stdout","text":"at work"}}'
read -r end <"$MACHINE/end"
echo '{"failed":{"kind":"failed","message":"the run was cancelled","hint":null,"journal":[]}}'
exit 1
"#,
    );
    bench.on("cancel", cancel);
    let mut command = bench.command(&[verb, "app"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rdc starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    says(&mut stderr, "at work");
    (child, stderr)
}

fn says(stderr: &mut impl BufRead, sign: &str) {
    let mut line = String::new();
    while !line.contains(sign) {
        line.clear();
        let count = stderr.read_line(&mut line).expect("it is read");
        assert!(count > 0, "it ended without `{sign}`");
    }
}

fn interrupt(child: &Child) {
    let pid = Pid::from_child(child);
    kill_process(pid, Signal::INT).expect("it is there");
}

fn end(mut child: Child, mut stderr: impl BufRead) -> (Option<i32>, String) {
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("it is read");
    (child.wait().expect("it ends").code(), rest)
}

#[test]
fn ctrl_c_ends_the_run_on_the_machine_too() {
    for verb in ["up", "down"] {
        let bench = Bench::new();
        let cancel = format!(
            "echo end >\"$MACHINE/end\"\ncat <<'END'\n{{\"repository\":{{\"status\":{STATUS}}}}}\nEND\n"
        );
        let (child, stderr) = long_run(&bench, verb, &cancel);
        interrupt(&child);
        let (code, rest) = end(child, stderr);
        assert_eq!(code, Some(130), "{rest}");
        assert!(
            rest.contains("the run of app on server-1 was cancelled"),
            "{rest}"
        );
        assert_eq!(bench.asked(), [&format!("{verb} app"), "cancel app"]);
    }
}

#[test]
fn a_second_ctrl_c_leaves_the_run_alone() {
    let bench = Bench::new();
    let (child, mut stderr) = long_run(&bench, "up", "read -r never <\"$MACHINE/never\"");
    let made = std::process::Command::new("mkfifo")
        .arg(bench.0.machine("never"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    interrupt(&child);
    says(&mut stderr, "Ctrl-C again");
    interrupt(&child);
    let (code, rest) = end(child, stderr);
    assert_eq!(code, Some(130), "{rest}");
    assert!(
        rest.contains("the run of app continues on server-1"),
        "{rest}"
    );
    assert!(rest.contains("rdc repo up app -m server-1"), "{rest}");
    // The stand-ins still wait: they are let go.
    for pipe in ["end", "never"] {
        let _ = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(bench.0.machine(pipe));
    }
}

#[test]
fn one_machine_that_fails_does_not_hide_the_repositories_of_others() {
    let bench = Bench::new();
    bench.answers("list", &format!(r#"{{"list":[{STATUS}]}}"#));
    let answer = bench.run(&["list"]).done();
    assert_eq!(
        answer.stdout,
        "REPOSITORY  MACHINE   ID    SIZE  STATE  SERVICES\n\
         app         server-1  2816  1G    up     web 127.0.11.2\n"
    );
    bench.0.rdc.add_machine("server-2");
    let infra = [
        "context",
        "set-infra",
        "server-2",
        "--public-ipv4",
        "203.0.113.51",
    ];
    bench.0.rdc.run(&infra).done();
    let answer = bench.run(&["list"]).code(4);
    assert!(
        answer.stdout.contains("app         server-1"),
        "{}",
        answer.stdout
    );
    answer.told(&["server-2: no host key of machine `server-2` is trusted yet"]);
    let json = bench.run(&["list", "--json"]).code(4).json();
    assert_eq!(json["machines"][0]["repositories"][0]["name"], "app");
    assert_eq!(json["machines"][1]["error"]["code"], "unreachable");
    // One that is named stands for itself.
    let json = bench
        .run(&["list", "-m", "server-1", "--json"])
        .done()
        .json();
    assert_eq!(json["repositories"][0]["network_id"], 2816);

    bench
        .run(&["status", "app"])
        .code(2)
        .told(&["the context has several", "server-1, server-2"]);
    bench
        .run(&["status", "app", "-m", "sever-1"])
        .code(2)
        .told(&["did you mean `server-1`"]);
}

#[test]
fn a_repository_is_deleted_only_if_somebody_says_so() {
    let bench = Bench::new();
    bench.answers("delete", r#"{"deleted":{"network_id":2816}}"#);
    let answer = bench.run(&["delete", "app"]).code(2);
    answer.told(&["delete app with all its data from server-1?", "--yes"]);
    assert_eq!(bench.asked(), Vec::<String>::new());
    let answer = bench.run(&["delete", "app", "--yes"]).done();
    assert_eq!(answer.stdout, "deleted app from server-1\n");
    assert_eq!(bench.asked(), ["delete app"]);
}

#[test]
fn what_a_service_prints_and_gets_goes_through_as_it_is() {
    let bench = Bench::new();
    bench.on("exec", "cat; printf 'raw\\0 \\377'; echo oh >&2; exit 42");
    let mut command = bench.command(&["exec", "app", "db", "--", "psql", "-c", "select 'a b'"]);
    let input = bench.0.local("input", b"typed\n");
    command.stdin(fs::File::open(input).expect("it is there"));
    let output = command.output().expect("rdc runs");
    assert_eq!(output.status.code(), Some(42));
    assert_eq!(output.stdout, b"typed\nraw\0 \xff");
    assert_eq!(output.stderr, b"oh\n");
    bench.on("logs", "echo logged");
    let words = ["logs", "app", "web", "--follow", "-n", "5"];
    assert_eq!(bench.run(&words).done().stdout, "logged\n");
    assert_eq!(
        bench.asked(),
        [
            "exec app db -- psql -c select 'a b'",
            "logs app web --follow --lines 5"
        ]
    );
    // The machine puts what is printed into an object.
    bench.on("exec", "echo '{\"exit_code\":3}'; exit 3");
    let json = bench.run(&["exec", "app", "db", "--json", "--", "false"]);
    assert_eq!(json.code(3).json()["exit_code"], 3);
    assert_eq!(bench.asked(), ["exec app db --json -- false"]);
}

#[test]
fn ctrl_c_ends_following_a_log_and_leaves_nothing_on_the_machine() {
    let bench = Bench::new();
    let pipe = bench.0.machine("held");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    // As long as the machine's program lives, or what it started and that says nothing, it holds the
    // pipe.
    bench.on(
        "logs",
        "exec 9>\"$MACHINE/held\"; tail -f /dev/null & echo logged; exec tail -f /dev/null",
    );
    let mut command = bench.command(&["logs", "app", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("rdc starts");
    let mut held = fs::File::open(&pipe).expect("the program begins");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    says(&mut stdout, "logged");
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(
        held.read(&mut [0]).expect("it is read"),
        0,
        "nobody holds it"
    );
}

#[test]
fn a_machine_without_repositories_says_what_brings_them() {
    let bench = Bench::new();
    bench.answers("status", &format!(r#"{{"status":{STATUS}}}"#));
    let mut command = bench.command(&["status", "app"]);
    let answer: Answer = command
        .env("PROTOCOL", "1")
        .output()
        .expect("rdc runs")
        .into();
    answer
        .code(6)
        .told(&["protocol 1", "rdc context push-infra server-1"]);
    fs::remove_dir_all(bench.0.machine("renet")).expect("it is removed");
    let answer = bench.run(&["logs", "app"]).code(69);
    answer.told(&[
        "there is no `renet` to run on server-1",
        "rdc context push-infra server-1",
    ]);
}

#[test]
fn bash_completes_names_that_machines_told_of() {
    let bench = Bench::new();
    bench.answers("status", &format!(r#"{{"status":{STATUS}}}"#));
    bench.run(&["status", "app"]).done();
    let script = r#"
eval "$(rdc completions bash)"
complete -p rdc | grep -q _clap_complete_rdc || exit 1
completed() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_TYPE=9 COMPREPLY=()
  _clap_complete_rdc rdc "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
  echo "$*: ${COMPREPLY[*]}"
}
completed rdc rep
completed rdc repo status ''
completed rdc repo status -m s
completed rdc repo exec app ''
completed rdc repo logs other ''
completed rdc --context d
completed rdc context push-infra ''
completed rdc repo status app --mach
echo broken >"$XDG_CACHE_HOME/rediacc/repositories.json"
echo broken >"$XDG_CONFIG_HOME/rediacc/default.toml"
completed rdc repo exec app ''
completed rdc repo status -m ''
"#;
    let folder = Path::new(env!("CARGO_BIN_EXE_rdc"))
        .parent()
        .expect("a folder");
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .env_clear()
        .envs(bench.0.surroundings())
        .env("PATH", format!("{}:/usr/bin:/bin", text(folder)))
        .env("HOME", bench.0.rdc.path(""))
        .env("XDG_CONFIG_HOME", bench.0.rdc.path("config"))
        .output()
        .expect("bash runs");
    let answer = Answer::from(output).done();
    let expected = "\
rdc rep: repo
rdc repo status : app
rdc repo status -m s: server-1
rdc repo exec app : web
rdc repo logs other : --machine --follow --lines --help --version --context --json --quiet --verbose --color
rdc --context d: default
rdc context push-infra : server-1
rdc repo status app --mach: --machine
rdc repo exec app : --machine --help --version --context --json --quiet --verbose --color
rdc repo status -m : \n";
    assert_eq!(answer.stdout, expected);
    assert_eq!(answer.stderr, "");
}
