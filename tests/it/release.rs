//! Releases of Traefik, by the built `rdc`: downloaded from a stand-in of their site, and brought
//! to a stand-in of a machine.

use std::fs;

use crate::release_site::{Page, ReleaseSite, SelfSigned, archive_name, list_name, packed, sha256};
use crate::standin_machine::{OWN, Workbench, program, text};

const VERSION: &str = "3.7.99";
const ASK: [&str; 2] = ["--traefik-version", VERSION];
const BYTES: usize = 200_000;

#[test]
fn a_release_is_downloaded_once_and_brought_to_every_machine() {
    let traefik = program(OWN, BYTES);
    let site = ReleaseSite::new();
    site.publish(VERSION, &traefik);
    let bench = Workbench::new(site.url());
    let place = format!("traefik/{VERSION}/traefik");

    bench.push(&ASK).done();
    assert_eq!(fs::read(bench.machine(&place)).expect("Traefik"), traefik);
    let urls = [list_name(VERSION), archive_name(VERSION)].map(|it| format!("/v{VERSION}/{it}"));
    assert_eq!(site.asked(), urls);

    // It is there: one command on the machine, and nobody is asked.
    bench.commands();
    bench.push(&ASK).done();
    assert_eq!((bench.commands(), site.asked()), (1, Vec::new()));

    // A machine that was set up anew gets the same one.
    fs::remove_dir_all(bench.machine("traefik")).expect("it is removed");
    bench.push(&ASK).done();
    assert_eq!(fs::read(bench.machine(&place)).expect("Traefik"), traefik);
    assert_eq!(site.asked(), Vec::<String>::new());
}

#[test]
fn a_cached_release_that_was_damaged_is_downloaded_anew() {
    let traefik = program(OWN, BYTES);
    let site = ReleaseSite::new();
    site.publish(VERSION, &traefik);
    let bench = Workbench::new(site.url());
    bench.push(&ASK).done();
    let cached = bench.files("cache");
    let program = cached.iter().find(|path| path.ends_with("/traefik"));
    let program = bench.rdc.path("cache").join(program.expect("it is kept"));
    fs::write(&program, &traefik[..BYTES / 2]).expect("it is damaged");
    // What a killed `rdc` leaves is taken away by the next download.
    let left = bench.rdc.path("cache/rediacc/traefik/.download-left");
    fs::create_dir(&left).expect("a folder");
    fs::write(left.join("archive"), "half").expect("it is written");

    fs::remove_dir_all(bench.machine("traefik")).expect("it is removed");
    site.asked();
    bench.push(&ASK).done();
    assert_eq!(site.asked().len(), 2);
    assert_eq!(fs::read(&program).expect("it is kept"), traefik);
    assert_eq!(bench.files("cache"), cached);
}

#[test]
fn what_is_not_the_release_is_neither_installed_nor_kept() {
    let archive = packed(&program(OWN, BYTES));
    let (list, name) = (list_name(VERSION), archive_name(VERSION));
    let listed = |content: &[u8], name: &str| {
        let line = format!("{}  {name}\n", sha256(content));
        Page::File(line.into())
    };
    let html = Page::File(b"<!DOCTYPE html>\n<title>Hotel Wi-Fi</title>".to_vec());
    let other = packed(&program(OWN, BYTES + 1));
    let no_archive = b"not a .tar.gz".to_vec();
    let cases = [
        (
            "no such version",
            None,
            None,
            "there is no Traefik 3.7.99",
            "--traefik-version",
        ),
        (
            "not for this architecture",
            Some(listed(&archive, "traefik_v3.7.99_openbsd_amd64.tar.gz")),
            None,
            "there is no Traefik 3.7.99 for",
            "--traefik-binary",
        ),
        (
            "a log-in page",
            Some(html.clone()),
            None,
            "`<!DOCTYPE html>`",
            "log-in page",
        ),
        (
            "a log-in page in the archive's place",
            Some(listed(&archive, &name)),
            Some(html),
            "but the release lists",
            "--traefik-binary",
        ),
        (
            "another archive",
            Some(listed(&archive, &name)),
            Some(Page::File(other)),
            "but the release lists",
            "nothing was kept or installed",
        ),
        (
            "half an archive",
            Some(listed(&archive, &name)),
            Some(Page::Half(archive.clone())),
            "broke off after",
            "--traefik-binary",
        ),
        (
            "a listed archive that is none",
            Some(listed(&no_archive, &name)),
            Some(Page::File(no_archive)),
            "cannot take the program out of",
            "--traefik-binary",
        ),
        (
            "no archive",
            Some(listed(&archive, &name)),
            None,
            "the site answers 404",
            "--traefik-binary",
        ),
        (
            "an error",
            Some(Page::Status(503)),
            None,
            "the site answers 503",
            "--traefik-binary",
        ),
        (
            "a way out of loopback and TLS",
            Some(Page::Redirect(
                "http://203.0.113.9/list?key=s3cret".to_owned(),
            )),
            None,
            "http://203.0.113.9/list, not https",
            "--traefik-binary",
        ),
        (
            "a circle",
            Some(Page::Redirect(format!("/v{VERSION}/{list}"))),
            None,
            "sends us on and on",
            "--traefik-binary",
        ),
    ];
    for (case, list_page, archive_page, message, hint) in cases {
        let site = ReleaseSite::new();
        for (file, page) in [(&list, list_page), (&name, archive_page)] {
            if let Some(page) = page {
                site.put(VERSION, file, page);
            }
        }
        let bench = Workbench::new(site.url());
        let answer = bench.push(&ASK).code(1);
        let said = &answer.stderr;
        assert!(said.contains(message), "{case}: {said}");
        assert!(said.contains(hint), "{case}: {said}");
        assert!(!said.contains("s3cret"), "{case}: {said}");
        let kept = bench.files("cache");
        assert_eq!(kept, ["rediacc/traefik/.lock"], "{case}");
        assert!(!bench.machine("traefik").exists(), "{case}");
    }
}

