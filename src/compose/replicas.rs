//! Replicas, each of which needs an address of its own: the second one of `web` becomes a service
//! `web.2`, and so on. Pure.
//!
//! A replica that existed before stays in the model with scale 0, so that Compose removes its
//! containers. A `web` on the command line stands for all replicas.

use std::collections::BTreeMap;

use serde_json::Value;

use super::commands::Names;
use super::line::{Line, Part};
use super::model::{Model, Object};
use super::refusal::Refusal;
use crate::network::NetworkId;
use crate::repository::Slots;

/// The replicas of all services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replicas(BTreeMap<String, Scale>);

/// How many replicas of a service should run, and the highest index that ever existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale {
    wanted: u64,
    known: u64,
}

/// The name of a replica's service.
fn replica_name(service: &str, index: u64) -> String {
    if index == 1 {
        service.to_owned()
    } else {
        format!("{service}.{index}")
    }
}

/// Whether any slot belongs to a replica.
pub(super) fn are_in(slots: &Slots) -> bool {
    slots
        .iter()
        .any(|(name, _)| parts_of(name).is_some_and(|(service, _)| slots.slot(service).is_some()))
}

/// Splits the name of a replica: `web.2` is the second of `web`.
fn parts_of(name: &str) -> Option<(&str, u64)> {
    let (service, index) = name.rsplit_once('.')?;
    let index: u64 = index.parse().ok()?;
    (index >= 2 && replica_name(service, index) == name).then_some((service, index))
}

impl Replicas {
    /// The replicas of a model, with the numbers of the command line, and those that have slots from
    /// before.
    pub(super) fn of(model: &Model, line: &Line, slots: &Slots) -> Result<Self, Refusal> {
        let mut scales = model.scales();
        for (service, number) in scales_of(line)? {
            if model.service(&service).is_some() {
                scales.insert(service, number);
            }
        }
        let mut replicas = Self::default();
        for (service, object) in model.services() {
            let wanted = scales.get(service).copied().unwrap_or(1);
            let known = slots.iter().filter_map(|(name, _)| parts_of(name));
            let known = known.filter(|(base, _)| *base == service);
            let known = known.map(|(_, index)| index).max().unwrap_or(1);
            if wanted > u64::from(NetworkId::SLOTS) {
                let message = format!("service `{service}` cannot have {wanted} replicas");
                let slots = NetworkId::SLOTS;
                let hint = format!("a repository has {slots} addresses, one for each replica");
                return Err(Refusal::new(message).hint(hint));
            }
            if wanted > 1
                && object
                    .get("container_name")
                    .is_some_and(|name| !name.is_null())
            {
                let message =
                    format!("service `{service}` has `container_name` and {wanted} replicas");
                let hint = "a container's name is unique: remove `container_name`, or the replicas";
                return Err(Refusal::new(message).hint(hint));
            }
            if wanted != 1 || known > 1 {
                replicas
                    .0
                    .insert(service.to_owned(), Scale { wanted, known });
            }
        }
        replicas.check_names(model)?;
        Ok(replicas)
    }

    /// Refuses a service whose name is that of a replica of another.
    fn check_names(&self, model: &Model) -> Result<(), Refusal> {
        for (name, _) in model.services() {
            let Some((service, _)) = parts_of(name) else {
                continue;
            };
            if self.0.contains_key(service) {
                let message = format!("service `{name}` has the name of a replica of `{service}`");
                return Err(Refusal::new(message).hint(format!("rename `{name}`")));
            }
        }
        Ok(())
    }

    /// The services that need a slot because they are replicas.
    pub(super) fn names(&self) -> Vec<String> {
        self.running().map(|(_, name)| name).collect()
    }

    /// The second replicas and those after it: the service, and the replica's own name.
    pub(super) fn running(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().flat_map(|(service, scale)| {
            (2..=scale.wanted).map(|index| (service.as_str(), replica_name(service, index)))
        })
    }

    /// The service that a name is a replica of, or the name itself.
    pub(super) fn service_of<'a>(&'a self, name: &'a str) -> &'a str {
        match parts_of(name) {
            Some((service, _)) if self.0.contains_key(service) => service,
            _ => name,
        }
    }

    /// Adds a service for each replica. `resolved` has the running ones, each resolved with its own
    /// address. An image is built for each of them, from cached layers: if the others named the image
    /// of the first, Compose would look for it in a registry.
    pub(super) fn expand(&self, model: &mut Model, resolved: &BTreeMap<String, Object>) {
        for (service, scale) in &self.0 {
            let Some(first) = model.service(service).cloned() else {
                continue;
            };
            for index in 2..=scale.wanted.max(scale.known) {
                let name = replica_name(service, index);
                let mut replica = resolved.get(&name).unwrap_or(&first).clone();
                set_scale(&mut replica, u64::from(index <= scale.wanted));
                model.insert_service(name, replica);
            }
        }
        let originals: Vec<(String, u64)> = self
            .0
            .iter()
            .map(|(service, scale)| (service.clone(), scale.wanted.min(1)))
            .collect();
        for (name, service) in model.services_mut() {
            if let Some((_, wanted)) = originals.iter().find(|(original, _)| original == name) {
                set_scale(service, *wanted);
            }
            self.depend_on_all(service);
        }
    }

