//! `renet compose` with the real Docker Compose, as far as no daemon is needed: what Compose reads
//! stays as Compose reads it, what is added, what is refused, and slots.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A repository in a folder, and a Docker configuration with the real Compose.
struct Repository {
    folder: TempDir,
    compose: PathBuf,
}

impl Repository {
    fn with(files: &[(&str, &str)]) -> Self {
        let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup");
        let compose = Command::new(setup).arg("compose").output();
        let compose = String::from_utf8(compose.expect("it runs").stdout).expect("text");
        let compose = PathBuf::from(compose.trim());
        assert!(compose.exists(), "run tests/setup first");
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Self { folder, compose };
        let plugins = repository.path("docker/cli-plugins");
        fs::create_dir_all(&plugins).expect("a folder");
        symlink(&repository.compose, plugins.join("docker-compose")).expect("a link");
        fs::create_dir_all(repository.path("shop")).expect("a folder");
        for (name, text) in files {
            repository.write(name, text);
        }
        repository
    }

    fn of(compose: &str) -> Self {
        Self::with(&[("compose.yml", compose)])
    }

    fn path(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().canonicalize().expect("it is there");
        folder.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path("shop").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it is written");
    }

    fn slots(&self) -> Value {
        let text = fs::read_to_string(self.path("shop/.rediacc.json")).expect("slots");
        serde_json::from_str(&text).expect("JSON")
    }

    /// `renet compose`, to be run.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_renet"));
        command
            .args(["compose", "--network-id", "2816", "--"])
            .args(words);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("HOME", self.path("home"))
            .current_dir(self.path("shop"))
            .stdin(Stdio::null());
    }

    fn run(&self, words: &[&str]) -> Said {
        Said::of(&mut self.command(words))
    }

    /// The model that Compose gets.
    fn model(&self, words: &[&str]) -> Value {
        let words = [words, &["config", "--format", "json"]].concat();
        let said = self.run(&words);
        assert_eq!(said.code, 0, "{}", said.stderr);
        serde_json::from_str(&said.stdout).expect("JSON")
    }
}

struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(command: &mut Command) -> Self {
        let output = command.output().expect("it runs");
        let Output {
            status,
            stdout,
            stderr,
        } = output;
        Self {
            code: status.code().expect("a code"),
            stdout: String::from_utf8(stdout).expect("text"),
            stderr: String::from_utf8(stderr).expect("text"),
        }
    }

    fn refused(self, parts: &[&str]) {
        assert_eq!(self.code, 1, "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part} is not in: {}",
                self.stderr
            );
        }
    }
}

/// What is not the files' own: the model as it would be without us.
fn without_additions(mut model: Value) -> Value {
    model.as_object_mut().expect("an object").remove("networks");
    let services = model["services"].as_object_mut().expect("services");
    for service in services
        .values_mut()
        .map(|it| it.as_object_mut().expect("a service"))
    {
        service.remove("networks");
        service.remove("network_mode");
        let is_ours = |name: &str| {
            matches!(
                name,
                "rediacc.service_name"
                    | "rediacc.service_ip"
                    | "rediacc.network_id"
                    | "rediacc.repo_name"
                    | "SERVICE_IP"
            )
        };
        for key in ["labels", "environment"] {
            if let Some(entries) = service.get_mut(key).and_then(Value::as_object_mut) {
                entries.retain(|name, _| !is_ours(name));
                if entries.is_empty() {
                    service.remove(key);
                }
            }
        }
        if let Some(hosts) = service.get_mut("extra_hosts").and_then(Value::as_array_mut) {
            hosts.retain(|host| {
                !host
                    .as_str()
                    .is_some_and(|host| host.contains("=127.0.11."))
            });
            if hosts.is_empty() {
                service.remove("extra_hosts");
            }
        }
        if let Some(build) = service.get_mut("build").and_then(Value::as_object_mut) {
            build.remove("network");
        }
    }
    model
}

