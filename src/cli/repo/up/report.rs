//! The report of `rdc repo up`: where each service answers, and why one does not.

use crate::bundle::{RouteReport, ServiceProblem, ServiceReport, UpReport};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, Paint};
use crate::printable::printable;

/// One line of the result.
#[derive(Default)]
struct Line {
    name: String,
    place: String,
    answer: String,
    beside: String,
}

/// A line for each service, and one more for each further address.
pub(super) fn services(output: &Output, services: &[ServiceReport]) -> String {
    let lines: Vec<Line> = services.iter().flat_map(lines).collect();
    let widest = |widths: Vec<usize>| widths.into_iter().max().unwrap_or(0);
    let name_width = widest(lines.iter().map(|line| line.name.chars().count()).collect());
    let place_width = widest(
        services
            .iter()
            .flat_map(|service| &service.routes)
            .map(|route| route.url.chars().count())
            .collect(),
    );
    let answer_width = widest(
        lines
            .iter()
            .map(|line| line.answer.chars().count())
            .collect(),
    );
    let mut text = String::new();
    for Line {
        name,
        place,
        answer,
        beside,
    } in lines
    {
        let padding = " ".repeat(name_width - name.chars().count());
        let line = format!(
            "{}{padding}  {place:place_width$}  {answer:answer_width$}   {beside}",
            output.paint(Paint::Bold, &name)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The lines of a service: the first address from its labels, then further ones, with the automatic one
/// beside them.
fn lines(service: &ServiceReport) -> Vec<Line> {
    let name = printable(&service.name).into_owned();
    if service.problem.is_some() {
        let place = format!("not up    {}", service.address);
        return vec![Line {
            name,
            place,
            ..Line::default()
        }];
    }
    let (auto, own): (Vec<&RouteReport>, Vec<&RouteReport>) =
        service.routes.iter().partition(|route| route.is_auto);
    let (shown, beside) = match own.as_slice() {
        [] => (auto, Vec::new()),
        _ => (own, auto),
    };
    let beside: Vec<&str> = beside.iter().map(|route| route.url.as_str()).collect();
    let beside = match beside.as_slice() {
        [] => String::new(),
        urls => format!("(auto: {})", printable(&urls.join(", "))),
    };
    let mut lines: Vec<Line> = shown
        .iter()
        .map(|route| Line {
            place: printable(&route.url).into_owned(),
            answer: answer(route),
            ..Line::default()
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line {
            place: format!("internal  {}", internal(service)),
            ..Line::default()
        });
    }
    if let Some(first) = lines.first_mut() {
        first.name = name;
        first.beside = beside;
    }
    lines
}

/// The addresses of a service that is not reachable from outside.
fn internal(service: &ServiceReport) -> String {
    let address = service.address;
    let sockets = service.ports.iter().map(|port| format!("{address}:{port}"));
    let sockets: Vec<String> = sockets.collect();
    match sockets.as_slice() {
        [] => address.to_string(),
        sockets => sockets.join(", "),
    }
}

fn answer(route: &RouteReport) -> String {
    match route.answer {
        Some((status, seconds)) => format!("{status} in {seconds:.2} s"),
        None => String::new(),
    }
}

/// Reports on standard error why not everything is up: each service with its last log lines and what the
/// route server reports about it.
pub(super) fn problems(output: &Output, report: &UpReport) {
    for failure in &report.failures {
        output.failure(&Failure::new(Exit::Failed, failure.to_string()));
    }
    for service in &report.services {
        let name = printable(&service.name);
        if let Some(problem) = &service.problem {
            let ServiceProblem {
                message,
                log,
                explanation,
            } = problem;
            let message = format!("{name} is not up: {}", printable(message));
            output.failure(&Failure::new(Exit::Failed, message));
            for line in log {
                output.show(&format!("  | {}", printable(line)));
            }
            for line in explanation {
                output.show(&format!("  {}", printable(line)));
            }
        }
        for rejection in &service.rejections {
            let message = format!("{name}: {}", printable(rejection));
            output.failure(&Failure::new(Exit::Failed, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::When;
    use crate::cli::output::Format;

    fn service(name: &str, slot: u8, ports: &[u16], routes: Vec<RouteReport>) -> ServiceReport {
        ServiceReport {
            name: name.to_owned(),
            address: [127, 0, 11, slot + 2].into(),
            ports: ports.to_vec(),
            routes,
            problem: None,
            rejections: Vec::new(),
        }
    }

    fn route(url: &str, is_auto: bool, answer: Option<(u16, f64)>) -> RouteReport {
        RouteReport {
            url: url.to_owned(),
            is_auto,
            answer,
        }
    }

    #[track_caller]
    fn check(all: &[ServiceReport], expected: &str) {
        let output = Output::new(Format::Human, false, 0, When::Never);
        assert_eq!(services(&output, all), expected);
    }

    #[test]
    fn a_service_is_shown_with_where_it_answers() {
        let own = route("https://app.example.test", false, Some((200, 0.212)));
        let auto = route("https://webapp-2816.example.test", true, Some((200, 0.1)));
        let postgres = || service("postgres", 1, &[5432], Vec::new());
        check(
            &[
                service("webapp", 0, &[3000], vec![auto.clone(), own.clone()]),
                postgres(),
            ],
            "webapp    https://app.example.test          200 in 0.21 s   \
             (auto: https://webapp-2816.example.test)\n\
             postgres  internal  127.0.11.3:5432\n",
        );
        check(
            &[service("webapp", 0, &[3000], vec![auto])],
            "webapp  https://webapp-2816.example.test  200 in 0.10 s\n",
        );
        let further = route("https://www.example.test", false, Some((301, 1.0)));
        let imaps = route("tcp mail.example.test:993", false, None);
        check(
            &[
                service("webapp", 0, &[3000], vec![own, further]),
                service("mail", 1, &[25, 993], vec![imaps]),
                service("queue", 2, &[5672, 15672], Vec::new()),
                service("cron", 3, &[], Vec::new()),
            ],
            "webapp  https://app.example.test   200 in 0.21 s\n        \
                     https://www.example.test   301 in 1.00 s\n\
             mail    tcp mail.example.test:993\n\
             queue   internal  127.0.11.4:5672, 127.0.11.4:15672\n\
             cron    internal  127.0.11.5\n",
        );
        let mut broken = postgres();
        broken.problem = Some(ServiceProblem {
            message: "it does not answer".to_owned(),
            log: Vec::new(),
            explanation: Vec::new(),
        });
        check(&[broken], "postgres  not up    127.0.11.3\n");
        check(&[], "");
    }
}
