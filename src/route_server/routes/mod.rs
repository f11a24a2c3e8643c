//! Containers → dynamic configuration. Pure: the same containers give the same bytes, in whatever
//! order they come.
//!
//! ```text
//!   Container ─► container_routes ─► ContainerRoutes ─┐
//!   Container ─► container_routes ─► ContainerRoutes ─┼─► merge ─► Routes of one repository
//!      labels · linked · rules · guard · budget ·     │                  │
//!      owned                                          │                  ▼
//!   Container, PortTable ─► dynamic ─► ContainerRoutes┤             document ◄─ Share of each
//!                                claims ─► ownership ─► admit
//! ```
//!
//! What one container gives depends on that container, the settings and the external ports that it
//! was given (`dynamic`), so that whoever watches a daemon decodes a container once, when it
//! changes, and merges what is there; `references` then asks who refers to what. Problems are
//! returned, never logged: each costs the entry that has it and what uses that (`faults`), or else
//! the one container.

mod admit;
mod auto;
mod budget;
mod certificates;
mod claims;
pub mod document;
mod dynamic;
mod entrypoints;
mod excess;
mod expansion;
mod faults;
mod guard;
mod health_checks;
mod linked;
mod merge;
mod network;
mod owned;
mod reach;
mod references;
mod rules;
mod target;
mod url;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::faults::Faults;
use self::reach::Reach;
use self::target::Target;
use super::container::{Condition, Container, DaemonContainers, Oversized};
use super::ownership::{Age, Claim, OperatorNames, Ownership, OwnershipSettings};
use super::ports::{PortRange, PortTable};
use super::quota::Quota;
use crate::network::NetworkId;
use crate::ownership::{Grants, Repository};
use crate::printable::{LONGEST_SHOWN, shortened};
use crate::repository::daemon::{NETWORK_ID, SERVICE_IP, SERVICE_NAME, SERVICE_PORT};
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::entrypoint::Entrypoint;
use crate::traefik::labels::{self, Entry, LabelError};
use crate::traefik::resolver::CertResolver;

pub use admit::admit;
pub use claims::container_claims;
pub use dynamic::{named_ports, port_claims};
pub use merge::merge;

/// The longest hint: a list of keys is of no use without its end, and neither is a command.
const LONGEST_HINT: usize = 500;

/// What the operator declared, as far as routes depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSettings {
    /// The domain under which auto routes live; without one there are none.
    pub base_domain: Option<String>,
    /// The entry points that Traefik has.
    pub entrypoints: BTreeSet<Entrypoint>,
    /// The certificate resolver that Traefik has; without one auto routes are plain HTTP.
    pub cert_resolver: Option<CertResolver>,
    /// Whether containers without `traefik.enable` get a route.
    pub auto_routes: bool,
    /// The entry point on which Traefik is to say that it has the routes.
    pub ready_entrypoint: Option<String>,
    /// Whether labels may refer to what other providers define, `api@internal` among them.
    pub allow_internal: bool,
    /// Repositories whose labels may send Traefik to any address and have it read any file.
    pub trusted_repositories: BTreeSet<Repository>,
    /// What the operator granted.
    pub grants: Grants,
    /// What the operator's own dynamic configuration uses.
    pub operator: Arc<OperatorNames>,
    /// The external ports that are handed out on demand.
    pub dynamic_ports: Option<PortRange>,
    /// The machine's own addresses, public ones that lead to it included.
    pub machine_addresses: BTreeSet<IpAddr>,
    /// What went wrong beside containers, and somebody has to know.
    pub notices: Vec<Rejection>,
    /// How much repositories may have, where the operator said more than the usual.
    pub quotas: BTreeMap<Repository, Quota>,
}

/// What one container gives, its names already those of its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRoutes {
    /// Where it comes from.
    pub origin: Origin,
    /// Its own part of the configuration: empty if it was rejected, or gives none.
    pub config: DynamicConfig,
    /// What could not be used.
    pub rejections: Vec<Rejection>,
    /// The entries that are broken, by the repository's names: nothing is served without them.
    broken: BTreeSet<Entry>,
    source: Source,
    age: Age,
    /// What its routers need.
    claims: Vec<Claim>,
}

/// What a part of a container's routes was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// What its labels say of routers, or the auto route that they leave room for.
    Labels,
    /// External ports that it was given.
    Ports,
}

/// Where a router comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The container's name; of several that share a router, the eldest's.
    pub container: String,
    /// Its repository.
    pub network_id: Option<NetworkId>,
    /// Whether it is an auto route.
    pub auto: bool,
}

