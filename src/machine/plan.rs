//! What there is to do on a machine. Pure: what is wanted and what was found give the steps, and
//! an empty plan is the proof that nothing has to change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::generation::Generation;
use super::systemd::UnitState;
use crate::bundle::Step;
use crate::layout;

/// Our units, in the order in which they start.
pub(super) const UNITS: [&str; 3] = [
    layout::ROUTER_SOCKET,
    layout::ROUTER_SERVICE,
    layout::PROXY_SERVICE,
];

/// What each unit has read when it runs: a change in one of them takes a restart.
fn inputs(unit: &str) -> &'static [&'static str] {
    match unit {
        layout::ROUTER_SOCKET => &[layout::ROUTER_SOCKET],
        // A service keeps the sockets that it was given: new ones take a restart.
        layout::ROUTER_SERVICE => &[
            layout::ROUTER_SERVICE,
            layout::ROUTER_SOCKET,
            layout::ROUTER_ENV,
            layout::RENET,
        ],
        layout::PROXY_SERVICE => &[
            layout::PROXY_SERVICE,
            layout::TRAEFIK_YML,
            layout::CF_DNS_TOKEN,
            layout::TRAEFIK,
        ],
        _ => &[],
    }
}

/// The files of a generation that systemd reads from places of its own.
pub(super) fn installed_paths() -> BTreeMap<&'static str, PathBuf> {
    let unit = |name| (name, Path::new(layout::UNIT_DIR).join(name));
    let users = Path::new(layout::SYSUSERS_DIR).join("rediacc.conf");
    UNITS
        .into_iter()
        .map(unit)
        .chain([(layout::SYSUSERS_CONF, users)])
        .collect()
}

/// What was found on the machine.
pub(super) struct Observed<'a> {
    /// The live generation.
    pub(super) current: Option<&'a Generation>,
    /// Whether the push that made it got to its end.
    pub(super) applied: bool,
    /// The files that systemd reads, by their names in a generation.
    pub(super) installed: BTreeMap<&'static str, Vec<u8>>,
    /// Whether people's `renet` is the live generation's.
    pub(super) renet_linked: bool,
    /// The states of `UNITS`.
    pub(super) units: [UnitState; 3],
}

/// The steps from what was found to what is wanted, in order; none if nothing has to change.
pub(super) fn plan(wanted: &Generation, observed: &Observed<'_>, next: u32) -> Vec<Step> {
    let mut steps = file_steps(wanted, observed.current);
    if !steps.is_empty() {
        steps.push(Step::Check {
            file: layout::TRAEFIK_YML.into(),
        });
        steps.push(Step::Switch { generation: next });
    }
    for (name, path) in installed_paths() {
        if wanted.file(name) != observed.installed.get(name).map(Vec::as_slice) {
            steps.push(Step::Install { path });
        }
    }
    if !observed.renet_linked {
        steps.push(Step::Install {
            path: layout::RENET_LINK.into(),
        });
    }
    for (unit, state) in UNITS.into_iter().zip(observed.units) {
        if !state.enabled {
            steps.push(Step::Enable { unit: unit.into() });
        }
    }
    for (unit, state) in UNITS.into_iter().zip(observed.units) {
        if !state.active {
            steps.push(Step::Start { unit: unit.into() });
        } else if !observed.applied || has_new_input(unit, wanted, observed) {
            steps.push(Step::Restart { unit: unit.into() });
        }
    }
    if !steps.is_empty() {
        steps.push(Step::Probe);
    }
    steps
}

fn file_steps(wanted: &Generation, current: Option<&Generation>) -> Vec<Step> {
    let mut steps = Vec::new();
    for name in wanted.names() {
        let file = name.to_owned();
        match current.and_then(|current| current.get(name)) {
            None => steps.push(Step::Create { file }),
            former if former != wanted.get(name) => steps.push(Step::Update { file }),
            _ => {}
        }
    }
    let former = current.into_iter().flat_map(Generation::names);
    let gone = former.filter(|name| wanted.get(name).is_none());
    steps.extend(gone.map(|name| Step::Remove {
        file: name.to_owned(),
    }));
    steps
}

