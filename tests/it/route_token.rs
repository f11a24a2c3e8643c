//! On a real machine and under load: grants that come and go, and the token by which Traefik asks
//! the route server for routes. No request fails, and nobody else learns the token.

use crate::load::Load;
use crate::rdc::Answer;
use crate::test_machine::TestMachine;
use crate::zero_downtime::{PROXY, ROUTER, Site, eventually, main_pid, none_failed};

const TOKEN: &str = "/var/lib/rediacc/token";
const ROUTES: &str = "http://127.0.0.1:7111/routes.yaml";

#[test]
fn grants_and_the_token_change_under_load_and_no_request_fails() {
    let site = Site::up("token");
    the_token_is_for_root_and_traefik_alone(&site);
    new_grants_restart_the_route_server_alone(&site);
    a_lost_token_is_the_one_that_traefik_runs_with(&site);
    a_token_that_others_could_read_is_replaced(&site);
    a_generation_without_a_token_is_left_and_gone_back_to(&site);
    site.rdc
        .run(&["context", "remove-infra", "server-1", "--yes"])
        .done();
    shell(&site.machine, &format!("[ ! -e {TOKEN} ]"));
}

fn the_token_is_for_root_and_traefik_alone(site: &Site) {
    let machine = &site.machine;
    let access = shell(machine, &format!("stat --format='%U:%G %a' {TOKEN}"));
    assert_eq!(access, "root:rediacc-proxy 640");
    let token = token(machine);
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(token.len() == 64 && token.bytes().all(is_digit), "{token}");

    for (header, status) in [
        (String::new(), "401"),
        (
            "Authorization: Bearer @route-server-token@".to_owned(),
            "401",
        ),
        (format!("Authorization: Bearer {token}"), "200"),
    ] {
        let ask = format!("curl -s -o /dev/null -w '%{{http_code}}' -H '{header}' {ROUTES}");
        assert_eq!(shell(machine, &ask), status, "{header}");
    }
    let look = [
        "-vv",
        "context",
        "push-infra",
        "server-1",
        "--dry-run",
        "--diff",
        "--json",
    ];
    let answer = site.rdc.run(&look).done().all();
    assert!(!answer.contains(&token), "{answer}");
    // It is in the memory of the two, in the file, and in the copy that Traefik's user alone reads.
    let holders = format!(
        "journalctl --no-pager | grep -c {token}; \
         grep -rl {token} /etc /usr/local /var/lib/rediacc /run 2>/dev/null; \
         grep -l {token} /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -v self; \
         stat --format='%U %a' /run/rediacc-proxy/traefik.yml"
    );
    let expected = format!("0\n{TOKEN}\n/run/rediacc-proxy/traefik.yml\nrediacc-proxy 600");
    // The search is a process that names it, too.
    let found = shell(machine, &holders);
    let found: Vec<&str> = found
        .lines()
        .filter(|it| !it.starts_with("/proc"))
        .collect();
    assert_eq!(found.join("\n"), expected);
}

fn new_grants_restart_the_route_server_alone(site: &Site) {
    let grants = "2816=shop.example.org,*.example.org,tcp-25,10.0.0.0/24";
    set(
        site,
        &["--owner", grants, "--owner", "host=*", "--quota", "2816=3"],
    );
    let words = "2816 gets shop.example.org, *.example.org, tcp-25, 10.0.0.0/24; its quota becomes \
                 3 times the usual";
    let plan = site
        .rdc
        .run(&["context", "push-infra", "server-1", "--dry-run", "--diff"]);
    assert!(plan.done().stdout.contains(words));

    let loads = site.loads();
    let before = [PROXY, ROUTER].map(|unit| main_pid(&site.machine, unit));
    let push = site.push();
    let after = [PROXY, ROUTER].map(|unit| main_pid(&site.machine, unit));
    none_failed(loads);
    assert_eq!(before[0], after[0], "Traefik was restarted");
    assert_ne!(before[1], after[1], "the route server was not");
    assert!(push.contains(words), "{push}");
    // systemd hands it on as it was written, with its spaces and asterisks.
    let environment = format!("tr '\\0' '\\n' </proc/{}/environ", after[1]);
    let environment = shell(&site.machine, &environment);
    for line in [
        &format!("REDIACC_OWNERS={grants} host=*"),
        "REDIACC_QUOTAS=2816=3",
        &format!("REDIACC_PUBLIC_ADDRESSES={}", site.machine.env("ADDR")),
    ] {
        assert!(
            environment.lines().any(|it| it == line),
            "{line}: {environment}"
        );
    }

    set(site, &["--unset", "owners,quotas"]);
    let push = site.push();
    assert!(push.contains("2816 loses shop.example.org, "), "{push}");
    assert_eq!(main_pid(&site.machine, PROXY), before[0]);
}

