//! Whose a rule is. Two repositories that claim the same rule on the same entry point would share
//! its requests at Traefik's whim: the elder container has it, and the younger one is rejected.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Age, ContainerRoutes, Problem, Rejection, Source};
use crate::network::NetworkId;
use crate::traefik::dynamic::Switch;
use crate::traefik::rule::Rule;

/// A container with the rules that it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    name: String,
    age: Age,
    source: Source,
    claims: Vec<Claim>,
}

/// A rule, where it is claimed. The same rule for TLS and for plain connections is two, since
/// Traefik asks them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    protocol: Protocol,
    tls: bool,
    rule: String,
    entrypoints: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    Http,
    Tcp,
    /// Without rules: an entry point is claimed as a whole.
    Udp,
}

/// A repository, or none: the daemons outside the socket folder.
type Repository = Option<NetworkId>;

/// What containers lost to others, by their ids.
pub type Lost = BTreeMap<String, Rejection>;

/// The containers of a repository that claim anything.
pub fn contenders(parts: &[ContainerRoutes]) -> Vec<Contender> {
    let contender = |one: &ContainerRoutes| Contender {
        name: one.origin.container.clone(),
        age: one.age.clone(),
        source: one.source,
        claims: claims(one),
    };
    parts
        .iter()
        .map(contender)
        .filter(|one| !one.claims.is_empty())
        .collect()
}

fn claims(one: &ContainerRoutes) -> Vec<Claim> {
    let (http, tcp, udp) = (&one.config.http, &one.config.tcp, &one.config.udp);
    let http = http.routers.values().map(|router| Claim {
        protocol: Protocol::Http,
        tls: matches!(router.tls, Switch::On(_)),
        rule: normal_form(router.rule.as_deref()),
        entrypoints: router.entry_points.clone(),
    });
    let tcp = tcp.routers.values().map(|router| Claim {
        protocol: Protocol::Tcp,
        tls: matches!(router.tls, Switch::On(_)),
        rule: normal_form(router.rule.as_deref()),
        entrypoints: router.entry_points.clone(),
    });
    let udp = udp.routers.values().map(|router| Claim {
        protocol: Protocol::Udp,
        tls: false,
        rule: String::new(),
        entrypoints: router.entry_points.clone(),
    });
    http.chain(tcp).chain(udp).collect()
}

/// One spelling for all that mean the same. A rule that cannot be read means nothing to Traefik
/// either, and is compared as it is.
fn normal_form(rule: Option<&str>) -> String {
    let rule = rule.unwrap_or_default();
    Rule::parse(rule).map_or_else(|_| rule.trim().to_owned(), |rule| rule.normal_form())
}

/// What is claimed at one entry point.
type Place<'c> = (Protocol, bool, &'c str, &'c str);

impl Contender {
    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.claims.iter().flat_map(|claim| {
            let Claim {
                protocol,
                tls,
                rule,
                entrypoints,
            } = claim;
            entrypoints
                .iter()
                .map(|entrypoint| (*protocol, *tls, &**rule, &**entrypoint))
        })
    }
}

/// Who loses, of all repositories' containers, and to whom. The eldest chooses first; what the
/// labels of a container say is rejected as a whole if it lost one rule, and so claims nothing
/// else.
pub fn contest(contenders: &BTreeMap<Repository, Vec<Contender>>) -> BTreeMap<Repository, Lost> {
    let contested = contested(contenders);
    if contested.is_empty() {
        return BTreeMap::new();
    }
    let mut involved: Vec<(&Contender, Repository)> = contenders
        .iter()
        .flat_map(|(id, ones)| ones.iter().map(move |one| (one, *id)))
        .filter(|(one, _)| one.places().any(|place| contested.contains(&place)))
        .collect();
    // A port that was handed out is nobody's to take by label, however old.
    involved.sort_by_key(|(one, id)| (one.source != Source::Ports, &one.age, *id));

    let mut held: HashMap<Place<'_>, (&Contender, Repository)> = HashMap::new();
    let mut losses: BTreeMap<Repository, Lost> = BTreeMap::new();
    for (one, id) in involved {
        let lost = one.places().find_map(|place| {
            let (holder, its) = held.get(&place)?;
            (*its != id).then_some((place, *holder, *its))
        });
        match lost {
            Some((place, holder, its)) => {
                let rejection = rejection(one, id, place, holder, its);
                losses
                    .entry(id)
                    .or_default()
                    .insert(one.age.id.clone(), rejection);
            }
            None => {
                for place in one.places() {
                    held.entry(place).or_insert((one, id));
                }
            }
        }
    }
    losses
}

/// The places that more than one repository claims.
fn contested(contenders: &BTreeMap<Repository, Vec<Contender>>) -> HashSet<Place<'_>> {
    let mut first: HashMap<Place<'_>, Repository> = HashMap::new();
    let mut contested = HashSet::new();
    for (id, ones) in contenders {
        for place in ones.iter().flat_map(Contender::places) {
            if *first.entry(place).or_insert(*id) != *id {
                contested.insert(place);
            }
        }
    }
    contested
}

fn rejection(
    one: &Contender,
    id: Repository,
    (protocol, _, rule, entrypoint): Place<'_>,
    holder: &Contender,
    its: Repository,
) -> Rejection {
    let what = match protocol {
        Protocol::Udp => format!("the entry point `{entrypoint}`"),
        Protocol::Http | Protocol::Tcp => format!("the rule `{rule}` on `{entrypoint}`"),
    };
    let whose = its.map_or(String::new(), |id| format!(" of the repository {id}"));
    let why = match holder.source {
        Source::Labels => "is older and keeps it",
        Source::Ports => "was given the port",
    };
    Problem::new(format!(
        "{what} is claimed by the container `{}`{whose}, which {why}",
        holder.name
    ))
    .hint("give it another rule or entry point, or stop the other container")
    .of_parts(&one.name, id)
}

/// Takes from a repository's containers what they lost.
pub fn give_up(parts: &mut [ContainerRoutes], lost: &Lost) {
    // Ports were handed out apart from what labels claim: nobody loses those.
    for one in parts.iter_mut().filter(|one| one.source == Source::Labels) {
        if let Some(rejection) = lost.get(&one.age.id) {
            one.config = Default::default();
            one.rejections.push(rejection.clone());
        }
    }
}