#[test]
fn what_compose_reads_stays_as_compose_reads_it() {
    let repository = Repository::with(&[
        (
            "compose.yml",
            r#"
name: mine
include: [part/included.yml]
x-common: &common
  restart: unless-stopped
  environment: &environment {COMMON: "$$HOME costs $${5}", FROM_DOT_ENV: "${DOT}"}
services:
  web:
    <<: *common
    image: "web:${TAG:-latest}"
    command: ["sh", "-c", "echo $$PATH '${WEB_IP}' \"q\" \\ é \x7f"]
    environment: {<<: *environment, LISTEN: "${WEB_IP}:80", NOTHING: , "KEY$$": v}
    env_file: [{path: web.env}, {path: missing.env, required: false}]
    labels: ["a=b$$c", "traefik.http.routers.web.rule=Host(`a.b`) && Path(`/$$x`)"]
    depends_on: {db: {condition: service_healthy}, included: {condition: service_started, required: false}}
    secrets: [plain, {source: of-environment, target: other, mode: 0400}]
    configs: [{source: inline, target: /etc/inline}]
    build: {context: ./web, args: {A: "${TAG:-x}"}, target: final, additional_contexts: {more: ./part}}
    volumes: ["./web data:/data:ro", "named:/named", "/anonymous"]
    tmpfs: /run
    deploy: {resources: {limits: {cpus: "0.5", memory: 64M}}}
    ulimits: {nofile: {soft: 10, hard: 20}}
    x-own: {"y$$": [1, 2.5, null, true]}
  db:
    extends: {file: part/base.yml, service: base}
    healthcheck: {test: ["CMD-SHELL", "true $$X"], interval: 1m30s}
    extra_hosts: ["other:10.0.0.1", "six:[::1]"]
  debug:
    image: debug
    profiles: [debug, other]
    depends_on: [web]
secrets: {plain: {file: ./part/secret}, of-environment: {environment: SECRET}}
configs: {inline: {content: "for ${WEB_IP} and $${later}"}}
volumes: {named: {labels: {x: "$$y"}}}
"#,
        ),
        (
            "compose.override.yml",
            "services: {web: {labels: {over: ridden}, command: !reset null}}",
        ),
        (
            "second.yml",
            "services: {web: {image: second}, more: {image: more}}",
        ),
        (
            "part/included.yml",
            "services: {included: {image: included, volumes: ['./x:/x']}}",
        ),
        (
            "part/base.yml",
            "services: {base: {image: base, env_file: base.env}}",
        ),
        ("part/base.env", "BASE=1\nQUOTED='a $b'\n"),
        ("part/secret", "secret"),
        (
            "part/own.yml",
            "services: {included: {image: x, volumes: ['./y:/y']}}",
        ),
        ("web.env", "OF_FILE=${DB_IP:-none} $DOT\n"),
        (".env", "DOT=of-dot-env\nCOMPOSE_PROFILES=other\n"),
        ("of-env/.env", "COMPOSE_FILE=of-env/x.yml\n"),
        ("of-env/x.yml", "services: {web: {image: of-env}}"),
        ("other.env", "DOT=of-other-env\nTAG=7\n"),
    ]);
    // Without us, somebody would have to say the addresses.
    let addresses = ["WEB", "DB", "DEBUG", "INCLUDED", "MORE"].map(|name| format!("{name}_IP"));
    for (words, environment) in [
        (&[][..], &[][..]),
        (&["--profile", "debug"], &[]),
        (&["--profile", "*"], &[("COMPOSE_PROFILES", "")]),
        (&[], &[("COMPOSE_PROFILES", "nothing")]),
        (&["-f", "compose.yml", "-fsecond.yml"], &[]),
        (&["-p", "named", "--env-file", "other.env"], &[]),
        (
            &["--project-directory", "part", "-f", "part/own.yml"],
            &[("TAG", "8")],
        ),
        (
            &[],
            &[("COMPOSE_FILE", "compose.yml:second.yml"), ("TAG", "9")],
        ),
        (&["--project-directory", "of-env"], &[]),
        (&[], &[("COMPOSE_PROJECT_NAME", "other"), ("SECRET", "s$")]),
    ] {
        let words = [words, &["config", "--format", "json"]].concat();
        let mut ours = repository.command(&words);
        let ours = Said::of(ours.envs(environment.iter().copied()));
        assert_eq!((ours.code, ours.stderr.as_str()), (0, ""), "{words:?}");
        let slots = repository.slots();
        let mut theirs = Command::new(&repository.compose);
        repository.surround(theirs.args(&words));
        for variable in &addresses {
            let service = variable.trim_end_matches("_IP").to_lowercase();
            if let Some(slot) = slots["services"][service]["slot"].as_u64() {
                theirs.env(variable, format!("127.0.11.{}", slot + 2));
            }
        }
        let theirs = Said::of(theirs.envs(environment.iter().copied()));
        assert_eq!(theirs.code, 0, "{words:?}: {}", theirs.stderr);
        let read = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
        assert_eq!(
            without_additions(read(&ours.stdout)),
            without_additions(read(&theirs.stdout)),
            "{words:?} {environment:?}"
        );
    }
}