fn has_new_input(unit: &str, wanted: &Generation, observed: &Observed<'_>) -> bool {
    inputs(unit).iter().any(|input| {
        let former = observed.current.and_then(|current| current.get(input));
        let installed = observed.installed.get(input).map(Vec::as_slice);
        let drifted = installed_paths().contains_key(input) && installed != wanted.file(input);
        former != wanted.get(input) || drifted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;

    const RUNNING: UnitState = UnitState {
        active: true,
        enabled: true,
    };

    fn generation(files: &[(&str, &str)], token: Option<&str>, traefik: &str) -> Generation {
        let mut all = BTreeMap::new();
        for name in UNITS
            .iter()
            .chain(&[layout::TRAEFIK_YML, layout::ROUTER_ENV])
        {
            all.insert((*name).to_owned(), format!("{name}, as before"));
        }
        all.insert(layout::SYSUSERS_CONF.to_owned(), "users".to_owned());
        all.extend(
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        );
        let bundle = Bundle {
            files: all,
            cf_dns_token: token.map(|token| crate::bundle::Token(token.into())),
            binds: Default::default(),
            renet: "/usr/lib/rediacc/renet/1/renet".into(),
            traefik: None,
        };
        Generation::of(&bundle, Path::new(traefik)).expect("a generation")
    }

    fn in_place(current: &Generation) -> Observed<'_> {
        let content = |name| current.file(name).map(|content| (name, content.to_vec()));
        Observed {
            current: Some(current),
            applied: true,
            installed: installed_paths().into_keys().filter_map(content).collect(),
            renet_linked: true,
            units: [RUNNING; 3],
        }
    }

    fn check(wanted: &Generation, observed: &Observed<'_>, expected: &[&str]) {
        let steps = plan(wanted, observed, 8);
        let words = |step: &Step| {
            let text = step.to_string();
            text.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(steps.iter().map(words).collect::<Vec<_>>(), expected);
    }

    fn before() -> Generation {
        generation(&[], Some("secret"), "/opt/traefik-1")
    }

    #[test]
    fn what_is_in_place_is_left_alone() {
        check(&before(), &in_place(&before()), &[]);
    }

    #[test]
    fn a_bare_machine_gets_everything_and_starts_everything() {
        let observed = Observed {
            current: None,
            applied: false,
            installed: BTreeMap::new(),
            renet_linked: false,
            units: [UnitState::default(); 3],
        };
        check(
            &before(),
            &observed,
            &[
                "create binds.json",
                "create cf-dns-token",
                "create rediacc-proxy.service",
                "create rediacc-router.service",
                "create rediacc-router.socket",
                "create renet",
                "create router.env",
                "create sysusers.conf",
                "create traefik",
                "create traefik.yml",
                "check traefik.yml",
                "switch to",
                "install /etc/systemd/system/rediacc-proxy.service",
                "install /etc/systemd/system/rediacc-router.service",
                "install /etc/systemd/system/rediacc-router.socket",
                "install /etc/sysusers.d/rediacc.conf",
                "install /usr/local/bin/renet",
                "enable rediacc-router.socket",
                "enable rediacc-router.service",
                "enable rediacc-proxy.service",
                "start rediacc-router.socket",
                "start rediacc-router.service",
                "start rediacc-proxy.service",
                "probe Traefik",
            ],
        );
    }

    #[test]
    fn only_the_unit_that_reads_a_changed_file_restarts() {
        let switch = ["check traefik.yml", "switch to"];
        for (files, token, traefik, own, unit) in [
            (
                &[(layout::TRAEFIK_YML, "new")][..],
                Some("secret"),
                "/opt/traefik-1",
                "update traefik.yml",
                layout::PROXY_SERVICE,
            ),
            (
                &[(layout::ROUTER_ENV, "new")][..],
                Some("secret"),
                "/opt/traefik-1",
                "update router.env",
                layout::ROUTER_SERVICE,
            ),
            (
                &[][..],
                Some("other"),
                "/opt/traefik-1",
                "update cf-dns-token",
                layout::PROXY_SERVICE,
            ),
            (
                &[][..],
                None,
                "/opt/traefik-1",
                "remove cf-dns-token",
                layout::PROXY_SERVICE,
            ),
            (
                &[][..],
                Some("secret"),
                "/opt/traefik-2",
                "update traefik",
                layout::PROXY_SERVICE,
            ),
        ] {
            let wanted = generation(files, token, traefik);
            let restart = format!("restart {unit}");
            let expected = [own, switch[0], switch[1], &restart, "probe Traefik"];
            check(&wanted, &in_place(&before()), &expected);
        }
    }

    #[test]
    fn a_new_socket_restarts_the_service_that_holds_the_old_one() {
        let wanted = generation(
            &[(layout::ROUTER_SOCKET, "new")],
            Some("secret"),
            "/opt/traefik-1",
        );
        check(
            &wanted,
            &in_place(&before()),
            &[
                "update rediacc-router.socket",
                "check traefik.yml",
                "switch to",
                "install /etc/systemd/system/rediacc-router.socket",
                "restart rediacc-router.socket",
                "restart rediacc-router.service",
                "probe Traefik",
            ],
        );
    }

    #[test]
    fn a_unit_edited_by_hand_is_put_back_and_restarted() {
        let before = before();
        let mut observed = in_place(&before);
        observed
            .installed
            .insert(layout::PROXY_SERVICE, b"by hand".to_vec());
        check(
            &before,
            &observed,
            &[
                "install /etc/systemd/system/rediacc-proxy.service",
                "restart rediacc-proxy.service",
                "probe Traefik",
            ],
        );
    }

    #[test]
    fn a_unit_that_was_stopped_or_disabled_is_started_and_enabled() {
        let before = before();
        let mut observed = in_place(&before);
        observed.units[2] = UnitState::default();
        check(
            &before,
            &observed,
            &[
                "enable rediacc-proxy.service",
                "start rediacc-proxy.service",
                "probe Traefik",
            ],
        );
    }

    #[test]
    fn after_a_push_that_was_cut_off_nobody_knows_what_runs_so_everything_restarts() {
        let before = before();
        let observed = Observed {
            applied: false,
            ..in_place(&before)
        };
        check(
            &before,
            &observed,
            &[
                "restart rediacc-router.socket",
                "restart rediacc-router.service",
                "restart rediacc-proxy.service",
                "probe Traefik",
            ],
        );
    }
}
