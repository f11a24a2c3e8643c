//! `renet compose` on a real machine with a real engine: what runs, what stays as it is, and that
//! Compose's own behaviour comes through.

use std::fs::File;
use std::process::Stdio;

use crate::test_machine::TestMachine;

const ROOT: &str = "/mnt/rediacc/repositories/shop";

/// A repository that the machine has on record, with the built `renet`.
struct Shop(TestMachine);

impl Shop {
    fn up() -> Self {
        let machine = TestMachine::with_daemons("compose", "2816");
        let renet = File::open(env!("CARGO_BIN_EXE_renet")).expect("renet");
        let install = "cat >/usr/local/bin/renet && chmod 755 /usr/local/bin/renet";
        let mut install = machine.command(&["sh", "-c", install]);
        let installed = install.stdin(Stdio::from(renet)).status();
        assert!(installed.expect("it runs").success());
        let shop = Self(machine);
        shop.shell(&format!(
            r#"mkdir -p {ROOT} /var/lib/rediacc
               echo '{{"version": 1, "repositories": {{"shop": {{"network_id": 2816, "datastore": "/mnt/rediacc"}}}}}}' \
                 >/var/lib/rediacc/repositories.json"#
        ));
        shop
    }

    /// Runs a script in the repository's folder, and answers what it printed.
    fn shell(&self, script: &str) -> String {
        let script = format!("cd {ROOT} 2>/dev/null; {script}");
        let printed = self.0.run(&["bash", "-c", &script]);
        printed.trim_end().to_owned()
    }

    fn write(&self, compose: &str) {
        let save = format!("cat >{ROOT}/compose.yml");
        self.0.run_with_input(&["sh", "-c", &save], compose);
    }