/// What all containers together give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// What Traefik polls.
    pub config: DynamicConfig,
    /// What could not be used, ordered.
    pub rejections: Vec<Rejection>,
    /// Where each router of `config` comes from.
    pub origins: Origins,
}

/// Where each router comes from, by the router's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// Of HTTP routers.
    pub http: BTreeMap<String, Origin>,
    /// Of TCP routers.
    pub tcp: BTreeMap<String, Origin>,
    /// Of UDP routers.
    pub udp: BTreeMap<String, Origin>,
}

/// A container or label that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rejection {
    /// The container's name.
    pub container: String,
    /// Its repository.
    pub network_id: Option<NetworkId>,
    /// The label at fault, if it is one label.
    pub label: Option<String>,
    /// What is wrong, in one sentence.
    pub reason: String,
    /// What would be right, or what to do.
    pub hint: Option<String>,
    /// What it costs. Listed apart, so that the field is in no listing.
    #[serde(skip, default)]
    pub severity: Severity,
}

/// What a problem costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A container, a router or a part of one is not served as its labels ask.
    #[default]
    Rejection,
    /// Nothing: everything is served, and somebody should know of it.
    Warning,
}

/// The routes of all containers of all daemons, where it is settled who owns what.
pub fn routes<'c>(
    daemons: impl IntoIterator<Item = &'c DaemonContainers>,
    ports: &PortTable,
    ownership: &Ownership,
    now: u64,
    settings: &RouteSettings,
) -> Routes {
    let daemons: Vec<_> = daemons.into_iter().collect();
    let ids: BTreeSet<_> = daemons.iter().map(|daemon| daemon.network_id).collect();
    let mut whole = Routes::default();
    for id in ids {
        let mut parts = repository_routes(id, daemons.iter().copied(), ports, settings);
        let claims = container_claims(&parts);
        let verdicts = ownership.verdicts(id.into(), &claims, now, false);
        admit(id.into(), &mut parts, &verdicts, ownership, settings);
        whole.append(merge(&parts, settings.quota(id.into())));
    }
    whole.rejections.sort();
    whole
}

/// The routes of all containers where nobody has owned anything before: what is there is adopted,
/// the eldest first.
pub fn adopted_routes<'c>(
    daemons: impl IntoIterator<Item = &'c DaemonContainers>,
    ports: &PortTable,
    settings: &RouteSettings,
) -> Routes {
    let daemons: Vec<_> = daemons.into_iter().collect();
    let ids: BTreeSet<_> = daemons.iter().map(|daemon| daemon.network_id).collect();
    let mut ownership = Ownership::new(settings.ownership(), None);
    ownership.set_assigned(ports.assigned());
    let claims = ids.into_iter().map(|id| {
        let parts = repository_routes(id, daemons.iter().copied(), ports, settings);
        (id, container_claims(&parts))
    });
    let claims: Vec<_> = claims.collect();
    let each = claims
        .iter()
        .flat_map(|(id, ones)| ones.iter().map(|one| ((*id).into(), one)));
    ownership.take(each, 0);
    routes(daemons, ports, &ownership, 0, settings)
}

impl RouteSettings {
    /// How much a repository may have.
    pub fn quota(&self, repository: Repository) -> Quota {
        if self.trusted_repositories.contains(&repository) {
            return Quota::UNBOUNDED;
        }
        self.quotas.get(&repository).copied().unwrap_or_default()
    }

    /// The part that ownership depends on.
    pub fn ownership(&self) -> OwnershipSettings {
        OwnershipSettings {
            grants: self.grants.clone(),
            base_domain: self.base_domain.clone(),
            operator: self.operator.clone(),
            dynamic_range: self.dynamic_ports,
            quotas: {
                let unusual = self.quotas.keys().chain(&self.trusted_repositories);
                unusual.map(|id| (*id, self.quota(*id))).collect()
            },
        }
    }
}

/// What each container of a repository gives: one part for its labels, and one for the external
/// ports that it was given, so that what is wrong with the one does not cost the other.
pub fn repository_routes<'c>(
    id: Option<NetworkId>,
    daemons: impl IntoIterator<Item = &'c DaemonContainers>,
    ports: &PortTable,
    settings: &RouteSettings,
) -> Vec<ContainerRoutes> {
    let daemons = daemons.into_iter().filter(|daemon| daemon.network_id == id);
    let containers: Vec<&Container> = daemons.flat_map(|daemon| &daemon.containers).collect();
    let addresses = containers.iter().flat_map(|one| one.own_addresses());
    let addresses: BTreeSet<IpAddr> = addresses.collect();
    let mut parts = Vec::with_capacity(containers.len());
    for container in containers {
        parts.push(container_routes(container, id, &addresses, settings));
        parts.extend(dynamic::port_routes(container, id, ports, settings));
    }
    parts
}