#[test]
fn without_a_network_the_way_around_is_named() {
    // Bound and not listened on: connections are refused, and nobody else can take the port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    let bench = Workbench::new(&url);
    let answer = bench.push(&ASK).code(1);
    for part in [
        format!("cannot download {url}/v{VERSION}/"),
        "Connection refused".to_owned(),
        "--traefik-binary".to_owned(),
        "REDIACC_TRAEFIK_RELEASES".to_owned(),
    ] {
        assert!(answer.stderr.contains(&part), "{}", answer.stderr);
    }
}

#[test]
fn a_proxy_is_for_sites_with_tls_alone() {
    let site = ReleaseSite::new();
    site.publish(VERSION, &program(OWN, BYTES));
    let proxy = ReleaseSite::new();
    let env = [("http_proxy", proxy.url()), ("https_proxy", proxy.url())];
    let bench = Workbench::new(site.url());
    bench.push_with(&ASK, &env).done();
    assert_eq!(proxy.asked(), Vec::<String>::new());

    let bench = Workbench::new("https://mirror.example.com");
    bench.push_with(&ASK, &env).code(1);
    assert_eq!(proxy.asked(), ["mirror.example.com:443"]);
}

#[test]
fn a_redirection_is_followed() {
    let traefik = program(OWN, BYTES);
    let site = ReleaseSite::new();
    let elsewhere = ReleaseSite::new();
    elsewhere.publish(VERSION, &traefik);
    for file in [list_name(VERSION), archive_name(VERSION)] {
        let to = format!("{}/v{VERSION}/{file}", elsewhere.url());
        site.put(VERSION, &file, Page::Redirect(to));
    }
    let bench = Workbench::new(site.url());
    bench.push(&ASK).done();
    let place = bench.machine(&format!("traefik/{VERSION}/traefik"));
    assert_eq!(fs::read(place).expect("Traefik"), traefik);
}

#[test]
fn by_tls_the_site_has_to_be_who_it_says() {
    let certificate = SelfSigned::new();
    let site = ReleaseSite::with_tls(&certificate);
    site.publish(VERSION, &program(OWN, BYTES));
    let bench = Workbench::new(site.url());
    let answer = bench.push(&ASK).code(1);
    assert!(answer.stderr.contains("certificate"), "{}", answer.stderr);
    assert_eq!(site.asked(), Vec::<String>::new());

    // The workstation's own authorities count: a company may have one of its own.
    let pem = bench.rdc.path("authority.pem");
    fs::write(&pem, &certificate.pem).expect("it is written");
    bench
        .push_with(&ASK, &[("SSL_CERT_FILE", text(&pem))])
        .done();
    assert!(
        bench
            .machine(&format!("traefik/{VERSION}/traefik"))
            .exists()
    );
}

#[test]
fn a_site_that_anybody_could_answer_for_is_refused() {
    for site in [
        "http://user:s3cret@mirror.example.com",
        "mirror.example.com",
        "file:///tmp",
    ] {
        let bench = Workbench::new(site);
        let answer = bench.push(&ASK).code(2);
        let said = &answer.stderr;
        assert!(said.contains("REDIACC_TRAEFIK_RELEASES"), "{site}: {said}");
        assert!(!said.contains("s3cret"), "{site}: {said}");
        assert_eq!(bench.commands(), 0, "{site}");
    }
}

#[test]
fn a_dry_run_downloads_nothing() {
    let site = ReleaseSite::new();
    site.publish(VERSION, &program(OWN, BYTES));
    let bench = Workbench::new(site.url());
    let dry_run = [&ASK[..], &["--dry-run"]].concat();
    let plan = bench.push(&dry_run).done().stdout;
    let upload = format!("upload   /usr/lib/rediacc/traefik/{VERSION}/traefik");
    let download = format!("download Traefik {VERSION} to this workstation");
    for step in ["upload   /usr/lib/rediacc/renet/", &download, &upload] {
        assert!(plan.contains(step), "no `{step}` in\n{plan}");
    }
    assert_eq!(site.asked(), Vec::<String>::new());
    assert!(!bench.machine("traefik").exists() && !bench.machine("renet").exists());

    // What was downloaded before needs no second download, and its size is known.
    bench.push(&ASK).done();
    fs::remove_dir_all(bench.machine("traefik")).expect("it is removed");
    let plan = bench.push(&dry_run).done().stdout;
    assert!(plan.contains(&format!("{upload} (0.2 MiB)")), "{plan}");
    assert!(!plan.contains("download"), "{plan}");
}

#[test]
fn the_version_is_the_options_else_the_contexts_else_the_default() {
    let site = ReleaseSite::new();
    let bench = Workbench::new(site.url());
    let set = |words: &[&str]| {
        let infra = ["context", "set-infra", "server-1"];
        bench.rdc.run(&[&infra[..], words].concat()).done();
    };
    let expect = |options: &[&str], version: &str| {
        bench.push(options).code(1);
        let list = format!("/v{version}/{}", list_name(version));
        assert_eq!(site.asked(), [list]);
    };
    expect(&[], "3.7.15");
    set(&["--traefik-version", "3.8.1"]);
    expect(&[], "3.8.1");
    expect(&ASK, VERSION);

    set(&["--traefik-version", "3.6.20"]);
    let answer = bench.push(&[]).code(2);
    assert!(
        answer.stderr.contains("3.7.12 or later"),
        "{}",
        answer.stderr
    );
    bench.push(&["--traefik-version", "../3"]).code(2);
    assert_eq!(site.asked(), Vec::<String>::new());
}
