//! Health checks as a stranger's container may have them: Traefik asks the service itself, and
//! follows it nowhere.

use super::Problem;
use super::reach::Reach;
use crate::traefik::dynamic::DynamicConfig;

/// Has no health check follow redirects, which would lead wherever the service says, with the
/// method and the headers that its labels say. An answer of 3xx counts as healthy all the same.
pub(super) fn confine(config: &mut DynamicConfig, reach: Reach<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if reach.is_unlimited() {
        return problems;
    }
    for (name, service) in &mut config.http.services {
        let balancer = service.load_balancer.as_mut();
        let Some(check) = balancer.and_then(|balancer| balancer.health_check.as_mut()) else {
            continue;
        };
        if check.follow_redirects == Some(true) {
            let label =
                format!("traefik.http.services.{name}.loadbalancer.healthcheck.followredirects");
            problems.push(
                Problem::of_label(label, "health checks do not follow redirects")
                    .hint("an answer of 3xx counts as healthy; or check the path it leads to")
                    .warning(),
            );
        }
        check.follow_redirects = Some(false);
    }
    problems
}
