//! What each entry may cost: every value is held against its bound, and where Traefik would take an
//! unset one for "without a limit", the bound is written. A middleware that Traefik could not build
//! is found here too, because what uses it would not be served.

use std::collections::BTreeMap;

use super::Problem;
use super::faults::Faults;
use crate::route_server::quota::Quota;
use crate::traefik::dynamic::{
    Allowance, Branch, DynamicConfig, ForwardAuth, Middleware, Number, OutOfBounds, Path, bounds,
    is_name, unbuildable,
};
use crate::traefik::labels::EntryKind;

/// Takes out what is beyond the bounds.
pub(super) fn check(config: &mut DynamicConfig, quota: Quota, faults: &mut Faults) {
    let allowance = quota.allowance();
    let DynamicConfig {
        http,
        tcp,
        udp,
        // The default store is refused as a whole.
        tls: _,
    } = config;
    sift(faults, EntryKind::HttpRouter, &mut http.routers, allowance);
    sift(
        faults,
        EntryKind::HttpService,
        &mut http.services,
        allowance,
    );
    faults.sift(
        EntryKind::HttpMiddleware,
        &mut http.middlewares,
        |name, label, one| {
            within(name, label, one, allowance)?;
            unbuildable::check(one, Path::root(label))?;
            limit(one, allowance);
            Ok(())
        },
    );
    sift(faults, EntryKind::TcpRouter, &mut tcp.routers, allowance);
    sift(faults, EntryKind::TcpService, &mut tcp.services, allowance);
    sift(
        faults,
        EntryKind::TcpMiddleware,
        &mut tcp.middlewares,
        allowance,
    );
    sift(faults, EntryKind::UdpRouter, &mut udp.routers, allowance);
    sift(faults, EntryKind::UdpService, &mut udp.services, allowance);
}

/// Keeps the entries of a map that are within their bounds.
fn sift(
    faults: &mut Faults,
    kind: EntryKind,
    entries: &mut BTreeMap<String, impl Branch>,
    allowance: Allowance,
) {
    faults.sift(kind, entries, |name, label, one| {
        within(name, label, one, allowance)
    });
}

fn within(
    name: &str,
    label: &str,
    entry: &impl Branch,
    allowance: Allowance,
) -> Result<(), Problem> {
    is_name(name, Path::root(label), allowance)?;
    entry.within(Path::root(label), allowance)?;
    Ok(())
}

/// Writes the bound where Traefik would read a body whole, however long. What `buffering` is not
/// told to bound, it keeps on disk beyond its first MiB.
fn limit(middleware: &mut Middleware, allowance: Allowance) {
    let Allowance::Times(factor) = allowance else {
        return;
    };
    let most = |bound: &Number| bound.most.saturating_mul(i64::from(factor));
    if let Some(auth) = &mut middleware.forward_auth {
        let ForwardAuth {
            forward_body,
            max_body_size,
            max_response_body_size,
            ..
        } = &mut **auth;
        let body = most(&bounds::BODY);
        max_response_body_size.get_or_insert(body);
        if *forward_body == Some(true) {
            max_body_size.get_or_insert(body);
        }
    }
}

impl From<OutOfBounds> for Problem {
    fn from(
        OutOfBounds {
            label,
            reason,
            hint,
        }: OutOfBounds,
    ) -> Self {
        let problem = Self::of_label(label, reason);
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}
