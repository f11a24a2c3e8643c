//! A machine's status as people read it.

use crate::bundle::{Certificate, Counts, Installed, Part, Status};
use crate::cli::output::{Output, Paint};
use crate::cli::table::{fields, table};
use crate::context::value::MachineName;

use super::problems::{Problem, Severity};

/// Headline, what runs, and at the end what is not as it should be.
pub(super) fn in_words(
    output: &Output,
    name: &MachineName,
    status: Option<&Status>,
    problems: &[Problem],
) -> String {
    let mut parts = vec![headline(output, name, problems)];
    if let Some(status) = status.filter(|status| status.generation != Part::Known(None)) {
        parts.push(fields(output, &summary(status)));
        parts.extend(tables(output, status));
    }
    if !problems.is_empty() {
        parts.push(
            problems
                .iter()
                .map(|problem| lines(output, problem))
                .collect(),
        );
    }
    parts.join("\n")
}

fn headline(output: &Output, name: &MachineName, problems: &[Problem]) -> String {
    let name = output.paint(Paint::Bold, name.as_str());
    let is_error = |problem: &Problem| problem.severity == Severity::Error;
    let verdict = if problems.iter().any(is_error) {
        output.paint(Paint::Error, "not well")
    } else if problems.is_empty() {
        output.paint(Paint::Good, "well")
    } else {
        output.paint(Paint::Warning, "well, with warnings")
    };
    format!("{name}: {verdict}\n")
}

fn summary(status: &Status) -> Vec<(&'static str, String)> {
    let mut rows = vec![("generation", generation(status))];
    rows.extend([
        ("renet", program(&status.renet)),
        ("traefik", program(&status.traefik)),
    ]);
    if let Part::Known(server) = &status.route_server {
        let Counts { http, tcp, udp } = server.routers;
        let rejected = match server.rejections {
            0 => String::new(),
            count => format!(", {count} rejected"),
        };
        let warnings = match server.warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            count => format!(", {count} warnings"),
        };
        let routes = format!(
            "{http} http, {tcp} tcp, {udp} udp{rejected}{warnings} ({})",
            server.status
        );
        rows.push(("routes", routes));
    }
    if let Part::Known(https) = &status.https {
        let (valid, wanting) = (https.valid, https.wanting.len());
        let without = match wanting {
            0 => String::new(),
            count => format!(", {count} without"),
        };
        if valid + wanting > 0 {
            let names = format!("{valid} with a valid certificate{without}");
            rows.push(("https names", names));
        }
    }
    if status.certificates == Part::Known(Vec::new()) {
        rows.push(("certificates", "none yet".to_owned()));
    }
    rows
}

fn generation(status: &Status) -> String {
    let Some(Some(live)) = status.generation.known() else {
        return "-".to_owned();
    };
    let kept = status.kept.known().map(Vec::as_slice).unwrap_or_default();
    let pushed = kept
        .iter()
        .find(|kept| kept.number == *live)
        .and_then(|kept| kept.pushed.as_ref());
    let pushed = pushed.map_or(String::new(), |pushed| format!(", pushed {pushed}"));
    let others: Vec<String> = kept
        .iter()
        .filter(|kept| kept.number != *live)
        .map(|kept| kept.number.to_string())
        .collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!("; also kept: {}", others.join(", "))
    };
    format!("{live}{pushed}{others}")
}

fn program(program: &Part<Installed>) -> String {
    let installed = program.known();
    let version = installed.and_then(|installed| installed.version.known());
    match (installed, version) {
        (Some(installed), Some(version)) => format!("{version} ({})", installed.path.display()),
        _ => "-".to_owned(),
    }
}

fn tables(output: &Output, status: &Status) -> Vec<String> {
    let mut tables = Vec::new();
    let units: Vec<[String; 4]> = rows(&status.units, |unit| {
        [
            unit.name.clone(),
            unit.state.clone(),
            or_dash(unit.since.as_ref()),
            unit.restarts.to_string(),
        ]
    });
    add(
        &mut tables,
        output,
        ["UNIT", "STATE", "SINCE", "RESTARTS"],
        &units,
    );
    let entrypoints = rows(&status.entrypoints, |entrypoint| {
        let listens = if entrypoint.listens { "yes" } else { "no" };
        [
            entrypoint.name.to_string(),
            entrypoint.address.to_string(),
            listens.to_owned(),
        ]
    });
    add(
        &mut tables,
        output,
        ["ENTRY POINT", "ADDRESS", "LISTENS"],
        &entrypoints,
    );
    let daemons = status.route_server.known().map(|server| &server.daemons);
    let daemons: Vec<[String; 4]> = daemons
        .into_iter()
        .flatten()
        .map(|daemon| {
            [
                daemon.socket.display().to_string(),
                daemon.state.clone(),
                daemon.since.clone(),
                daemon.containers.to_string(),
            ]
        })
        .collect();
    add(
        &mut tables,
        output,
        ["DAEMON", "STATE", "SINCE", "CONTAINERS"],
        &daemons,
    );
    let certificates = rows(&status.certificates, certificate);
    let headings = ["CERTIFICATE", "NAMES", "ISSUER", "UNTIL", "DAYS LEFT"];
    add(&mut tables, output, headings, &certificates);
    tables
}

fn certificate(certificate: &Certificate) -> [String; 5] {
    let content = certificate.content.known();
    let names = content.map(|content| content.names.join(" "));
    [
        certificate.main.clone(),
        or_dash(names.as_ref()),
        or_dash(content.map(|content| &content.issuer)),
        or_dash(content.map(|content| &content.not_after)),
        or_dash(
            content
                .map(|content| content.days_left.to_string())
                .as_ref(),
        ),
    ]
}

fn rows<T, const N: usize>(
    part: &Part<Vec<T>>,
    row: impl Fn(&T) -> [String; N],
) -> Vec<[String; N]> {
    part.known().into_iter().flatten().map(row).collect()
}

fn add<const N: usize>(
    tables: &mut Vec<String>,
    output: &Output,
    headings: [&str; N],
    rows: &[[String; N]],
) {
    if !rows.is_empty() {
        tables.push(table(output, headings, rows));
    }
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".to_owned())
}

fn lines(output: &Output, problem: &Problem) -> String {
    let sign = match problem.severity {
        Severity::Error => output.paint(Paint::Error, "error:"),
        Severity::Warning => output.paint(Paint::Warning, "warning:"),
    };
    let hint = problem.hint.as_ref().map_or(String::new(), |hint| {
        format!("{} {hint}\n", output.paint(Paint::Good, "hint:"))
    });
    format!("{sign} {}\n{hint}", problem.message)
}
