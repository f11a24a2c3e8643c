//! The text for people about the status of repositories and their runs.

use crate::bundle::{RepositoryState, RepositoryStatus, Run, ServiceStatus};
use crate::cli::output::{Output, Paint};
use crate::cli::table::{fields, table};
use crate::context::value::{ByteSize, MachineName};
use crate::printable::printable;

/// Whether a repository is healthy: what should be up is up, and nothing has a problem.
pub(super) fn is_healthy(status: &RepositoryStatus) -> bool {
    let runs = status.state == RepositoryState::Running;
    let services = || status.services.iter().all(is_service_healthy);
    status.problems.is_empty()
        && status.state != RepositoryState::Failed
        && (!status.up || (runs && services()))
}

fn is_service_healthy(service: &ServiceStatus) -> bool {
    // A service that the compose file no longer has keeps its slot, without a container.
    let runs = service
        .state
        .as_deref()
        .is_none_or(|state| state == "running");
    runs && service.health.as_deref() != Some("unhealthy")
}

/// The repositories of one machine.
pub(super) fn list(output: &Output, machine: &MachineName, all: &[RepositoryStatus]) -> String {
    if all.is_empty() {
        return format!("{machine} has no repositories");
    }
    let rows: Vec<[String; 6]> = all
        .iter()
        .map(|status| {
            [
                status.name.to_string(),
                machine.to_string(),
                status.network_id.to_string(),
                size(status),
                state(output, status),
                services(status),
            ]
        })
        .collect();
    let headings = ["REPOSITORY", "MACHINE", "ID", "SIZE", "STATE", "SERVICES"];
    table(output, headings, &rows)
}

/// One repository, with its services.
pub(super) fn repository(
    output: &Output,
    machine: &MachineName,
    status: &RepositoryStatus,
) -> String {
    let mut rows = vec![
        ("repository", format!("{} on {machine}", status.name)),
        ("state", state(output, status)),
        ("id", status.network_id.to_string()),
        ("folder", status.path.display().to_string()),
        ("size", size(status)),
    ];
    if let Some(bytes) = status.limits.memory_bytes {
        rows.push(("memory", format!("at most {}", ByteSize::of(bytes))));
    }
    if let Some(tasks) = status.limits.tasks {
        rows.push(("tasks", format!("at most {tasks}")));
    }
    if status.allows_unsafe {
        rows.push(("unsafe", "its services may reach the machine".to_owned()));
    }
    if let Some(run) = &status.run {
        rows.push(("run", self::run(run)));
    }
    for problem in &status.problems {
        let problem = printable(problem);
        rows.push(("problem", output.paint(Paint::Error, &problem)));
    }
    let text = fields(output, &rows);
    if status.services.is_empty() {
        return text;
    }
    let rows: Vec<[String; 4]> = status
        .services
        .iter()
        .map(|service| {
            [
                printable(&service.name).into_owned(),
                service.address.map_or("-".to_owned(), |it| it.to_string()),
                ports(&service.listens),
                service_state(service),
            ]
        })
        .collect();
    let services = table(output, ["SERVICE", "ADDRESS", "PORTS", "STATE"], &rows);
    format!("{text}\n{services}")
}

/// The state in colour. A running repository may not be up yet.
fn state(output: &Output, status: &RepositoryStatus) -> String {
    let paint = if is_healthy(status) {
        Paint::Good
    } else {
        Paint::Error
    };
    let word = match (status.state, status.up) {
        (RepositoryState::Running, true) => "up".to_owned(),
        (RepositoryState::Running, false) => "running, not up".to_owned(),
        (state, true) => format!("{state}, should be up"),
        (state, false) => state.to_string(),
    };
    output.paint(paint, &word)
}

fn size(status: &RepositoryStatus) -> String {
    let size = |bytes| ByteSize::of(bytes).to_string();
    match (status.used_bytes, status.image_bytes) {
        (Some(used), Some(image)) => format!("{} of {}", size(used), size(image)),
        (Some(used), None) => size(used),
        (None, Some(image)) => size(image),
        (None, None) => "-".to_owned(),
    }
}

