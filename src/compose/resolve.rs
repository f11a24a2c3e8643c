//! Makes a model from the user's files in which every service has its address. Compose runs once if all
//! services have slots already, twice if some are new, and once more for each replica.

use std::collections::BTreeMap;
use std::fs;

use super::files;
use super::line::Line;
use super::model::{Model, Object};
use super::place::Place;
use super::program::{Answerless, Asked, Compose, Reading, Said};
use super::refusal::Refusal;
use super::replicas::Replicas;
use crate::repository::{Slots, SlotsError, variable, variables};

/// A project in which every service has its address.
pub(super) struct Resolved {
    pub(super) model: Model,
    pub(super) slots: Slots,
    pub(super) replicas: Replicas,
    /// Compose's warnings, as printed.
    pub(super) warnings: Vec<u8>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Failure {
    /// Compose failed, and printed why.
    Said(Said),
    /// `renet` itself failed or refused.
    Refusal(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<SlotsError> for Failure {
    fn from(error: SlotsError) -> Self {
        Self::Refusal(error.into())
    }
}

impl From<Answerless> for Failure {
    fn from(answerless: Answerless) -> Self {
        match answerless {
            Answerless::Said(said) => Self::Said(said),
            Answerless::Refusal(refusal) => Self::Refusal(refusal),
        }
    }
}

pub(super) fn resolve(compose: &Compose, place: &Place, line: &Line) -> Result<Resolved, Failure> {
    let mut slots = Slots::read(&place.root)?;
    let mut answer = ask(compose, place, line, &slots)?;
    let replicas = loop {
        let replicas = Replicas::of(&answer.0, line, &slots)?;
        let mut names: Vec<String> = answer
            .0
            .services()
            .map(|(name, _)| name.to_owned())
            .collect();
        names.extend(replicas.names());
        if names.iter().all(|name| slots.slot(name).is_some()) {
            break replicas;
        }
        slots = assign(place, line, names)?;
        answer = ask(compose, place, line, &slots)?;
    };
    let (mut model, warnings) = answer;
    let resolved = resolve_replicas(compose, place, line, &slots, &replicas)?;
    replicas.expand(&mut model, &resolved);
    Ok(Resolved {
        model,
        slots,
        replicas,
        warnings,
    })
}

/// Asks Compose for the model with all services, whatever their profiles, because the command line may
/// name any. That may fail because the files require the address of a new service, or because a service
/// of another profile is incomplete; then the fallbacks below are tried.
fn ask(
    compose: &Compose,
    place: &Place,
    line: &Line,
    slots: &Slots,
) -> Result<(Model, Vec<u8>), Failure> {
    let question = |slots: &Slots, reading| -> Result<Asked, Refusal> {
        compose.ask(place, line, &variables(slots, place.id), reading)
    };
    if let Ok(answer) = question(slots, Reading::Whole)?.answer() {
        return Ok(answer);
    }
    let written = question(slots, Reading::Uninterpolated)?.answer();
    let mut slots = slots.clone();
    if let Ok((written, _)) = written {
        let names: Vec<String> = written
            .services()
            .map(|(name, _)| name.to_owned())
            .collect();
        if names.iter().any(|name| slots.slot(name).is_none()) {
            slots = assign(place, line, names)?;
            if let Ok(answer) = question(&slots, Reading::Whole)?.answer() {
                return Ok(answer);
            }
        }
    }
    Ok(question(&slots, Reading::Chosen)?.answer()?)
}

/// Assigns slots in the order in which the services are written. Compose sorts them, so the order is
/// read from the files as far as possible.
fn assign(place: &Place, line: &Line, mut names: Vec<String>) -> Result<Slots, SlotsError> {
    let written: Vec<String> = files::paths(place, line)
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| files::services_in(&text))
        .collect();
    // The sort is stable: services not found in the files come last, by name.
    names.sort_by_key(|name| {
        let at = written.iter().position(|written| written == name);
        at.unwrap_or(usize::MAX)
    });
    Slots::assign_in(&place.root, &names)
}

/// Resolves each replica: Compose runs with the replica's address as that of its service.
fn resolve_replicas(
    compose: &Compose,
    place: &Place,
    line: &Line,
    slots: &Slots,
    replicas: &Replicas,
) -> Result<BTreeMap<String, Object>, Failure> {
    // Start all before waiting for the first: they run in parallel.
    let mut asked = Vec::new();
    for (service, name) in replicas.running() {
        let address = slots.slot(&name).and_then(|slot| place.id.address(slot));
        let mut variables = variables(slots, place.id);
        variables.extend(address.map(|address| (variable(service), address)));
        let question = compose.ask(place, line, &variables, Reading::Whole)?;
        asked.push((service, name, question));
    }
    let mut resolved = BTreeMap::new();
    for (service, name, question) in asked {
        let (model, _) = question.answer()?;
        if let Some(object) = model.service(service) {
            resolved.insert(name, object.clone());
        }
    }
    Ok(resolved)
}
