//! What routers refer to, once a repository's containers are put together: each name has to be
//! defined, and everything behind it. A router is never served without a middleware that its labels
//! name; one that would be is taken out, and it is said why.
//!
//! What a router uses is summed up on the way (`expansion`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::expansion::{self, Cost};
use super::{Problem, Routes};
use crate::network::NetworkId;
use crate::route_server::quota::Quota;
use crate::traefik::dynamic::DynamicConfig;
use crate::traefik::labels::{Entry, EntryKind, nearest};

/// The deepest chain. Traefik builds a chain inside of its chain, and so it is walked here.
const DEEPEST: usize = 64;

/// How many names that are defined nowhere are compared with those that are, to say which was
/// meant: each comparison takes its time.
const MOST_GUESSES: usize = 16;

/// How many of one container's routers are reported by name; the rest are counted.
const MOST_REPORTED: usize = 20;

/// Takes out the routers that cannot be served as their labels ask.
pub(super) fn settle(
    routes: &mut Routes,
    broken: &BTreeSet<Entry>,
    network_id: Option<NetworkId>,
    quota: Quota,
) {
    let mut walk = Walk {
        config: &routes.config,
        broken,
        suffix: network_id.map(|id| format!("-{id}")).unwrap_or_default(),
        known: HashMap::new(),
        guesses: 0,
    };
    let mut total = Cost::default();
    let mut refused = Vec::new();
    for (name, router) in &routes.config.http.routers {
        let verdict = walk
            .all(EntryKind::HttpMiddleware, &router.middlewares, 0)
            .map_err(|fault| fault.of("middlewares"))
            .and_then(|middlewares| {
                let service = router.service.as_deref();
                let service = walk.maybe(EntryKind::HttpService, service, 0);
                let service = service.map_err(|fault| fault.of("service"))?;
                total.charge(middlewares.and(service), router.rule.as_deref(), quota)
            });
        if let Err(fault) = verdict {
            refused.push((EntryKind::HttpRouter, name.clone(), fault));
        }
    }
    for (name, router) in &routes.config.tcp.routers {
        let verdict = walk
            .all(EntryKind::TcpMiddleware, &router.middlewares, 0)
            .map_err(|fault| fault.of("middlewares"))
            .and_then(|middlewares| {
                let service = router.service.as_deref();
                let service = walk.maybe(EntryKind::TcpService, service, 0);
                let service = service.map_err(|fault| fault.of("service"))?;
                total.charge(middlewares.and(service), router.rule.as_deref(), quota)
            });
        if let Err(fault) = verdict {
            refused.push((EntryKind::TcpRouter, name.clone(), fault));
        }
    }
    for (name, router) in &routes.config.udp.routers {
        let service = walk.maybe(EntryKind::UdpService, router.service.as_deref(), 0);
        if let Err(fault) = service {
            refused.push((EntryKind::UdpRouter, name.clone(), fault.of("service")));
        }
    }
    let suffix = walk.suffix;
    take_out(routes, refused, &suffix);
}

fn take_out(routes: &mut Routes, refused: Vec<(EntryKind, String, Refusal)>, suffix: &str) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, name, refusal) in refused {
        let origins = match kind {
            EntryKind::HttpRouter => &mut routes.origins.http,
            EntryKind::TcpRouter => &mut routes.origins.tcp,
            _ => &mut routes.origins.udp,
        };
        let origin = origins.remove(&name);
        let entry = Entry { kind, name };
        entry.remove(&mut routes.config);
        let Some(origin) = origin else { continue };
        let count = counts.entry(origin.container.clone()).or_default();
        *count += 1;
        if *count > MOST_REPORTED {
            continue;
        }
        let name = entry.name.strip_suffix(suffix).unwrap_or(&entry.name);
        let label = format!("{}.{name}.{}", kind.prefix(), refusal.field);
        let mut problem = Problem::of_label(label, refusal.reason);
        problem.hint = refusal.hint;
        routes.rejections.push(problem.of(&origin));
        if *count == MOST_REPORTED {
            let rest = "more of its routers may not be served for reasons of this kind";
            routes.rejections.push(Problem::new(rest).of(&origin));
        }
    }
}