/// What one container of the daemon of this network id gives, where its repository's containers
/// have these addresses on networks of their own.
pub fn container_routes(
    container: &Container,
    network_id: Option<NetworkId>,
    addresses: &BTreeSet<IpAddr>,
    settings: &RouteSettings,
) -> ContainerRoutes {
    let mut derived = ContainerRoutes::none_of(container, network_id, Source::Labels);
    if container.is_one_off() {
        return derived;
    }
    // A container that cannot be sent requests has no servers; what its labels say can wait until
    // it runs, unless they say that it cannot.
    if container.condition != Condition::Ready && !stays(container) {
        return derived;
    }
    if let Some(oversized) = &container.oversized {
        derived.reject(oversized.into());
        return derived;
    }
    match derive(container, network_id, addresses, settings) {
        Ok(Derivation {
            auto,
            config,
            problems,
            broken,
        }) => {
            derived.origin.auto = auto;
            derived.config = config;
            derived.broken = broken;
            derived.claim(settings);
            for problem in problems {
                derived.reject(problem);
            }
        }
        Err(problem) => derived.reject(problem),
    }
    derived
}

/// Whether a container's routers stay while it cannot be sent requests: their services then have no
/// servers, and are answered for with 503. To Traefik, the label is for containers that do not run,
/// and for unhealthy ones there is a setting of all its provider; here it is for both.
fn stays(container: &Container) -> bool {
    labels::container_options(&container.labels)
        .is_ok_and(|options| options.enable == Some(true) && options.allow_non_running())
}

impl ContainerRoutes {
    fn none_of(container: &Container, network_id: Option<NetworkId>, source: Source) -> Self {
        Self {
            origin: Origin {
                container: container.name.clone(),
                network_id,
                auto: false,
            },
            config: DynamicConfig::default(),
            rejections: Vec::new(),
            broken: BTreeSet::new(),
            source,
            claims: Vec::new(),
            age: Age {
                waiting: container.condition != Condition::Ready,
                created: container.created,
                id: container.id.clone(),
            },
        }
    }

    /// Settles what its routers need, and has their rules ask for the host first.
    fn claim(&mut self, settings: &RouteSettings) {
        self.claims = claims::of(&self.config, self.source, settings);
        admit::put_hosts_first(&mut self.config, &self.claims);
    }

    fn reject(&mut self, problem: Problem) {
        self.rejections.push(problem.of(&self.origin));
    }
}

/// What one container's labels come to.
struct Derivation {
    auto: bool,
    config: DynamicConfig,
    /// Those that cost a router, or a part of one, and not the container.
    problems: Vec<Problem>,
    broken: BTreeSet<Entry>,
}

fn derive(
    container: &Container,
    network_id: Option<NetworkId>,
    addresses: &BTreeSet<IpAddr>,
    settings: &RouteSettings,
) -> Result<Derivation, Problem> {
    is_at_home(container, network_id)?;
    let options = labels::container_options(&container.labels)?;
    let mut derivation = Derivation {
        auto: false,
        config: DynamicConfig::default(),
        problems: Vec::new(),
        broken: BTreeSet::new(),
    };
    match options.enable {
        Some(false) => {}
        Some(true) => {
            let quota = settings.quota(network_id.into());
            let (kept, left_out) = excess::leave_out(&container.labels, quota);
            let decoded = labels::decode(&kept, quota.allowance())?;
            let mut config = decoded.config;
            let mut faults = Faults::default();
            faults.problems.extend(left_out);
            for (entry, error) in decoded.unreadable {
                faults.breaks(entry.kind, &entry.name, error.into());
            }
            for ignored in decoded.ignored {
                faults.push(Problem::from(ignored).warning());
            }
            let default_rule = auto::default_rule(container, network_id, settings)?;
            let reach = Reach::of(network_id, settings).with(addresses);
            let target = Target { container, reach };
            linked::link(&mut config, &target, &default_rule, &mut faults)?;
            faults.take_out(&mut config);
            faults.problems.extend(target.doubts());
            let is_trusted = reach.is_unlimited();
            let unusable = rules::check(&mut config, is_trusted);
            faults.problems.extend(unusable);
            guard::check(&mut config, reach, &mut faults);
            let redirects = health_checks::confine(&mut config, reach);
            faults.problems.extend(redirects);
            budget::check(&mut config, quota, &mut faults);
            let absent = entrypoints::assign(&mut config, settings);
            faults.problems.extend(absent);
            let unobtainable = certificates::check(&mut config, settings);
            faults.problems.extend(unobtainable);
            derivation.config = owned::own(config, network_id, settings, &mut faults)?;
            derivation.problems = faults.problems;
            let suffix = owned::suffix(network_id);
            let owned = |entry: Entry| Entry {
                name: format!("{}{suffix}", entry.name),
                ..entry
            };
            derivation.broken = faults.broken.into_iter().map(owned).collect();
        }
        None => {
            derivation.auto = true;
            auto::nothing_was_asked(container)?;
            if let Some(config) = auto::route(container, network_id, settings)? {
                let reach = Reach::of(network_id, settings);
                let doubts = Target { container, reach }.doubts();
                derivation.problems.extend(doubts);
                derivation.config = config;
            }
        }
    }
    Ok(derivation)
}

