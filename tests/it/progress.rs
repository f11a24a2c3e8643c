//! The lines of a push on a real terminal: none is wider than the window, also when that changes.

use std::fs;
use std::process::Command;

use crate::standin_machine::{OWN, Workbench, program, text};
use crate::terminal::Terminal;

const MACHINE: &str = "production-web-frontend-07";

#[test]
fn lines_fit_the_window_while_it_is_resized() {
    let bench = Workbench::new("http://127.0.0.1:1");
    bench.local("renet", &program(OWN, 3 << 20));
    let traefik = bench.local("traefik", &program(OWN, 2 << 20));
    let rdc = |words: &[&str]| bench.rdc.run(words).done();
    rdc(&["context", "add-machine", MACHINE, "--local"]);
    let set = ["context", "set-infra", MACHINE, "--public-ipv4"];
    rdc(&[&set[..], &["203.0.113.50"]].concat());
    // The upload stands still until the gate opens.
    bench.command(
        "gzip",
        "packed=$MACHINE/packed; cat >$packed; [ -e $MACHINE/open ] || read -r _ <$MACHINE/gate
exec /usr/bin/gzip \"$@\" <$packed",
    );
    let gate = bench.machine("gate");
    assert!(
        Command::new("mkfifo")
            .arg(&gate)
            .status()
            .expect("mkfifo")
            .success()
    );

    let environment: Vec<String> = bench
        .surroundings()
        .into_iter()
        .chain([(
            "XDG_CONFIG_HOME",
            text(&bench.rdc.path("config")).to_owned(),
        )])
        .map(|(name, value)| format!("{name}='{value}'"))
        .collect();
    let tty = bench.rdc.path("tty");
    let mut terminal = Terminal::start(&format!(
        "tty >{}; stty rows 24 cols 80; {} {} context push-infra {MACHINE} --traefik-binary {}",
        text(&tty),
        environment.join(" "),
        env!("CARGO_BIN_EXE_rdc"),
        text(&traefik),
    ));
    terminal.shows(" 3.0/3.0 MiB");
    let tty = fs::read_to_string(tty).expect("the terminal's name");
    for (columns, fitting) in [
        (80, "production-web-frontend-07: upload /usr/lib/re…"),
        (40, "produc…nd-07: uploa…renet 3.0/3.0 MiB"),
        (20, "pr…07 3.0/3.0 MiB"),
        (200, "/renet ████████████████████████ 3.0/3.0 MiB"),
        (40, "produc…nd-07: uploa…renet 3.0/3.0 MiB"),
    ] {
        let resized = Command::new("stty")
            .args(["-F", tty.trim(), "cols", &columns.to_string()])
            .status();
        assert!(resized.expect("stty runs").success());
        terminal.shows_anew(fitting);
        let next = terminal.shows_anew(fitting) + &terminal.shows_anew(fitting);
        let rows = rows(&next);
        assert!(!rows.is_empty());
        for row in rows {
            assert!(cells(&row) < columns, "{columns} columns: {row:?}");
        }
    }
    fs::write(bench.machine("open"), "").expect("it is written");
    fs::write(gate, "\n").expect("the gate opens");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    // What was painted last is erased from where it began.
    let (_, rest) = screen.rsplit_once("\u{1b}[?7h").expect("a painting");
    let result = format!("\r\u{1b}[J{MACHINE} is up to date");
    assert!(rest.starts_with(&result), "{rest:?}");
}

/// The rows of all paintings, without the codes between them.
fn rows(shown: &str) -> Vec<String> {
    let paintings = shown.split("\u{1b}[?7l").skip(1);
    paintings
        .filter_map(|painting| painting.split_once("\u{1b}[?7h"))
        .flat_map(|(painting, _)| painting.split('\n'))
        .map(|row| {
            let row = row.replace('\r', "");
            row.split("\u{1b}[").next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// How many cells a row takes: all its characters are narrow here.
fn cells(row: &str) -> usize {
    row.chars().count()
}