    /// Makes a service depend on all replicas of what it depends on.
    fn depend_on_all(&self, service: &mut Object) {
        let Some(dependencies) = service.get_mut("depends_on").and_then(Value::as_object_mut)
        else {
            return;
        };
        for (name, scale) in &self.0 {
            let Some(how) = dependencies.get(name).cloned() else {
                continue;
            };
            for index in 2..=scale.wanted {
                dependencies.insert(replica_name(name, index), how.clone());
            }
        }
    }

    /// The command line, with the replicas added after each name of a service.
    pub(super) fn in_line(&self, line: &Line) -> Line {
        let mut line = line.clone();
        if self.0.is_empty() {
            return line;
        }
        let names = line.names();
        let index = line
            .values(&["--index"])
            .flatten()
            .next()
            .map(str::to_owned);
        let mut is_first = true;
        let mut rest = Vec::new();
        for part in std::mem::take(&mut line.rest) {
            let is_word = matches!(part, Part::Word(_));
            match &part {
                Part::Option(name, Some(value)) if name == "--scale" => {
                    let service = value.split('=').next().unwrap_or_default();
                    if !self.0.contains_key(service) {
                        rest.push(part);
                    }
                }
                Part::Option(name, _) if name == "--index" && names != Names::Each => {}
                Part::Option(name, Some(service))
                    if name == "--attach" || name == "--no-attach" =>
                {
                    let all = self.all(service, None);
                    let option = |it| Part::Option(name.clone(), Some(it));
                    rest.extend(all.into_iter().map(option));
                }
                Part::Word(word) => match names {
                    Names::Each => rest.extend(self.all(word, None).into_iter().map(Part::Word)),
                    Names::First | Names::One if is_first => {
                        let one = self.all(word, Some(index.as_deref().unwrap_or("1")));
                        rest.extend(one.into_iter().map(Part::Word));
                    }
                    // `cp` names one before a path: `web:/etc/hosts`.
                    Names::Nothing => match word.split_once(':') {
                        Some((service, path)) => {
                            let one = self.all(service, Some(index.as_deref().unwrap_or("1")));
                            let word = |one: String| Part::Word(format!("{one}:{path}"));
                            rest.extend(one.into_iter().map(word));
                        }
                        None => rest.push(part.clone()),
                    },
                    Names::Scales => {
                        rest.extend(self.scale_words(word).into_iter().map(Part::Word));
                    }
                    _ => rest.push(part.clone()),
                },
                _ => rest.push(part.clone()),
            }
            is_first &= !is_word;
        }
        line.rest = rest;
        line
    }

    /// The services that a word stands for: all replicas, or the one with an index.
    fn all(&self, word: &str, index: Option<&str>) -> Vec<String> {
        match (self.0.get(word), index) {
            (None, _) => vec![word.to_owned()],
            (Some(_), Some("1")) => vec![word.to_owned()],
            (Some(_), Some(index)) => vec![format!("{word}.{index}")],
            (Some(scale), None) => (1..=scale.wanted.max(scale.known).max(1))
                .map(|index| replica_name(word, index))
                .collect(),
        }
    }

    /// `web=3` of `scale`, for each replica.
    fn scale_words(&self, word: &str) -> Vec<String> {
        let (service, _) = word.split_once('=').unwrap_or((word, ""));
        let Some(scale) = self.0.get(service) else {
            return vec![word.to_owned()];
        };
        (1..=scale.wanted.max(scale.known).max(1))
            .map(|index| {
                let number = u64::from(index <= scale.wanted);
                format!("{}={number}", replica_name(service, index))
            })
            .collect()
    }
}

fn set_scale(service: &mut Object, scale: u64) {
    service.remove("scale");
    if let Some(deploy) = service.get_mut("deploy").and_then(Value::as_object_mut) {
        deploy.remove("replicas");
    }
    if scale != 1 {
        service.insert("scale".to_owned(), scale.into());
    }
}

