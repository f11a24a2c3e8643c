//! Contexts and machines, through the built `rdc`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, Instant};

use crate::rdc::Rdc;

#[test]
fn a_context_is_created_listed_and_removed() {
    let rdc = Rdc::new();
    rdc.run(&["context", "create-local", "prod", "--ssh-key", "key"])
        .done();
    // The path is stored absolute: later commands run in other folders.
    let key = rdc.path("key").display().to_string();
    let list = rdc.run(&["context", "list"]).done();
    assert_eq!(
        list.stdout,
        format!("CONTEXT  MACHINES  SSH KEY\nprod     0         {key}\n")
    );
    let list = rdc.run(&["context", "list", "--json"]).done().json();
    assert_eq!(list["contexts"][0]["name"], "prod");

    let again = ["context", "create-local", "prod", "--ssh-key", "key"];
    rdc.run(&again).code(2);
    let answer = rdc.run(&["context", "machines"]).code(2);
    assert!(answer.stderr.contains("choose one with `--context`: prod"));
    rdc.run(&["context", "machines", "--context", "prod"])
        .done();
    let mut by_environment = rdc.command(&["context", "machines"]);
    by_environment
        .env("REDIACC_CONTEXT", "prod")
        .assert()
        .success();

    // Nobody can be asked here, so it has to be said.
    let answer = rdc.run(&["context", "remove", "prod"]).code(2);
    assert!(answer.stderr.contains("--yes"), "{}", answer.stderr);
    assert!(rdc.file("prod").exists());
    rdc.run(&["context", "remove", "prod", "--yes"]).done();
    assert!(!rdc.file("prod").exists());
    rdc.run(&["context", "remove", "prod", "--yes"]).code(2);
}

#[test]
fn a_context_wants_files_that_are_there() {
    let rdc = Rdc::new();
    for (option, path) in [
        ("--ssh-key", "missing"),
        ("--ssh-key", "."),
        ("--renet-path", "x"),
    ] {
        let arguments = [
            "context",
            "create-local",
            "a",
            "--ssh-key",
            "key",
            option,
            path,
        ];
        let arguments = if option == "--ssh-key" {
            [&arguments[..3], &arguments[5..]].concat()
        } else {
            arguments.to_vec()
        };
        let answer = rdc.run(&arguments).code(2);
        assert!(answer.stderr.contains(option), "{}", answer.stderr);
    }
    assert!(!rdc.file("a").exists());
}

#[test]
fn files_and_folders_are_for_the_operator_alone() {
    let rdc = Rdc::with_machine();
    let mode = |path: &std::path::Path| {
        let found = fs::metadata(path).expect("it is there");
        found.permissions().mode() & 0o777
    };
    let file = rdc.file("default");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().expect("a folder")), 0o700);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("the mode is set");
    let answer = rdc.run(&["context", "machines"]).done();
    assert!(
        answer.stderr.contains("warning: others"),
        "{}",
        answer.stderr
    );
    assert_eq!(mode(&file), 0o600);
    assert!(rdc.run(&["context", "machines"]).done().stderr.is_empty());
}

#[test]
fn machines_are_shown_in_a_table() {
    let rdc = Rdc::with_machine();
    rdc.run(&["context", "add-machine", "here", "--local"])
        .done();
    let alias = [
        "context",
        "add-machine",
        "web",
        "--ssh-config-host",
        "web-1",
        "--no-scan",
    ];
    rdc.run(&alias).done();
    let six = [
        "context",
        "add-machine",
        "six",
        "--ip",
        "2001:DB8::1",
        "--user",
        "deploy",
        "--port",
        "2222",
        "--no-scan",
    ];
    rdc.run(&six).done();
    let domain = [
        "context",
        "set-infra",
        "server-1",
        "--base-domain",
        "example.com",
    ];
    rdc.run(&domain).done();
    assert_eq!(
        rdc.run(&["context", "machines"]).done().stdout,
        "MACHINE   SSH                        HOST KEYS  DOMAIN\n\
         here      local                      -          -\n\
         server-1  root@203.0.113.50          -          example.com\n\
         six       deploy@[2001:db8::1]:2222  -          -\n\
         web       web-1                      -          -\n"
    );
    let machines = rdc.run(&["context", "machines", "--json"]).done().json();
    assert_eq!(machines["machines"]["six"]["port"], 2222);
    assert_eq!(machines["machines"]["six"]["datastore"], "/mnt/rediacc");
    assert_eq!(machines["machines"]["here"]["local"], true);
}

