//! A machine's plan, laid out so that it reads at a glance. Pure: what it looks like depends on
//! the plan and the brush alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use crate::bundle::{Bind, Diff, Dropped, Report, Step};
use crate::cli::output::Paint;
use crate::context::value::MachineName;
use crate::layout;

/// How many entry points are listed one a line.
const FEW: usize = 6;

/// Paints a text, or leaves it as it is.
pub(super) type Brush<'a> = &'a dyn Fn(Paint, &str) -> String;

/// Whether a plan is one to be asked about: it interrupts what runs, closes a port, drops what
/// somebody depends on, or overwrites somebody's edits. What only starts something is not.
pub(super) fn is_questionable(report: &Report) -> bool {
    let restarts = |step: &Step| matches!(step, Step::Restart { .. } | Step::Stop { .. });
    report.steps.iter().any(restarts)
        || !report.closes.is_empty()
        || !report.drift.is_empty()
        || !report.drops.is_empty()
}

/// The first line of a plan: which machine it is about, and what is lost by it.
pub(super) fn heading(name: &MachineName, report: &Report, brush: Brush<'_>) -> String {
    let mut text = brush(Paint::Bold, &format!("{name} would be changed"));
    if !report.drops.is_empty() {
        let lost = brush(Paint::Error, &format!("lose {}", listed(&report.drops)));
        text = format!("{text}, and would {lost}");
    }
    text + &brush(Paint::Bold, ":")
}

/// Things that a plan drops, one behind the other.
pub(super) fn listed(drops: &[Dropped]) -> String {
    let drops: Vec<String> = drops.iter().map(ToString::to_string).collect();
    drops.join(", ")
}

/// The plan by groups, and a line that sums it up. With `all_steps` everything that is done, in
/// its order, besides.
pub(super) fn plan(report: &Report, all_steps: bool, brush: Brush<'_>) -> String {
    let mut lines = Vec::new();
    let mut group = |heading: &str, members: Vec<String>| {
        if !members.is_empty() {
            lines.push(format!("  {}", brush(Paint::Bold, heading)));
            lines.extend(members.into_iter().map(|line| format!("    {line}")));
        }
    };
    let of = |kind: Kind| -> Vec<String> {
        let steps = report.steps.iter().filter(|step| Kind::of(step) == kind);
        steps.map(|step| step_line(step, brush)).collect()
    };
    group("programs", of(Kind::Program));
    group("files", of(Kind::File));
    group("units", of(Kind::Unit));
    let opens = bind_lines(Paint::Good, "opens", &report.opens, brush);
    let closes = bind_lines(Paint::Error, "closes", &report.closes, brush);
    group("entry points", [opens, closes].concat());
    group(
        "grants",
        report.grants.iter().map(ToString::to_string).collect(),
    );
    let edited = report.drift.iter().map(|path| path.display().to_string());
    group("edited on the machine, and overwritten", edited.collect());
    if all_steps {
        group(
            "steps",
            report.steps.iter().map(ToString::to_string).collect(),
        );
    }
    lines.push(format!("  {}", summary(report)));
    lines.join("\n") + "\n"
}