fn a_lost_token_is_the_one_that_traefik_runs_with(site: &Site) {
    let (machine, before) = (&site.machine, token(&site.machine));
    let pid = main_pid(machine, PROXY);
    for damage in [
        format!("rm {TOKEN}"),
        format!("echo garbage >{TOKEN}"),
        format!(": >{TOKEN}"),
        format!("rm {TOKEN}; mkdir {TOKEN}"),
    ] {
        shell(machine, &damage);
        let loads = site.loads();
        let status = site.rdc.run(&["context", "status-infra", "server-1"]);
        let said = format!("edited since it was pushed: {TOKEN}");
        assert!(status.stdout.contains(&said), "{}", status.all());
        // The route server may have started with what it found.
        shell(machine, &format!("systemctl restart {ROUTER}"));
        let push = site.push();
        none_failed(loads);
        assert!(push.contains(&format!("restarted {ROUTER}")), "{push}");
        assert_eq!(token(machine), before, "{damage}");
    }
    shell(machine, &format!("chmod 600 {TOKEN}"));
    assert!(site.push().contains("restarted nothing"));
    assert_eq!(token(machine), before);
    assert_eq!(main_pid(machine, PROXY), pid, "Traefik was restarted");
    routes_arrive(site, "after-loss");
}

fn a_token_that_others_could_read_is_replaced(site: &Site) {
    let (machine, before) = (&site.machine, token(&site.machine));
    shell(machine, &format!("chmod 644 {TOKEN}"));
    let loads = site.loads();
    let push = site.push();
    none_failed(loads);
    assert!(
        push.contains(&format!("restarted {ROUTER}, {PROXY}")),
        "{push}"
    );
    assert_ne!(token(machine), before);
    assert_eq!(site.push().matches("nothing restarted").count(), 1);
    site.standby_is_over();
    routes_arrive(site, "after-exposure");
}

/// As a version made it that knew no token.
fn a_generation_without_a_token_is_left_and_gone_back_to(site: &Site) {
    let machine = &site.machine;
    let strip = "cd /etc/rediacc/current/ && sed -i /REDIACC_TOKEN_FILE/d router.env && \
                 sed -i -e /headers:/d -e /Authorization:/d traefik.yml";
    shell(
        machine,
        &format!("{strip} && rm {TOKEN} && systemctl restart {ROUTER} {PROXY}"),
    );
    site.answers();
    let former = shell(machine, "basename $(readlink /etc/rediacc/current)");

    let push = ["context", "push-infra", "server-1", "--yes"];
    let back = [
        "context",
        "rollback-infra",
        "server-1",
        "--yes",
        "--to",
        &former,
    ];
    let newer = (former.parse::<u32>().expect("a number") + 1).to_string();
    let forth = [
        "context",
        "rollback-infra",
        "server-1",
        "--yes",
        "--to",
        &newer,
    ];
    for (command, host, order) in [
        (&push[..], "after-upgrade", [PROXY, ROUTER]),
        (&back, "after-rollback", [ROUTER, PROXY]),
        (&forth, "after-return", [PROXY, ROUTER]),
    ] {
        let since = shell(machine, "date +%s");
        let loads = site.loads();
        let answer: Answer = site.rdc.run(command).done();
        none_failed(loads);
        site.standby_is_over();
        let told = format!("{}{}", answer.stdout, answer.stderr);
        for unit in order {
            assert!(told.contains(unit), "{told}");
        }
        // Not one poll was refused on the way.
        let refused = format!(
            "journalctl --no-pager --since=@{since} | grep -c 'received non-ok response code' || :"
        );
        assert_eq!(shell(machine, &refused), "0", "{host}");
        routes_arrive(site, host);
    }
}

/// A container that starts now is served: Traefik's polls are answered.
fn routes_arrive(site: &Site, name: &str) {
    let page = "echo a page >/www/index.html; exec httpd -f -p 127.0.11.9:8080 -h /www";
    site.run_container(
        name,
        "127.0.11.9",
        &["rediacc.service_port=8080"],
        &["sh", "-c", page],
    );
    let url = format!(
        "curl -s -k -o /dev/null -w '%{{http_code}}' --connect-to ::{}: https://{name}-2816.example.test/",
        site.machine.env("ADDR")
    );
    eventually("the new page", || {
        shell(&site.machine, &format!("{url} || :")) == "200"
    });
    site.machine.docker(2816, &["rm", "--force", name]);
}

fn set(site: &Site, options: &[&str]) {
    let words = [&["context", "set-infra", "server-1"], options].concat();
    site.rdc.run(&words).done();
}

fn token(machine: &TestMachine) -> String {
    shell(machine, &format!("cat {TOKEN}"))
}

fn shell(machine: &TestMachine, script: &str) -> String {
    machine.run(&["sh", "-c", script]).trim().to_owned()
}

/// Polls as Traefik does, with its token.
pub(crate) fn polls(machine: &TestMachine, text: &str) -> Load {
    let load = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/load");
    let words = [
        load,
        "poll",
        "127.0.0.1",
        "7111",
        "4",
        text,
        &token(machine),
    ];
    Load::start(machine.exec_command(&words))
}
