//! What there is to do on a machine. Pure: what is wanted and what was found give the steps, and
//! an empty plan is the proof that nothing has to change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::generation::Generation;
use super::systemd::UnitState;
use crate::bundle::Step;
use crate::layout;

/// The units that run, in the order in which they start.
pub(super) const UNITS: [&str; 3] = [
    layout::ROUTER_SOCKET,
    layout::ROUTER_SERVICE,
    layout::PROXY_SERVICE,
];

/// All our units: those that run, and the one that systemd starts at a boot alone.
pub(super) const INSTALLED: [&str; 4] = [
    layout::ROUTER_SOCKET,
    layout::ROUTER_SERVICE,
    layout::PROXY_SERVICE,
    layout::SETTLE_SERVICE,
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

/// The paths that systemd and people read, each a link to its part of the live generation: one
/// rename swaps them all.
pub(super) fn links() -> BTreeMap<PathBuf, &'static str> {
    let unit = |name| (Path::new(layout::UNIT_DIR).join(name), name);
    let users = Path::new(layout::SYSUSERS_DIR).join("rediacc.conf");
    INSTALLED
        .into_iter()
        .map(unit)
        .chain([
            (users, layout::SYSUSERS_CONF),
            (layout::RENET_LINK.into(), layout::RENET),
        ])
        .collect()
}

/// Where a link of ours points.
pub(super) fn link_target(name: &str) -> PathBuf {
    Path::new(layout::CURRENT).join(name)
}

/// What starts a unit at boot: the link, and what it points to.
pub(super) fn boot_link(unit: &str) -> (PathBuf, PathBuf) {
    let target = match unit {
        layout::ROUTER_SOCKET => "sockets.target.wants",
        _ => "multi-user.target.wants",
    };
    let folder = Path::new(layout::UNIT_DIR).join(target);
    (folder.join(unit), Path::new("..").join(unit))
}

/// What was found at the place of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing, or a link elsewhere.
    Vacant,
    /// Our link.
    Linked,
    /// A file with this content.
    File(Vec<u8>),
    /// Something of somebody else's, which is left alone.
    Foreign,
}

/// What was found on the machine.
pub(super) struct Observed<'a> {
    /// The live generation.
    pub(super) current: Option<&'a Generation>,
    /// What lies at the places of `links`.
    pub(super) places: BTreeMap<PathBuf, Place>,
    /// The units of `INSTALLED` that systemd starts at boot.
    pub(super) enabled: Vec<&'static str>,
    /// The states of `UNITS`.
    pub(super) units: [UnitState; 3],
    /// What Traefik and the route server know each other by.
    pub(super) token: TokenState,
}

/// The token between Traefik and the route server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenState {
    /// What is in the file.
    pub(super) stored: Stored,
    /// Whether the Traefik that runs has the token that the file holds, or will hold.
    pub(super) is_held: bool,
}

/// What is in the token's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// A token, for root and Traefik alone.
    Good,
    /// A token that nobody else can read, nor Traefik perhaps.
    Misowned,
    /// No token, or one that others may know.
    Unusable,
}

/// The order in which the units start anew.
///
/// The route server comes first, so that a new Traefik finds all that is new. Only where it begins
/// to ask for a token does Traefik come before it: the former route server answers whoever asks, and
/// the new one would refuse the former Traefik. The way back needs no such care, as the former
/// route server comes first there.
pub(super) fn order(
    former: Option<&Generation>,
    next: &Generation,
    units: &[UnitState; 3],
) -> [&'static str; 3] {
    let begins = next.uses_token() && former.is_some_and(|former| !former.uses_token());
    let [socket, router, _] = units;
    // Without the two, Traefik would have to wait for them.
    if begins && socket.active && router.active {
        return [
            layout::PROXY_SERVICE,
            layout::ROUTER_SOCKET,
            layout::ROUTER_SERVICE,
        ];
    }
    UNITS
}

impl Observed<'_> {
    fn is_active(&self, unit: &str) -> bool {
        UNITS
            .iter()
            .zip(&self.units)
            .any(|(name, state)| *name == unit && state.active)
    }
}

/// The steps from what was found to what is wanted, in order; none if nothing has to change.
pub(super) fn plan(wanted: &Generation, observed: &Observed<'_>, next: u32) -> Vec<Step> {
    let mut steps = file_steps(wanted, observed.current);
    let has_new_files = !steps.is_empty();
    steps.extend(token_step(wanted, observed.token));
    if has_new_files {
        steps.push(Step::Check {
            file: layout::TRAEFIK_YML.into(),
        });
    }
    for (path, place) in &observed.places {
        if matches!(place, Place::Vacant | Place::File(_)) {
            steps.push(Step::Link { path: path.clone() });
        }
    }
    if has_new_files {
        steps.push(Step::Switch { generation: next });
    }
    for unit in INSTALLED {
        if !observed.enabled.contains(&unit) {
            steps.push(Step::Enable { unit: unit.into() });
        }
    }
    for unit in order(observed.current, wanted, &observed.units) {
        if !observed.is_active(unit) {
            steps.push(Step::Start { unit: unit.into() });
        } else if has_new_input(unit, wanted, observed) || has_new_token(unit, wanted, observed) {
            steps.push(Step::Restart { unit: unit.into() });
        }
    }
    if !steps.is_empty() {
        steps.push(Step::Probe);
    }
    steps
}