    /// The containers, as `NAME ID` by name.
    fn containers(&self) -> Vec<String> {
        let format = "{{.Names}} {{.ID}} {{.State}}";
        let printed = self.0.docker(2816, &["ps", "--all", "--format", format]);
        let mut lines: Vec<String> = printed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn names(&self) -> Vec<String> {
        let name = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
        self.containers().iter().map(name).collect()
    }

    /// What a service answers at an address.
    fn answers(&self, at: &str) {
        self.shell(&format!(
            "for i in $(seq 1000); do curl -sf -o /dev/null http://{at}/ && exit 0; done; exit 1"
        ));
    }
}

fn service(port: u16) -> String {
    format!(
        "image: busybox
    stop_grace_period: 0s
    command: [sh, -c, 'exec httpd -f -p $$SERVICE_IP:{port} -h /www']"
    )
}

fn web_and_db() -> String {
    let (web, db) = (service(8080), service(5432));
    format!(
        "services:
  web:
    {web}
    depends_on: [db]
    environment: {{DB: '${{DB_IP:?}}'}}
    volumes: ['.:/all']
  db:
    {db}
"
    )
}

#[test]
fn compose_runs_the_services_of_a_repository() {
    let shop = Shop::up();
    a_second_up_makes_nothing_anew(&shop);
    composes_own_behaviour_comes_through(&shop);
    replicas_come_and_go_and_leave_the_others_alone(&shop);
    a_service_that_comes_back_has_its_address(&shop);
    what_the_operator_allows_is_remembered_until_it_is_taken_back(&shop);
    shop.shell("renet compose -- down");
    assert_eq!(shop.names(), [""; 0]);
}

fn a_second_up_makes_nothing_anew(shop: &Shop) {
    shop.write(&web_and_db());
    shop.shell("renet compose -- up -d");
    shop.answers("127.0.11.2:8080");
    shop.answers("127.0.11.3:5432");
    let first = shop.containers();
    assert_eq!(shop.names(), ["shop-db-1", "shop-web-1"]);
    shop.shell("renet compose -- up -d");
    assert_eq!(shop.containers(), first);

    let labels = "docker -H unix:///var/run/rediacc/docker-2816.sock inspect shop-web-1 --format \
                  '{{index .Config.Labels \"rediacc.service_ip\"}} {{index .Config.Labels \"rediacc.repo_name\"}} \
                  {{.HostConfig.NetworkMode}}'";
    assert_eq!(shop.shell(labels), "127.0.11.2 shop host");
    // By its name, from another container.
    shop.shell("renet compose -- exec -T web wget -q -O /dev/null http://db:5432/");
    // Nothing of the engine's is seen through a mount of the whole repository.
    shop.shell("echo secret >.rediacc/secret");
    let seen = shop.shell("renet compose -- exec -T web sh -c 'ls -A /all/.rediacc; ls /all'");
    assert_eq!(seen, "compose.yml");
}

fn composes_own_behaviour_comes_through(shop: &Shop) {
    let code = shop.shell("renet compose -- exec -T web sh -c 'exit 7'; echo $?");
    assert_eq!(code, "7");
    let terminal = "script -qec 'renet compose -- exec web tty' /dev/null";
    assert!(shop.shell(terminal).contains("/dev/pts/"));
    let through = "echo input | renet compose -- exec -T web cat";
    assert_eq!(shop.shell(through), "input");

    // Attached, this process is Compose, and a signal ends it as it ends Compose.
    let attached = |compose: &str| {
        let script = format!(
            "exec 2>/dev/null; set -m; renet compose -- down
             {compose} up >/dev/null & pid=$!
             for i in $(seq 1000); do curl -sf -o /dev/null http://127.0.11.2:8080/ && break; done
             cat /proc/$pid/comm; kill -INT $pid; wait $pid; echo $?
             renet compose -- ps --all --format '{{{{.Service}}}} {{{{.State}}}}' | sort"
        );
        shop.shell(&script)
    };
    let ours = attached("renet compose --");
    assert_eq!(ours, "docker-compose\n130\ndb exited\nweb exited");

    // Where the plugin is in no folder of its own, Docker's client finds it.
    let through_client = "mkdir -p /tmp/c/x && cd /tmp/c && \
        echo '{\"cliPluginsExtraDirs\": [\"/tmp/c/x\"]}' >config.json && \
        mv /usr/local/lib/docker/cli-plugins/docker-compose x/ && \
        DOCKER_CONFIG=/tmp/c renet compose --network-id 2816 --project-dir /mnt/rediacc/repositories/shop -- \
          up -d 2>&1 && \
        mv x/docker-compose /usr/local/lib/docker/cli-plugins/";
    shop.shell(through_client);
    shop.answers("127.0.11.2:8080");
}

fn replicas_come_and_go_and_leave_the_others_alone(shop: &Shop) {
    let before = shop.containers();
    shop.shell("renet compose -- up -d --scale web=3");
    for address in ["127.0.11.2", "127.0.11.4", "127.0.11.5"] {
        shop.answers(&format!("{address}:8080"));
    }
    let all = ["shop-db-1", "shop-web-1", "shop-web.2-1", "shop-web.3-1"];
    assert_eq!(shop.names(), all);
    assert!(before.iter().all(|line| shop.containers().contains(line)));
    let processes = shop.shell("renet compose -- top web | grep -c httpd");
    assert_eq!(processes, "3");
    shop.shell("renet compose -- stop web");
    let stopped = shop.containers();
    let stopped = stopped.iter().filter(|line| line.ends_with(" exited"));
    assert_eq!(stopped.count(), 3);
    shop.shell("renet compose -- scale web=2");
    assert_eq!(shop.names(), &all[..3]);
    shop.shell("renet compose -- up -d");
    assert_eq!(shop.names(), &all[..2]);
    shop.shell("renet compose -- up -d --scale web=2 && renet compose -- down");
    assert_eq!(shop.names(), [""; 0]);
}

fn a_service_that_comes_back_has_its_address(shop: &Shop) {
    let db = service(5432);
    shop.write(&format!("services:\n  db:\n    {db}\n"));
    shop.shell("renet compose -- up -d");
    let between = service(9000);
    shop.write(&format!(
        "services:\n  db:\n    {db}\n  between:\n    {between}\n"
    ));
    shop.shell("renet compose -- up -d");
    shop.answers("127.0.11.6:9000");
    shop.write(&web_and_db());
    shop.shell("renet compose -- up -d --remove-orphans");
    shop.answers("127.0.11.2:8080");
    assert_eq!(shop.names(), ["shop-db-1", "shop-web-1"]);
}

fn what_the_operator_allows_is_remembered_until_it_is_taken_back(shop: &Shop) {
    let outside = service(8080);
    shop.write(&format!(
        "services:\n  web:\n    {outside}\n    volumes: ['/etc/hostname:/h']\n"
    ));
    let up = "renet compose -- up -d 2>&1 && echo did || echo refused";
    assert!(shop.shell(up).ends_with("refused"));
    let allowed = shop.shell("renet compose --unsafe -- up -d 2>&1");
    let note = "note: services of this repository may reach the machine from now on";
    assert!(allowed.contains(note), "{allowed}");
    let again = shop.shell(up);
    assert!(
        again.ends_with("did") && !again.contains("note:"),
        "{again}"
    );
    let withdrawn = shop.shell("renet compose --safe 2>&1");
    assert!(
        withdrawn.contains("may not reach the machine any more"),
        "{withdrawn}"
    );
    let refused = shop.shell(up);
    assert!(
        refused.contains("web.volumes: /etc/hostname, is outside"),
        "{refused}"
    );
    // It still can be stopped, also by files that give no model.
    shop.shell("sed -i '2s/web:/web.2: {image: x}\\n  web:\\n    scale: 2/' compose.yml");
    assert!(
        shop.shell(up)
            .contains("has the name of a replica of `web`")
    );
    shop.shell("renet compose -- stop");
    shop.shell("renet compose -- down --remove-orphans");
    // An image that is not mounted is no folder to write into.
    let image = r#"sed -i 's/"image_bytes": null/"image_bytes": 1/' /var/lib/rediacc/repositories.json
        renet compose -- ps 2>&1
        sed -i 's/"image_bytes": 1/"image_bytes": null/' /var/lib/rediacc/repositories.json"#;
    let unmounted = shop.shell(image);
    assert!(
        unmounted.contains("error: repository `shop` is not mounted at"),
        "{unmounted}"
    );
}
