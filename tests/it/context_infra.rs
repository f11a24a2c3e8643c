//! `set-infra` and `show-infra`, through the built `rdc`.

use std::fs;

use serde_json::json;

use crate::rdc::{Answer, Rdc};

const TOKEN: &str = "s3cret-t0ken-of-cloudflare";

fn set(rdc: &Rdc, options: &[&str]) -> Answer {
    rdc.run(&[&["context", "set-infra", "server-1"], options].concat())
}

#[test]
fn an_option_that_is_not_given_keeps_its_value() {
    let rdc = Rdc::with_machine();
    set(
        &rdc,
        &[
            "--public-ipv4",
            " 203.0.113.50 ",
            "--base-domain",
            "BÜCHER.Example.",
            "--cert-email",
            "Admin@Example.COM",
        ],
    )
    .done();
    set(
        &rdc,
        &[
            "--public-ipv6",
            "2001:DB8::1",
            "--bind-ipv4",
            "10.0.0.5",
            "--bind-ipv6",
            "fd00::5",
        ],
    )
    .done();
    set(
        &rdc,
        &["--tcp-ports", "993, 25,25,10100-10102", "--udp-ports", "53"],
    )
    .done();
    set(
        &rdc,
        &[
            "--acme-staging",
            "--default-ports",
            "off",
            "--auto-routes",
            "off",
            "--traefik-version",
            "v3.7.15",
        ],
    )
    .done();
    let answer = set(&rdc, &["--cf-dns-token", TOKEN]).done();
    assert!(
        answer.stderr.contains("warning: others"),
        "{}",
        answer.stderr
    );
    assert_eq!(
        answer.stdout,
        "server-1\n\
         public-ipv4      203.0.113.50\n\
         public-ipv6      2001:db8::1\n\
         bind-ipv4        10.0.0.5\n\
         bind-ipv6        fd00::5\n\
         base-domain      xn--bcher-kva.example\n\
         cert-email       admin@example.com\n\
         cf-dns-token     ***\n\
         acme-ca-server   https://acme-staging-v02.api.letsencrypt.org/directory\n\
         tcp-ports        25, 993, 10100-10102\n\
         udp-ports        53\n\
         default-ports    off\n\
         auto-routes      off\n\
         traefik-version  3.7.15\n"
    );
    assert_eq!(
        rdc.run(&["context", "show-infra", "server-1"])
            .done()
            .stdout,
        answer.stdout
    );
    let shown = rdc.run(&["context", "show-infra", "server-1", "--json"]);
    let expected = json!({"machine": "server-1", "infra": {
        "public_ipv4": "203.0.113.50",
        "public_ipv6": "2001:db8::1",
        "bind_ipv4": "10.0.0.5",
        "bind_ipv6": "fd00::5",
        "base_domain": "xn--bcher-kva.example",
        "cert_email": "admin@example.com",
        "cf_dns_token": "***",
        "acme_ca_server": "https://acme-staging-v02.api.letsencrypt.org/directory",
        "tcp_ports": [25, 993, 10100, 10101, 10102],
        "udp_ports": [53],
        "default_ports": false,
        "auto_routes": false,
        "traefik_version": "3.7.15",
        "owners": {},
        "quotas": {},
    }});
    assert_eq!(shown.done().json(), expected);
}