/// The plan in numbers, as `3 files, 1 restart, opens 1`.
pub(super) fn summary(report: &Report) -> String {
    let count = |which: fn(&Step) -> bool| report.steps.iter().filter(|step| which(step)).count();
    let counted = |number: usize, one: &str, more: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {more}")),
    };
    let entry_points =
        |word: &str, binds: &[Bind]| (!binds.is_empty()).then(|| format!("{word} {}", binds.len()));
    let is_file = |step: &Step| {
        matches!(
            step,
            Step::Create { .. } | Step::Update { .. } | Step::Remove { .. }
        )
    };
    let parts = [
        counted(
            count(|step| matches!(step, Step::Download { .. })),
            "download",
            "downloads",
        ),
        counted(
            count(|step| matches!(step, Step::Upload { .. })),
            "upload",
            "uploads",
        ),
        counted(count(is_file), "file", "files"),
        counted(
            count(|step| matches!(step, Step::Link { .. })),
            "link",
            "links",
        ),
        counted(
            count(|step| matches!(step, Step::Start { .. })),
            "start",
            "starts",
        ),
        counted(
            count(|step| matches!(step, Step::Restart { .. })),
            "restart",
            "restarts",
        ),
        counted(
            count(|step| matches!(step, Step::Stop { .. })),
            "stop",
            "stops",
        ),
        entry_points("opens", &report.opens),
        entry_points("closes", &report.closes),
        counted(report.drift.len(), "edit overwritten", "edits overwritten"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match (parts.is_empty(), report.steps.len()) {
        (false, _) => parts.join(", "),
        (true, 0) => "nothing to do".to_owned(),
        (true, number) => counted(number, "step", "steps").unwrap_or_default(),
    }
}

/// The changes that are worth a look unasked: those of the files that somebody edited.
pub(super) fn diffs_of_edits(report: &Report) -> Vec<Diff> {
    let edited: BTreeSet<String> = report
        .drift
        .iter()
        .map(|path| {
            // A diff names a file of the generation by its name alone, any other by its path.
            let in_generation = path.strip_prefix(Path::new(layout::CURRENT));
            in_generation.unwrap_or(path).display().to_string()
        })
        .collect();
    let diffs = report.diffs.iter();
    diffs
        .filter(|diff| edited.contains(&diff.file))
        .cloned()
        .collect()
}

/// Changes of files in the unified format, coloured.
pub(super) fn diffs(diffs: &[Diff], brush: Brush<'_>) -> String {
    let mut text = String::new();
    for Diff { file, unified } in diffs {
        // Of a secret there is no more than that it changes.
        if !unified.starts_with("---") {
            text.push_str(&brush(Paint::Bold, file));
            text.push('\n');
        }
        for line in unified.lines() {
            let paint = match line.as_bytes() {
                [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Some(Paint::Bold),
                [b'+', ..] => Some(Paint::Good),
                [b'-', ..] => Some(Paint::Error),
                [b'@', ..] => Some(Paint::Dim),
                _ => None,
            };
            text.push_str(&paint.map_or(line.to_owned(), |paint| brush(paint, line)));
            text.push('\n');
        }
    }
    text
}

/// What a step is a step of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    File,
    Unit,
    /// What every push does that changes anything.
    Course,
}

impl Kind {
    fn of(step: &Step) -> Self {
        match step {
            Step::Download { .. } | Step::Upload { .. } => Self::Program,
            Step::Create { .. }
            | Step::Update { .. }
            | Step::Remove { .. }
            | Step::Link { .. }
            | Step::Delete { .. } => Self::File,
            Step::Enable { .. } | Step::Start { .. } | Step::Restart { .. } | Step::Stop { .. } => {
                Self::Unit
            }
            Step::Check { .. } | Step::Switch { .. } | Step::Probe => Self::Course,
        }
    }
}

/// A step with its verb painted by what it does to what is there.
fn step_line(step: &Step, brush: Brush<'_>) -> String {
    let paint = match step {
        Step::Create { .. } | Step::Start { .. } => Paint::Good,
        Step::Update { .. } | Step::Restart { .. } => Paint::Warning,
        Step::Remove { .. } | Step::Stop { .. } | Step::Delete { .. } => Paint::Error,
        _ => return step.to_string(),
    };
    let text = step.to_string();
    match text.split_once(' ') {
        Some((verb, rest)) => format!("{} {rest}", brush(paint, verb)),
        None => text,
    }
}

/// Some entry points one a line, more of them a line an address.
fn bind_lines(paint: Paint, verb: &str, binds: &[Bind], brush: Brush<'_>) -> Vec<String> {
    let padding = " ".repeat(9 - verb.len());
    let line = |what: String| format!("{}{padding}{what}", brush(paint, verb));
    if binds.len() <= FEW {
        return binds.iter().map(|bind| line(bind.to_string())).collect();
    }
    let mut addresses: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for bind in binds {
        let names = addresses.entry(bind.address).or_default();
        names.push(bind.entrypoint.to_string());
    }
    addresses
        .into_iter()
        .map(|(address, names)| line(format!("on {address}: {}", names.join(", "))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{GrantChange, QuotaChange};

    fn plain(_: Paint, text: &str) -> String {
        text.to_owned()
    }

    fn marked(paint: Paint, text: &str) -> String {
        format!("<{paint:?} {text}>")
    }

    fn bind(entrypoint: &str, address: &str) -> Bind {
        Bind {
            entrypoint: entrypoint.parse().expect("an entry point"),
            address: address.parse().expect("an address"),
        }
    }

    fn file(name: &str) -> Step {
        Step::Update { file: name.into() }
    }

    fn restart(unit: &str) -> Step {
        Step::Restart { unit: unit.into() }
    }

    fn new_port() -> Report {
        Report {
            steps: vec![
                Step::Upload {
                    path: "/usr/lib/rediacc/renet/0a/renet".into(),
                    bytes: Some(3 << 20),
                },
                file("router.env"),
                file("traefik.yml"),
                Step::Check {
                    file: "traefik.yml".into(),
                },
                Step::Switch { generation: 2 },
                restart("rediacc-proxy.service"),
                Step::Probe,
            ],
            opens: vec![bind("tcp-2526", "203.0.113.50")],
            closes: vec![bind("udp-53-v6", "2001:db8::1")],
            ..Report::default()
        }
    }

    #[test]
    fn a_plan_reads_by_groups_and_ends_in_numbers() {
        let expected = "  programs
    upload   /usr/lib/rediacc/renet/0a/renet (3.0 MiB)
  files
    update   router.env
    update   traefik.yml
  units
    restart  rediacc-proxy.service
  entry points
    opens    tcp-2526 (203.0.113.50:2526)
    closes   udp-53-v6 ([2001:db8::1]:53/udp)
  1 upload, 2 files, 1 restart, opens 1, closes 1
";
        assert_eq!(plan(&new_port(), false, &plain), expected);
        let all = plan(&new_port(), true, &plain);
        assert!(all.contains("\n    switch   to generation 2\n"), "{all}");
    }

    #[test]
    fn grants_are_told_in_words() {
        let grants = |grants: &[&str]| grants.iter().map(|it| it.parse().expect(it)).collect();
        let change = GrantChange {
            repository: "2816".parse().expect("a repository"),
            gets: grants(&["shop.example.com", "tcp-25"]),
            loses: grants(&["*"]),
            quota: Some(QuotaChange {
                before: None,
                after: Some("3".parse().expect("a factor")),
            }),
        };
        let report = Report {
            grants: vec![change],
            ..new_port()
        };
        let text = plan(&report, false, &plain);
        let expected = "  grants\n    2816 gets shop.example.com, tcp-25; it loses *; its quota \
                        becomes 3 times the usual\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_is_lost_stands_in_the_first_line() {
        let name = "server-1".parse().expect("a name");
        assert_eq!(
            heading(&name, &new_port(), &plain),
            "server-1 would be changed:"
        );
        let report = Report {
            drops: vec![
                Dropped::Domain("example.com".into()),
                Dropped::Address([203, 0, 113, 50].into()),
            ],
            ..new_port()
        };
        assert_eq!(
            heading(&name, &report, &plain),
            "server-1 would be changed, and would lose the domain example.com, \
             the address 203.0.113.50:"
        );
    }

    #[test]
    fn colours_stand_around_the_verbs_alone() {
        let text = plan(&new_port(), false, &marked);
        for line in [
            "  <Bold files>\n",
            "    <Warning update>   router.env\n",
            "    <Good opens>    tcp-2526 (203.0.113.50:2526)\n",
            "    <Error closes>   udp-53-v6 ([2001:db8::1]:53/udp)\n",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn many_entry_points_take_a_line_an_address() {
        let ports = ["web", "websecure", "tcp-25", "tcp-143", "udp-53"];
        let binds = |address: &'static str| ports.map(|name| bind(name, address));
        let report = Report {
            opens: [binds("203.0.113.50"), binds("203.0.113.51")].concat(),
            ..new_port()
        };
        let text = plan(&report, false, &plain);
        let line = "    opens    on 203.0.113.50: web, websecure, tcp-25, tcp-143, udp-53\n";
        assert!(text.contains(line), "no {line:?} in\n{text}");
        assert!(text.contains("opens 10"), "{text}");
    }

    #[test]
    fn only_what_somebody_could_miss_is_asked_about() {
        let start = Step::Start {
            unit: "rediacc-proxy.service".into(),
        };
        let of = |steps: Vec<Step>| Report {
            steps,
            ..Report::default()
        };
        let closing = Report {
            closes: vec![bind("tcp-25", "203.0.113.50")],
            ..of(vec![start.clone()])
        };
        let drifted = Report {
            drift: vec!["/etc/rediacc/current/router.env".into()],
            ..of(vec![start.clone()])
        };
        let dropping = Report {
            drops: vec![Dropped::Domain("example.com".into())],
            ..of(vec![start.clone()])
        };
        for (report, expected) in [
            (dropping, true),
            (Report::default(), false),
            (
                of(vec![file("traefik.yml"), start.clone(), Step::Probe]),
                false,
            ),
            (of(vec![restart("rediacc-router.service")]), true),
            (closing, true),
            (drifted, true),
        ] {
            assert_eq!(is_questionable(&report), expected, "{report:?}");
        }
    }

    #[test]
    fn edits_are_shown_by_their_own_diffs_and_secrets_by_none() {
        let diff = |file: &str, unified: &str| Diff {
            file: file.into(),
            unified: unified.into(),
        };
        let edited = "--- a/traefik.yml\n+++ b/traefik.yml\n@@ -1 +1 @@\n-mine\n+ours\n same\n";
        let unit = "/etc/systemd/system/rediacc-proxy.service";
        let report = Report {
            drift: vec!["/etc/rediacc/current/traefik.yml".into(), unit.into()],
            diffs: vec![
                diff("cf-dns-token", "-***\n+***\n"),
                diff("router.env", "--- a/router.env\n"),
                diff("traefik.yml", edited),
                diff(unit, "--- a/unit\n"),
            ],
            ..Report::default()
        };
        let names: Vec<String> = diffs_of_edits(&report)
            .into_iter()
            .map(|diff| diff.file)
            .collect();
        assert_eq!(names, ["traefik.yml", unit]);
        assert_eq!(
            diffs(&report.diffs[..1], &plain),
            "cf-dns-token\n-***\n+***\n"
        );
        assert_eq!(
            diffs(&report.diffs[2..3], &marked),
            "<Bold --- a/traefik.yml>\n<Bold +++ b/traefik.yml>\n<Dim @@ -1 +1 @@>\n\
             <Error -mine>\n<Good +ours>\n same\n"
        );
    }
}
