//! `cargo bench --bench push`: what a push costs, as the table of the README, beside a bare `ssh`
//! and beside Ansible and pyinfra that keep the same files and units in place.
//!
//! ```text
//!   rdc, ssh ───────────► a machine        each machine is of the same image, and has
//!   Ansible, both ways ─► another one      the same programs, files and units in the end
//!   pyinfra ────────────► a third one
//! ```
//!
//! Everything is measured by turns in one run, from the start of a process to its end, and the
//! ratios are of neighbours. It measures and never judges by its exit code, unless somebody did not
//! do what was asked: that is an error.
//!
//! `cargo bench --bench push -- --quick` is a short run that shows that all of it works.

#[path = "../figures.rs"]
mod figures;
mod measure;
mod process;
mod subject;
#[path = "../../it/test_machine.rs"]
#[expect(dead_code, reason = "the tests ask more of a machine")]
mod test_machine;
mod tools;

use std::env;
use std::fs;
use std::io;
use std::process::{Command, ExitCode};
use std::thread;

use figures::{Row, Verdict, digits};
use measure::{Bench, Footprint, Times};
use tools::Tool;

const MOST_TIMES_SSH: f64 = 1.5;
const LEAST_TIMES_FASTER: f64 = 10.0;

/// How often each thing is measured.
struct Scale {
    pairs_with_ssh: usize,
    rounds: usize,
    changes: usize,
}

const FULL: Scale = Scale {
    pairs_with_ssh: 40,
    rounds: 10,
    changes: 10,
};

const QUICK: Scale = Scale {
    pairs_with_ssh: 6,
    rounds: 2,
    changes: 2,
};

fn main() -> ExitCode {
    let scale = if env::args().any(|argument| argument == "--quick") {
        &QUICK
    } else {
        &FULL
    };
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "error: the test machines need root\nhint: run `sudo -E cargo bench --bench push`"
        );
        return ExitCode::FAILURE;
    }
    match measured(scale) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures all there is to measure, and puts it as the README has it.
fn measured(scale: &Scale) -> io::Result<String> {
    progress("three machines, Ansible and pyinfra");
    let mut bench = Bench::new()?;
    progress("no-op pushes beside `ssh true`");
    let (ours, bare) = bench.beside_ssh(scale.pairs_with_ssh)?;
    let mut rows = vec![beside_ssh(&ours, &bare)];
    progress("no-op pushes beside Ansible and pyinfra");
    rows.extend(no_op_rows(&bench.no_ops(scale.rounds)?));
    progress("changes of one port");
    rows.extend(change_rows(&bench.changes(scale.changes)?));
    progress("connections and memory");
    rows.extend(footprint_rows(&bench.footprints()?));
    let table = figures::table("rdc", &rows);
    Ok(format!("{}\n\n{table}", conditions()?))
}

fn beside_ssh(ours: &Times, bare: &Times) -> Row {
    let ratio = ours.over(bare);
    Row {
        measure: format!("no-op push, ms; pairs: {}", ours.count()),
        ours: ours.spread(),
        beside: format!("`ssh true`: {}", bare.spread()),
        ratio: format!("{} ×", digits(ratio)),
        target: format!("≤ {MOST_TIMES_SSH} ×"),
        verdict: Verdict::met_if(ratio <= MOST_TIMES_SSH),
    }
}

fn no_op_rows(times: &[(Tool, Times)]) -> Vec<Row> {
    let row = |(tool, ours, theirs): (Tool, &Times, &Times)| {
        let faster = theirs.over(ours);
        let is_aim = tool != Tool::Pyinfra;
        Row {
            measure: format!("no-op push, ms; rounds: {}", ours.count()),
            ours: ours.spread(),
            beside: format!("{}: {}", tool.name(), theirs.spread()),
            ratio: format!("{} × faster", digits(faster)),
            target: if is_aim {
                format!("≥ {LEAST_TIMES_FASTER} × faster")
            } else {
                String::new()
            },
            verdict: if is_aim {
                Verdict::met_if(faster >= LEAST_TIMES_FASTER)
            } else {
                Verdict::NoTarget
            },
        }
    };
    beside_ours(times).map(row).collect()
}

fn change_rows(times: &[(Tool, Times)]) -> Vec<Row> {
    let row = |(tool, ours, theirs): (Tool, &Times, &Times)| Row {
        measure: format!(
            "one-port change, ms; rounds: {}; `rdc`: checked, probed for 2 s, and could go back",
            ours.count()
        ),
        ours: ours.spread(),
        beside: format!("{}, without these: {}", tool.name(), theirs.spread()),
        ratio: format!("{} × faster", digits(theirs.over(ours))),
        target: String::new(),
        verdict: Verdict::NoTarget,
    };
    beside_ours(times).map(row).collect()
}

/// Each of the others with ours, which comes first.
fn beside_ours(times: &[(Tool, Times)]) -> impl Iterator<Item = (Tool, &Times, &Times)> {
    let (ours, others) = times.split_first().expect("ours comes first");
    others.iter().map(|(tool, theirs)| (*tool, &ours.1, theirs))
}

fn footprint_rows(footprints: &[(Tool, Footprint)]) -> [Row; 2] {
    let row = |measure: &str, of: fn(&Footprint) -> String| {
        let (ours, others) = footprints.split_first().expect("ours comes first");
        let others: Vec<String> = others
            .iter()
            .map(|(tool, footprint)| format!("{}: {}", tool.name(), of(footprint)))
            .collect();
        Row {
            measure: measure.to_owned(),
            ours: of(&ours.1),
            beside: others.join("; "),
            ratio: String::new(),
            target: String::new(),
            verdict: Verdict::NoTarget,
        }
    };
    [
        row(
            "SSH connections of a no-op push, of a one-port change",
            |of| {
                format!(
                    "{}, {}",
                    of.connections_of_a_no_op, of.connections_of_a_change
                )
            },
        ),
        row(
            "peak resident memory of the program itself in a no-op push, MiB",
            |of| digits(of.peak_mib),
        ),
    ]
}

/// On what the figures were measured, and how they are to be read.
fn conditions() -> io::Result<String> {
    let cores = thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let ssh = Command::new("ssh").arg("-V").output()?.stderr;
    let ssh = String::from_utf8_lossy(&ssh);
    let ssh = ssh.split([' ', ',']).next().unwrap_or_default();
    let [ansible, pyinfra] = ["ansible-core==", "pyinfra=="].map(pinned);
    Ok(format!(
        "Medians (from–to) on {cores} cores, Linux {}, {ssh}, beside ansible-core {ansible} and \
         pyinfra {pyinfra}; ratios are medians of pairs.",
        kernel.trim()
    ))
}

/// The version of a tool that `requirements.txt` names.
fn pinned(requirement: &str) -> &'static str {
    let mut lines = include_str!("requirements.txt").lines();
    let version = lines.find_map(|line| line.strip_prefix(requirement));
    version.unwrap_or_default()
}

/// Where it is, on standard error: the table is all that is printed to standard output.
fn progress(what: &str) {
    eprintln!("measuring: {what}");
}