#[test]
fn the_pages_example_gets_addresses_and_labels() {
    let repository = Repository::of(
        r#"
services:
  webapp:
    image: myregistry/webapp:latest
    network_mode: host
    environment:
      DATABASE_URL: postgresql://app:changeme@${POSTGRES_IP}:5432/webapp
      LISTEN_ADDR: ${WEBAPP_IP}:3000
    labels:
      - "traefik.enable=true"
  postgres:
    image: postgres:17
    command: -c listen_addresses=${POSTGRES_IP:?} -c port=5432
"#,
    );
    let model = repository.model(&[]);
    let labels = |service: &str, address: &str| {
        json!({"rediacc.network_id": "2816", "rediacc.repo_name": "shop",
               "rediacc.service_ip": address, "rediacc.service_name": service})
    };
    let hosts = json!(["postgres=127.0.11.3", "webapp=127.0.11.2"]);
    let mut webapp = labels("webapp", "127.0.11.2");
    webapp["traefik.enable"] = "true".into();
    assert_eq!(model["services"]["webapp"]["labels"], webapp);
    assert_eq!(model["services"]["webapp"]["extra_hosts"], hosts);
    let environment = json!({
        "DATABASE_URL": "postgresql://app:changeme@127.0.11.3:5432/webapp",
        "LISTEN_ADDR": "127.0.11.2:3000", "SERVICE_IP": "127.0.11.2"
    });
    assert_eq!(model["services"]["webapp"]["environment"], environment);
    let postgres = &model["services"]["postgres"];
    assert_eq!(postgres["labels"], labels("postgres", "127.0.11.3"));
    assert_eq!(postgres["network_mode"], "host");
    assert_eq!(postgres["command"][1], "listen_addresses=127.0.11.3");
    let slots = json!({"services": {"webapp": {"slot": 0}, "postgres": {"slot": 1}}});
    assert_eq!(repository.slots(), slots);

    // What somebody else puts into the file stays, and so does the slot of a service that is away.
    let mut with_more = slots;
    with_more["note"] = "mine".into();
    with_more["services"]["webapp"]["port"] = json!(3000);
    repository.write(".rediacc.json", &with_more.to_string());
    repository.write(
        "compose.yml",
        "services: {postgres: {image: x}, new: {image: x}}",
    );
    repository.model(&[]);
    with_more["services"]["new"] = json!({"slot": 2});
    assert_eq!(repository.slots(), with_more);
}

#[test]
fn all_that_cannot_be_is_said_at_once() {
    let repository = Repository::of(
        r#"
services:
  web:
    image: x
    ports: ["80:3000"]
    links: ["db:database"]
    privileged: true
    volumes: ["/etc:/e", "./out:/o", "./.rediacc:/r"]
  db: {image: x, networks: [back], pid: host, cap_add: [SYS_ADMIN, CHOWN]}
networks: {back: {}}
"#,
    );
    symlink("/", repository.path("shop/out")).expect("a link");
    let unsafe_ones = [
        "web.privileged: ",
        "web.volumes: /etc, is outside the repository",
        "/out, which leads to /, is outside the repository",
        "db.pid: ",
        "db.cap_add: SYS_ADMIN",
    ];
    let always = [
        "web.ports: ",
        "`${WEB_IP}:3000`",
        "traefik.http.services.web.loadbalancer.server.port=3000",
        "`extra_hosts: [\"database:${DB_IP}\"]`",
        "db.networks: ",
        "`network_mode: host`",
        "which belongs to the repository's engine",
    ];
    let hint = "hint: if you trust this repository";
    let all = [&unsafe_ones[..], &always, &[hint]].concat();
    for words in [
        &["up", "-d"][..],
        &["config"],
        &["run", "web"],
        &["create"],
        &["build"],
    ] {
        repository.run(words).refused(&all);
    }

    // The operator may allow what reaches the machine, and nothing in the files can.
    repository.write(".env", "UNSAFE=1\nREDIACC_UNSAFE=1\nRENET_UNSAFE=true\n");
    repository.run(&["config"]).refused(&all);
    let mut command = Command::new(env!("CARGO_BIN_EXE_renet"));
    command.args([
        "compose",
        "--network-id",
        "2816",
        "--unsafe",
        "--",
        "config",
    ]);
    repository.surround(&mut command);
    let said = Said::of(&mut command);
    for part in unsafe_ones {
        assert!(!said.stderr.contains(part), "{}", said.stderr);
    }
    assert!(!said.stderr.contains(hint), "{}", said.stderr);
    said.refused(&always);

    repository.write(
        "compose.yml",
        "services: {web: {image: x, privileged: true}}",
    );
    let allowed = Said::of(&mut command);
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    assert!(
        allowed.stdout.contains("privileged: true"),
        "{}",
        allowed.stdout
    );
}