/// Whether a container says that it is of the repository that it is of: its socket's. Daemons
/// outside the socket folder are of none that has an id, and nobody there can take one.
fn is_at_home(container: &Container, network_id: Option<NetworkId>) -> Result<(), Problem> {
    let Some(label) = container.labels.get(NETWORK_ID) else {
        return Ok(());
    };
    let labelled: NetworkId = label
        .parse()
        .map_err(|error| Problem::of_label(NETWORK_ID, format!("{error}")))?;
    match network_id {
        Some(own) if own == labelled => Ok(()),
        Some(own) => Err(Problem::of_label(
            NETWORK_ID,
            format!("it says {labelled}, and the container runs on the daemon of {own}"),
        )
        .hint("start the container with `renet compose` in its own repository")),
        None => Err(Problem::of_label(
            NETWORK_ID,
            format!("it says {labelled}, and the container runs on a daemon of the machine itself"),
        )
        .hint("remove the label, or start the container with `renet compose` in that repository")),
    }
}

/// The machine's resolver, as routers name it.
fn resolver_name(settings: &RouteSettings) -> Option<String> {
    let resolver = settings.cert_resolver.as_ref();
    resolver.map(|resolver| resolver.name.clone())
}

/// What is wrong with a container, before it is said which container that is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    label: Option<String>,
    reason: String,
    hint: Option<String>,
    severity: Severity,
}

impl Problem {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            label: None,
            reason: reason.into(),
            hint: None,
            severity: Severity::Rejection,
        }
    }

    /// The same as something that costs nothing.
    fn warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    fn of_label(label: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            label: Some(label.into()),
            ..Self::new(reason)
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    fn of(self, origin: &Origin) -> Rejection {
        self.of_parts(&origin.container, origin.network_id)
    }

    /// Here what labels say becomes what people are shown.
    fn of_parts(self, container: &str, network_id: Option<NetworkId>) -> Rejection {
        let Self {
            label,
            reason,
            hint,
            severity,
        } = self;
        Rejection {
            container: shortened(container, LONGEST_SHOWN).into_owned(),
            network_id,
            label: label.map(|label| shortened(&label, LONGEST_SHOWN).into_owned()),
            reason: shortened(&reason, LONGEST_SHOWN).into_owned(),
            hint: hint.map(|hint| shortened(&hint, LONGEST_HINT).into_owned()),
            severity,
        }
    }
}

impl From<&Oversized> for Problem {
    fn from(oversized: &Oversized) -> Self {
        match oversized {
            Oversized::Label { label, bytes } => Self::of_label(
                label,
                format!(
                    "it has {bytes} bytes, and a label may have {}",
                    Oversized::MOST_OF_ONE
                ),
            ),
            Oversized::Together { bytes } => Self::new(format!(
                "its labels have {bytes} bytes, and may have {} together",
                Oversized::MOST_OF_ALL
            )),
        }
        .hint("keep what is large in a file or a volume of the container")
    }
}

impl From<LabelError> for Problem {
    fn from(
        LabelError {
            label,
            reason,
            hint,
        }: LabelError,
    ) -> Self {
        Self {
            label: Some(label),
            reason,
            hint,
            severity: Severity::Rejection,
        }
    }
}