/// The services of a repository in one line: each with its address, and with its state unless it is
/// running.
fn services(status: &RepositoryStatus) -> String {
    let all: Vec<String> = status
        .services
        .iter()
        .map(|service| {
            let name = printable(&service.name);
            let address = service.address.map_or(String::new(), |it| format!(" {it}"));
            let state = match service.state.as_deref() {
                Some("running") => String::new(),
                _ => format!(" ({})", service_state(service)),
            };
            format!("{name}{address}{state}")
        })
        .collect();
    match all.as_slice() {
        [] => "-".to_owned(),
        all => all.join(", "),
    }
}

fn service_state(service: &ServiceStatus) -> String {
    let state = service.state.as_deref().unwrap_or("no container");
    let state = printable(state);
    match &service.health {
        Some(health) => format!("{state}, {}", printable(health)),
        None => state.into_owned(),
    }
}

fn ports(ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    match ports.as_slice() {
        [] => "-".to_owned(),
        ports => ports.join(", "),
    }
}

/// One run in a few words.
pub(super) fn run(run: &Run) -> String {
    let Run {
        task,
        running,
        since,
        end,
    } = run;
    let since = std::time::UNIX_EPOCH + std::time::Duration::from_secs(*since);
    let since = humantime::format_rfc3339_seconds(since);
    match (running, end) {
        (true, _) => format!("{task} is in progress since {since}"),
        (false, Some(end)) => format!("{task} of {since}: {}", printable(end)),
        (false, None) => format!("{task} of {since}"),
    }
}

/// A repository as tests show it.
#[cfg(test)]
pub(super) fn example() -> RepositoryStatus {
    let service = |name: &str, slot: u8| ServiceStatus {
        name: name.to_owned(),
        address: Some([127, 0, 11, slot + 2].into()),
        state: Some("running".to_owned()),
        health: None,
        listens: vec![3000],
    };
    RepositoryStatus {
        name: "app".parse().expect("a name"),
        network_id: "2816".parse().expect("an id"),
        path: "/mnt/rediacc/repositories/app".into(),
        state: RepositoryState::Running,
        up: true,
        image_bytes: Some(10 << 30),
        used_bytes: Some(3 << 29),
        limits: crate::repository::Limits::default(),
        allows_unsafe: false,
        services: vec![service("web", 0), service("db", 1)],
        run: None,
        problems: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Task;
    use crate::cli::When;
    use crate::cli::output::Format;

    fn output() -> Output {
        Output::new(Format::Human, false, 0, When::Never)
    }

    #[test]
    fn a_repository_is_told_in_fields_and_its_services_in_a_table() {
        let machine: MachineName = "server-1".parse().expect("a name");
        let mut status = example();
        status.services[1].health = Some("unhealthy".to_owned());
        status.run = Some(Run {
            task: Task::Up,
            running: true,
            since: 0,
            end: None,
        });
        let expected = "\
repository  app on server-1
state       up
id          2816
folder      /mnt/rediacc/repositories/app
size        1.5G of 10G
run         up is in progress since 1970-01-01T00:00:00Z

SERVICE  ADDRESS     PORTS  STATE
web      127.0.11.2  3000   running
db       127.0.11.3  3000   running, unhealthy
";
        assert_eq!(repository(&output(), &machine, &status), expected);
        status.services[1].state = Some("exited".to_owned());
        status.services[1].health = None;
        let expected = "\
REPOSITORY  MACHINE   ID    SIZE         STATE  SERVICES
app         server-1  2816  1.5G of 10G  up     web 127.0.11.2, db 127.0.11.3 (exited)
";
        assert_eq!(list(&output(), &machine, &[status]), expected);
    }

    #[test]
    fn a_repository_is_healthy_if_what_should_be_up_is_up() {
        use RepositoryState::{Failed, Running, Stopped};
        for (state, up, service, health, expected) in [
            (Running, true, Some("running"), None, true),
            (Running, true, Some("running"), Some("healthy"), true),
            (Running, true, Some("running"), Some("unhealthy"), false),
            (Running, true, Some("exited"), None, false),
            // Its slot is kept for a service that the compose file has no more.
            (Running, true, None, None, true),
            (Running, false, Some("exited"), None, true),
            (Stopped, false, None, None, true),
            (Stopped, true, None, None, false),
            (Failed, false, None, None, false),
        ] {
            let mut status = example();
            status.state = state;
            status.up = up;
            status.services[0].state = service.map(str::to_owned);
            status.services[0].health = health.map(str::to_owned);
            assert_eq!(
                is_healthy(&status),
                expected,
                "{state:?} {up} {service:?} {health:?}"
            );
        }
    }
}