#[test]
fn sixty_one_services_have_addresses_and_one_more_is_refused() {
    let services = |count: usize| {
        let services = (0..count).map(|index| format!("  s{index}: {{image: x}}\n"));
        format!("services:\n{}", services.collect::<String>())
    };
    let repository = Repository::of(&services(61));
    let model = repository.model(&[]);
    let label = &model["services"]["s60"]["labels"]["rediacc.service_ip"];
    assert_eq!(label, "127.0.11.62");
    let before = repository.slots();
    repository.write("compose.yml", &services(62));
    repository.run(&["up", "-d"]).refused(&[
        "error: service `s61` gets no address: a repository has 61 slots, all are assigned, and this \
         project has 62 services",
        "hint: move some services into another repository",
    ]);
    let renamed = services(62)
        .replace("  s7:", "  seven:")
        .replace("  s61: {image: x}\n", "");
    repository.write("compose.yml", &renamed);
    let hint = "these have a slot, but are not in this project: s7";
    repository
        .run(&["up", "-d"])
        .refused(&["service `seven` gets no address", hint]);
    assert_eq!(repository.slots(), before);
}

#[test]
fn names_that_cannot_be_told_apart_are_refused() {
    let repository = Repository::of("services: {a-b: {image: x}, a_b: {image: x}}");
    repository.run(&["up", "-d"]).refused(&[
        "error: services `a-b` and `a_b` have the same variable A_B_IP",
        "hint: rename",
    ]);
    assert!(!repository.path("shop/.rediacc.json").exists());
}

