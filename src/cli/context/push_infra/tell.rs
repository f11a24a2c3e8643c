//! What a push, or a look at what it would do, came to: for people and for scripts.

use serde_json::json;

use super::{PushInfra, Pushed};
use crate::bundle::{Bind, Diff, GrantChange, Report, Step};
use crate::cli::context::plan_view;
use crate::cli::failure::Exit;
use crate::cli::output::Paint;
use crate::cli::session::Session;
use crate::cli::work::fleet::Told;
use crate::context::value::MachineName;

/// How many opened or closed entry points are named.
const FEW: usize = 6;

impl PushInfra {
    pub(super) fn tell(&self, session: &Session, name: &MachineName, pushed: &Pushed) -> Told {
        let Pushed { report, is_shown } = pushed;
        let output = &session.output;
        let is_silent = self.check && output.is_quiet();
        if !is_shown && !is_silent {
            for warning in &report.warnings {
                match self.fleet.is_one() {
                    true => output.warn(warning),
                    false => output.warn(&format!("{name}: {warning}")),
                }
            }
        }
        let diffs = if *is_shown {
            Vec::new()
        } else {
            self.diffs(report)
        };
        let is_pending = !report.steps.is_empty();
        let Report {
            generation,
            steps,
            opens,
            closes,
            drops,
            grants,
            drift,
            // Only a removal leaves something.
            kept: _,
            diffs: _,
            warnings,
            digest: _,
        } = report;
        let json = json!({
            "machine": name,
            "dry_run": self.only_looks(),
            "changed": is_pending,
            "generation": generation,
            "steps": steps,
            "opens": opens,
            "closes": closes,
            "drops": drops,
            "grants": grants,
            "drift": drift,
            "diffs": diffs,
            "warnings": warnings,
        });
        let brush = |paint: Paint, text: &str| output.paint(paint, text);
        let text = if is_silent {
            String::new()
        } else if self.only_looks() && is_pending {
            let plan = plan_view::plan(report, output.is_verbose(), &brush);
            let heading = plan_view::heading(name, report, &brush);
            let diffs = plan_view::diffs(&diffs, &brush);
            format!("{heading}\n{plan}{diffs}nothing was changed: this was a dry run\n")
        } else {
            let diffs = plan_view::diffs(&diffs, &brush);
            format!("{diffs}{}\n", in_words(name, report))
        };
        let exit = if self.check && is_pending {
            Exit::Pending
        } else {
            Exit::Done
        };
        Told { json, text, exit }
    }

    /// The changes of files to be shown: all of them if asked for, else those of edited files.
    pub(super) fn diffs(&self, report: &Report) -> Vec<Diff> {
        if self.diff {
            report.diffs.clone()
        } else {
            plan_view::diffs_of_edits(report)
        }
    }
}

/// What a push did, in a sentence.
fn in_words(name: &MachineName, report: &Report) -> String {
    let generation = report
        .generation
        .map_or(String::new(), |n| format!(" (generation {n})"));
    if report.steps.is_empty() {
        return format!("{name} is up to date{generation}: nothing changed, nothing restarted");
    }
    let units = |word: &str, which: fn(&Step) -> Option<&String>| {
        let units: Vec<&str> = report
            .steps
            .iter()
            .filter_map(which)
            .map(String::as_str)
            .collect();
        (!units.is_empty()).then(|| format!("{word} {}", units.join(", ")))
    };
    let started = units("started", |step| match step {
        Step::Start { unit } => Some(unit),
        _ => None,
    });
    let restarted = units("restarted", |step| match step {
        Step::Restart { unit } => Some(unit),
        _ => None,
    });
    let units = match (started, restarted) {
        (None, None) => Some("restarted nothing".to_owned()),
        (started, restarted) => {
            let units: Vec<String> = started.into_iter().chain(restarted).collect();
            Some(units.join("; "))
        }
    };
    let edits: Vec<String> = report
        .drift
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let overwrote = (!edits.is_empty()).then(|| {
        format!(
            "overwrote the edits of {} on the machine",
            edits.join(" and ")
        )
    });
    let dropped =
        (!report.drops.is_empty()).then(|| format!("dropped {}", plan_view::listed(&report.drops)));
    let done: Vec<String> = [
        dropped,
        units,
        granted(&report.grants),
        entry_points("opened", &report.opens),
        entry_points("closed", &report.closes),
        overwrote,
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("{name} is up to date{generation}: {}", done.join("; "))
}

fn granted(changes: &[GrantChange]) -> Option<String> {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    (!changes.is_empty()).then(|| changes.join("; "))
}

fn entry_points(word: &str, binds: &[Bind]) -> Option<String> {
    let names: Vec<String> = binds
        .iter()
        .map(|bind| bind.entrypoint.to_string())
        .collect();
    match names.len() {
        0 => None,
        1..=FEW => Some(format!("{word} {}", names.join(", "))),
        number => Some(format!("{word} {number} entry points")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Dropped;

    fn bind(entrypoint: &str) -> Bind {
        Bind {
            entrypoint: entrypoint.parse().expect("an entry point"),
            address: [203, 0, 113, 50].into(),
        }
    }

    #[test]
    fn a_push_is_told_in_a_sentence() {
        let name: MachineName = "server-1".parse().expect("a name");
        let steps = |steps: Vec<Step>| Report {
            generation: Some(3),
            steps,
            ..Report::default()
        };
        let unit = || "rediacc-proxy.service".to_owned();
        let restart = || vec![Step::Restart { unit: unit() }];
        let port = Report {
            opens: vec![bind("tcp-25"), bind("tcp-26")],
            closes: (1000..1007)
                .map(|port| bind(&format!("tcp-{port}")))
                .collect(),
            ..steps(restart())
        };
        let moved = Report {
            drops: vec![Dropped::Domain("example.com".into())],
            ..steps(restart())
        };
        let edited = Report {
            drift: vec!["/etc/rediacc/current/traefik.yml".into()],
            ..steps(vec![Step::Start { unit: unit() }])
        };
        let granted = Report {
            grants: vec![GrantChange {
                repository: "2816".parse().expect("a repository"),
                gets: ["shop.example.com", "tcp-25"]
                    .map(|grant| grant.parse().expect(grant))
                    .into(),
                loses: Default::default(),
                quota: None,
            }],
            ..steps(vec![Step::Restart {
                unit: "rediacc-router.service".to_owned(),
            }])
        };
        for (report, expected) in [
            (
                granted,
                "server-1 is up to date (generation 3): restarted rediacc-router.service; \
                 2816 gets shop.example.com, tcp-25",
            ),
            (
                Report::default(),
                "server-1 is up to date: nothing changed, nothing restarted",
            ),
            (
                steps(Vec::new()),
                "server-1 is up to date (generation 3): nothing changed, nothing restarted",
            ),
            (
                steps(vec![Step::Probe]),
                "server-1 is up to date (generation 3): restarted nothing",
            ),
            (
                port,
                "server-1 is up to date (generation 3): restarted rediacc-proxy.service; \
                 opened tcp-25, tcp-26; closed 7 entry points",
            ),
            (
                moved,
                "server-1 is up to date (generation 3): dropped the domain example.com; \
                 restarted rediacc-proxy.service",
            ),
            (
                edited,
                "server-1 is up to date (generation 3): started rediacc-proxy.service; overwrote \
                 the edits of /etc/rediacc/current/traefik.yml on the machine",
            ),
        ] {
            assert_eq!(in_words(&name, &report), expected);
        }
    }
}