/// Why a router is not served.
pub(super) struct Refusal {
    /// The field at fault.
    pub(super) field: &'static str,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// What is wrong behind a name.
#[derive(Clone, Debug)]
struct Fault {
    /// The entries on the way there, by the labels' names.
    through: Vec<String>,
    /// What is wrong there: "`auth`", "is defined nowhere".
    subject: String,
    predicate: String,
    hint: Option<String>,
    /// Whether it depends on where one came from.
    is_relative: bool,
}

impl Fault {
    fn of(self, field: &'static str) -> Refusal {
        let Self {
            through,
            subject,
            predicate,
            hint,
            ..
        } = self;
        let reason = match &through[..] {
            [] => format!("{subject} {predicate}"),
            through => {
                let way = through.iter().map(|name| format!("`{name}` uses "));
                let way: String = way.collect();
                format!("{way}{subject}, which {predicate}")
            }
        };
        Refusal {
            field,
            reason,
            hint,
        }
    }
}

/// What is known of a name.
enum Known {
    /// It is being looked at: whoever comes here again comes from itself.
    Open,
    Settled(Result<Cost, Fault>),
}

struct Walk<'r> {
    config: &'r DynamicConfig,
    broken: &'r BTreeSet<Entry>,
    suffix: String,
    known: HashMap<(EntryKind, &'r str), Known>,
    guesses: usize,
}

impl<'r> Walk<'r> {
    fn all(&mut self, kind: EntryKind, names: &'r [String], depth: usize) -> Result<Cost, Fault> {
        names.iter().try_fold(Cost::default(), |sum, name| {
            Ok(sum.and(self.one(kind, name, depth)?))
        })
    }

    fn maybe(
        &mut self,
        kind: EntryKind,
        name: Option<&'r str>,
        depth: usize,
    ) -> Result<Cost, Fault> {
        match name.filter(|name| !name.is_empty()) {
            Some(name) => self.one(kind, name, depth),
            None => Ok(Cost::default()),
        }
    }

    fn one(&mut self, kind: EntryKind, name: &'r str, depth: usize) -> Result<Cost, Fault> {
        // What another provider defines is the operator's.
        if name.contains('@') {
            return Ok(Cost::of(kind));
        }
        let shown = self.labelled(name).to_owned();
        if depth == DEEPEST {
            return Err(Fault {
                is_relative: true,
                ..fault(&shown, &format!("stands in more than {DEEPEST} others"))
            });
        }
        match self.known.get(&(kind, name)) {
            Some(Known::Settled(verdict)) => return verdict.clone(),
            Some(Known::Open) => return Err(fault(&shown, "uses itself")),
            None => {}
        }
        self.known.insert((kind, name), Known::Open);
        let verdict = self.look(kind, name, depth);
        match &verdict {
            // From elsewhere, the way may be shorter.
            Err(fault) if fault.is_relative => self.known.remove(&(kind, name)),
            verdict => {
                let known = Known::Settled((*verdict).clone());
                self.known.insert((kind, name), known)
            }
        };
        verdict
    }