#[test]
fn a_service_called_localhost_is_served_and_takes_nobodys_name() {
    let repository = Repository::of("services: {localhost: {image: x}, web: {image: x}}");
    let said = repository.run(&["config"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let note = "note: `localhost` means the machine itself everywhere: reach that service by \
                ${LOCALHOST_IP} or its route, not by its name\n";
    assert_eq!(said.stderr, note);
    assert!(
        said.stdout.contains("rediacc.service_name: localhost"),
        "{}",
        said.stdout
    );
    assert!(!said.stdout.contains("localhost=127"), "{}", said.stdout);
}

#[test]
fn a_broken_file_of_slots_is_named_and_left_alone() {
    let repository = Repository::of("services: {web: {image: x}}");
    for (text, fault) in [
        ("{\n  \"services\": {,}\n}", "at line 2 column 16"),
        (
            "{\"services\": {\n\"a\": {\"slot\": 3},\n\"b\": {\"slot\": 3}}}",
            "slot 3 of `b` is `a`'s at line 3",
        ),
        ("", "at line 1 column 0"),
    ] {
        repository.write(".rediacc.json", text);
        let path = repository.path("shop/.rediacc.json");
        let message = format!("error: cannot use {}: ", path.display());
        for words in [&["up", "-d"][..], &["ps"], &["config"]] {
            repository
                .run(words)
                .refused(&[&message, fault, "hint: correct the file"]);
        }
        assert_eq!(fs::read_to_string(path).expect("it is there"), text);
    }
}

#[test]
fn runs_at_once_agree_on_the_slots() {
    let files: Vec<(String, String)> = (0..6)
        .map(|index| {
            let services = format!(
                "services: {{a{index}: {{image: x}}, b: {{image: x}}, c{index}: {{image: x}}}}"
            );
            (format!("{index}.yml"), services)
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let repository = Repository::with(&files);
    let runs: Vec<_> = files
        .iter()
        .map(|(name, _)| {
            let mut command = repository.command(&["-f", name, "config", "--format", "json"]);
            command.stdout(Stdio::piped()).spawn().expect("it starts")
        })
        .collect();
    let mut addresses: BTreeMap<String, String> = BTreeMap::new();
    for run in runs {
        let output = run.wait_with_output().expect("it ends");
        let model: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for (name, service) in model["services"].as_object().expect("services") {
            let address = service["environment"]["SERVICE_IP"]
                .as_str()
                .expect("an address");
            let before = addresses.insert(name.clone(), address.to_owned());
            assert!(before.is_none_or(|before| before == address), "{name}");
        }
    }
    let mut taken: Vec<&String> = addresses.values().collect();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!((addresses.len(), taken.len()), (13, 13));
}

#[test]
fn replicas_become_services_with_addresses_of_their_own() {
    let repository = Repository::of(
        r#"
services:
  web:
    image: x
    command: "listen ${WEB_IP} with ${API_IP}"
    deploy: {replicas: 3}
  api: {image: x, scale: 2, command: "listen ${API_IP}"}
  front: {image: x, depends_on: [web]}
"#,
    );
    let model = repository.model(&[]);
    let of = |service: &str| {
        let service = &model["services"][service];
        let command: Vec<&str> = service["command"]
            .as_array()
            .expect("words")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let label = service["labels"]["rediacc.service_name"]
            .as_str()
            .expect("a label");
        format!(
            "{label}: {}; {}",
            command.join(" "),
            service["environment"]["SERVICE_IP"]
        )
    };
    for (service, expected) in [
        (
            "web",
            "web: listen 127.0.11.2 with 127.0.11.3; \"127.0.11.2\"",
        ),
        (
            "web.2",
            "web: listen 127.0.11.6 with 127.0.11.3; \"127.0.11.6\"",
        ),
        (
            "web.3",
            "web: listen 127.0.11.7 with 127.0.11.3; \"127.0.11.7\"",
        ),
        ("api", "api: listen 127.0.11.3; \"127.0.11.3\""),
        ("api.2", "api: listen 127.0.11.5; \"127.0.11.5\""),
    ] {
        assert_eq!(of(service), expected);
    }
    let dependencies = model["services"]["front"]["depends_on"]
        .as_object()
        .expect("an object");
    assert_eq!(
        dependencies.keys().collect::<Vec<_>>(),
        ["web", "web.2", "web.3"]
    );
    for service in model["services"].as_object().expect("services").values() {
        assert!(service.get("scale").is_none() && service.pointer("/deploy/replicas").is_none());
    }

    let fewer = fs::read_to_string(repository.path("shop/compose.yml")).expect("it is there");
    repository.write("compose.yml", &fewer.replace("replicas: 3", "replicas: 2"));
    let model = repository.model(&[]);
    assert_eq!(model["services"]["web.3"]["scale"], 0);
    assert!(model["services"]["web.2"].get("scale").is_none());
}

#[test]
fn composes_own_words_come_through() {
    let repository = Repository::of("services: {web: {image: x}}");
    let version = repository.run(&["version"]);
    assert!(
        version.stdout.starts_with("Docker Compose version"),
        "{}",
        version.stdout
    );
    let help = repository.run(&["up", "--help"]);
    assert!(
        help.stdout.contains("docker compose up [OPTIONS]"),
        "{}",
        help.stdout
    );
    repository
        .run(&["up", "--no-such-option"])
        .refused(&["unknown flag: --no-such-option"]);
    repository
        .run(&["-f", "absent.yml", "up"])
        .refused(&["absent.yml: no such file or directory"]);
    let socket = "unix:///var/run/rediacc/docker-2816.sock";
    repository.run(&["ps"]).refused(&[socket]);
    repository.run(&["up", "-d"]).refused(&[socket]);

    // Files that have become unusable do not keep what runs from being stopped.
    repository.write(
        "compose.yml",
        "services: {web: {image: x, privileged: true}}",
    );
    repository.run(&["down"]).refused(&[socket]);

    let written = repository.run(&["config", "--no-interpolate"]);
    assert!(!written.stdout.contains("rediacc."), "{}", written.stdout);

    let mut from_input = repository.command(&["-f", "-", "config", "--services"]);
    let input = repository.path("shop/compose.yml");
    fs::write(&input, "services: {of-input: {image: x}}").expect("it is written");
    let input = fs::File::open(input).expect("it is there");
    assert_eq!(Said::of(from_input.stdin(input)).stdout, "of-input\n");
}

#[test]
fn a_build_has_the_hosts_network_and_not_what_is_private() {
    let repository = Repository::of("services: {web: {build: .}, api: {build: {context: ./api}}}");
    let ignored = repository.path("shop/.dockerignore");
    let line = format!("write the line `.rediacc` into {}", ignored.display());
    repository
        .run(&["build"])
        .refused(&["web.build.context", &line]);
    repository.write(".dockerignore", ".rediacc\n");
    let model = repository.model(&[]);
    for service in ["web", "api"] {
        assert_eq!(model["services"][service]["build"]["network"], "host");
    }
}

#[test]
fn the_repository_is_named_or_found_or_asked_for() {
    let repository = Repository::of("services: {web: {image: x}}");
    repository.write("below/compose.yml", "services: {below: {image: x}}");
    repository.write(".rediacc.json", "{}");
    let labels = |words: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_renet"));
        command
            .arg("compose")
            .args(words)
            .args(["--", "config", "--format", "json"]);
        repository.surround(&mut command);
        let said = Said::of(command.envs(environment.iter().copied()));
        if said.code != 0 {
            return said.stderr;
        }
        let model: Value = serde_json::from_str(&said.stdout).expect("JSON");
        let services = model["services"].as_object().expect("services");
        let (name, service) = services.iter().next().expect("a service");
        let labels = &service["labels"];
        format!(
            "{name} {} {}",
            labels["rediacc.network_id"], labels["rediacc.repo_name"]
        )
    };
    for (words, environment, expected) in [
        (
            &["--network-id", "2880"][..],
            &[][..],
            "web \"2880\" \"shop\"",
        ),
        (
            &[],
            &[("REPOSITORY_NETWORK_ID", "2944")],
            "web \"2944\" \"shop\"",
        ),
        (
            &["--network-id", "2880", "--project-dir", "below"],
            &[
                ("REPOSITORY_NETWORK_ID", "2944"),
                ("REPOSITORY_NAME", "named"),
            ],
            "below \"2880\" \"named\"",
        ),
        (
            &[],
            &[],
            "is in no repository of this machine\nhint: name the repository's network with `--network-id`",
        ),
        (
            &[],
            &[("REPOSITORY_NETWORK_ID", "1")],
            "cannot use $REPOSITORY_NETWORK_ID: `1` is not a network id",
        ),
        (
            &["--network-id", "2880", "--project-dir", "absent"],
            &[],
            "error: cannot find absent",
        ),
    ] {
        let found = labels(words, environment);
        assert!(
            found.contains(expected),
            "{words:?} {environment:?}: {found}"
        );
    }
    // Slots are the repository's, and not the folder's.
    let slots = json!({"services": {"web": {"slot": 0}, "below": {"slot": 1}}});
    assert_eq!(repository.slots(), slots);
    assert!(!repository.path("shop/below/.rediacc.json").exists());
}

#[test]
fn where_there_is_no_compose_it_says_how_to_install_it() {
    let repository = Repository::of("services: {web: {image: x}}");
    let empty = repository.path("empty");
    fs::create_dir_all(&empty).expect("a folder");
    let mut command = repository.command(&["up"]);
    command.env("DOCKER_CONFIG", &empty).env("PATH", &empty);
    let has_plugin = |folder: &&str| Path::new(folder).join("docker-compose").exists();
    let folders = [
        "/usr/local/lib/docker/cli-plugins",
        "/usr/libexec/docker/cli-plugins",
    ];
    if folders.iter().any(has_plugin) {
        // Somebody's own machine has it.
        return;
    }
    Said::of(&mut command).refused(&[
        "this machine has no Docker Compose",
        "docker-compose-plugin",
    ]);
}