/// The numbers of replicas that a command line asks for.
fn scales_of(line: &Line) -> Result<Vec<(String, u64)>, Refusal> {
    let options = line.values(&["--scale"]).flatten();
    let words = line.rest.iter().filter_map(|part| match part {
        Part::Word(word) if line.names() == Names::Scales => Some(word.as_str()),
        _ => None,
    });
    options
        .chain(words)
        .map(|text| {
            let parsed = text
                .split_once('=')
                .and_then(|(service, number)| Some((service.to_owned(), number.parse().ok()?)));
            parsed.ok_or_else(|| {
                Refusal::new(format!("`{text}` does not scale a service"))
                    .hint("write `SERVICE=NUMBER`, as `web=3`")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(text: &str) -> Model {
        Model::parse(text).expect("a model")
    }

    fn line(text: &str) -> Line {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Line::parse(&words)
    }

    fn slots(names: &[&str]) -> Slots {
        let mut slots = Slots::default();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        slots.assign(&names).expect("slots");
        slots
    }

    const WEB: &str = r#"{"name": "p", "services": {
        "web": {"build": {"context": "/r"}, "scale": 3, "deploy": {"replicas": 3}},
        "db": {},
        "front": {"depends_on": {"web": {"condition": "service_started"}}}}}"#;

    #[test]
    fn each_replica_becomes_a_service_and_those_there_were_have_none() {
        for (text, known, names, scales) in [
            ("up", &["web"][..], &["web.2", "web.3"][..], &[][..]),
            ("up --scale web=2", &[], &["web.2"], &[]),
            (
                "scale web=2",
                &["web", "web.2", "web.3"],
                &["web.2"],
                &[("web.3", 0)],
            ),
            ("up --scale=web=1", &["web", "web.2"], &[], &[("web.2", 0)]),
            ("up --scale web=0", &[], &[], &[("web", 0)]),
            ("up --scale db=2", &[], &["db.2", "web.2", "web.3"], &[]),
        ] {
            let mut model = model(WEB);
            let replicas = Replicas::of(&model, &line(text), &slots(known)).expect(text);
            let found = replicas.names();
            assert_eq!(found, names, "{text}");
            replicas.expand(&mut model, &BTreeMap::new());
            let found = model.scales();
            let found: Vec<(&str, u64)> = found.iter().map(|(n, s)| (n.as_str(), *s)).collect();
            assert_eq!(found, scales, "{text}");
        }
    }

    #[test]
    fn who_depends_on_a_service_depends_on_all_its_replicas() {
        let mut model = model(WEB);
        let none = Slots::default();
        let replicas = Replicas::of(&model, &line("up"), &none).expect("replicas");
        replicas.expand(&mut model, &BTreeMap::new());
        let front = model.service("front").expect("it is there");
        let dependencies = front["depends_on"].as_object().expect("an object");
        let names: Vec<&String> = dependencies.keys().collect();
        assert_eq!(names, ["web", "web.2", "web.3"]);
        assert_eq!(replicas.service_of("web.3"), "web");
        assert_eq!(replicas.service_of("db.2"), "db.2");
    }

    #[test]
    fn words_that_name_a_service_name_its_replicas() {
        for (text, expected) in [
            ("up -d", "up -d"),
            ("up -d web db", "up -d web web.2 web.3 db"),
            (
                "up --scale web=3 --scale db=1 front",
                "up --scale=db=1 front",
            ),
            ("logs -f web", "logs -f web web.2 web.3"),
            ("stop -t 5 web", "stop -t 5 web web.2 web.3"),
            (
                "up --attach web",
                "up --attach=web --attach=web.2 --attach=web.3",
            ),
            ("exec --index 2 web web", "exec web.2 web"),
            ("exec web sh", "exec web sh"),
            ("cp --index 2 web:/a ./b:c", "cp web.2:/a ./b:c"),
            ("cp ./a web:/b", "cp ./a web:/b"),
            ("run web web", "run web web"),
            ("scale web=3 db=1", "scale web=1 web.2=1 web.3=1 db=1"),
        ] {
            let line = line(text);
            let none = Slots::default();
            let replicas = Replicas::of(&model(WEB), &line, &none).expect(text);
            let found = replicas.in_line(&line).command_words().join(" ");
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_have_replicas_is_refused() {
        for (text, words, expected) in [
            (
                r#"{"services": {"a": {"container_name": "x"}}}"#,
                "up --scale a=2",
                "service `a` has `container_name` and 2 replicas",
            ),
            (
                r#"{"services": {"a": {"scale": 2}, "a.2": {}}}"#,
                "up",
                "service `a.2` has the name of a replica of `a`",
            ),
            (
                r#"{"services": {"a": {"scale": 62}}}"#,
                "up",
                "service `a` cannot have 62 replicas",
            ),
            (
                r#"{"services": {"a": {}}}"#,
                "scale a=x",
                "`a=x` does not scale a service",
            ),
        ] {
            let refused = Replicas::of(&model(text), &line(words), &Slots::default());
            assert_eq!(refused.expect_err(text).message, expected);
        }
    }
}