#[test]
fn grants_are_kept_by_repository_and_shown() {
    let rdc = Rdc::with_machine();
    let stored = || {
        let shown = rdc.run(&["context", "show-infra", "server-1", "--json"]);
        let infra = shown.done().json()["infra"].take();
        (infra["owners"].clone(), infra["quotas"].clone())
    };
    let grants = "2816=Shop.example.com,*.example.org, tcp-25,10.0.0.5/24";
    let answer = set(
        &rdc,
        &[
            "--base-domain",
            "example.net",
            "--tcp-ports",
            "25",
            "--owner",
            grants,
            "--owner",
            "2880=shop.example.com,web-2880.example.net",
            "--owner",
            "host=*",
            "--quota",
            "2816=3",
        ],
    )
    .done();
    let owners = "owner           2816=shop.example.com, *.example.org, tcp-25, 10.0.0.0/24\n\
                  owner           2880=shop.example.com, web-2880.example.net\n\
                  owner           host=*\n\
                  quota           2816=3\n\
                  shared by path  shop.example.com: 2816, 2880\n";
    assert!(answer.stdout.ends_with(owners), "{}", answer.stdout);
    let shown = rdc.run(&["context", "show-infra", "server-1"]).done();
    assert_eq!(shown.stdout, answer.stdout);
    assert!(!answer.stderr.contains("warning"), "{}", answer.stderr);
    let file = "\n[machines.server-1.infra.owners]\n\
                2816 = [\"shop.example.com\", \"*.example.org\", \"tcp-25\", \"10.0.0.0/24\"]\n";
    assert!(rdc.text().contains(file), "{}", rdc.text());

    // One repository's list is replaced, another one's cleared, the third is left alone.
    set(&rdc, &["--owner", "2816=a.example", "--owner", "2880="]).done();
    set(&rdc, &["--quota", "2816=", "--quota", "host=1000"]).done();
    assert_eq!(
        stored(),
        (
            json!({"2816": ["a.example"], "host": ["*"]}),
            json!({"host": 1000})
        )
    );
    set(&rdc, &["--unset", "owners", "--owner", "2944=b.example"]).done();
    assert_eq!(stored().0, json!({"2944": ["b.example"]}));
    set(&rdc, &["--unset", "owners,quotas"]).done();
    assert_eq!(stored(), (json!({}), json!({})));
    assert!(!rdc.text().contains("owners"), "{}", rdc.text());
}

