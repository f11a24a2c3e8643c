//! Compose's model of a project, as `docker compose config --format json` prints it. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// An object of the model.
pub(super) type Object = Map<String, Value>;

/// A project as Compose resolved it.
#[derive(Clone, Debug)]
pub(super) struct Model(Object);

impl Model {
    /// Parses the output of Compose, which doubles each `$` so that Compose can read it again.
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text.replace("$$", "$")).map(Self)
    }

    /// The top-level elements other than the services.
    pub(super) fn top(&self) -> impl Iterator<Item = (&str, &Value)> {
        let entries = self.0.iter().filter(|(key, _)| *key != "services");
        entries.map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn top_mut(&mut self) -> &mut Object {
        &mut self.0
    }

    /// The project's name.
    pub(super) fn project(&self) -> &str {
        self.0
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The services, by name.
    pub(super) fn services(&self) -> impl Iterator<Item = (&str, &Object)> {
        let services = self.0.get("services").and_then(Value::as_object);
        services
            .into_iter()
            .flatten()
            .filter_map(|(name, service)| Some((name.as_str(), service.as_object()?)))
    }

    pub(super) fn service(&self, name: &str) -> Option<&Object> {
        self.0.get("services")?.get(name)?.as_object()
    }

    pub(super) fn services_mut(&mut self) -> impl Iterator<Item = (&str, &mut Object)> {
        let services = self.0.get_mut("services").and_then(Value::as_object_mut);
        services
            .into_iter()
            .flatten()
            .filter_map(|(name, service)| Some((name.as_str(), service.as_object_mut()?)))
    }

    pub(super) fn insert_service(&mut self, name: String, service: Object) {
        let services = self
            .0
            .entry("services")
            .or_insert_with(|| Object::new().into());
        if let Some(services) = services.as_object_mut() {
            services.insert(name, service.into());
        }
    }

    /// The number of replicas of each service that has more or fewer than one.
    pub(super) fn scales(&self) -> BTreeMap<String, u64> {
        let scale = |service: &Object| {
            let deploy = service
                .get("deploy")
                .and_then(|deploy| deploy.get("replicas"));
            service.get("scale").or(deploy).and_then(Value::as_u64)
        };
        self.services()
            .filter_map(|(name, service)| Some((name.to_owned(), scale(service)?)))
            .filter(|(_, scale)| *scale != 1)
            .collect()
    }

    /// The model as Compose reads it: JSON is YAML, except for some characters that YAML wants escaped.
    /// Compose looks for variables in values, not in keys.
    pub(super) fn text(&self) -> String {
        let mut value = Value::Object(self.0.clone());
        double_dollars(&mut value);
        let json = value.to_string();
        let mut text = String::with_capacity(json.len());
        for c in json.chars() {
            match c {
                '\u{7f}'..='\u{9f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}' => {
                    // It never fails on a string.
                    let _ = write!(text, "\\u{:04x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        text
    }
}

fn double_dollars(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('$') => *text = text.replace('$', "$$"),
        Value::Array(items) => items.iter_mut().for_each(double_dollars),
        Value::Object(entries) => entries.values_mut().for_each(double_dollars),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_written_so_that_compose_reads_the_same() {
        let text = "{\"name\":\"a\u{7f}\u{2028}é$$x\\\\ \\n\u{1f600}\",\"x-a\":{\"k$$\":\"$$$$\"}}";
        let model = Model::parse(text).expect("a model");
        assert_eq!(model.project(), "a\u{7f}\u{2028}é$x\\ \n\u{1f600}");
        let expected =
            "{\"name\":\"a\\u007f\\u2028é$$x\\\\ \\n\u{1f600}\",\"x-a\":{\"k$\":\"$$$$\"}}";
        assert_eq!(model.text(), expected);
    }

    #[test]
    fn replicas_are_those_of_scale_or_deploy() {
        let text = r#"{"services": {"a": {"scale": 2}, "b": {"deploy": {"replicas": 3}},
            "c": {"deploy": {"replicas": 1}}, "d": {}, "e": {"scale": 0}}}"#;
        let model = Model::parse(text).expect("a model");
        let expected = [("a", 2), ("b", 3), ("e", 0)];
        assert_eq!(
            model.scales(),
            BTreeMap::from(expected.map(|(name, scale)| (name.to_owned(), scale)))
        );
    }
}