    /// What an entry is made of.
    fn look(&mut self, kind: EntryKind, name: &'r str, depth: usize) -> Result<Cost, Fault> {
        let config = self.config;
        let (http, tcp, udp) = (&config.http, &config.tcp, &config.udp);
        let below = match kind {
            EntryKind::HttpMiddleware => http.middlewares.get(name).map(|one| {
                let chain = one.chain.as_ref().map_or(&[][..], |one| &one.middlewares);
                let service = one.errors.as_ref().and_then(|one| one.service.as_deref());
                let chained = self.all(EntryKind::HttpMiddleware, chain, depth + 1)?;
                let pages = self.maybe(EntryKind::HttpService, service, depth + 1)?;
                let own = match one.chain {
                    Some(_) => Cost {
                        chains: 1,
                        ..Cost::default()
                    },
                    None => Cost {
                        regexps: expansion::regexps(one),
                        ..Cost::of(kind)
                    },
                };
                Ok(own.and(chained).and(pages))
            }),
            EntryKind::HttpService => http
                .services
                .get(name)
                .map(|one| self.all(EntryKind::HttpMiddleware, &one.middlewares, depth + 1)),
            EntryKind::TcpMiddleware => tcp.middlewares.get(name).map(|_| Ok(Cost::of(kind))),
            EntryKind::TcpService => tcp.services.get(name).map(|_| Ok(Cost::of(kind))),
            EntryKind::UdpService => udp.services.get(name).map(|_| Ok(Cost::of(kind))),
            EntryKind::HttpRouter | EntryKind::TcpRouter | EntryKind::UdpRouter => None,
        };
        match below {
            Some(verdict) => verdict.map_err(|mut fault: Fault| {
                match fault.is_relative {
                    true => fault.through = vec![self.labelled(name).to_owned()],
                    false => fault.through.insert(0, self.labelled(name).to_owned()),
                }
                fault
            }),
            None => Err(self.missing(kind, name)),
        }
    }

    fn missing(&mut self, kind: EntryKind, name: &str) -> Fault {
        let entry = Entry {
            kind,
            name: name.to_owned(),
        };
        let (shown, noun) = (self.labelled(name).to_owned(), kind.noun());
        if self.broken.contains(&entry) {
            return Fault {
                subject: format!("the {noun} `{shown}`"),
                hint: Some(format!("correct the {noun} `{shown}`")),
                ..fault(
                    &shown,
                    "could not be used, and nothing is served without it",
                )
            };
        }
        Fault {
            hint: self.guess(kind, &shown),
            ..fault(&shown, "is defined nowhere in this repository")
        }
    }

    /// The name that may have been meant.
    fn guess(&mut self, kind: EntryKind, name: &str) -> Option<String> {
        self.guesses += 1;
        if self.guesses > MOST_GUESSES {
            return None;
        }
        let (http, tcp, udp) = (&self.config.http, &self.config.tcp, &self.config.udp);
        let names: Vec<&str> = match kind {
            EntryKind::HttpMiddleware => keys(&http.middlewares),
            EntryKind::HttpService => keys(&http.services),
            EntryKind::TcpMiddleware => keys(&tcp.middlewares),
            EntryKind::TcpService => keys(&tcp.services),
            EntryKind::UdpService => keys(&udp.services),
            EntryKind::HttpRouter | EntryKind::TcpRouter | EntryKind::UdpRouter => Vec::new(),
        };
        let names: Vec<_> = names.into_iter().map(|one| self.labelled(one)).collect();
        let same = |one: &&&str| one.eq_ignore_ascii_case(name);
        if let Some(meant) = names.iter().find(same) {
            return Some(format!(
                "write `{meant}`: names are told apart by their case"
            ));
        }
        match nearest(name, &names) {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None => Some(format!("define the {} `{name}` by labels", kind.noun())),
        }
    }

    /// A name as labels write it.
    fn labelled<'n>(&self, name: &'n str) -> &'n str {
        name.strip_suffix(&self.suffix).unwrap_or(name)
    }
}

fn keys<T>(entries: &BTreeMap<String, T>) -> Vec<&str> {
    entries.keys().map(String::as_str).collect()
}

fn fault(name: &str, predicate: &str) -> Fault {
    Fault {
        through: Vec::new(),
        subject: format!("`{name}`"),
        predicate: predicate.to_owned(),
        hint: None,
        is_relative: false,
    }
}