#[test]
fn a_granted_port_that_is_not_open_is_told_with_what_opens_it() {
    let rdc = Rdc::with_machine();
    set(&rdc, &["--tcp-ports", "25"]).done();
    let grants = "2816=tcp-25,tcp-2525,udp-5353,tcp-5432";
    let answer = set(&rdc, &["--owner", grants]).done();
    for said in [
        "tcp-2525 belongs to 2816, and is not open: run `rdc context set-infra server-1 --tcp-ports 25,2525`",
        "udp-5353 belongs to 2816, and is not open: run `rdc context set-infra server-1 --udp-ports 5353`",
    ] {
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
    // Listed, and preconfigured.
    for open in ["tcp-25 ", "tcp-5432 "] {
        assert!(!answer.stderr.contains(open), "{}", answer.stderr);
    }
}

#[test]
fn grants_that_cannot_stand_are_refused_and_nothing_is_written() {
    let rdc = Rdc::with_machine();
    let owner = ["--base-domain", "example.com", "--owner", "2816=tcp-25,*"];
    set(&rdc, &owner).done();
    let before = rdc.text();
    for (options, said) in [
        (
            &["--owner", "2880=*"] as &[&str],
            "--owner: `*` is granted to 2816 and to 2880",
        ),
        (
            &["--owner", "host=tcp-25"],
            "`tcp-25` is granted to 2816 and to host",
        ),
        (
            &["--owner", "2880=*.a.example", "--owner", "host=*.a.example"],
            "`*.a.example` is granted to 2880 and to host",
        ),
        (&["--owner", "2880=*.example.com"], "automatic names"),
        (
            &["--owner", "2880=web-2816.example.com"],
            "an automatic name of 2816",
        ),
        // What was fine below one domain is not below another.
        (
            &[
                "--owner",
                "2880=*.example.org",
                "--base-domain",
                "example.org",
            ],
            "`*.example.org` cannot be granted",
        ),
        (&["--owner", "2817=a.example"], "`2817` is not a repository"),
        (&["--owner", "a.example"], "names no repository"),
        (&["--owner", ""], "names no repository"),
        (&["--owner", "2880=tcp-443"], "port 443 is taken"),
        (
            &["--owner", "2880=a", "--owner", "2880=b"],
            "--owner: 2880 is given twice",
        ),
        (&["--quota", "2816=0"], "--quota: 0 is no factor"),
        (&["--quota", "2816=1001"], "1001 is no factor"),
        (&["--quota", "2816"], "names no repository"),
        (
            &["--quota", "2816=2", "--quota", "2816=3"],
            "--quota: 2816 is given twice",
        ),
    ] {
        let answer = set(&rdc, options).code(2);
        assert!(
            answer.stderr.contains(said),
            "{options:?}: {}",
            answer.stderr
        );
        assert_eq!(rdc.text(), before, "{options:?}");
    }
}

#[test]
fn an_unset_field_goes_back_to_its_default() {
    let rdc = Rdc::with_machine();
    set(
        &rdc,
        &[
            "--public-ipv4",
            "203.0.113.50",
            "--tcp-ports",
            "25",
            "--default-ports",
            "off",
        ],
    )
    .done();
    set(&rdc, &["--unset", "tcp-ports", "--unset", "default-ports"]).done();
    let infra = rdc
        .run(&["context", "show-infra", "server-1", "--json"])
        .done()
        .json();
    assert_eq!(infra["infra"]["tcp_ports"], json!([]));
    assert_eq!(infra["infra"]["default_ports"], true);
    assert_eq!(infra["infra"]["public_ipv4"], "203.0.113.50");
    set(
        &rdc,
        &["--unset", "public-ipv4,base-domain", "--udp-ports", "53"],
    )
    .done();
    assert!(!rdc.text().contains("public_ipv4"));
    set(&rdc, &["--unset", "everything"]).code(2);
}

#[test]
fn an_invalid_value_is_exit_2_and_nothing_is_written() {
    let rdc = Rdc::with_machine();
    set(&rdc, &["--public-ipv4", "203.0.113.50"]).done();
    let before = fs::read(rdc.file("default")).expect("the context is read");
    for (options, said) in [
        (
            &["--public-ipv4", "999.1.1.1"] as &[&str],
            "--public-ipv4: `999.1.1.1` is not an IPv4 address",
        ),
        (&["--public-ipv4", "127.0.0.1"], "loopback"),
        (&["--public-ipv4", "-x"], "`-x` is not an IPv4 address"),
        (&["--public-ipv6", "::"], "wildcard"),
        (
            &["--bind-ipv4", "0.0.0.0"],
            "--bind-ipv4: `0.0.0.0` is no address of a host",
        ),
        (&["--bind-ipv6", "fe80::1"], "link-local"),
        (&["--base-domain", "https://example.com"], "URL"),
        (&["--base-domain", "localhost"], "one label"),
        (&["--cert-email", "admin"], "no `@`"),
        (&["--tcp-ports", "25,https"], "`https` is not a port"),
        (
            &["--tcp-ports", "443"],
            "port 443 is taken by the entry point `websecure`",
        ),
        (&["--udp-ports", "7000-8000"], "7111"),
        (&["--tcp-ports", ""], "--unset tcp-ports"),
        (&["--cert-email", " "], "--unset cert-email"),
        (&["--acme-ca-server", "http://acme.example.com"], "https"),
        (
            &["--acme-ca-server", "https://a.example/d", "--acme-staging"],
            "cannot be used with",
        ),
        (&["--default-ports", "maybe"], "maybe"),
        (&["--traefik-version", "2.11.0"], "Traefik 3"),
        (
            &["--cf-dns-token", ""],
            "--cf-dns-token: the token is empty",
        ),
        (
            &["--cf-dns-token", "env:A B"],
            "names no environment variable",
        ),
        (
            &["--cf-dns-token-file", "missing"],
            "missing`: No such file",
        ),
        (
            &["--tcp-ports", "25", "--unset", "tcp-ports"],
            "given and unset at once",
        ),
        (&[], "--public-ipv4"),
    ] {
        let answer = set(&rdc, options).code(2);
        assert!(
            answer.stderr.contains(said),
            "{options:?}: {}",
            answer.stderr
        );
        // A good value beside it is not stored either.
        let answer = set(&rdc, &[options, &["--udp-ports", "53"]].concat());
        if !options.is_empty() && !options.contains(&"--udp-ports") {
            answer.code(2);
            let after = fs::read(rdc.file("default")).expect("the context is read");
            assert_eq!(after, before, "{options:?}");
        }
    }
}

#[test]
fn all_invalid_values_are_reported_together() {
    let rdc = Rdc::with_machine();
    let answer = set(
        &rdc,
        &[
            "--public-ipv4",
            "1.2.3",
            "--tcp-ports",
            "80",
            "--udp-ports",
            "53",
        ],
    );
    assert_eq!(
        answer.code(2).stderr,
        "error: 2 values are invalid, nothing was stored\n  \
         --public-ipv4: `1.2.3` is not an IPv4 address; give one IPv4 address of the machine, as 203.0.113.50\n  \
         --tcp-ports: port 80 is taken by the entry point `web`; give ports from 1 to 65535 and ranges, but 80, 443, 7111 and 7112, as 25,143,10000-10010\n"
    );
}

#[test]
fn a_token_is_never_shown() {
    let rdc = Rdc::with_machine();
    let mut said = String::new();
    let mut keep = |answer: Answer| said.push_str(&answer.all());
    keep(set(&rdc, &["--cf-dns-token", TOKEN, "-v", "-v"]).done());
    assert!(rdc.text().contains(TOKEN));
    for more in [&[] as &[&str], &["--json"], &["-vv"]] {
        for arguments in [
            &["context", "show-infra"] as &[&str],
            &["context", "show-infra", "server-1"],
            &["context", "machines"],
            &["context", "list"],
            &["context", "scan-keys", "nobody"],
            &["context", "set-infra", "server-1", "--udp-ports", "53"],
            &[
                "context",
                "set-infra",
                "server-1",
                "--udp-ports",
                "x",
                "--cf-dns-token",
                TOKEN,
            ],
            &[
                "context",
                "set-infra",
                "server-1",
                "--cf-dns-token",
                TOKEN,
                "--nonsense",
            ],
            &[
                "context",
                "set-infra",
                "server-1",
                "--cf-dns-token",
                TOKEN,
                "--cf-dns-token",
                TOKEN,
            ],
            &["context", "set-infra", "nobody", "--cf-dns-token", TOKEN],
        ] {
            keep(rdc.run(&[arguments, more].concat()));
        }
    }
    // Nor where the file is broken in the very line that holds it.
    let quoted = format!("\"{TOKEN}\"");
    let text = rdc.text();
    for broken in [
        TOKEN,
        &format!("\"{TOKEN}"),
        &format!("[\"{TOKEN}\"]"),
        &format!("\"{TOKEN} x\""),
    ] {
        fs::write(rdc.file("default"), text.replace(&quoted, broken)).expect("it is written");
        keep(rdc.run(&["context", "show-infra", "-vv"]).code(1));
        keep(rdc.run(&["context", "show-infra", "--json"]).code(1));
    }
    assert!(!said.contains(TOKEN), "{said}");
    assert!(said.contains("***"));
}

#[test]
fn a_token_comes_by_file_by_standard_input_and_by_reference() {
    let rdc = Rdc::with_machine();
    let stored = || {
        let shown = rdc.run(&["context", "show-infra", "--json"]).done().json();
        shown["machines"]["server-1"]["cf_dns_token"].clone()
    };
    fs::write(rdc.path("token"), format!("{TOKEN}\n")).expect("the token is written");
    let by_file = format!("file:{}", rdc.path("token").display());

    // The reference is stored, absolute; the token is not.
    set(&rdc, &["--cf-dns-token-file", "token"]).done();
    assert_eq!(stored(), json!(by_file));
    set(&rdc, &["--cf-dns-token", "env:CF_TOKEN"]).done();
    assert_eq!(stored(), json!("env:CF_TOKEN"));
    set(&rdc, &["--cf-dns-token", "cmd:pass show cf"]).done();
    assert_eq!(stored(), json!("cmd:pass show cf"));
    let answer = set(&rdc, &["--cf-dns-token", "file:token"]).done();
    assert_eq!(stored(), json!(by_file));
    assert!(!answer.stderr.contains("command line"), "{}", answer.stderr);
    assert!(!rdc.text().contains(TOKEN));

    let mut command = rdc.command(&[
        "context",
        "set-infra",
        "server-1",
        "--cf-dns-token-file",
        "-",
    ]);
    let answer = command
        .write_stdin(format!(" {TOKEN}\n"))
        .output()
        .expect("it runs");
    let answer = Answer::from(answer).done();
    assert!(!answer.all().contains(TOKEN) && !answer.stderr.contains("command line"));
    assert!(rdc.text().contains(&format!("cf_dns_token = \"{TOKEN}\"")));
}