/// Whether Traefik goes on as it runs, with the routes that it has, while these steps are done.
pub(super) fn leaves_traefik_alone(steps: &[Step], observed: &Observed<'_>) -> bool {
    let restart = Step::Restart {
        unit: layout::PROXY_SERVICE.to_owned(),
    };
    observed.units.iter().all(|unit| unit.active) && !steps.contains(&restart)
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

/// Writes the token's file where that is not as it should be.
fn token_step(wanted: &Generation, token: TokenState) -> Option<Step> {
    let file = layout::ROUTE_SERVER_TOKEN.to_owned();
    match token.stored {
        _ if !wanted.uses_token() => None,
        Stored::Good => None,
        Stored::Misowned => Some(Step::Update { file }),
        Stored::Unusable => Some(Step::Create { file }),
    }
}

/// Whether the token is not as a generation needs it.
pub(super) fn is_token_off(generation: &Generation, token: TokenState) -> bool {
    generation.uses_token() && (token.stored != Stored::Good || !token.is_held)
}

/// Whether a unit runs with another token than the file holds. The route server reads it at its
/// start, and cannot be asked which one it has: it may have seen what was wrong with the file.
fn has_new_token(unit: &str, wanted: &Generation, observed: &Observed<'_>) -> bool {
    let TokenState { stored, is_held } = observed.token;
    wanted.uses_token()
        && match unit {
            layout::ROUTER_SERVICE => stored == Stored::Unusable || !is_held,
            layout::PROXY_SERVICE => !is_held,
            _ => false,
        }
}

fn has_new_input(unit: &str, wanted: &Generation, observed: &Observed<'_>) -> bool {
    inputs(unit).iter().any(|input| {
        let former = observed.current.and_then(|current| current.get(input));
        former != wanted.get(input) || is_overridden(input, wanted, observed)
    })
}

/// Whether something else than what is wanted lies where systemd reads a part.
fn is_overridden(name: &str, wanted: &Generation, observed: &Observed<'_>) -> bool {
    links().iter().any(|(path, part)| {
        *part == name
            && matches!(observed.places.get(path),
                Some(Place::File(content)) if wanted.file(name) != Some(content))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bundle::Token;

    const HELD: TokenState = TokenState {
        stored: Stored::Good,
        is_held: true,
    };
    const NONE: TokenState = TokenState {
        stored: Stored::Unusable,
        is_held: true,
    };

    fn running() -> UnitState {
        UnitState {
            active: true,
            ..UnitState::default()
        }
    }

    fn generation(files: &[(&str, &str)], token: Option<&str>, traefik: &str) -> Generation {
        let mut all = BTreeMap::new();
        for name in UNITS.iter().chain(&[
            layout::SETTLE_SERVICE,
            layout::TRAEFIK_YML,
            layout::ROUTER_ENV,
        ]) {
            all.insert((*name).to_owned(), format!("{name}, as before"));
        }
        all.insert(layout::SYSUSERS_CONF.to_owned(), "users".to_owned());
        all.extend(
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        );
        Generation::of(
            all,
            token.map(|token| Token(token.into())).as_ref(),
            &BTreeSet::new(),
            Path::new("/usr/lib/rediacc/renet/1/renet"),
            Path::new(traefik),
        )
        .expect("a generation")
    }

    fn in_place(current: &Generation) -> Observed<'_> {
        Observed {
            current: Some(current),
            places: links()
                .into_keys()
                .map(|path| (path, Place::Linked))
                .collect(),
            enabled: INSTALLED.to_vec(),
            units: [running(), running(), running()],
            token: HELD,
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
            places: links()
                .into_keys()
                .map(|path| (path, Place::Vacant))
                .collect(),
            enabled: Vec::new(),
            units: Default::default(),
            token: NONE,
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
                "create rediacc-settle.service",
                "create renet",
                "create router.env",
                "create sysusers.conf",
                "create traefik",
                "create traefik.yml",
                "check traefik.yml",
                "link /etc/systemd/system/rediacc-proxy.service",
                "link /etc/systemd/system/rediacc-router.service",
                "link /etc/systemd/system/rediacc-router.socket",
                "link /etc/systemd/system/rediacc-settle.service",
                "link /etc/sysusers.d/rediacc.conf",
                "link /usr/local/bin/renet",
                "switch to",
                "enable rediacc-router.socket",
                "enable rediacc-router.service",
                "enable rediacc-proxy.service",
                "enable rediacc-settle.service",
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

    const SENDS: &str = layout::TOKEN_PLACEHOLDER;

    /// A generation whose Traefik needs the token.
    fn with_token() -> Generation {
        generation(&[(layout::TRAEFIK_YML, SENDS)], None, "/opt/traefik-1")
    }

    #[test]
    fn whoever_runs_with_another_token_than_the_file_holds_starts_anew() {
        let wanted = with_token();
        let router = "restart rediacc-router.service";
        let proxy = "restart rediacc-proxy.service";
        let probe = "probe Traefik";
        for (stored, is_held, expected) in [
            (Stored::Good, true, &[][..]),
            (Stored::Good, false, &[router, proxy, probe]),
            (
                Stored::Misowned,
                true,
                &["update /var/lib/rediacc/token", probe],
            ),
            // The one that Traefik has is stored again.
            (
                Stored::Unusable,
                true,
                &["create /var/lib/rediacc/token", router, probe],
            ),
            (
                Stored::Unusable,
                false,
                &["create /var/lib/rediacc/token", router, proxy, probe],
            ),
        ] {
            let mut observed = in_place(&wanted);
            observed.token = TokenState { stored, is_held };
            check(&wanted, &observed, expected);
            assert_eq!(is_token_off(&wanted, observed.token), !expected.is_empty());
        }
        // A generation from before there was a token does without.
        let mut observed = in_place(&wanted);
        let former = before();
        observed.current = Some(&former);
        observed.token = NONE;
        let steps = plan(&former, &observed, 8);
        assert_eq!(steps, []);
    }

    #[test]
    fn traefik_sends_the_token_before_the_route_server_asks_for_it() {
        let standard = UNITS;
        let traefik_first = [
            layout::PROXY_SERVICE,
            layout::ROUTER_SOCKET,
            layout::ROUTER_SERVICE,
        ];
        let (without, with) = (before(), with_token());
        let all = [running(), running(), running()];
        let no_router = [running(), UnitState::default(), running()];
        for (former, next, units, expected) in [
            (None, &with, &all, standard),
            (Some(&without), &with, &all, traefik_first),
            (Some(&without), &with, &no_router, standard),
            (Some(&with), &with, &all, standard),
            (Some(&with), &without, &all, standard),
            (Some(&without), &without, &all, standard),
        ] {
            assert_eq!(order(former, next, units), expected);
        }
        let wanted = generation(
            &[(layout::TRAEFIK_YML, SENDS), (layout::ROUTER_ENV, "new")],
            Some("secret"),
            "/opt/traefik-1",
        );
        let mut observed = in_place(&without);
        observed.token = NONE;
        check(
            &wanted,
            &observed,
            &[
                "update router.env",
                "update traefik.yml",
                "create /var/lib/rediacc/token",
                "check traefik.yml",
                "switch to",
                "restart rediacc-proxy.service",
                "restart rediacc-router.service",
                "probe Traefik",
            ],
        );
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
                "restart rediacc-router.socket",
                "restart rediacc-router.service",
                "probe Traefik",
            ],
        );
    }

    fn place(name: &str) -> PathBuf {
        Path::new(layout::UNIT_DIR).join(name)
    }

    #[test]
    fn a_unit_that_was_replaced_by_hand_is_put_back_and_restarted() {
        let before = before();
        let mut observed = in_place(&before);
        let file = Place::File(b"by hand".to_vec());
        observed.places.insert(place(layout::PROXY_SERVICE), file);
        check(
            &before,
            &observed,
            &[
                "link /etc/systemd/system/rediacc-proxy.service",
                "restart rediacc-proxy.service",
                "probe Traefik",
            ],
        );
    }

    #[test]
    fn a_copy_with_the_same_content_becomes_a_link_and_nothing_restarts() {
        let before = before();
        let mut observed = in_place(&before);
        let content = before.file(layout::PROXY_SERVICE).unwrap_or_default();
        let file = Place::File(content.to_vec());
        observed.places.insert(place(layout::PROXY_SERVICE), file);
        check(
            &before,
            &observed,
            &[
                "link /etc/systemd/system/rediacc-proxy.service",
                "probe Traefik",
            ],
        );
    }

    #[test]
    fn a_unit_that_was_stopped_or_disabled_is_started_and_enabled() {
        let before = before();
        let mut observed = in_place(&before);
        observed.units[2] = UnitState::default();
        observed
            .enabled
            .retain(|unit| *unit != layout::PROXY_SERVICE);
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
    fn a_renet_of_somebody_else_is_left_alone() {
        let before = before();
        let mut observed = in_place(&before);
        observed
            .places
            .insert(layout::RENET_LINK.into(), Place::Foreign);
        check(&before, &observed, &[]);
    }
}