#[test]
fn a_machine_is_added_once_and_removed() {
    let rdc = Rdc::with_machine();
    let before = rdc.text();
    let again = ["context", "add-machine", "server-1", "--local"];
    let answer = rdc.run(&again).code(2);
    assert!(answer.stderr.contains("already"), "{}", answer.stderr);
    assert_eq!(rdc.text(), before);
    rdc.run(&["context", "remove-machine", "server-1"]).done();
    assert!(!rdc.text().contains("server-1"));
    let answer = rdc.run(&["context", "remove-machine", "server-1"]).code(2);
    assert!(
        answer.stderr.contains("add-machine server-1"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_machine_that_does_not_answer_is_not_stored() {
    let rdc = Rdc::with_machine();
    let before = rdc.text();
    let port = closed_port();
    let start = Instant::now();
    let add = [
        "context",
        "add-machine",
        "gone",
        "--ip",
        "127.0.0.1",
        "--user",
        "root",
        "--port",
        &port,
    ];
    let answer = rdc.run(&add).code(4);
    assert!(
        answer.stderr.contains(&format!(
            "cannot reach 127.0.0.1:{port}: Connection refused"
        )),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("--no-scan"), "{}", answer.stderr);
    let answer = rdc.run(&[&add[..], &["--json"]].concat()).code(4);
    assert_eq!(answer.json()["error"]["code"], "unreachable");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(rdc.text(), before);

    let answer = rdc.run(&[&add[..], &["--no-scan"]].concat()).done();
    assert!(
        answer.stderr.contains("scan-keys gone"),
        "{}",
        answer.stderr
    );
    rdc.run(&["context", "scan-keys", "gone"]).code(4);
    rdc.run(&["context", "scan-keys", "nobody"]).code(2);
}

#[test]
fn comments_and_unknown_keys_survive() {
    let rdc = Rdc::with_machine();
    let text = format!("# mine\nflavour = \"mint\"\n{}note = 'x' # y\n", rdc.text());
    fs::write(rdc.file("default"), &text).expect("the file is written");
    let set = ["context", "set-infra", "server-1", "--udp-ports", "53"];
    rdc.run(&set).done();
    let infra = "\n[machines.server-1.infra]\nudp_ports = [53]\n";
    assert_eq!(rdc.text(), format!("{text}{infra}"));
}

#[test]
fn a_key_that_is_not_known_is_kept_and_warned_of_once() {
    let rdc = Rdc::with_machine();
    let misspelt = "base_domian = \"example.com\"\ncf_dns_tokn = \"s3cret\"\n";
    let text = format!(
        "colour = \"blue\"\n{}\n[machines.server-1.infra]\n{misspelt}",
        rdc.text()
    );
    fs::write(rdc.file("default"), &text).expect("the file is written");
    let line = |key: &str| {
        let at = text.lines().position(|line| line.starts_with(key));
        format!("default.toml:{}", at.expect("the key") + 1)
    };
    let expected = [
        format!(
            "{}: the key `colour` is not known, and its value is not used\n",
            line("colour")
        ),
        format!(
            "{}: the key `base_domian` in [machines.server-1.infra] is not known, and its value is \
             not used; did you mean `base_domain`?\n",
            line("base_domian")
        ),
        format!(
            "{}: the key `cf_dns_tokn` in [machines.server-1.infra] is not known, and its value is \
             not used; did you mean `cf_dns_token`?\n",
            line("cf_dns_tokn")
        ),
    ];
    for arguments in [
        &["context", "machines"] as &[&str],
        &["context", "show-infra", "--json"],
        &["context", "show-infra", "server-1", "--quiet"],
        &["context", "add-machine", "b", "--local"],
        // It reads the file, and then changes it.
        &["context", "set-infra", "server-1", "--udp-ports", "53"],
    ] {
        let answer = rdc.run(arguments).done();
        for warning in &expected {
            let told = answer.stderr.matches(warning.as_str()).count();
            assert_eq!(told, 1, "{arguments:?}: {}", answer.stderr);
        }
        assert!(!answer.all().contains("s3cret"), "{}", answer.all());
    }
    for kept in ["colour = \"blue\"\n", misspelt, "udp_ports = [53]"] {
        assert!(rdc.text().contains(kept), "{}", rdc.text());
    }
}

#[test]
fn an_address_may_have_brackets_or_an_interface() {
    let rdc = Rdc::with_machine();
    let add = |name: &str, ip: &str, more: &[&str]| {
        let add = ["context", "add-machine", name, "--ip", ip, "--user", "root"];
        rdc.run(&[&add[..], &["--no-scan"], more].concat())
    };
    for (name, ip, more, shown) in [
        ("a", "[2001:DB8::1]", &[] as &[&str], "root@2001:db8::1"),
        ("b", "fe80::1%eth0", &[], "root@fe80::1%eth0"),
        (
            "c",
            "[fe80::1%eth0]",
            &["--port", "2222"],
            "root@[fe80::1%eth0]:2222",
        ),
    ] {
        let answer = add(name, ip, more).done();
        let said = format!("added {name} ({shown}) to default\n");
        assert_eq!(answer.stdout, said);
    }
    for (ip, said) in [
        (
            "fe80::1",
            "give it with the interface of this workstation, as fe80::1%eth0",
        ),
        ("[2001:db8::1]:22", "--port"),
        ("2001:db8::1%eth0", "only a link-local address has"),
    ] {
        let answer = add("d", ip, &[]).code(2);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
    // What an earlier version took is no reason to refuse the file.
    fs::write(
        rdc.file("default"),
        rdc.text().replace("fe80::1%eth0", "fe80::1"),
    )
    .expect("written");
    rdc.run(&["context", "machines"]).done();

    let set = |option: &str, address: &str| {
        let set = ["context", "set-infra", "a", option, address];
        rdc.run(&[&set[..], &["--json"]].concat())
    };
    let infra = set("--public-ipv6", "[2001:DB8::1]").done().json();
    assert_eq!(infra["infra"]["public_ipv6"], "2001:db8::1");
    let infra = set("--bind-ipv6", "[fd00::5]").done().json();
    assert_eq!(infra["infra"]["bind_ipv6"], "fd00::5");
    for option in ["--public-ipv6", "--bind-ipv6"] {
        let error = set(option, "fe80::1%eth0").code(2).json();
        let message = error["error"]["message"].as_str().unwrap_or_default();
        let said = "link-local address: nobody beyond the machine's own link could reach it";
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_broken_file_is_named_by_line_and_column_and_never_written() {
    let rdc = Rdc::with_machine();
    let file = rdc.file("default");
    for (broken, place) in [
        ("ssh_key = \"/k\"\nmachines = [\n", "default.toml:"),
        (
            "ssh_key = \"/k\"\n\n[machines.a]\nip = \"999.1.1.1\"\nuser = \"root\"\n",
            "default.toml:4:6: ",
        ),
        ("ssh_key = 5\n", "default.toml:1:11: "),
        ("", "default.toml:1:1: "),
    ] {
        fs::write(&file, broken).expect("the file is written");
        for arguments in [
            &["context", "machines"] as &[&str],
            &["context", "set-infra", "a", "--udp-ports", "53"],
            &["context", "add-machine", "b", "--local"],
            &["context", "remove-machine", "a"],
        ] {
            let answer = rdc.run(arguments).code(1);
            assert!(answer.stderr.contains(place), "{}", answer.stderr);
            assert_eq!(rdc.text(), broken);
        }
        let list = rdc.run(&["context", "list"]).done();
        assert!(list.stderr.contains(place), "{}", list.stderr);
    }
    rdc.run(&["context", "remove", "default", "--yes"]).done();
}

#[test]
fn a_linked_file_stays_a_link() {
    let rdc = Rdc::with_machine();
    let (file, target) = (rdc.file("default"), rdc.path("dotfiles.toml"));
    fs::rename(&file, &target).expect("it is moved");
    symlink(&target, &file).expect("it is linked");
    rdc.add_machine("server-2");
    assert!(file.symlink_metadata().expect("a link").is_symlink());
    let text = fs::read_to_string(&target).expect("the target is read");
    assert!(text.contains("[machines.server-2]"), "{text}");
}

#[test]
fn parallel_changes_lose_nothing() {
    let rdc = Rdc::with_machine();
    let names: Vec<String> = (0..8).map(|number| format!("m{number}")).collect();
    let all_at_once = |arguments: &dyn Fn(&str) -> Vec<String>| {
        let started = names.iter().map(|name| rdc.spawn(&arguments(name)));
        for mut child in started.collect::<Vec<_>>() {
            assert!(child.wait().expect("it ends").success());
        }
    };
    let words = |text: String| text.split(' ').map(ToOwned::to_owned).collect();
    all_at_once(&|name| words(format!("context add-machine {name} --local")));
    all_at_once(&|name| words(format!("context set-infra {name} --udp-ports 53")));
    let shown = rdc.run(&["context", "show-infra", "--json"]).done().json();
    for name in names {
        assert_eq!(shown["machines"][name]["udp_ports"][0], 53);
    }
    // Nothing else is left behind in the folder.
    let folder = rdc.file("default");
    let folder = fs::read_dir(folder.parent().expect("a folder")).expect("it is read");
    assert_eq!(folder.count(), 1);
}

/// A port of this workstation where nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    address.port().to_string()
}
